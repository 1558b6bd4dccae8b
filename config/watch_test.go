package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
)

// rotated is a file with a key and Google credentials, loaded, and long written.
func rotated(t *testing.T) (dir string, cfg *config.Config) {
	t.Helper()
	dir = folder(t, map[string]string{
		"key": "first-CANARY", "account.json": serviceAccount("https://oauth2.googleapis.com/token"),
		"spillway.toml": `
[[project]]
name = "studio"
backend = "gemini"
keys = ["file:key"]
[[project]]
name = "prod"
backend = "vertex"
credentials = "file:account.json"
`})
	cfg, err := config.Load(filepath.Join(dir, "spillway.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, cfg
}

// rewrite writes a file, so long ago.
func rewrite(t *testing.T, path, text string, ago time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-ago)); err != nil {
		t.Fatal(err)
	}
}

func TestNewerReadsAgainWhatHasChanged(t *testing.T) {
	dir, cfg := rotated(t)
	if next, err := cfg.Newer(); next != nil || err != nil {
		t.Fatalf("of unchanged files there is %v, %v", next, err)
	}
	rewrite(t, filepath.Join(dir, "key"), "second-CANARY", time.Hour)
	next, err := cfg.Newer()
	if err != nil || next == nil {
		t.Fatalf("got %v, %v", next, err)
	}
	if got := next.Pool.Projects[0].Keys[0].Reveal(); got != "second-CANARY" {
		t.Error("the key is the old one")
	}
	// Credentials that have not changed keep their access tokens.
	if next.Pool.Projects[1].Credentials != cfg.Pool.Projects[1].Credentials {
		t.Error("the same credentials are made anew")
	}
	if again, err := next.Newer(); again != nil || err != nil {
		t.Errorf("after that there is %v, %v", again, err)
	}
	rewrite(t, filepath.Join(dir, "account.json"), serviceAccount("https://oauth2.googleapis.com/other"), time.Hour)
	if after, err := next.Newer(); err != nil || after == nil || after.Pool.Projects[1].Credentials == cfg.Pool.Projects[1].Credentials {
		t.Errorf("of new credentials there is %v, %v", after, err)
	}
}

func TestNewerWaitsForWhoeverWrites(t *testing.T) {
	dir, cfg := rotated(t)
	path := filepath.Join(dir, "key")
	rewrite(t, path, "second-", 0)
	if next, err := cfg.Newer(); next != nil || err != nil {
		t.Errorf("of a file that is being written there is %v, %v", next, err)
	}
	rewrite(t, path, "second-CANARY", 2*time.Second)
	if next, err := cfg.Newer(); err != nil || next == nil {
		t.Errorf("once it is written there is %v, %v", next, err)
	}
}

func TestConfigThatIsNotOfAFileIsNeverNewer(t *testing.T) {
	parsed, err := config.Parse("f", []byte("[[project]]\nname = 'a'\nbackend = 'vertex'\ncredentials = 'none'\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []*config.Config{parsed, {}, nil} {
		if next, err := cfg.Newer(); next != nil || err != nil {
			t.Errorf("got %v, %v", next, err)
		}
	}
}
