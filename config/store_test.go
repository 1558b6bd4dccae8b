package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
)

// withStore is a file with these lines in [store].
func withStore(lines string) string {
	return "[store]\n" + lines + "\n[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"env:GEMINI_API_KEY\"]\n"
}

func TestURLsOfStores(t *testing.T) {
	for url, want := range map[string]string{
		"redis://localhost":                                    "localhost:6379",
		"rediss://u:p%40x@cache.example.com:6380/3":            "cache.example.com:6380",
		"valkeys://cache.example.com?addr=other.example.com:1": "cache.example.com:6379",
		"redis://[::1]:6379":                                   "[::1]:6379",
		"unix://:p@/var/run/redis.sock?db=2":                   "/var/run/redis.sock",
		"redis://h:26379?master_set=main&sentinel_password=p":  "h:26379",
		"http://localhost:6379":                                "unknown scheme",
		"rediss//localhost":                                    "is not a URL",
		"localhost:6379":                                       "is not a URL",
		"redis://":                                             "has no host",
		"redis://:6379":                                        "has no host",
		"unix://":                                              "names no socket",
		"redis://u:a@b@c@localhost/x@y":                        "characters that need escaping",
		"redis://u:100%@localhost":                             "characters that need escaping",
		"redis://u:a#b@localhost":                              "need escaping",
		"redis://localhost/main":                               "database that is not a number",
		"redis://localhost/-1":                                 "database that is not a number",
		"redis://localhost?db=x":                               "database that is not a number",
		"redis://localhost?client_name=x":                      "a parameter other than",
		"redis://localhost:6379?addr=%zz":                      "need escaping",
	} {
		cfg, err := parse("store.toml", withStore(`redis = "`+url+`"`))
		switch {
		case err == nil && cfg.Store.Host() != want:
			t.Errorf("%s: the host is %q, want %q", url, cfg.Store.Host(), want)
		case err == nil && cfg.Store.Redis.Reveal() != url:
			t.Errorf("%s is read as another", url)
		case err != nil && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "store.toml:2: redis ")):
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestShares(t *testing.T) {
	for text, want := range map[string]float64{
		`"1/8"`: 0.125, `"3 / 4"`: 0.75, `"1/1"`: 1, `0.5`: 0.5, `1`: 1,
		`"0/8"`: 0, `"9/8"`: 0, `"1/0"`: 0, `"0.5"`: 0, `"1/8/2"`: 0, `"12 %"`: 0, `1.01`: 0, `-0.5`: 0, `inf`: 0, `true`: 0,
	} {
		cfg, err := parse("store.toml", withStore("share = "+text))
		if want == 0 && (err == nil || !strings.HasPrefix(err.Error(), "store.toml:2: share ")) {
			t.Errorf("%s: the error is %v", text, err)
		}
		if want > 0 && (err != nil || cfg.Pool.Share != want) {
			t.Errorf("%s: want %v, got %v", text, want, err)
		}
	}
}

func TestNoPasswordOfAStoreIsShown(t *testing.T) {
	for _, url := range []string{
		"env:REDIS_URL", "file:redis", "redis://u:" + plainSecret + "@h", "redis://h?sentinel_password=" + plainSecret + "&master_set=m",
		"redis://u:" + plainSecret + "@@@h", "redis://u:" + plainSecret + "#@h", "redis://h/" + plainSecret, "redis://h?" + plainSecret + "=1",
		plainSecret + "://h", "env:SECOND_KEY", "file:plain", "file:" + plainSecret, "env:" + plainSecret, "$" + plainSecret,
		"file:key.json", "file:empty", "file:large", "env:LINES",
	} {
		cfg, err := parse("store.toml", withStore(`redis = "`+url+`"`))
		text := shown(cfg)
		if cfg == nil {
			text = fmt.Sprint(err)
		}
		if strings.Contains(url, "file:"+plainSecret) {
			continue // the name of a file that is not there is shown, as those of keys are
		}
		mustHide(t, url, text)
	}
}

func TestSameStores(t *testing.T) {
	read := func(lines string) *config.Config {
		cfg, err := parse("store.toml", withStore(lines))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	const shared = `redis = "env:REDIS_URL"`
	for _, tt := range []struct {
		one, other string
		want       bool
	}{
		{"", "", true},
		{shared, `redis = "file:redis"`, true}, // it holds the same
		{shared, `redis = "redis://h"`, false},
		{shared, "", false},
		{shared, shared + "\nprefix = \"a\"", false},
		{shared, shared + "\ntimeout = \"1s\"", false},
		{shared, shared + "\nshare = 0.5", false},
		{"", "share = 0.5", true}, // a reload changes it
	} {
		if got := read(tt.one).SameStore(read(tt.other)); got != tt.want {
			t.Errorf("%q and %q: got %v", tt.one, tt.other, got)
		}
	}
}
