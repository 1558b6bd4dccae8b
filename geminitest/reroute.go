package geminitest

import "time"

// Reroute is a model that is retired, whose calls another answers from then on. The answer says so
// in modelVersion, and nowhere else; quota is that of the model that answers. Only the Gemini
// Developer API does it.
type Reroute struct {
	Model string    // as callers ask for it
	To    string    // that answers
	From  time.Time // zero: always
}

// AnnouncedReroutes are those that Google has announced: gemini-2.5-pro and gemini-2.5-flash retire
// on 2026-12-01. They are for Config.Reroutes, which has none by default: a test should not change
// its result on a day of the calendar.
func AnnouncedReroutes() []Reroute {
	retired := time.Date(2026, time.December, 1, 0, 0, 0, 0, pacific)
	return []Reroute{
		{Model: "gemini-2.5-pro", To: "gemini-3.8-flash", From: retired},
		{Model: "gemini-2.5-flash", To: "gemini-3.5-flash-lite", From: retired},
	}
}

// answering is the model that answers a call.
func (e *Emulator) answering(now time.Time, c call) string {
	if c.backend == gemini {
		for _, r := range e.cfg.Reroutes {
			if r.Model == c.model && !now.Before(r.From) {
				return r.To
			}
		}
	}
	return c.model
}
