package pool_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

func TestLimitsAreReservedTogetherOrNotAtAll(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit pool.Limit
		first pool.Need
		fits  int // further calls of 100 tokens
	}{
		{"requests a minute", pool.Limit{RPM: 3, TPM: 9000, RPD: 90, Concurrency: 90}, small, 2},
		{"tokens a minute", pool.Limit{RPM: 90, TPM: 1000, RPD: 90, Concurrency: 90}, pool.Need{Input: 801}, 1},
		{"requests a day", pool.Limit{RPM: 90, TPM: 9000, RPD: 4, Concurrency: 90}, small, 3},
		{"calls at once", pool.Limit{RPM: 90, TPM: 9000, RPD: 90, Concurrency: 2}, small, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, limited(tt.limit), func(t *testing.T, b *bed) {
				c := b.candidate(flash, studio)
				b.leaseFor(b.start, c, tt.first)
				for range tt.fits {
					b.lease(b.start, c)
				}
				before := b.endpoint(b.start, c, flash)
				if got := before.Quota.Concurrency.Used; got != int64(tt.fits)+1 {
					t.Fatalf("%d calls are held, want %d", got, tt.fits+1)
				}
				b.refuses(b.start, c, "beyond its limit")
				after := b.endpoint(b.start, c, flash)
				if *after.Quota != *before.Quota || after.Tokens != before.Tokens || after.Calls != before.Calls {
					t.Errorf("a refused call left something behind:\n%+v\n%+v", before, after)
				}
				if got := c.Reason(b.start, small); got == "" {
					t.Error("no reason is given")
				}
				if wake := b.next(b.start, c); !wake.After(b.start) {
					t.Errorf("it wakes at once")
				}
			})
		})
	}
}

func TestWhatRestsReservesNothing(t *testing.T) {
	v := keyless("v", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1}}
	v.Limits = []pool.Limit{{RPM: 9, TPM: 9000, RPD: 9, Concurrency: 9}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		onDemand, order := b.candidate(flash, "v/global/on_demand"), b.candidate(flash, "v/global/provisioned")
		b.answer(b.start, onDemand, pool.Outcome{Class: pool.ClassBilling})
		b.refuses(b.start, onDemand, "while the project rests")
		b.refuses(b.start, order, "while the project rests")
		if e := b.endpoint(b.start, onDemand, flash); e.Quota.Requests.Used != 0 || e.Quota.Day.Used != 0 || e.Quota.Concurrency.Used != 0 {
			t.Errorf("of the limits there is used %+v", *e.Quota)
		}
		if e := b.endpoint(b.start, order, flash); e.Order.Used != 0 {
			t.Errorf("of the order there is used %v", e.Order.Used)
		}
	})
}

func TestRefusalsGiveQuotaBackAndAnswersKeepIt(t *testing.T) {
	for _, tt := range []struct {
		class pool.Class
		keeps bool
	}{
		{pool.ClassOK, true},
		{pool.ClassCallerFault, true}, // a 400 counts against the quota, and so does a 500
		{pool.ClassServerFault, true},
		{pool.ClassOverloaded, true},
		{pool.ClassTransport, true}, // nobody knows: the careful guess
		{pool.ClassCancelled, true},
		{pool.ClassMinuteQuota, false},
		{pool.ClassDayQuota, false},
		{pool.ClassNoQuota, false},
		{pool.ClassQuotaUnknown, false},
		{pool.ClassContention, false},
		{pool.ClassProvisionedFull, false},
		{pool.ClassKeyDead, false},
		{pool.ClassBilling, false},
		{pool.ClassProjectMisconfigured, false},
		{pool.ClassEgressBlocked, false},
		{pool.ClassModelForbidden, false},
		{pool.ClassModelMissing, false},
	} {
		t.Run(string(tt.class), func(t *testing.T) {
			inBubble(t, limited(pool.Limit{RPM: 9, TPM: 9000, RPD: 9, Concurrency: 9}), func(t *testing.T, b *bed) {
				c := b.candidate(flash, studio)
				b.answer(b.start, c, pool.Outcome{Class: tt.class})
				var requests, tokens int64
				if tt.keeps {
					requests, tokens = 1, small.Input
				}
				q := b.endpoint(b.start, c, flash).Quota
				if q.Requests.Used != requests || q.Tokens.Used != tokens || q.Day.Used != requests || q.Concurrency.Used != 0 {
					t.Errorf("used: requests %d, tokens %d, today %d, at once %d; want %d, %d, %d, 0",
						q.Requests.Used, q.Tokens.Used, q.Day.Used, q.Concurrency.Used, requests, tokens, requests)
				}
			})
		})
	}
}

