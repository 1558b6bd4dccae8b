package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// door is one way into Google's back ends, for those who have no router.
type door struct {
	key       string
	project   string // Vertex AI only
	location  string
	dedicated bool // for the order alone
}

// host is where a location of Vertex AI is reached.
func (d door) host() string {
	switch d.location {
	case "":
		return "generativelanguage.googleapis.com"
	case "global":
		return "aiplatform.googleapis.com"
	default:
		return d.location + "-aiplatform.googleapis.com"
	}
}

func (d door) path() string {
	if d.location == "" {
		return "/v1beta/models/" + model + ":generateContent"
	}
	return "/v1beta1/projects/" + d.project + "/locations/" + d.location + "/publishers/google/models/" + model + ":generateContent"
}

// through sends the caller's request through the door.
func (d door) through(google http.RoundTripper, req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL = &url.URL{Scheme: "https", Host: d.host(), Path: d.path()}
	out.Host = out.URL.Host
	out.Header.Set("X-Goog-Api-Key", d.key)
	if d.location != "" {
		out.Header.Set(requestType, map[bool]string{true: "dedicated", false: "shared"}[d.dedicated])
	}
	return google.RoundTrip(out)
}

// roundTripper is a function that is a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func drop(resp *http.Response) {
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// retryable are the statuses that the SDK tries again: google.golang.org/genai v1.77.0,
// HTTPRetryOptions.
func retryable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// sdkRetries is one key and the SDK's own retries, as its options document their defaults: five
// attempts, 1 s doubling to 60 s and up to 1 s of jitter between them. The server's hints are not
// read.
func sdkRetries(google http.RoundTripper, doors []door) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		for attempt, delay := 1, time.Second; ; attempt, delay = attempt+1, min(2*delay, time.Minute) {
			resp, err := doors[len(doors)-1].through(google, req)
			if err != nil || !retryable(resp.StatusCode) || attempt == 5 {
				return resp, err
			}
			drop(resp)
			time.Sleep(min(delay+time.Duration(rand.Int64N(int64(time.Second))), time.Minute))
		}
	})
}

// roundRobin takes the doors in turn and leaves one that has said 429 alone for a minute, as common
// rotators of keys do. With every door resting the call fails.
func roundRobin(google http.RoundTripper, doors []door) http.RoundTripper {
	const cooldown = time.Minute
	var mu sync.Mutex
	next := 0
	until := make([]time.Time, len(doors))
	take := func(now time.Time, tried []bool) int {
		mu.Lock()
		defer mu.Unlock()
		for range doors {
			i := next % len(doors)
			next++
			if !tried[i] && !until[i].After(now) {
				return i
			}
		}
		return -1
	}
	rest := func(i int, end time.Time) {
		mu.Lock()
		defer mu.Unlock()
		until[i] = end
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		tried := make([]bool, len(doors))
		last := &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody}
		for i := take(time.Now(), tried); i >= 0; i = take(time.Now(), tried) {
			tried[i] = true
			resp, err := doors[i].through(google, req)
			if err != nil || resp.StatusCode != http.StatusTooManyRequests {
				return resp, err
			}
			rest(i, time.Now().Add(cooldown))
			drop(resp)
		}
		return last, nil
	})
}

// elsewhere asks one door after the other until one serves the call, and remembers nothing.
func elsewhere(google http.RoundTripper, doors []door) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		var resp *http.Response
		for _, i := range rand.Perm(len(doors)) {
			if resp != nil {
				drop(resp)
			}
			var err error
			if resp, err = doors[i].through(google, req); err != nil || resp.StatusCode != http.StatusTooManyRequests {
				return resp, err
			}
		}
		return resp, nil
	})
}

// orderFirst asks the orders on every call, then the other doors. Of several orders each is asked
// first in turn: the one that every call is offered to, small ones too, is packed fuller than the
// one that gets what the other has refused.
func orderFirst(google http.RoundTripper, doors []door) http.RoundTripper {
	orders := 0
	for orders < len(doors) && doors[orders].dedicated {
		orders++
	}
	var calls atomic.Int64
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		first := int(calls.Add(1)) % max(orders, 1)
		var resp *http.Response
		for _, d := range slices.Concat(doors[first:orders], doors[:first], doors[orders:]) {
			if resp != nil {
				drop(resp)
			}
			var err error
			if resp, err = d.through(google, req); err != nil || resp.StatusCode != http.StatusTooManyRequests {
				return resp, err
			}
		}
		return resp, nil
	})
}
