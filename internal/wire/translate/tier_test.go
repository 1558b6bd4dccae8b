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
