package stream

// Complete reports whether a response that has come to its end is whole and good: no error and nothing
// strange in it, and each candidate done by itself, with finishReason STOP. A stream is closed before.
// A response without candidates, because of a blocked prompt or by a field mask, is not complete, nor
// is one that says nothing: models answer so now and then by mistake. In OpenAI's dialect embeddings
// are complete, and a stream has its last event.
func Complete(s *Stream) bool {
	switch {
	case s.failure != nil, s.cut, s.array.Open(), s.at.blocked, s.at.otherwise, s.Strange(), s.form.Dialect == Other:
		return false
	case s.form.Dialect == OpenAI && !s.at.candidates:
		return s.at.known && !s.form.SSE
	case s.form.Dialect == OpenAI && s.form.SSE && !s.at.done:
		return false
	default:
		return s.at.candidates && s.at.unfinished == 0 && s.at.said
	}
}

// stops reports whether a finishReason, by its name or its number, says that a candidate is done.
func stops(reason []byte) bool { return string(reason) == "STOP" || string(reason) == "1" }
