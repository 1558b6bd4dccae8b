package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// watched runs "spillway status" with more arguments in a bubble until a time has passed.
func watched(t *testing.T, h http.HandlerFunc, patience time.Duration, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	inBubble(t, h)
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var out, problems lockedBuilder
	code = run(ctx, append([]string{"status"}, args...), &out, &problems)
	return code, out.String(), problems.String()
}

func TestStatusWatchShowsTheStateEachInterval(t *testing.T) {
	s := snapshot{At: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), Backend: "gemini"}
	for _, tt := range []struct {
		args  []string
		shown int
		text  string
	}{
		{[]string{"--watch"}, 5, "\n----\n"}, // at 0, 2, 4, 6 and 8 s
		{[]string{"--watch=3s"}, 4, "\n----\n"},
		{[]string{"--watch", "3s"}, 4, "\n----\n"},
		{[]string{"--watch", "--json"}, 5, "}\n{"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code, out, problems := watched(t, respondWith(s), 9500*time.Millisecond, tt.args...)
				if code != statusOK || problems != "" {
					t.Errorf("it ends with %d: %s", code, problems)
				}
				if n := strings.Count(out, tt.text); n != tt.shown-1 {
					t.Errorf("%d states are shown, want %d:\n%s", n+1, tt.shown, out)
				}
			})
		})
	}
}

func TestStatusWatchWaitsForASidecarThatStartsAgain(t *testing.T) {
	s := snapshot{At: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), Backend: "gemini"}
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		code, out, problems := watched(t, func(w http.ResponseWriter, req *http.Request) {
			if asked.Add(1) == 2 {
				http.Error(w, "", http.StatusBadGateway)
				return
			}
			respondWith(s)(w, req)
		}, 5*time.Second, "--watch")
		if code != statusOK || strings.Count(out, "clients speak") != 2 || strings.Count(problems, "502 Bad Gateway") != 1 {
			t.Errorf("it ends with %d, shows\n%s\nand says\n%s", code, out, problems)
		}
	})
}

func TestStatusWatchEndsWhenItsOutputIsLost(t *testing.T) {
	server := httptest.NewServer(respondWith(snapshot{Backend: "gemini"}))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if code := run(ctx, []string{"status", server.URL, "--watch"}, &full{}, io.Discard); code != statusFailed || ctx.Err() != nil {
		t.Errorf("it ends with %d and %v", code, ctx.Err())
	}
}

func TestStatusRefusesWhatMakesNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"--watch=soon":      "not a duration",
		"--watch=1ms":       "less than 100ms",
		"--watch -- 1ms":    "less than 100ms",
		"--watch=-1s":       "less than 100ms",
		"--quiet --json":    "neither",
		"--quiet --watch":   "neither",
		"--modell x":        "did you mean --model?",
		"http://a http://b": "one URL",
	} {
		if code, said := transcript(t.Context(), append([]string{"status"}, strings.Fields(args)...)...); code != statusUsage || !strings.Contains(said, want) {
			t.Errorf("%s ends with %d and says %s", args, code, said)
		}
	}
}
