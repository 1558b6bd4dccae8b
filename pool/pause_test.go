package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

// pausable is a subject of each kind in the scene, and what is out while it is paused. HASH stands
// for the hash of the key a-first, HASH2 for that of c-only.
var pausable = []struct {
	subject string
	out     []string
}{
	{"project:a", []string{"-001 a/global/on_demand", " a/global/on_demand", "pro a/global/on_demand", "project a"}},
	{"key:a/HASH", []string{"key a0"}},
	{"key:c/HASH2", []string{" c/global/on_demand", "-001 c/global/on_demand", "pro c/global/on_demand", "key c0"}},
	{"model:v/" + flash, []string{" v/global/on_demand", " v/eu/on_demand"}},
	{"model:v/eu/" + flash, []string{" v/eu/on_demand"}},
	{"model:v/global/" + flash + ";traffic=provisioned", []string{" v/global/provisioned"}},
	{"model:" + pro, []string{
		"pro a/global/on_demand", "pro c/global/on_demand", "pro v/eu/on_demand", "pro v/global/on_demand", "pro w/global/on_demand",
	}},
	{"order:v/global/" + flash, []string{" v/global/provisioned", "-001 v/global/provisioned"}},
	{"server:vertex/global/" + flash, []string{" v/global/provisioned", " v/global/on_demand", " w/global/on_demand"}},
	{"host:aiplatform.eu.rep.googleapis.com", []string{" v/eu/on_demand", "-001 v/eu/on_demand", "pro v/eu/on_demand"}},
	{"backend:gemini", []string{
		" a/global/on_demand", "-001 a/global/on_demand", "pro a/global/on_demand", "project a",
		" c/global/on_demand", "-001 c/global/on_demand", "pro c/global/on_demand", "project c",
	}},
}

// hash returns the hash of a key as subjects have it.
func hash(t *testing.T, b *bed, project string, i int) string {
	t.Helper()
	_, keys := b.candidate(flash, project+"/global/on_demand").Gates()
	return keys[i].Credential
}

func (b *bed) pause(subject string, d time.Duration, why string) {
	b.t.Helper()
	if err := b.pool.Pause(time.Now(), subject, d, why); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) resume(subject string) {
	b.t.Helper()
	if err := b.pool.Resume(time.Now(), subject); err != nil {
		b.t.Fatal(err)
	}
}

// eachPausable runs a test with each of them in a scene of its own.
func eachPausable(t *testing.T, test func(t *testing.T, b *bed, subject string, out []string)) {
	t.Helper()
	for _, x := range pausable {
		t.Run(x.subject, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				b.resting(b.start) // all models are known
				subject := strings.NewReplacer("HASH2", hash(t, b, "c", 0), "HASH", hash(t, b, "a", 0)).Replace(x.subject)
				var out []string
				for _, o := range x.out {
					switch {
					case strings.HasPrefix(o, "pro "):
						o = pro + o[3:]
					case strings.HasPrefix(o, " "), strings.HasPrefix(o, "-001"):
						o = flash + o
					}
					out = append(out, o)
				}
				slices.Sort(out)
				test(t, b, subject, out)
			})
		})
	}
}

func TestAPauseTakesOutItsSubjectAndNothingElse(t *testing.T) {
	eachPausable(t, func(t *testing.T, b *bed, subject string, out []string) {
		b.pause(subject, 0, "maintenance")
		if diff := cmp.Diff(out, b.resting(time.Now())); diff != "" {
			t.Errorf("out are (-want +got):\n%s", diff)
		}
		for _, c := range b.pool.View(time.Now(), flash).All() {
			why, is := c.Reason(time.Now(), small), slices.Contains(out, flash+" "+c.String())
			if want := "paused by an operator until it is resumed: maintenance"; is && why != want {
				t.Errorf("the reason of %s is %q, want %q", c, why, want)
			}
			if l, ok := c.Lease(time.Now(), small); ok == is {
				t.Errorf("%s takes a call: %v", c, ok)
			} else if ok {
				l.Release(time.Now())
			}
		}
		stat, ok := b.pool.Stat(time.Now()).Pauses[subject]
		if !ok || stat.Class != pool.ClassPaused || stat.Message != "maintenance" || !stat.Until.IsZero() || !stat.Since.Equal(b.start) {
			t.Errorf("Stat shows %+v", stat)
		}
		b.resume(subject)
		if rest := b.resting(time.Now()); len(rest) > 0 || len(b.pool.Stat(time.Now()).Pauses) > 0 {
			t.Errorf("resumed, these are out: %v", rest)
		}
	})
}

