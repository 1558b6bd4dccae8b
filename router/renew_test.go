package router_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// keeper keeps a token until it is told to drop it. Tokens are "token-1", "token-2" and so on.
type keeper struct {
	mu     sync.Mutex
	serial int
}

func (k *keeper) Token(context.Context) (*auth.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &auth.Token{Value: "token-" + strconv.Itoa(k.serial)}, nil
}

func (k *keeper) Drop(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if token == "token-"+strconv.Itoa(k.serial) {
		k.serial++
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("a", "global")
		p.google.Tokens = []string{"token-2"} // token-1 was revoked
		p.pool.Credentials = &keeper{serial: 1}
		b := setup{}.bed(t, p)
		c := b.client(t)
		for range 3 {
			if _, err := ask(t.Context(), c, flash); err != nil {
				t.Errorf("the call failed: %v", err)
			}
		}
		if n := b.Count(geminitest.Match{}); n != 4 {
			t.Errorf("three calls cost %d requests, want one more than calls", n)
		}
	})
}

func TestAProjectWhoseNewTokenIsRefusedTooIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := vertexed("a", "global"), vertexed("b", "global")
		pa.google.Tokens = nil
		pa.pool.Credentials = &keeper{serial: 1}
		pb.pool.Priority = 1
		b := setup{}.bed(t, pa, pb)
		c := b.client(t)
		for range 10 {
			if _, err := ask(t.Context(), c, flash); err != nil {
				t.Errorf("the call failed: %v", err)
			}
		}
		if n := b.Count(geminitest.Match{}); n != 12 {
			t.Errorf("ten calls cost %d requests, want two more than calls", n)
		}
		if class := b.router.Stat().Projects[0].Cooldown.Class; class != pool.ClassProjectMisconfigured {
			t.Errorf("project a is on cooldown as %q", class)
		}
	})
}

// A provider that keeps no token gives another by itself.
func TestARefusedTokenOfTheEnvironmentIsReadAgain(t *testing.T) {
	p := vertexed("a", "global")
	p.google.Tokens = []string{"new"}
	read := 0
	p.pool.Credentials = tokenFunc(func() string {
		read++
		return map[bool]string{true: "old", false: "new"}[read == 1]
	})
	b := setup{router: router.Config{MaxWait: -1}}.bed(t, p)
	if _, err := ask(t.Context(), b.client(t), strings.Clone(flash)); err != nil {
		t.Errorf("the call failed: %v", err)
	}
}

type tokenFunc func() string

func (f tokenFunc) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: f()}, nil
}
