package deploy_test

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/spillway-go/spillway/geminitest"
)

// values are what a query returns, by labels.
type values map[string]float64

// by names the labels of a value: name, value, and so on.
func by(pairs ...string) string { return labels.FromStrings(pairs...).String() }

// place is the endpoint that a request went to.
type place struct{ project, location, traffic string }

func placeOf(q *geminitest.Request) place {
	switch {
	case q.Key == "k-dead":
		return place{"old", "global", "on_demand"}
	case q.Backend == "gemini":
		return place{"studio", "global", "on_demand"}
	case q.Traffic == "dedicated":
		return place{"prod", q.Location, "provisioned"}
	default:
		return place{"prod", q.Location, "on_demand"}
	}
}

func (p place) labels() string {
	return by("project", p.project, "location", p.location, "traffic", p.traffic)
}

// attempt is a request and when it ended.
type attempt struct {
	geminitest.Request

	call  *made
	ended time.Time
	last  bool // of its call
}

// attempts returns the requests of the calls. Answers that are scripted, and refusals, come at once.
func (r *run) attempts() []attempt {
	var all []attempt
	last := map[int]int{}
	for i := range r.requests {
		a := attempt{Request: r.requests[i]}
		if a.call = r.callOf(&a.Request); a.call == nil {
			continue
		}
		last[a.call.id] = len(all)
		all = append(all, a)
	}
	for i := range all {
		a := &all[i]
		a.last = last[a.call.id] == i
		a.ended = a.Time
		if a.last {
			a.ended = a.call.ended
		}
	}
	return all
}

// class is what the answer to an attempt means, by the script of the run.
func (a *attempt) class() string {
	switch {
	case a.Status == http.StatusOK:
		return "ok"
	case a.Key == "k-dead":
		return "key_dead"
	case a.Status == http.StatusServiceUnavailable:
		return "overloaded"
	case a.Status == http.StatusInternalServerError:
		return "server_fault"
	case a.Model == daily:
		return "day_quota"
	case a.Model == waiting:
		return "minute_quota"
	case a.Traffic == "dedicated":
		return "provisioned_full"
	default:
		return fmt.Sprintf("status %d of %s", a.Status, a.Model)
	}
}

// during reports whether a moment is in the window of the rates that end at r.end.
func (r *run) during(at time.Time) bool { return at.After(r.end.Add(-window)) && !at.After(r.end) }

// callRates counts calls that ended in the window, a second.
func (r *run) callRates(key func(*made) (string, bool)) values {
	got := values{}
	for _, c := range r.calls {
		if of, ok := key(c); ok && r.during(c.ended) {
			got[of] += 1 / window.Seconds()
		}
	}
	return got
}

// attemptRates adds up what key says of attempts that ended in the window, a second.
func (r *run) attemptRates(key func(*attempt) (string, float64)) values {
	got := values{}
	for _, a := range r.attempts() {
		if of, n := key(&a); n > 0 && r.during(a.ended) {
			got[of] += n / window.Seconds()
		}
	}
	return got
}

// keptLabels are those of the response cache.
var keptLabels = by("model", repeated, "namespace", "all")

// cacheRates counts the calls in the window for which the response cache did something, a second.
func (r *run) cacheRates(did ...string) values {
	return r.callRates(func(c *made) (string, bool) { return keptLabels, slices.Contains(did, c.cache) })
}

// keptResponses counts the responses that were not too old when the last one came.
func (r *run) keptResponses() values {
	last, n := time.Time{}, 0.0
	came := func(c *made) bool { return c.cache == "miss" && !c.ended.After(r.end) }
	for _, c := range r.calls {
		if came(c) {
			last = c.ended
		}
	}
	for _, c := range r.calls {
		if came(c) && last.Sub(c.ended) < keptFor {
			n++
		}
	}
	return values{keptLabels: n}
}

// all counts under no labels.
const all = "{}"

