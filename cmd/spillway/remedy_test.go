package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

const troubled = "gemini-3.5-flash"

// trouble is one cause for which calls are refused, as an operator meets it.
type trouble struct {
	name    string
	vertex  bool
	file    string // of its project, beside name, backend and keys
	google  geminitest.Config
	happens func(*geminitest.Emulator)
	header  string        // X-Vertex-AI-LLM-Request-Type of the calls
	calls   int           // until it is met
	every   time.Duration // from one call to the next

	cause, subject, do, page string
	probed                   bool // it ends when a probe succeeds
}

// theKey is the key of the only project, and hashOfTheKey how it is shown.
const theKey, hashOfTheKey = "the-key-of-prod", "4180b10212721f00"

func limitedTo(l geminitest.Limit) geminitest.Config {
	return geminitest.Config{Projects: []geminitest.Project{{ID: "prod", Keys: []string{theKey}, Limits: []geminitest.Limit{l}}}}
}

// order is an order in the file, of calls that go nowhere else.
const order = `locations = ["europe-west4"]
[[project.provisioned]]
model    = "gemini-3.5-flash"
location = "europe-west4"
gsus     = 1
`

func keeping(a geminitest.Answer) func(*geminitest.Emulator) {
	return func(google *geminitest.Emulator) { google.Keep(geminitest.Match{}, a) }
}

var anybody = geminitest.Config{Projects: []geminitest.Project{{ID: "prod", Keys: []string{theKey}}}}

var troubles = []trouble{
	{
		name: "the free tier's minute", google: limitedTo(geminitest.Limit{RPM: 2}), calls: 4,
		cause: "free_minute", subject: "model:prod/" + troubled, do: "set up billing", page: "https://aistudio.google.com/projects",
	},
	{
		name: "the free tier's day", google: limitedTo(geminitest.Limit{RPD: 2}), calls: 4,
		cause: "free_day", subject: "model:prod/" + troubled, do: "Wait for midnight", page: "https://aistudio.google.com/projects",
	},
	{
		name: "a paid minute", google: limitedTo(geminitest.Limit{RPM: 2, Paid: true}), calls: 4,
		cause: "paid_minute", subject: "model:prod/" + troubled, do: "move to a higher tier",
		page: "https://ai.google.dev/gemini-api/docs/rate-limits",
	},
	{
		name: "the spend rate", google: anybody, happens: keeping(geminitest.SpendRate()), calls: 2,
		cause: "spend_rate", subject: "project:prod", do: "send less or cheaper calls", page: "https://ai.google.dev/gemini-api/docs/rate-limits",
	},
	{
		name: "billing is off", vertex: true, google: anybody, happens: keeping(geminitest.BillingDisabled("prod")), calls: 2,
		cause: "billing_off", subject: "project:prod", do: "Link a billing account",
		page: "https://console.developers.google.com/billing/enable?project=prod", probed: true,
	},
	{
		name: "the prepaid credits are gone", google: anybody, happens: keeping(geminitest.PrepayDepleted(402)), calls: 2,
		cause: "prepay_gone", subject: "project:prod", do: "Buy credits", page: "https://aistudio.google.com/billing", probed: true,
	},
	{
		name: "an order is full", vertex: true, file: order, header: "dedicated", calls: 300,
		google: geminitest.Config{Projects: []geminitest.Project{{
			ID: "prod", Keys: []string{theKey}, Orders: []geminitest.Order{{Model: troubled, Location: "europe-west4", GSUs: 1}},
		}}},
		cause: "provisioned_full", subject: "order:prod/europe-west4/" + troubled, do: "Buy more GSUs",
		page: "https://console.cloud.google.com/vertex-ai/provisioned-throughput?project=prod",
	},
	{
		name: "an order does not serve", vertex: true, file: order, header: "dedicated", calls: 30, every: 10 * time.Second, google: anybody,
		cause: "order_bypassed", subject: "order:prod/europe-west4/" + troubled, do: "Check that the order is active",
		page: "https://console.cloud.google.com/vertex-ai/provisioned-throughput?project=prod",
	},
	{
		name: "contention", vertex: true, file: "locations = [\"eu\"]\n", calls: 20, every: 10 * time.Millisecond,
		google: geminitest.Config{
			Projects: []geminitest.Project{{ID: "prod", Keys: []string{theKey}}},
			Capacity: []geminitest.Capacity{{Location: "*", Requests: 0.5}},
		},
		cause: "contention", subject: "model:prod/eu/" + troubled, do: "Add locations, global first",
		page: "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429",
	},
	{
		name: "a key is revoked", google: anybody, happens: func(google *geminitest.Emulator) { google.Revoke(theKey) }, calls: 2,
		cause: "key_revoked", subject: "key:prod/" + hashOfTheKey, do: "Make a new key", page: "https://aistudio.google.com/apikey", probed: true,
	},
	{
		name: "the API is off", vertex: true, google: anybody, happens: keeping(geminitest.ServiceDisabled("prod")), calls: 2,
		cause: "api_off", subject: "project:prod", do: "Enable the Vertex AI API",
		page: "https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project=prod", probed: true,
	},
	{
		name: "a location lacks the model", vertex: true, file: "locations = [\"europe-west3\"]\n", calls: 2,
		google: geminitest.Config{Projects: []geminitest.Project{{
			ID: "prod", Keys: []string{theKey}, Locations: map[string][]string{"europe-west3": {}},
		}}},
		cause: "location_lacks_model", subject: "model:prod/europe-west3/" + troubled, do: "Add a location that has the model",
		page: "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations", probed: true,
	},
}

