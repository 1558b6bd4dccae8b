package pool

import (
	"context"
	"errors"
	"hash/fnv"
	"math"
	"sync"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

const (
	// windowPoll is how often a window is looked at that was used lately and not asked for anything,
	// windowFull how often if less than windowNear of it is left: then it matters what others took.
	windowPoll = 4 * time.Second
	windowFull = time.Second
	windowNear = 0.25
	// windowAgain is how long a window that granted nothing is left alone, and up to twice that: what
	// comes free meanwhile goes to others.
	windowAgain = 250 * time.Millisecond
	// windowRamp is how long it takes until members that are missing have their whole part of a minute.
	windowRamp = 40 * time.Second
	// windowWithheld is the part of its share that a member that is missing is taken to use: see
	// quota.Sharing.
	windowWithheld = 0.94
	// windowProfile is how often a window's profile is asked for.
	windowProfile = time.Second
	// windowIdle is how long a window is kept that is not used.
	windowIdle = 2 * time.Minute
)

// windows are the limits that a fleet shares, as far as they are in use.
type windows struct {
	fleet  *fleet
	number int64 // of the last ask with changes; the syncer's

	mu  sync.Mutex
	all map[*limits]*window
}

// window is the common window of one project's limits for one model. Only the syncer uses it, but
// for its member.
type window struct {
	limits *limits
	member *quota.Member
	key    store.Key
	turn   uint64 // a hash of the key

	epoch    string
	number   int64          // of the last ask with changes
	unsent   []store.Change // of that ask, if its answer was lost
	asked    time.Time      // when it was asked last
	profiled time.Time      // when its profile came last
	fruitful time.Time      // before then it is not asked for calls that wait
	slotless time.Time      // before then it is not asked for more slots
	used     time.Time      // when it was last needed
	settled  time.Time      // when all have reported what they used, after its content was lost
}

// join makes limits common ones.
func (ws *windows) join(l *limits, now time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if l.fleet.joined.Load() {
		return
	}
	state, m, _ := ws.fleet.link.now()
	w := &window{limits: l, member: l.quota.Share(now, m.law), key: store.Key{Kind: store.KindWindow, Name: l.name}, used: now}
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.name))
	w.turn = h.Sum64()
	w.keep(now, m.law, state.in)
	ws.all[l] = w
	l.fleet.joined.Store(true)
}

// list returns the windows.
func (ws *windows) list() []*window {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	list := make([]*window, 0, len(ws.all))
	for _, w := range ws.all {
		list = append(list, w)
	}
	return list
}

// drop forgets a window that is not used.
func (ws *windows) drop(w *window) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, w.limits)
	w.limits.fleet.joined.Store(false)
}

// pollAll has every window asked at once.
func (ws *windows) pollAll() {
	for _, w := range ws.list() {
		w.asked = time.Time{}
	}
}

// giveBack ends the credit of every window, to be reported.
func (ws *windows) giveBack() {
	now := time.Now()
	for _, w := range ws.list() {
		if len(w.unsent) > 0 { // what was lost with an answer is told as it was
			continue
		}
		if w.hold(w.member.Report(now, true)); len(w.unsent) > 0 {
			ws.number++
			w.number = ws.number
		}
	}
}

// keep has the quota keep to what the store grants, or to the law. Where limits do not divide, other
// members get the rest at other projects.
func (w *window) keep(now time.Time, law quota.Sharing, in bool) {
	if law.Members > 0 {
		law.Rank = int((uint64(law.Rank) + w.turn) % uint64(law.Members))
	}
	if in && !now.Before(w.settled) {
		w.member.Found(now)
	} else {
		w.member.Lost(now, law)
	}
}

// hold adds changes to those that are to be reported.
func (w *window) hold(changes []quota.Change) {
	for _, c := range changes {
		w.unsent = append(w.unsent, store.Change(c))
	}
}

// ask is what is asked of one window.
type ask struct {
	w        *window
	need     quota.Need
	requests int64
	tokens   int64
	least    int64
	waits    int64 // of the requests, those that wait for a slot
}

// round is one look at the windows, with what is known at its beginning.
type round struct {
	windows *windows
	now     time.Time
	sent    time.Time // when its asks left
	in      bool      // the store's credit counts
	failed  bool      // the last one did
	ahead   time.Duration
	members membership
}

// next returns the number of an ask with changes. It never falls, also where a window is left and
// used again.
func (r *round) next() int64 {
	r.windows.number++
	return r.windows.number
}

