package translate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

func TestTheServedTierIsSaidInBothDialects(t *testing.T) {
	tests := []struct {
		tier, usage, want, back string
	}{
		{"flex", "", "ON_DEMAND_FLEX", "flex"},
		{"priority", "", "ON_DEMAND_PRIORITY", "priority"},
		{"standard", "", "ON_DEMAND", "standard"},
		{"", "PROVISIONED_THROUGHPUT", "PROVISIONED_THROUGHPUT", ""},
		{"flex", "ON_DEMAND", "ON_DEMAND", "standard"},
		{"", "", "", ""},
		{"bespoke", "", "", ""},
	}
	call := parse(t, "POST", "https://h/v1beta/models/m:generateContent", "{}")
	tr, lacks := translate.Call(&call, pool.BackendVertex, nil, []byte("{}"))
	if len(lacks) > 0 {
		t.Fatal(lacks)
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.tier != "" {
			h.Set("X-Gemini-Service-Tier", tt.tier)
		}
		traffic := translate.Traffic(h, tt.usage)
		if traffic != tt.want {
			t.Errorf("%+v: traffic %q", tt, traffic)
		}
		if got := translate.ServedTier(traffic); got != tt.back {
			t.Errorf("%+v: tier %q", tt, got)
		}
		h = http.Header{}
		if tr.ResponseHeader(h, traffic); h.Get("X-Gemini-Service-Tier") != tt.back {
			t.Errorf("%+v: header %v", tt, h)
		}
	}
}

func TestATierInTheHeaderThatTheGeminiAPIDoesNotHave(t *testing.T) {
	for address, body := range map[string]string{
		"m:generateContent":          `{}`,
		"text-embedding-005:predict": `{"instances":[{"content":"a"}]}`,
	} {
		call := parse(t, "POST", vertexHost+"v1beta1/"+published+address, body)
		_, lacks := translate.Call(&call, pool.BackendGemini, http.Header{"X-Vertex-Ai-Llm-Shared-Request-Type": {"turbo"}}, []byte(body))
		if len(lacks) != 1 || !strings.HasPrefix(lacks[0], "X-Vertex-Ai-Llm-Shared-Request-Type") {
			t.Errorf("%s: %q", address, lacks)
		}
	}
}

func TestTheTierOfAChatIsWhereTheOtherBackEndHasIt(t *testing.T) {
	const (
		gemini = "https://h/v1beta/openai/chat/completions"
		vertex = "https://h/v1beta1/projects/p/locations/l/endpoints/openapi/chat/completions"
		header = "X-Vertex-Ai-Llm-Shared-Request-Type"
	)
	for _, tt := range []struct {
		from, body, asked string // asked: the caller's header
		want, header      string
		lacks             string
	}{
		{gemini, `{"model":"m","service_tier":"flex"}`, "", `{"model":"google/m"}`, "flex", ""},
		{gemini, `{"model":"m","service_tier":"default"}`, "", `{"model":"google/m"}`, "", ""},
		{gemini, `{"model":"m","service_tier":"auto"}`, "", `{"model":"google/m"}`, "", ""},
		{gemini, `{"model":"m"}`, "priority", `{"model":"google/m"}`, "priority", ""},
		{gemini, `{"model":"m","service_tier":"scale"}`, "", "", "", "service_tier scale"},
		{vertex, `{"model":"google/m","service_tier":"flex"}`, "", `{"model":"m","service_tier":"flex"}`, "", ""},
		{vertex, `{"model":"google/m"}`, "priority", `{"service_tier":"priority","model":"m"}`, "", ""},
		{vertex, `{"model":"google/m"}`, "turbo", "", "", header + ": turbo"},
	} {
		call, h := parse(t, "POST", tt.from, tt.body), http.Header{}
		if tt.asked != "" {
			h.Set(header, tt.asked)
		}
		tr, lacks := translate.Call(&call, other(call.Backend), h, []byte(tt.body))
		if tt.lacks != "" {
			if len(lacks) != 1 || !strings.HasPrefix(lacks[0], tt.lacks) {
				t.Errorf("%s of %s lacks %q, want %s", tt.body, tt.from, lacks, tt.lacks)
			}
			continue
		}
		if len(lacks) > 0 {
			t.Errorf("%s of %s lacks %q", tt.body, tt.from, lacks)
			continue
		}
		tr.Header(h)
		if string(tr.Body) != tt.want || h.Get(header) != tt.header {
			t.Errorf("%s of %s is %s with %v, want %s with %q", tt.body, tt.from, tr.Body, h, tt.want, tt.header)
		}
	}
}

func TestAskedIsTheTierOfTheBodyOrElseOfTheHeader(t *testing.T) {
	for _, tt := range []struct {
		body, header string
		want         pool.Traffic
	}{
		{`{}`, "", ""},
		{`{}`, "Flex", pool.TrafficFlex},
		{`{"serviceTier":"priority"}`, "flex", pool.TrafficPriority},
		{`{"serviceTier":"standard"}`, "flex", pool.TrafficOnDemand},
		{`{"serviceTier":"unspecified"}`, "", ""},
		{`{"serviceTier":"turbo"}`, "", pool.TrafficOnDemand}, // Google says what is wrong with it
	} {
		call := parse(t, "POST", "https://h/v1beta/models/m:generateContent", tt.body)
		h := http.Header{"X-Vertex-Ai-Llm-Shared-Request-Type": {tt.header}}
		if got := translate.Asked(&call, h); got != tt.want {
			t.Errorf("%s with %q asks for %q, want %q", tt.body, tt.header, got, tt.want)
		}
	}
}
