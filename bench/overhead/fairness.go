package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	callers  = 1000
	duration = 10 * time.Minute
	slots    = 20 // calls at once, of a second each
)

// fairness measures whether callers that wait in lines of their own get equal shares of what all of
// them want. Each names the same locations in an order of its own, which makes it a line of its own
// though the same endpoints serve it. A caller makes one call after the other, and each waits as
// long as it takes.
func fairness(t *testing.T, _ effort) []figure {
	t.Helper()
	var served []float64
	synctest.Test(t, func(t *testing.T) { served = compete(t) })
	var sum, squares float64
	for _, n := range served {
		sum += n
		squares += n * n
	}
	slices.Sort(served)
	extremes := fmt.Sprintf("%.0f, %.0f", served[0], served[callers-1])
	return []figure{
		{"Jain's index over 1,000 lines", fmt.Sprintf("%.4f", sum*sum/(callers*squares)), ""},
		{"calls served of a line, least and most", extremes, ""},
		{"calls served of those possible", fmt.Sprintf("%.1f", 100*sum/(slots*duration.Seconds())), "%"},
	}
}

// compete returns how many calls of each caller were served.
func compete(t *testing.T) []float64 {
	t.Helper()
	locations := []string{
		"us-central1", "us-east4", "us-west1", "europe-west1", "europe-west4", "asia-east1", "asia-south1",
	}
	r, err := router.New(pool.Config{Projects: []pool.Project{{
		Name: "shared", Backend: pool.BackendVertex, Credentials: pool.NoCredentials,
		Locations: locations, Limits: []pool.Limit{{Concurrency: slots}},
	}}}, router.Config{}, router.WithTransport(second()))
	if err != nil {
		t.Fatal(err)
	}
	served := make([]float64, callers)
	start := time.Now()
	end := start.Add(duration)
	var all sync.WaitGroup
	for i := range callers {
		order := permutation(locations, i)
		all.Go(func() {
			for time.Now().Before(end) {
				req := request(t, model)
				req.URL.Host = "aiplatform.googleapis.com"
				req.URL.Path = "/v1/projects/placeholder/locations/global/publishers/google/models/" +
					model + ":generateContent"
				req.Header.Del("X-Goog-Api-Key")
				req.Header.Set("Spillway-Locations", order)
				req.Header.Set("Spillway-Max-Wait", duration.String())
				if send(t, r, req) == http.StatusOK {
					served[i]++
				}
			}
		})
	}
	all.Wait()
	_ = r.Close()
	return served
}

// second answers each call after about a second.
func second() roundTripper {
	answer := unary("Yes.")
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(1, 2))
	return func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		d := time.Duration((0.8 + 0.4*rng.Float64()) * float64(time.Second))
		mu.Unlock()
		time.Sleep(d)
		return answer(req)
	}
}

// permutation is the i-th order of some words, with commas between them.
func permutation(words []string, i int) string {
	left := slices.Clone(words)
	var order []string
	for n := len(left); n > 0; n-- {
		order = append(order, left[i%n])
		left = slices.Delete(left, i%n, i%n+1)
		i /= n
	}
	return strings.Join(order, ",")
}
