package main

import (
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
	Projects  []projectSnapshot  `json:"projects"`
	Endpoints []endpointSnapshot `json:"endpoints"` // of all models called, in the order of tiers
}

type projectSnapshot struct {
	Name     string            `json:"name"`
	Backend  string            `json:"backend"`
	Cooldown *cooldownSnapshot `json:"rest,omitempty"`
	Keys     []keySnapshot     `json:"keys,omitempty"`
}

type keySnapshot struct {
	Key      string            `json:"key"`
	Cooldown *cooldownSnapshot `json:"rest,omitempty"`
}

type endpointSnapshot struct {
	Model    string            `json:"model"`
	Endpoint string            `json:"endpoint"`
	Tier     int               `json:"tier"`   // from 1
	Calls    int               `json:"calls"`  // in flight
	Tokens   int64             `json:"tokens"` // in flight
	Cooldown *cooldownSnapshot `json:"rest,omitempty"`
	Breaker  *breakerSnapshot  `json:"breaker,omitempty"` // unless it is closed
	Limits   []limitSnapshot   `json:"limits,omitempty"`
	Order    *orderSnapshot    `json:"order,omitempty"`
	Pace     float64           `json:"pace,omitempty"` // requests a second after contention; 0: not paced
}

type cooldownSnapshot struct {
	Class   string    `json:"class"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"` // absent: until a probe succeeds
	Probe   time.Time `json:"probe,omitzero"` // when a call may probe it before Until
	Quota   string    `json:"quota,omitempty"`
	Message string    `json:"message,omitempty"`
}

type breakerSnapshot struct {
	State string    `json:"state"`
	Until time.Time `json:"until,omitzero"`
}

type limitSnapshot struct {
	Name   string    `json:"name"` // rpm, tpm, rpd, concurrency
	Used   int64     `json:"used"`
	Limit  int64     `json:"limit"`
	Resets time.Time `json:"resets,omitzero"`
}

type orderSnapshot struct {
	TokensPerSecond float64 `json:"tokens_per_second"`
	Window          string  `json:"window"`
	Used            float64 `json:"used"` // of Capacity: burned-down tokens in the window
	Capacity        float64 `json:"capacity"`
	Served          int64   `json:"served"`
	Refused         int64   `json:"refused"`
}

// snapshotOf returns the state of a router.
func snapshotOf(r *router.Router) snapshot {
	stat := r.Stat()
	s := snapshot{At: stat.At.UTC(), Backend: string(r.Backend()), Projects: []projectSnapshot{}, Endpoints: []endpointSnapshot{}}
	for _, p := range stat.Projects {
		project := projectSnapshot{Name: p.Name, Backend: string(p.Backend), Cooldown: cooldownOf(p.Cooldown)}
		for _, k := range p.Keys {
			project.Keys = append(project.Keys, keySnapshot{k.Key.String(), cooldownOf(k.Cooldown)})
		}
		s.Projects = append(s.Projects, project)
	}
	for _, e := range stat.Endpoints {
		endpoint := endpointSnapshot{
			Model: e.Model, Endpoint: e.Endpoint, Tier: e.Tier + 1, Calls: e.Calls, Tokens: e.Tokens,
			Cooldown: cooldownOf(e.Cooldown), Limits: limitsOf(e.Quota), Order: orderOf(e.Order),
		}
		if e.Breaker.State != breaker.StateClosed {
			endpoint.Breaker = &breakerSnapshot{e.Breaker.State.String(), e.Breaker.Until.UTC()}
		}
		if e.Pacing != nil && e.Pacing.Limited {
			endpoint.Pace = e.Pacing.Rate
		}
		s.Endpoints = append(s.Endpoints, endpoint)
	}
	return s
}

func cooldownOf(c pool.Cooldown) *cooldownSnapshot {
	if c.Class == "" {
		return nil
	}
	return &cooldownSnapshot{string(c.Class), c.Since.UTC(), c.Until.UTC(), c.Probe.UTC(), c.Quota, c.Message}
}

func limitsOf(q *quota.Stat) []limitSnapshot {
	if q == nil {
		return nil
	}
	var limits []limitSnapshot
	for _, l := range []struct {
		name string
		quota.Dimension
	}{{"rpm", q.Requests}, {"tpm", q.Tokens}, {"rpd", q.Day}, {"concurrency", q.Concurrency}} {
		if l.Limit > 0 {
			limits = append(limits, limitSnapshot{l.name, l.Used, l.Limit, l.Resets.UTC()})
		}
	}
	return limits
}

func orderOf(l *quota.LedgerStat) *orderSnapshot {
	if l == nil {
		return nil
	}
	return &orderSnapshot{l.TokensPerSecond, l.Window.String(), l.Used, l.Capacity, l.ServedCount, l.RefusedCount}
}
