package translate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

// alone gives every value of a type in which one thing is set, however deep, with the path to it.
// For each message on the way it also gives one in which nothing is set. A type inside itself is
// followed once.
func alone(t reflect.Type, field string, seen ...reflect.Type) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		switch {
		case t == reflect.TypeFor[time.Time]():
			yield("", reflect.ValueOf(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)))
		case t == reflect.TypeFor[genai.ServiceTier]():
			yield("", reflect.ValueOf(genai.ServiceTierFlex))
		case t == reflect.TypeFor[*genai.HTTPOptions](), t == reflect.TypeFor[*genai.HTTPResponse]():
			// never sent
		case t == reflect.TypeFor[[]byte]():
			yield("", reflect.ValueOf([]byte("bytes")))
		case t.Kind() == reflect.Pointer:
			for path, v := range alone(t.Elem(), field, seen...) {
				p := reflect.New(t.Elem())
				p.Elem().Set(v)
				if !yield(path, p) {
					return
				}
			}
		case t.Kind() == reflect.Slice:
			for path, v := range alone(t.Elem(), field, seen...) {
				if !yield(path, reflect.Append(reflect.MakeSlice(t, 0, 1), v)) {
					return
				}
			}
		case t.Kind() == reflect.Map:
			for path, v := range alone(t.Elem(), field, seen...) {
				m := reflect.MakeMap(t)
				m.SetMapIndex(reflect.ValueOf("key"), v)
				if !yield(path, m) {
					return
				}
			}
		case t.Kind() == reflect.Interface:
			yield("", reflect.ValueOf(map[string]any{"type": "object"}))
		case t.Kind() == reflect.Struct && t.Name() == "Date":
			v := reflect.New(t).Elem()
			v.FieldByName("Year").SetInt(2026)
			v.FieldByName("Month").SetInt(2)
			v.FieldByName("Day").SetInt(3)
			yield("", v)
		case t.Kind() == reflect.Struct:
			if !yield("", reflect.Zero(t)) || slices.Contains(seen, t) {
				return
			}
			for i := range t.NumField() {
				f := t.Field(i)
				if !f.IsExported() {
					continue
				}
				for path, v := range alone(f.Type, f.Name, append(seen, t)...) {
					s := reflect.New(t).Elem()
					s.Field(i).Set(v)
					if !yield(strings.TrimSuffix(f.Name+"."+path, "."), s) {
						return
					}
				}
			}
		default:
			v := reflect.New(t).Elem()
			switch t.Kind() {
			case reflect.String:
				v.SetString("x")
				if field == "FileURI" {
					v.SetString("https://example.com/a.png")
				}
			case reflect.Bool:
				v.SetBool(true)
			case reflect.Int, reflect.Int32, reflect.Int64:
				v.SetInt(1)
				if t == reflect.TypeFor[time.Duration]() {
					v.SetInt(int64(time.Second))
				}
			case reflect.Float32, reflect.Float64:
				v.SetFloat(0.5)
			default:
				panic("the SDK has a field of a kind that this test does not know: " + field + " " + t.String())
			}
			yield("", v)
		}
	}
}

// value reads JSON with its numbers as they are.
func value(tb testing.TB, body []byte) any {
	tb.Helper()
	if len(body) == 0 {
		return map[string]any{}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		tb.Fatalf("%v in %s", err, body)
	}
	return v
}

// renamed are the fields that the SDK's messages call by another name than the wire does.
var renamed = map[string]string{
	"modelSelectionConfig":     "modelConfig",
	"generationOutputConfig":   "outputConfig",
	"outputMimeType":           "imageOutputOptions",
	"outputCompressionQuality": "imageOutputOptions",
}

