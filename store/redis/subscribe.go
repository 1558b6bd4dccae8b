package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store"
)

const (
	pollInterval = time.Second
	pollTimeout  = time.Second // of one part
	partSize     = 128         // facts
	backlog      = 256         // messages that wait for f; the next poll finds what is over
)

// Subscribe implements [store.Store]. It hears of facts at once over the channel, and reads all new
// ones once a second, so that it misses none that the channel lost. It returns with an error when
// either fails.
func (s *Store) Subscribe(ctx context.Context, f func(facts []store.Fact)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard, lost, err := s.listen(ctx)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var seen position
	for {
		if seen, err = s.poll(ctx, seen, f); err != nil {
			return err
		}
		for polled := false; !polled; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.link.closed:
				return ErrClosed
			case err := <-lost:
				return s.lost(ctx, err)
			case message := <-heard:
				if err := deliver(message, f); err != nil {
					return err
				}
			case <-ticker.C:
				polled = true
			}
		}
	}
}

// listen subscribes to the channel until ctx ends. It returns once the subscription stands.
func (s *Store) listen(ctx context.Context) (<-chan string, <-chan error, error) {
	setup, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	client, err := s.link.acquire(setup)
	if err != nil {
		return nil, nil, err
	}
	s.link.release()

	heard, lost, stands := make(chan string, backlog), make(chan error, 1), make(chan struct{}, 1)
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		select {
		case stands <- struct{}{}:
		default:
		}
	})
	go func() {
		subscribe := client.B().Subscribe().Channel(s.channel()).Build()
		lost <- client.Receive(hooked, subscribe, func(m rueidis.PubSubMessage) {
			select {
			case heard <- m.Message:
			default:
			}
		})
	}()
	select {
	case <-stands:
		return heard, lost, nil
	case err := <-lost:
		return nil, nil, s.lost(ctx, err)
	case <-setup.Done():
		return nil, nil, fmt.Errorf("redis: subscribe: %w", setup.Err())
	}
}

// lost returns why a subscription ended.
func (s *Store) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, replied := rueidis.IsRedisErr(err); !replied {
		s.link.repair()
	}
	if err == nil {
		err = rueidis.ErrClosing
	}
	return fmt.Errorf("redis: subscribe: %w", err)
}

// position is up to where a subscriber has read.
type position struct {
	epoch   string
	version int64
}

// poll calls f with the facts that came after a position, and returns the new one.
func (s *Store) poll(
	ctx context.Context, seen position, f func([]store.Fact),
) (position, error) {
	for {
		answers, err := s.run(ctx, pollTimeout, call{pollScript, s.factKeys(), []string{
			seen.epoch, strconv.FormatInt(seen.version, 10), strconv.Itoa(partSize),
		}})
		if err != nil {
			return seen, err
		}
		r := read(answers[0])
		seen = position{r.text(), r.number()}
		more := r.number() == 1
		facts, err := readFacts(r)
		if err != nil {
			return seen, err
		}
		if len(facts) > 0 {
			f(facts)
		}
		if !more {
			return seen, nil
		}
	}
}

// deliver calls f with the facts of a message.
func deliver(message string, f func([]store.Fact)) error {
	var facts []store.Fact
	for message != "" {
		fact, rest, err := unpackFact(message)
		if err != nil {
			return err
		}
		facts = append(facts, fact)
		message = rest
	}
	f(facts)
	return nil
}
