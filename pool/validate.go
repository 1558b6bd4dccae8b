package pool

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/quota"
)

var (
	// A name is part of headers, logs and, without a project_id, Vertex AI's paths. It must not be
	// "..", nor contain a slash.
	nameSyntax      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	projectIDSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}$`)
	// Google's locations: "global", the multi-regions "us" and "eu", and regions
	// ("northamerica-northeast1").
	locationSyntax = regexp.MustCompile(`^(global|us|eu|[a-z]+-[a-z]+[0-9]{1,2})$`)
	camelHump      = regexp.MustCompile(`([a-z])([A-Z])`)
)

// Validate returns everything that is wrong with c, as *[FieldError] values joined with
// [errors.Join], or nil. It reads no files and makes no requests. No error shows a key.
func (c Config) Validate() error {
	var f faults
	if len(c.Projects) == 0 {
		f.add("project", "there is no project",
			`write at least one [[project]] with a name and a backend`)
	}
	seen := census{names: map[string]int{}, keys: map[string]keyPlace{}}
	for i := range c.Projects {
		at := index("project", i)
		p := &c.Projects[i]
		f.name(at, i, p.Name, seen)
		f.keys(at, i, c.Projects, seen)
		switch p.Backend {
		case BackendGemini:
			f.geminiOnly(at, p)
		case BackendVertex:
			f.vertexOnly(at, p)
		case "":
			f.add(at+".backend", "the project has no backend",
				`write backend = "gemini" (Developer API) or "vertex" (Vertex AI)`)
			f.vertexOnly(at, p)
		default:
			f.add(at+".backend", "backend is not a known back end", `write "gemini" or "vertex"`)
			f.vertexOnly(at, p)
		}
		for j, glob := range p.Models {
			f.glob(index(at+".models", j), index("models", j), glob)
		}
		f.labels(at, p)
		f.amount(at+".weight", "weight", p.Weight)
		f.baseURL(at+".base_url", "base_url", p.BaseURL)
		f.discover(at, p)
		f.ladder(at, &c, p)
		for j := range p.Limits {
			f.limit(index(at+".limits", j), &p.Limits[j])
		}
	}
	f.fence(&c)
	f.breaker(c.Breaker.Validate())
	f.pacing(c.Pacing)
	if c.Memory < 0 || c.Memory > 0 && c.Memory < leastMemory {
		f.add("router.memory", "memory is too small to remember anything",
			`write "1MB" or more, or leave it out for 64 MB`)
	}
	f.store(&c)
	return errors.Join(f.found...)
}

// store checks what is said of the store.
func (f *faults) store(c *Config) {
	if !(c.Share >= 0 && c.Share <= 1) {
		f.add("store.share", "share is not a part of the limits", `write a fraction up to one, such as "1/8"`)
	}
	if c.StoreTimeout < 0 {
		f.add("store.timeout", "timeout is negative", `write "50ms" or more, or leave it out for 50 ms`)
	}
}

// leastMemory is the smallest bound that a pool works with, in bytes.
const leastMemory = 1_000_000

// faults collects FieldErrors.
type faults struct{ found []error }

func (f *faults) add(field, problem, fix string) {
	f.found = append(f.found, &FieldError{Field: field, Problem: problem, Fix: fix})
}

// again reports a value that the field other has already.
func (f *faults) again(field, problem, other, fix string) {
	f.found = append(f.found, &FieldError{Field: field, Problem: problem, Other: other, Fix: fix})
}

// breaker adds the errors of package breaker, each under the key of its field in the TOML file.
func (f *faults) breaker(err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, one := range joined.Unwrap() {
		if e, ok := errors.AsType[*breaker.ConfigError](one); ok {
			key := strings.ToLower(camelHump.ReplaceAllString(e.Field, "${1}_$2"))
			f.add("breaker."+key, key+" "+e.Problem, e.Fix)
		}
	}
}

func (f *faults) pacing(p quota.Pacing) {
	f.amount("router.pacing.gain", "gain", p.Gain)
	if p.Gain > 0 && p.Gain < 1 {
		f.add("router.pacing.gain", "gain is below 1, so the rate could never recover",
			"write a number above 1, such as 1.25")
	}
	f.amount("router.pacing.tolerance", "tolerance", p.Tolerance)
	if p.Tolerance > 1 {
		f.add("router.pacing.tolerance", "tolerance is not a share of responses",
			"write a number between 0 and 1, such as 0.1")
	}
	f.amount("router.pacing.growth", "growth", p.Growth)
	f.amount("router.pacing.floor", "floor", p.Floor)
	if p.Burst < 0 {
		f.add("router.pacing.burst", "burst is negative",
			`write a duration above 0, such as "250ms", or leave it out`)
	}
}

// census records what must be unique in the whole pool: names by project, keys by the field of
// their first use.
type census struct {
	names map[string]int
	keys  map[string]keyPlace
}

type keyPlace struct{ project, key int }

func (f *faults) name(at string, i int, name string, seen census) {
	const fix = "write letters, digits, '-', '_' and '.', beginning with a letter or digit"
	switch {
	case name == "":
		f.add(at+".name", "the project has no name",
			`write name = "…", which logs and headers will show`)
		return
	case credential.Looks(name):
		f.add(at+".name", "name looks like a credential, and logs and headers show it",
			`write a name, and the credential in keys`)
		return
	case !nameSyntax.MatchString(name):
		f.add(at+".name", "name has characters that headers and paths do not allow, or is too long",
			fix)
		return
	}
	if first, taken := seen.names[name]; taken {
		f.again(at+".name", fmt.Sprintf("the name %q is taken", name), index("project", first)+".name",
			"give each project its own name; keys of one project go together")
		return
	}
	seen.names[name] = i
}

func (f *faults) keys(at string, i int, projects []Project, seen census) {
	for j, key := range projects[i].Keys {
		field, text := index(at+".keys", j), key.Reveal()
		if text == "" {
			f.add(field, "the key is empty", "write a key, or leave it out")
			continue
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			f.add(field, fmt.Sprintf("%s holds white space, control characters or letters that no key has", key),
				"write the key alone, without line breaks or quotes")
			continue
		}
		first, taken := seen.keys[text]
		other := index(index("project", first.project)+".keys", first.key)
		switch {
		case !taken:
			seen.keys[text] = keyPlace{i, j}
		case first.project == i:
			f.again(field, fmt.Sprintf("%s is listed in this project already,", key), other,
				"write each key once")
		default:
			f.again(field, fmt.Sprintf("%s of %s is a key of %s too,", key, title(projects, i), title(projects, first.project)), other,
				"keep it in the one project whose quota it uses")
		}
	}
}

// title returns the name of project i in messages.
func title(projects []Project, i int) string {
	if name := projects[i].Name; nameSyntax.MatchString(name) && !credential.Looks(name) {
		return "project " + strconv.Quote(name)
	}
	return index("project", i)
}

func (f *faults) geminiOnly(at string, p *Project) {
	if len(p.Keys) == 0 {
		f.add(at+".keys", "a gemini project needs at least one key",
			`write keys = ["env:GEMINI_API_KEY"]`)
	}
	if p.Credentials != nil && !p.Discover {
		f.add(at+".credentials", "a gemini project takes keys, not credentials",
			`write keys = ["env:GEMINI_API_KEY"], or backend = "vertex"; with discover = true credentials read its quotas`)
	}
	const fix = `leave it out, or write backend = "vertex"`
	switch {
	case p.Discover:
		f.projectID(at, p)
	case p.ProjectID != "":
		f.add(at+".project_id", "project_id is for vertex projects: the Developer API knows a project by its keys",
			fix+", or discover = true to read its quotas")
	}
	if len(p.Locations) > 0 {
		f.add(at+".locations", "locations are for vertex projects: the Developer API has none", fix)
	}
	for j := range p.Provisioned {
		f.add(index(at+".provisioned", j),
			"Provisioned Throughput is for vertex projects: the Developer API sells none", fix)
	}
}

// vertexOnly checks what only Vertex AI has, also in a project without a backend.
func (f *faults) vertexOnly(at string, p *Project) {
	f.projectID(at, p)
	if len(p.Keys) > 0 && p.Credentials != nil && !p.Discover {
		f.add(at+".credentials", "the project has both keys and credentials", "keep one of them")
	}
	listed := map[string]bool{}
	for j, location := range p.Locations {
		field, what := index(at+".locations", j), index("locations", j)
		if !f.location(field, what, location) {
			continue
		}
		if listed[location] {
			f.add(field, what+" is listed already", "write each location once")
		}
		listed[location] = true
	}
	for j := range p.Provisioned {
		f.order(index(at+".provisioned", j), &p.Provisioned[j])
	}
	f.oneAtATime(at, p.Provisioned)
}

func (f *faults) order(at string, o *Order) {
	known := f.model(at+".model", "the order's model", o.Model, `write the model that was ordered: model = "gemini-3.5-flash"`)
	if known && strings.ContainsAny(o.Model, `*?[\`) {
		known = false
		f.add(at+".model", "the order's model is a glob, but an order is for one model",
			"write the model's id")
	}
	if o.Location == "" {
		f.add(at+".location", "the order has no location",
			`write the location it was bought for, such as location = "europe-west4"`)
	} else {
		f.location(at+".location", "location", o.Location)
	}
	if o.GSUs < 0 {
		f.add(at+".gsus", "gsus is negative", "write how many units were bought")
	}
	f.amount(at+".tokens_per_second", "tokens_per_second", o.TokensPerSecond)
	if o.GSUs == 0 && o.TokensPerSecond == 0 {
		f.add(at+".gsus", "the order has neither gsus nor tokens_per_second",
			"write how many units were bought: gsus = 10")
	}
	if o.Window < 0 {
		f.add(at+".window", "window is negative",
			`write a duration such as "30s", or leave it out to learn it`)
	}
	f.calendar(at, o)
	if b := o.Burndown; b != nil {
		for _, rate := range burndownRates(b) {
			f.amount(at+".burndown."+rate.name, rate.name, rate.value)
		}
	}
	switch o.Overflow {
	case "", OverflowRouter, OverflowVertex:
	default:
		f.add(at+".overflow", "overflow is neither of its two values", `write "router" or "vertex"`)
	}
	if known && o.GSUs > 0 && o.TokensPerSecond == 0 {
		if _, err := quota.NewLedger(quota.Order{Model: o.Model, GSUs: o.GSUs}); err != nil {
			f.add(at+".model", "what a unit of this model serves, and what its tokens cost, is not known", unknownRow)
		}
	}
}

type namedRate struct {
	name  string
	value float64
}

func burndownRates(b *quota.Burndown) []namedRate {
	return []namedRate{
		{"input", b.Input}, {"input_audio", b.InputAudio}, {"input_image", b.InputImage},
		{"cached", b.Cached}, {"cached_audio", b.CachedAudio},
		{"output", b.Output}, {"output_image", b.OutputImage}, {"output_audio", b.OutputAudio},
		{"long_input", b.LongInput}, {"long_input_audio", b.LongInputAudio},
		{"long_cached", b.LongCached}, {"long_cached_audio", b.LongCachedAudio},
		{"long_output", b.LongOutput},
	}
}

func (f *faults) location(field, what, location string) bool {
	if locationSyntax.MatchString(location) {
		return true
	}
	f.add(field, what+" is not a location of Vertex AI",
		`write "global", "us", "eu" or a region such as "europe-west4"`)
	return false
}

func (f *faults) glob(field, what, glob string) {
	if _, err := path.Match(glob, ""); err != nil {
		f.add(field, what+" is a malformed glob",
			`write * for anything and close each [: "gemini-*"`)
		return
	}
	f.model(field, what, glob, `write "*" for all models, or a glob such as "gemini-*"`)
}

// model checks a model name or glob. fix is the fix for an empty one.
func (f *faults) model(field, what, model, fix string) bool {
	switch {
	case model == "":
		f.add(field, what+" is empty", fix)
	case strings.ContainsFunc(model, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		f.add(field, what+" holds white space or control characters",
			`write the model's id, such as "gemini-3.5-flash"`)
	case strings.HasPrefix(model, "models/"), strings.Contains(model, "publishers/"):
		f.add(field, what+" is written as a path",
			`write the id after the last slash, such as "gemini-3.5-flash"`)
	default:
		return true
	}
	return false
}

func (f *faults) baseURL(field, what, text string) {
	if text == "" {
		return
	}
	const fix = `write scheme and host, such as "https://vertex.example.com"`
	u, err := url.Parse(text)
	switch {
	// The parser's error quotes the text, which may contain a password.
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		f.add(field, what+" is not an absolute http or https URL", fix)
	case u.User != nil:
		f.add(field, what+" holds a user name or password",
			fix+"; credentials go into keys or credentials")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		f.add(field, what+" holds a query or fragment", fix)
	}
}

// amount checks a number that must not be negative, NaN or infinite.
func (f *faults) amount(field, name string, value float64) {
	if value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		f.add(field, name+" is negative, infinite or not a number",
			"write a number above 0, or leave it out")
	}
}

func index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }
