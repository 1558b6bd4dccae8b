package geminitest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// signed reads the parts of an answer, whole or streamed, and the last one's signature.
func signed(t *testing.T, r reply) (parts []map[string]any, signature string) {
	t.Helper()
	if r.status != 200 {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	for text := range strings.SplitSeq(r.body, "data: ") {
		var answer struct {
			Candidates []struct {
				Content struct{ Parts []map[string]any }
			}
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, answer.Candidates[0].Content.Parts...)
	}
	for i, part := range parts {
		if signature != "" {
			t.Errorf("a part follows the signed one, the %d.", i)
		}
		signature, _ = part["thoughtSignature"].(string)
	}
	return parts, signature
}

// sides are the two back ends, as one caller's.
func sides() map[string]ask {
	return map[string]ask{
		"gemini": {key: "key-a", model: "gemini-3.5-flash"},
		"vertex": {token: "token-a", project: "a", where: "eu", model: "gemini-3.5-flash"},
	}
}

// turn is a conversation whose second turn carries a signature.
func turn(name, signature string) string {
	return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":"a"}]},`+
		`{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},%q:%q}]},`+
		`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`, name, signature)
}

func TestEachBackEndTakesItsOwnSignatures(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, _ *geminitest.Emulator, rt http.RoundTripper) {
		const thinks = `{"contents":[{"role":"user","parts":[{"text":"%s"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}`
		const calls = `{"contents":[{"role":"user","parts":[{"text":"%s"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`
		for own, maker := range sides() {
			for _, method := range []string{"generateContent", "streamGenerateContent"} {
				for _, body := range []string{thinks, calls} {
					maker.method, maker.body = method, fmt.Sprintf(body, own+method)
					parts, signature := signed(t, maker.do(t.Context(), rt))
					call, called := parts[len(parts)-1]["functionCall"].(map[string]any)
					if signature == "" || called != (body == calls) || called && call["name"] != "f" {
						t.Fatalf("%s %s: parts %v", own, method, parts)
					}
					for backend, again := range sides() {
						again.body = turn("thoughtSignature", signature)
						got := again.do(t.Context(), rt)
						want := map[bool]int{true: 200, false: 400}[backend == own]
						if got.status != want || want == 400 && got.problem(t).Error.Message != "Corrupted thought signature." {
							t.Errorf("a signature of %s at %s: %d %s", own, backend, got.status, got.body)
						}
					}
				}
			}
		}
	})
}

func TestPlaceholdersStandForSignatures(t *testing.T) {
	const skip, context = "skip_thought_signature_validator", "context_engineering_is_the_way_to_go"
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	google := geminitest.New(pair())
	for backend, a := range sides() {
		for signature, want := range map[string]int{
			skip: 200, encoded(skip): 200, strings.TrimRight(encoded(skip), "="): 200,
			context: map[string]int{"gemini": 200, "vertex": 400}[backend], encoded(context): map[string]int{"gemini": 200, "vertex": 400}[backend],
			"": 200, "made_up": 400, "????": 400, encoded("what another has made up, of forty-odd bytes"): 400,
		} {
			for _, name := range []string{"thoughtSignature", "thought_signature"} {
				a.body = turn(name, signature)
				if got := a.do(t.Context(), google); got.status != want {
					t.Errorf("%s, %s %q: %d, want %d", backend, name, signature, got.status, want)
				}
			}
		}
	}
}

func TestOnlyThinkersAndCallersAreSigned(t *testing.T) {
	google := geminitest.New(pair())
	for _, a := range sides() {
		if _, signature := signed(t, a.do(t.Context(), google)); signature != "" {
			t.Errorf("a plain answer is signed: %s", signature)
		}
		a.body = `{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}],
			"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}}}`
		parts, signature := signed(t, a.do(t.Context(), google))
		if call, _ := parts[0]["functionCall"].(map[string]any); call["name"] != "g" || signature == "" {
			t.Errorf("parts %v, want the function that is allowed", parts)
		}
	}
}
