package router_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// specimen is an error body as a user met it, with the outcome wanted.
type specimen struct {
	ID      string
	Backend string
	Status  int
	Want    struct {
		Class     pool.Class
		Elsewhere bool
		Rests     string
		Until     string
	}
	Body json.RawMessage
}

func specimens(t *testing.T) []specimen {
	t.Helper()
	data, err := os.ReadFile("../internal/wire/verdict/testdata/google_errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []specimen
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 26 {
		t.Fatalf("the corpus has %d bodies", len(all))
	}
	return all
}

// TestEveryBodyOfTheCorpusHasItsOutcome sends each body, and mutations of it, through the whole
// router: from an emulator that answers with it, to the calls after it.
func TestEveryBodyOfTheCorpusHasItsOutcome(t *testing.T) {
	for _, s := range specimens(t) {
		t.Run(s.ID, func(t *testing.T) {
			for name, body := range mutations(s) {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { s.check(t, body) })
				})
			}
		})
	}
}

// mutations are the body as it was met, and as it might be met next.
func mutations(s specimen) map[string][]byte {
	all := map[string][]byte{"as met": s.Body}
	var text string
	if json.Unmarshal(s.Body, &text) == nil {
		all["as met"] = []byte(text) // it came as plain text
		return all
	}
	change := func(name string, change func(e map[string]any)) {
		var whole any
		_ = json.Unmarshal(s.Body, &whole)
		e := whole
		if list, ok := whole.([]any); ok {
			e = list[0]
		}
		change(e.(map[string]any)["error"].(map[string]any))
		all[name], _ = json.Marshal(whole)
	}
	change("details in another order", func(e map[string]any) {
		details, _ := e["details"].([]any)
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(details), func(i, j int) { details[i], details[j] = details[j], details[i] })
	})
	change("unknown details", func(e map[string]any) {
		details, _ := e["details"].([]any)
		unknown := map[string]any{"@type": "type.googleapis.com/google.rpc.Unheard", "reason": "NEW_REASON", "violations": "none", "retryDelay": 12}
		e["details"] = append([]any{unknown}, append(details, "text", unknown)...)
		e["unheard"] = []any{1, nil, map[string]any{"of": true}}
	})
	all["in an array"] = []byte("[" + string(s.Body) + "]")
	other := strings.NewReplacer("gemini-2.5-flash", "gemini-9-ultra", "gemini-3.1-flash-lite-image", "gemini-9-ultra", "rhel-lightspeed", "some-project",
		"projects/ID", "projects/other", "000000000000", "123456789012", "us-central1", "europe-north1", "PROJECT", "another")
	all["another model and project"] = []byte(other.Replace(string(s.Body)))
	all["other numbers"] = []byte(strings.NewReplacer(`"quotaValue": "500"`, `"quotaValue": "1500"`, "limit: 500", "limit: 1500", `"quotaValue": "20"`,
		`"quotaValue": "7"`, "1048576", "2097152").Replace(string(s.Body)))
	return all
}

// check makes one call that is answered with the body, and looks at those after it.
func (s specimen) check(t *testing.T, body []byte) {
	b := s.bed(t)
	c := b.client(t)
	answer := geminitest.Answer{Status: s.Status, Body: body, Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}}}
	stream := s.Status == http.StatusOK
	if stream {
		answer = answer.AfterEvents(0)
	}
	b.Script(geminitest.Match{Project: "a"}, answer)

	from, err := s.call(t, c, stream)
	if !s.Want.Elsewhere {
		if e := apiError(t, err); e.Code != s.Status || len(b.Requests()) != 1 {
			t.Errorf("the caller got %v after %d requests, want Google's answer after one", err, len(b.Requests()))
		}
		return
	}
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}
	if n := len(b.Requests()); n != 2 {
		t.Errorf("the call cost %d requests, want 2; answered by %s", n, from)
	}

	class, until := s.resting(b)
	if class != s.Want.Class {
		t.Fatalf("class %q, want %q", class, s.Want.Class)
	}
	s.checkScope(t, b, c, from)
	s.checkEnd(t, b, c, until)
}

// bed is two projects, of which a is preferred, each with more than one of everything.
func (s specimen) bed(t *testing.T) *bed {
	if s.Backend == "gemini" {
		return twoProjects(t)
	}
	pa, pb := vertexed("a", "global", "europe-west4"), vertexed("b", "us-central1")
	pb.pool.Priority = 1
	if s.Want.Rests == "provisioned order" {
		pa.order(flash, "europe-west4", 10)
	}
	return setup{}.bed(t, pa, pb)
}

func (s specimen) call(t *testing.T, c *genai.Client, stream bool) (from string, err error) {
	if !stream {
		resp, err := ask(t.Context(), c, flash)
		if err != nil {
			return "", err
		}
		return endpoint(resp), nil
	}
	_, endpoints, err := listen(t.Context(), c)
	for from = range endpoints { // there is one
	}
	return from, err
}

