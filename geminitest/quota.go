package geminitest

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// quotas keeps the limits of all projects. It is safe for concurrent use.
type quotas struct {
	seed uint64

	mu   sync.Mutex
	kept map[account][]*allowance
	rng  *rand.Rand // the misleading delays of free-tier days
}

// account is what quota is counted by: project and model, and on Vertex AI the location.
type account struct{ project, location, model string }

// demand is what a call wants of a quota.
type demand struct {
	method string
	tools  string // separated by spaces
	tokens int
	job    bool // no model answers it at once: only limits of the method count it
}

// allowance is one Limit at work for one account.
type allowance struct {
	limit Limit
	none  bool
	rpm   *window // nil: unlimited, as all three
	tpm   *window
	rpd   *window
}

// counts reports whether the limit is about such a call.
func (a *allowance) counts(d demand) bool {
	m := Match{Tool: a.limit.Tool, Method: a.limit.Method}
	return m.fits(Match{Tool: d.tools, Method: d.method}) && (!d.job || m.Method != "")
}

// apart reports whether the limit has words of its own, which name no quota.
func (a *allowance) apart() bool { return a.limit.Tool != "" || a.limit.Method != "" }

// refusal is the answer of a limit that has words of its own.
func (a *allowance) refusal() Answer {
	if a.limit.Tool != "" {
		return ToolQuota()
	}
	return QuotaUnknown()
}

// take uses up one request with its input tokens, or returns the answer that refuses it. A refused
// request uses nothing up.
func (q *quotas) take(now time.Time, limits []Limit, who account, d demand) (Answer, bool) {
	if len(limits) == 0 {
		return Answer{}, true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	held, ok := q.kept[who]
	if !ok {
		held = q.open(limits, who)
		q.kept[who] = held
	}
	var over excess
	for _, a := range held {
		switch {
		case !a.counts(d):
		case a.apart():
			if a.none || !a.rpm.roomFor(now, 1) || !a.tpm.roomFor(now, d.tokens) || !a.rpd.roomFor(now, 1) {
				return a.refusal(), false
			}
		case a.none:
			return refusedFor(who, NoQuota(who.model), violated{name: requestsQuota, limit: a.limit}), false
		default:
			over.check(now, who.model, a, d.tokens)
		}
	}
	if len(over.violations) > 0 {
		return refusedFor(who, over.answer(q.rng), over.vertex), false
	}
	for _, a := range held {
		if a.counts(d) {
			a.rpm.use(1)
			a.tpm.use(d.tokens)
			a.rpd.use(1)
		}
	}
	return Answer{}, true
}

// open makes the windows of an account. Their phases are unknown to callers, and fixed by the seed.
func (q *quotas) open(limits []Limit, who account) []*allowance {
	var held []*allowance
	for i, l := range limits {
		if !fits(l.Model, who.model) {
			continue
		}
		a := &allowance{limit: l, none: l.RPM < 0 || l.TPM < 0 || l.RPD < 0}
		phase := func(of string) float64 {
			return seeded(q.seed, of, strconv.Itoa(i), who.project, who.location, who.model)
		}
		if l.RPM > 0 {
			a.rpm = minuteWindow(l.RPM, phase("rpm"))
		}
		if l.TPM > 0 {
			a.tpm = minuteWindow(l.TPM, phase("tpm"))
		}
		if l.RPD > 0 && (who.location == "" || a.apart()) {
			a.rpd = dayWindow(l.RPD)
		}
		held = append(held, a)
	}
	return held
}

// The names of Vertex AI's per-minute quotas.
const (
	requestsQuota = "generate_content_requests_per_minute_per_project_per_base_model"
	tokensQuota   = "generate_content_input_tokens_per_minute_per_base_model"
)

// excess gathers what a call exceeds.
type excess struct {
	violations []violation
	retry      time.Duration
	paid       bool // of the limit that is exceeded for longest
	day        bool // a limit of the day is exceeded
	misleading bool // and it is a free tier's
	vertex     violated
}

// violated is a quota of Vertex AI that is used up.
type violated struct {
	name  string
	limit Limit
	most  int
}

func (x *excess) check(now time.Time, model string, a *allowance, tokens int) {
	for _, c := range []struct {
		w      *window
		n      int
		of     func(model string, limit int, paid bool) violation
		vertex string
		day    bool
	}{
		{a.rpm, 1, requestsPerMinute, requestsQuota, false},
		{a.tpm, tokens, tokensPerMinute, tokensQuota, false},
		{a.rpd, 1, requestsPerDay, "", true},
	} {
		if c.w.roomFor(now, c.n) {
			continue
		}
		x.violations = append(x.violations, c.of(model, c.w.limit, a.limit.Paid))
		x.vertex = violated{c.vertex, a.limit, c.w.limit}
		if wait := c.w.end.Sub(now); wait > x.retry {
			x.retry, x.paid = wait, a.limit.Paid
		}
		x.day = x.day || c.day
		x.misleading = x.misleading || c.day && !a.limit.Paid
	}
}

// answer is the 429. For the day the free tier tells to come back within a minute, as if it were a
// limit of the minute.
func (x *excess) answer(rng *rand.Rand) Answer {
	retry := x.retry
	if x.misleading {
		retry = 20*time.Second + time.Duration(rng.Int64N(int64(40*time.Second)))
	}
	answer := quotaExceeded(x.violations, retry, x.paid)
	if x.day {
		answer = wholeSeconds(answer, retry)
	}
	return answer
}

// refusedFor is the answer in the words of the account's back end.
func refusedFor(who account, answer Answer, quota violated) Answer {
	switch {
	case who.location == "":
		return answer
	case quota.limit.Regional:
		return RegionQuota(who.location, quota.name, quota.most)
	}
	return BaseModelQuota(quota.name, who.model)
}
