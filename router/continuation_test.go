package router_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// unfinished is an answer that is to be continued, whole or as the only event of a stream.
func unfinished(token string, stream bool) geminitest.Answer {
	body := fmt.Sprintf(`{"candidates":[{"content":{"role":"model","parts":[{"text":"so far "}]},"finishReason":"CONTINUATION","continuationToken":%q}]}`,
		base64.StdEncoding.EncodeToString([]byte(token)))
	if !stream {
		return geminitest.Answer{Status: http.StatusOK, Body: []byte(body)}
	}
	return geminitest.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: []byte("data: " + body + "\r\n\r\n")}
}

// TestContinuationStaysWithWhoGaveIt lets the SDK continue answers by itself: each of its requests
// is one of the router's.
func TestContinuationStaysWithWhoGaveIt(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %v", stream), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := weighted(t, router.PolicyRoundRobin, 1, 1, 1, 1, 1)
				c := b.client(t)
				first := map[string]bool{}
				for i := range 10 {
					b.Reset()
					b.Script(geminitest.Match{}, unfinished(fmt.Sprint("token ", i), stream))
					if _, _, err := hear(t, c, stream, nil); err != nil {
						t.Fatal(err)
					}
					asked := b.Requests()
					asked = asked[len(asked)-2:]
					if b.Count(geminitest.Match{}) != 2 || asked[0].Project != asked[1].Project {
						t.Errorf("begun and continued by %v", asked)
					}
					first[asked[0].Project] = true
				}
				if len(first) != 5 {
					t.Errorf("only %v were asked first", first)
				}
			})
		})
	}
}

// TestContinuationWaitsForWhoGaveIt lets the endpoint rest, and the caller come back with the token
// later, more than once.
func TestContinuationWaitsForWhoGaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := weighted(t, router.PolicyRoundRobin, 1, 1, 1)
		c := b.client(t)
		once := func(token string) *genai.GenerateContentConfig {
			return &genai.GenerateContentConfig{AutomaticContinuation: new(false), ContinuationToken: []byte(token)}
		}
		b.Script(geminitest.Match{}, unfinished("mine", false))
		_, h, err := hear(t, c, false, once(""))
		if err != nil {
			t.Fatal(err)
		}
		home := h.Get("Spillway-Endpoint")
		for range 5 {
			b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 3*time.Second))
			_, h, err := hear(t, c, false, once("mine"))
			if err != nil || h.Get("Spillway-Endpoint") != home || h.Get("Spillway-Attempts") != "2" {
				t.Errorf("continued by %s in %s attempts, %v; want %s in 2", h.Get("Spillway-Endpoint"), h.Get("Spillway-Attempts"), err, home)
			}
		}
		used := map[string]bool{} // a token from before a restart
		for range 3 {
			_, h, err := hear(t, c, false, once("somebody's"))
			if err != nil {
				t.Fatal(err)
			}
			used[h.Get("Spillway-Endpoint")] = true
		}
		if len(used) != 3 {
			t.Errorf("a token that nobody knows was sent to %v", used)
		}
	})
}
