package pool

import (
	"context"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// pace is how calls go to capacity that is hidden: a model at an endpoint on demand. A fleet of
// replicas that send little has one pace, in the store.
type pace struct {
	*quota.SharedPacer

	fleet    *fleet
	pacers   store.Pacers // nil: there is no store for it
	key      store.Key
	location string
	toll     toll
}

func newPace(cfg *Config, f *fleet, at *endpoint, k modelKey) *pace {
	p := &pace{SharedPacer: quota.NewSharedPacer(pacingOf(cfg, at)), fleet: f}
	if f != nil {
		p.pacers, _ = f.link.store.(store.Pacers)
	}
	if p.pacers != nil {
		p.key = store.Key{Kind: store.KindPacer, Name: paceSubject(at, k).String()}
		p.location = at.Location
	}
	return p
}

// allow reports whether a call may go, and counts it as sent if so. If the store has to be asked it
// reports false, and notes that in the call's asks.
func (p *pace) allow(now time.Time, e *entry, n *need) bool {
	switch a := n.ties.asks.take(now, e); a.state {
	case askHeld:
		return true
	case askUnknown, askNone:
		return false
	case askNever:
	}
	if p.pacers != nil && p.Limited() {
		_, m, _ := p.fleet.link.now()
		p.SetMembers(m.members.Members)
	}
	allowed, ask := p.Allow(now)
	switch {
	case !ask:
		return allowed
	case n.ties.asks == nil:
		return p.Alone(now)
	default:
		n.ties.asks.add(e, p)
		return false
	}
}

// ask asks the store for one call.
func (p *pace) ask(ctx context.Context) (h quota.Hold, held bool, again time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.fleet.link.bound())
	defer cancel()
	grant, err := p.pacers.AllowPaced(ctx, p.key, store.PaceAsk{
		Pacing: p.Pacing(), Locations: []store.PaceLocation{p.Location(p.location)},
	})
	now := time.Now()
	if err != nil || len(grant.Rates) == 0 {
		return h, p.Alone(now), p.Wait(now)
	}
	p.Heard(now, grant.Rates[0])
	return h, grant.Index == 0, max(grant.Wait, time.Millisecond)
}

func (p *pace) giveBack(now time.Time, _ quota.Hold) { p.back(now) }

// back gives back a call that was allowed and not sent.
func (p *pace) back(now time.Time) {
	if p.Return(now) && p.pacers != nil {
		p.fleet.send(func(ctx context.Context) { _ = p.pacers.ReturnPaced(ctx, p.key, p.location) })
	}
}

// rejected notes a call that met contention and was sent at a time.
func (p *pace) rejected(now, sent time.Time) {
	if !p.Rejected(now, sent) || p.pacers == nil {
		return
	}
	p.fleet.send(func(ctx context.Context) {
		answer, err := p.pacers.RejectPaced(ctx, p.key, store.PaceRejection{
			Pacing: p.Pacing(), Location: p.Location(p.location), After: time.Since(sent),
		})
		if err == nil {
			p.Heard(time.Now(), answer.Rate)
		}
	})
}

// pacingOf returns how an endpoint is paced. Flex sheds some requests whatever is sent, and calls that
// it sheds wait: a pace there tolerates at least as much as an eager one. Source:
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo.
func pacingOf(cfg *Config, at *endpoint) quota.Pacing {
	p := cfg.Pacing
	if at.Traffic == TrafficFlex {
		eager := quota.Eager()
		p.Tolerance, p.Gain = max(p.Tolerance, eager.Tolerance), max(p.Gain, eager.Gain)
	}
	return p
}