// resting returns the class of what rests now, and until when. What counts in a breaker rests
// nothing.
func (s specimen) resting(b *bed) (pool.Class, time.Time) {
	stat := b.router.Stat()
	for _, p := range stat.Projects {
		for _, k := range p.Keys {
			if k.Cooldown.Class != "" {
				return k.Cooldown.Class, k.Cooldown.Until
			}
		}
	}
	for _, e := range stat.Endpoints {
		if e.Cooldown.Class != "" {
			return e.Cooldown.Class, e.Cooldown.Until
		}
		for _, part := range e.Parts {
			return part.Class, part.Until
		}
	}
	for _, e := range stat.Endpoints {
		if e.Breaker.Failures > 0 {
			return s.Want.Class, time.Time{} // overloaded and server_fault are alike to the pool
		}
	}
	return "", time.Time{}
}

// checkScope looks at who is asked after the error: what rests is not, everything beside it is.
func (s specimen) checkScope(t *testing.T, b *bed, c *genai.Client, from string) {
	t.Helper()
	const pro = "gemini-2.5-pro"
	count := func(m geminitest.Match) int { return b.Count(m) }
	before := count(geminitest.Match{Project: "a", Model: flash})
	expect := func(model, want string) {
		t.Helper()
		resp, err := ask(t.Context(), c, model)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if got := endpoint(resp); got != want {
			t.Errorf("%s is asked of %s, want %s", model, got, want)
		}
	}
	first, second := "a/global/on_demand", "b/global/on_demand"
	if s.Backend == "vertex" {
		second = "a/europe-west4/on_demand"
	}
	switch s.Want.Rests {
	case "project+model":
		if s.Backend == "vertex" {
			second = "b/us-central1/on_demand"
		}
		expect(flash, second)
		expect(pro, first)
		if n := count(geminitest.Match{Project: "a", Model: flash}); n != before {
			t.Errorf("project a was asked for the resting model")
		}
	case "project":
		if s.Backend == "vertex" {
			second = "b/us-central1/on_demand"
		}
		expect(flash, second)
		expect(pro, second)
	case "project+location+model", "project+location+model, this method and version":
		expect(flash, second)
		expect(pro, first)
	case "provisioned order":
		expect(flash, first)
		if n := count(geminitest.Match{Traffic: "dedicated"}); n != 1 {
			t.Errorf("the order was asked %d times, want once", n)
		}
	case "key":
		if from != first {
			t.Errorf("answered by %s, want a's other key", from)
		}
		expect(flash, first)
		expect(pro, first)
		if n := count(geminitest.Match{Key: "key-a1"}); n != 1 {
			t.Errorf("the dead key was asked %d times, want once", n)
		}
	case "endpoint+model (breaker)":
		expect(pro, first)
		expect(flash, first) // one failure opens no breaker
	default:
		t.Errorf("the corpus wants %q to rest, which this test does not know", s.Want.Rests)
	}
}

// checkEnd looks at when the rest ends.
func (s specimen) checkEnd(t *testing.T, b *bed, c *genai.Client, until time.Time) {
	t.Helper()
	in := time.Until(until)
	switch s.Want.Until {
	case "hint":
		if in <= 0 || in > 72*time.Second {
			t.Errorf("rests for another %v, want the hint of up to 65 s", in)
		}
	case "midnight_pacific":
		la, _ := time.LoadLocation("America/Los_Angeles")
		if at := until.In(la); at.Hour() != 0 || at.Minute() != 0 || in > 25*time.Hour {
			t.Errorf("rests until %v", at)
		}
	case "backoff":
		most := 2 * time.Second
		if c := s.Want.Class; c == pool.ClassSpendRate {
			most = 33 * time.Second
		} else if c == pool.ClassProjectNotReady || c == pool.ClassMinuteQuota {
			most = 66 * time.Second
		}
		if in > most {
			t.Errorf("rests for another %v, want at most %v", in, most)
		}
	case "probe", "reload":
		if !until.IsZero() {
			t.Errorf("rests until %v, want until a probe succeeds", until)
		}
	default:
		t.Errorf("the corpus wants an end %q, which this test does not know", s.Want.Until)
	}
	// Whatever it was, once it is over a is asked again, and stays.
	time.Sleep(25 * time.Hour)
	for range 2 {
		resp, err := ask(t.Context(), c, flash)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(endpoint(resp), "a/") {
			t.Errorf("a day later answered by %s", endpoint(resp))
		}
	}
	if s.Want.Rests == "key" {
		if n := b.Count(geminitest.Match{Key: "key-a1"}); n < 2 {
			t.Errorf("the key was never probed")
		}
	}
	if rest := fmt.Sprint(b.router.Stat().Projects); strings.Contains(rest, "key-a1") {
		t.Errorf("Stat shows a key: %s", rest)
	}
}
