package router_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// getOne sends one call with the header and returns its response, read and closed.
func getOne(t *testing.T, r http.RoundTripper, ctx context.Context, h http.Header) *http.Response {
	t.Helper()
	req, err := toVertex(ctx, ":generateContent")
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, h)
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

func TestTraceIsToldWhoCallsAndTheIDOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []router.CallStart
		var ends []router.AttemptEnd
		trace := &router.Trace{
			CallStart: func(ctx context.Context, c router.CallStart) context.Context {
				starts = append(starts, c)
				return ctx
			},
			AttemptEnd: func(_ context.Context, a router.AttemptEnd) { ends = append(ends, a) },
		}
		b := setup{opts: []router.Option{router.WithTrace(trace)}}.bed(t, vertexed("a", "global"))
		b.Keep(geminitest.Match{}, geminitest.Answer{Delay: 3 * time.Second})
		ids := map[string]bool{}
		for _, tt := range []struct {
			header   http.Header
			call     router.Call
			label    string
			priority router.Priority
		}{
			{nil, router.Call{}, "", router.PriorityInteractive},
			{http.Header{"Spillway-Label": {"team-a"}}, router.Call{}, "team-a", router.PriorityInteractive},
			{nil, router.Call{Label: "team-b", Priority: router.PriorityBatch}, "team-b", router.PriorityBatch},
			{http.Header{"Spillway-Label": {"team-a"}}, router.Call{Label: "team-b"}, "team-b", router.PriorityInteractive},
		} {
			sent := time.Now()
			resp := getOne(t, b.router, router.WithCall(t.Context(), tt.call), tt.header)
			got, end := starts[len(starts)-1], ends[len(ends)-1]
			if got.Label != tt.label || got.Priority != tt.priority {
				t.Errorf("%v, %+v: label %q and priority %q, want %q and %q", tt.header, tt.call, got.Label, got.Priority, tt.label, tt.priority)
			}
			if id := resp.Header.Get("Spillway-Call"); id != got.ID || len(id) != 16 || ids[id] {
				t.Errorf("the header says call %q, the trace %q", id, got.ID)
			}
			ids[got.ID] = true
			if took := end.FirstByte.Sub(sent); took != 3*time.Second {
				t.Errorf("the first byte came after %v, want 3s", took)
			}
		}
		for _, r := range b.Requests() {
			if r.Header.Get("Spillway-Label") != "" {
				t.Errorf("Google gets the label %q", r.Header.Get("Spillway-Label"))
			}
		}
	})
}

func TestResponsesOfTheRoutersOwnHaveTheIDOfTheirCall(t *testing.T) {
	b := setup{opts: []router.Option{router.WithTrace(&router.Trace{})}}.bed(t, vertexed("a", "global"))
	resp := getOne(t, b.router, t.Context(), http.Header{"Spillway-Priority": {"none"}})
	if id := resp.Header.Get("Spillway-Call"); resp.StatusCode != http.StatusBadRequest || len(id) != 16 {
		t.Errorf("a refused call gets %d with the id %q", resp.StatusCode, id)
	}
}

func TestLabelsBeyondTheBoundAreCountedTogether(t *testing.T) {
	var labels []string
	trace := &router.Trace{CallStart: func(ctx context.Context, c router.CallStart) context.Context {
		labels = append(labels, c.Label)
		return ctx
	}}
	b := setup{opts: []router.Option{router.WithTrace(trace)}}.bed(t, vertexed("a", "global"))
	for i := range 1010 {
		getOne(t, b.router, router.WithCall(t.Context(), router.Call{Label: fmt.Sprint("team-", i)}), nil)
	}
	getOne(t, b.router, router.WithCall(t.Context(), router.Call{Label: "team-7"}), nil)
	if labels[999] != "team-999" || labels[1000] != "other" || labels[1009] != "other" || labels[1010] != "team-7" {
		t.Errorf("labels are %q, %q, %q and %q", labels[999], labels[1000], labels[1009], labels[1010])
	}
}

func TestTracesOfSeveralOptionsAreAllCalled(t *testing.T) {
	var heard []string
	type key struct{}
	trace := func(name string) *router.Trace {
		say := func(ctx context.Context, what string) {
			seen, _ := ctx.Value(key{}).(string)
			heard = append(heard, name+" "+what+" "+seen)
		}
		return &router.Trace{
			CallStart: func(ctx context.Context, _ router.CallStart) context.Context {
				say(ctx, "start")
				seen, _ := ctx.Value(key{}).(string)
				return context.WithValue(ctx, key{}, seen+name)
			},
			AttemptEnd: func(ctx context.Context, _ router.AttemptEnd) { say(ctx, "attempt") },
			CallEnd:    func(ctx context.Context, _ router.CallEnd) { say(ctx, "end") },
		}
	}
	b := setup{opts: []router.Option{
		router.WithTrace(trace("a")), router.WithTrace(nil), router.WithTrace(&router.Trace{}), router.WithTrace(trace("b")),
	}}.bed(t, vertexed("a", "global"))
	getOne(t, b.router, t.Context(), nil)
	want := []string{"a start ", "b start a", "a attempt ab", "b attempt ab", "a end ab", "b end ab"}
	if !slices.Equal(heard, want) {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(heard, "\n"), strings.Join(want, "\n"))
	}
}

// A lease says where a call goes; the trace can ask why not elsewhere.
func TestTraceIsToldWhyOtherEndpointsCouldNotServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var others [][]pool.Reason
		trace := &router.Trace{WaitEnd: func(_ context.Context, w router.WaitEnd) {
			others = append(others, w.Others())
		}}
		b := setup{opts: []router.Option{router.WithTrace(trace)}}.bed(t, vertexed("a", "global", "eu"))
		b.Script(geminitest.Match{Location: "global"}, geminitest.Contention())
		getOne(t, b.router, t.Context(), nil)
		if len(others) != 2 {
			t.Fatalf("%d endpoints were leased, want 2", len(others))
		}
		if len(others[0]) != 1 || others[0][0] != (pool.Reason{Endpoint: "a/eu/on_demand"}) {
			t.Errorf("first: %v, want that eu is ready", others[0])
		}
		if len(others[1]) != 1 || others[1][0].Endpoint != "a/global/on_demand" || !strings.HasPrefix(others[1][0].Why, "contention until ") {
			t.Errorf("then: %v, want the contention of global", others[1])
		}
	})
}
