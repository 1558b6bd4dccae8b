package observed_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestNamesAreBoundedAndGoodOnesKeepTheirPlaces(t *testing.T) {
	n := observed.Models()
	told := map[string]bool{}
	for i := range 5000 {
		told[n.Of(fmt.Sprintf("made-up-%d", i), false)] = true
	}
	if len(told) != 101 {
		t.Errorf("%d made-up names are told apart, want 100 and %q", len(told)-1, observed.Other)
	}
	if got := n.Of("gemini-new", false); got != observed.Other {
		t.Errorf("one more is counted as %q", got)
	}
	if got := n.Of("gemini-new", true); got != "gemini-new" {
		t.Errorf("one that has proved good is counted as %q", got)
	}
	if got := n.Of("gemini-new", false); got != "gemini-new" {
		t.Errorf("later it is counted as %q", got)
	}
	for i := range 5000 {
		told[n.Of(fmt.Sprintf("good-%d", i), true)] = true
	}
	if len(told) != 101+999 {
		t.Errorf("%d names are told apart, want 1,100", len(told))
	}
	if n.Of("made-up-3", false) != "made-up-3" || n.Of("made-up-3", true) != "made-up-3" {
		t.Error("a doubtful name has lost its place")
	}
}

func TestOutcomeIsWhatTheCallerGot(t *testing.T) {
	for _, tt := range []struct {
		end  router.CallEnd
		last pool.Class
		want observed.Outcome
	}{
		{router.CallEnd{Status: 200}, pool.ClassOK, observed.OK},
		{router.CallEnd{Status: 200}, "", observed.OK},
		{router.CallEnd{Status: 429}, pool.ClassMinuteQuota, observed.Refused},
		{router.CallEnd{Status: 429}, "", observed.Refused},
		{router.CallEnd{Status: 403, Refused: &pool.ExhaustedError{}}, pool.ClassBilling, observed.Refused},
		{router.CallEnd{Status: 403, Refused: &pool.ExhaustedError{}}, "", observed.Refused},
		{router.CallEnd{Status: 400, Refused: &pool.ExhaustedError{Never: true}}, "", observed.CallerFault},
		{router.CallEnd{Status: 400}, pool.ClassCallerFault, observed.CallerFault},
		{router.CallEnd{Status: 404}, pool.ClassModelMissing, observed.CallerFault},
		{router.CallEnd{Status: 503}, pool.ClassOverloaded, observed.Error},
		{router.CallEnd{Err: errors.New("no route")}, pool.ClassTransport, observed.Error},
		{router.CallEnd{Status: 200}, pool.ClassTransport, observed.Error},
		{router.CallEnd{Status: 200}, pool.ClassCancelled, observed.Cancelled},
		{router.CallEnd{Err: fmt.Errorf("x: %w", context.Canceled)}, "", observed.Cancelled},
		{router.CallEnd{Err: context.DeadlineExceeded}, pool.ClassTransport, observed.Cancelled},
	} {
		if got := observed.OutcomeOf(&tt.end, tt.last); got != tt.want {
			t.Errorf("%d, %v after %q: %s, want %s", tt.end.Status, tt.end.Err, tt.last, got, tt.want)
		}
	}
}

func TestPlaceOfTakesANameApart(t *testing.T) {
	for name, want := range map[string]observed.Place{
		"prod/eu/provisioned":  {Project: "prod", Location: "eu", Traffic: "provisioned"},
		"a/b/global/on_demand": {Project: "a/b", Location: "global", Traffic: "on_demand"},
		"none":                 {Project: "none"},
		"p\xff/eu/on_demand":   {Project: "p\uFFFD", Location: "eu", Traffic: "on_demand"},
		"":                     {},
	} {
		if got := observed.PlaceOf(name); got != want {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
}
