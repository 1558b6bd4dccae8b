package geminitest

// Shape is an odd way in which Google answers calls that generate, well though they are.
type Shape string

// The shapes. All but the last two are about streams.
const (
	ShapeStopEverywhere  Shape = "stop everywhere"  // finishReason STOP in every event
	ShapeStopEarly       Shape = "stop early"       // a finishReason in the first event, as after a built-in tool; the stream goes on
	ShapeRoleFirst       Shape = "role first"       // the first event has a role and nothing to say
	ShapeTextlessFirst   Shape = "textless first"   // the first event has an empty text
	ShapeNoCandidates    Shape = "no candidates"    // usage, and no candidates: the whole answer
	ShapeEmptyCandidates Shape = "empty candidates" // the same, with "candidates":[]
)

// Shaped returns the answer with a shape. It goes with what breaks a stream:
//
//	geminitest.ConnectionReset().AfterEvents(2).Shaped(geminitest.ShapeStopEverywhere)
func (a Answer) Shaped(s Shape) Answer {
	a.Shape = s
	return a
}

// silent reports whether nothing is said at all.
func (s Shape) silent() bool { return s == ShapeNoCandidates || s == ShapeEmptyCandidates }

// preface reports whether an event comes before the first with something to say.
func (s Shape) preface() bool { return s == ShapeRoleFirst || s == ShapeTextlessFirst }

// apply gives an event of an answer its shape.
func (s Shape) apply(r response, first bool) response {
	switch s {
	case ShapeNoCandidates:
		r.Candidates = nil
	case ShapeEmptyCandidates:
		r.Candidates = []candidate{}
	default:
		for i := range r.Candidates {
			c := &r.Candidates[i]
			switch {
			case c.FinishReason == "" && (s == ShapeStopEverywhere || s == ShapeStopEarly && first):
				c.FinishReason = "STOP"
			case s == ShapeTextlessFirst && first && c.Content.Parts == nil:
				c.Content.Parts = []part{{Text: new(string)}}
			}
		}
	}
	return r
}
