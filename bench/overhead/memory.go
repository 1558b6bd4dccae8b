package main

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/spillway-go/spillway/router"
)

// memory measures what the router keeps of an endpoint and a model before the first call there: the
// growth of the heap when new models are called, once each, over many endpoints. Of these one
// serves the call, and the others only might have.
func memory(t *testing.T, _ effort) []figure {
	t.Helper()
	const endpoints, models = 1000, 64
	var figures []figure
	for _, limited := range []bool{false, true} {
		projects, google := manyProjects(endpoints, limited), router.WithTransport(unary("Yes."))
		r, err := router.New(projects, router.Config{}, google)
		if err != nil {
			t.Fatal(err)
		}
		callModel := func(i int) {
			req := request(t, fmt.Sprintf("gemini-2.5-flash-%d", i))
			if status := send(t, r, req); status != http.StatusOK {
				t.Fatalf("status %d, want 200", status)
			}
		}
		callModel(0)
		before := heap()
		for i := range models {
			callModel(i + 1)
		}
		grown := float64(heap() - before)
		runtime.KeepAlive(r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		name := "of an endpoint and model, without limits"
		if limited {
			name = "of an endpoint and model, with limits"
		}
		figures = append(figures, figure{name, fmt.Sprintf("%.0f", grown/(endpoints*models)), "bytes"})
	}
	return figures
}

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what a pool of the first collection has kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
