package main

import (
	"errors"
	"io"
	"net/http"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
)

// handler answers questions. It passes the request's context on: if the client disconnects, the
// call to Gemini ends too.
func handler(client *spillway.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) {
		question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the question is too long", http.StatusRequestEntityTooLarge)
			return
		}
		resp, err := client.Models.GenerateContent(r.Context(), "gemini-3.5-flash", genai.Text(string(question)), nil)
		var refused genai.APIError
		switch {
		case errors.As(err, &refused): // Google's errors, and the router's in Google's shape
			http.Error(w, refused.Message, refused.Code)
		case err != nil:
			http.Error(w, "no response", http.StatusBadGateway)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, resp.Text())
		}
	})
	return mux
}
