package connect_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/store/connect"
	"github.com/spillway-go/spillway/store/redis"
)

// file is a file with these lines in [store].
func file(lines string) string {
	return "[store]\n" + lines + "\n[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"env:KEY\"]\n"
}

func TestOpenConnectsToWhatTheFileNames(t *testing.T) {
	t.Setenv("KEY", "the-key")
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1/3")
	path := filepath.Join(t.TempDir(), "spillway.toml")
	open := func(lines string) error {
		t.Helper()
		if err := os.WriteFile(path, []byte(file(lines)), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := connect.Open(path)
		if err == nil {
			_ = s.Close()
		}
		return err
	}
	if err := open("redis = \"env:REDIS_URL\"\nprefix = \"a\"\ntimeout = \"1m\""); err != nil {
		t.Errorf("a good file: %v", err)
	}
	if err := open(""); !errors.Is(err, connect.ErrNone) {
		t.Errorf("a file without a store: %v", err)
	}
	if err := open(`redis = "http://a"`); err == nil || !strings.Contains(err.Error(), "spillway.toml:2: ") {
		t.Errorf("a wrong file: %v", err)
	}
	if _, err := connect.Open(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Package config must not compile in a client of Redis, and checks the URL itself.
func TestWhatConfigTakesConnects(t *testing.T) {
	taken := 0
	for _, url := range []string{
		"redis://h", "redis://h:6379", "rediss://u:p@h:1/2", "redis://:p@h", "redis://u@h", "valkey://h", "valkeys://h", "unix:///s", "unix://u:p@/s?db=1",
		"redis://[::1]:1", "redis://[::1]", "redis://h?addr=g:1&addr=f:2", "redis://h?master_set=m&sentinel_user=u&sentinel_password=p", "redis://h/", "redis://h?db=3",
		"redis://h?addr=g", "redis://h/00", "redis://h?", "redis://h?master_set=", "redis://h/1/2", "redis://h:x", "redis://h:99999", "redis://h?addr=:1", "unix://s",
		"", "h", "h:6379", "http://h", "redis://", "redis:///1", "redis://:1", "unix://", "unix://h", "redis:h", "redis://h/x", "redis://h/-1", "redis://h?db=x",
		"redis://h#f", "redis://u:a@b/@h", "redis://u:%@h", "redis://h?a=b", "redis://h?addr=%", "REDIS://h", "Redis://h", " redis://h", "redis://h ", "redis://h h",
	} {
		_, wrong := config.Parse("test", []byte(file(`redis = "`+url+`"`)), config.WithEnv(func(string) (string, bool) { return "the-key", true }))
		s, err := redis.Open(redis.Config{URL: url})
		if err == nil {
			_ = s.Close()
			taken++
		}
		if (wrong == nil) != (err == nil) {
			t.Errorf("%q: package config says %v, and package redis %v", url, wrong, err)
		}
	}
	if taken < 15 {
		t.Errorf("only %d URLs are taken", taken)
	}
}
