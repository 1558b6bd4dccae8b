package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// expecting is the header of a request whose client waits before it sends the body, as Java's
// HttpClient does until it hears something.
func expecting(path string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + strconv.Itoa(len(hello)) + "\r\nExpect: 100-continue\r\n\r\n"
}

func TestAClientIsToldToContinueOnceWhateverGoogleSaysMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := newGoogle(geminitest.Latency{})
		s := startDoor(t, transport(func(req *http.Request) (*http.Response, error) {
			if expects := req.Header.Get("Expect"); expects != "" {
				t.Errorf("Google is to expect %q: the body is there already", expects)
			}
			if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.Got1xxResponse != nil {
				for _, code := range []int{http.StatusContinue, http.StatusEarlyHints} {
					_ = trace.Got1xxResponse(code, textproto.MIMEHeader{})
				}
			}
			return google.RoundTrip(req)
		}), config.Serve{})
		c, err := s.memory.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		go func() { _, _ = io.WriteString(c, expecting(generatePath)) }()
		r := bufio.NewReader(c)
		for _, want := range []int{http.StatusContinue, http.StatusOK} {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("it gets %s, want %d", resp.Status, want)
			}
			go func() { _, _ = io.WriteString(c, hello) }()
		}
	})
}

// Its body will never come, so nothing may wait for it.
func TestAClientThatIsRefusedBeforeItsBodyIsToldAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		path string
		cfg  config.Serve
		want int
	}{
		"without a token": {generatePath, twoGuests(), http.StatusUnauthorized},
		"a strange path":  {"/no/path", config.Serve{}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startDoor(t, newGoogle(geminitest.Latency{}), tt.cfg)
				c, err := s.memory.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if resp := exchangeOn(t, c, expecting(tt.path)); resp.StatusCode != tt.want {
					t.Errorf("it gets %s, want %d", resp.Status, tt.want)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("it is told after %v", took)
				}
				_ = c.Close()
			})
		})
	}
}
