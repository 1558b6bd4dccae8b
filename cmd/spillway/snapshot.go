package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// snapshot is the body of /spillway/status: a router's state, in words of the configuration file.
// Names stay, others may be added. Keys are short hashes, as in logs.
type snapshot struct {
	At        time.Time          `json:"at"`
	Backend   string             `json:"backend"`
	Store     *storeSnapshot     `json:"store,omitempty"`  // that replicas share
	Caches    []cacheSnapshot    `json:"caches,omitempty"` // of responses
	Paused    []pausedSnapshot   `json:"paused,omitempty"`
	Projects  []projectSnapshot  `json:"projects"`
	Models    []modelSnapshot    `json:"models"`    // of all models called or restored
	Endpoints []endpointSnapshot `json:"endpoints"` // the same, in the order of tiers
}

type projectSnapshot struct {
	Name     string            `json:"name"`
	Backend  string            `json:"backend"`
	Cooldown *cooldownSnapshot `json:"cooldown,omitempty"`
	Keys     []keySnapshot     `json:"keys,omitempty"`
}

type keySnapshot struct {
	Key      string            `json:"key"`
	Cooldown *cooldownSnapshot `json:"cooldown,omitempty"`
}

type endpointSnapshot struct {
	Model    string `json:"model"`
	Method   string `json:"method,omitempty"` // absent: it generates
	Endpoint string `json:"endpoint"`
	Tier     int    `json:"tier"`   // from 1
	Calls    int    `json:"calls"`  // in flight
	Tokens   int64  `json:"tokens"` // in flight
	Served   int64  `json:"served"`
	Refused  int64  `json:"refused"` // calls that got no endpoint, this among those that could not serve them
	// Downgraded are those of Served that another service tier answered.
	Downgraded int64 `json:"downgraded,omitempty"`
	// Attempts are those that ended since the start, by the class of their answer.
	Attempts map[string]int64 `json:"attempts,omitempty"`
	// What keeps a call from the endpoint now, in the words of the error that callers get; absent:
	// nothing does.
	reasonSnapshot
	Warning  *reasonSnapshot   `json:"warning,omitempty"` // what is wrong although calls are served
	Cooldown *cooldownSnapshot `json:"cooldown,omitempty"`
	Breaker  *breakerSnapshot  `json:"breaker,omitempty"` // unless it is closed
	Limits   []limitSnapshot   `json:"limits,omitempty"`
	Shared   *sharedSnapshot   `json:"shared,omitempty"` // the limits are, with other replicas
	Order    *orderSnapshot    `json:"order,omitempty"`
	Pace     float64           `json:"pace,omitempty"` // requests a second after contention; 0: not paced
}

// reasonSnapshot is why calls are refused, and what to do. Causes are those of docs/429.md.
type reasonSnapshot struct {
	Why     string    `json:"why,omitempty"`
	Cause   string    `json:"cause,omitempty"`
	Subject string    `json:"subject,omitempty"` // what is out
	Until   time.Time `json:"until,omitzero"`    // absent: until a probe succeeds, or not known
	Remedy  string    `json:"remedy,omitempty"`  // what to do
	Page    string    `json:"page,omitempty"`    // Google's for that
}

func reasonOf(r *pool.Reason) reasonSnapshot {
	return reasonSnapshot{r.Why, r.Cause, r.Subject, utc(r.Until), r.Remedy, r.Page}
}

// show takes control characters out of a reason.
func (r *reasonSnapshot) show() {
	for _, text := range []*string{&r.Why, &r.Cause, &r.Subject, &r.Remedy, &r.Page} {
		*text = visible(*text, "")
	}
}

// utc returns a moment in UTC; the zero time stays zero.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

type cooldownSnapshot struct {
	Class   string    `json:"class"`
	Cause   string    `json:"cause,omitempty"`
	Subject string    `json:"subject,omitempty"` // what is not asked
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"` // absent: until a probe succeeds
	Probe   time.Time `json:"probe,omitzero"` // when a call may probe it before Until
	Quota   string    `json:"quota,omitempty"`
	Message string    `json:"message,omitempty"` // Google's own words
	Remedy  string    `json:"remedy,omitempty"`  // what to do
	Page    string    `json:"page,omitempty"`    // Google's for that
	Only    string    `json:"only,omitempty"`    // the calls that it is about, such as "version=v1"
}

type breakerSnapshot struct {
	State string    `json:"state"`
	Until time.Time `json:"until,omitzero"`
}

