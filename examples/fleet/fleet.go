package main

import (
	"context"
	_ "embed"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

//go:embed spillway.toml
var file []byte

// environment replaces the environment's keys.
var environment = map[string]string{
	"NORTH_KEY": "the-key-of-north", "SOUTH_KEY_1": "the-first-key-of-south", "SOUTH_KEY_2": "the-second-key-of-south",
}

// newGoogle returns a Google that enforces what the file says.
func newGoogle() *geminitest.Emulator {
	return geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{
			{ID: "north", Keys: []string{environment["NORTH_KEY"]}, Limits: []geminitest.Limit{{RPM: 120}}},
			{ID: "south", Keys: []string{environment["SOUTH_KEY_1"], environment["SOUTH_KEY_2"]}, Limits: []geminitest.Limit{{RPM: 900}}},
		},
		Latency: geminitest.Latency{FirstToken: 100 * time.Millisecond, PerToken: time.Millisecond, Jitter: 0.3},
	})
}

// replica is one of the processes that a service would have.
type replica struct {
	name   string
	client *spillway.Client
	end    func() error // of its connection to the store
}

// fleet is the replicas, and the load on them.
type fleet struct {
	google *geminitest.Emulator
	engine *engine
	rate   atomic.Int64 // calls a second
	tally  tally

	mu       sync.Mutex
	replicas []replica
}

// join starts a replica. It has nothing in common with the others but the file and the store.
func (f *fleet) join(name string) error {
	cfg, err := config.Parse("spillway.toml", file, config.WithEnv(func(name string) (string, bool) {
		if name == "SPILLWAY_REDIS" {
			return f.engine.url, true
		}
		value, ok := environment[name]
		return value, ok
	}))
	if err != nil {
		return err
	}
	var shared store.Store
	shared, end, err := f.engine.open(cfg)
	if err != nil {
		return err
	}
	// A service writes connect.Open and spillway.Open. Here the program embeds the file, and the
	// emulator replaces the network.
	client, err := spillway.New(context.Background(), cfg, router.WithStore(shared), router.WithTransport(f.google))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replicas = append(f.replicas, replica{name, client, end})
	return nil
}

// list returns the replicas that have joined.
func (f *fleet) list() []replica {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.replicas
}

func (f *fleet) close() {
	for _, r := range f.list() {
		_ = r.client.Close()
		_ = r.end()
	}
}

// load makes calls at the rate, at one replica after the other, as a load balancer does, until ctx
// ends. It returns after the last response.
func (f *fleet) load(ctx context.Context) {
	var underway sync.WaitGroup
	defer underway.Wait()
	next := time.Now()
	for n := 0; ; n++ {
		rate := f.rate.Load()
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		next = next.Add(time.Second / time.Duration(max(rate, 10)))
		if rate == 0 {
			continue
		}
		all := f.list()
		r := all[n%len(all)]
		underway.Go(func() {
			// Calls under way end normally, also after the end of the story.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			resp, err := r.client.Models.GenerateContent(ctx, model, genai.Text(fmt.Sprintf("Question %d?", n)), nil)
			if err != nil {
				f.tally.failed(r.name, err)
				return
			}
			f.tally.served(r.name, resp.SDKHTTPResponse.Headers.Get("Spillway-Endpoint"))
		})
	}
}
