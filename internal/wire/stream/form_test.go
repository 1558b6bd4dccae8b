package stream_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
)

// told feeds events to a stream of a form.
func told(f stream.Form, events ...string) *stream.Stream {
	f.SSE = true
	s := stream.New(f)
	for _, e := range events {
		_, _ = s.Write([]byte("data: " + e + "\n\n"))
	}
	return s
}

func TestLastEventWithCandidatesSaysWhetherAStreamIsFinished(t *testing.T) {
	const (
		text  = `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`
		stop  = `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`
		usage = `{"usageMetadata":{"totalTokenCount":1}}`
	)
	for _, tt := range []struct {
		name   string
		events []string
		want   bool
	}{
		{"none", []string{text}, false},
		{"at the end", []string{text, stop}, true},
		{"with usage behind it", []string{text, stop, usage, `{"candidates":[]}`}, true},
		{"in the middle only", []string{text, stop, text}, false},
		{"in the middle and at the end", []string{text, stop, text, stop}, true},
		{"in every one", []string{stop, stop}, true},
		{"by number", []string{`{"candidates":[{"finishReason":1}]}`}, true},
		{"by the number of nothing", []string{`{"candidates":[{"finishReason":0}]}`}, false},
		{"of one candidate of two", []string{`{"candidates":[{"index":0},{"index":1}]}`, `{"candidates":[{"finishReason":"STOP","index":0}]}`}, false},
		{"of both candidates", []string{`{"candidates":[{"index":0},{"index":1}]}`, `{"candidates":[{"finishReason":"STOP","index":1}]}`,
			`{"candidates":[{"finishReason":"MAX_TOKENS"}]}`}, true},
		{"of a blocked prompt", []string{`{"promptFeedback":{"blockReason":"SAFETY"}}`, usage}, true},
	} {
		if s := told(stream.Form{}, tt.events...); s.Finished() != tt.want {
			t.Errorf("finishReason %s: finished %v, want %v", tt.name, s.Finished(), tt.want)
		}
	}
}