// faithful checks the translation of a request against the one that the SDK makes itself, or
// against the SDK's refusal to. Empty is the request without what is to be checked.
func faithful(t *testing.T, path string, from pool.Backend, asked, want, empty exchange) {
	t.Helper()
	call := asked.call()
	tr, lacks := translate.Call(&call, other(from), asked.req.Header, asked.body)
	if want.err != nil {
		if cmp.Equal(value(t, asked.body), value(t, empty.body)) {
			return // the SDK left it out itself
		}
		name, _, found := strings.Cut(want.err.Error(), " parameter is only supported")
		if to, ok := renamed[name]; ok {
			name = to
		}
		if len(lacks) == 0 || found && !strings.Contains(strings.Join(lacks, "\n"), name) {
			t.Errorf("%s from %s: the SDK says %q, we say %q\n%s", path, from, want.err, lacks, asked.body)
		}
		return
	}
	if path == "Config.CachedContent" {
		if len(lacks) == 0 {
			t.Errorf("%s from %s: a cache that lives with its owner was translated", path, from)
		}
		return
	}
	// What the SDK refuses anywhere else for the Gemini API it lets pass in embeddings.
	passed := call.Model != "gemini-2.5-flash" && strings.HasPrefix(path, "Contents.Parts.FunctionCall.")
	if passed && from == pool.BackendVertex && len(lacks) > 0 {
		return
	}
	if len(lacks) > 0 {
		t.Errorf("%s from %s: %q, but the SDK can say it", path, from, lacks)
		return
	}
	expected := value(t, want.body)
	header := asked.req.Header.Clone()
	tr.Header(header)
	if path == "Config.ServiceTier" && from == pool.BackendGemini {
		// The SDK writes into the body of Vertex AI what is documented as a header.
		delete(expected.(map[string]any), "serviceTier")
		if got := header.Get("X-Vertex-Ai-Llm-Shared-Request-Type"); got != "flex" {
			t.Errorf("the tier became %q", got)
		}
	}
	if call.Method == "predict" {
		asUser(expected)
	}
	if diff := cmp.Diff(expected, value(t, tr.Body)); diff != "" {
		t.Errorf("%s from %s (-SDK +ours):\n%s", path, from, diff)
	}
	back, lacks := translate.Call(&tr.Call, from, header, tr.Body)
	if len(lacks) > 0 {
		if !passed {
			t.Errorf("%s from %s: there is no way back: %q", path, from, lacks)
		}
		return
	}
	own := value(t, asked.body)
	if path == "Config.ServiceTier" && from == pool.BackendVertex {
		delete(own.(map[string]any), "serviceTier")
		if back.Header(header); header.Get("X-Vertex-Ai-Llm-Shared-Request-Type") != "flex" {
			t.Errorf("the tier came back as %v", header)
		}
	}
	if tr.Call.Method == "predict" {
		asUser(own)
	}
	if diff := cmp.Diff(own, value(t, back.Body)); diff != "" || back.Call.URL(home(from)).String() != asked.req.URL.String() {
		t.Errorf("%s from %s and back (-it was +it is):\n%s\n%s", path, from, diff, back.Call.URL(home(from)))
	}
	if got := tr.Call.URL(home(other(from))); got == nil || got.String() != want.req.URL.String() {
		t.Errorf("%s from %s: address %v, the SDK's is %s", path, from, got, want.req.URL)
	}
	if again := request.Parse(want.req.Method, want.req.URL, want.body); again.Method != tr.Call.Method || again.Model != tr.Call.Model ||
		again.Version != tr.Call.Version || again.Backend != tr.Call.Backend || again.SSE != tr.Call.SSE {
		t.Errorf("%s from %s: the call is %+v, the SDK's reads %+v", path, from, tr.Call, again)
	}
}

// asUser makes the user say what a batchEmbedContents embeds: predict has no roles to take over.
func asUser(batch any) {
	for _, r := range batch.(map[string]any)["requests"].([]any) {
		r.(map[string]any)["content"].(map[string]any)["role"] = "user"
	}
}

// everyField checks what a kind of call can ask, field by field, in both directions. It returns
// what was checked, and what neither back end takes.
func everyField[T any](t *testing.T, base T, ask func(*genai.Client, T) error) (checked map[string]bool, neither []string) {
	t.Helper()
	clients := map[pool.Backend]*sdk{}
	empty := map[pool.Backend]exchange{}
	for _, b := range backends {
		clients[b] = newSDK(t, b)
		empty[b] = clients[b].send(func(c *genai.Client) error { return ask(c, base) })
	}
	checked = map[string]bool{}
	for path, v := range alone(reflect.TypeFor[T](), "") {
		v := merge(base, v)
		made := map[pool.Backend]exchange{}
		for _, b := range backends {
			made[b] = clients[b].send(func(c *genai.Client) error { return ask(c, v) })
		}
		if made[pool.BackendGemini].err != nil && made[pool.BackendVertex].err != nil {
			neither = append(neither, path)
		}
		for _, from := range backends {
			if made[from].err == nil {
				faithful(t, path, from, made[from], made[other(from)], empty[from])
				checked[path] = true
			}
		}
	}
	return checked, neither
}