// outcome is what a caller got.
func (c *made) outcome() string {
	switch {
	case c.status == http.StatusOK:
		return "ok"
	case c.status == http.StatusTooManyRequests:
		return "refused"
	case c.status >= http.StatusInternalServerError:
		return "error"
	default:
		return "status " + strconv.Itoa(c.status)
	}
}

// tokens of an attempt that was answered well, by kind.
func (a *attempt) tokens() (input, output float64) {
	if a.Status != http.StatusOK {
		return 0, 0
	}
	if a.bypassed() { // the scripted answer says so
		return 7, 20
	}
	return float64(a.PromptTokens), float64(a.OutputTokens)
}

// bypassed reports whether the answer is the scripted one that says ON_DEMAND to a call for an order:
// of that the emulator counts nothing.
func (a *attempt) bypassed() bool {
	return a.Model == faulty && a.Traffic == "dedicated" && a.Status == http.StatusOK && a.OutputTokens == 0
}

// orderOf returns the order for a model.
func orderOf(model string) (order, bool) {
	i := slices.IndexFunc(orders, func(o order) bool { return o.model == model })
	if i < 0 {
		return order{}, false
	}
	return orders[i], true
}

func (o order) labels() string {
	return by("project", "prod", "location", o.location, "model", o.model)
}

// spilled are the tokens of an attempt that an order could have taken.
func (a *attempt) spilled() (of string, n float64) {
	o, ok := orderOf(a.Model)
	if !ok || a.Traffic == "dedicated" && !a.bypassed() {
		return "", 0
	}
	in, out := a.tokens()
	return o.labels(), in*burndown.Input + out*burndown.Output
}

// orderCalls counts the attempts at orders of one kind. Orders without any show, too.
func (r *run) orderCalls(is func(*attempt) bool) values {
	got := r.attemptRates(func(a *attempt) (string, float64) {
		o, ok := orderOf(a.Model)
		if !ok || a.Traffic != "dedicated" || !is(a) {
			return "", 0
		}
		return o.labels(), 1
	})
	return withOrders(got)
}

// withOrders adds zeros for the orders that have no value.
func withOrders(got values) values {
	for _, o := range orders {
		got[o.labels()] += 0
	}
	return got
}

// Bounds of the histograms, see package metrics.
var (
	callBounds = []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640}
	waitBounds = []float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80}
)

// quantile is the quantile of durations as finely as the bounds tell: within a bucket they count as
// spread evenly.
func quantile(q float64, durations []float64, bounds []float64) values {
	sort.Float64s(durations)
	rank, below, low := q*float64(len(durations)), 0.0, 0.0
	for _, high := range bounds {
		n := float64(sort.Search(len(durations), func(i int) bool { return durations[i] > high }))
		if n >= rank && n > below {
			return values{all: low + (high-low)*(rank-below)/(n-below)}
		}
		below, low = n, high
	}
	return values{all: math.Inf(1)}
}

// durations are how long the calls took that ended in the window.
func (r *run) durations(which func(*made) bool) []float64 {
	var got []float64
	for _, c := range r.calls {
		if r.during(c.ended) && which(c) {
			got = append(got, c.ended.Sub(c.began).Seconds())
		}
	}
	return got
}

// waits are how long the calls that ended in the window had no attempt under way.
func (r *run) waits() []float64 {
	waited := map[int]time.Duration{}
	since := map[int]time.Time{}
	for _, c := range r.calls {
		since[c.id] = c.began
	}
	for _, a := range r.attempts() {
		waited[a.call.id] += a.Time.Sub(since[a.call.id])
		since[a.call.id] = a.ended
	}
	var got []float64
	for _, c := range r.calls {
		if r.during(c.ended) {
			got = append(got, waited[c.id].Seconds()+max(c.ended.Sub(since[c.id]).Seconds(), 0))
		}
	}
	return got
}

// inFlight counts the attempts under way at the end, by endpoint. Endpoints without one show, too.
func (r *run) inFlight() values {
	got := values{}
	for _, a := range r.attempts() {
		of := placeOf(&a.Request).labels()
		got[of] += 0
		if !a.Time.After(r.end) && a.ended.After(r.end) {
			got[of]++
		}
	}
	return got
}

