package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// request is a call for a model, without an SDK.
func request(t *testing.T, model string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://generativelanguage.googleapis.com/v1beta/models/"+model+":generateContent",
		strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"`+prose(1<<10)+`"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Goog-Api-Key", "placeholder")
	return req
}

// send sends a request, reads the answer, and returns its status; 0 if the call was cancelled.
func send(t *testing.T, via http.RoundTripper, req *http.Request) (status int) {
	t.Helper()
	resp, err := via.RoundTrip(req)
	if err != nil {
		if req.Context().Err() == nil {
			t.Error(err)
		}
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}