// take asks the windows for what calls want that wait, and for what the next moments need, reports
// what was used, and hands out what was granted. It reports false if the store failed.
func (ws *windows) take(ctx context.Context) bool {
	f := ws.fleet
	state, members, ahead := f.link.now()
	r := round{windows: ws, now: time.Now(), in: state.in, failed: state.failures[errandTake] > 0, members: members, ahead: ahead}
	asks, sent := ws.asks(&r)
	if len(sent) > 0 {
		var grants []store.Grant
		r.sent = time.Now()
		ok := f.call(ctx, errandTake, func(ctx context.Context) (then time.Time, err error) {
			if grants, then, err = f.link.store.Take(ctx, f.link.member, sent); err == nil && len(grants) != len(sent) {
				err = errGrants
			}
			return then, err
		})
		if !ok {
			return false
		}
		for i := range grants {
			asks[i].granted(&r, &sent[i], &grants[i])
		}
		f.pool.queue.changed(time.Now())
	} else {
		f.link.idle()
	}
	if !r.in && f.link.settled(r.now) { // after this round has reported
		f.enter(r.now, true)
	}
	return true
}

// errGrants is of a store that does not keep to its word.
var errGrants = errors.New("pool: the store returned another number of grants than was asked for")

// asks returns what is asked of the windows in a round.
func (ws *windows) asks(r *round) (asks []ask, sent []store.Ask) {
	var short map[*limits]shortage
	if r.in {
		short = ws.fleet.pool.queue.shortages(r.now)
	}
	for _, w := range ws.list() {
		if r.members.heard {
			w.member.Clock(r.now, r.ahead)
		}
		a := ask{w: w, need: w.member.Need(r.now)}
		if r.in && !w.settled.IsZero() && !r.now.Before(w.settled) {
			w.settled = time.Time{}
			w.member.Found(r.now)
		}
		if r.in && w.settled.IsZero() {
			a.want(r.now, short[w.limits])
		}
		s := a.fill(r)
		switch {
		case a.due(r, &s):
			asks, sent = append(asks, a), append(sent, s)
		case w.idle(r.now, &a.need):
			ws.drop(w)
		}
	}
	return asks, sent
}

// want fills in what is wanted of a window: for calls that wait, or for the next moments.
func (a *ask) want(now time.Time, short shortage) {
	n := &a.need
	a.requests, a.tokens, a.least, a.waits = short.requests, short.tokens, short.least, short.requests
	life := store.Life.Seconds()
	if mean := n.Requests * life; mean >= 1 && float64(n.Credit.Requests) < mean/2 {
		a.requests += int64(math.Ceil(mean)) - n.Credit.Requests
		each := n.Tokens / n.Requests
		a.tokens += int64(math.Ceil(mean*each)) - min(n.Credit.Tokens, int64(mean*each))
		a.least = max(a.least, int64(each))
	}
	if now.Before(a.w.fruitful) {
		a.requests, a.tokens, a.waits = 0, 0, 0
	}
}

// fill makes the ask to a window.
func (a *ask) fill(r *round) store.Ask {
	w := a.w
	if len(w.unsent) == 0 {
		w.hold(w.member.Report(r.now, false))
		if len(w.unsent) > 0 {
			w.number = r.next()
		}
	}
	l := r.withheld(w.limits.quota.Limits())
	s := store.Ask{
		Key: w.key, Limits: l, Requests: a.requests, Tokens: a.tokens, Least: a.least,
		Days: days(r.now.Add(r.ahead)), Changes: w.unsent, Profile: r.now.Sub(w.profiled) >= windowProfile,
	}
	if len(s.Changes) > 0 {
		s.Number = w.number
	}
	if l.Concurrency > 0 {
		s.Slots = a.need.Running + a.waits + int64(a.need.Requests*store.Life.Seconds())
		s.UnderWay = w.member.Lower(r.now, s.Slots) // what is given back is not used any more
		s.Slots = max(s.Slots, s.UnderWay)
	}
	return s
}

// due reports whether the ask is to be made in this round.
func (a *ask) due(r *round, s *store.Ask) bool {
	w, n := a.w, &a.need
	quiet := r.now.Sub(w.asked)
	switch {
	case r.failed, w.asked.IsZero(), a.requests > 0, len(s.Changes) > 0, s.Slots < n.Slots:
		return true
	case s.Slots > n.Slots && !r.now.Before(w.slotless):
		return true
	case s.Slots > 0 && quiet >= fleetBeat: // slots last for a moment
		return true
	case n.Requests > seldom, n.Credit.Requests > 0:
		return quiet >= windowPoll || quiet >= windowFull && w.limits.quota.Headroom(r.now) < windowNear
	default:
		return false
	}
}

// seldom is how many calls a second are as good as none.
const seldom = 0.01

