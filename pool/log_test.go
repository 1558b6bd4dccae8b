package pool_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// said returns the lines with that message.
func said(lines []map[string]any, message string) []map[string]any {
	var some []map[string]any
	for _, line := range lines {
		if line["msg"] == message {
			some = append(some, line)
		}
	}
	return some
}

func TestOneLineWhenSomethingRestsAndOneWhenItIsBack(t *testing.T) {
	eachLife(t, rests, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		calls := make([]pool.Lease, 0, 20)
		for range cap(calls) {
			calls = append(calls, b.lease(b.start, c))
		}
		if lines := b.lines(); len(lines) != 0 {
			t.Errorf("calls that began were logged: %v", lines)
		}
		for _, call := range calls {
			call.Settle(b.start, pool.Outcome{Class: l.class, Message: "what Google said"})
		}
		lines := b.lines()
		if len(lines) != 1 {
			t.Fatalf("%d errors of one kind gave %d lines: %v", len(calls), len(lines), lines)
		}
		line, until := lines[0], c.Resting(b.start).Until
		if line["msg"] != "spillway: cooldown started" || line["class"] != string(l.class) || line["message"] != "what Google said" || line["subject"] == "" {
			t.Errorf("the line is %v", line)
		}
		if l.lasting {
			if line["level"] != slog.LevelWarn.String() || line["until"] != "a probe succeeds" {
				t.Errorf("the line is %v", line)
			}
		} else if at := instant(t, line["until"].(string)); at.Before(b.start) || at.After(until) || line["level"] == slog.LevelWarn.String() {
			t.Errorf("the line is %v, and the rest ends at %v", line, until)
		}

		now := b.next(b.start, c)
		for range 20 {
			b.answer(now, c, pool.Outcome{Class: pool.ClassOK})
		}
		lines = b.lines()
		if len(lines) != 1 {
			t.Fatalf("20 good answers gave %d lines: %v", len(lines), lines)
		}
		back := lines[0]
		if back["msg"] != "spillway: cooldown ended" || back["subject"] != line["subject"] || back["class"] != line["class"] {
			t.Errorf("the line is %v after %v", back, line)
		}
		if got := time.Duration(back["after"].(float64)); got != now.Sub(b.start) {
			t.Errorf("it says that it was %v, want %v", got, now.Sub(b.start))
		}
	})
}

func TestLogSaysWhatRests(t *testing.T) {
	for _, tt := range []struct {
		class         pool.Class
		from, subject string
	}{
		{pool.ClassMinuteQuota, "v/eu/on_demand", "model:v/" + flash},
		{pool.ClassMinuteQuota, "v/global/provisioned", "model:v/global/" + flash + ";traffic=provisioned"},
		{pool.ClassModelMissing, "v/eu/on_demand", "model:v/eu/" + flash},
		{pool.ClassProvisionedFull, "v/global/provisioned", "order:v/global/" + flash},
		{pool.ClassBilling, "v/eu/on_demand", "project:v"},
		{pool.ClassEgressBlocked, "v/eu/on_demand", "project:v"},
		{pool.ClassKeyDead, "a/global/on_demand", "key:a/b46ea55b48367d16"},
	} {
		t.Run(tt.subject, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				b.answer(b.start, b.candidate(flash, tt.from), pool.Outcome{Class: tt.class})
				lines := b.lines()
				if len(lines) != 1 || lines[0]["subject"] != tt.subject {
					t.Errorf("logged %v, want %q", lines, tt.subject)
				}
			})
		})
	}
}

func TestLogNamesTheQuotaAndWhereToRaiseIt(t *testing.T) {
	p := keyless("prod")
	p.ProjectID = "acme-prod"
	inBubble(t, pool.Config{Projects: []pool.Project{p, geminiProject("studio", "k")}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassMinuteQuota, Quota: "q"})
		if line := b.lines()[0]; line["page"] != "https://ai.google.dev/gemini-api/docs/rate-limits" {
			t.Errorf("without a project id the line is %v", line)
		}
		c := b.candidate(flash, "prod/global/on_demand")
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassMinuteQuota, Quota: "GenerateRequestsPerMinutePerProjectPerModel"})
		line := b.lines()[0]
		if line["quota"] != "GenerateRequestsPerMinutePerProjectPerModel" ||
			line["page"] != "https://console.cloud.google.com/iam-admin/quotas?project=acme-prod" {
			t.Errorf("the line is %v", line)
		}
		if reason := c.Reason(b.start, small); !strings.HasPrefix(reason, "minute_quota until 2000-01-01T00:00:01.") ||
			!strings.HasSuffix(reason, "Z (GenerateRequestsPerMinutePerProjectPerModel)") {
			t.Errorf("the reason is %q", reason)
		}
		now := b.next(b.start, c)
		b.answer(now, c, pool.Outcome{Class: pool.ClassNoQuota})
		line = b.lines()[0]
		if _, ok := line["quota"]; ok {
			t.Errorf("a quota without a name is named: %v", line)
		}
		if got, want := c.Reason(now, small), "no_quota until a probe succeeds"; got != want {
			t.Errorf("the reason is %q, want %q", got, want)
		}
	})
}

