package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// others are the clients that have nothing to do with the siege.
type others struct {
	url    string
	client *http.Client
}

const (
	hello = `{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`
	// every is the time between two calls of the others. One of fifth is a stream.
	every = 10 * time.Millisecond
	fifth = 5
)

func newOthers(url string) *others {
	return &others{url, &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 100,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the row's own certificate
	}}}
}

// measured is what the others met: how long their calls took, and why calls failed.
type measured struct {
	mu     sync.Mutex
	took   []time.Duration
	failed map[string]int
}

// call calls until ctx ends, at moments that do not depend on the responses.
func (o *others) call(ctx context.Context, m *measured) {
	var under sync.WaitGroup
	defer under.Wait()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case due := <-ticker.C:
			under.Go(func() {
				err := o.once(i%fifth == 0)
				m.note(time.Since(due), err)
			})
		}
	}
}

func (m *measured) note(took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.took = append(m.took, took)
		return
	}
	if m.failed == nil {
		m.failed = make(map[string]int)
	}
	m.failed[err.Error()]++
}

// once makes one call and reads its response to the end.
func (o *others) once(stream bool) error {
	method := ":generateContent"
	if stream {
		method = ":streamGenerateContent?alt=sse"
	}
	resp, err := o.client.Post(o.url+"/v1beta/models/"+othersModel+method, "application/json", strings.NewReader(hello)) //nolint:noctx // it has a timeout
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %.200s", resp.Status, body)
	case !strings.Contains(string(body), `"STOP"`):
		return errors.New("a response without an end")
	}
	return nil
}

// quantile returns the q-quantile of durations; 0 of none.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[min(int(q*float64(len(d))), len(d)-1)]
}
