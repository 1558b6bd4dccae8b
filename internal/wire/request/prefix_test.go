package request_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
)

const (
	generate = "https://h/v1beta/models/m:generateContent"
	count    = "https://h/v1beta/models/m:countTokens"

	brief = `"systemInstruction":{"parts":[{"text":"be brief"}]}`
	tools = `"tools":[{"functionDeclarations":[{"name":"f","parameters":{"contents":[{},{}]}}]}]`
	hello = `{"role":"user","parts":[{"text":"hello"}]}`
	more  = `,{"role":"model","parts":[{"text":"hi"}]},{"role":"user","parts":[{"text":"how are you?"}]}`
)

func TestPrefixIsThatOfWhatEachTurnOfAConversationBeginsWith(t *testing.T) {
	chat := `{` + brief + `,` + tools + `,"contents":[` + hello + more + `]}`
	want := parse(t, "POST", generate, chat)
	if want.Prefix == 0 || want.Turns != 3 {
		t.Fatalf("%+v", want)
	}
	for name, body := range map[string]string{
		"the first turn":         `{` + brief + `,` + tools + `,"contents":[` + hello + `]}`,
		"the next turn":          `{` + brief + `,` + tools + `,"contents":[` + hello + more + more + `]}`,
		"other answers":          `{` + brief + `,` + tools + `,"contents":[` + hello + strings.Replace(more, "hi", "well", 1) + `]}`,
		"another order":          `{"contents":[` + hello + more + `],` + tools + `,"generationConfig":{"topK":1},` + brief + `}`,
		"names in snake case":    `{` + strings.Replace(brief, "systemInstruction", "system_instruction", 1) + `,` + tools + `,"contents":[` + hello + more + `]}`,
		"spaces between members": "{ " + brief + "\n , " + tools + " , \"contents\" : [\n" + hello + "\n" + more + "] }\n",
		"other settings":         `{"safetySettings":[{"category":"a"},{"category":"b"}],` + chat[1:],
	} {
		if got := parse(t, "POST", generate, body); got.Prefix != want.Prefix {
			t.Errorf("%s: %x, want %x", name, got.Prefix, want.Prefix)
		}
	}
	for name, body := range map[string]string{
		"another instruction":     strings.Replace(chat, "brief", "short", 1),
		"no instruction":          strings.Replace(chat, brief+",", "", 1),
		"another tool":            strings.Replace(chat, `"f"`, `"g"`, 1),
		"another first turn":      strings.Replace(chat, "hello", "hey", 1),
		"another picture":         strings.Replace(chat, `{"text":"hello"}`, `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`, 1),
		"tools for instructions":  `{"tools":{"parts":[{"text":"be brief"}]},"contents":[` + hello + more + `]}`,
		"instructions for a turn": `{"contents":[{"parts":[{"text":"be brief"}]}` + more + `]}`,
	} {
		if got := parse(t, "POST", generate, body); got.Prefix == want.Prefix || got.Prefix == 0 {
			t.Errorf("%s: %x, as without", name, got.Prefix)
		}
	}
	for name, c := range map[string]request.Call{
		"counting":         parse(t, "POST", count, chat),
		"no contents":      parse(t, "POST", generate, `{`+brief+`,`+tools+`}`),
		"empty contents":   parse(t, "POST", generate, `{"contents":[]}`),
		"no list":          parse(t, "POST", generate, `{"contents":`+hello+`}`),
		"cut off":          parse(t, "POST", generate, chat[:len(chat)-20]),
		"deeper inside":    parse(t, "POST", generate, `{"generateContentRequest":`+chat+`}`),
		"more than closed": parse(t, "POST", generate, chat+"]"),
	} {
		if c.Prefix != 0 {
			t.Errorf("%s: prefix %x", name, c.Prefix)
		}
	}
}

// TestPrefixIsTheSameInEveryProcess holds the hash to what it was when this was written: replicas
// choose endpoints by it.
func TestPrefixIsTheSameInEveryProcess(t *testing.T) {
	if got := strconv.FormatUint(parse(t, "POST", generate, `{`+brief+`,"contents":[`+hello+more+`]}`).Prefix, 16); got != "b9df22260eaef0f1" {
		t.Errorf("prefix %s", got)
	}
}
