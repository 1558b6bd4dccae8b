package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/connect"
)

// openStore connects to the store that a file names, if it names one, and returns what makes a router
// use it. end closes it, after the router.
func openStore(cfg *config.Config) (opts []router.Option, end func() error, err error) {
	if cfg.Store.Redis.Reveal() == "" {
		return nil, func() error { return nil }, nil
	}
	s, err := connect.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	return []router.Option{router.WithStore(s)}, s.Close, nil
}

// replicas says what this replica shares with others, if the file has others in mind.
func replicas(cfg *config.Config) (lines []string) {
	switch alone := cfg.Pool.Share; {
	case cfg.Store.Redis.Reveal() != "":
		timeout, prefix := cfg.Pool.StoreTimeout, cfg.Store.Prefix
		if timeout == 0 {
			timeout = defaultTimeout
		}
		if prefix == "" {
			prefix = defaultPrefix
		}
		if alone == 0 {
			alone = defaultShare
		}
		return []string{
			fmt.Sprintf("share limits, orders, paces, cooldowns and owners of resources at %s,", cfg.Store.Host()),
			fmt.Sprintf("prefix %s, timeout %s", prefix, timeout),
			"while it is away, each keeps to its part by the members last seen,",
			"and before it has heard of others to " + fraction(alone) + " of each limit, and uses no order",
		}
	case alone > 0:
		return []string{"share nothing; this one keeps to " + fraction(alone) + " of each limit and order, as below"}
	}
	return nil
}

// fraction writes a part of a whole, as "1/8" if it is one.
func fraction(part float64) string {
	if n := math.Round(1 / part); n > 1 && math.Abs(part*n-1) < 1e-9 {
		return "1/" + plain.Number(int64(n))
	}
	return strconv.FormatFloat(part, 'g', 4, 64)
}

// The defaults of [store].
const (
	defaultTimeout = 50 * time.Millisecond
	defaultPrefix  = "spillway"
	defaultShare   = 0.125
)

// storeSnapshot is what a sidecar knows of the store that replicas share.
type storeSnapshot struct {
	Member  string    `json:"member"`  // the name of this replica
	Answers bool      `json:"answers"` // whether the store does
	Knows   bool      `json:"knows"`   // it knows what all members have used: limits are shared
	Since   time.Time `json:"since"`   // when answers changed
	Members int       `json:"members"` // alive, with this one
	Lapsed  int       `json:"lapsed"`  // silent for less than a minute
	Lag     string    `json:"lag"`     // that the last call to it took
	Limits  int       `json:"limits"`  // that are shared: one for each project and model
	Problem string    `json:"problem,omitempty"`
}

func storeOf(s *store.Stat) *storeSnapshot {
	if s == nil {
		return nil
	}
	return &storeSnapshot{
		Member: s.Member, Answers: s.Answers, Knows: s.In, Since: s.Since.UTC(), Members: s.Members, Lapsed: s.Lapsed,
		Lag: s.Lag.Round(10 * time.Microsecond).String(), Limits: s.Windows, Problem: s.Problem,
	}
}

// words says the state of a store in one line.
func (s *storeSnapshot) words() string {
	var text string
	switch {
	case !s.Answers && s.Problem == "":
		text = "has not answered yet; this replica keeps to its part of the limits"
	case !s.Answers:
		text = "does not answer since " + plain.Instant(s.Since) + "; this replica keeps to its part of the limits"
	default:
		text = "answers since " + plain.Instant(s.Since) + " in " + s.Lag + "; " + plain.Plural(s.Members, "member")
		if s.Lapsed > 0 {
			text += ", " + plain.Number(int64(s.Lapsed)) + " silent for less than a minute"
		}
		if s.Knows {
			text += "; " + plain.Plural(s.Limits, "limit") + " shared"
		} else {
			text += "; it does not know yet what all have used, and each keeps to its part"
		}
	}
	if s.Problem != "" {
		text += "; " + s.Problem
	}
	return text
}

// sharedSnapshot is what a replica may send of an endpoint's shared limits without asking.
type sharedSnapshot struct {
	Requests int64 `json:"requests"`
	Tokens   int64 `json:"tokens"`
	Slots    int64 `json:"slots"` // concurrent calls, those under way included
}

func sharedOf(e *pool.EndpointStat) *sharedSnapshot {
	if e.Quota == nil || !e.Quota.Shared {
		return nil
	}
	return &sharedSnapshot{e.Quota.Credit.Requests, e.Quota.Credit.Tokens, e.Quota.Slots}
}

// words says what is shared of an endpoint's limits.
func (s *sharedSnapshot) words(limits []limitSnapshot) string {
	text := "shared"
	var counted, tokens, slots bool
	for _, l := range limits {
		counted = counted || l.Name == "rpm" || l.Name == "rpd" || l.Name == "tpm"
		tokens = tokens || l.Name == "tpm"
		slots = slots || l.Name == "concurrency"
	}
	if counted {
		text += ", " + plain.Plural(int(s.Requests), "call") + " in hand"
	}
	if tokens {
		text += " with " + plain.Number(s.Tokens) + " tokens"
	}
	if slots {
		text += ", " + plain.Plural(int(s.Slots), "slot")
	}
	return text
}