// queued counts the calls that wait at the end, by model. Models without one show, too.
func (r *run) queued() values {
	got := values{}
	underWay := map[int]bool{}
	for _, a := range r.attempts() {
		if !a.Time.After(r.end) && a.ended.After(r.end) {
			underWay[a.call.id] = true
		}
	}
	for _, c := range r.calls {
		if c.began.After(r.end) {
			continue
		}
		got[by("model", c.model)] += 0
		if c.ended.After(r.end) && !underWay[c.id] {
			got[by("model", c.model)]++
		}
	}
	return got
}

// recently counts what began in a span before the end.
func (r *run) recently(span time.Duration, which func(*attempt) bool) (n float64) {
	for _, a := range r.attempts() {
		if a.Time.After(r.end.Add(-span)) && !a.Time.After(r.end) && which(&a) {
			n++
		}
	}
	return n
}

// limitsUsed is what of each limit was used in the last minute, or is in flight.
func (r *run) limitsUsed() values {
	of := func(model, limit string) string { return by("project", "studio", "model", model, "limit", limit) }
	return values{
		of(limited, "rpm"):        r.recently(time.Minute, func(a *attempt) bool { return a.Model == limited }) / rpm,
		of(narrow, "concurrency"): 1,
	}
}

// ordersUsed is what was used of each order in its window.
func (r *run) ordersUsed() values {
	got := values{}
	for _, o := range orders {
		n := r.recently(orderWindow, func(a *attempt) bool {
			served := a.Status == http.StatusOK || a.ended.After(r.end)
			return a.Model == o.model && a.Traffic == "dedicated" && served && !a.bypassed()
		})
		in, out := 5.0, 20.0
		got[o.labels()] = n * (in*burndown.Input + out*burndown.Output) / (o.perSecond * orderWindow.Seconds())
	}
	return got
}

// merged returns all values of several.
func merged(some ...values) values {
	got := values{}
	for _, one := range some {
		maps.Copy(got, one)
	}
	return got
}

// labelled puts a label before those of an instant.
func shares(part, whole values) values {
	got := values{}
	for of, n := range part {
		got[of] = n / whole[of]
	}
	return got
}

func bound(le float64) string { return strings.TrimSuffix(strconv.FormatFloat(le, 'g', -1, 64), ".0") }

// subjects are what a scrape at the end says is on cooldown for a class.
func (r *run) subjects(class string) map[string]bool {
	got := map[string]bool{}
	for _, one := range r.series {
		if one.labels.Get("__name__") == "spillway_cooldown_active" && one.labels.Get("class") == class {
			got[one.labels.Get("subject")] = true
		}
	}
	return got
}

// cooldowns are what is out at the end, and for how long: the day's quota until midnight in
// California, and the minute's and the order's that does not exist until they are asked again.
func (r *run) cooldowns() values {
	midnight := time.Date(r.end.Year(), r.end.Month(), r.end.Day(), 8, 0, 0, 0, time.UTC)
	got := values{by("kind", "model", "subject", "model:studio/"+daily, "class", "day_quota"): midnight.Sub(r.end).Seconds()}
	for _, a := range r.attempts() {
		left := a.Time.Sub(r.end).Seconds()
		switch {
		case left < 0:
		case a.Model == waiting:
			got[by("kind", "model", "subject", "model:studio/"+waiting, "class", "minute_quota")] = left
		case a.Model == unordered && a.Traffic == "dedicated":
			of := by("kind", "order", "subject", "order:prod/us/"+unordered, "class", "provisioned_full")
			if _, later := got[of]; !later {
				got[of] = left
			}
		}
	}
	return got
}

// lasting are what only a probe ends: the dead key.
func (r *run) lasting() values {
	got := values{}
	for subject := range r.subjects("key_dead") {
		got[by("kind", "key", "subject", subject, "class", "key_dead")] = 1
	}
	return got
}
