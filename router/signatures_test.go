package router_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const placeholder = "skip_thought_signature_validator"

// signers are both back ends. Each signs what it answers, and refuses what it has not signed.
type signers struct {
	mu      sync.Mutex
	fault   func(backend string) *http.Response // nil: none
	signed  int
	asked   []string   // the back ends, in order
	taken   [][]string // the signatures of each call that was taken
	refused int
}

func backendOf(q *http.Request) string {
	if strings.Contains(q.URL.Host, "aiplatform") {
		return "vertex"
	}
	return "gemini"
}

// signaturesIn are the signatures in the history of a call.
func signaturesIn(body []byte) (all []string) {
	var call struct {
		Contents []struct {
			Parts []struct {
				ThoughtSignature string `json:"thoughtSignature"`
			} `json:"parts"`
		} `json:"contents"`
	}
	_ = json.Unmarshal(body, &call)
	for _, c := range call.Contents {
		for _, p := range c.Parts {
			if p.ThoughtSignature != "" {
				all = append(all, p.ThoughtSignature)
			}
		}
	}
	return all
}

func (s *signers) RoundTrip(q *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	backend := backendOf(q)
	s.asked = append(s.asked, backend)
	body, _ := io.ReadAll(q.Body)
	if s.fault != nil {
		if resp := s.fault(backend); resp != nil {
			return resp, nil
		}
	}
	all := signaturesIn(body)
	for _, signature := range all {
		plain, _ := base64.StdEncoding.DecodeString(signature)
		if signature != placeholder && !strings.HasPrefix(string(plain), backend) {
			s.refused++
			return answerOf(400, `{"error":{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}}`), nil
		}
	}
	s.taken = append(s.taken, all)
	s.signed++
	e := fmt.Sprintf(`{"candidates":[{"content":{"role":"model","parts":[{"text":"thus","thoughtSignature":%q}]},"finishReason":"STOP"}]}`,
		base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(backend, " signs ", s.signed))))
	if strings.Contains(q.URL.Path, "stream") {
		return events(e), nil
	}
	return answerOf(200, e), nil
}

// dialogue is what a client keeps of one.
type dialogue struct{ contents []string }

// turn makes one turn, and returns the status and who answered.
func (c *dialogue) turn(t *testing.T, r *router.Router, stream bool) (status int, endpoint string) {
	t.Helper()
	contents := append(slices.Clip(c.contents), `{"role":"user","parts":[{"text":"and then?"}]}`)
	path := genPath
	if stream {
		path = "models/" + flash + ":streamGenerateContent?alt=sse"
	}
	resp, err := r.RoundTrip(gen(t.Context(), path, `{"contents":[`+strings.Join(contents, ",")+`]}`))
	status, body := read(t, resp, err)
	if status != http.StatusOK {
		t.Logf("%d %s", status, body)
		return status, ""
	}
	var answer struct {
		Candidates []struct {
			Content json.RawMessage `json:"content"`
		} `json:"candidates"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "data: ")), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	c.contents = append(c.contents, contents[len(contents)-1], string(answer.Candidates[0].Content))
	return status, resp.Header.Get("Spillway-Endpoint")
}

// mixed is a pool of both back ends, of which each call may go to either.
func mixed() []pool.Project {
	return []pool.Project{
		keyed("studio", "k-s").pool,
		{Name: "prod", ProjectID: "acme-1", Backend: pool.BackendVertex, Locations: []string{"global"}, Credentials: token("t")},
	}
}

func TestConversationsStayWithWhoSignedThem(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			google := &signers{}
			r := routerOver(t, google.RoundTrip, router.Config{Policy: router.PolicyRoundRobin}, mixed()...)
			first := map[string]int{}
			for range 20 {
				var c dialogue
				_, begun := c.turn(t, r, stream)
				first[begun]++
				for range 5 {
					if status, by := c.turn(t, r, stream); status != http.StatusOK || by != begun {
						t.Errorf("stream %v: begun by %s, continued by %s: %d", stream, begun, by, status)
					}
				}
			}
			if google.refused != 0 || len(first) != 2 {
				t.Errorf("stream %v: %d refused; begun by %v", stream, google.refused, first)
			}
			if slices.ContainsFunc(google.taken, func(all []string) bool { return slices.Contains(all, placeholder) }) {
				t.Errorf("stream %v: a thought was thrown away for nothing", stream)
			}
		})
	}
}

func TestConversationGoesOnWithPlaceholdersWhereItsSignerIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := &signers{}
		r := routerOver(t, google.RoundTrip, router.Config{}, mixed()...)
		var c dialogue
		_, begun := c.turn(t, r, false)
		out := strings.HasPrefix(begun, "prod")
		google.fault = func(backend string) *http.Response {
			if (backend == "vertex") == out {
				return answerOf(429, `{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED",`+
					`"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"}]}}`)
			}
			return nil
		}
		began := time.Now()
		status, by := c.turn(t, r, false)
		if status != http.StatusOK || by == begun || google.refused != 0 || time.Since(began) > 0 {
			t.Errorf("%d by %s after %v; %d refused", status, by, time.Since(began), google.refused)
		}
		if got := google.taken[len(google.taken)-1]; !slices.Equal(got, []string{placeholder}) {
			t.Errorf("signatures sent: %q", got)
		}
		// The history has signatures of both by now. The last one counts, and each back end gets its
		// own.
		google.fault = nil
		if status, next := c.turn(t, r, false); status != http.StatusOK || next != by || google.refused != 0 {
			t.Errorf("%d by %s, want %s; %d refused", status, next, by, google.refused)
		}
		if got := google.taken[len(google.taken)-1]; len(got) != 2 || got[0] != placeholder || got[1] == placeholder {
			t.Errorf("signatures sent: %q", got)
		}
		for _, e := range r.Stat().Endpoints {
			if e.Calls != 0 {
				t.Errorf("%s has a call left", e.Endpoint)
			}
		}
	})
}

