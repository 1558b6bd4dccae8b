package spillway_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// logged is a log that goroutines may share.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns the lines since the last time that contain a word.
func (l *logged) lines(word string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	l.text.Reset()
	return found
}

// mounted is a volume as Kubernetes mounts a secret: files are links through a link that is
// replaced.
type mounted struct {
	t   *testing.T
	dir string
	n   int
}

func mount(t *testing.T, files map[string]string) *mounted {
	t.Helper()
	m := &mounted{t: t, dir: t.TempDir()}
	m.put(files)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), m.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *mounted) path(name string) string { return filepath.Join(m.dir, name) }

// put replaces all files at once.
func (m *mounted) put(files map[string]string) {
	m.t.Helper()
	m.n++
	version := "..version-" + string(rune('a'+m.n))
	if err := os.Mkdir(m.path(version), 0o700); err != nil {
		m.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(m.dir, version, name), []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := os.Symlink(version, m.path("..next")); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(m.path("..next"), m.path("..data")); err != nil {
		m.t.Fatal(err)
	}
}

// watching is a client of Open whose key is in a file.
type watching struct {
	*spillway.Client
	google *geminitest.Emulator
	secret *mounted
	file   string
	log    logged
}

func watched(t *testing.T) *watching {
	t.Helper()
	w := &watching{google: googleOf("studio"), secret: mount(t, map[string]string{"key": "the-first-key\n"})}
	w.file = written(t, w.text(""))
	client, err := spillway.Open(t.Context(), w.file, router.WithTransport(w.google), router.WithLogger(slog.New(slog.NewTextHandler(&w.log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w.Client = client
	return w
}

func (w *watching) text(more string) string {
	return "[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"file:" + w.secret.path("key") + "\"]\n" + more
}

// served checks that a call is served, with this key.
func (w *watching) served(t *testing.T, key string) {
	t.Helper()
	before := w.google.Count(geminitest.Match{Key: key})
	if _, err := w.Models.GenerateContent(t.Context(), "gemini-3.5-flash", genai.Text("hi"), nil); err != nil {
		t.Fatal(err)
	}
	if w.google.Count(geminitest.Match{Key: key}) != before+1 {
		t.Errorf("the call was not made with the key %s", key)
	}
}

func TestKeyFileThatKubernetesRotatesIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		w.served(t, "the-first-key")
		w.secret.put(map[string]string{"key": "the-second-key\n"})
		time.Sleep(11 * time.Second)
		w.google.Revoke("the-first-key")
		w.served(t, "the-second-key")
		if got := w.log.lines("reloaded"); len(got) != 1 {
			t.Errorf("the log says %q, want one line", got)
		}
		time.Sleep(time.Minute)
		if got := w.log.lines("config"); len(got) != 0 {
			t.Errorf("while nothing changes, the log says %q", got)
		}
	})
}

func TestFileThatIsWrongChangesNothingAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		w.secret.put(map[string]string{"key": ""}) // nothing is written yet
		time.Sleep(time.Minute)
		w.served(t, "the-first-key")
		if got := w.log.lines("old one stays"); len(got) != 1 || !strings.Contains(got[0], "is empty") {
			t.Errorf("of an empty file the log says %q, want one line", got)
		}
		if err := os.Remove(w.secret.path("..data")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.served(t, "the-first-key")
		if got := w.log.lines("old one stays"); len(got) != 1 || !strings.Contains(got[0], "does not exist") {
			t.Errorf("of a missing file the log says %q, want one line", got)
		}
		w.secret.put(map[string]string{"key": "the-second-key"})
		time.Sleep(11 * time.Second)
		w.served(t, "the-second-key")
	})
}

func TestChangedFileTakesEffectByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		replace := func(text string) {
			t.Helper()
			if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(11 * time.Second)
		}
		replace(w.text("[models]\nfast = \"gemini-3.5-flash\"\n"))
		if got := w.Router.Plan("fast").Model; got != "gemini-3.5-flash" {
			t.Errorf("the alias stands for %q", got)
		}
		replace("[models\n")
		if got := w.log.lines("old one stays"); len(got) != 1 {
			t.Errorf("of a broken file the log says %q, want one line", got)
		}
		if got := w.Router.Plan("fast").Model; got != "gemini-3.5-flash" {
			t.Errorf("after a broken file the alias stands for %q", got)
		}
		w.served(t, "the-first-key")
	})
}

// A configuration that the program has put in force is not replaced by an older file.
func TestReloadOfTheProgramEndsTheWatchOfOtherFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		err := w.Reload(&config.Config{Pool: pool.Config{Projects: []pool.Project{
			{Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("the-second-key")}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		w.secret.put(map[string]string{"key": "the-first-key "})
		time.Sleep(time.Minute)
		w.served(t, "the-second-key")
	})
}

func TestClosedClientWatchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.secret.put(map[string]string{"key": "the-second-key"})
		time.Sleep(time.Minute)
		if got := w.log.lines("config"); len(got) != 0 {
			t.Errorf("after Close the log says %q", got)
		}
	})
}
