package router_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestPauseOverGoogle pauses what calls of the SDK go through, over the emulator.
func TestPauseTakesCallsElsewhereAndTheLastOneIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, w := vertexed("v", "global", "eu"), vertexed("w", "global")
		v.order(flash, "global", 10)
		b := setup{router: router.Config{MaxWait: -1}}.bed(t, v, w)
		c := b.client(t)
		for _, step := range []struct{ pause, at string }{
			{"order:v/global/" + flash, "v/global/on_demand w/global/on_demand"},
			{"project:w", "v/global/on_demand"},
			{"host:aiplatform.googleapis.com", "v/eu/on_demand"},
		} {
			if err := b.router.Pause(" "+step.pause+"\n", 0, "a drill"); err != nil {
				t.Fatal(err)
			}
			resp, err := ask(context.Background(), c, flash)
			if err != nil || !strings.Contains(step.at, endpoint(resp)) {
				t.Errorf("with %s paused: %v, %v, want %s", step.pause, resp, err, step.at)
			}
		}
		if err := b.router.Pause("backend:vertex", time.Hour, "a drill"); err != nil {
			t.Fatal(err)
		}
		sent := len(b.Requests())
		_, err := ask(context.Background(), c, flash)
		e, ok := router.Exhausted(err)
		if !ok || len(e.Reasons) != 4 || len(b.Requests()) != sent {
			t.Fatalf("with all paused: %v", err)
		}
		if strings.Contains(fmt.Sprint(err), "probe") { // no probe ends a pause
			t.Errorf("the caller is told %v", err)
		}
		for _, r := range e.Reasons {
			if !strings.HasPrefix(r.Why, "paused by an operator until ") || !strings.HasSuffix(r.Why, ": a drill") {
				t.Errorf("%s is out: %s", r.Endpoint, r.Why)
			}
		}
		for _, subject := range []string{"backend:vertex", "order:v/global/" + flash} {
			if err := b.router.Resume(subject); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ask(context.Background(), c, flash); err != nil {
			t.Errorf("resumed: %v", err)
		}
		if n := len(b.router.Stat().Pauses); n != 2 {
			t.Errorf("%d are paused, want 2", n)
		}
	})
}

func TestAPauseOutlivesTheProgram(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	p := pool.Config{Projects: []pool.Project{keyed("a", "k-a").pool, keyed("b", "k-b").pool}}
	r, err := router.New(p, router.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Pause("project:a", 0, "a drill"); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Pause("project:b", 0, ""); !errors.Is(err, router.ErrClosed) {
		t.Errorf("a closed router pauses: %v", err)
	}
	if err := r.Resume("project:a"); !errors.Is(err, router.ErrClosed) {
		t.Errorf("a closed router resumes: %v", err)
	}
	again := newRouter(t, p, router.Config{State: state})
	if x := again.Stat().Pauses; len(x) != 1 || x["project:a"].Message != "a drill" {
		t.Errorf("the next program has %+v", x)
	}
}