func TestLogOfBreakersHasALineWhenOneOpensAndOneWhenItCloses(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/eu/on_demand")
		for range 5 {
			b.answer(b.start, c, pool.Outcome{Class: pool.ClassServerFault})
		}
		lines := b.lines()
		if len(lines) != 1 || lines[0]["msg"] != "spillway: circuit breaker open" || lines[0]["subject"] != "model:v/eu/"+flash {
			t.Fatalf("logged %v", lines)
		}
		if until, _ := c.Open(b.start); !instant(t, lines[0]["until"].(string)).Equal(until) {
			t.Errorf("logged %v, and it is open until %v", lines, until)
		}
		if got := c.Reason(b.start, small); !strings.HasPrefix(got, "circuit breaker open until 2000-01-01T00:00:0") {
			t.Errorf("the reason is %q", got)
		}
		time.Sleep(5 * time.Second)
		b.answer(time.Now(), c, pool.Outcome{Class: pool.ClassServerFault}) // the probe
		if lines := b.lines(); len(lines) != 0 {
			t.Errorf("a probe that failed was logged: %v", lines)
		}
		time.Sleep(10 * time.Second)
		probe := b.lease(time.Now(), c)
		probe.Accept(time.Now())
		if lines := b.lines(); len(lines) != 1 || lines[0]["msg"] != "spillway: circuit breaker closed" || lines[0]["subject"] != "model:v/eu/"+flash {
			t.Errorf("logged %v", lines)
		}
	})
}

func TestAnOrderThatIsServedOnDemandIsReportedOnce(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/provisioned")
		for range 3 {
			b.answer(b.start, c, pool.Outcome{Class: pool.ClassOK, Traffic: "ON_DEMAND"})
		}
		lines := b.lines()
		if len(lines) != 1 || lines[0]["level"] != slog.LevelWarn.String() || lines[0]["traffic"] != "ON_DEMAND" ||
			lines[0]["subject"] != "order:v/global/"+flash {
			t.Errorf("logged %v", lines)
		}
	})
}

func TestShortRestsThatRepeatAreSaidQuietly(t *testing.T) {
	for class, want := range map[pool.Class]slog.Level{
		pool.ClassContention: slog.LevelDebug, pool.ClassMinuteQuota: slog.LevelInfo, pool.ClassDayQuota: slog.LevelInfo, pool.ClassNoQuota: slog.LevelWarn,
	} {
		inBubble(t, scene(), func(t *testing.T, b *bed) {
			c := b.candidate(flash, "v/eu/on_demand")
			b.answer(b.start, c, pool.Outcome{Class: class})
			b.answer(b.next(b.start, c), c, pool.Outcome{Class: pool.ClassOK})
			lines := b.lines()
			if len(lines) != 2 || lines[0]["level"] != want.String() || lines[1]["level"] != min(want, slog.LevelInfo).String() {
				t.Errorf("%s is logged as %v", class, lines)
			}
		})
	}
}

func TestLogWarnsOnceAnHourOfALimitThatIsNearlyUsed(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 20}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		want := map[int]float64{16: 0.8, 18: 0.9}
		for n := 1; n <= 20; n++ {
			b.lease(b.start, c)
			lines := said(b.lines(), "spillway: limit nearly used")
			if share, warn := want[n]; warn != (len(lines) == 1) || len(lines) == 1 && lines[0]["share"] != share {
				t.Errorf("with %d of 20 calls running: %v", n, lines)
			}
		}
	})
}

func TestLogWarnsAgainOfALimitAnHourLater(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 10}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{0, 2}, {2 * time.Minute, 0}, {30 * time.Minute, 0}, {time.Hour + time.Minute, 2}} {
			now := b.start.Add(tt.after)
			for range 10 {
				b.answer(now, c, good)
			}
			if got := len(said(b.lines(), "spillway: limit nearly used")); got != tt.want {
				t.Errorf("a minute that used all of it, after %v: %d lines, want %d", tt.after, got, tt.want)
			}
		}
	})
}

func TestLogNeverShowsAKey(t *testing.T) {
	const canary = "AIzaSyCANARY0123456789abcdefghijklmnop"
	cfg := scene()
	cfg.Projects[0].Keys = []pool.Secret{pool.NewSecret(canary + "1"), pool.NewSecret(canary + "2")}
	cfg.Projects[1].Keys = []pool.Secret{pool.NewSecret(canary + "3")}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		now := b.start
		for _, l := range lives {
			for _, c := range b.pool.View(now, flash).All() {
				for range 6 {
					if l, ok := c.Force(now, small); ok {
						l.Settle(now, pool.Outcome{Class: lives[0].class})
					}
					if lease, ok := c.Force(now, small); ok {
						lease.Settle(now, pool.Outcome{Class: l.class, Quota: "q", Message: "m"})
					}
				}
			}
			now = now.Add(25 * time.Hour)
		}
		text := b.log.String()
		if strings.Contains(text, "CANARY") {
			t.Error("the log shows a key")
		}
		for _, n := range []string{"1", "2", "3"} {
			key := strings.TrimPrefix(pool.NewSecret(canary+n).String(), "key-") // of the 16 digits the first eight
			if !strings.Contains(text, "/"+key) {
				t.Errorf("the log does not tell of the dead key %s", key)
			}
		}
	})
}

func TestLogSaysWhatAnOperatorHasToDo(t *testing.T) {
	eachLife(t, rests, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		b.answer(b.start, c, pool.Outcome{Class: l.class})
		for _, line := range said(b.lines(), "spillway: cooldown started") {
			if line["cause"] == nil || line["remedy"] == nil || line["page"] == nil {
				t.Errorf("of %s the line is %v", l.class, line)
			}
		}
	})
}