// merge is a struct with the fields of v, and those of base where v has none.
func merge[T any](base T, v reflect.Value) T {
	b := reflect.ValueOf(&base).Elem()
	for i := range b.NumField() {
		if !v.Field(i).IsZero() {
			b.Field(i).Set(v.Field(i))
		}
	}
	return base
}

type generating struct {
	Contents []*genai.Content
	Config   *genai.GenerateContentConfig
}

func TestEveryFieldOfGenerateContentIsTranslatedAsTheSDKSaysIt(t *testing.T) {
	ctx := context.Background()
	base := generating{Contents: genai.Text("hi")}
	whole, neither := everyField(t, base, func(c *genai.Client, r generating) error {
		_, err := c.Models.GenerateContent(ctx, "gemini-2.5-flash", r.Contents, r.Config)
		return err
	})
	if len(neither) > 0 {
		t.Errorf("neither back end takes %q", neither)
	}
	stream, _ := everyField(t, base, func(c *genai.Client, r generating) error {
		for _, err := range c.Models.GenerateContentStream(ctx, "gemini-2.5-flash", r.Contents, r.Config) {
			return err
		}
		return nil
	})
	if diff := cmp.Diff(slices.Sorted(maps.Keys(whole)), slices.Sorted(maps.Keys(stream))); diff != "" {
		t.Errorf("whole and streamed differ:\n%s", diff)
	}
	// The walk itself must not fall asleep.
	for _, path := range []string{
		"Contents.Parts.FunctionResponse.Parts.MediaProcessing", "Config.Tools.GoogleMaps.AuthConfig.OidcConfig.IDToken",
		"Config.SafetySettings.Method", "Config.ResponseSchema.AnyOf", "Config.SpeechConfig.MultiSpeakerVoiceConfig.SpeakerVoiceConfigs.VoiceConfig.ReplicatedVoiceConfig.ConsentAudio",
		"Config.ThinkingConfig.ThinkingBudget", "Config.ImageConfig.OutputMIMEType", "Config.SystemInstruction.Parts.ToolCall.Args", "Config.ToolConfig.IncludeServerSideToolInvocations",
	} {
		if !whole[path] {
			t.Errorf("%s was not looked at", path)
		}
	}
	t.Logf("%d fields", len(whole))
}

type counting struct {
	Contents []*genai.Content
	Config   *genai.CountTokensConfig
}

func TestEveryFieldOfCountTokensIsTranslatedAsTheSDKSaysIt(t *testing.T) {
	checked, neither := everyField(t, counting{Contents: genai.Text("hi")}, func(c *genai.Client, r counting) error {
		_, err := c.Models.CountTokens(context.Background(), "gemini-2.5-flash", r.Contents, r.Config)
		return err
	})
	// The Gemini API counts contents alone, says the SDK. Of all else, only what Vertex AI
	// takes can be compared.
	for _, path := range neither {
		if !strings.HasPrefix(path, "Config.") {
			t.Errorf("neither back end takes %s", path)
		}
	}
	t.Logf("%d fields", len(checked))
}

type embedding struct {
	Contents []*genai.Content
	Config   *genai.EmbedContentConfig
}

func TestEveryFieldOfEmbeddingsIsTranslatedAsTheSDKSaysIt(t *testing.T) {
	hi := genai.Text("hi")
	for _, model := range []string{"gemini-embedding-001", "text-embedding-005", "gemini-embedding-2", "qwen-embedding-maas"} {
		for name, contents := range map[string][]*genai.Content{
			"one": hi, "several": {hi[0], genai.NewContentFromText("\"you\" <&> \u2028", genai.RoleUser), hi[0]},
		} {
			t.Run(model+"/"+name, func(t *testing.T) {
				everyField(t, embedding{Contents: contents}, func(c *genai.Client, r embedding) error {
					_, err := c.Models.EmbedContent(context.Background(), model, r.Contents, r.Config)
					return err
				})
			})
		}
	}
}
