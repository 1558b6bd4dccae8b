package geminitest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// loopback is a transport whose connections end with the test.
func loopback(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestCloseBreaksOffWhatHangs(t *testing.T) {
	server, err := geminitest.Start(twoBackends())
	if err != nil {
		t.Fatal(err)
	}
	server.Keep(geminitest.Match{}, geminitest.Answer{Hang: true})
	done := make(chan reply)
	go func() {
		done <- ask{key: "key-1", url: server.URL + "/v1beta/models/" + flash + ":generateContent"}.do(context.Background(), loopback(t))
	}()
	for server.Count(geminitest.Match{}) == 0 {
		time.Sleep(time.Millisecond) // until the request has crossed the loopback; it then hangs for good
	}
	server.Close()
	server.Close()
	if r := <-done; r.err == nil {
		t.Errorf("got %d, want a broken connection", r.status)
	}
	if server.InFlight() != 0 {
		t.Error("a handler is left")
	}
	if r := (ask{key: "key-1", url: server.URL + "/v1beta/models"}).do(t.Context(), loopback(t)); r.err == nil {
		t.Error("a closed server answers")
	}
}

func TestStartRefusesAWrongConfigAndAUsedAddress(t *testing.T) {
	if _, err := geminitest.Start(geminitest.Config{Output: -1}); err == nil {
		t.Error("no error for a wrong config")
	}
	server := geminitest.NewServer(t, twoBackends())
	if _, err := geminitest.Listen(twoBackends(), server.URL[len("http://"):]); err == nil {
		t.Error("no error for an address in use")
	}
}

func TestClientWhoLeavesEndsTheHandlerOfTheServer(t *testing.T) {
	server := geminitest.NewServer(t, twoBackends())
	server.Keep(geminitest.Match{}, geminitest.Answer{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan reply)
	go func() {
		done <- ask{key: "key-1", url: server.URL + "/v1beta/models/" + flash + ":generateContent"}.do(ctx, loopback(t))
	}()
	for server.InFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	for begin := time.Now(); server.InFlight() > 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the handler goes on")
		}
	}
}