func TestAPauseEndsByItsTime(t *testing.T) {
	eachPausable(t, func(t *testing.T, b *bed, subject string, out []string) {
		b.pause(subject, 10*time.Minute, "")
		time.Sleep(10*time.Minute - time.Nanosecond)
		if diff := cmp.Diff(out, b.resting(time.Now())); diff != "" {
			t.Errorf("just before the end, out are (-want +got):\n%s", diff)
		}
		time.Sleep(time.Nanosecond)
		if rest := b.resting(time.Now()); len(rest) > 0 {
			t.Errorf("at the end, these are out: %v", rest)
		}
	})
}

func TestAPauseIsKeptByReloadAndSave(t *testing.T) {
	eachPausable(t, func(t *testing.T, b *bed, subject string, out []string) {
		b.pause(subject, 0, "maintenance")
		time.Sleep(time.Minute)
		b.reload(time.Now(), pool.Config{Projects: []pool.Project{keyless("other")}})
		b.reload(time.Now(), scene())
		if diff := cmp.Diff(out, b.resting(time.Now())); diff != "" {
			t.Errorf("reloaded, out are (-want +got):\n%s", diff)
		}
		saved, err := b.pool.Save(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		next := newBed(t, scene())
		if err := next.pool.Restore(time.Now(), saved); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(out, next.resting(time.Now())); diff != "" {
			t.Errorf("restored, out are (-want +got):\n%s", diff)
		}
		if x := next.pool.Stat(time.Now()).Pauses[subject]; !x.Since.Equal(b.start) || x.Message != "maintenance" {
			t.Errorf("restored it is %+v", x)
		}
		again, err := next.pool.Save(time.Now())
		if err != nil || string(again) != string(saved) {
			t.Errorf("saved again it is other: %v\n%s\n%s", err, saved, again)
		}
	})
}

func TestASavedPauseThatHasEndedIsForgotten(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		b.pause("project:a", time.Hour, "")
		saved, err := b.pool.Save(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		next := newBed(t, scene())
		if err := next.pool.Restore(time.Now(), saved); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Minute - time.Nanosecond)
		if len(next.resting(time.Now())) == 0 {
			t.Error("restored, the pause ends early")
		}
		time.Sleep(time.Nanosecond)
		if out := next.resting(time.Now()); len(out) > 0 {
			t.Errorf("restored, the pause does not end: %v", out)
		}
		late := newBed(t, scene())
		if err := late.pool.Restore(time.Now(), saved); err != nil {
			t.Fatal(err)
		}
		if out := late.resting(time.Now()); len(out) > 0 || len(late.pool.Stat(time.Now()).Pauses) > 0 {
			t.Errorf("restored after its end it holds: %v", out)
		}
	})
}

// Whatever is learned of the thing meanwhile, a pause stays, and a cooldown below it.
func TestNoAnswerEndsAPause(t *testing.T) {
	eachLife(t, anyLife, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		lease := b.lease(b.start, c)
		b.pause("project:"+c.Project, 0, "")
		lease.Accept(b.start)
		lease.Settle(b.start, pool.Outcome{Class: l.class})
		for range 50 {
			if c.Ready(time.Now()) {
				t.Fatal("a paused endpoint is ready")
			}
			b.refuses(time.Now(), c, "which is paused")
			time.Sleep(time.Hour)
		}
		b.resume("project:" + c.Project)
		b.answer(time.Now(), c, pool.Outcome{Class: pool.ClassOK})
	})
}

