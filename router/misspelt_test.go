package router_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// missingFrom is Google's answer to a call of a model that a project does not have.
func missingFrom(b pool.Backend, project, model string) *http.Response {
	if b == pool.BackendVertex {
		return errorOf(404, "NOT_FOUND", "Publisher Model `projects/"+project+"/locations/global/publishers/google/models/"+model+
			"` was not found or your project does not have access to it. Please ensure you are using a valid model version.")
	}
	return errorOf(404, "NOT_FOUND", "models/"+model+" is not found for API version v1beta, or is not supported for generateContent. "+
		"Call ListModels to see the list of available models and their supported methods.")
}

// outs are refusals that say nothing of the model.
var outs = map[string]func() *http.Response{
	"no money": func() *http.Response {
		return errorOf(403, "PERMISSION_DENIED", "This API method requires billing to be enabled. Please enable billing on project #a.")
	},
	"spends too fast": func() *http.Response {
		return errorOf(429, "RESOURCE_EXHAUSTED", "You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit.")
	},
	"not ready": func() *http.Response {
		return errorOf(400, "FAILED_PRECONDITION", "Service agents are being provisioned (https://cloud.google.com/vertex-ai/docs). Please retry.")
	},
}

func TestAMisspeltModelIsNotFoundWhateverElseIsOut(t *testing.T) {
	for name, out := range outs {
		t.Run(name, func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				const wrong = "gemni-2.5-flash"
				s := &stage{fault: func(project string, r *http.Request, _ string) *http.Response {
					switch {
					case project == "b":
						return out()
					case strings.Contains(r.URL.Path, wrong):
						return missingFrom(b, project, wrong)
					default:
						return nil
					}
				}}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for range 4 { // b goes out
					call(t.Context(), r, http.MethodPost, generateURL(b), says("hello"))
				}
				for i := range 5 {
					status, body := call(t.Context(), r, http.MethodPost, strings.Replace(generateURL(b), flash, wrong, 1), says("hello"))
					if status != http.StatusNotFound || !strings.Contains(body, wrong) || strings.Contains(body, "spillway") {
						t.Fatalf("call %d of a misspelt model gets %d %s", i, status, body)
					}
					time.Sleep(time.Second)
				}
				if status, body := call(t.Context(), r, http.MethodPost, generateURL(b), says("hello")); status != http.StatusOK {
					t.Errorf("the right name gets %d %s", status, body)
				}
			})
		})
	}
}

func TestAModelThatAnotherProjectHasIsNoMissingOne(t *testing.T) {
	for name, out := range map[string]func() *http.Response{
		"spends too fast": outs["spends too fast"], "no money": outs["no money"],
		"minute quota": func() *http.Response {
			return errorOf(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Generate requests' and limit 'Generate requests per minute per project'. Please retry in 40s.")
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				projects[0].Priority, projects[1].Priority = 1, 2 // the first one is asked first
				served := false
				s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
					switch {
					case project == "a":
						return missingFrom(b, project, flash)
					case served:
						return out()
					default:
						return nil
					}
				}}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for range 6 {
					if status, body := call(t.Context(), r, http.MethodPost, generateURL(b), says("hello")); status != http.StatusOK {
						t.Fatalf("b has the model, and the call gets %d %s", status, body)
					}
				}
				served = true
				for i := range 4 {
					status, body := call(t.Context(), r, http.MethodPost, generateURL(b), says("hello"))
					if status == http.StatusNotFound {
						t.Fatalf("call %d: b has the model, and the call gets %d %s", i, status, body)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}
