package router_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	stormProjects = 5
	stormCalls    = 30 // in a script
	canary        = "AIzaCANARY"
)

var stormLocations = []string{"europe-west1", "europe-west4", "us-central1", "us-east4"} // one tier

// TestNoCallFailsWhileAnEndpointCouldServeIt runs scripts of random faults against 20 endpoints.
// Faults have the scope that they have at Google: the servers of a location, a project, its quota,
// one of its locations, one key. The test knows which endpoints are sound.
func TestNoCallFailsWhileAnEndpointCouldServeIt(t *testing.T) {
	var total tally
	var mu sync.Mutex
	const batches = 10
	perBatch := amount(20, 1_000)
	t.Run("scripts", func(t *testing.T) {
		for batch := range batches {
			t.Run(strconv.Itoa(batch), func(t *testing.T) {
				t.Parallel()
				var sum tally
				for i := range perBatch {
					seed := uint64(batch*10_000 + i)
					synctest.Test(t, func(t *testing.T) { sum.add(newStorm(t, seed).run()) })
				}
				mu.Lock()
				defer mu.Unlock()
				total.add(sum)
			})
		}
	})
	t.Logf("%d calls: %d served, %d left by their callers, %d that no endpoint could serve; %d had spent their attempts or found the retry budget empty, "+
		"%d of them while at least half of the endpoints were sound", total.calls, total.served, total.left, total.hopeless, total.spent, total.spentSound)
	if total.served < total.calls/2 {
		t.Errorf("only %d of %d calls were served", total.served, total.calls)
	}
	if total.spentSound*100 > total.callsSound {
		t.Errorf("%d of %d calls failed for attempts or budget while at least half of the endpoints were sound, want under 1 %%", total.spentSound, total.callsSound)
	}
}

// tally counts calls by how they ended.
type tally struct {
	calls, callsSound, served, left, hopeless, spent, spentSound int
}

func (a *tally) add(b tally) {
	a.calls += b.calls
	a.callsSound += b.callsSound
	a.served += b.served
	a.left += b.left
	a.hopeless += b.hopeless
	a.spent += b.spent
	a.spentSound += b.spentSound
}

// storm is one script.
type storm struct {
	*bed
	t     *testing.T
	rng   *rand.Rand
	seed  uint64
	log   *bytes.Buffer
	sound map[string]bool // "project/location"

	mu sync.Mutex
	tally
}

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 42)), log: &bytes.Buffer{}, sound: map[string]bool{}}
	var all []project
	for i := range stormProjects {
		name := fmt.Sprintf("p%d", i)
		p := keyed(name, canary+name+"first", canary+name+"second")
		p.pool.Backend, p.pool.Locations = pool.BackendVertex, stormLocations
		all = append(all, p)
		for _, l := range stormLocations {
			s.sound[name+"/"+l] = true
		}
	}
	google := geminitest.Config{Seed: seed, Log: -1, Latency: geminitest.Latency{FirstToken: 200 * time.Millisecond, Jitter: 0.5}}
	logs := router.WithLogger(slog.New(slog.NewTextHandler(s.log, nil)))
	s.bed = setup{google: google, opts: []router.Option{logs}}.bed(t, all...)
	return s
}

// breaks spoils what matches until it is mended, and notes which endpoints are no longer sound.
func (s *storm) breaks() (mend func()) {
	project := fmt.Sprintf("p%d", s.rng.IntN(stormProjects))
	location := stormLocations[s.rng.IntN(len(stormLocations))]
	key := canary + project + "first"
	hint := time.Duration(1+s.rng.IntN(90)) * time.Second
	wholeProject, wholeLocation, place := geminitest.Match{Project: project}, geminitest.Match{Location: location}, geminitest.Match{Project: project, Location: location}
	faults := []struct {
		match  geminitest.Match
		answer geminitest.Answer
	}{
		{wholeLocation, geminitest.Unavailable()},
		{wholeLocation, geminitest.Internal()},
		{wholeLocation, geminitest.Cancelled()},
		{wholeLocation, geminitest.ConnectionReset()},
		{wholeLocation, geminitest.Answer{Truncate: 20 + s.rng.IntN(100)}},
		{wholeLocation, geminitest.Answer{Status: 502, Body: []byte("<html><title>Bad Gateway</title></html>")}},
		{wholeLocation, geminitest.Unavailable().AfterEvents(0)},
		{wholeProject, geminitest.PaidMinuteQuota(flash, 10, hint)},
		{wholeProject, geminitest.BaseModelQuota("requests", flash)},
		{wholeProject, geminitest.PaidDayQuota(flash, 10, hint)},
		{wholeProject, geminitest.NoQuota(flash)},
		{wholeProject, geminitest.QuotaUnknown()},
		{wholeProject, geminitest.PrepayDepleted(402)},
		{wholeProject, geminitest.BillingDisabled(project)},
		{wholeProject, geminitest.ServiceDisabled(project)},
		{wholeProject, geminitest.PermissionDenied(project, location, flash)},
		{place, geminitest.Contention()},
		{place, geminitest.PublisherModelMissing(project, location, flash)},
		{geminitest.Match{Key: key}, geminitest.KeyInvalid()},
		{geminitest.Match{Key: key}, geminitest.KeySuspended(key)}, // echoes the key
		{wholeLocation, geminitest.Answer{Delay: 2 * time.Second}},
		{place, geminitest.Answer{Trickle: time.Millisecond}},
	}
	f := faults[s.rng.IntN(len(faults))]
	harmless := f.match.Key != "" || f.answer.Status == 0 && f.answer.Truncate == 0 && f.answer.Err == nil // another key serves, or it is only slow
	if !harmless {
		for e := range s.sound {
			p, l, _ := strings.Cut(e, "/")
			if (f.match.Project == "" || f.match.Project == p) && (f.match.Location == "" || f.match.Location == l) {
				s.sound[e] = false
			}
		}
	}
	return s.Keep(f.match, f.answer)
}

