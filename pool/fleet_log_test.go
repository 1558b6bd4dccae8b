package pool_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/store"
)

func TestLogOfAStoreHasALineWhenItIsLostAndOneWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		cfg := known(1, pool.Limit{RPM: 60})
		cfg.Store = m
		var said bytes.Buffer
		p, err := pool.New(cfg, pool.Log(slog.New(slog.NewTextHandler(&said, nil))))
		if err != nil {
			t.Fatal(err)
		}
		other, err := pool.New(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		time.Sleep(5 * time.Second)
		synctest.Wait() // what is logged at this moment
		if said.Len() > 0 {
			t.Errorf("while the store answers the log says %s", &said)
		}
		m.SetFault(store.Fault{Err: errors.New("the disk\x1b[2J is full")})
		time.Sleep(5 * time.Second)
		synctest.Wait() // what is logged at this moment
		lost := said.String()
		for _, want := range []string{
			"level=WARN", "does not answer; this one keeps to its part of the limits", "share=0.47", "since=2000-01-01T00:00:05", "is full",
		} {
			if strings.Count(lost, want) != 1 {
				t.Errorf("the log says %s, want %q in it", lost, want)
			}
		}
		if s := p.Stat(time.Now()).Store; s.Answers || !strings.Contains(s.Problem, "is full") {
			t.Errorf("Stat is %+v", s)
		}
		if strings.Contains(lost, "\x1b") {
			t.Error("the log has a control character")
		}
		said.Reset()
		m.SetFault(store.Fault{})
		time.Sleep(5 * time.Second)
		synctest.Wait() // what is logged at this moment
		back := said.String()
		if strings.Count(back, "level=INFO") != 1 || strings.Count(back, "\n") != 1 || !strings.Contains(back, "answers again") {
			t.Errorf("the log says %s", back)
		}
		if s := p.Stat(time.Now()).Store; !s.Answers || !s.In || s.Problem != "" || s.Members != 2 {
			t.Errorf("Stat is %+v", s)
		}
		p.Close()
	})
}