// met is a router that has met a trouble, and what it said.
type met struct {
	status, answer string
	log            []string
}

// meet makes calls until the last of them is refused.
func (x *trouble) meet(t *testing.T) met {
	t.Helper()
	backend := "gemini"
	if x.vertex {
		backend = "vertex"
	}
	file := fmt.Sprintf("[router]\nmax_wait = \"0s\"\n[[project]]\nname = \"prod\"\nbackend = %q\nkeys = [\"env:KEY\"]\n%s", backend, x.file)
	cfg, err := config.Parse("spillway.toml", []byte(file), config.WithEnv(func(string) (string, bool) { return theKey, true }))
	if err != nil {
		t.Fatal(err)
	}
	google := geminitest.New(x.google)
	if x.happens != nil {
		x.happens(google)
	}
	var lines strings.Builder
	logger := slog.New(slog.NewTextHandler(&lines, nil))
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google), router.WithLogger(logger))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var m met
	for range x.calls {
		time.Sleep(x.every)
		m.answer = x.call(t, r)
	}
	m.status, m.log = printed(t, r), strings.Split(lines.String(), "\n")
	return m
}

// call makes a call and returns its response.
func (x *trouble) call(t *testing.T, r *router.Router) string {
	t.Helper()
	path := "/v1beta/models/"
	if x.vertex {
		path = "/v1beta1/projects/any/locations/global/publishers/google/models/"
	}
	prompt := `{"contents":[{"role":"user","parts":[{"text":"` + strings.Repeat("word ", 2000) + `"}]}]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+path+troubled+":generateContent", strings.NewReader(prompt))
	if err != nil {
		t.Fatal(err)
	}
	if x.header != "" {
		req.Header.Set("X-Vertex-Ai-Llm-Request-Type", x.header)
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("HTTP %s\nSpillway-Why: %s\n\n%s\n", resp.Status, resp.Header.Get("Spillway-Why"), body)
}

// lacks returns what a text does not tell of the trouble. ends are words for when it ends.
func (x *trouble) lacks(text string, ends ...string) (missing []string) {
	for _, want := range []string{x.cause, x.subject, x.do, x.page} {
		if !strings.Contains(text, want) {
			missing = append(missing, want)
		}
	}
	for _, end := range ends {
		if strings.Contains(text, end) {
			return missing
		}
	}
	return append(missing, strings.Join(ends, " or "))
}

// TestEachTroubleIsToldByStatusTheAnswerAndTheLogAlone: an operator who sees only one of them knows the
// cause, what it is about, when it ends, and what to do.
func TestEachTroubleIsToldByStatusTheAnswerAndTheLogAlone(t *testing.T) {
	for _, x := range troubles {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := x.meet(t)
				t.Logf("status:\n%s\nanswer:\n%s\nlog:\n%s", m.status, m.answer, strings.Join(m.log, "\n"))
				statusEnds, ends := []string{" until 2000-"}, []string{" until 2000-", " until=2000-", " retry_at=2000-"}
				if x.probed {
					statusEnds, ends = []string{"tried again at 2000-"}, []string{"until a probe succeeds", `until="a probe succeeds"`}
				}
				if missing := x.lacks(m.status, statusEnds...); missing != nil {
					t.Errorf("status lacks %q", missing)
				}
				if missing := x.lacks(m.answer, ends...); missing != nil {
					t.Errorf("the answer lacks %q", missing)
				}
				told := false
				for _, line := range m.log {
					told = told || x.lacks(line, ends...) == nil
				}
				if !told {
					t.Error("no line of the log tells all of it")
				}
				for _, text := range []string{m.status, m.answer, strings.Join(m.log, "\n")} {
					if strings.Contains(text, theKey) {
						t.Error("the key is shown")
					}
				}
				for line := range strings.Lines(m.status) {
					if strings.Contains(line, "/on_demand") && strings.Contains(line, "  ready") && x.header == "" {
						t.Errorf("calls are refused, and status says %s", line)
					}
				}
			})
		})
	}
}

// TestAPoolThatRefusesNearlyAllSaysSoAndDoesNotFloodTheLog is what a newcomer met: an order that is full,
// a location that is paced, 2,874 of 2,948 calls refused, every endpoint "ready", and nothing in the log.
func TestAPoolThatRefusesNearlyAllSaysSoAndDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := trouble{
			vertex: true, file: order, calls: 2948, every: 25 * time.Second / 2948,
			google: geminitest.Config{
				Projects: []geminitest.Project{{
					ID: "prod", Keys: []string{theKey}, Orders: []geminitest.Order{{Model: troubled, Location: "europe-west4", GSUs: 1}},
				}},
				Capacity: []geminitest.Capacity{{Location: "*", Requests: 0.7}},
			},
		}
		m := x.meet(t)
		t.Logf("status:\n%s\nanswer:\n%s\nlog:\n%s", m.status, m.answer, strings.Join(m.log, "\n"))
		warnings := 0
		for _, line := range m.log {
			if !strings.Contains(line, "calls refused") {
				continue
			}
			warnings++
			for _, want := range []string{"level=WARN", " refused=", " of=", " why=", " retry_at=", " cause=", " by=", " remedy=", " page="} {
				if !strings.Contains(line, want) {
					t.Errorf("%s lacks %q", line, want)
				}
			}
		}
		if warnings < 1 || warnings > 4 {
			t.Errorf("%d warnings in 25 s, want 1 to 4", warnings)
		}
		var refused int
		if _, rest, ok := strings.Cut(m.status, troubled+": "); ok {
			_, _ = fmt.Sscanf(strings.ReplaceAll(rest, ",", ""), "%d of 2948 calls refused", &refused)
		}
		if refused < 2500 {
			t.Errorf("status says that %d of 2,948 calls were refused", refused)
		}
		for endpoint, cause := range map[string]string{"prod/europe-west4/provisioned": "provisioned_full", "prod/europe-west4/on_demand": "contention"} {
			row := row(m.status, troubled, "1", endpoint)
			if strings.HasSuffix(endpoint, "on_demand") {
				row = rowOf(m.status, endpoint)
			}
			if !strings.Contains(row, cause) || !strings.Contains(row, "until 2000-") || !strings.Contains(row, "could not serve 2,") ||
				strings.Contains(row, "ready") {
				t.Errorf("of %s status says %q", endpoint, row)
			}
		}
	})
}

// rowOf returns the row of an endpoint.
func rowOf(table, endpoint string) string {
	for line := range strings.Lines(table) {
		if strings.Contains(line, "  "+endpoint+"  ") {
			return line
		}
	}
	return ""
}

// TestStatusShowsAnOrderThatItsCallsGoPast: they are served, on demand, and the order is paid for.
func TestStatusShowsAnOrderThatItsCallsGoPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := trouble{
			vertex: true, file: order + "overflow = \"vertex\"\n", calls: 8, every: 30 * time.Second, google: anybody,
			cause: "order_bypassed", subject: "order:prod/europe-west4/" + troubled, do: "Check that the order is active",
			page: "https://console.cloud.google.com/vertex-ai/provisioned-throughput?project=prod",
		}
		m := x.meet(t)
		if !strings.HasPrefix(m.answer, "HTTP 200") {
			t.Fatalf("the call gets %s", m.answer)
		}
		if missing := x.lacks(m.status, "ready, order_bypassed, the order has not served a single call yet"); missing != nil {
			t.Errorf("status lacks %q:\n%s", missing, m.status)
		}
		told := false
		for _, line := range m.log {
			told = told || x.lacks(line, `until="the order serves a call"`) == nil
		}
		if !told {
			t.Errorf("no line of the log tells all of it: %s", m.log)
		}
	})
}