func TestACallUnderWayGoesOnWhenItsEndpointIsPaused(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "c/global/on_demand")
		l := b.lease(b.start, c)
		b.pause("project:c", 0, "")
		l.Accept(time.Now())
		l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
		if e := b.endpoint(time.Now(), c, flash); e.AttemptCounts[pool.ClassOK] != 1 || e.Calls != 0 {
			t.Errorf("the call counts as %v, %d under way", e.AttemptCounts, e.Calls)
		}
	})
}

func TestTheLastEndpointMayBePaused(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{geminiProject("a", "a-key")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		b.acquire(&pool.Request{Model: flash}).Release(b.start)
		b.pause("backend:gemini", time.Hour, "the bill")
		_, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, MaxWait: time.Minute})
		e, ok := errors.AsType[*pool.ExhaustedError](err)
		if !ok || time.Since(b.start) > 0 {
			t.Fatalf("refused after %v with %v", time.Since(b.start), err)
		}
		want := "paused by an operator until 2000-01-01T01:00:00.000Z: the bill"
		if len(e.Reasons) != 1 || e.Reasons[0].Why != want || !e.RetryAt.Equal(b.start.Add(time.Hour)) || e.Never {
			t.Errorf("refused with %+v", e)
		}
		var why any
		for _, line := range b.lines() {
			if line["refused"] != nil {
				why = line["why"]
			}
		}
		if why != "paused by an operator: the bill" {
			t.Errorf("the log says %v", why)
		}
	})
}

func TestCallsThatWaitGoOnceTheirEndpointIsResumed(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{geminiProject("a", "a-key")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		b.acquire(&pool.Request{Model: flash}).Release(b.start)
		for _, how := range []func(){
			func() { time.Sleep(20 * time.Second) },
			func() { time.Sleep(7 * time.Second); b.resume("project:a") },
		} {
			b.pause("project:a", 20*time.Second, "")
			got := make(chan time.Duration)
			began := time.Now()
			go func() {
				l, err := b.pool.Acquire(context.Background(), &pool.Request{Model: flash, MaxWait: time.Minute})
				if err == nil {
					l.Release(time.Now())
				}
				got <- time.Since(began)
			}()
			how()
			want := time.Since(began)
			if waited := <-got; waited != want {
				t.Errorf("the call went after %v, want %v", waited, want)
			}
		}
	})
}

func TestCallsThatWaitAreRefusedOnceAllIsPaused(t *testing.T) {
	cfg := limited(pool.Limit{Concurrency: 1})
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		first := b.acquire(&pool.Request{Model: flash})
		failed := make(chan error)
		go func() {
			_, err := b.pool.Acquire(context.Background(), &pool.Request{Model: flash, MaxWait: time.Minute})
			failed <- err
		}()
		synctest.Wait()
		b.pause("project:"+first.Endpoint().Project, 0, "")
		if err := <-failed; err == nil || time.Since(b.start) > 0 || !strings.Contains(err.Error(), "paused by an operator") {
			t.Errorf("after %v: %v", time.Since(b.start), err)
		}
		first.Release(time.Now())
	})
}

func TestAMethodOfItsOwnIsPausedWithAllOthers(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		files := pool.Request{Asked: pool.Asked{Method: "files.get"}, Home: pool.Home{Project: "c", Location: "global"}}
		ready := func() bool {
			r := files
			_, now := b.pool.Serves(&r)
			return now
		}
		if !ready() {
			t.Fatal("the method is not ready before")
		}
		for _, subject := range []string{"project:c", "key:c/" + hash(t, b, "c", 0), "backend:gemini", "project:c;method=files.get"} {
			b.pause(subject, 0, "")
			if ready() {
				t.Errorf("%s lets a method of its own pass", subject)
			}
			b.resume(subject)
		}
		b.pause("project:c;method=countTokens", 0, "")
		if !ready() || !b.candidate(flash, "c/global/on_demand").Ready(time.Now()) {
			t.Error("a pause of one method holds others")
		}
	})
}

func TestAPauseTellsOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		b := &bed{t: t, start: time.Now()}
		p, err := pool.New(scene(), func(e pool.Event) {
			until := "-"
			if !e.Until.IsZero() {
				until = e.Until.Sub(b.start).String()
			}
			heard = append(heard, fmt.Sprint(e.Kind, " ", e.Subject, " ", e.Class, " ", until, " ", e.Message))
		})
		if err != nil {
			t.Fatal(err)
		}
		b.pool = p
		b.pause("project:a", time.Minute, "one")
		b.pause("project:a", time.Hour, "two")
		b.pause("project:a", time.Hour, "two")
		b.pause("project:c", 0, "")
		b.resume("project:a")
		want := []string{
			"cooldown_started project:a paused 1m0s one",
			"cooldown_extended project:a paused 1h0m0s two",
			"cooldown_started project:c paused - ",
			"cooldown_ended project:a paused 0s two",
		}
		if diff := cmp.Diff(want, heard); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestTheLogSaysHowLongAPauseLasts(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		b.pause("project:a", 0, "the bill")
		b.pause("project:c", time.Minute, "")
		b.resume("project:a")
		var got []string
		for _, line := range b.lines() {
			got = append(got, fmt.Sprint(line["level"], " ", line["msg"], " ", line["subject"], " ", line["class"], " ", line["until"], " ", line["message"]))
		}
		want := []string{
			"INFO spillway: cooldown started project:a paused it is resumed the bill",
			"INFO spillway: cooldown started project:c paused 2000-01-01T00:01:00Z <nil>",
			"INFO spillway: cooldown ended project:a paused <nil> the bill",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
	})
}

func TestAPauseOfWhatIsNotThereSaysWhatToWrite(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		b.resting(b.start)
		const secret = "AIzaSyCANARY0123456789abcdefghijklmnopq"
		for _, x := range []struct{ subject, want string }{
			{"project:b", `pool: "project:b" is nothing that the pool has; did you mean project:a?`},
			{"project:nothing-of-the-kind", `pool: "project:nothing-of-the-kind" is nothing that the pool has; ` +
				"it has project:a, project:c, project:v, project:w"},
			{"a", `pool: "a" is nothing that the pool has; did you mean project:a?`},
			{"b", `pool: "b" is nothing that the pool has; it has project:a, project:c`},
			{"", `pool: "" is nothing that the pool has; it has project:a, project:c`},
			{"model:v/" + flash + "x", "did you mean model:v/" + flash + "?"},
			{"model:v/europe-west4/" + flash, "has; it has model:a/" + flash + ", model:a/global/" + flash},
			{"order:v/eu/" + flash, "did you mean order:v/global/" + flash},
			{"key:a/" + secret, "pool: no key of project \"a\" has that hash; it has key:a/"},
			{"key:a/12345678", "pool: no key of project \"a\" has that hash"},
			{"key:" + secret + "/x", "pool: no key of project that has that hash"},
			{secret, "pool: that is nothing that the pool has"},
			{"project:%41IzaSyCANARY0123456789abcdefghijklmnopq", "pool: that is nothing that the pool has"},
			{"backend:azure", "is nothing that the pool has; it has backend:gemini, backend:vertex"},
			{"project:" + strings.Repeat("x", 1000), "pool: the subject is too long; it has project:a"},
		} {
			for verb, err := range map[string]error{
				"pause": b.pool.Pause(b.start, x.subject, 0, ""), "resume": b.pool.Resume(b.start, x.subject),
			} {
				want := x.want
				if verb == "resume" {
					want = "pool: nothing is paused"
				}
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s %.60q: %v, want %s", verb, x.subject, err, want)
				}
				if err != nil && (strings.Contains(err.Error(), "CANARY") || len(err.Error()) > 1500) {
					t.Errorf("%s %.60q: the error shows a key, or is long: %v", verb, x.subject, err)
				}
			}
		}
		if err := b.pool.Pause(b.start, "project:a", -time.Second, ""); err == nil || !strings.Contains(err.Error(), "write a duration such as 10m") {
			t.Errorf("a negative time: %v", err)
		}
		b.pause("project:a", 0, "")
		if err := b.pool.Resume(b.start, "project:c"); err == nil || err.Error() != `pool: "project:c" is not paused; did you mean project:a?` {
			t.Errorf("resuming another: %v", err)
		}
	})
}

