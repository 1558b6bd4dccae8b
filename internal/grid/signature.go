package grid

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// talk is a pool of both back ends with conversations in which every turn of the model is signed. A
// fifth of the requests is refused.
type talk struct {
	dialect pool.Backend
	stream  bool
	wait    time.Duration
}

const (
	conversations = 40
	turns         = 6
	talkFaults    = 0.2
)

func signatures() (all []Case) {
	for i := range 2 * 2 * 3 {
		s := talk{
			dialect: []pool.Backend{pool.BackendGemini, pool.BackendVertex}[i&1],
			stream:  i&2 != 0,
			wait:    []time.Duration{0, time.Second, 10 * time.Second}[i>>2],
		}
		name := fmt.Sprintf("signatures/%s dialect/%s/max_wait %v", s.dialect, choose(s.stream, "stream", "unary"), s.wait)
		all = append(all, Case{Group: "signatures", Name: name, run: s.run})
	}
	return all
}

// sign is the signature of a back end: its name begins it, as only the back end can tell.
func sign(q *query) string {
	text := fmt.Sprintf("%s signs %d.%d", q.backend, q.call.n, q.number)
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// signedBy reports whether a body carries a signature of the back end.
func signedBy(body string, b pool.Backend) bool {
	return strings.Contains(body, base64.StdEncoding.EncodeToString([]byte(b)))
}

const corrupted = "Corrupted thought signature."

// breaks refuses what another back end has signed, and a fifth of the rest.
func (s talk) breaks(q *query) *answer {
	other := pool.BackendGemini
	if q.backend == other {
		other = pool.BackendVertex
	}
	var a answer
	switch {
	case signedBy(q.body, other):
		a = invalid(corrupted)
	case q.draw(3).Float64() < talkFaults:
		a = refused(http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable.")
	default:
		return nil
	}
	return &a
}

func (s talk) run(t *testing.T) Outcome {
	t.Helper()
	projects := []pool.Project{keyed("a"), located("global")("b"), keyed("c"), located("europe-west4")("d")}
	cfg := router.Config{MaxWait: wait(s.wait), Backend: s.dialect}
	ended := make([]string, conversations)
	var o Outcome
	seen := setup{projects: projects, cfg: cfg, rule: s.breaks}.play(t, func(w *world) {
		var all sync.WaitGroup
		for i := range ended {
			time.Sleep(between)
			all.Go(func() { ended[i] = s.converse(w, i) })
		}
		all.Wait()
		o.Requests = w.google.requests
	})
	o.Calls = conversations
	died, first := 0, ""
	for i, why := range ended {
		if why == "" {
			continue
		}
		o.Failed++
		if !strings.Contains(why, "signature") {
			continue
		}
		if died++; first == "" {
			first = fmt.Sprintf("conversation %d, %s", i, why)
		}
	}
	o.wantf(died == 0, "%d of %d conversations died of a signature, want 0; %s", died, o.Calls, first)
	o.wantf(2*o.Failed < o.Calls, "%d of %d conversations did not end well", o.Failed, o.Calls)
	o.Leaks = seen.found()
	return o
}

// converse returns why a conversation ended before its last turn. What fails otherwise than for
// good is said again after a second, a few times.
func (s talk) converse(w *world, n int) string {
	history := ""
	for turn := range turns {
		said := fmt.Sprintf(`{"role":"user","parts":[{"text":"Conversation %d, turn %d."}]}`, n, turn)
		var c *call
		for try := 0; ; try++ {
			c = &call{
				n: n<<16 | turn<<8 | try, dialect: s.dialect, stream: s.stream, deadline: 30 * time.Second,
				signs: sign, body: `{"contents":[` + history + said + `]}`,
			}
			w.play(c)
			if c.failed == "" {
				break
			}
			if try == 5 || strings.HasPrefix(c.failed, "status 400") {
				return fmt.Sprintf("turn %d: %s", turn, c.failed)
			}
			time.Sleep(time.Second)
		}
		_, signature, _ := strings.Cut(c.answer, `"thoughtSignature":"`)
		signature, _, _ = strings.Cut(signature, `"`)
		history += said + `,{"role":"model","parts":[{"text":"well","thoughtSignature":"` + signature + `"}]},`
	}
	return ""
}