func (s *storm) run() tally {
	var mends []func()
	for range s.rng.IntN(6) {
		mends = append(mends, s.breaks())
	}
	sound := 0
	for _, ok := range s.sound {
		if ok {
			sound++
		}
	}

	var wg sync.WaitGroup
	for i := range stormCalls {
		rng := rand.New(rand.NewPCG(s.seed, uint64(i)))
		wg.Go(func() { s.call(rng, sound) })
		time.Sleep(time.Duration(s.rng.ExpFloat64() * float64(200*time.Millisecond)))
	}
	wg.Wait()
	s.settled("under faults")

	// The faults stop. A day later, at the latest, everything serves again.
	for _, mend := range mends {
		mend()
	}
	time.Sleep(25 * time.Hour)
	for range 20 {
		for range len(s.sound) {
			resp, err := s.send(context.Background(), ":generateContent")
			if err != nil || resp.StatusCode != http.StatusOK {
				s.t.Fatalf("seed %d: after the faults: %v, %v", s.seed, resp, err)
			}
			_ = resp.Body.Close()
		}
		if s.wedged() == "" {
			break
		}
		time.Sleep(2 * time.Hour)
	}
	if w := s.wedged(); w != "" {
		s.t.Errorf("seed %d: still out long after the faults: %s", s.seed, w)
	}
	s.settled("after the faults")
	if strings.Contains(s.log.String(), canary) {
		s.t.Errorf("seed %d: a key is in the log", s.seed)
	}
	_ = s.router.Close()
	return s.tally
}

// call makes one call of some kind and notes how it ended.
func (s *storm) call(rng *rand.Rand, sound int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	leaves := rng.IntN(10) == 0
	if leaves {
		time.AfterFunc(time.Duration(rng.IntN(400))*time.Millisecond, cancel)
	}
	method := ":generateContent"
	if rng.IntN(2) == 0 {
		method = ":streamGenerateContent?alt=sse"
	}
	resp, err := s.send(ctx, method)
	status, body := 0, ""
	if err == nil {
		status = resp.StatusCode
		data, readErr := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		body, err = string(data), readErr
		if strings.Contains(fmt.Sprint(resp.Header)+body, canary) {
			s.t.Errorf("seed %d: a key is in the answer", s.seed)
		}
	}
	if err != nil && strings.Contains(err.Error(), canary) {
		s.t.Errorf("seed %d: a key is in the error", s.seed)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	half := sound*2 >= len(s.sound)
	if half {
		s.callsSound++
	}
	switch {
	case leaves && ctx.Err() != nil:
		s.left++
	case err == nil && status == http.StatusOK:
		s.served++ // what came after content is Google's own, or says that the stream was cut
	case sound == 0:
		s.hopeless++
	case resp != nil && resp.Header.Get("Spillway-Attempts") == "4", s.budgetSpent(status, err):
		s.spent++
		if half {
			s.spentSound++
		}
	default:
		s.t.Errorf("seed %d: %d sound endpoints, but the call got %d %s %v", s.seed, sound, status, body, err)
	}
}

// budgetSpent reports whether a call that failed with attempts to spare did so because of a
// server's fault, which is retried out of a budget: every other failure moves on for free.
func (s *storm) budgetSpent(status int, err error) bool {
	return status >= 499 || status == 0 && err != nil
}

func (s *storm) send(ctx context.Context, method string) (*http.Response, error) {
	req, err := toVertex(ctx, method)
	if err != nil {
		return nil, err
	}
	return s.router.RoundTrip(req)
}

// settled fails the test if anything is still in flight.
func (s *storm) settled(when string) {
	synctest.Wait()
	for _, e := range s.router.Stat().Endpoints {
		if e.Calls != 0 || e.Tokens != 0 {
			s.t.Errorf("seed %d, %s: %s still carries %d calls and %d tokens", s.seed, when, e.Endpoint, e.Calls, e.Tokens)
		}
	}
	if n := s.InFlight(); n != 0 {
		s.t.Errorf("seed %d, %s: %d requests are still under way at Google", s.seed, when, n)
	}
}

// wedged names what is not ready; "" if all is.
func (s *storm) wedged() string {
	stat := s.router.Stat()
	for _, e := range stat.Endpoints {
		if e.Cooldown.Class != "" || !e.Breaker.Until.IsZero() {
			return fmt.Sprintf("%s: %v, breaker %+v", e.Endpoint, e.Cooldown, e.Breaker)
		}
	}
	for _, p := range stat.Projects {
		for _, k := range p.Keys {
			if k.Cooldown.Class != "" {
				return fmt.Sprintf("%s %v: %v", p.Name, k.Key, k.Cooldown)
			}
		}
	}
	return ""
}
