package redis

import (
	"context"
	"time"

	"github.com/spillway-go/spillway/store"
)

// AllowPaced implements [store.Pacers].
func (s *Store) AllowPaced(
	ctx context.Context, key store.Key, ask store.PaceAsk,
) (store.PaceGrant, error) {
	var args []string
	for _, l := range ask.Locations {
		args = append(args, l.Name, float(l.Seed), flag(l.Comes))
	}
	r, err := s.runPacer(ctx, allowScript, key, ask.Pacing, args...)
	if err != nil {
		return store.PaceGrant{}, err
	}
	g := store.PaceGrant{
		Now: r.time(), Index: int(r.number()), Wait: time.Duration(r.number()), Rates: r.row(len(ask.Locations)),
	}
	return g, r.failure()
}

// RejectPaced implements [store.Pacers].
func (s *Store) RejectPaced(
	ctx context.Context, key store.Key, rejection store.PaceRejection,
) (store.PaceRejected, error) {
	l := &rejection.Location
	r, err := s.runPacer(ctx, rejectScript, key, rejection.Pacing,
		l.Name, float(l.Seed), flag(l.Comes), decimal(int64(rejection.After)))
	if err != nil {
		return store.PaceRejected{}, err
	}
	answer := store.PaceRejected{Now: r.time()}
	for _, rate := range r.row(1) {
		answer.Rate = rate
	}
	return answer, r.failure()
}

// ReturnPaced implements [store.Pacers].
func (s *Store) ReturnPaced(ctx context.Context, key store.Key, location string) error {
	_, err := s.runPacer(ctx, returnScript, key, store.Pacing{}, location)
	return err
}

// runPacer runs a script that follows pacer.lua.
func (s *Store) runPacer(
	ctx context.Context, script *script, key store.Key, p store.Pacing, args ...string,
) (*reader, error) {
	args = append([]string{
		float(p.Gain), float(p.Tolerance), float(p.Growth), float(p.Floor), float(p.Burst.Seconds()),
	}, args...)
	answer, err := s.run(ctx, s.timeout, call{script, []string{s.key(key) + ":pacer"}, args})
	if err != nil {
		return nil, err
	}
	return read(answer[0]), nil
}
