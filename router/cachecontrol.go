package router

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cacheControl is what a request's Cache-Control says. Nothing is handed out after its time, whatever
// max-stale allows. Source: RFC 9111, section 5.2.1; section 5.4 of Pragma.
type cacheControl struct {
	noStore  bool
	onlyKept bool          // rather an error than a request
	maxAge   time.Duration // not above 0: the response is to be asked for anew
	minFresh time.Duration // for how long the response is to be good still
}

func readCacheControl(h http.Header) cacheControl {
	c := cacheControl{maxAge: math.MaxInt64}
	all, said := h["Cache-Control"]
	if !said {
		all = h["Pragma"]
	}
	for _, line := range all {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
			switch {
			case name == "no-cache":
				c.maxAge = 0
			case name == "no-store" && said:
				c.noStore = true
			case name == "only-if-cached" && said:
				c.onlyKept = true
			case name == "max-age" && said:
				c.maxAge = min(c.maxAge, deltaSeconds(value))
			case name == "min-fresh" && said:
				c.minFresh = max(c.minFresh, deltaSeconds(value))
			}
		}
	}
	return c
}

// deltaSeconds reads a time of a Cache-Control. What is no number counts as none, and what is too
// large as 68 years. Source: RFC 9111, section 1.2.2.
func deltaSeconds(value string) time.Duration {
	seconds, _ := strconv.ParseInt(strings.Trim(value, `" `), 10, 32)
	return time.Duration(seconds) * time.Second
}

// fresh returns from which age on a response that is kept for ttl is too old.
func (c *cacheControl) fresh(ttl time.Duration) time.Duration {
	if c.minFresh > 0 {
		ttl -= c.minFresh - 1 // as much as that may be left, and no more
	}
	return min(ttl, c.maxAge)
}
