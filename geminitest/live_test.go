package geminitest_test

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

const liveModel = "gemini-3.1-flash-live-preview"

// connectLive opens a session by the SDK.
func connectLive(t *testing.T, google *geminitest.Server, key, handle string) (*genai.Session, error) {
	t.Helper()
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: key, HTTPOptions: genai.HTTPOptions{BaseURL: "ws" + google.URL[len("http"):]},
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.Live.Connect(t.Context(), liveModel, &genai.LiveConnectConfig{
		SessionResumption: &genai.SessionResumptionConfig{Handle: handle},
	})
	if err == nil {
		t.Cleanup(func() { _ = session.Close() })
		_, err = session.Receive() // setupComplete
	}
	return session, err
}

func TestLiveSessionsAreResumedByTheirOwnProject(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "a", Keys: []string{"key-a"}}, {ID: "b", Keys: []string{"key-b"}},
	}})
	session, err := connectLive(t, google, "key-a", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := session.SendClientContent(genai.LiveClientContentInput{Turns: genai.Text("Hello")}); err != nil {
		t.Fatal(err)
	}
	var handle string
	var total int32
	for handle == "" {
		m, err := session.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if m.UsageMetadata != nil {
			total = m.UsageMetadata.TotalTokenCount
		}
		if m.SessionResumptionUpdate != nil {
			handle = m.SessionResumptionUpdate.NewHandle
		}
	}
	if r := google.Requests()[0]; r.Method != "bidiGenerateContent" || r.Project != "a" || int(total) != r.PromptTokens+r.OutputTokens {
		t.Errorf("it was %v with %d and %d tokens, and Google says %d", r, r.PromptTokens, r.OutputTokens, total)
	}
	if _, err := connectLive(t, google, "key-b", handle); !websocket.IsCloseError(unwrapped(err), websocket.ClosePolicyViolation) {
		t.Errorf("another project's session is resumed with %v", err)
	}
	if _, err := connectLive(t, google, "key-a", handle); err != nil {
		t.Errorf("its own is not: %v", err)
	}
	google.Revoke("key-a")
	if _, err := connectLive(t, google, "key-a", handle); !websocket.IsCloseError(unwrapped(err), websocket.CloseInvalidFramePayloadData) {
		t.Errorf("a dead key ends with %v", err)
	}
}

// unwrapped is the close in an error of the SDK's, as IsCloseError wants it.
func unwrapped(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

func TestLiveSessionsAreToldToGoAway(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "a", Keys: []string{"key-a"}}}})
	session, err := connectLive(t, google, "key-a", "")
	if err != nil {
		t.Fatal(err)
	}
	google.GoAway(90 * time.Second)
	if m, err := session.Receive(); err != nil || m.GoAway == nil || m.GoAway.TimeLeft != 90*time.Second {
		t.Errorf("it hears %+v, %v", m, err)
	}
	google.CloseLive(websocket.CloseServiceRestart, "bye")
	if _, err := session.Receive(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("it ends with %v", err)
	}
}
