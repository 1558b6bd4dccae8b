package metrics_test

import (
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const flash = "gemini-3.5-flash"

// bed is a router over an emulator, with its metrics in a registry that checks them.
type bed struct {
	*geminitest.Emulator

	router   *router.Router
	registry *prometheus.Registry
}

// newBed makes a bed with a project of the Developer API, "studio", and one of Vertex AI, "prod".
func newBed(t testing.TB, google geminitest.Config, p pool.Config, opts ...router.Option) *bed {
	t.Helper()
	b := &bed{Emulator: geminitest.New(google), registry: prometheus.NewPedanticRegistry()}
	m := metrics.New()
	opts = append([]router.Option{router.WithTransport(b.Emulator), router.WithTrace(m.Trace())}, opts...)
	r, err := router.New(p, router.Config{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	b.router = r
	if err := b.registry.Register(m.Collector(r)); err != nil {
		t.Fatal(err)
	}
	return b
}

// studio is a project of the Developer API with one key.
func studio() (geminitest.Config, pool.Config) {
	return geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"k-studio"}}}},
		pool.Config{Projects: []pool.Project{{
			Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-studio")},
		}}}
}

// ask makes a call and reads its response. It returns the status; 0 if there was no response.
func (b *bed) ask(t testing.TB, model, method, body string, headers ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://generativelanguage.googleapis.com/v1beta/models/"+model+":"+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.router.RoundTrip(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// call asks for content.
func (b *bed) call(t testing.TB, model string, headers ...string) int {
	t.Helper()
	return b.ask(t, model, "generateContent", `{"contents":[{"role":"user","parts":[{"text":"What is a spillway?"}]}]}`, headers...)
}

// families returns everything that is registered.
func (b *bed) families(t testing.TB) []*dto.MetricFamily {
	t.Helper()
	all, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// values returns every series that begins with a prefix, as `name{label="value",…}`, with its value:
// of a histogram its sum and its count.
func (b *bed) values(t testing.TB, prefix string) map[string]float64 {
	t.Helper()
	values := make(map[string]float64)
	for _, f := range b.families(t) {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := labelsOf(m)
			switch f.GetType() {
			case dto.MetricType_HISTOGRAM:
				values[f.GetName()+"_sum"+labels] = m.GetHistogram().GetSampleSum()
				values[f.GetName()+"_count"+labels] = float64(m.GetHistogram().GetSampleCount())
			case dto.MetricType_COUNTER:
				values[f.GetName()+labels] = m.GetCounter().GetValue()
			default:
				values[f.GetName()+labels] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func labelsOf(m *dto.Metric) string {
	all := make([]string, 0, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		all = append(all, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	sort.Strings(all)
	if len(all) == 0 {
		return ""
	}
	return "{" + strings.Join(all, ",") + "}"
}
