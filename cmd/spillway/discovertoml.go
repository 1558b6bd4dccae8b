package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// tomlFile writes a file for Spillway.
type tomlFile struct {
	text  strings.Builder
	mark  string          // before each line: "# " for what is not meant to hold
	taken map[string]bool // variables that have a key already
}

func (t *tomlFile) line(text string) { _, _ = t.text.WriteString(text + "\n") }

func (t *tomlFile) linef(format string, values ...any) {
	t.line(t.mark + fmt.Sprintf(format, values...))
}

func (t *tomlFile) comment(text string) { t.line("# " + plain.Text(text, len(text)+3)) }

// tomlString writes a text as TOML does: JSON's escapes are some of TOML's.
func tomlString(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return strings.TrimSpace(b.String())
}

// set writes a key, unless its value is the zero value.
func (t *tomlFile) set(key string, value any) {
	switch v := value.(type) {
	case string:
		if v != "" {
			t.linef("%s = %s", key, tomlString(v))
		}
	case []string:
		if len(v) > 0 {
			list := make([]string, len(v))
			for i, one := range v {
				list[i] = tomlString(one)
			}
			t.linef("%s = [%s]", key, strings.Join(list, ", "))
		}
	case time.Time:
		if !v.IsZero() {
			t.linef("%s = %s", key, v.Format(time.RFC3339Nano))
		}
	case bool:
		if v {
			t.linef("%s = true", key)
		}
	case int64:
		if v != 0 {
			t.linef("%s = %s", key, strings.ReplaceAll(plain.Number(v), ",", "_"))
		}
	case float64:
		if v != 0 {
			t.linef("%s = %v", key, v)
		}
	}
}

// toml is tomlOf, which says what of the user's file it has.
func (f *discoverFlags) toml(cfg *config.Config, all []discoveredProject) string {
	if f.file == "" {
		return tomlOf(cfg, all)
	}
	t := &tomlFile{}
	t.comment("From " + f.file + " here are only its [[project]] tables: keep the others, with fences, tokens and stores.")
	return t.text.String() + "\n" + tomlOf(cfg, all)
}

// tomlOf returns a file with what cfg declares of its projects, and what Google shows beside.
func tomlOf(cfg *config.Config, all []discoveredProject) string {
	t := &tomlFile{taken: map[string]bool{}}
	for i := range all {
		for _, key := range cfg.References(all[i].Name).Keys {
			t.taken[key] = true
		}
	}
	for i := range all {
		d := &all[i]
		if i > 0 {
			t.line("")
		}
		t.project(d, cfg.References(d.Name))
		for _, o := range d.Provisioned {
			t.order(&o)
		}
		t.offers(cfg, d)
		for _, l := range d.Limits {
			t.limit(&l)
		}
		for _, l := range d.moreLimits() {
			t.limit(&l)
		}
	}
	return t.text.String()
}

// project writes a project as the file has it.
func (t *tomlFile) project(d *discoveredProject, written config.References) {
	t.comment(d.Name + ": " + d.found())
	for _, line := range problemsOf(d) {
		t.comment("  " + line)
	}
	t.linef("[[project]]")
	t.set("name", d.Name)
	t.set("backend", string(d.Backend))
	t.set("project_id", d.ProjectID)
	keys := slices.Clone(written.Keys)
	if len(keys) == 0 && d.Backend == pool.BackendGemini {
		keys = []string{t.free("env:GEMINI_API_KEY", "env:"+variableOf(d.Name, 0))}
	}
	for i, key := range keys {
		if key == "" { // it is written out, and stays where it is
			keys[i] = t.free("env:" + variableOf(d.Name, i))
			t.comment("A key is written into the file; set this variable to it:")
		}
	}
	t.set("keys", keys)
	t.set("credentials", written.Credentials)
	t.set("locations", d.Locations)
	t.set("models", d.Models)
	t.set("labels", d.Labels)
	t.set("on_demand", d.OnDemand)
	t.set("batch_on_demand", d.BatchOnDemand)
	t.set("priority", int64(d.Priority))
	t.set("weight", d.Weight)
	t.set("base_url", d.BaseURL)
	t.set("discover", d.Discover)
	t.set("discover_url", d.DiscoverURL)
}

