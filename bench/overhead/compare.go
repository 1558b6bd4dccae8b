package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// model is what all calls ask for.
const model = "gemini-2.5-flash"

// comparison is a row of the first table.
type comparison struct {
	name      string
	endpoints int
	google    roundTripper
	call      func(ctx context.Context, c *genai.Client, i int) error // the i-th call
}

var comparisons = []comparison{
	{"unary: 1 KB prompt, 2 KB answer", 4, unary(prose(2 << 10)), generate(asking(prose(1 << 10)))},
	{"stream of 4 events", 4, stream(4, prose(200)), read(asking(prose(1 << 10)))},
	{"stream of 400 events", 4, stream(400, prose(200)), read(asking(prose(1 << 10)))},
	{"unary: 10 MB prompt", 4, unary(prose(2 << 10)), generate(asking(prose(10 << 20)))},
	{"conversation, 4,096 endpoints", 4096, unary(prose(2 << 10)), generate(conversations(64))},
}

// prose is text of a length in bytes.
func prose(length int) string {
	const sentence = "A dam keeps what you bought and lets the rest over the spillway. "
	return strings.Repeat(sentence, length/len(sentence)+1)[:length]
}

// contents are what the i-th call sends.
type contents func(i int) []*genai.Content

func asking(prompt string) contents {
	c := genai.Text(prompt)
	return func(int) []*genai.Content { return c }
}

// conversations are so many, all in their third turn. What each began with is long enough to be
// cached, so that the calls of one prefer one endpoint.
func conversations(n int) contents {
	all := make([][]*genai.Content, n)
	for i := range all {
		all[i] = []*genai.Content{
			genai.NewContentFromText("Conversation "+strconv.Itoa(i)+". "+prose(8<<10), genai.RoleUser),
			genai.NewContentFromText(prose(512), genai.RoleModel),
			genai.NewContentFromText("And then?", genai.RoleUser),
		}
	}
	return func(i int) []*genai.Content { return all[i%n] }
}

func generate(c contents) func(context.Context, *genai.Client, int) error {
	return func(ctx context.Context, client *genai.Client, i int) error {
		_, err := client.Models.GenerateContent(ctx, model, c(i), nil)
		return err
	}
}

func read(c contents) func(context.Context, *genai.Client, int) error {
	return func(ctx context.Context, client *genai.Client, i int) error {
		for _, err := range client.Models.GenerateContentStream(ctx, model, c(i), nil) {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// cost is what one call of a client costs.
type cost struct{ micros, allocs, kilobytes float64 }

// run makes calls of both clients in turn for a time.
func (c comparison) run(t *testing.T, d time.Duration) (bare, routed cost) {
	t.Helper()
	const (
		least = 10 // calls, however long they take
		some  = 10 // calls to count allocations over
	)
	sdk, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: "key", HTTPClient: &http.Client{Transport: c.google},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Pool: manyProjects(c.endpoints, true)}
	client, err := spillway.New(t.Context(), cfg, router.WithTransport(c.google))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	i := 0
	call := func(g *genai.Client) float64 {
		began := time.Now()
		if err := c.call(t.Context(), g, i); err != nil {
			t.Fatal(err)
		}
		return float64(time.Since(began).Nanoseconds()) / 1e3
	}
	var bareTimes, routedTimes []float64
	for began := time.Now(); ; i++ {
		b, r := call(sdk), call(client.Client)
		if time.Since(began) < d/5 { // the first calls of the endpoints cost more
			continue
		}
		bareTimes, routedTimes = append(bareTimes, b), append(routedTimes, r)
		if len(bareTimes) >= least && time.Since(began) > d {
			break
		}
	}
	bare.micros, routed.micros = median(bareTimes), median(routedTimes)
	bare.allocs, bare.kilobytes = allocated(some, func() { call(sdk) })
	routed.allocs, routed.kilobytes = allocated(some, func() { call(client.Client) })
	return bare, routed
}

// allocated returns how often a call allocates, and how much.
func allocated(n int, call func()) (times, kilobytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		call()
	}
	runtime.ReadMemStats(&after)
	times = float64(after.Mallocs-before.Mallocs) / float64(n)
	kilobytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n) / 1024
	return times, kilobytes
}

// manyProjects is a pool of gemini projects with a key each, as long as Google's.
func manyProjects(n int, limited bool) pool.Config {
	projects := make([]pool.Project, n)
	for i := range projects {
		projects[i] = pool.Project{
			Name: "p" + strconv.Itoa(i), Backend: pool.BackendGemini,
			Keys: []pool.Secret{pool.NewSecret(fmt.Sprintf("AIzaSy%033d", i))},
		}
		if limited {
			projects[i].Limits = []pool.Limit{{RPM: 1e9, TPM: 1e12}}
		}
	}
	return pool.Config{Projects: projects}
}
