package geminitest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// Match selects calls. An empty field means any.
type Match struct {
	Backend  string // "gemini", "vertex", or "cloud" for the APIs that tell what a project has
	Key      string // API key or access token
	Project  string
	Location string // Vertex AI only; the calls of the Gemini Developer API have none
	Traffic  string // what was asked for in X-Vertex-AI-LLM-Request-Type: "dedicated", "shared", or "none" for calls without that header
	Served   string // trafficType of the answer, "PROVISIONED_THROUGHPUT" and so on; known only once answered: for counts, not for scripts
	Tier     string // the service tier that was asked for, on either back end: "flex", "standard", "priority", or "none"
	Model    string // glob
	Version  string // of the API: "v1beta", "v1", …

	// Tool is a tool that the call's body names, as "googleSearch", "googleMaps" or
	// "codeExecution", or "none" for calls without tools.
	Tool string

	// Method is "generateContent", "streamGenerateContent", "models.list", "files.create",
	// "files.upload" (a chunk), "cachedContents.get", …, or a collection alone, "files", for all
	// that is done with it.
	Method string
}

// fits reports whether a call with these properties is selected.
func (m Match) fits(c Match) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(m.Backend, c.Backend) && is(m.Key, c.Key) && is(m.Project, c.Project) && is(m.Location, c.Location) &&
		is(m.Version, c.Version) &&
		is(m.Traffic, c.Traffic) && is(m.Tier, c.Tier) && is(m.Served, c.Served) && (is(m.Method, c.Method) || strings.HasPrefix(c.Method, m.Method+".")) &&
		(m.Model == "" || fits(m.Model, c.Model)) && (m.Tool == "" || slices.Contains(strings.Fields(c.Tool), m.Tool))
}

// maxTools bounds what is remembered of a body that names tools without end.
const maxTools = 16

// toolsOf are the tools that a body names, separated by spaces, or "none".
func toolsOf(body []byte) string {
	if !bytes.Contains(body, []byte(`"tools"`)) {
		return "none"
	}
	root, _ := readObject(body)
	var names []string
	note := func(name string) {
		if name = camel(printable(name)); name != "" {
			names = append(names, strings.ToLower(name[:1])+name[1:])
		}
	}
	for _, tool := range root.list("tools") {
		m, _ := tool.(map[string]any)
		if kind, ok := m["type"].(string); ok { // as the Interactions API has them
			note(kind)
			continue
		}
		for name := range m {
			note(name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return strings.Join(names[:min(len(names), maxTools)], " ")
}

// Outage is a failure of some part of Google that lasts until it is cleared.
type Outage struct {
	Backend  string // "gemini" or "vertex"; empty fields mean any
	Project  string
	Location string
	Tier     string // the service tier that was asked for, on either back end: "flex", "standard", "priority", or "none"
	Model    string // glob

	// How it shows: HTTP 503 unless one of these says otherwise.
	Status int  // a 5xx with Google's text
	Hang   bool // a black hole: requests go in, nothing comes out
	Reset  bool // connections are reset
}

// answer is what a call that meets the outage gets.
func (o Outage) answer(backend string) Answer {
	switch {
	case o.Hang:
		return Answer{Hang: true}
	case o.Reset:
		return ConnectionReset()
	case o.Status != 0 && o.Status != 503:
		return Fault(o.Status)
	case backend == gemini:
		return Overloaded()
	default:
		return Unavailable()
	}
}

// stage holds what a test has arranged: scripts, kept answers and outages. It is safe for
// concurrent use.
type stage struct {
	mu      sync.Mutex
	scripts []*script
	kept    []*script
	outages []*Outage
	rng     *rand.Rand // of answers that only some calls get
}

// script is a queue of answers for the calls that match; a kept one has a single answer that stays.
type script struct {
	match   Match
	answers []Answer
	share   float64 // of the calls that match, if it is kept
}

// next returns the answer arranged for a call: the oldest script that fits, else the newest kept
// answer, else an outage, else one that changes nothing.
func (s *stage) next(c Match) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, line := range s.scripts {
		if !line.match.fits(c) {
			continue
		}
		answer := line.answers[0]
		if line.answers = line.answers[1:]; len(line.answers) == 0 {
			s.scripts = append(s.scripts[:i:i], s.scripts[i+1:]...)
		}
		return answer
	}
	for _, v := range slices.Backward(s.kept) {
		if v.match.fits(c) && (v.share >= 1 || s.rng.Float64() < v.share) {
			return v.answers[0]
		}
	}
	for _, o := range s.outages {
		if (Match{Backend: o.Backend, Project: o.Project, Location: o.Location, Model: o.Model}).fits(c) {
			return o.answer(c.Backend)
		}
	}
	return Answer{}
}

// Script gives the next calls that match these answers, one each, in order. Several scripts that
// fit a call are used up in the order in which they were made, and all of them before what
// [Emulator.Keep] and [Emulator.SetOutage] arrange.
func (e *Emulator) Script(match Match, answers ...Answer) {
	if len(answers) == 0 {
		return
	}
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	e.stage.scripts = append(e.stage.scripts, &script{match: match, answers: append([]Answer(nil), answers...)})
}

// Keep gives every call that matches this answer, until remove is called. Of several that fit, the
// newest holds.
func (e *Emulator) Keep(match Match, answer Answer) (remove func()) {
	return e.KeepSome(match, 1, answer)
}

// KeepSome is [Emulator.Keep] for a share of the calls that match, such as 0.02, drawn by
// Config.Seed. The others get what else there is for them.
func (e *Emulator) KeepSome(match Match, share float64, answer Answer) (remove func()) {
	s := &script{match: match, answers: []Answer{answer}, share: share}
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	e.stage.kept = append(e.stage.kept, s)
	return func() {
		e.stage.mu.Lock()
		defer e.stage.mu.Unlock()
		e.stage.kept = without(e.stage.kept, s)
	}
}

// Outage begins or ends an outage (HTTP 503) of one location, or of the Gemini Developer API if
// location is "". Ending it also ends what [Emulator.SetOutage] began for that location as a whole.
func (e *Emulator) Outage(location string, on bool) {
	o := Outage{Backend: vertex, Location: location}
	if location == "" {
		o.Backend = gemini
	}
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	for _, old := range e.stage.outages {
		whole := old.Project == "" && old.Model == ""
		if whole && old.Location == location && (old.Backend == o.Backend || old.Backend == "" && location != "") {
			e.stage.outages = without(e.stage.outages, old)
		}
	}
	if on {
		e.stage.outages = append(e.stage.outages, &o)
	}
}

// SetOutage begins an outage, which lasts until mend is called. The oldest that fits a call holds.
func (e *Emulator) SetOutage(o Outage) (mend func()) {
	held := &o
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	e.stage.outages = append(e.stage.outages, held)
	return func() {
		e.stage.mu.Lock()
		defer e.stage.mu.Unlock()
		e.stage.outages = without(e.stage.outages, held)
	}
}

// ClearOutages ends all outages.
func (e *Emulator) ClearOutages() {
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	e.stage.outages = nil
}

// without returns a copy of the list that lacks one element.
func without[T comparable](list []T, gone T) []T {
	var rest []T
	for _, x := range list {
		if x != gone {
			rest = append(rest, x)
		}
	}
	return rest
}