func TestQuotaIsCorrectedToWhatGoogleCounted(t *testing.T) {
	inBubble(t, limited(pool.Limit{TPM: 1000}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		counted := pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1500, Output: 20}}
		b.answer(b.start, c, counted)
		if q := b.endpoint(b.start, c, flash).Quota; q.Tokens.Used != 1500 {
			t.Errorf("%d tokens are used, want 1,500: in debt", q.Tokens.Used)
		}
		b.refuses(b.start.Add(time.Minute-time.Second), c, "while in debt")
		b.lease(b.start.Add(time.Minute+time.Second), c)
	})
}

func TestFreeCallsTakeNoQuotaButRestAsOthersDo(t *testing.T) {
	v := keyless("v", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1}}
	v.Limits = []pool.Limit{{RPM: 1, Concurrency: 1}}
	free := pool.Need{Input: 1 << 40, Unmetered: true}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		onDemand, order := b.candidate(flash, "v/global/on_demand"), b.candidate(flash, "v/global/provisioned")
		for _, c := range []*pool.Candidate{onDemand, order} {
			for range 3 {
				b.leaseFor(b.start, c, free).Settle(b.start, good)
			}
			if wake, ok := c.Wake(b.start, free); !ok || !wake.Equal(b.start) {
				t.Errorf("%s wakes for a free call after %v, %v", c, wake.Sub(b.start), ok)
			}
		}
		if e := b.endpoint(b.start, onDemand, flash); e.Quota.Requests.Used != 0 || e.Quota.Concurrency.Used != 0 {
			t.Errorf("free calls used %+v", *e.Quota)
		}
		if e := b.endpoint(b.start, order, flash); e.Order.Used != 0 || e.Order.ServedCount != 0 {
			t.Errorf("free calls used %+v", *e.Order)
		}
		if _, ok := order.Wake(b.start, pool.Need{Input: 1 << 40}); ok {
			t.Error("a call larger than the order is said to fit some day")
		}
		b.answer(b.start, onDemand, pool.Outcome{Class: pool.ClassBilling})
		if _, ok := onDemand.Lease(b.start, free); ok {
			t.Error("a free call goes to a project that rests")
		}
	})
}

func TestAnOrderIsChargedForWhatItServed(t *testing.T) {
	v := keyless("v")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1, Burndown: &quota.Burndown{Input: 1, Output: 10}}}
	usage := quota.Usage{Input: 50, Output: 7}
	for _, tt := range []struct {
		name            string
		outcome         pool.Outcome
		accept          bool
		used            float64
		served, refused int64
	}{
		{"counted", pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: usage}, false, 120, 1, 0},
		{"served, not counted: the estimate", good, false, 1100, 1, 0},
		{"cut off after it began: the estimate", pool.Outcome{Class: pool.ClassTransport}, true, 1100, 1, 0},
		{"served on demand", pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: usage, Traffic: "ON_DEMAND"}, false, 0, 0, 0},
		{"served on demand, with priority", pool.Outcome{Class: pool.ClassOK, Traffic: "ON_DEMAND_PRIORITY"}, false, 0, 0, 0},
		{"served by the order, as Google says", pool.Outcome{Class: pool.ClassOK, Traffic: "PROVISIONED_THROUGHPUT"}, false, 1100, 1, 0},
		{"full", pool.Outcome{Class: pool.ClassProvisionedFull}, false, 0, 0, 1},
		{"failed", pool.Outcome{Class: pool.ClassServerFault}, false, 0, 0, 0},
		{"the caller's fault", pool.Outcome{Class: pool.ClassCallerFault}, false, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
				c := b.candidate(flash, "v/global/provisioned")
				l := b.lease(b.start, c)
				if tt.accept {
					l.Accept(b.start)
				}
				l.Settle(b.start, tt.outcome)
				o := b.endpoint(b.start, c, flash).Order
				if o.Used != tt.used || o.ServedCount != tt.served || o.RefusedCount != tt.refused {
					t.Errorf("used %v, served %d, refused %d; want %v, %d, %d", o.Used, o.ServedCount, o.RefusedCount, tt.used, tt.served, tt.refused)
				}
			})
		})
	}
}

func TestAnOrderThatVertexSpillsOverIsNotKeptToByTheRouter(t *testing.T) {
	v := keyless("v")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1, Overflow: pool.OverflowVertex}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/provisioned")
		for range 10 {
			b.leaseFor(b.start, c, pool.Need{Input: 1 << 30})
		}
		if e := b.endpoint(b.start, c, flash); e.Order.Used != 0 || e.Pacing == nil {
			t.Errorf("used %v of the order, pacing %v", e.Order.Used, e.Pacing)
		}
	})
}
