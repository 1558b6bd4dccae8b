package router_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// stateBed is a project that may be asked five times a day, with its state in a file.
func stateBed(t *testing.T, google *geminitest.Emulator, file string, log *bytes.Buffer) *bed {
	t.Helper()
	logs := router.WithLogger(slog.New(slog.NewTextHandler(log, nil)))
	return setup{router: router.Config{State: file, MaxWait: -1}, opts: []router.Option{logs}}.over(t, google, fiveADay())
}

func fiveADay() project {
	p := keyed("a", "canary-key")
	p.google.Limits, p.pool.Limits = []geminitest.Limit{{RPD: 5}}, []pool.Limit{{RPD: 5}}
	return p
}

func stateGoogle() *geminitest.Emulator {
	return googleOf(geminitest.Config{}, fiveADay())
}

func TestDayIsCountedOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, file, log := stateGoogle(), filepath.Join(t.TempDir(), "spillway.state"), &bytes.Buffer{}
		served := 0
		for restart := range 7 {
			b := stateBed(t, google, file, log)
			client := b.client(t)
			for range 2 {
				if _, err := ask(context.Background(), client, flash); err == nil {
					served++
				} else if _, ok := router.Exhausted(err); !ok {
					t.Errorf("start %d: %v", restart, err)
				}
			}
			if err := b.router.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if asked := google.Count(geminitest.Match{}); served != 5 || asked != 5 {
			t.Errorf("%d calls are served with %d requests, want the 5 of the day", served, asked)
		}
		data, err := os.ReadFile(file)
		if err != nil || bytes.Contains(data, []byte("canary-key")) {
			t.Errorf("the state is %v\n%s", err, data)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
			t.Errorf("the folder holds %v", left)
		}
		if strings.Contains(log.String(), "state") {
			t.Errorf("logged:\n%s", log)
		}
	})
}

// A program that is killed has written what happened until five seconds before.
func TestStateIsWrittenWhileTheProgramRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, file := stateGoogle(), filepath.Join(t.TempDir(), "spillway.state")
		b := stateBed(t, google, file, &bytes.Buffer{})
		if _, err := ask(context.Background(), b.client(t), flash); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		killed, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(killed), `"requests": 1`) {
			t.Errorf("after 6 s the state is %v\n%s", err, killed)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read the state: %v, %v", info, err)
		}
		before := info.ModTime()
		time.Sleep(time.Minute)
		if info, err = os.Stat(file); err != nil || !info.ModTime().Equal(before) {
			t.Error("the state is written again without news")
		}
	})
}

func TestUselessStateFileIsNoReasonNotToStart(t *testing.T) {
	for name, prepare := range map[string]func(file string) error{
		"empty":            func(file string) error { return os.WriteFile(file, nil, 0o600) },
		"cut off":          func(file string) error { return os.WriteFile(file, []byte(`{"version":1,"da`), 0o600) },
		"something else":   func(file string) error { return os.WriteFile(file, []byte("canary-key\x00\xff"), 0o600) },
		"a folder":         func(file string) error { return os.Mkdir(file, 0o700) },
		"folder not there": func(file string) error { return os.Remove(filepath.Dir(file)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file, log := filepath.Join(t.TempDir(), "sub", "spillway.state"), &bytes.Buffer{}
				if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := prepare(file); err != nil {
					t.Fatal(err)
				}
				b := stateBed(t, stateGoogle(), file, log)
				if _, err := ask(context.Background(), b.client(t), flash); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
				err := b.router.Close()
				if lines := strings.Count(log.String(), "\n"); lines < 1 || lines > 2 || !strings.Contains(log.String(), "spillway.state") {
					t.Errorf("logged:\n%s", log)
				}
				if strings.Contains(log.String(), "canary-key") {
					t.Error("what the file holds is logged")
				}
				data, unread := os.ReadFile(file)
				if written := unread == nil && strings.Contains(string(data), `"requests": 1`); written == (err != nil) {
					t.Errorf("Close says %v, and the file holds %q", err, data)
				}
			})
		})
	}
}

func TestReloadMovesTheStateFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := filepath.Join(t.TempDir(), "first")
		b := stateBed(t, stateGoogle(), first, &bytes.Buffer{})
		if _, err := ask(context.Background(), b.client(t), flash); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		second := first + "-second"
		if err := b.router.Reload(poolOf(fiveADay()), router.Config{State: second}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		was, _ := os.ReadFile(first)
		is, err := os.ReadFile(second)
		if err != nil || !bytes.Equal(was, is) {
			t.Errorf("the first file holds %q, the second %q, %v", was, is, err)
		}
	})
}
