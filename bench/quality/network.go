package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// result is what became of one call.
type result struct {
	served   bool
	sent     time.Duration // when the attempt that was served reached Google
	took     time.Duration // from the arrival of the call to its end
	own      time.Duration // of that, what the attempt that was served took
	where    string        // location and request type of that attempt
	key      string        // and its API key
	attempts int
	refused  []failure // for want of quota or capacity
	failed   []failure // for anything else
	broken   bool      // the caller got neither an answer nor a refusal, but an error
}

// failure is an attempt that Google did not serve.
type failure struct {
	at    time.Duration // when it reached Google
	where string
	key   string
}

// task is a call under way, as the network knows it: it finds it in the context of each attempt.
type task struct {
	*call
	*result
}

type taskKey struct{}

// network lies between whoever routes and the emulator. It takes its time, and notes what comes and
// goes. Like the laws of the answers' sizes, it is nothing that a router can know.
type network struct {
	google  http.RoundTripper
	start   time.Time
	refusal time.Duration // how long a refusal takes at least, there and back

	mu  sync.Mutex
	rng *rand.Rand
}

// The way to Google takes 20 ms in the median; one request in a hundred takes 60.
const (
	wayMedian = 20 * time.Millisecond
	waySigma  = 0.5
)

func (n *network) way() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Duration(float64(wayMedian) * math.Exp(waySigma*n.rng.NormFloat64()))
}

// requestType is the header that asks Vertex AI for a kind of traffic.
const requestType = "X-Vertex-Ai-Llm-Request-Type"

// RoundTrip sends one attempt.
func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	t, _ := req.Context().Value(taskKey{}).(task)
	began := time.Now()
	t.attempts++
	if req.Body != nil {
		_ = req.Body.Close()
	}
	time.Sleep(n.way())
	sent := time.Now()

	out := req.WithContext(req.Context()) // a copy
	body := t.told()
	out.Body, out.GetBody, out.ContentLength = io.NopCloser(bytes.NewReader(body)), nil, int64(len(body))
	resp, err := n.google.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	where, key := locationOf(req)+"/"+req.Header.Get(requestType), req.Header.Get("X-Goog-Api-Key")
	switch resp.StatusCode {
	case http.StatusOK:
		t.served, t.sent, t.own, t.where, t.key = true, sent.Sub(n.start), time.Since(began), where, key
	case http.StatusTooManyRequests:
		t.refused = append(t.refused, failure{sent.Sub(n.start), where, key})
		time.Sleep(n.refusal - time.Since(began))
	default:
		t.failed = append(t.failed, failure{sent.Sub(n.start), where, key})
	}
	return resp, nil
}

// locationOf is the location in a path of Vertex AI; "" for the Gemini Developer API.
func locationOf(req *http.Request) string {
	_, after, found := strings.Cut(req.URL.Path, "/locations/")
	if !found {
		return ""
	}
	location, _, _ := strings.Cut(after, "/")
	return location
}

// offer plays the calls through a transport, in virtual time, and returns what became of each once
// all have ended.
func offer(start time.Time, calls []call, via http.RoundTripper, url string) []result {
	results := make([]result, len(calls))
	var all sync.WaitGroup
	for i := range calls {
		c, r := &calls[i], &results[i]
		time.Sleep(time.Until(start.Add(c.at)))
		all.Go(func() {
			ctx := context.WithValue(context.Background(), taskKey{}, task{c, r})
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(c.body()))
			if err != nil {
				return // the URL is ours
			}
			resp, err := via.RoundTrip(req)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			r.served = r.served && err == nil && resp.StatusCode == http.StatusOK
			r.broken = !r.served && (err != nil || resp.StatusCode != http.StatusTooManyRequests)
			r.took = time.Since(start.Add(c.at))
		})
	}
	all.Wait()
	return results
}
