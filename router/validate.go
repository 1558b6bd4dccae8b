package router

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
)

// Validate returns everything that is wrong with c, as *[pool.FieldError] values joined with
// [errors.Join], or nil. No error shows a key.
func (c Config) Validate() error {
	var f faults
	switch c.Policy {
	case "", PolicyLeastLoaded, PolicyRoundRobin, PolicyRandom:
	default:
		f.add("router.policy", "policy is not a known policy",
			`write "least_loaded", "round_robin" or "random"`)
	}
	switch c.Backend {
	case "", pool.BackendGemini, pool.BackendVertex:
	default:
		f.add("router.backend", "backend is not a known back end", `write "gemini" or "vertex"`)
	}
	if c.MaxAttempts < 0 {
		f.add("router.max_attempts", "max_attempts is negative",
			"write 1 or more, or leave it out for 4")
	}
	if strings.HasSuffix(c.State, "/") || strings.HasSuffix(c.State, string(os.PathSeparator)) {
		f.add("router.state", "state names a folder",
			`write the name of a file in it, such as "spillway.state"`)
	}
	f.duration("router.first_byte_timeout", "first_byte_timeout", c.FirstByteTimeout)
	f.duration("router.idle_timeout", "idle_timeout", c.IdleTimeout)
	f.duration("router.fallback_after", "fallback_after", c.FallbackAfter)
	if c.BodyMemory < 0 {
		f.add("router.body_memory", "body_memory is negative", `write a size such as "256MB", or leave it out`)
	}
	f.retry(c.Retry)
	f.aliases(c.Models)
	f.fallbacks(c.Fallbacks, c.Models)
	f.caches(c.Caches)
	return errors.Join(f.found...)
}

// faults collects FieldErrors.
type faults struct{ found []error }

func (f *faults) add(field, problem, fix string) {
	f.found = append(f.found, &pool.FieldError{Field: field, Problem: problem, Fix: fix})
}

func (f *faults) duration(field, name string, d time.Duration) {
	if d < 0 {
		f.add(field, name+" is negative",
			"write a duration above 0, or leave it out for the default")
	}
}

func (f *faults) retry(r Retry) {
	f.duration("router.retry.initial", "initial", r.Initial)
	f.duration("router.retry.max", "max", r.Max)
	initial, longest := r.Initial, r.Max
	if initial == 0 {
		initial = time.Second
	}
	if longest == 0 {
		longest = time.Minute
	}
	if initial > longest && longest > 0 {
		f.add("router.retry.max",
			fmt.Sprintf("the longest backoff, %v, is shorter than the first, %v", longest, initial),
			"write a max above initial")
	}
	if r.Budget < 0 || r.Budget > 1 || math.IsNaN(r.Budget) {
		f.add("router.retry.budget", "budget is not a share of calls",
			"write a number between 0 and 1, such as 0.2")
	}
}

// aliases checks that each alias stands for a model and never for another alias, so that one step
// resolves it.
func (f *faults) aliases(models map[string]string) {
	for _, alias := range slices.Sorted(maps.Keys(models)) {
		field := "models." + strconv.Quote(alias)
		target := models[alias]
		if alias == "" {
			f.add(field, "an alias has no name", `write alias = "model"`)
		} else if !f.model(field, "the alias", alias) {
			continue
		}
		if !f.model(field, "the model of the alias", target) {
			continue
		}
		if _, chained := models[target]; !chained {
			continue
		}
		switch end, ok := resolve(models, alias); {
		case !ok:
			f.add(field, "the alias leads back to itself", "write the model's id")
		case credential.Looks(end):
			f.add(field, "the alias stands for another alias", "write the model's id")
		default:
			f.add(field, "the alias stands for another alias",
				"write the model itself: "+strconv.Quote(end))
		}
	}
}

// resolve follows aliases to the model at their end. ok is false if they form a cycle.
func resolve(models map[string]string, name string) (model string, ok bool) {
	for range len(models) + 1 {
		next, alias := models[name]
		if !alias {
			return name, true
		}
		name = next
	}
	return "", false
}

func (f *faults) fallbacks(list []Fallback, aliases map[string]string) {
	first := map[string]int{}
	for i, fb := range list {
		at := fmt.Sprintf("fallback[%d]", i)
		if f.fallbackModel(at+".model", "the fallback's model", fb.Model, aliases) {
			if j, twice := first[fb.Model]; twice {
				f.found = append(f.found, &pool.FieldError{
					Field: at + ".model", Problem: "the model has a list of fallbacks",
					Other: fmt.Sprintf("fallback[%d].model", j), Fix: "write one list for it",
				})
			} else {
				first[fb.Model] = i
			}
		}
		if len(fb.To) == 0 {
			f.add(at+".to", "the fallback names no models",
				`write to = ["…"] with the models to try in its place`)
		}
		for j, to := range fb.To {
			what := fmt.Sprintf("to[%d]", j)
			field := at + "." + what
			switch {
			case !f.fallbackModel(field, what, to, aliases):
			case to == fb.Model:
				f.add(field, what+" is the model itself", "write another model")
			case slices.Contains(fb.To[:j], to):
				f.add(field, what+" is listed already", "write each model once")
			}
		}
	}
}

func (f *faults) fallbackModel(field, what, model string, aliases map[string]string) bool {
	if !f.model(field, what, model) {
		return false
	}
	if _, alias := aliases[model]; alias {
		f.add(field, what+" is an alias", "write the model that the alias stands for")
		return false
	}
	return true
}

func (f *faults) model(field, what, model string) bool {
	const fix = `write a model's id, such as "gemini-3.5-flash"`
	switch {
	case model == "":
		f.add(field, what+" is empty", fix)
	case strings.ContainsFunc(model, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		f.add(field, what+" holds white space or control characters", fix)
	case strings.HasPrefix(model, "models/"), strings.Contains(model, "publishers/"):
		f.add(field, what+" is written as a path",
			`write the id after the last slash, such as "gemini-3.5-flash"`)
	default:
		return true
	}
	return false
}