// TestRefusedSignatureIsTriedOnceWithPlaceholders has histories from before a restart, and pools of
// one back end that get the history of another.
func TestRefusedSignatureIsTriedOnceWithPlaceholders(t *testing.T) {
	of := func(backend string) *dialogue {
		return &dialogue{[]string{
			`{"role":"user","parts":[{"text":"q"}]}`,
			`{"role":"model","parts":[{"text":"thus","thoughtSignature":"` + base64.StdEncoding.EncodeToString([]byte(backend+" signed")) + `"}]}`,
		}}
	}
	for name, projects := range map[string][]pool.Project{"one back end": mixed()[:1], "both": mixed()} {
		synctest.Test(t, func(t *testing.T) {
			google := &signers{}
			r := routerOver(t, google.RoundTrip, router.Config{}, projects...)
			for _, c := range []*dialogue{of("vertex"), of("gemini"), of("nobody")} {
				before, asked := google.refused, len(google.asked)
				for range 4 {
					if status, _ := c.turn(t, r, false); status != http.StatusOK {
						t.Errorf("%s: %d", name, status)
					}
				}
				if google.refused > before+1 {
					t.Errorf("%s: %d refusals in one conversation, want one at most", name, google.refused-before)
				}
				if by := google.asked[asked:]; google.refused > before && by[0] != by[1] {
					t.Errorf("%s: refused by %s, tried again by %s", name, by[0], by[1])
				}
			}
			for _, e := range r.Stat().Endpoints {
				if e.Cooldown.Class != "" || e.Breaker.Failures != 0 || e.Calls != 0 {
					t.Errorf("%s: %+v", name, e)
				}
			}
		})
	}
}

// A back end that refuses the placeholder too is believed.
func TestSignatureThatIsRefusedTwiceIsToldTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			n++
			return answerOf(400, `{"error":{"code":400,"message":"Thought signature is not valid","status":"INVALID_ARGUMENT"}}`), nil
		}, router.Config{})
		body := `{"contents":[{"role":"model","parts":[{"text":"x","thoughtSignature":"QUJD"}]}]}`
		resp, err := r.RoundTrip(gen(t.Context(), genPath, body))
		if status, got := read(t, resp, err); status != 400 || n != 2 || !strings.Contains(got, "not valid") {
			t.Errorf("%d %s after %d requests", status, got, n)
		}
		n = 0 // there is nothing to be replaced
		resp, err = r.RoundTrip(gen(t.Context(), genPath, strings.Replace(body, "QUJD", placeholder, 1)))
		if status, _ := read(t, resp, err); status != 400 || n != 1 {
			t.Errorf("%d after %d requests", status, n)
		}
	})
}

func TestNoConversationDiesOfASignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		google := &signers{fault: func(string) *http.Response {
			if random.IntN(5) > 0 {
				return nil
			}
			return [](func() *http.Response){
				func() *http.Response { return answerOf(503, failEvent) },
				func() *http.Response { return events(failEvent) },
				func() *http.Response { return answerOf(200, "<html></html>") },
				func() *http.Response {
					return answerOf(429, `{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED"}}`)
				},
			}[random.IntN(4)]()
		}}
		ps := mixed()
		ps = append(ps, keyed("studio-2", "k-2").pool)
		r := routerOver(t, google.RoundTrip, router.Config{Policy: router.PolicyRandom}, ps...)
		turns, statuses := make([]dialogue, 40), map[int]int{}
		for range 6 {
			for i := range turns {
				status, _ := turns[i].turn(t, r, i%2 == 0)
				statuses[status]++
				time.Sleep(time.Second)
			}
		}
		if google.refused != 0 || statuses[http.StatusBadRequest] != 0 {
			t.Errorf("%d refused; statuses %v", google.refused, slices.Sorted(maps.Keys(statuses)))
		}
		if failed := 240 - statuses[http.StatusOK]; failed > 2 {
			t.Errorf("%d of 240 turns failed: %v", failed, statuses)
		}
	})
}
