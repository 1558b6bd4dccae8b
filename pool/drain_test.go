package pool_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// keyedProject is project a of the Gemini back end, with one key.
func keyedProject() pool.Project {
	return pool.Project{Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("text-of-key")}}
}

// turnsTaken is how many calls go in so long if each goes as soon as its turn comes.
func turnsTaken(c *pool.Candidate, from time.Time, n pool.Need, d time.Duration) int {
	taken := 0
	for now := from; ; taken++ {
		if now = c.Turn(now, n, false); now.Sub(from) >= d || taken == 10_000 {
			return taken
		}
		c.TakeTurn(now, n, false)
	}
}

func TestTurnsAreAsFastAsTwiceTheLimitAfterTen(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit pool.Limit
		need  pool.Need
		want  int // in ten seconds
	}{
		{"requests", pool.Limit{RPM: 600}, small, 10 + 200 - 1},
		{"tokens", pool.Limit{TPM: 60_000}, small, 10 + 200 - 1},
		{"the stricter of both", pool.Limit{RPM: 600, TPM: 30_000}, small, 10 + 100 - 1},
		{"a call larger than the limit", pool.Limit{TPM: 10}, small, 10},
		{"concurrency alone", pool.Limit{Concurrency: 1}, small, 10_000},
		{"what no limit holds", pool.Limit{RPM: 60}, pool.Need{Unmetered: true}, 10_000},
	} {
		p := keyedProject()
		p.Limits = []pool.Limit{tt.limit}
		inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
			c := b.candidate(flash, "a/global/on_demand")
			if got := turnsTaken(c, b.start, tt.need, 10*time.Second); got != tt.want && got != tt.want+1 {
				t.Errorf("%s: %d turns in ten seconds, want %d", tt.name, got, tt.want)
			}
			later := b.start.Add(time.Hour)
			if got := c.Turn(later, tt.need, true); !got.Equal(later) {
				t.Errorf("%s: an hour later the next turn comes in %v", tt.name, got.Sub(later))
			}
		})
	}
}

func TestTurnsWithoutLimitsDoubleAfterARest(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{keyedProject()}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		if got := turnsTaken(c, b.start, small, time.Second); got != 10_000 {
			t.Errorf("%d turns where nothing ever rested, want all there are", got)
		}
		b.lease(b.start, c).Settle(b.start, pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 30 * time.Second})
		wake, ok := c.Wake(b.start, small)
		if !ok {
			t.Fatal("the rest has no end")
		}
		c.Turn(b.start, small, false) // someone begins to wait
		if got := turnsTaken(c, wake, small, time.Second); got < 30 || got > 45 {
			t.Errorf("%d turns in the first second after the rest, want 10 and about 29", got)
		}
		if got := turnsTaken(c, wake.Add(3*time.Second), small, time.Second); got < 200 || got > 300 {
			t.Errorf("%d turns in the fourth second, want about 230", got)
		}
		if got := turnsTaken(c, wake.Add(10*time.Second), small, time.Second); got != 10_000 {
			t.Errorf("%d turns ten seconds after the rest, want all there are", got)
		}
	})
}

func TestTurnsOfBatchCallsMakeOnlyBatchCallsWait(t *testing.T) {
	p := keyedProject()
	p.Limits = []pool.Limit{{RPM: 60}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		for range 12 {
			c.TakeTurn(b.start, small, true)
		}
		if got := c.Turn(b.start, small, true).Sub(b.start); got != 1500*time.Millisecond {
			t.Errorf("the next batch call's turn comes in %v, want 1.5 s", got)
		}
		for range 9 {
			if got := c.Turn(b.start, small, false).Sub(b.start); got != 0 {
				t.Errorf("an interactive call's turn comes in %v, want now", got)
			}
			c.TakeTurn(b.start, small, false)
		}
		if got := c.Turn(b.start, small, true).Sub(b.start); got != 6*time.Second {
			t.Errorf("then the next batch call's turn comes in %v, want 6 s", got)
		}
	})
}