// idle reports whether a window has not been used for so long that it is left.
func (w *window) idle(now time.Time, n *quota.Need) bool {
	if n.Requests > seldom || n.Running > 0 || n.Owing || len(w.unsent) > 0 {
		w.used = now
	}
	return now.Sub(w.used) > windowIdle
}

// withheld returns the limits less what members may use that are missing: their part of what has
// become free since, which is all after a minute. Requests do not divide: the first in rank have one
// more than the others, and any of these may be missing.
func (r *round) withheld(l quota.Limits) store.Limits {
	m, part, more := &r.members, 0.0, 0.0
	if m.missing > 0 {
		free := min(float64(r.now.Sub(m.gone))/float64(windowRamp), 1)
		present, missing := float64(m.present), float64(m.missing)
		part = windowWithheld * free * missing / (present + missing)
		more = math.Sqrt(present * missing / (present + missing)) // twice the standard deviation
	}
	left := func(limit int64, more float64) int64 {
		if limit == 0 {
			return 0
		}
		return max(limit-int64(math.Ceil(part*float64(limit)+more)), 1)
	}
	return store.Limits{RPM: left(l.RPM, more), TPM: left(l.TPM, 0), RPD: l.RPD, Concurrency: l.Concurrency}
}

// days returns the ends of three quota days around a time.
func days(now time.Time) (d [3]time.Time) {
	d[1] = quota.NextMidnight(now)
	d[0] = quota.NextMidnight(d[1].Add(-36 * time.Hour))
	d[2] = quota.NextMidnight(d[1])
	return d
}

// granted takes over what a window granted.
func (a *ask) granted(r *round, s *store.Ask, g *store.Grant) {
	w, now := a.w, time.Now()
	w.asked, w.unsent = r.sent, nil
	if w.epoch != "" && g.Epoch != w.epoch {
		w.recount(now, r, s, g)
		return
	}
	w.epoch = g.Epoch
	if !r.in || !w.settled.IsZero() { // it does not know yet what all have used
		return
	}
	if s.Profile {
		w.profiled = now
	}
	w.limits.fleet.tight.Store(s.Limits.Concurrency > 0 && g.Used.Slots >= s.Limits.Concurrency)
	c := r.common(s, g)
	if l := s.Limits.Concurrency; l > 0 && g.Used.Slots > l { // more run than may, until some have ended
		c.Slots = max(c.Slots-(g.Used.Slots-l), 0)
	}
	if s.Slots > c.Slots {
		w.slotless = now.Add(spread(windowAgain))
	}
	w.member.Tell(now, c)
	if g.Requests > 0 {
		w.member.Grant(now, quota.Credit{Requests: g.Requests, Tokens: g.Tokens, At: g.At, Until: r.sent.Add(store.Life)})
	}
	if a.requests > 0 && g.Requests == 0 {
		w.fruitful = now.Add(spread(windowAgain))
	}
}

// common returns what a grant says of what all use, by this process's clock.
func (r *round) common(s *store.Ask, g *store.Grant) quota.Common {
	c := quota.Common{
		Requests: g.Used.Requests, Tokens: g.Used.Tokens, Kept: store.Keep, Members: r.members.members.Members,
		Next: shifted(g.Next, -r.ahead), NextTokens: s.Least, Day: g.Used.Day, DayEnds: shifted(g.Used.DayEnds, -r.ahead),
		Running: g.Used.Slots, Slots: g.Slots, SlotsEnd: r.sent.Add(store.Hold),
	}
	if s.Profile {
		c.Profile = make([]quota.Change, 0, len(g.Profile))
		for _, step := range g.Profile {
			c.Profile = append(c.Profile, quota.Change{At: shifted(step.At, -r.ahead), Requests: step.Requests, Tokens: step.Tokens})
		}
	}
	return c
}

// recount reports all that this process has used to a window that has lost its content. Until all
// have done so the quota keeps to its law.
func (w *window) recount(now time.Time, r *round, s *store.Ask, g *store.Grant) {
	w.epoch, w.settled = g.Epoch, now.Add(store.Settling)
	w.keep(now, r.members.law, false)
	w.hold(w.member.Recount(now))
	for _, c := range s.Changes { // what is counted already
		if c.Requests > 0 || c.Tokens > 0 {
			w.unsent = append(w.unsent, store.Change{At: c.At, Requests: -max(c.Requests, 0), Tokens: -max(c.Tokens, 0)})
		}
	}
	if g.Requests > 0 || g.Tokens > 0 {
		w.unsent = append(w.unsent, store.Change{At: g.At, Requests: -g.Requests, Tokens: -g.Tokens})
	}
	if len(w.unsent) > 0 {
		w.number = r.next()
	}
}
