package pool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// Google shows an order that was renewed with its new size.
func TestADiscoveredOrderOfAnotherSizeTakesOverItsWindow(t *testing.T) {
	of := func(gsus int) []pool.Order {
		return []pool.Order{{Model: flash, Location: "global", GSUs: gsus, TokensPerSecond: 2690 * float64(gsus)}}
	}
	google := orderOfV(of(10)...)
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		google.set(func(g *googleHas) { g.has["v"] = pool.Project{Provisioned: of(5)} })
		stat := func() (l quota.LedgerStat) {
			for _, e := range x.pool.Stat(time.Now()).Endpoints {
				if e.Order != nil {
					l = *e.Order
				}
			}
			return l
		}
		var before, after quota.LedgerStat
		for range 2 * 3600 { // a call each second, until it is seen
			before = stat()
			x.acquire(&pool.Request{Model: flash}).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000}})
			time.Sleep(time.Second)
			if after = stat(); before.TokensPerSecond > 0 && after.TokensPerSecond != before.TokensPerSecond {
				break
			}
		}
		if after.TokensPerSecond != before.TokensPerSecond/2 || after.Used < before.Used*0.9 || after.ServedCount <= before.ServedCount {
			t.Errorf("of another size it begins with %+v, want what is used of it: %+v", after, before)
		}
	})
}

// What Google shows of an order that by the file is over, or yet to come, is not used: the file wins.
// But it is told.
func TestGoogleShowsAnOrderThatIsNotInForce(t *testing.T) {
	day := 24 * time.Hour
	for _, test := range []struct {
		name        string
		from, until time.Duration // of the declared order, from now on; zero is none
		shown       []string
		want        string
	}{
		{"ended", 0, -day, []string{flash}, "it ended at"},
		{"ended an hour ago", 0, -time.Hour, []string{flash}, ""},
		{"to begin", day, 0, []string{flash}, "it begins at"},
		{"in force", -day, day, []string{flash}, ""},
		{"two versions", -day, 0, []string{"gemini-3.5-flash-001", "gemini-3.5-flash-002"}, "another version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var shown []pool.Order
			for _, model := range test.shown {
				shown = append(shown, pool.Order{Model: model, Location: "global", GSUs: 10})
			}
			discovering(t, orderOfV(shown...), func(c *pool.Config) {
				o := pool.Order{Model: flash, Location: "global", GSUs: 3}
				if test.from != 0 {
					o.From = time.Now().Add(test.from)
				}
				if test.until != 0 {
					o.Until = time.Now().Add(test.until)
				}
				c.Projects[1].Provisioned = []pool.Order{o}
			}, func(t *testing.T, x *explored) {
				told := x.take(pool.DiscoveryIncomplete)
				if test.want == "" && len(told) > 0 {
					t.Errorf("told %+v", told)
				}
				if test.want != "" && (len(told) != 1 || !strings.Contains(told[0].Message, test.want) || told[0].Remedy == "") {
					t.Errorf("told %+v, want that %q", told, test.want)
				}
				time.Sleep(3 * time.Hour)
				if test.name == "ended an hour ago" {
					if told := x.take(pool.DiscoveryIncomplete); len(told) != 1 {
						t.Errorf("after hours: told %+v", told)
					}
				}
			})
		})
	}
}
