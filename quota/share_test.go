package quota

import (
	"testing"
	"time"
)

var shareStart = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// shared returns a quota of two members and its Member, which is found.
func sharedQuota(l Limits) (*Quota, *Member) {
	q := New(l)
	m := q.Share(shareStart, Sharing{})
	m.Found(shareStart)
	return q, m
}

func TestSharedQuotaAdmitsWhatItHasCreditFor(t *testing.T) {
	q, m := sharedQuota(Limits{RPM: 100, TPM: 1000})
	now := shareStart
	if _, ok := q.Reserve(now, 10); ok {
		t.Fatal("admitted without credit")
	}
	if d := q.Wait(now, 10); d != CreditWait {
		t.Fatalf("Wait without credit is %v, want CreditWait", d)
	}
	m.Grant(now, Credit{Requests: 2, Tokens: 30, At: now.Add(time.Hour), Until: now.Add(500 * time.Millisecond)})
	if _, ok := q.Reserve(now, 31); ok {
		t.Error("admitted with more tokens than the credit has")
	}
	r, ok := q.Reserve(now, 20)
	if !ok {
		t.Fatal("refused with credit")
	}
	q.Settle(now, r, 15)
	if d := q.Wait(now, 10); d != 0 {
		t.Errorf("Wait with credit is %v", d)
	}
	if _, ok := q.Reserve(now.Add(500*time.Millisecond), 1); ok {
		t.Error("admitted with credit that has ended")
	}
	got := m.Report(now.Add(time.Second), false)
	want := Change{At: now.Add(time.Hour), Requests: -1, Tokens: -15} // one unused with 10, and 5 less than reserved
	if len(got) != 1 || !got[0].At.Equal(want.At) || got[0].Requests != want.Requests || got[0].Tokens != want.Tokens {
		t.Errorf("reported %+v, want %+v", got, want)
	}
	if m.Report(now.Add(time.Second), true) != nil {
		t.Error("a change is reported twice")
	}
}

func TestReleaseReturnsCreditThatStillLasts(t *testing.T) {
	q, m := sharedQuota(Limits{RPM: 100})
	now := shareStart
	m.Grant(now, Credit{Requests: 1, At: now, Until: now.Add(time.Second)})
	for range 3 {
		r, ok := q.Reserve(now, 5)
		if !ok {
			t.Fatal("refused after a release")
		}
		q.Release(now, r)
	}
	if n := m.Need(now); n.Credit.Requests != 1 || n.Owing {
		t.Errorf("%+v, want one request in hand and nothing owed", n)
	}
}

func TestWaitOfASharedQuotaGoesByWhatAllUse(t *testing.T) {
	q, m := sharedQuota(Limits{RPM: 10})
	now := shareStart
	m.Tell(now, Common{
		Requests: 10, Kept: time.Minute, Members: 4,
		Profile: []Change{{At: now.Add(-50 * time.Second), Requests: 4}, {At: now.Add(-20 * time.Second), Requests: 6}},
	})
	if d := q.Wait(now, 1); d != 10*time.Second {
		t.Errorf("Wait is %v, want 10s", d)
	}
	if h := q.Headroom(now.Add(10 * time.Second)); h != 0.4 {
		t.Errorf("Headroom after ten seconds is %v, want 0.4", h)
	}
	if used := q.Stat(now.Add(10 * time.Second)).Requests.Used; used != 6 {
		t.Errorf("Stat says %d, want 6", used)
	}
}

