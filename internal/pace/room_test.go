package pace_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/internal/pace"
)

func TestLargeLinesAreFewerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in bytes.Buffer
		for i, size := range []int{2000, 400, 400, 400, 400, 400, 400, 3000, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100} {
			fmt.Fprintf(&in, `{"key": "%d", "model": "m", "request": {"contents": [{"parts": [{"text": %q}]}]}}`+"\n", i, strings.Repeat("x", size))
		}
		var (
			mu                       sync.Mutex
			bytesNow, now, most, fat int
			alone                    = true
		)
		sum, err := newJob(t, in.Bytes()).run(t.Context(), false, pace.Config{Memory: 1000, Transport: server(func(_ *http.Request, body []byte) (int, http.Header, string) {
			mu.Lock()
			bytesNow, now = bytesNow+len(body), now+1
			most = max(most, now)
			if now > 1 {
				fat, alone = max(fat, bytesNow), alone && len(body) < 1000
			}
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			bytesNow, now = bytesNow-len(body), now-1
			return 200, nil, served
		})})
		if err != nil || sum.Served != 22 {
			t.Errorf("%v, %+v", err, sum)
		}
		if fat > 1000 || !alone || most < 5 {
			t.Errorf("%d bytes at once, large ones alone: %v, %d small ones at once", fat, alone, most)
		}
	})
}

func TestARunThatWaitsForRoomCanEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		sum, err := newJob(t, requests(5)).run(ctx, false, pace.Config{Memory: 1, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			time.Sleep(40 * time.Second)
			return 200, nil, served
		})})
		if err != nil || sum.Served != 2 || sum.Left != 3 {
			t.Errorf("%v, %+v", err, sum)
		}
	})
}