// free returns the first of some variables that has no key, and takes it. The last is made free.
func (t *tomlFile) free(variables ...string) string {
	i := slices.IndexFunc(variables, func(v string) bool { return !t.taken[v] })
	if i < 0 {
		last := variables[len(variables)-1]
		for n := 2; i < 0; n++ {
			if v := fmt.Sprintf("%s_%d", last, n); !t.taken[v] {
				variables, i = []string{v}, 0
			}
		}
	}
	t.taken[variables[i]] = true
	return variables[i]
}

// variableOf makes up a variable for a key.
func variableOf(project string, i int) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(project))
	return fmt.Sprintf("KEY_%d_OF_%s", i+1, name)
}

// found says how much Google shows.
func (d *discoveredProject) found() string {
	var parts []string
	if d.facts.Tier != "" {
		parts = append(parts, string(d.facts.Tier)+" tier")
	}
	if d.facts.Limits != nil {
		parts = append(parts, "limits of "+plain.Plural(len(d.facts.Limits), "model"))
	}
	if d.facts.Orders != nil {
		parts = append(parts, plain.Plural(len(d.facts.Orders), "order"))
	}
	if d.facts.Models != nil {
		parts = append(parts, plain.Plural(len(d.facts.Models), "model")+" to call")
	}
	if len(parts) == 0 {
		return "nothing could be read"
	}
	return strings.Join(parts, ", ")
}

func (t *tomlFile) order(o *pool.Order) {
	t.line("")
	t.linef("[[project.provisioned]]")
	t.set("model", o.Model)
	t.set("location", o.Location)
	t.set("gsus", int64(o.GSUs))
	t.set("tokens_per_second", o.TokensPerSecond)
	if o.Window > 0 {
		t.set("window", o.Window.String())
	}
	t.set("overflow", string(o.Overflow))
	t.set("from", o.From)
	t.set("until", o.Until)
	if b := o.Burndown; b != nil {
		t.linef("[project.provisioned.burndown]")
		for _, r := range []struct {
			key  string
			rate float64
		}{
			{"input", b.Input}, {"input_audio", b.InputAudio}, {"input_image", b.InputImage}, {"cached", b.Cached},
			{"cached_audio", b.CachedAudio}, {"output", b.Output}, {"output_image", b.OutputImage}, {"output_audio", b.OutputAudio},
			{"long_input", b.LongInput}, {"long_input_audio", b.LongInputAudio}, {"long_cached", b.LongCached},
			{"long_cached_audio", b.LongCachedAudio}, {"long_output", b.LongOutput},
		} {
			t.set(r.key, r.rate)
		}
	}
}

func (t *tomlFile) limit(l *pool.Limit) {
	t.line("")
	t.linef("[[project.limits]]")
	t.set("model", l.Model)
	t.set("rpm", l.RPM)
	t.set("tpm", l.TPM)
	t.set("rpd", l.RPD)
	t.set("concurrency", l.Concurrency)
}

// moreLimits are the limits that Google shows, of each model that the project takes in the dimensions
// in which no limit of the file matches.
func (d *discoveredProject) moreLimits() (more []pool.Limit) {
	for _, l := range d.facts.Limits {
		if !modelid.Matches(d.Models, l.Model) {
			continue
		}
		one := pool.Limit{Model: l.Model, RPM: l.RPM, TPM: l.TPM, RPD: l.RPD}
		own := d.strictest(l.Model)
		for _, x := range []struct {
			shown    *int64
			declared int64
		}{{&one.RPM, own.RPM}, {&one.TPM, own.TPM}, {&one.RPD, own.RPD}} {
			if x.declared > 0 {
				*x.shown = 0
			}
		}
		if one.RPM+one.TPM+one.RPD > 0 {
			more = append(more, one)
		}
	}
	return more
}

// strictest returns the strictest of each dimension of the file's limits for a model.
func (d *discoveredProject) strictest(model string) (own pool.Limit) {
	for _, l := range d.Limits {
		if ok, _ := path.Match(l.Model, model); !ok && l.Model != "" {
			continue
		}
		for _, x := range []struct {
			own  *int64
			more int64
		}{{&own.RPM, l.RPM}, {&own.TPM, l.TPM}, {&own.RPD, l.RPD}} {
			if x.more > 0 && (*x.own == 0 || x.more < *x.own) {
				*x.own = x.more
			}
		}
	}
	return own
}
