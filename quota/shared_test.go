package quota_test

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// tenGSUs is an order whose window has to be learned: 26,900 tokens a second in 5 to 30 s.
var tenGSUs = quota.Order{Model: "gemini-2.5-flash", GSUs: 10}

// member is one replica's ledger, and its way to the store, which answers at once.
type member struct {
	*quota.SharedLedger
	t     testing.TB
	state *store.OrderState
	ahead time.Duration // of the store's clock
}

// members returns replicas that share an order.
func members(t testing.TB, n int, o quota.Order) []*member {
	t.Helper()
	var all []*member
	for i := range n {
		l, err := quota.NewSharedLedger(o, string(rune('a'+i)))
		if err != nil {
			t.Fatal(err)
		}
		l.SetMembers(n)
		all = append(all, &member{SharedLedger: l, t: t, ahead: time.Duration(i+1) * time.Hour})
	}
	share(all, "first")
	return all
}

// share gives replicas a new store.
func share(all []*member, epoch string) {
	state := store.NewOrderState(all[0].Key("order"), epoch)
	for i, m := range all {
		m.state = state
		m.ahead = -time.Duration(i) * time.Hour
	}
}

// pull pulls.
func (m *member) pull(at time.Duration) {
	p := m.Pull(m.local(at))
	m.Pulled(m.local(at), m.state.Pull(noon.Add(at), &p))
}

// local returns the time by the replica's clock.
func (m *member) local(at time.Duration) time.Time { return noon.Add(at - m.ahead) }

func (m *member) reserve(at time.Duration, cost quota.Cost) (quota.Hold, quota.Room) {
	h, room := m.Reserve(m.local(at), cost)
	if room == quota.RoomUnknown {
		ask := m.Ask(h)
		h, room = m.Granted(m.local(at), h, m.state.Reserve(noon.Add(at), &ask))
	}
	if room == quota.RoomHeld {
		m.tell(at, h, m.Held(h))
	}
	return h, room
}

func (m *member) tell(at time.Duration, h quota.Hold, change store.OrderChange) {
	if change != (store.OrderChange{}) {
		m.Told(m.local(at), h, change, m.state.Settle(noon.Add(at), &change))
	}
}

func (m *member) used(at time.Duration) float64 { return m.Stat(m.local(at)).Used }

func wantUsed(t *testing.T, m *member, at time.Duration, want float64) {
	t.Helper()
	if got := m.used(at); math.Abs(got-want) > 1 {
		t.Errorf("at %v: %v tokens used, want %v", at, got, want)
	}
}

var fixedWindow = quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 100, Window: 10 * time.Second}

func TestReplicasFillAnOrderTogetherAndNotTwice(t *testing.T) {
	all := members(t, 3, fixedWindow)
	for _, m := range all {
		m.pull(0)
	}
	for i := range 20 {
		at := time.Second + time.Duration(i)*time.Millisecond
		if _, room := all[i%3].reserve(at, prompt(100)); (room == quota.RoomHeld) != (i < 10) {
			t.Errorf("call %d: room %v", i, room)
		}
	}
	for _, m := range all {
		m.pull(1100 * time.Millisecond)
		wantUsed(t, m, 1100*time.Millisecond, 1000)
		if wait := m.Wait(m.local(2*time.Second), prompt(100)); wait < 8900*time.Millisecond || wait > 9200*time.Millisecond {
			t.Errorf("wait of %v, want until the first calls leave the window", wait)
		}
	}
}

func TestReplicasHearOfWhatOthersSettleAndRelease(t *testing.T) {
	all := members(t, 2, fixedWindow)
	a, b := all[0], all[1]
	a.pull(0)
	b.pull(0)
	var holds []quota.Hold
	for range 5 {
		h, _ := a.reserve(time.Second, prompt(180))
		holds = append(holds, h)
	}
	a.tell(2*time.Second, holds[0], a.Settle(a.local(2*time.Second), holds[0], prompt(30)))
	a.tell(2*time.Second, holds[1], a.Release(a.local(2*time.Second), holds[1]))
	a.tell(2*time.Second, holds[2], a.Refuse(a.local(2*time.Second), holds[2]))
	b.pull(3 * time.Second)
	wantUsed(t, b, 3*time.Second, 390)
	if s := a.Stat(a.local(3 * time.Second)); s.ServedCount != 1 || s.RefusedCount != 1 {
		t.Errorf("%+v, want one call served and one refused", s)
	}
}

func TestReplicasKeepToTheirSharesWithoutTheStore(t *testing.T) {
	all := members(t, 2, fixedWindow)
	a, b := all[0], all[1]
	for _, m := range all {
		m.pull(0)
		m.PullFailed(m.local(time.Second))
	}
	var holds []quota.Hold
	for range 10 {
		for _, m := range all {
			if h, room := m.reserve(time.Second, prompt(125)); room == quota.RoomHeld {
				holds = append(holds, h)
			}
		}
	}
	if len(holds) != 8 {
		t.Errorf("%d calls admitted, want 4 in each half of the order", len(holds))
	}
	if _, room := a.reserve(time.Second, prompt(501)); room != quota.RoomOpen {
		t.Errorf("a call that is larger than the share: %v, want it sent without a header", room)
	}
	if change := a.Settle(a.local(2*time.Second), holds[0], prompt(25)); change != (store.OrderChange{}) {
		t.Errorf("%+v for a store that is gone", change)
	}
	a.pull(3 * time.Second) // it is back, and is told
	b.pull(3 * time.Second)
	a.pull(3 * time.Second)
	wantUsed(t, a, 3*time.Second, 900)
	wantUsed(t, b, 3*time.Second, 900)
}

