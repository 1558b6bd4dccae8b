package quota

import "time"

// Common is what all that share the limits of a [Quota] use of them.
type Common struct {
	Requests, Tokens int64 // in the past minute
	// Profile is when these were used, by the clock of this process, the earliest first. Nil means that
	// it is as told before.
	Profile []Change
	Kept    time.Duration // how long the common window counts what was used
	Members int           // how many share it; zero: not known
	// Next is when a request of NextTokens finds room; zero: not known, or now.
	Next       time.Time
	NextTokens int64
	Day        int64 // requests of the day that ends at DayEnds
	DayEnds    time.Time
	// Running are concurrent calls of all. Slots are those of them that this process may have, its
	// running calls included, until SlotsEnd.
	Running, Slots int64
	SlotsEnd       time.Time
}

// common is [Common] as time goes on.
type common struct {
	Common
	left int   // steps of the profile that have left the window
	gone count // what they held that was not told to have left
}

// today returns the requests of today that all are known to have used.
func (c *common) today(now time.Time) int64 {
	if now.Before(c.DayEnds) {
		return c.Day
	}
	return 0
}

// forget drops what has left the window.
func (c *common) forget(now time.Time) {
	for c.left < len(c.Profile) && !c.Profile[c.left].At.Add(c.Kept).After(now) {
		step := &c.Profile[c.left]
		c.Requests = max(c.Requests-step.Requests, 0)
		c.Tokens = max(c.Tokens-step.Tokens, 0)
		c.gone.requests += step.Requests
		c.gone.tokens += step.Tokens
		c.left++
	}
	if c.left == len(c.Profile) { // all that is known has gone
		c.Requests, c.Tokens = 0, 0
	}
}

// lose takes what has left the window since it was told for used again: by others, of whom nothing
// is heard any more. own is the part that this process has of all.
func (c *common) lose(now time.Time, own float64) {
	c.forget(now)
	c.gone = count{ofPart(c.gone.requests, 1-own), ofPart(c.gone.tokens, 1-own)}
	c.Requests += c.gone.requests
	c.Tokens += c.gone.tokens
	c.Profile = append(c.Profile[c.left:len(c.Profile):len(c.Profile)], Change{now, c.gone.requests, c.gone.tokens})
	c.left, c.gone = 0, count{}
}

// freeAt returns when at most so much is left of the window; the zero time if that is so now.
func (c *common) freeAt(requests, tokens int64) (at time.Time) {
	r, t := c.Requests, c.Tokens
	for i := c.left; i < len(c.Profile) && (r > requests || t > tokens); i++ {
		r -= c.Profile[i].Requests
		t -= c.Profile[i].Tokens
		at = c.Profile[i].At.Add(c.Kept)
	}
	return at
}

// leaving returns the requests that leave the window by slices from now.
func (c *common) leaving(now time.Time) (by [slices]int64) {
	for _, step := range c.Profile[c.left:] {
		if i := int64(step.At.Add(c.Kept).Sub(now) / slice); i < slices {
			by[max(i, 0)] += step.Requests
		}
	}
	return by
}
