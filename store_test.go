package spillway_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

// storeFile is a file with these lines in [store].
func storeFile(t *testing.T, lines string) *config.Config {
	t.Helper()
	text := "[store]\n" + lines + `
[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:KEY"]

[[project.limits]]
rpm = 10
`
	cfg, err := config.Parse("spillway.toml", []byte(text), config.WithEnv(func(string) (string, bool) { return "the-first-key", true }))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestFileWithRedisNeedsAStore(t *testing.T) {
	cfg := storeFile(t, `redis = "redis://u:the-password@redis.internal"`)
	_, err := spillway.New(t.Context(), cfg)
	if err == nil || strings.Contains(err.Error(), "the-password") {
		t.Fatalf("the error is %v", err)
	}
	for _, want := range []string{
		`s, err := connect.Open("spillway.toml")`, `spillway.Open(ctx, "spillway.toml", router.WithStore(s))`, "store/connect",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s in it", err, want)
		}
	}
	if _, err := spillway.Open(t.Context(), written(t, "[store]\nredis = \"redis://h\"\n[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"k\"]\n")); err == nil {
		t.Error("Open takes it without a store")
	}
	client, err := spillway.New(t.Context(), cfg, router.WithStore(store.NewMemory(time.Millisecond)))
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
}

func TestReplicasOfAFileShareItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, shared := googleOf("studio"), store.NewMemory(time.Millisecond)
		served := 0
		for range 3 {
			cfg := storeFile(t, `redis = "redis://redis.internal"`)
			cfg.Router.MaxWait = time.Second
			client, err := spillway.New(t.Context(), cfg, router.WithTransport(google), router.WithStore(shared))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			time.Sleep(3 * time.Second) // until the store knows what all have used
			for range 6 {
				if _, err := client.Models.GenerateContent(t.Context(), "gemini-3.5-flash", genai.Text("hi"), nil); err == nil {
					served++
				}
			}
		}
		if served != 10 {
			t.Errorf("three replicas were served %d calls, want the 10 of the limit", served)
		}
	})
}

func TestReloadSaysThatAnotherStoreTakesARestart(t *testing.T) {
	first := storeFile(t, `redis = "redis://a"`)
	var log logged
	client, err := spillway.New(t.Context(), first, router.WithStore(store.NewMemory(time.Millisecond)), router.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for lines, want := range map[string]int{
		`redis = "redis://u:the-password@b"`: 1, "": 1, `redis = "redis://a"`: 0, "redis = \"redis://a\"\nprefix = \"p\"": 1,
	} {
		if err := client.Reload(storeFile(t, lines)); err != nil {
			t.Errorf("%s: %v", lines, err)
		}
		said := log.lines("")
		text := strings.Join(said, "")
		if strings.Count(text, "stays as it was until the program starts again") != want || strings.Contains(text, "the-password") {
			t.Errorf("%s: the log says %s", lines, text)
		}
	}
}
