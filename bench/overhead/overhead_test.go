package main

import (
	"io"
	"strings"
	"testing"
)

func TestEachCallerHasALineOfItsOwn(t *testing.T) {
	words := []string{"a", "b", "c", "d", "e", "f", "g"}
	seen := map[string]bool{}
	for i := range callers {
		order := permutation(words, i)
		if seen[order] {
			t.Fatalf("caller %d names %s, as another does", i, order)
		}
		seen[order] = true
		for _, word := range words {
			if !strings.Contains(order, word) {
				t.Fatalf("caller %d names %s, without %s", i, order, word)
			}
		}
	}
}

func TestStreamHasItsEventsAndOneEnd(t *testing.T) {
	req := request(t, model)
	resp, err := stream(4, "word").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(body), "data: "); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
	if n := strings.Count(string(body), `"finishReason":"STOP"`); n != 1 {
		t.Errorf("%d ends, want 1", n)
	}
}
