package router_test

import (
	"bufio"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// Clients of OpenAI's dialect stop reading at [DONE], which is the end of the stream.
func TestAStreamThatIsReadUpToDoneIsKept(t *testing.T) {
	b := setup{router: everything}.bed(t, keyed("a", "key-a"))
	var uses []string
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/v1beta/openai/chat/completions",
			strings.NewReader(`{"model":"gemini-2.5-flash","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.router.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() && lines.Text() != "data: [DONE]" {
			continue
		}
		_ = resp.Body.Close()
		uses = append(uses, use(resp))
	}
	if uses[1] != "hit" {
		t.Errorf("%v", uses)
	}
}

// max_bytes is of memory, also where the responses are small.
func TestWhatIsKeptTakesTheMemoryThatItSays(t *testing.T) {
	b := setup{router: everything}.bed(t, keyed("a", "key-a"))
	heap := func() int64 {
		b.Reset()
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	b.send(t, t.Context(), "countTokens", saysHi)
	before := heap()
	for i := range 4000 {
		b.send(t, t.Context(), "countTokens", fmt.Sprintf(`{"contents":[{"parts":[{"text":"number %d"}]}]}`, i))
	}
	took, says := heap()-before, b.router.Stat().Caches[0].Bytes
	if float64(took) > 1.25*float64(says) || float64(took) < 0.6*float64(says) {
		t.Errorf("4,000 counts take %d bytes, and the cache says %d", took, says)
	}
}
