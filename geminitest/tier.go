package geminitest

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// The service tiers of pay-as-you-go.
const (
	tierFlex     = "flex"
	tierStandard = "standard"
	tierPriority = "priority"
)

// trafficTypes are the tiers' names in usageMetadata.trafficType.
var trafficTypes = map[string]string{
	tierFlex: "ON_DEMAND_FLEX", tierStandard: "ON_DEMAND", tierPriority: "ON_DEMAND_PRIORITY",
}

// askedTier is the service tier that a call asks for: a header says so on Vertex AI, and the body on
// the Gemini Developer API. It is "" if the call asks for none.
func (c call) askedTier(body []byte) string {
	asked := strings.ToLower(c.header.Get(sharedRequestType))
	if c.backend == gemini {
		asked = ""
		if bytes.Contains(body, []byte("ervice")) { // most bodies name none
			root, _ := readObject(body)
			text, _ := root.field("serviceTier").(string)
			asked = strings.ToLower(text)
		}
	}
	switch asked {
	case tierFlex, tierPriority, tierStandard:
		return asked
	case "default": // OpenAI's
		return tierStandard
	default:
		return ""
	}
}

// tier is the service tier that there is for the call. Priority exists in global, us and eu, Flex in
// global only; elsewhere Vertex AI ignores the header. Sources:
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo and …/priority-paygo.
func (c call) tier() string {
	wide := c.backend == gemini || c.location == "global"
	switch {
	case c.asked == tierFlex && wide, c.asked == tierPriority && (wide || c.location == "us" || c.location == "eu"):
		return c.asked
	default:
		return tierStandard
	}
}

// priorityShare is the part of a project's limits on the Gemini Developer API that calls at priority
// may use. Source: https://ai.google.dev/gemini-api/docs/rate-limits.
const priorityShare = 0.3

// onDemand finds room for a call on demand, at the tier that it asks for or, of priority, at
// standard. It returns the tier that serves the call.
func (e *Emulator) onDemand(now time.Time, c call, wants demand) (tier string, refused *Answer) {
	tier = c.tier()
	switch {
	case tier == tierFlex && fitsAny(e.cfg.NoFlex, c.model):
		return "", new(InvalidArgument("Flex is not supported for the model `" + printable(c.model) + "`."))
	case tier == tierPriority && !e.hasPriority(now, c, wants):
		tier = tierStandard
	}
	switch {
	case e.capacities.admit(now, c.location, c.model, tier):
		return tier, nil
	case tier == tierPriority && e.capacities.admit(now, c.location, c.model, tierStandard):
		return tierStandard, nil
	case c.backend == gemini:
		return "", new(Overloaded())
	case tier == tierFlex:
		return "", new(Unavailable())
	default:
		return "", new(Contention())
	}
}

// hasPriority reports whether a call is within the limits of priority.
func (e *Emulator) hasPriority(now time.Time, c call, wants demand) bool {
	if c.backend == vertex {
		return e.capacities.ramp.room(now, wants.tokens)
	}
	var part []Limit
	for _, l := range c.owner.Limits {
		share := func(n int) int {
			if n <= 0 {
				return n
			}
			return max(1, int(priorityShare*float64(n)))
		}
		l.RPM, l.TPM, l.RPD = share(l.RPM), share(l.TPM), share(l.RPD)
		part = append(part, l)
	}
	who := c.account()
	who.location = tierPriority // an account of its own
	_, ok := e.quotas.take(now, part, who, wants)
	return ok
}

// How the limit of priority grows on Vertex AI: by half for ten minutes of sustained use. What use is
// sustained Google does not say; here it is half of the limit in each minute. Source:
// https://cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo.
const (
	rampMinutes = 10
	rampGrowth  = 1.5
	sustained   = 0.5
)

// ramp is the limit of an organization's priority on Vertex AI: input tokens in each minute. The zero
// ramp has no limit. It is safe for concurrent use.
type ramp struct {
	mu     sync.Mutex
	limit  float64
	used   float64
	minute time.Time // the end of the present one
	busy   int       // minutes of sustained use before it
}

// room uses up tokens of the present minute, if it has so many left.
func (r *ramp) room(now time.Time, tokens int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit == 0 {
		return true
	}
	if r.minute.IsZero() {
		r.minute = now.Add(time.Minute)
	}
	for !now.Before(r.minute) {
		if r.busy++; r.used < sustained*r.limit {
			r.busy = 0
		}
		if r.busy == rampMinutes {
			r.limit, r.busy = r.limit*rampGrowth, 0
		}
		r.used, r.minute = 0, r.minute.Add(time.Minute)
		if gap := now.Sub(r.minute); r.busy == 0 && gap > time.Hour {
			r.minute = r.minute.Add(gap.Truncate(time.Minute))
		}
	}
	if r.used+float64(tokens) > r.limit {
		return false
	}
	r.used += float64(tokens)
	return true
}
