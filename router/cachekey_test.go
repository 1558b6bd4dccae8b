package router_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// variants calls f with each field of a value set to something, one at a time, in structs, pointers,
// slices and maps below it too, and again with something else. A struct inside one of its own type
// stays empty. The value is the same before and after.
func variants(v reflect.Value, path string, f func(path string), within ...reflect.Type) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	defer v.Set(old)
	set := func(values ...any) {
		for i, x := range values {
			v.Set(reflect.ValueOf(x).Convert(v.Type()))
			f(fmt.Sprintf("%s#%d", path, i))
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		set(true)
	case reflect.String:
		set("one", "other")
	case reflect.Int32, reflect.Int64, reflect.Int:
		set(3, 4)
	case reflect.Float32, reflect.Float64:
		set(0.25, 0.5)
	case reflect.Interface:
		for i, x := range []any{"one", map[string]any{"type": "object"}} {
			v.Set(reflect.ValueOf(x))
			f(fmt.Sprintf("%s#%d", path, i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if v.Elem().Kind() != reflect.Struct { // a zero that is set is not one that is absent
			f(path + "#zero")
		}
		variants(v.Elem(), path, f, within...)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		variants(v.Index(0), path+"[0]", f, within...)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"k", "l"} {
			element := reflect.New(v.Type().Elem()).Elem()
			variants(element, path+"."+key, func(path string) {
				v.SetMapIndex(reflect.ValueOf(key), element)
				f(path)
				v.SetMapIndex(reflect.ValueOf(key), reflect.Value{})
			}, within...)
		}
	case reflect.Uint8:
		set(1, 2)
	case reflect.Struct:
		if slices.Contains(within, v.Type()) {
			f(path + "#empty")
			return
		}
		within = append(slices.Clip(within), v.Type())
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				variants(v.Field(i), path+"."+field.Name, f, within...)
			}
		}
	case reflect.Func: // no request has it
	default:
		panic(path + " is a " + v.Kind().String())
	}
}

// The walk goes through all that the SDK can say of a call. What changes the request changes the key,
// and nothing else does, unless the call is not one to keep.
func TestEveryFieldOfAConfigChangesTheKey(t *testing.T) {
	for _, dialect := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		t.Run(string(dialect), func(t *testing.T) {
			p, asked, sent := keyed("a", "key-a"), 0, ""
			if dialect == pool.BackendVertex {
				p = vertexed("a", "global")
			}
			r := newRouter(t, poolOf(p), everything, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
				asked++
				return answerOf(http.StatusOK, okBody), nil
			})))
			c := clientOver(t, dialect, transport(func(req *http.Request) (*http.Response, error) {
				sent = normal(t, req)
				return r.RoundTrip(req)
			}))
			seen, uses, fields := map[string]bool{}, map[string]int{}, map[string]bool{}
			var cfg genai.GenerateContentConfig
			check := func(path string) {
				if strings.HasPrefix(path, ".HTTPOptions") {
					return // they are about the request, at which other tests look
				}
				before := asked
				resp, err := c.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), &cfg)
				if err != nil {
					return // the SDK has not sent it: this back end does not take the field
				}
				use, want := resp.SDKHTTPResponse.Headers.Get("Spillway-Cache"), "miss"
				if seen[sent] {
					want = "hit"
				}
				if use != want && use != "off" || asked != before+1 && use != "hit" {
					t.Errorf("%s: the call is a %s, want a %s: %s", path, use, want, sent)
				}
				seen[sent] = true
				uses[use]++
				fields[strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".#[", r) })[0]] = true
			}
			for range 2 {
				check("none")
				variants(reflect.ValueOf(&cfg).Elem(), "", check)
			}
			t.Logf("%d requests by %d fields: %v", len(seen), len(fields), uses)
			if uses["miss"] < 100 || uses["hit"] < 100 || uses["off"] < 50 || len(fields) < 25 {
				t.Errorf("%d requests by %d fields: %v", len(seen), len(fields), uses)
			}
		})
	}
}

