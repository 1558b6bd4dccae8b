package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// prompt begins every prompt.
const prompt = "A heron stood in the shallows of the reservoir"

// load is what clients send to the fleet, and what becomes of it.
type load struct {
	fleet  func() []*replica
	client *http.Client
	calls  sync.WaitGroup

	mu      sync.Mutex
	served  int
	refused int            // by the pool, as it is exhausted
	cut     int            // with a replica that was killed
	failed  map[string]int // by what was wrong
	waits   []time.Duration
	answers []string // the beginnings of some
}

func newLoad(fleet func() []*replica) *load {
	// A connection for each call: as with a balancer, one that is idle never ends under a call.
	return &load{fleet: fleet, failed: map[string]int{}, client: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// run sends calls at a rate until ctx ends, then waits for those under way.
func (l *load) run(ctx context.Context, rate float64) {
	next := time.Now()
	for n := 0; ; n++ {
		next = next.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
		select {
		case <-ctx.Done():
			l.calls.Wait()
			return
		case <-time.After(time.Until(next)):
		}
		l.calls.Go(func() { l.call(n) })
	}
}

// runSlow keeps slow calls under way, more than there are slots, until ctx ends.
func (l *load) runSlow(ctx context.Context) {
	var all sync.WaitGroup
	for range 2 * slots {
		all.Go(func() {
			for ctx.Err() == nil {
				if r := l.choose(); r != nil {
					_, _, _ = l.send(ctx, r, slotsModel, prompt)
				}
			}
		})
	}
	all.Wait()
}

// choose draws a replica.
func (l *load) choose() *replica {
	all := l.fleet()
	for _, i := range rand.Perm(len(all)) {
		if r := all[i]; !r.out.Load() && !r.killed.Load() {
			return r
		}
	}
	return nil
}

// call sends one call. A replica that cannot be reached has not got it, so another one does.
func (l *load) call(n int) {
	for {
		r := l.choose()
		if r == nil {
			l.fail("no replica")
			return
		}
		begin := time.Now()
		status, body, err := l.send(context.Background(), r, model, fmt.Sprintf("%s, call %d.", prompt, n))
		took := time.Since(begin)
		var op *net.OpError
		switch {
		case err == nil:
			l.note(status, body, took)
		case r.killed.Load():
			l.mu.Lock()
			l.cut++
			l.mu.Unlock()
		case errors.As(err, &op) && op.Op == "dial":
			time.Sleep(10 * time.Millisecond)
			continue
		default:
			l.fail(err.Error())
		}
		return
	}
}

func (l *load) send(ctx context.Context, r *replica, model, text string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/v1beta/models/"+model+":generateContent",
		strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"`+text+`"}]}]}`))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(replicaHeader, r.url)
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
		return 0, nil, errors.New("a 429 without Retry-After")
	}
	return resp.StatusCode, body, err
}

// note takes over an answer.
func (l *load) note(status int, body []byte, took time.Duration) {
	switch status {
	case http.StatusOK:
	case http.StatusTooManyRequests:
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
		return
	default:
		l.fail(fmt.Sprintf("status %d: %.200s", status, strings.TrimSpace(string(body))))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.served++
	l.waits = append(l.waits, max(took-answering, 0))
	if len(l.answers) < 100 {
		if text := textOf(body); len(text) >= 24 {
			l.answers = append(l.answers, text[:24])
		}
	}
}

func (l *load) fail(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[why]++
}

// textOf returns what an answer says.
func textOf(body []byte) string {
	var answer struct {
		Candidates []struct {
			Content struct{ Parts []struct{ Text string } }
		}
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Candidates) == 0 || len(answer.Candidates[0].Content.Parts) == 0 {
		return ""
	}
	return answer.Candidates[0].Content.Parts[0].Text
}
