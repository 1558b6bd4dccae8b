package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// google is the emulator on one road: HTTP/1.1 and h2c, or HTTP/1.1 and HTTP/2 over TLS.
type google struct {
	*geminitest.Emulator

	url  string
	http *http.Server
	fail func() // called at the clients' cue
}

// startGoogle serves a new emulator. The same calls get the same responses of each, except for times.
func startGoogle(ctx context.Context, on road, failing bool) (*google, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &google{
		Emulator: geminitest.New(geminitest.Config{Projects: []geminitest.Project{
			{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
		}}),
		url:  on.url(listener.Addr()),
		fail: func() {},
	}
	if failing {
		g.fail = sync.OnceFunc(g.exhaustMain)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	g.http = &http.Server{
		Handler: g, Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), // clients leave connections as they like
	}
	go func() { _ = on.serve(g.http, listener) }()
	return g, nil
}

// ServeHTTP takes the first question about a model as the cue: every client asks it once, in the middle.
func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && path.Base(path.Dir(r.URL.Path)) == "models" {
		g.fail()
	}
	g.Emulator.ServeHTTP(w, r)
}

// exhaustMain uses up the quotas of project main: from now on its models refuse every call, and new
// uploads too. What is there already can be read and deleted.
func (g *google) exhaustMain() {
	g.Keep(geminitest.Match{Project: "main", Method: "files.create"}, geminitest.QuotaUnknown())
	for _, model := range geminitest.DefaultModels() {
		g.Keep(geminitest.Match{Project: "main", Model: model}, geminitest.MinuteQuota(model, 5, time.Minute))
	}
}

func (g *google) close() { _ = g.http.Close() }

// tally is what became of the requests of a run.
type tally struct {
	main, spare int // served by each project
	refused     int // by main, for its quota
}

// check returns an error if the requests are not those of a run.
func (t tally) check(by way) error {
	if (t.refused > 0) != (by == failover) || by == failover && (t.main == 0 || t.spare == 0) {
		return fmt.Errorf("main served %d calls and refused %d, spare served %d", t.main, t.refused, t.spare)
	}
	return nil
}

// inspect counts the requests, and checks that none carried anything but the pool's keys.
func (g *google) inspect() (t tally, err error) {
	for _, r := range g.Requests() {
		switch {
		case r.Key != "main-key" && r.Key != "spare-key" || r.KeyInURL:
			return t, fmt.Errorf("a request carried a credential that is not the pool's, or carried it in its URL: %s %s", r.HTTPMethod, r.Method)
		case r.Status == http.StatusTooManyRequests:
			t.refused++
		case r.Project == "main":
			t.main++
		default:
			t.spare++
		}
	}
	return t, nil
}
