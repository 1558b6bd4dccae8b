package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

const askHealth = "GET " + healthPath + " HTTP/1.1\r\nHost: localhost\r\n\r\n"

// connect opens a connection to a door.
func (s *serving) connect(t *testing.T) net.Conn {
	t.Helper()
	c, err := s.memory.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ended reports whether a connection is closed by the sidecar.
func ended(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{})
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

func TestAConnectionBeyondTheBoundTakesTheSeatOfTheOneThatIsIdleForLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startDoor(t, newGoogle(geminitest.Latency{}), config.Serve{Bounds: config.Bounds{Connections: 3}})
		var idle []net.Conn
		for range 3 {
			c := s.connect(t)
			exchangeOn(t, c, askHealth)
			idle = append(idle, c)
			time.Sleep(time.Second)
		}
		exchangeOn(t, idle[0], askHealth) // which is the youngest now
		time.Sleep(time.Second)
		began := time.Now()
		if resp := s.say(t, askHealth); resp.StatusCode != http.StatusOK || time.Since(began) > time.Second {
			t.Errorf("a fourth client gets %s after %v", resp.Status, time.Since(began))
		}
		for i, want := range []bool{false, true, false} {
			if got := ended(idle[i]); got != want {
				t.Errorf("connection %d is closed: %v", i, got)
			}
		}
	})
}

// What says nothing has no call either.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startDoor(t, newGoogle(geminitest.Latency{}), config.Serve{Bounds: config.Bounds{Connections: 50}})
		for i := range 200 {
			c := s.connect(t)
			if i%2 == 0 {
				_, _ = io.WriteString(c, "POST /v1beta/models HTTP/1.1\r\nX-Slow: ")
			}
		}
		began := time.Now()
		if resp := s.say(t, askHealth); resp.StatusCode != http.StatusOK || time.Since(began) > time.Second {
			t.Errorf("a client beside them gets %s after %v", resp.Status, time.Since(began))
		}
	})
}

func TestAConnectionBeyondTheBoundWaitsWhileAllHaveCalls(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(proto, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startDoor(t, newGoogle(geminitest.Latency{FirstToken: 20 * time.Second}), config.Serve{Bounds: config.Bounds{Connections: 2}})
				var protocols http.Protocols
				protocols.SetHTTP1(proto == "HTTP/1.1")
				protocols.SetUnencryptedHTTP2(proto == "HTTP/2")
				var results []chan string
				for range 3 { // each on a connection of its own
					transport := &http.Transport{DialContext: s.memory.dial, Protocols: &protocols}
					t.Cleanup(transport.CloseIdleConnections)
					began, result := time.Now(), make(chan string, 1)
					results = append(results, result)
					go func() {
						code := knockCode(t.Context(), &http.Client{Transport: transport})
						result <- fmt.Sprint(code, " after ", time.Since(began).Round(5*time.Second))
					}()
					time.Sleep(time.Millisecond)
				}
				for i, want := range []string{"200 after 20s", "200 after 20s", "200 after 40s"} {
					if got := <-results[i]; got != want {
						t.Errorf("client %d gets %s, want %s", i, got, want)
					}
				}
			})
		})
	}
}

// knockCode is the status of [knockAt]; 0 if none came.
func knockCode(ctx context.Context, client *http.Client) int {
	resp, err := knockAt(ctx, client, "http://localhost", "any")
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

// A listener that waits for clients takes no seat, and one that is closed waits for none.
func TestEveryDoorIsOpenWithOneSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handler := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPost {
				<-release
			}
		})
		free := newSeats(1)
		server := newServer(handler, config.Bounds{}.WithDefaults(), free, slog.New(slog.DiscardHandler))
		one, other := &serving{newMemory(), nil}, &serving{newMemory(), nil}
		ends := make(chan error, 2)
		for _, s := range []*serving{one, other} {
			go func() { ends <- server.Serve(free.on(s.memory)) }()
		}
		for _, s := range []*serving{one, other, one} {
			if resp := s.say(t, askHealth); resp.StatusCode != http.StatusOK {
				t.Errorf("it gets %s", resp.Status)
			}
		}
		busy := one.connect(t)
		_, _ = io.WriteString(busy, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		synctest.Wait()
		late := other.connect(t)
		synctest.Wait()
		if ended(busy) || ended(late) {
			t.Error("a connection is closed")
		}
		_ = server.Close()
		close(release)
		<-ends
		<-ends
		if !ended(late) {
			t.Error("who waited for a seat still does")
		}
	})
}