func TestAKeyMayBePausedByTheHashThatIsShown(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		shown := b.pool.Stat(b.start).Projects[0].Keys[1].Key.String()
		b.pause("key:a/"+shown, 0, "")
		if diff := cmp.Diff([]string{"key a1"}, b.resting(b.start)); diff != "" {
			t.Errorf("out are (-want +got):\n%s", diff)
		}
		b.resume("key:a/" + strings.ToUpper(strings.TrimPrefix(shown, "key-")))
		if out := b.resting(b.start); len(out) > 0 {
			t.Errorf("out are %v", out)
		}
	})
}

func TestTheReasonOfAPauseIsCleanAndCut(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		for why, want := range map[string]string{
			"line\nand \x1b[31mred":                    "line and [31mred",
			"the key a-first is out":                   "the key [redacted] is out",
			"AIzaSyCANARY0123456789abcdefghijklmnopq!": "[redacted]",
			strings.Repeat("x", 195) + " a-first":      strings.Repeat("x", 195) + " […",
			strings.Repeat("x", 500):                   strings.Repeat("x", 197) + "…",
		} {
			b.pause("project:a", 0, why)
			if got := b.pool.Stat(b.start).Pauses["project:a"].Message; got != want {
				t.Errorf("of %q it keeps %q, want %q", why, got, want)
			}
		}
	})
}

// The longest that a duration can say is no overflow: 292 years.
func TestAPauseMayBeForCenturies(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		time.Sleep(time.Hour)
		b.pause("project:a", math.MaxInt64, "")
		if x, ok := b.pool.Stat(time.Now()).Pauses["project:a"]; !ok || x.Until.Sub(b.start) < 200*365*24*time.Hour {
			t.Errorf("the pause is %+v, %v", x, ok)
		}
		b.resume("project:a")
		data := `{"version":2,"pauses":[{"subject":"project:a","since":"2000-01-01T00:00:00Z","until":"9999-01-01T00:00:00Z"}]}`
		if err := b.pool.Restore(time.Now(), []byte(data)); err != nil {
			t.Fatal(err)
		}
		if x := b.pool.Stat(time.Now()).Pauses; len(x) != 0 {
			t.Errorf("what was said before the operator resumed is in force: %+v", x)
		}
		other := newBed(t, scene())
		if err := other.pool.Restore(time.Now(), []byte(data)); err != nil || len(other.pool.Stat(time.Now()).Pauses) != 1 {
			t.Errorf("of a pause until 9999 it keeps %+v, %v", other.pool.Stat(time.Now()).Pauses, err)
		}
	})
}

// The operator of a machine whose clock was set back is heeded all the same.
func TestAnOperatorIsHeededWhenTheClockWasAhead(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		ahead := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
		data := fmt.Sprintf(`{"version":2,"pauses":[{"subject":"project:a","since":%q,"said":%q,"why":"old"}]}`, ahead, ahead)
		if err := b.pool.Restore(time.Now(), []byte(data)); err != nil {
			t.Fatal(err)
		}
		b.pause("project:a", 0, "new")
		if x := b.pool.Stat(time.Now()).Pauses["project:a"]; x.Message != "new" {
			t.Errorf("paused again, it is %+v", x)
		}
		b.resume("project:a")
		if x := b.pool.Stat(time.Now()).Pauses; len(x) > 0 {
			t.Errorf("resumed, paused are %+v", x)
		}
	})
}

