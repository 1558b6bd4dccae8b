package pace_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/spillway-go/spillway/internal/pace"
)

// The usage of a response from the cache is the first one's, which is counted already.
func TestWhatTheCacheServesCostsNoTokens(t *testing.T) {
	var asked atomic.Int64
	cfg := pace.Config{Share: 1, Parallel: 4, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
		use := "hit"
		if asked.Add(1) == 1 {
			use = "miss"
		}
		return http.StatusOK, http.Header{"Spillway-Cache": {use}}, served
	})}
	sum, err := newJob(t, requests(5)).run(t.Context(), false, cfg)
	if err != nil || sum.Served != 5 || sum.FromCache != 4 || sum.Input != 3 || sum.Output != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
}
