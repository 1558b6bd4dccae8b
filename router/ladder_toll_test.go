package router_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// A call braves contention to spare the price of priority. Where another standard endpoint takes it,
// there is nothing to spare.
func TestContentionIsNotBravedWhileAnotherStandardEndpointIsFree(t *testing.T) {
	spare := vertexed("spare", "global")
	spare.pool.OnDemand, spare.pool.Priority = []string{"standard", "priority"}, -1
	for name, tt := range map[string]struct {
		projects []project
		full     geminitest.Match
	}{
		"in another location": {[]project{laddered([]string{"standard", "priority"}, nil, "global", "us")}, geminitest.Match{Location: "global"}},
		"of another project":  {[]project{laddered([]string{"standard", "priority"}, nil, "global"), spare}, geminitest.Match{Project: "acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setup{google: geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second}}}
				r := rain{bed: s.bed(t, tt.projects...)}
				tt.full.Tier = "none"
				r.bed.KeepSome(tt.full, 0.7, geminitest.Contention())
				r.fall(t, time.Minute, 20)
				r.wg.Wait()
				refused := r.bed.CountStatus(geminitest.Match{}, http.StatusTooManyRequests)
				if n := r.calls(); r.traffic["on_demand"] != n || refused > n/10 {
					t.Errorf("of %d calls %v; standard refused %d, want at most a tenth", n, r.traffic, refused)
				}
			})
		})
	}
}
