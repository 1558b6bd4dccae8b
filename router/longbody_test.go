package router_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/router"
)

// Long bodies that are read through leave a processor to short calls, and wait for each other.
func TestLongBodiesWaitForEachOtherAndNotForShortCalls(t *testing.T) {
	for name, memory := range map[string]int64{"in memory": 64 << 20, "in a file": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := routerOver(t, func(req *http.Request) (*http.Response, error) {
					_ = req.Body.Close()
					return answerOf(200, okBody), nil
				}, router.Config{BodyMemory: memory})
				call := func(ctx context.Context, length int) error {
					resp, err := r.RoundTrip(posted(ctx, genPath, ofLength(length), int64(length)))
					if err == nil {
						err = resp.Body.Close()
					}
					return err
				}
				see := r.Blind()
				left, leave := context.WithCancel(t.Context())
				long, gone := make(chan error, 1), make(chan error, 1)
				go func() { long <- call(t.Context(), 3<<20) }()
				go func() { gone <- call(left, 3<<20) }()
				synctest.Wait()
				if err := call(t.Context(), 1000); err != nil {
					t.Errorf("a short call: %v", err)
				}
				leave()
				if err := <-gone; !errors.Is(err, context.Canceled) {
					t.Errorf("a long call whose caller has gone: %v", err)
				}
				select {
				case err := <-long:
					t.Errorf("a long call does not wait: %v", err)
				default:
				}
				see()
				if err := <-long; err != nil {
					t.Errorf("a long call: %v", err)
				}
			})
		})
	}
}
