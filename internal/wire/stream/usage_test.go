package stream_test

import (
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/pool"
)

// TestUsageByNumbers has what a caller gets who asks for the numbers of enums.
func TestUsageByNumbers(t *testing.T) {
	u := stream.ParseUsage([]byte(`{"usageMetadata":{"promptTokenCount":9,"trafficType":2,"promptTokensDetails":[{"modality":4,"tokenCount":7},{"modality":1,"tokenCount":2}]}}`))
	if u.Traffic != "PROVISIONED_THROUGHPUT" || u.PromptDetails.Audio != 7 || u.PromptDetails.Text != 2 {
		t.Errorf("%+v", u)
	}
}

func TestParseUsage(t *testing.T) {
	full := `{"promptTokenCount":1,"cachedContentTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":4,"toolUsePromptTokenCount":5,
		"totalTokenCount":15,"promptTokensDetails":[{"modality":"TEXT","tokenCount":1},{"tokenCount":6,"modality":"AUDIO"},{"modality":"IMAGE","tokenCount":7},
			{"modality":"VIDEO","tokenCount":70},{"modality":"DOCUMENT","tokenCount":71},{"modality":"SMELL","tokenCount":72},{"tokenCount":73},"odd"],
		"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":8},{"modality":"IMAGE","tokenCount":80}],
		"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":9},{"modality":"AUDIO","tokenCount":10},{"modality":"AUDIO","tokenCount":1}],
		"trafficType":"PROVISIONED_THROUGHPUT","serviceTier":{"x":[1]}}`
	all := stream.Usage{Known: true, Prompt: 1, Cached: 2, Output: 3, Thoughts: 4, ToolUse: 5, Total: 15,
		PromptDetails: pool.Modalities{Text: 1, Audio: 6, Image: 7, Video: 70, Document: 71}, CachedDetails: pool.Modalities{Audio: 8, Image: 80},
		OutputDetails: pool.Modalities{Image: 9, Audio: 11}, Traffic: "PROVISIONED_THROUGHPUT"}
	tests := []struct {
		name, body string
		want       stream.Usage
	}{
		{"nothing", "", stream.Usage{}},
		{"not JSON", "usageMetadata", stream.Usage{}},
		{"an answer", `{"candidates":[{"content":{"parts":[{"text":"\"usageMetadata\":{\"promptTokenCount\":99}"}]}}],"usageMetadata":` + full + `}`, all},
		{"an array, the last counts", `[{"usageMetadata":{"promptTokenCount":7,"thoughtsTokenCount":70}},{"usageMetadata":` + full + `},{"x":1}]`, all},
		{"the last of two", `{"usageMetadata":{"promptTokenCount":7},"usageMetadata":{"promptTokenCount":8}}`, stream.Usage{Known: true, Prompt: 8}},
		{"traffic alone tells no counts", `{"usageMetadata":{"trafficType":"ON_DEMAND"}}`, stream.Usage{Traffic: "ON_DEMAND"}},
		{"traffic that is new", `{"usageMetadata":{"promptTokenCount":1,"trafficType":"ON_DEMAND_OFF\u0050EAK"}}`, stream.Usage{Known: true, Prompt: 1, Traffic: "ON_DEMAND_OFFPEAK"}},
		{"embeddings", `{"embeddings":[{"values":[0.1,-2e-3]}],"metadata":{"billableCharacterCount":4}}`, stream.Usage{}},
		{"countTokens", `{"totalTokens":31,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":31}]}`, stream.Usage{}},
		{"usage within an answer's text is no usage", `{"candidates":[{"usageMetadata":{"promptTokenCount":99}}]}`, stream.Usage{}},
		{"cached tokens in the details alone", `{"usageMetadata":{"promptTokenCount":40,"cacheTokensDetails":[{"modality":"TEXT","tokenCount":12},{"modality":"IMAGE","tokenCount":8}]}}`,
			stream.Usage{Known: true, Prompt: 40, Cached: 20, CachedDetails: pool.Modalities{Text: 12, Image: 8}}},
		{"null", `{"usageMetadata":null}`, stream.Usage{}},
		{"numbers as strings", `{"usageMetadata":{"promptTokenCount":"12","totalTokenCount":"x"}}`, stream.Usage{Known: true, Prompt: 12}},
		{"impossible numbers", `{"usageMetadata":{"promptTokenCount":-3,"totalTokenCount":1e99}}`, stream.Usage{Known: true, Total: 1<<31 - 1}},
		{"cut", `{"usageMetadata":{"promptTokenCount":12,"totalTok`, stream.Usage{Known: true, Prompt: 12}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stream.ParseUsage([]byte(tt.body)); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			whole := stream.Whole(stream.Form{}, []byte(tt.body))
			if got := whole.Usage(); got != tt.want {
				t.Errorf("Whole: got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func BenchmarkParseUsage(b *testing.B) {
	for name, n := range map[string]int{"1KB": 1 << 10, "1MB": 1 << 20} {
		body := []byte(`{"candidates":[{"content":{"parts":[{"text":"` + strings.Repeat(`A line\nof \"text\". `, n/20) + `"}],"role":"model"},"finishReason":"STOP"}],` +
			`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":50,"totalTokenCount":60,"trafficType":"ON_DEMAND"}}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if !stream.ParseUsage(body).Known {
					b.Fatal("unknown")
				}
			}
		})
	}
}

func TestTheModelThatAnsweredIsReadWithoutAllocationIfItWasAsked(t *testing.T) {
	body := func(version string) []byte {
		return []byte(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":1},` + version + `}`)
	}
	for _, tt := range []struct{ version, want string }{
		{`"modelVersion":"asked"`, ""},
		{`"modelVersion":"other"`, "other"},
		{`"model_version":"other"`, "other"},
		{`"modelVersion":"ot\u0068er"`, "other"},
		{`"modelVersion":null`, ""},
		{`"modelVersion":""`, ""},
		{`"modelVersion":{"a":1}`, ""},
		{`"responseId":"r"`, ""},
	} {
		s := stream.Whole(stream.Form{Model: "asked"}, body(tt.version))
		if u := s.Usage(); u.Served != tt.want || u.Total != 1 {
			t.Errorf("%s is read as %+v, want %q", tt.version, u, tt.want)
		}
	}
	events := stream.New(stream.Form{SSE: true, Model: "asked"})
	for _, version := range []string{"other", "other", "asked", "another"} {
		_, _ = events.Write([]byte("data: {\"candidates\":[],\"modelVersion\":\"" + version + "\"}\n\n"))
	}
	if u := events.Usage(); u.Served != "another" {
		t.Errorf("the last model counts, and %q is read", u.Served)
	}
	asked := body(`"modelVersion":"asked"`)
	if n := testing.AllocsPerRun(100, func() { _ = stream.Whole(stream.Form{Model: "asked"}, asked) }); n > 0 {
		t.Errorf("reading the model that was asked for allocates %v times", n)
	}
}