type limitSnapshot struct {
	Name   string    `json:"name"` // rpm, tpm, rpd, concurrency
	Used   int64     `json:"used"`
	Limit  int64     `json:"limit"`
	From   string    `json:"from"` // who says so: "declared" in the file, "discovered" at Google, or "learned" from a refusal
	Resets time.Time `json:"resets,omitzero"`
}

type orderSnapshot struct {
	TokensPerSecond float64 `json:"tokens_per_second"`
	Window          string  `json:"window"`
	Used            float64 `json:"used"` // of Capacity: burned-down tokens in the window
	Capacity        float64 `json:"capacity"`
	Served          int64   `json:"served"`
	Refused         int64   `json:"refused"`
	Discovered      bool    `json:"discovered,omitempty"` // Google shows it, and the file does not declare it
	// FailedBelow are answers with 5XX within the purchase, FailedAbove the others.
	FailedBelow int64     `json:"failed_below,omitempty"`
	FailedLast  time.Time `json:"failed_last,omitzero"` // below the purchase
	FailedAbove int64     `json:"failed_above,omitempty"`
}

// snapshotOf returns the state of a router.
func snapshotOf(r *router.Router) snapshot {
	stat := r.Stat()
	s := snapshot{
		At: stat.At.UTC(), Backend: string(r.Backend()), Store: storeOf(stat.Store), Caches: cachesOf(stat.Caches), Paused: pausesOf(stat.Pauses),
		Projects: []projectSnapshot{}, Models: modelsOf(stat.Models), Endpoints: []endpointSnapshot{},
	}
	for _, p := range stat.Projects {
		project := projectSnapshot{Name: p.Name, Backend: string(p.Backend), Cooldown: cooldownOf(p.Cooldown)}
		for _, k := range p.Keys {
			project.Keys = append(project.Keys, keySnapshot{k.Key.String(), cooldownOf(k.Cooldown)})
		}
		s.Projects = append(s.Projects, project)
	}
	for _, e := range stat.Endpoints {
		if e.Cooldown.Class == "" {
			e.Cooldown = e.ProbeDue
		}
		only := ""
		for _, part := range slices.Sorted(maps.Keys(e.Parts)) {
			if e.Cooldown.Class == "" {
				e.Cooldown = e.Parts[part]
				only = onlyFor(part)
			}
		}
		endpoint := endpointSnapshot{
			Model: e.Model, Method: e.Method, Endpoint: e.Endpoint, Tier: e.Tier + 1, Calls: e.Calls, Tokens: e.Tokens,
			Served: e.AttemptCounts[pool.ClassOK], Refused: e.RefusedCount, Downgraded: e.DowngradedCount,
			Attempts: attemptsOf(e.AttemptCounts), reasonSnapshot: reasonOf(&e.Reason),
			Cooldown: cooldownOf(e.Cooldown), Limits: limitsOf(&e), Shared: sharedOf(&e), Order: orderOf(&e),
		}
		if endpoint.Cooldown != nil {
			endpoint.Cooldown.Only = only
		}
		if e.Warning.Cause != "" {
			endpoint.Warning = new(reasonOf(&e.Warning))
		}
		if e.Breaker.State != breaker.StateClosed {
			endpoint.Breaker = &breakerSnapshot{e.Breaker.State.String(), e.Breaker.Until.UTC()}
		}
		if e.Pacing != nil && e.Pacing.Limited {
			endpoint.Pace = e.Pacing.Rate
		}
		s.Endpoints = append(s.Endpoints, endpoint)
	}
	return s.visible()
}

