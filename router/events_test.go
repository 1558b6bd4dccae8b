package router_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// observed keeps the events of a router.
type observed struct {
	mu     sync.Mutex
	events []pool.Event
}

func (o *observed) observe(e pool.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// taken returns the events since the last time, each as "kind subject class".
func (o *observed) taken() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lines []string
	for _, e := range o.events {
		lines = append(lines, strings.TrimSpace(string(e.Kind)+" "+e.Subject.String()+" "+string(e.Class)))
	}
	o.events = nil
	return strings.Join(lines, "\n")
}

func TestEventsTellWhatIsOnCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hash = "29c2cc888fa9b3f4" // of k-a
		const refused = "\ncalls_refused model:" + flash
		for _, tt := range []struct {
			name   string
			answer geminitest.Answer
			want   string
		}{
			{"well", geminitest.Answer{}, ""},
			{"a fault", geminitest.Unavailable(), ""},
			{"a wrong request", geminitest.InvalidArgument("no"), ""},
			{"a minute's quota", geminitest.MinuteQuota(flash, 10, 3*time.Second),
				"cooldown_started model:a/gemini-2.5-flash minute_quota\nlimit_learned model:a/gemini-2.5-flash" + refused},
			{"a dead key", geminitest.KeyLeaked(), "cooldown_started key:a/" + hash + " key_dead" + refused},
			{"an API that is off", geminitest.ServiceDisabled("a"), "cooldown_started project:a project_misconfigured" + refused},
			{"a model that is missing", geminitest.ModelMissing(flash, "generateContent"),
				"cooldown_started model:a/global/gemini-2.5-flash;version=v1beta model_missing"},
			{"a country", geminitest.LocationUnsupported(), "cooldown_started backend:gemini egress_blocked" + refused},
		} {
			var events observed
			s := setup{router: router.Config{MaxWait: -1, MaxAttempts: 1}}
			s.opts = []router.Option{router.WithEvents(events.observe)}
			b := s.bed(t, keyed("a", "k-a"))
			b.Script(geminitest.Match{}, tt.answer)
			calls(flash)(t.Context(), t, b)
			if got := events.taken(); got != tt.want {
				t.Errorf("%s: heard\n%s\nwant\n%s", tt.name, got, tt.want)
			}
		}
	})
}

func TestEventsTellOfTheEndOfACooldownAndOfReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events observed
		p := keyed("a", "k-a")
		s := setup{router: router.Config{MaxWait: -1}, opts: []router.Option{router.WithEvents(events.observe)}}
		b := s.bed(t, p)
		b.Script(geminitest.Match{}, geminitest.ServiceDisabled("a"))
		calls(flash)(t.Context(), t, b)
		started := events.events[0]
		stat := b.router.Stat().Projects[0].Cooldown
		if !started.At.Equal(time.Now()) || !started.Since.Equal(stat.Since) || !started.Until.Equal(stat.Until) ||
			started.Class != stat.Class || started.Message != stat.Message {
			t.Errorf("heard %+v, Stat shows %+v", started, stat)
		}
		events.taken()
		time.Sleep(2 * time.Minute)
		calls(flash)(t.Context(), t, b) // the probe
		if got, want := events.taken(), "cooldown_ended project:a project_misconfigured"; got != want {
			t.Errorf("after a probe that was answered heard %q, want %q", got, want)
		}
		if err := b.router.Reload(poolOf(p), router.Config{}); err != nil {
			t.Fatal(err)
		}
		if got := events.taken(); got != "reloaded" {
			t.Errorf("after a reload heard %q", got)
		}
	})
}

func TestLoggerAndEventsHearTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events observed
		var log bytes.Buffer
		s := setup{router: router.Config{MaxWait: -1}, opts: []router.Option{
			router.WithEvents(events.observe), router.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))),
		}}
		b := s.bed(t, keyed("a", "k-a"), keyed("b", "k-b"))
		b.Script(geminitest.Match{Project: "a"}, geminitest.ServiceDisabled("a"))
		b.Script(geminitest.Match{Project: "b"}, geminitest.KeyLeaked())
		calls(flash)(t.Context(), t, b)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 || len(events.events) != 3 {
			t.Fatalf("%d events and %d lines, want three of each\n%s", len(events.events), len(lines), log.String())
		}
		for i, e := range events.events {
			what := "cooldown started"
			if i == 2 {
				what = "calls refused"
			}
			for _, part := range []string{e.Subject.String(), string(e.Class), what} {
				if !strings.Contains(lines[i], part) {
					t.Errorf("line %q does not tell of %q", lines[i], part)
				}
			}
		}
	})
}

// An observer may look at the router: no lock is held while it runs. Here it does so at events of
// calls, of Stat, of a reload and of a breaker, while others call.
func TestObserverMayAskTheRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *router.Router
		var mu sync.Mutex
		heard := map[pool.EventKind]int{}
		s := setup{router: router.Config{MaxWait: time.Second, MaxAttempts: 2}}
		s.opts = []router.Option{router.WithEvents(func(e pool.Event) {
			stat := r.Stat()
			_ = r.Plan(flash)
			mu.Lock()
			defer mu.Unlock()
			heard[e.Kind]++
			if e.Kind == pool.CooldownStarted && e.Subject.Kind == "project" && stat.Projects[0].Cooldown.Class != e.Class {
				t.Errorf("heard that %s is on cooldown, and Stat shows %+v", e.Subject, stat.Projects[0].Cooldown)
			}
		})}
		b := s.bed(t, keyed("a", "k-a"))
		r = b.router
		b.Outage("", true)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { calls(flash)(t.Context(), t, b) })
		}
		wg.Wait()
		b.ClearOutages()
		time.Sleep(5 * time.Minute)
		calls(flash)(t.Context(), t, b)
		b.Script(geminitest.Match{}, geminitest.PrepayDepleted(402))
		calls(flash)(t.Context(), t, b)
		if err := r.Reload(poolOf(keyed("a", "k-a")), router.Config{}); err != nil {
			t.Fatal(err)
		}
		for _, k := range []pool.EventKind{pool.BreakerOpened, pool.BreakerClosed, pool.CooldownStarted, pool.Reloaded} {
			if heard[k] == 0 {
				t.Errorf("no event of %s in %v", k, heard)
			}
		}
	})
}

func TestClosedRouterTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events observed
		s := setup{router: router.Config{MaxWait: time.Minute}, opts: []router.Option{router.WithEvents(events.observe)}}
		b := s.bed(t, keyed("a", "k-a"))
		b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 30*time.Second))
		done := make(chan struct{})
		go func() {
			defer close(done)
			calls(flash)(t.Context(), t, b) // it waits for the quota, and ends with Close
		}()
		time.Sleep(time.Second)
		if err := b.router.Close(); err != nil {
			t.Fatal(err)
		}
		if got := events.taken(); !strings.HasPrefix(got, "cooldown_started") {
			t.Errorf("before Close heard %q", got)
		}
		<-done
		calls(flash)(t.Context(), t, b)
		_ = b.router.Reload(poolOf(keyed("b", "k-b")), router.Config{})
		_ = b.router.Stat()
		time.Sleep(time.Hour)
		_ = b.router.Stat()
		_ = b.router.Close()
		if got := events.taken(); got != "" {
			t.Errorf("after Close heard %q", got)
		}
	})
}
