package verdict_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// Control characters move a terminal's cursor, and bidi overrides turn what it shows around: Google
// and proxies may put them anywhere, raw or escaped.
func TestNothingInAVerdictMovesACursor(t *testing.T) {
	for _, evil := range []string{
		"\x1b[2J", `\u001b[2J`, "\u009b2J", `\u009b2J`, "\u202e", `\u202E`, `\u2066`, "\x9b", "\xff\xfe", `\n`, `\r`, `\u2028`, "\x7f", "\u200b",
	} {
		for name, body := range map[string]string{
			"everything": `{"error":{"code":429,"status":"RES` + evil + `OURCE","message":"Quota exceeded for metric: generativelanguage.googleapis.com/a` + evil + `b, limit: 20, model: g` + evil + `h",
				"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"Per` + evil + `Day","quotaMetric":"m` + evil + `n","quotaDimensions":{"model":"x` + evil + `y"}}]},
				{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"WHY` + evil + `NOT","metadata":{"quota_limit":"q` + evil + `r"}}]}}`,
			"message": `{"error":{"code":429,"message":"Quota exceeded for quota metric 'Re` + evil + `quests' and limit 'Req` + evil + `per minute' of service; Quota exceeded for aiplatform.googleapis.com/o` + evil + `p with base model: g` + evil + `h."}}`,
			"text":    "upstream " + evil + " refused",
			"html":    "<html><title>502 " + evil + "</title>",
		} {
			for _, status := range []int{0, 403, 429, 502} {
				v := verdict.Judge(verdict.Answer{Backend: pool.BackendGemini, Keyed: true, Status: status, Header: http.Header{}, Body: []byte(body), Now: time.Now()})
				words := []string{v.Message, v.Reason, v.Status}
				for _, q := range v.Violations {
					words = append(words, q.ID, q.Metric, q.Model)
				}
				for _, w := range words {
					if !plain.Is(w) {
						t.Errorf("%q in %s, status %d: the verdict has %q", evil, name, status, w)
					}
				}
				if all := strings.Join(words, ""); name == "everything" && !strings.Contains(all, "WHY") {
					t.Errorf("%q: nothing is left of it: %q", evil, all)
				}
			}
		}
	}
}
