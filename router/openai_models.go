package router

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// The Developer API alone lists models in OpenAI's dialect. Clients ask for the list before they ask
// for anything else, so a pool that has no project there tells what its configuration names.

// namedModels returns the models that a configuration names, in order: aliases and what they stand
// for, fallbacks, and those of projects, orders and limits. Globs name none.
func namedModels(c *Config, projects []pool.Project) []string {
	var names []string
	for alias, model := range c.Models {
		names = append(names, alias, model)
	}
	for _, f := range c.Fallbacks {
		names = append(append(names, f.Model), f.To...)
	}
	for i := range projects {
		p := &projects[i]
		names = append(names, p.Models...)
		for j := range p.Provisioned {
			names = append(names, p.Provisioned[j].Model)
		}
		for _, l := range p.Limits {
			names = append(names, l.Model)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" || strings.ContainsAny(n, `*?[\`) })
	slices.Sort(names)
	return slices.Compact(names)
}

// asksForModels reports whether the call asks for models in OpenAI's dialect, of which the pool has
// no list of Google's.
func asksForModels(x *exchange) bool {
	if x.in.req.Method != http.MethodGet || !x.payload.call.OpenAI() || len(x.in.router.pool.Homes(pool.BackendGemini)) > 0 {
		return false
	}
	name := request.MethodName(&x.payload.call)
	return name == "openai.models.list" || name == "openai.models.get"
}

// modelEntry is a model in a list, as Google has it.
type modelEntry struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	OwnedBy string `json:"owned_by"`
}

// listModels returns the list of the models that the configuration names and the caller may use, or the
// one that the path names.
func listModels(x *exchange) *http.Response {
	entries := []modelEntry{}
	for _, name := range x.in.cfg.named {
		if x.in.options.Scope.model(x.in.cfg.alias(name)) {
			entries = append(entries, modelEntry{name, "model", "google"})
		}
	}
	_, asked, one := strings.Cut(x.in.req.URL.EscapedPath(), "/models/")
	if !one {
		body, _ := json.Marshal(map[string]any{"object": "list", "data": entries}) // texts
		return x.reply(http.StatusOK, body)
	}
	asked, _ = url.PathUnescape(asked)
	asked = strings.TrimPrefix(strings.TrimPrefix(asked, "models/"), "google/")
	for _, e := range entries {
		if e.ID == asked {
			body, _ := json.Marshal(e)
			return x.reply(http.StatusOK, body)
		}
	}
	return x.refuse(http.StatusNotFound, "NOT_FOUND", "spillway: the configuration does not name the model "+quoted(asked)+
		"; Vertex AI has no list of models in OpenAI's dialect, and may serve it all the same")
}