func TestPausesAreBounded(t *testing.T) {
	cfg := pool.Config{}
	for i := range 1_001 {
		cfg.Projects = append(cfg.Projects, keyless(fmt.Sprintf("p%d", i)))
	}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		for i := range 1_000 {
			b.pause(fmt.Sprintf("project:p%d", i), time.Minute, "")
		}
		if err := b.pool.Pause(time.Now(), "project:p1000", 0, ""); err == nil || !strings.Contains(err.Error(), "resume some") {
			t.Errorf("one more than the most: %v", err)
		}
		b.pause("project:p0", time.Hour, "") // that is no further one
		time.Sleep(time.Minute)
		b.pause("project:p1000", 0, "")
		if n := len(b.pool.Stat(time.Now()).Pauses); n != 2 {
			t.Errorf("%d are paused, want 2", n)
		}
	})
}

func TestAPauseReachesAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, s := fleetOf(t, 4, known(2, pool.Limit{}))
		out := func(p *pool.Pool) bool { return p.Stat(time.Now()).Projects[0].Cooldown.Class == pool.ClassPaused }
		say := func(i int, do func(*pool.Pool) error) {
			t.Helper()
			if err := do(rs.pools[i]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		want := func(paused bool) {
			t.Helper()
			for i, p := range rs.pools {
				if out(p) != paused {
					t.Errorf("replica %d is paused: %v, want %v", i, out(p), paused)
				}
			}
		}
		say(1, func(p *pool.Pool) error { return p.Pause(time.Now(), "project:p0", 0, "maintenance") })
		want(true)
		if x := rs.pools[3].Stat(time.Now()).Pauses["project:p0"]; x.Message != "maintenance" || !x.Until.IsZero() {
			t.Errorf("another replica knows %+v", x)
		}
		late, err := pool.New(func() pool.Config { c := rs.cfg; c.Store = s; return c }(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(late.Close)
		time.Sleep(5 * time.Second)
		if !out(late) {
			t.Error("a replica that comes later does not hear of it")
		}
		saved, err := rs.pools[0].Save(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		say(2, func(p *pool.Pool) error { return p.Resume(time.Now(), "project:p0") })
		want(false)
		// One that was away, and has it from its state file, hears of the end.
		time.Sleep(time.Hour)
		back, err := pool.New(func() pool.Config { c := rs.cfg; c.Store = s; return c }(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(back.Close)
		if err := back.Restore(time.Now(), saved); err != nil || !out(back) {
			t.Fatalf("restored: %v, paused: %v", err, out(back))
		}
		time.Sleep(5 * time.Second)
		if out(back) {
			t.Error("a replica that was away keeps what others have resumed")
		}
		want(false)
	})
}

func TestAStateFileWithForeignPausesDoesNoHarm(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		for _, pauses := range []string{
			`[{"subject":"nonsense"}]`, `[{"subject":"project:gone","since":"2000-01-01T00:00:00Z"}]`,
			`[{"subject":"project:a","until":"1990-01-01T00:00:00Z"}]`, `[{}]`, `[{"subject":"key:a/%"}]`,
		} {
			data := fmt.Sprintf(`{"version":2,"pauses":%s}`, pauses)
			if !json.Valid([]byte(data)) {
				t.Fatal(data)
			}
			if err := b.pool.Restore(time.Now(), []byte(data)); err != nil {
				t.Errorf("%s: %v", pauses, err)
			}
			if out := b.resting(time.Now()); len(out) > 0 {
				t.Errorf("%s takes out %v", pauses, out)
			}
		}
		b.resume("project:gone") // an operator gets rid of it
	})
}