// normal is what a request says, in one form.
func normal(t *testing.T, req *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return req.URL.RequestURI() + " " + string(text)
}

func TestWhatElseChangesTheKey(t *testing.T) {
	type call struct {
		verb, body string
		header     []string
	}
	base := call{verb: "generateContent", body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"seed":7}}`}
	for _, tt := range []struct {
		name string
		call call
		same bool
	}{
		{"white space, and the order of members", call{body: "{\"generationConfig\": {\"seed\": 7}, \"contents\":\n[{\"parts\":[{\"text\":\"hi\"}],\"role\":\"user\"}]}"}, true},
		{"an escape", call{body: strings.ReplaceAll(base.body, "hi", `\u0068i`)}, true},
		{"the spelling of a number", call{body: strings.ReplaceAll(base.body, "7", "70e-1")}, true},
		{"who asks, and by which program", call{header: []string{"User-Agent", "x", "X-Goog-Api-Client", "y", "Traceparent", "z", "X-Goog-Api-Key", "k"}}, true},
		{"a credential in the query", call{verb: "generateContent?key=abc"}, true},
		{"the text", call{body: strings.ReplaceAll(base.body, "hi", "ho")}, false},
		{"the role", call{body: strings.ReplaceAll(base.body, `"role":"user"`, `"role":"model"`)}, false},
		{"the order of contents", call{body: `{"contents":[{"parts":[{"text":"a"}]},{"parts":[{"text":"b"}]}]}`}, false},
		{"the order of contents, again", call{body: `{"contents":[{"parts":[{"text":"b"}]},{"parts":[{"text":"a"}]}]}`}, false},
		{"a whole number that no double holds", call{body: strings.ReplaceAll(base.body, "7", "9007199254740993")}, false},
		{"its neighbour", call{body: strings.ReplaceAll(base.body, "7", "9007199254740992")}, false},
		{"its neighbour, as a fraction", call{body: strings.ReplaceAll(base.body, "7", "9007199254740993.0")}, false},
		{"a fraction finer than a double", call{body: strings.ReplaceAll(base.body, "7", "7.00000000000000000000001")}, false},
		{"more than a double holds", call{body: strings.ReplaceAll(base.body, "7", "1e400")}, false},
		{"the method", call{verb: "countTokens"}, false},
		{"a stream", call{verb: "streamGenerateContent?alt=sse"}, false},
		{"the form of a stream", call{verb: "streamGenerateContent"}, false},
		{"the query", call{verb: "generateContent?prettyPrint=false"}, false},
		{"the encoding of the body", call{header: []string{"Content-Encoding", "gzip"}}, false},
		{"a header of Google's", call{header: []string{"X-Vertex-AI-LLM-Request-Type", "shared"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := setup{router: everything}.bed(t, keyed("a", "key-a"))
			b.send(t, t.Context(), base.verb, base.body)
			if tt.name == "the order of contents, again" {
				b.send(t, t.Context(), base.verb, `{"contents":[{"parts":[{"text":"a"}]},{"parts":[{"text":"b"}]}]}`)
			}
			if tt.name == "its neighbour" {
				b.send(t, t.Context(), base.verb, strings.ReplaceAll(base.body, "7", "9007199254740993"))
			}
			verb, body := tt.call.verb, tt.call.body
			if verb == "" {
				verb = base.verb
			}
			if body == "" {
				body = base.body
			}
			resp, text := b.send(t, t.Context(), verb, body, tt.call.header...)
			if got := use(resp) == "hit"; got != tt.same || use(resp) == "off" {
				t.Errorf("the call is a %s: %s", use(resp), text)
			}
		})
	}
}

func TestAnAliasHasTheKeyOfItsModel(t *testing.T) {
	cfg := router.Config{Models: map[string]string{"fast": flash}, Caches: []router.Cache{{Model: "gemini-*"}}}
	b := setup{router: cfg}.bed(t, keyed("a", "key-a"))
	c := b.client(t)
	if _, err := ask(t.Context(), c, flash); err != nil {
		t.Fatal(err)
	}
	resp, err := ask(t.Context(), c, "fast")
	if err != nil || resp.SDKHTTPResponse.Headers.Get("Spillway-Cache") != "hit" {
		t.Errorf("got %v, %v", resp, err)
	}
	if resp, err = ask(t.Context(), c, "gemini-3.5-flash"); err != nil || resp.SDKHTTPResponse.Headers.Get("Spillway-Cache") != "miss" {
		t.Errorf("another model: %v, %v", resp, err)
	}
}

// Two bodies have one key if they are equal, number by number; but where a model sees the order of
// members, that counts too.
func TestEqualBodiesHaveOneKey(t *testing.T) {
	body := func(seed string) string {
		return `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"seed":` + seed + `}}`
	}
	schema := func(at, properties string) string {
		return `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"` + at + `":{"type":"OBJECT","properties":{` + properties + `}}}}`
	}
	const ab, ba = `"a":{"type":"STRING"},"b":{"type":"STRING"}`, `"b":{"type":"STRING"},"a":{"type":"STRING"}`
	for _, tt := range []struct {
		name, one, other string
		same             bool
	}{
		{"an exponent", body("7"), body("0.7e+1"), true},
		{"zeros", body("7"), body("7.000"), true},
		{"above a double, as a fraction", body("9007199254740993"), body("9007199254740993.0"), true},
		{"above a double, with an exponent", body("9007199254740993"), body("900719925474099300E-2"), true},
		{"above a double, its neighbour", body("9007199254740992.0"), body("9007199254740993.0"), false},
		{"beyond a double", body("1e400"), body("10e399"), true},
		{"beyond a double, its neighbour", body("1e400"), body("1e401"), false},
		{"near zero", body("1e-400"), body("0"), false},
		{"zeros alone", body("0"), body("0.0e9"), true},
		{"zero below", body("0"), body("-0"), true},
		{"the sign", body("7"), body("-7"), false},
		{"an exponent without end", body("1e99999999999999999999"), body("1e99999999999999999998"), false},
		{"a text of digits", body(`"7"`), body(`"7.0"`), false},
		{"the order of a schema", schema("responseSchema", ab), schema("responseSchema", ba), false},
		{"the order of a JSON schema", schema("response_json_schema", ab), schema("response_json_schema", ba), false},
		{"the order of an escaped schema", schema(`response\u0053chema`, ab), schema(`response\u0053chema`, ba), false},
		{"a schema in one order", schema("responseSchema", ab), schema("responseSchema", " "+ab), true},
		{"the order of arguments", `{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"a":1,"b":2}}}]}]}`,
			`{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"b":2,"a":1}}}]}]}`, false},
		{"a member that is there twice", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"seed":1},"generation_config":{"seed":2}}`,
			`{"contents":[{"parts":[{"text":"hi"}]}],"generation_config":{"seed":2},"generationConfig":{"seed":1}}`, false},
		{"two spellings of two members", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"seed":1},"safety_settings":[]}`,
			`{"contents":[{"parts":[{"text":"hi"}]}],"safety_settings":[],"generationConfig":{"seed":1}}`, true},
		{"the order of the rest", `{"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}`, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter(t, poolOf(keyed("a", "key-a")), everything, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
				return answerOf(http.StatusOK, okBody), nil
			})))
			b := &bed{router: r, http: &http.Client{Transport: r}}
			b.send(t, t.Context(), "generateContent", tt.one)
			resp, text := b.send(t, t.Context(), "generateContent", tt.other)
			if got := use(resp) == "hit"; got != tt.same || use(resp) == "off" {
				t.Errorf("the call is a %s: %s", use(resp), text)
			}
		})
	}
}
