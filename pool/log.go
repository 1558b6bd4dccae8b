package pool

import (
	"context"
	"log/slog"
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
		return c.project.Name + " " + c.plan.Model
	case scopePlace:
		return c.project.Name + "/" + c.location + " " + c.plan.Model
	case scopeOrder:
		return c.name + " " + c.plan.Model
	default:
		return string(c.project.Backend)
	}
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
		attrs = append(attrs, slog.String("quota", r.Quota), slog.String("raise", consoleQuotas+"?project="+c.project.ProjectID))
	}
	if r.Message != "" {
		attrs = append(attrs, slog.String("message", r.Message))
	}
	level := slog.LevelInfo
	if rules[r.Class].ending == endsProbed { // somebody has to do something
		level = slog.LevelWarn
	}
	p.log.Log(context.Background(), level, "spillway: rests", attrs...)
}

// logBack says that something is back.
func (p *Pool) logBack(c *Candidate, k *key, s scope, r Rest, now time.Time) {
	p.log.Info("spillway: back", slog.String("what", c.what(s, k)), slog.String("scope", s.String()), slog.String("class", string(r.Class)),
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
	p.log.Warn("spillway: a call for a provisioned order was served on demand; check that the order is active, and is for this model version, project and location",
		slog.String("what", c.name+" "+c.plan.Model), slog.String("traffic", traffic))
}
