package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// ending is a SIGTERM while n clients call without a pause, and some have Live sessions. Each call
// that was accepted has to be answered.
func ending(n int, lasts time.Duration) row {
	const sessions = 50
	return row{name: "SIGTERM under load", lasts: time.Minute, slow: time.Second, least: n + sessions, ends: true,
		siege: func(ctx context.Context, to *target, met *report) {
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { callOn(ctx, to, met, i%2 == 0) })
			}
			for range sessions {
				all.Go(func() { talk(ctx, to, met) })
			}
			all.Wait()
		},
		also: func(_ context.Context, t *trial) {
			time.Sleep(lasts / 2)
			t.result.memory, _ = t.serve.peak()
			began := time.Now()
			_ = t.serve.Process.Signal(syscall.SIGTERM)
			for time.Since(began) < time.Second && t.result.unready.IsZero() {
				resp, err := t.admin().Get("http://localhost/readyz") //nolint:noctx // it has a timeout
				if err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusServiceUnavailable {
					t.result.unready = time.Now()
				}
				time.Sleep(time.Millisecond)
			}
		}}
}

// callOn calls until the sidecar accepts no more connections.
func callOn(ctx context.Context, to *target, met *report, version2 bool) {
	client := newClient(to, version2)
	for {
		switch status, err := post(ctx, client, to, slowModel); {
		case errors.Is(err, syscall.ECONNREFUSED):
			met.refused()
			met.client()
			return
		case err != nil || status != "200 OK":
			met.wrong("a call gets %s, %v", status, err)
			return
		}
		met.saw("calls that were served")
	}
}

// talk has a Live session until the sidecar ends it, which it has to announce.
func talk(ctx context.Context, to *target, met *report) {
	c, resp, err := websocket.Dial(ctx, "ws://"+to.address+"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", nil)
	if err != nil {
		met.wrong("a session cannot be had: %v", err)
		return
	}
	_ = resp.Body // the library has closed it
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"setup":{"model":"models/`+liveModel+`","generationConfig":{"responseModalities":["TEXT"]}}}`)); err != nil {
		met.wrong("a session cannot be had: %v", err)
		return
	}
	told := false
	for {
		_, message, err := c.Read(ctx)
		if err == nil {
			told = told || strings.Contains(string(message), "goAway")
			continue
		}
		if code := websocket.CloseStatus(err); !told || code != websocket.StatusGoingAway {
			met.wrong("%s", fmt.Sprintf("a session ends with %d, and was told: %t", code, told))
			return
		}
		met.client()
		return
	}
}
