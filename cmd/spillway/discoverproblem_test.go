package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/discover"
)

// A machine without credentials can read nothing, and that is one problem.
func TestDiscoverTellsOneCauseOnce(t *testing.T) {
	const none, login = "there is no access token", "log in"
	problem := func(what, host, message, do string) *discover.ReadError {
		return &discover.ReadError{What: what, Host: host, Message: message, Do: do}
	}
	d := &discoveredProject{facts: discover.Facts{Problems: []*discover.ReadError{
		problem("models", "a.example", none, login), problem("orders", "b.example", "it is off", "enable it"),
		problem("tier", "c.example", none, login), problem("limits", "d.example", none, login), problem("limits", "e.example", none, ""),
	}}}
	want := []string{
		"the models, the tier and the limits cannot be read: " + none + "; " + login,
		"the orders cannot be read from b.example: it is off; enable it",
		"the limits cannot be read from e.example: " + none,
	}
	if diff := cmp.Diff(want, problemsOf(d)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
