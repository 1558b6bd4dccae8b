package demand

import "github.com/spillway-go/spillway/quota"

// fill gives calls that were refused, of which nobody knows the tokens, the mean of their model.
func (l *Log) fill() {
	type sum struct {
		calls int64
		usage quota.Usage
	}
	sums := make(map[string]*sum)
	for i := range l.Calls {
		c := &l.Calls[i]
		if c.Usage == (quota.Usage{}) {
			continue
		}
		s := sums[c.Model]
		if s == nil {
			s = &sum{}
			sums[c.Model] = s
		}
		s.calls++
		s.usage.Input += c.Usage.Input
		s.usage.Cached += c.Usage.Cached
		s.usage.Output += c.Usage.Output
	}
	kept := l.Calls[:0]
	for _, c := range l.Calls {
		if c.Usage == (quota.Usage{}) {
			s := sums[c.Model]
			if s == nil {
				l.leave(Left{Why: "of calls that were refused, of a model that served none", Entries: 1})
				continue
			}
			c.Usage = quota.Usage{Input: s.usage.Input / s.calls, Cached: s.usage.Cached / s.calls, Output: s.usage.Output / s.calls}
			l.Filled++
		}
		if c.Took <= 0 {
			c.Took = Took(c.Usage)
		}
		kept = append(kept, c)
	}
	l.Calls = kept
}
