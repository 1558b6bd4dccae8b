package verdict_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// specimen is one error body as a user met it.
type specimen struct {
	ID      string
	Backend pool.Backend
	Status  int
	Want    struct{ Class pool.Class }
	Body    json.RawMessage
}

// answer is what the router would judge: an error inside a 200 has no status of its own.
func (s specimen) answer() verdict.Answer {
	a := verdict.Answer{Backend: s.Backend, Status: s.Status, Body: s.Body}
	if a.Status == http.StatusOK {
		a.Status = 0
	}
	var text string
	if json.Unmarshal(s.Body, &text) == nil {
		a.Body = []byte(text)
	}
	return a
}

func corpus(tb testing.TB) []specimen {
	tb.Helper()
	raw, err := os.ReadFile("testdata/google_errors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var all []specimen
	if err := json.Unmarshal(raw, &all); err != nil {
		tb.Fatal(err)
	}
	if len(all) < 20 {
		tb.Fatalf("corpus has %d bodies", len(all))
	}
	return all
}

func TestJudgeCorpus(t *testing.T) {
	for _, s := range corpus(t) {
		t.Run(s.ID, func(t *testing.T) {
			if got := verdict.Judge(s.answer()); got.Class != s.Want.Class {
				t.Errorf("class %q, want %q; %+v", got.Class, s.Want.Class, got)
			}
		})
	}
}

// mutate rewrites an envelope with fn, be it bare or in an array; it returns nil for text.
func mutate(t *testing.T, body []byte, fn func(e map[string]any)) []byte {
	t.Helper()
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	envelope := v
	if list, ok := v.([]any); ok {
		envelope = list[0]
	}
	fn(envelope.(map[string]any)["error"].(map[string]any))
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func details(e map[string]any) []any {
	d, _ := e["details"].([]any)
	return d
}

func eachString(v any, fn func(string) string) any {
	switch v := v.(type) {
	case string:
		return fn(v)
	case []any:
		for i := range v {
			v[i] = eachString(v[i], fn)
		}
	case map[string]any:
		for k := range v {
			if k != "@type" && k != "retryDelay" {
				v[k] = eachString(v[k], fn)
			}
		}
	}
	return v
}

func TestJudgeCorpusMutated(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	mutations := map[string]func(t *testing.T, body []byte) []byte{
		"details in another order": func(t *testing.T, body []byte) []byte {
			return mutate(t, body, func(e map[string]any) {
				d := details(e)
				random.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
			})
		},
		"unknown details around": func(t *testing.T, body []byte) []byte {
			return mutate(t, body, func(e map[string]any) {
				e["details"] = append([]any{
					map[string]any{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "x", "reason": "API_KEY_INVALID"},
					"a string", 7.0, nil, []any{},
					map[string]any{"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": []any{
						map[string]any{"type": "TOS", "quotaId": "PerDay"}}},
				}, details(e)...)
			})
		},
		"another model, number and project": func(t *testing.T, body []byte) []byte {
			return mutate(t, body, func(e map[string]any) {
				eachString(e, func(s string) string {
					return strings.NewReplacer("gemini-2.5-flash", "gemini-9-ultra", "gemini-3.5-flash-lite", "gemma-7", "500", "31",
						"1048576", "7", "rhel-lightspeed", "acme-1").Replace(s)
				})
			})
		},
		"upper case": func(t *testing.T, body []byte) []byte {
			return mutate(t, body, func(e map[string]any) { eachString(e, strings.ToUpper) })
		},
		"lower case": func(t *testing.T, body []byte) []byte {
			return mutate(t, body, func(e map[string]any) {
				for _, k := range []string{"message", "status"} {
					if s, ok := e[k].(string); ok {
						e[k] = strings.ToLower(s)
					}
				}
			})
		},
		"in an array": func(t *testing.T, body []byte) []byte {
			if !json.Valid(body) {
				return nil
			}
			return fmt.Appendf(nil, "[%s\n]", body)
		},
		"encoded twice": func(t *testing.T, body []byte) []byte {
			if !json.Valid(body) {
				return nil
			}
			return mutate(t, []byte(`{"error":{"status":"X"}}`), func(e map[string]any) { e["message"] = string(body) })
		},
		"encoded thrice": func(t *testing.T, body []byte) []byte {
			if !json.Valid(body) {
				return nil
			}
			once := mutate(t, []byte(`{"error":{}}`), func(e map[string]any) { e["message"] = string(body) })
			return mutate(t, []byte(`{"error":{}}`), func(e map[string]any) { e["message"] = string(once) })
		},
		"behind a text": func(t *testing.T, body []byte) []byte {
			if body[0] != '{' {
				return nil
			}
			return append([]byte("got status: X. "), body...)
		},
		"as a JSON string": func(t *testing.T, body []byte) []byte {
			out, err := json.Marshal(string(body))
			if err != nil {
				t.Fatal(err)
			}
			return out
		},
		"indented, with a byte order mark": func(t *testing.T, body []byte) []byte {
			var b bytes.Buffer
			if json.Indent(&b, body, "", "  ") != nil {
				return nil
			}
			return append([]byte("\ufeff"), b.Bytes()...)
		},
		"code as a string, quotaValue as a number": func(t *testing.T, body []byte) []byte {
			return mutate(t, body, func(e map[string]any) {
				e["code"] = fmt.Sprint(e["code"])
				for _, d := range details(e) {
					violations, _ := d.(map[string]any)["violations"].([]any)
					for _, v := range violations {
						if s, ok := v.(map[string]any)["quotaValue"].(string); ok {
							v.(map[string]any)["quotaValue"] = json.Number(s)
						}
					}
				}
			})
		},
		"snake case": func(t *testing.T, body []byte) []byte {
			return []byte(strings.NewReplacer("quotaId", "quota_id", "quotaMetric", "quota_metric", "quotaValue", "quota_value",
				"retryDelay", "retry_delay", "quotaDimensions", "quota_dimensions").Replace(string(body)))
		},
		"without its last bracket": func(t *testing.T, body []byte) []byte {
			if !json.Valid(body) {
				return nil
			}
			return bytes.TrimRight(body, "}]\n ")
		},
	}
	for name, fn := range mutations {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for _, s := range corpus(t) {
				a := s.answer()
				if a.Body = fn(t, a.Body); a.Body == nil {
					continue
				}
				tried++
				if got := verdict.Judge(a); got.Class != s.Want.Class {
					t.Errorf("%s: class %q, want %q\n%s", s.ID, got.Class, s.Want.Class, a.Body)
				}
			}
			if tried < 15 {
				t.Errorf("only %d bodies tried", tried)
			}
		})
	}
}

func TestJudgeReadsGzip(t *testing.T) {
	for _, s := range corpus(t) {
		a := s.answer()
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(a.Body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		a.Body, a.Header = b.Bytes(), http.Header{"Content-Encoding": {"gzip"}}
		if got := verdict.Judge(a); got.Class != s.Want.Class {
			t.Errorf("%s: class %q, want %q", s.ID, got.Class, s.Want.Class)
		}
	}
}

func TestJudgeSurvivesBodiesCutAnywhere(t *testing.T) {
	for _, s := range corpus(t) {
		a := s.answer()
		whole := a.Body
		for n := range whole {
			a.Body = whole[:n]
			if got := verdict.Judge(a); got.Class == "" || got.Class == pool.ClassOK {
				t.Fatalf("%s cut at %d: class %q", s.ID, n, got.Class)
			}
		}
	}
}
