package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/store/connect"
)

// storeProbed is what the store of a file answers.
type storeProbed struct {
	Host    string `json:"host"`
	Answers bool   `json:"answers"`
	Took    string `json:"took,omitempty"`
	Members int    `json:"members"` // replicas that are at work with it
	Lapsed  int    `json:"lapsed"`  // silent for less than a minute
	Problem string `json:"problem,omitempty"`
}

// probeStore asks the store that a file names who is there, as one who leaves. It returns nil if the
// file names none. The connection is made in the background, so the first asks find none.
func probeStore(ctx context.Context, cfg *config.Config, timeout time.Duration) *storeProbed {
	if cfg.Store.Redis.Reveal() == "" {
		return nil
	}
	result := &storeProbed{Host: cfg.Store.Host()}
	s, err := connect.New(cfg)
	if err != nil {
		result.Problem = plain.Text(err.Error(), maxShown)
		return result
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var name [8]byte
	_, _ = rand.Read(name[:]) // it never fails
	for {
		began := time.Now()
		fleet, err := s.Beat(ctx, hex.EncodeToString(name[:]), true)
		if err == nil {
			result.Answers, result.Members, result.Lapsed, result.Problem = true, fleet.Members, fleet.Lapsed, ""
			result.Took = time.Since(began).Round(10 * time.Microsecond).String()
			return result
		}
		if ctx.Err() == nil || result.Problem == "" {
			result.Problem = plain.Text(err.Error(), maxShown)
		}
		select {
		case <-ctx.Done():
			return result
		case <-time.After(timeout / 100):
		}
	}
}

// words says what the store answers in one line.
func (s *storeProbed) words() string {
	if !s.Answers {
		return "store " + s.Host + ": it does not answer: " + s.Problem
	}
	text := "store " + s.Host + ": it answers in " + s.Took + ", " + plain.Plural(s.Members, "member")
	if s.Lapsed > 0 {
		text += ", " + plain.Number(int64(s.Lapsed)) + " silent for less than a minute"
	}
	return text
}
