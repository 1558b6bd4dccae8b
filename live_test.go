package spillway_test

import (
	"errors"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
)

func TestLiveOfTheSDKIsRefusedBeforeItDials(t *testing.T) {
	for name, p := range map[string]pool.Project{
		"gemini": {Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-a")}},
		"vertex": {Name: "a", Backend: pool.BackendVertex, Credentials: pool.NoCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := spillway.New(t.Context(), &config.Config{Pool: pool.Config{Projects: []pool.Project{p}}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			session, err := client.Live.Connect(t.Context(), "gemini-live-2.5-flash", &genai.LiveConnectConfig{})
			if session != nil || !errors.Is(err, spillway.ErrLive) {
				t.Errorf("got %v, %v; want ErrLive", session, err)
			}
			live, err := client.LiveConfig(t.Context(), "gemini-live-2.5-flash")
			if err != nil || live.Endpoint != "a/global/on_demand" {
				t.Fatalf("LiveConfig gives %v, %v", live, err)
			}
			live.Release(nil)
		})
	}
}