func TestReplicasTellAgainWhatAStoreHasLost(t *testing.T) {
	all := members(t, 2, fixedWindow)
	a, b := all[0], all[1]
	for _, m := range all {
		m.pull(0)
		m.reserve(time.Second, prompt(200))
		m.pull(time.Second)
	}
	share(all, "second")
	for range 2 {
		a.pull(2 * time.Second)
		b.pull(2 * time.Second)
	}
	a.pull(2 * time.Second)
	wantUsed(t, a, 2*time.Second, 400)
	wantUsed(t, b, 2*time.Second, 400)
	wantUsed(t, b, 12*time.Second, 0)
}

func TestAPullWhoseAnswerWasLostCountsOnce(t *testing.T) {
	all := members(t, 2, fixedWindow)
	a, b := all[0], all[1]
	a.pull(0)
	b.pull(0)
	a.PullFailed(a.local(time.Second))
	a.reserve(time.Second, prompt(300))
	for range 3 {
		p := a.Pull(a.local(time.Second))
		a.state.Pull(noon.Add(time.Second), &p)
		a.PullFailed(a.local(time.Second))
	}
	a.reserve(time.Second, prompt(100))
	a.pull(2 * time.Second)
	a.pull(2 * time.Second)
	b.pull(2 * time.Second)
	wantUsed(t, a, 2*time.Second, 400)
	wantUsed(t, b, 2*time.Second, 400)
}

func TestWhatOneReplicaLearnsAllKnow(t *testing.T) {
	all := members(t, 3, tenGSUs)
	for _, m := range all {
		m.pull(0)
	}
	a, at := all[0], time.Duration(0)
	for range 200 { // bursts, of which Google serves what fits into 5 s
		at += time.Minute
		a.pull(at)
		for asked := 0; ; asked++ {
			h, room := a.reserve(at, prompt(13_450))
			if room != quota.RoomHeld {
				break
			}
			if asked < 10 {
				a.tell(at, h, a.Settle(a.local(at), h, prompt(13_450)))
				continue
			}
			a.tell(at, h, a.Refuse(a.local(at), h))
		}
	}
	a.pull(at)
	joins, err := quota.NewSharedLedger(tenGSUs, "joins")
	if err != nil {
		t.Fatal(err)
	}
	joins.SetMembers(4)
	for _, m := range append(all, &member{SharedLedger: joins, t: t, state: a.state}) {
		m.pull(at)
		if w := m.Stat(m.local(at)).Window; w < 5*time.Second || w > 6*time.Second {
			t.Errorf("window of %v believed, want 5 s", w)
		}
	}
}

func TestReplicasLearnOnceFromWhatTheyLearnAtOnce(t *testing.T) {
	all := members(t, 8, tenGSUs)
	var holds []quota.Hold
	for _, m := range all {
		m.pull(0)
		m.PullFailed(m.local(0))
		m.pull(0)
	}
	guess := func() float64 { return all[0].Stat(all[0].local(time.Second)).Guess }
	for range 30 { // so many that the next calls ask
		all[0].reserve(time.Second, answer(20_000))
	}
	for _, m := range all {
		m.pull(time.Second)
		h, room := m.reserve(time.Second, answer(10_000))
		if room != quota.RoomHeld {
			t.Fatal("no room for calls to be refused")
		}
		holds = append(holds, h)
	}
	before := guess()
	for i, m := range all {
		m.tell(time.Second, holds[i], m.Refuse(m.local(time.Second), holds[i]))
	}
	for range 2 {
		for _, m := range all {
			m.pull(time.Second)
		}
	}
	if got := guess(); !(got > before) || got > 1.11*before {
		t.Errorf("guess %v after 8 refusals at once, before it was %v: want one step", got, before)
	}
}

func TestSharedLedgerFailsAsALedgerDoes(t *testing.T) {
	if _, err := quota.NewSharedLedger(quota.Order{Model: "unheard-of", GSUs: 1}, "a"); !errors.Is(err, quota.ErrUnknownModel) {
		t.Errorf("%v, want ErrUnknownModel", err)
	}
}

func TestSharedLedgerIsOpenUntilItKnowsItsShare(t *testing.T) {
	l, err := quota.NewSharedLedger(fixedWindow, "a")
	if err != nil {
		t.Fatal(err)
	}
	h, room := l.Reserve(noon, prompt(10))
	if room != quota.RoomOpen {
		t.Errorf("room %v before the store has answered, want it open", room)
	}
	l.Settle(noon, h, prompt(10))
	if s := l.Stat(noon); s.Used != 10 {
		t.Errorf("%v used, want what the order served", s.Used)
	}
}

func TestReplicasPullSeldomWhileNothingHappens(t *testing.T) {
	m := members(t, 1, fixedWindow)[0]
	m.pull(0)
	m.pull(0)
	pulls, at := 0, time.Duration(0)
	for ; at < time.Minute; pulls++ {
		m.pull(at)
		at = m.PullAt().Sub(m.local(0))
	}
	if pulls < 25 || pulls > 60 {
		t.Errorf("%d pulls in an idle minute", pulls)
	}
}

func TestSharedLedgerIsSafeForManyGoroutines(t *testing.T) {
	var mu sync.Mutex
	all := members(t, 2, tenGSUs)
	var group sync.WaitGroup
	for g := range 16 {
		group.Go(func() {
			m := all[g%2]
			for i := range 100 {
				at := time.Duration(i) * 10 * time.Millisecond
				mu.Lock() // the store's state takes one at a time
				if g < 2 {
					m.pull(at)
				}
				h, room := m.reserve(at, prompt(1000))
				mu.Unlock()
				m.Utilisation(m.local(at))
				if room == quota.RoomHeld {
					change := m.Settle(m.local(at), h, prompt(500))
					m.Untold(m.local(at), h, change)
				}
			}
		})
	}
	group.Wait()
}
