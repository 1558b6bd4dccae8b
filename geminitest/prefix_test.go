package geminitest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

// caching is an emulator with implicit caching, of prompts of 100 tokens or more.
func caching() *geminitest.Emulator {
	cfg := twoProjects()
	cfg.Caching = geminitest.Caching{Implicit: true, Min: 100}
	return geminitest.New(cfg)
}

// cached asks and returns how many tokens came from the cache.
func (a ask) cached(t *testing.T, google *geminitest.Emulator) int {
	t.Helper()
	var answer struct {
		UsageMetadata struct {
			CachedContentTokenCount int
			CacheTokensDetails      []struct{ TokenCount int }
		}
	}
	a.do(t.Context(), google).decode(t, &answer)
	sum := 0
	for _, d := range answer.UsageMetadata.CacheTokensDetails {
		sum += d.TokenCount
	}
	if u := answer.UsageMetadata; sum != u.CachedContentTokenCount {
		t.Errorf("cacheTokensDetails add up to %d of %d", sum, u.CachedContentTokenCount)
	}
	return answer.UsageMetadata.CachedContentTokenCount
}

// conversation is a request of these turns, which begins with an instruction of so many tokens.
func conversation(instruction int, turns ...string) string {
	contents := make([]map[string]any, len(turns))
	for i, turn := range turns {
		contents[i] = map[string]any{"role": []string{"user", "model"}[i%2], "parts": []any{map[string]any{"text": turn}}}
	}
	body, _ := json.Marshal(map[string]any{
		"systemInstruction": map[string]any{"parts": []any{map[string]any{"text": strings.Repeat("word", instruction)}}}, "contents": contents,
	})
	return string(body)
}

func TestSharedPrefixesAreReportedAsCached(t *testing.T) {
	turn := strings.Repeat("turn", 50)
	picture := `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"text":"%s"}]}]}`
	tools := `{"tools":[{"functionDeclarations":[{"name":"%s"}]}],"contents":[{"parts":[{"text":"` + strings.Repeat("x", 2048) + `"}]}]}`
	for name, c := range map[string]struct {
		before, then string
		want         int
	}{
		"the same":                    {conversation(100, turn), conversation(100, turn), 150},
		"one turn more":               {conversation(100, turn), conversation(100, turn, "yes", turn), 150},
		"two turns more":              {conversation(100, turn, "yes", turn), conversation(100, turn, "yes", turn, "no", turn), 201},
		"another turn":                {conversation(100, turn), conversation(100, turn+"!"), 100},
		"another instruction":         {conversation(100, turn), conversation(101, turn), 0},
		"too little in common":        {conversation(99, turn), conversation(99, turn+"!"), 0},
		"a shorter one":               {conversation(100, turn, "yes", turn), conversation(100, turn), 150},
		"a long text with a question": {conversation(1, strings.Repeat("z", 4000)+"why?"), conversation(1, strings.Repeat("z", 4000)+"when?"), 769}, // three steps of 256
		"another role":                {`{"contents":[{"role":"user","parts":[{"text":"` + long + `"}]}]}`, `{"contents":[{"role":"model","parts":[{"text":"` + long + `"}]}]}`, 0},
		"a picture first":             {fmt.Sprintf(picture, "a"), fmt.Sprintf(picture, "b"), 258},
		"other tools":                 {fmt.Sprintf(tools, "a"), fmt.Sprintf(tools, "b"), 0},
		"the same tools":              {fmt.Sprintf(tools, "a"), fmt.Sprintf(tools, "a"), 523},
	} {
		t.Run(name, func(t *testing.T) {
			google := caching()
			if n := (ask{key: "key-1", body: c.before}).cached(t, google); n != 0 {
				t.Fatalf("%d tokens of the first are cached", n)
			}
			if n := (ask{key: "key-1", body: c.then}).cached(t, google); n != c.want || google.Requests()[1].CachedTokens != c.want {
				t.Errorf("%d tokens are cached, want %d", n, c.want)
			}
		})
	}
}

func TestPrefixesAreKeptPlaceByPlaceForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := caching()
		body := conversation(200, "hi")
		here := ask{key: "key-1", body: body}
		here.do(t.Context(), google)
		vertex := ask{token: "token-1", project: "acme", where: "eu", body: body}
		for name, c := range map[string]struct {
			a ask
		}{
			"another project":  {ask{key: "key-2", body: body}},
			"another model":    {ask{key: "key-1", model: "gemini-2.5-pro", body: body}},
			"another back end": {vertex},
			"another location": {ask{token: "token-1", project: "acme", where: "us", body: body}},
		} {
			if n := c.a.cached(t, google); n != 0 {
				t.Errorf("%s: %d tokens are cached", name, n)
			}
		}
		for i, c := range []struct {
			after time.Duration
			want  int
		}{{0, 201}, {5*time.Minute - time.Second, 201}, {5*time.Minute - time.Second, 201}, {5 * time.Minute, 0}} {
			time.Sleep(c.after)
			if n := here.cached(t, google); n != c.want {
				t.Errorf("%d: %d tokens are cached %v after the last use, want %d", i, n, c.after, c.want)
			}
		}
	})
}

func TestCachingIsOffUnlessItIsSwitchedOn(t *testing.T) {
	google := geminitest.New(twoProjects())
	for range 2 {
		if n := (ask{key: "key-1", body: conversation(2000, "hi")}).cached(t, google); n != 0 {
			t.Errorf("%d tokens are cached", n)
		}
	}
}

func TestRefusedCallsLeaveNoPrefix(t *testing.T) {
	cfg := twoProjects()
	cfg.Caching = geminitest.Caching{Implicit: true}
	cfg.Projects[0].Limits = []geminitest.Limit{{RPM: 1}}
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(cfg)
		ask{key: "key-1", text: "hi"}.do(t.Context(), google)
		if r := (ask{key: "key-1", body: conversation(2000, "hi")}).do(t.Context(), google); r.status != 429 {
			t.Fatal(r.body)
		}
		time.Sleep(time.Minute)
		if n := (ask{key: "key-1", body: conversation(2000, "hi")}).cached(t, google); n != 0 {
			t.Errorf("%d tokens are cached", n)
		}
	})
}

func TestChatsFindTheirOwnPrefixes(t *testing.T) {
	google := caching()
	client := sdkClients(t, google, "")["gemini"]
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			system := genai.NewContentFromText(fmt.Sprintf("%d: %s", i, strings.Repeat("word", 200)), "user")
			chat, err := client.Chats.Create(t.Context(), flash, &genai.GenerateContentConfig{SystemInstruction: system}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			last := int32(0)
			for turn := range 10 {
				answer, err := chat.SendMessage(t.Context(), genai.Part{Text: strings.Repeat("more", 25)})
				if err != nil {
					t.Error(err)
					return
				}
				// All of the turn before, with what the model said since not among it.
				if u := answer.UsageMetadata; turn > 0 && u.CachedContentTokenCount != last {
					t.Errorf("turn %d: %d tokens are cached, want %d", turn, u.CachedContentTokenCount, last)
				}
				last = answer.UsageMetadata.PromptTokenCount
			}
		})
	}
	group.Wait()
}
