package config

import (
	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// config reads the whole file.
func (t *table) config(cfg *Config) {
	if r, ok := t.table("router"); ok {
		r.router(&cfg.Router, &cfg.Pool)
	}
	if b, ok := t.table("breaker"); ok {
		b.breaker(&cfg.Pool.Breaker)
	}
	if m, ok := t.table("models"); ok {
		cfg.Router.Models = m.aliases()
	}
	if s, ok := t.table("serve"); ok {
		s.serve(&cfg.Serve)
	}
	if s, ok := t.table("store"); ok {
		s.store(&cfg.Store, &cfg.Pool)
	}
	if l, ok := t.table("log"); ok {
		l.log(&cfg.Log)
	}
	for _, f := range t.tables("fallback") {
		cfg.Router.Fallbacks = append(cfg.Router.Fallbacks, f.fallback())
	}
	for _, c := range t.tables("cache") {
		cfg.Router.Caches = append(cfg.Router.Caches, c.cache())
	}
	for _, p := range t.tables("project") {
		cfg.Pool.Projects = append(cfg.Pool.Projects, p.project())
	}
	t.end()
}

func (t *table) router(cfg *router.Config, shared *pool.Config) {
	if policy, ok := t.text("policy"); ok {
		cfg.Policy = router.Policy(policy)
	}
	count(t, "max_attempts", &cfg.MaxAttempts)
	if wait, ok := t.anyDuration("max_wait"); ok {
		switch {
		case wait < 0:
			t.wrong(t.path.to("max_wait"), "max_wait is negative",
				`write "0s" to fail at once, or leave it out for 10 s`)
		case wait == 0:
			cfg.MaxWait = -1
		default:
			cfg.MaxWait = wait
		}
	}
	if backend, ok := t.text("backend"); ok {
		cfg.Backend = pool.Backend(backend)
	}
	if state, ok := t.text("state"); ok {
		cfg.State = t.sources.path(state)
	}
	t.duration("first_byte_timeout", &cfg.FirstByteTimeout)
	t.duration("idle_timeout", &cfg.IdleTimeout)
	t.duration("fallback_after", &cfg.FallbackAfter)
	t.size("body_memory", &cfg.BodyMemory)
	t.size("memory", &shared.Memory)
	shared.Locations = t.texts("locations")
	shared.Ramp = t.flag("ramp")
	if r, ok := t.table("retry"); ok {
		r.duration("initial", &cfg.Retry.Initial)
		r.duration("max", &cfg.Retry.Max)
		r.number("budget", &cfg.Retry.Budget)
		r.end()
	}
	if p, ok := t.table("pacing"); ok {
		p.pacing(&shared.Pacing)
	}
	t.end()
}

// pacing reads the preset first, so that single settings override it.
func (t *table) pacing(cfg *quota.Pacing) {
	if preset, ok := t.text("preset"); ok {
		switch preset {
		case "careful":
			*cfg = quota.Careful()
		case "eager":
			*cfg = quota.Eager()
		default:
			t.wrong(t.path.to("preset"), "preset is not a known preset",
				`write "careful" or "eager", or leave it out`)
		}
	}
	t.number("gain", &cfg.Gain)
	t.number("tolerance", &cfg.Tolerance)
	t.number("growth", &cfg.Growth)
	t.duration("burst", &cfg.Burst)
	t.end()
}

func (t *table) breaker(cfg *breaker.Config) {
	count(t, "failures", &cfg.Failures)
	t.duration("open", &cfg.Open)
	t.duration("max_open", &cfg.MaxOpen)
	t.end()
}

// aliases reads [models], whose keys the user chooses.
func (t *table) aliases() map[string]string {
	models := make(map[string]string, len(t.values))
	for alias, v := range t.values {
		at := t.path.to(alias)
		if credential.Looks(alias) {
			t.wrong(at, "an alias looks like a credential", "write a name for the model")
			continue
		}
		// TOML reads a bare name with a dot, as models have them, as a table.
		if _, dotted := v.(map[string]any); dotted {
			t.wrong(at, "an alias is a table, not a string",
				`write a name with dots in quotes: "gemini-3.5" = "gemini-3.5-flash"`)
			continue
		}
		if model, ok := t.asText(at, "an alias", v); ok {
			models[alias] = model
		}
	}
	return models
}

func (t *table) fallback() (f router.Fallback) {
	if t == nil {
		return f
	}
	f.Model, _ = t.text("model")
	f.To = t.texts("to")
	t.end()
	return f
}

func (t *table) cache() (c router.Cache) {
	if t == nil {
		return c
	}
	c.Model, _ = t.text("model")
	t.duration("ttl", &c.TTL)
	t.size("max_bytes", &c.MaxBytes)
	c.Namespace, _ = t.text("namespace")
	t.end()
	return c
}

func (t *table) project() (p pool.Project) {
	if t == nil {
		return p
	}
	p.Name, _ = t.text("name")
	backend, _ := t.text("backend")
	p.Backend = pool.Backend(backend)
	p.ProjectID, _ = t.text("project_id")
	p.Keys = t.keys("keys")
	p.Discover = t.flag("discover")
	p.Credentials = t.credentials("credentials", p.Backend, p.Discover)
	t.reference(p.Name)
	p.Locations = t.texts("locations")
	p.Models = t.texts("models")
	p.Labels = t.texts("labels")
	p.OnDemand, p.BatchOnDemand = t.texts("on_demand"), t.texts("batch_on_demand")
	p.Priority, _ = integer[int](t, "priority")
	t.number("weight", &p.Weight)
	p.BaseURL, _ = t.text("base_url")
	t.inClearText("base_url", p.BaseURL)
	p.DiscoverURL, _ = t.text("discover_url")
	t.inClearText("discover_url", p.DiscoverURL)
	for _, o := range t.tables("provisioned") {
		p.Provisioned = append(p.Provisioned, o.order())
	}
	for _, l := range t.tables("limits") {
		p.Limits = append(p.Limits, l.limit())
	}
	t.end()
	return p
}

func (t *table) order() (o pool.Order) {
	if t == nil {
		return o
	}
	o.Model, _ = t.text("model")
	o.Location, _ = t.text("location")
	count(t, "gsus", &o.GSUs)
	t.number("tokens_per_second", &o.TokensPerSecond)
	if b, ok := t.table("burndown"); ok {
		o.Burndown = b.burndown()
	}
	t.duration("window", &o.Window)
	if overflow, ok := t.text("overflow"); ok {
		o.Overflow = pool.Overflow(overflow)
	}
	t.moment("from", &o.From)
	t.moment("until", &o.Until)
	t.end()
	return o
}

func (t *table) burndown() *quota.Burndown {
	var b quota.Burndown
	t.number("input", &b.Input)
	t.number("input_audio", &b.InputAudio)
	t.number("input_image", &b.InputImage)
	t.number("cached", &b.Cached)
	t.number("cached_audio", &b.CachedAudio)
	t.number("output", &b.Output)
	t.number("output_image", &b.OutputImage)
	t.number("output_audio", &b.OutputAudio)
	t.number("long_input", &b.LongInput)
	t.number("long_input_audio", &b.LongInputAudio)
	t.number("long_cached", &b.LongCached)
	t.number("long_cached_audio", &b.LongCachedAudio)
	t.number("long_output", &b.LongOutput)
	t.end()
	return &b
}

func (t *table) limit() (l pool.Limit) {
	if t == nil {
		return l
	}
	l.Model, _ = t.text("model")
	count(t, "rpm", &l.RPM)
	count(t, "tpm", &l.TPM)
	count(t, "rpd", &l.RPD)
	count(t, "concurrency", &l.Concurrency)
	t.end()
	return l
}
