package main

import (
	"errors"
	"time"

	"github.com/spillway-go/spillway/store"
)

// The trouble of a fleet begins and ends in the middle of the trial.
var trouble = span{3 * time.Minute, 4 * time.Minute}

// gone is a store that does not answer.
var gone = store.Fault{Err: errors.New("the store is gone")}

// troubledRows are the scenarios of a fleet to which something happens. At known quotas, offered
// half as much again, no project is sent more than a twentieth above its quota in any minute. All is
// well again after 5 s where the store was gone, and after a minute elsewhere.
func troubledRows(f fleet) []scenario {
	store60 := []event{
		{trouble.from, func(w world) { w.replicas.memory.SetFault(gone) }},
		{trouble.to, func(w world) { w.replicas.memory.SetFault(store.Fault{}) }},
	}
	laws := []figure{{most, 1.05}, {mostAfter, 1}, {after, 0.99}}
	rows := []scenario{
		f.row("gone", "the store gone for 60 s", troubled(store60, 5*time.Second), append(laws, figure{during, 0.88})...),
	}
	if f.replicas == 1 {
		return rows
	}
	n, length := f.replicas, trouble.to-trouble.from
	half := []event{
		{trouble.from, func(w world) { w.replicas.cut(gone) }},
		{trouble.to, func(w world) { w.replicas.cut(store.Fault{}) }},
	}
	flush := []event{{trouble.from, func(w world) { w.replicas.memory.Flush() }}}
	kill := each(n/4, trouble.from, 0, func(rs *replicas) { rs.kill() })
	restart := each(n, trouble.from, length, func(rs *replicas) { rs.join(); rs.leave() })
	scale := append(each(n/2, trouble.from, length/2, (*replicas).leave), each(n, trouble.from+length/2, length/2, (*replicas).join)...)
	killed := f.row("killed", "one replica in four killed", troubled(kill, 0))
	killed.figures = laws // its calls end in errors
	return append(rows,
		f.row("half", "half of the replicas cut off for 60 s", troubled(half, time.Minute), laws...),
		f.row("flushed", "the store's content lost", troubled(flush, 0), laws...),
		killed,
		f.row("restart", "all replicas restarted one by one", troubled(restart, 0), laws...),
		f.row("scaled", "half of the replicas leave, twice as many join", troubled(scale, 0), laws...))
}

// troubled are known quotas and some trouble. What is served after it is measured for two minutes,
// from so long after its end on.
func troubled(events []event, until time.Duration) func(draw) *trial {
	return func(d draw) *trial {
		d.length = max(d.length, 0.5) // seven minutes in all
		tr := minuteQuotas(byRequests, true, 1.5)(d)
		tr.events, tr.baselines = events, nil
		const quota = projects * rpm // of a minute, which the trouble lasts
		judge := tr.judge
		tr.judge = func(got, oracle []result) outcome {
			o := judge(got, oracle)
			o[during] = servedIn(got, trouble) / quota
			// Calls come in waves of a minute each: only whole minutes tell.
			o[after] = servedIn(got, span{trouble.to + until, trouble.to + until + 2*time.Minute}) / (2 * quota)
			o[mostAfter] = mostInAMinute(got, trouble.to+time.Minute) / rpm
			return o
		}
		return tr
	}
}