func TestContentIsTextCallsDataOrAnEnd(t *testing.T) {
	part := func(part string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[` + part + `]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`
	}
	for event, want := range map[string]bool{
		part(`{"text":"x"}`):                                       true,
		part(`{"text":"thinking","thought":true}`):                 true,
		part(`{"functionCall":{"name":"f"}}`):                      true,
		part(`{"inlineData":{"mimeType":"audio/wav","data":"A"}}`): true,
		part(`{"somethingNew":{"a":1}}`):                           true,
		part(`{"text":""},{"text":"x"}`):                           true,
		part(`{"text":""}`):                                        false,
		part(`{"text":"","thoughtSignature":"QUJD"}`):              false,
		part(`{"thought":true}`):                                   false,
		part(`{"functionCall":{ }}`):                               false,
		part(``):                                                   false,
		`{"candidates":[{"content":{"role":"model"}}]}`:            false,
		`{"candidates":[{"finishReason":"STOP"}]}`:                 true,
		`{"candidates":[{"index":0}]}`:                             false,
		`{"candidates":[]}`:                                        false,
		`{"promptFeedback":{"safetyRatings":[]}}`:                  false,
		`{"promptFeedback":{"blockReason":"OTHER"}}`:               true,
		`{"usageMetadata":{"totalTokenCount":3}}`:                  false,
	} {
		s := told(stream.Form{}, event)
		if s.Content() != want || !s.Known() {
			t.Errorf("%s: content %v, want %v; Google's %v", event, s.Content(), want, s.Known())
		}
		_, _ = s.Write([]byte(`data: {"error":{"code":503}}` + "\n\n"))
		if s.FailureFirst() == want {
			t.Errorf("%s, then an error: it comes first %v", event, s.FailureFirst())
		}
	}
}

func TestEmptyStreamIsGooglesWithoutCandidates(t *testing.T) {
	for _, tt := range []struct {
		want   bool
		events []string
	}{
		{true, []string{`{"usageMetadata":{"promptTokenCount":1}}`}},
		{true, []string{`{"candidates":[]}`}},
		{true, []string{`{"candidates":[],"modelVersion":"m"}`, `{"usageMetadata":{}}`}},
		{true, []string{`{"promptFeedback":{}}`}},
		{false, nil},
		{false, []string{`{"status":"ok"}`}},
		{false, []string{`{}`}},
		{false, []string{`"text"`}},
		{false, []string{`{"candidates":[{}]}`}},
		{false, []string{`{"usageMetadata":{}}`, `{"error":{}}`}},
		{false, []string{`{"candidates":[{"finishReason":"STOP"}]}`}},
	} {
		s := told(stream.Form{}, tt.events...)
		if s.Close(); s.Empty() != tt.want {
			t.Errorf("%s: empty %v, want %v", tt.events, s.Empty(), tt.want)
		}
	}
}

func TestMaskedStreamsEndAsTheyCan(t *testing.T) {
	const content = `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`
	if s := told(stream.Form{Endless: true}, content); !s.Finished() || !s.Content() {
		t.Error("a mask without finishReason has none")
	}
	if s := told(stream.Form{Endless: true, Plain: true}, `{"usageMetadata":{}}`); !s.Finished() || !s.Content() {
		t.Error("a mask without candidates has none")
	}
}

func TestOpenAIsChunks(t *testing.T) {
	chunk := func(delta, reason string) string {
		return `{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + reason + `}]}`
	}
	for _, tt := range []struct {
		events            []string
		content, finished bool
		first             bool
	}{
		{[]string{chunk(`{"role":"assistant","content":""}`, "null")}, false, false, false},
		{[]string{chunk(`{"role":"assistant","content":"","tool_calls":[],"refusal":null}`, "null")}, false, false, false},
		{[]string{chunk(`{"content":"a"}`, "null")}, true, false, false},
		{[]string{chunk(`{"tool_calls":[{"id":"f"}]}`, "null")}, true, false, false},
		{[]string{chunk(`{"content":"a"}`, "null"), chunk(`{}`, `"stop"`)}, true, true, false},
		{[]string{chunk(`{"content":"a"}`, `"stop"`), chunk(`{"content":"b"}`, "null")}, true, false, false},
		{[]string{chunk(`{"content":"a"}`, "null"), "[DONE]"}, true, true, false},
		{[]string{`{"choices":[{"text":"a","index":0}]}`}, true, false, false},
		{[]string{`[{"error":{"code":503,"status":"UNAVAILABLE"}}]`}, false, false, true},
		{[]string{chunk(`{"role":"assistant"}`, "null"), `{"error":{"code":503}}`}, false, false, true},
		{[]string{chunk(`{"content":"a"}`, "null"), `{"error":{"code":503}}`}, true, false, false},
	} {
		s := told(stream.Form{Dialect: stream.OpenAI}, tt.events...)
		if s.Content() != tt.content || s.Finished() != tt.finished || s.FailureFirst() != tt.first {
			t.Errorf("%s: content %v, finished %v, error first %v", tt.events, s.Content(), s.Finished(), s.FailureFirst())
		}
	}
}

func TestOnlyErrorsOfOtherStreamsAreUnderstood(t *testing.T) {
	if s := told(stream.Form{Dialect: stream.Other}, `{"type":"error","error":{"type":"overloaded_error"}}`); !s.FailureFirst() {
		t.Error("an error in the first event is none")
	}
	if s := told(stream.Form{Dialect: stream.Other}, `{"type":"message_start"}`); !s.Content() || !s.Finished() || s.FailureFirst() {
		t.Error("any other event is content")
	}
}

func TestSignaturesOfAnAnswerAreThoseOfTheNextTurn(t *testing.T) {
	part := func(signature string) string { return `{"text":"x","thoughtSignature":"` + signature + `"}` }
	signed := stream.Form{Signed: true}
	s := told(signed, `{"candidates":[{"content":{"parts":[`+part("+/8=")+`,{"functionCall":{"args":{"thoughtSignature":"no"}},"thought_signature":"QUJD"}]}}]}`)
	got := s.Signatures()
	var want []string
	request.Signatures([]byte(`{"contents":[{"role":"user","parts":{"text":"q"}},{"role":"model","parts":[`+part("-_8")+`,`+part(`QUJD`)+`]}]}`),
		func(name string) { want = append(want, name) })
	if len(got) != 2 || !slices.Equal(got, want) {
		t.Errorf("the answer has %q, the next turn %q", got, want)
	}
	if more := s.Signatures(); more != nil {
		t.Errorf("told again: %q", more)
	}
	if s := told(stream.Form{}, `{"candidates":[{"content":{"parts":[`+part("QUJD")+`]}}]}`); s.Signatures() != nil {
		t.Error("read although nobody wants them")
	}
	if whole := stream.Whole(signed, []byte(`[{"candidates":[{"content":{"parts":[`+part("QUJD")+`]}}]}]`)); !slices.Equal(whole.Signatures(), want[1:]) {
		t.Error("a whole answer has others")
	}
}

func TestPlaceholderTakesTheirPlace(t *testing.T) {
	const skip = request.Placeholder
	body := `{"contents":[{"parts":[{"text":"thoughtSignature","thoughtSignature":"QUJD"},{"functionCall":{"args":{"thoughtSignature":"QUJD"}},"thought_signature" : "RUZH"}]},` +
		`{"parts":{"thoughtSignature":"` + skip + `"}}],"tools":[{"thoughtSignature":"QUJD"}]}`
	var names []string
	request.Signatures([]byte(body), func(name string) { names = append(names, name) })
	if len(names) != 2 {
		t.Fatalf("names are %q", names)
	}
	for _, tt := range []struct {
		choose func(string) bool
		want   string
	}{
		{func(string) bool { return false }, body},
		{func(name string) bool { return name == names[1] }, strings.Replace(body, "RUZH", skip, 1)},
		{func(string) bool { return true }, strings.Replace(strings.Replace(body, "RUZH", skip, 1), `thoughtSignature":"QUJD"},`, `thoughtSignature":"`+skip+`"},`, 1)},
	} {
		got, changed := request.Unsign([]byte(body), tt.choose)
		if string(got) != tt.want || changed != (tt.want != body) {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
	encoded := `c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=` // as SDKs send it whose field is bytes
	if name := request.SignatureName([]byte(encoded)); name != "" {
		t.Errorf("an encoded placeholder is %q", name)
	}
	if name := request.SignatureName([]byte("context_engineering_is_the_way_to_go")); name != request.OtherPlaceholder {
		t.Errorf("the other placeholder is %q", name)
	}
}

func FuzzUnsignNeverPanics(f *testing.F) {
	f.Add(`{"contents":[{"parts":[{"thoughtSignature":"QUJD"`)
	f.Add(`{"contents":{"parts":{"thought_signature":"`)
	f.Add(`data: {"candidates":[{"content":{"parts":[{"functionCall":{`)
	f.Fuzz(func(_ *testing.T, body string) {
		request.Unsign([]byte(body), func(string) bool { return true })
		for _, d := range []stream.Dialect{stream.Gemini, stream.OpenAI, stream.Other} {
			s := stream.Whole(stream.Form{Dialect: d, Signed: true}, []byte(body))
			s.Close()
		}
	})
}