// visible returns the snapshot with its control characters written out. Quotas and messages are
// Google's own words, and a terminal may show the JSON as it is.
func (s snapshot) visible() snapshot {
	show := func(c *cooldownSnapshot) {
		if c != nil {
			for _, text := range []*string{&c.Class, &c.Cause, &c.Subject, &c.Quota, &c.Message, &c.Remedy, &c.Page, &c.Only} {
				*text = visible(*text, "")
			}
		}
	}
	s.Backend = visible(s.Backend, "")
	for i := range s.Caches {
		c := &s.Caches[i]
		c.Model, c.Namespace = visible(c.Model, ""), visible(c.Namespace, "")
	}
	for i := range s.Paused {
		p := &s.Paused[i]
		p.Subject, p.Why = visible(p.Subject, ""), visible(p.Why, "")
	}
	if s.Store != nil {
		s.Store.Member, s.Store.Lag, s.Store.Problem = visible(s.Store.Member, ""), visible(s.Store.Lag, ""), visible(s.Store.Problem, "")
	}
	for i := range s.Projects {
		p := &s.Projects[i]
		p.Name, p.Backend = visible(p.Name, ""), visible(p.Backend, "")
		show(p.Cooldown)
		for j := range p.Keys {
			p.Keys[j].Key = visible(p.Keys[j].Key, "")
			show(p.Keys[j].Cooldown)
		}
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		e.show()
		if e.Warning != nil {
			e.Warning.show()
		}
		e.Attempts = visibleKeys(e.Attempts)
		e.Model, e.Method, e.Endpoint = visible(e.Model, ""), visible(e.Method, ""), visible(e.Endpoint, "")
		show(e.Cooldown)
		if e.Breaker != nil {
			e.Breaker.State = visible(e.Breaker.State, "")
		}
		for j := range e.Limits {
			e.Limits[j].Name, e.Limits[j].From = visible(e.Limits[j].Name, ""), visible(e.Limits[j].From, "")
		}
	}
	for i := range s.Models {
		m := &s.Models[i]
		m.Model, m.Method, m.Waited = visible(m.Model, ""), visible(m.Method, ""), visible(m.Waited, "")
	}
	return s
}

// visibleKeys returns counts with the control characters of their names written out.
func visibleKeys(counts map[string]int64) map[string]int64 {
	for name := range counts {
		if visible(name, "") != name {
			shown := make(map[string]int64, len(counts))
			for name, n := range counts {
				shown[visible(name, "")] += n
			}
			return shown
		}
	}
	return counts
}

// onlyFor returns what narrows a subject: "version=v1", "tool=google_search".
func onlyFor(subject string) string {
	var only []string
	for _, part := range strings.Split(subject, ";")[1:] {
		if strings.HasPrefix(part, "version=") || strings.HasPrefix(part, "tool=") {
			only = append(only, part)
		}
	}
	return strings.Join(only, ", ")
}

func cooldownOf(c pool.Cooldown) *cooldownSnapshot {
	if c.Class == "" {
		return nil
	}
	return &cooldownSnapshot{
		Class: string(c.Class), Cause: c.Cause, Subject: c.Subject, Since: c.Since.UTC(), Until: c.Until.UTC(), Probe: c.Probe.UTC(),
		Quota: c.Quota, Message: c.Message, Remedy: c.Remedy, Page: c.Page,
	}
}

// limitsOf returns what is used of an endpoint's limits. Google has refused calls for a limit that
// it named, so all of that is used up, whoever used it.
func limitsOf(e *pool.EndpointStat) []limitSnapshot {
	if e.Quota == nil {
		return nil
	}
	usedUp := ""
	switch {
	case e.Cooldown.Class == pool.ClassDayQuota:
		usedUp = "rpd"
	case e.Cooldown.Class == pool.ClassMinuteQuota && strings.Contains(strings.ToLower(e.Cooldown.Quota), "token"):
		usedUp = "tpm"
	case e.Cooldown.Class == pool.ClassMinuteQuota:
		usedUp = "rpm"
	}
	var limits []limitSnapshot
	for _, l := range []struct {
		name string
		quota.Dimension
		learned, declared, discovered int64
	}{
		{"rpm", e.Quota.Requests, e.Learned.RPM, e.Declared.RPM, e.Discovered.RPM},
		{"tpm", e.Quota.Tokens, e.Learned.TPM, e.Declared.TPM, e.Discovered.TPM},
		{"rpd", e.Quota.Day, e.Learned.RPD, e.Declared.RPD, e.Discovered.RPD},
		{"concurrency", e.Quota.Concurrency, 0, e.Declared.Concurrency, 0},
	} {
		if l.name == usedUp && l.learned == l.Limit {
			l.Used, l.Resets = max(l.Used, l.Limit), later(l.Resets, e.Cooldown.Until)
		}
		if l.Limit > 0 {
			from := "learned"
			switch l.Limit {
			case l.declared:
				from = "declared"
			case l.discovered:
				from = "discovered"
			}
			limits = append(limits, limitSnapshot{l.name, l.Used, l.Limit, from, l.Resets.UTC()})
		}
	}
	return limits
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func orderOf(e *pool.EndpointStat) *orderSnapshot {
	l, f := e.Order, &e.Faults
	if l == nil {
		return nil
	}
	return &orderSnapshot{
		l.TokensPerSecond, l.Window.String(), l.Used, l.Capacity, l.ServedCount, l.RefusedCount, e.OrderDiscovered,
		f.BelowCount, f.BelowLast.UTC(), f.AboveCount,
	}
}
