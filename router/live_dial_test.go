package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const liveSetup = `{"setup":{"model":"models/` + liveModel + `"}}`

// dialLive opens a session, as a client of the Developer API or, with "vertex", of Vertex AI.
func dialLive(ctx context.Context, r *router.Router, setup string) (*router.LiveConn, error) {
	asked := router.LiveRequest{Backend: r.Backend(), Version: "v1beta", Setup: []byte(setup), Header: http.Header{
		"Authorization": {"Bearer mine"}, "Origin": {"https://app.example"}, "Sec-Websocket-Key": {"mine"}, "User-Agent": {"sdk"},
	}}
	if asked.Backend == pool.BackendVertex {
		asked.Version = "v1"
	}
	return r.DialLive(ctx, asked)
}

func TestDialLiveAsksAsACallDoes(t *testing.T) {
	const geminiPath = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
	const vertexPath = "/proxy/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
	vertexModel := "projects/a/locations/%s/publishers/google/models/" + liveModel
	for _, tt := range []struct {
		name     string
		project  func(s *liveServer) pool.Project
		endpoint string
		want     dial
	}{
		{"an API key", func(s *liveServer) pool.Project { return s.studio("a", 0) }, "a/global/on_demand",
			dial{geminiPath, "key-a", "", "models/" + liveModel}},
		{"an access token", func(s *liveServer) pool.Project { return s.cloud("a", "eu") }, "a/eu/on_demand",
			dial{vertexPath, "token-of-a", "shared", fmt.Sprintf(vertexModel, "eu")}},
		{"an order, which serves all of a session or none", func(s *liveServer) pool.Project {
			p := s.cloud("a", "eu")
			p.Provisioned = []pool.Order{{Model: liveModel, Location: "europe-west4", TokensPerSecond: 1620}}
			return p
		}, "a/europe-west4/provisioned", dial{vertexPath, "token-of-a", "dedicated", fmt.Sprintf(vertexModel, "europe-west4")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			google := newLiveServer(t)
			c, err := dialLive(t.Context(), liveRouter(t, router.Config{}, tt.project(google)), liveSetup)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(1000, "")
			if _, first, err := c.Receive(t.Context()); err != nil || string(first) != `{"setupComplete":{}}` {
				t.Errorf("the setup is answered with %s, %v", first, err)
			}
			if c.Endpoint != tt.endpoint || len(google.dials) != 1 || google.dials[0] != tt.want {
				t.Errorf("%s was dialed with %+v\nwant %s with %+v", c.Endpoint, google.dials, tt.endpoint, tt.want)
			}
			if shown := fmt.Sprintf("%+v %#v", c, c); strings.Contains(shown, tt.want.credential) {
				t.Error("printing a session shows its credential")
			}
		})
	}
}

func TestDialLiveMovesOnFromARefusedHandshake(t *testing.T) {
	google := newLiveServer(t)
	google.refuse["key-a"] = &websocket.CloseError{Text: "key-a is not welcome"}
	r := liveRouter(t, router.Config{MaxWait: -1}, google.studio("a", 0), google.studio("b", 1))
	c, err := dialLive(t.Context(), r, liveSetup)
	if err != nil {
		t.Fatal(err)
	}
	c.Close(1000, "")
	if got := google.credentials(); got != "key-a key-b" {
		t.Errorf("asked %s", got)
	}
}

func TestTheSetupOfALiveSessionIsReadAsItIs(t *testing.T) {
	for setup, want := range map[string]string{
		"\n{ \"x\":[1, 2.50],\"setup\": {\"a\":\"<b>\",\"model\" : \"voice\" ,\"model_x\":1}}": "models/" + liveModel,
		`{"s\u0065tup":{"mod\u0065l":"models\/voice"}}`:                                        "models/" + liveModel,
		`{"setup":{"model":"models/a","model":"models/b"}}`:                                    "two models",
		`{"setup":{"model":"models/a"},"setup":{"model":"models/b"}}`:                          "two models",
		`{"setup":{"model":"models/a"}} {}`:                                                    "the first message",
		`{"setup":{"model":"models/a"`:                                                         "the first message",
		`{"setup":[{"model":"models/a"}]}`:                                                     "the first message",
		`{"x":{"setup":{"model":"models/a"}}}`:                                                 "the first message",
	} {
		google := newLiveServer(t)
		r := liveRouter(t, router.Config{MaxWait: -1, Models: map[string]string{"voice": liveModel}}, google.studio("a", 0))
		c, err := dialLive(t.Context(), r, setup)
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v", setup, err)
		case err == nil && google.dials[0].model != want:
			t.Errorf("%s: %+v", setup, google.dials)
		}
		if err == nil {
			c.Close(1000, "")
		}
	}
}

func TestDialLiveGivesUpWithItsContext(t *testing.T) {
	google := newLiveServer(t)
	google.hang = true
	r := liveRouter(t, router.Config{}, google.studio("a", 0))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := dialLive(ctx, r, liveSetup); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs ends with %v", err)
	}
}

func FuzzDialLiveSetup(f *testing.F) {
	for _, setup := range []string{
		liveSetup, "", "null", "[]", `{"setup":null}`, `{"setup":{"model":1}}`, `{"setup":{"model":""}}`, `{"setup":{"model":"../x"}}`,
		`{"setup":{"model":"models/%zz"}}`, `{"setup":{"model":"a\u0000b"}}`, `{"setup":{"model":"x","sessionResumption":{"handle":7}}}`,
		`{"setup":{"model":"projects/p/locations/l/endpoints/1"}}`, `{"setup":{"model":"publishers/x/models/y"}}`,
	} {
		f.Add(setup)
	}
	f.Fuzz(func(t *testing.T, setup string) {
		r := newRouter(t, pool.Config{Projects: []pool.Project{keyed("a", "key-a").pool}}, router.Config{MaxWait: -1},
			router.WithTransport(refusing{}))
		c, err := dialLive(t.Context(), r, setup)
		if err == nil || c != nil || strings.Contains(err.Error(), "key-a") {
			t.Errorf("%q ends with %v", setup, err)
		}
	})
}

// refusing is a way to Google that is closed.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("key-a is shut")
}