// Without the others a member admits its part of what becomes free of what was last seen, and all
// members together no more than the limit.
func TestMembersThatLoseTheOthersKeepWithinTheLimit(t *testing.T) {
	const members, limit = 7, 100
	now := shareStart
	seen := Common{Requests: 60, Kept: time.Minute, Members: members, Profile: []Change{{At: now.Add(-30 * time.Second), Requests: 60}}}
	var qs []*Quota
	var ms []*Member
	for i := range members {
		q, m := sharedQuota(Limits{RPM: limit})
		m.Tell(now, seen)
		m.Lost(now, Sharing{Members: members, Rank: i})
		qs, ms = append(qs, q), append(ms, m)
	}
	sent := make([]int, 180)
	for s := range sent {
		at := now.Add(time.Duration(s) * time.Second)
		for _, q := range qs {
			for range 3 {
				if _, ok := q.Reserve(at, 1); ok {
					sent[s]++
				}
			}
		}
	}
	most, early := 0, 0
	for s := range sent {
		sum := 0
		for k := max(s-59, 0); k <= s; k++ {
			sum += sent[k]
		}
		most = max(most, sum)
		if s < 30 {
			early += sent[s]
		}
	}
	if early > 40 {
		t.Errorf("%d calls went while 60 of 100 were used by what was seen", early)
	}
	if most > limit || most < 85 {
		t.Errorf("%d calls in a minute, want nearly %d and no more", most, limit)
	}
	for _, m := range ms {
		m.Found(now)
	}
	var reported int64
	for _, m := range ms {
		for _, c := range m.Report(now.Add(181*time.Second), false) {
			reported += c.Requests
		}
	}
	all := 0
	for _, n := range sent {
		all += n
	}
	if reported != int64(all) {
		t.Errorf("%d calls are reported, %d were admitted without credit", reported, all)
	}
}

func TestRecountReportsTheMinuteAndTheDay(t *testing.T) {
	q, m := sharedQuota(Limits{RPM: 1000, RPD: 10_000})
	now := shareStart
	for i := range 200 {
		at := now.Add(time.Duration(i) * time.Second)
		m.Grant(at, Credit{Requests: 1, At: at, Until: at.Add(time.Second)})
		if _, ok := q.Reserve(at, 3); !ok {
			t.Fatal("refused")
		}
	}
	end := now.Add(199 * time.Second)
	var minute, day int64
	for _, c := range m.Recount(end) {
		day += c.Requests
		if c.At.After(end.Add(-time.Minute)) {
			minute += c.Requests
		}
	}
	if minute != 60 || day != 200 {
		t.Errorf("recounted %d of the minute and %d of the day, want 60 and 200", minute, day)
	}
}

// What was used of the day before the quota was shared is reported when it is.
func TestShareReportsTheDaySoFar(t *testing.T) {
	q := &Quota{}
	for range 5 {
		r, _ := q.Reserve(shareStart, 1)
		q.Settle(shareStart, r, 1)
	}
	r, _ := q.Reserve(shareStart, 1)
	q.Release(shareStart, r)
	q.RestoreDay(shareStart, 40, NextMidnight(shareStart)) // an earlier process has told of them
	q.SetLimits(Limits{RPD: 100})
	m := q.Share(shareStart, Sharing{})
	got := m.Report(shareStart, false)
	if len(got) != 1 || got[0].Requests != 5 || got[0].At.After(shareStart.Add(-time.Minute)) {
		t.Errorf("reported %+v, want 5 requests that are no longer of the minute", got)
	}
	if q.Share(shareStart, Sharing{}) != m {
		t.Error("a second Share made another Member")
	}
}

func TestSharingDividesEveryLimitOnce(t *testing.T) {
	for _, members := range []int{1, 2, 3, 10, 64} {
		for _, limit := range []int64{0, 1, 5, 60, 1000, 1 << 50} {
			var sum int64
			for rank := range members {
				sum += Sharing{Members: members, Rank: rank}.of(limit)
			}
			if sum > limit || limit < largest && float64(sum) < 0.94*float64(limit)-1 {
				t.Errorf("%d members have %d together of a limit of %d", members, sum, limit)
			}
		}
	}
	if n := (Sharing{}).of(5); n != 1 {
		t.Errorf("an eighth of 5 is %d, want 1 at least", n)
	}
	if n := (Sharing{Part: 0.25}).of(100); n != 25 {
		t.Errorf("a quarter of 100 is %d", n)
	}
}

func TestChangesAreBoundedAndLoseNothing(t *testing.T) {
	var cs changes
	for i := range 5000 {
		cs.add(shareStart.Add(time.Duration(i)*time.Second).UnixNano(), count{1, 2})
	}
	if len(cs) > mostChanges {
		t.Errorf("%d changes wait, want %d at most", len(cs), mostChanges)
	}
	var requests, tokens int64
	for _, c := range cs.take() {
		requests += c.Requests
		tokens += c.Tokens
	}
	if requests != 5000 || tokens != 10_000 {
		t.Errorf("%d requests and %d tokens of 5000 and 10000 are left", requests, tokens)
	}
}
