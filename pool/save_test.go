package pool_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// saved is what the pool would write.
func (b *bed) saved(now time.Time) []byte {
	b.t.Helper()
	data, err := b.pool.Save(now)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// restart puts a new pool that was given what the old one saved in its place, some time later.
func (b *bed) restart(cfg pool.Config, data []byte, later time.Duration) time.Time {
	b.t.Helper()
	time.Sleep(later)
	b.pool = newBed(b.t, cfg).pool
	now := time.Now()
	if err := b.pool.Restore(now, data); err != nil {
		b.t.Fatal(err)
	}
	return now
}

func TestRestartKeepsTheDayAndTheRests(t *testing.T) {
	cfg := twoProjects()
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		studio, now := "studio/global/on_demand", b.start
		for range 3 {
			b.answer(now, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassOK})
		}
		b.answer(now, b.candidate(pro, studio), pool.Outcome{Class: pool.ClassDayQuota, Quota: "PerDay", Stated: quota.Limits{RPD: 7}})
		b.answer(now, b.candidate(pro, "prod/us-central1/on_demand"), pool.Outcome{
			Class: pool.ClassModelMissing, Answer: &pool.Answer{Status: 404, Body: []byte("no such model")},
		})
		b.answer(now, b.candidate(flash, "prod/us-central1/provisioned"), pool.Outcome{Class: pool.ClassProvisionedFull, Hint: 20 * time.Second})
		b.answer(now, b.candidate(flash, "prod/global/on_demand"), pool.Outcome{Class: pool.ClassBilling})
		data := b.saved(now)
		if again := b.saved(now.Add(time.Millisecond)); !bytes.Equal(data, again) {
			t.Errorf("the same knowledge is saved as\n%s\nand as\n%s", data, again)
		}
		for _, secret := range []string{"first-key", "second-key"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Error("a key is saved")
			}
		}
		before := b.candidate(pro, studio).Resting(now)

		now = b.restart(cfg, data, 10*time.Second)

		if got := b.endpoint(now, b.candidate(flash, studio), flash).Quota.Day; got.Used != 3 {
			t.Errorf("%d requests of the day are known, want 3", got.Used)
		}
		rest := b.candidate(pro, studio).Resting(now)
		if rest.Class != pool.ClassDayQuota || !rest.Until.Equal(before.Until) || !rest.Probe.Equal(before.Probe) || rest.Quota != "PerDay" {
			t.Errorf("the day's rest was %+v, is %+v", before, rest)
		}
		if got := b.endpoint(now, b.candidate(pro, studio), pro).Learned; got != (quota.Limits{RPD: 7}) {
			t.Errorf("learned limits are %+v", got)
		}
		missing := b.candidate(pro, "prod/us-central1/on_demand").Resting(now)
		if missing.Class != pool.ClassModelMissing || !missing.Until.IsZero() || missing.Answer == nil || string(missing.Answer.Body) != "no such model" {
			t.Errorf("the missing model's rest is %+v", missing)
		}
		if got := b.candidate(flash, "prod/us-central1/provisioned").Resting(now).Class; got == "" {
			t.Error("the full order does not rest")
		}

		// What has ended is not restored, and what rests again doubles where it left off.
		now = now.Add(20 * time.Second)
		if got := b.candidate(flash, "prod/us-central1/provisioned").Resting(now); got.Class != pool.ClassBilling {
			t.Errorf("after 30 s the order rests for %+v, want its project's billing", got)
		}
		now = b.start.Add(time.Minute + time.Second)
		b.answer(now, b.candidate(flash, "prod/global/on_demand"), pool.Outcome{Class: pool.ClassBilling})
		if got := b.candidate(flash, "prod/global/on_demand").Resting(now).Probe.Sub(now); got != 2*time.Minute {
			t.Errorf("the second probe is after %v, want the 2 min that follow 1 min", got)
		}
	})
}

func TestWhatNobodyAskedForIsSavedAgain(t *testing.T) {
	cfg := twoProjects()
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		studio := "studio/global/on_demand"
		b.answer(b.start, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassOK})
		b.answer(b.start, b.candidate(pro, studio), pool.Outcome{Class: pool.ClassDayQuota, Stated: quota.Limits{RPD: 7}})
		data := b.saved(b.start)
		now := b.restart(cfg, data, time.Second)
		if again := b.saved(now); !bytes.Equal(data, again) {
			t.Errorf("saved was\n%s\nnow it is\n%s", data, again)
		}
		// Past midnight in Los Angeles, which is at 8:00 UTC, the day is over.
		now = b.restart(cfg, data, 9*time.Hour)
		if again := b.saved(now); strings.Contains(string(again), `"days"`) || strings.Contains(string(again), "day_quota") {
			t.Errorf("of yesterday there is left\n%s", again)
		}
	})
}

func TestRestoreSurvivesAnyFile(t *testing.T) {
	valid := func(b *bed) []byte {
		b.answer(b.start, b.candidate(pro, "studio/global/on_demand"), pool.Outcome{Class: pool.ClassDayQuota, Stated: quota.Limits{RPD: 7}})
		b.answer(b.start, b.candidate(flash, "studio/global/on_demand"), pool.Outcome{Class: pool.ClassOK})
		return b.saved(b.start)
	}
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		data := valid(b)
		for _, wrong := range []string{"", "{", "[]", `"x"`, `{"version":1}`, `{}`, string(data[:len(data)/2])} {
			if err := newBed(t, twoProjects()).pool.Restore(b.start, []byte(wrong)); err == nil {
				t.Errorf("%q is taken for a saved state", wrong)
			}
		}
		// Values that no pool saves: nothing rests longer than its class allows, and nothing
		// breaks.
		for _, change := range [][2]string{
			{`"day_quota"`, `"a class of tomorrow"`},
			{`"day_quota"`, `"server_fault"`},
			{`"day_quota"`, `"ok"`},
			{`"until": "2000`, `"until": "9000`},
			{`"until": "2000`, `"until": "1000`},
			{`"probe": "2000`, `"probe": "9000`},
			{`"strikes": 1`, `"strikes": -1`},
			{`"gap_seconds": 900`, `"gap_seconds": -1e300`},
			{`"gap_seconds": 900`, `"gap_seconds": 1e300`},
			{`"requests": 1`, `"requests": -1`},
			{`"limit": 7`, `"limit": -7`},
			{`"named": "2000`, `"named": "9000`},
			{`"named": "2000`, `"named": "1000`},
			{`"model:studio/`, `"model:gone/`},
			{`"model:studio/`, `"model:`},
			{`"model:studio/`, `"model:a/b/c/`},
			{`"model:studio/`, `"%zz`},
			{`"model:studio/`, `"key:studio/`},
			{`"model:studio/`, `"model:studio/global/`},
		} {
			odd := bytes.ReplaceAll(data, []byte(change[0]), []byte(change[1]))
			if bytes.Equal(odd, data) {
				t.Fatalf("%s is not in what is saved:\n%s", change[0], data)
			}
			d := newBed(t, twoProjects())
			if err := d.pool.Restore(b.start, odd); err != nil {
				continue
			}
			c := d.candidate(pro, "studio/global/on_demand")
			tomorrow := b.start.Add(25 * time.Hour)
			if !c.Ready(tomorrow) {
				t.Errorf("with %s the project rests until %v", change[1], c.Resting(tomorrow))
			}
			d.answer(tomorrow, c, pool.Outcome{Class: pool.ClassOK})
			if again := d.saved(tomorrow); !json.Valid(again) {
				t.Errorf("with %s the next state is no JSON", change[1])
			}
		}
	})
}
