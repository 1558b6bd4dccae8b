package pool

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/spillway-go/spillway/breaker"
)

// consoleQuotas is where a Google Cloud project's quotas are shown and raised.
const consoleQuotas = "https://console.cloud.google.com/iam-admin/quotas"

// what names the thing that a scope is for a candidate.
func (c *Candidate) what(s scope, k *key) string {
	switch s {
	case scopeKey:
		return c.project.Name + "/" + k.secret.String()
	case scopeProject:
		return c.project.Name
	case scopeProjectModel:
		if c.order == nil {
			return c.project.Name + " " + c.plan.Model
		}
		return c.name + " " + c.plan.Model
	case scopePlace, scopeOrder:
		return c.name + " " + c.plan.Model
	default:
		return string(c.project.Backend)
	}
}

// level is how loudly it is said that something rests for the class.
func (c Class) level() slog.Level {
	switch r := rules[c]; {
	case r.ending == endsProbed: // somebody has to do something
		return slog.LevelWarn
	case r.min < time.Second && r.ending == endsTimed: // a full order or location may say so several times a second
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}

// raise is the page where the project's quotas are raised. The console asks for the project where only its keys are known.
func (c *Candidate) raise() string {
	if c.project.Backend == BackendGemini {
		return consoleQuotas
	}
	return consoleQuotas + "?project=" + url.QueryEscape(c.project.ProjectID)
}

// logRest says that something begins to rest.
func (p *Pool) logRest(c *Candidate, k *key, s scope, r Rest) {
	attrs := []any{slog.String("what", c.what(s, k)), slog.String("scope", s.String()), slog.String("class", string(r.Class))}
	if r.Until.IsZero() {
		attrs = append(attrs, slog.String("until", "a probe succeeds"))
	} else {
		attrs = append(attrs, slog.Time("until", r.Until))
	}
	if r.Quota != "" {
		attrs = append(attrs, slog.String("quota", r.Quota), slog.String("raise", c.raise()))
	}
	if r.Message != "" {
		attrs = append(attrs, slog.String("message", r.Message))
	}
	p.log.Log(context.Background(), r.Class.level(), "spillway: rests", attrs...)
}

// logBack says that something is back.
func (p *Pool) logBack(c *Candidate, k *key, s scope, r Rest, now time.Time) {
	p.log.Log(context.Background(), min(r.Class.level(), slog.LevelInfo), "spillway: back",
		slog.String("what", c.what(s, k)), slog.String("scope", s.String()), slog.String("class", string(r.Class)),
		slog.Duration("after", now.Sub(r.Since)))
}

// logBreaker says that a circuit breaker opened or closed. Probes in between are not worth a line.
func (p *Pool) logBreaker(model string, id serverID, c breaker.Change) {
	what := string(id.backend) + "/" + id.location + " " + model
	switch {
	case c.To == breaker.StateOpen && c.From == breaker.StateClosed:
		p.log.Warn("spillway: circuit breaker open", slog.String("what", what), slog.Time("until", c.Until))
	case c.To == breaker.StateClosed:
		p.log.Info("spillway: circuit breaker closed", slog.String("what", what))
		p.wake()
	}
}

// logSpill says that an order is not used by calls that were sent for it.
func (p *Pool) logSpill(c *Candidate, traffic string) {
	p.log.Warn("spillway: a call for a provisioned order was served on demand; "+
		"check that the order is active, and is for this model version, project and location",
		slog.String("what", c.name+" "+c.plan.Model), slog.String("traffic", traffic))
}
