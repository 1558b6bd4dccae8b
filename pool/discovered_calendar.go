package pool

import "time"

// discoverLag is for how long Google may go on to show an order that has ended: two readings.
const discoverLag = 2 * (discoverEvery + discoverEvery/10)

// unforced says why an order that Google shows is not used, although the project declares it: by the
// calendar it is not in force. It says "" if the calendar does not say so.
func (p *Project) unforced(shown *Order, now time.Time) (why, do string) {
	var ended, begins time.Time
	for i := range p.Provisioned {
		o := &p.Provisioned[i]
		switch {
		case !shown.sameLot(*o):
		case o.inForce(now):
			return "", ""
		case now.Before(o.From):
			if begins.IsZero() || o.From.Before(begins) {
				begins = o.From
			}
		case o.Until.After(ended):
			ended = o.Until
		}
	}
	switch {
	case now.IsZero() || now.Sub(ended) < discoverLag:
		return "", ""
	case !begins.IsZero():
		return "by the configuration it begins at " + stamp(begins), "correct from there if it is in force"
	default:
		return "by the configuration it ended at " + stamp(ended), "correct until there, or declare the order that follows with its own from"
	}
}
