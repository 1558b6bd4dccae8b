package main

import (
	"errors"
	"io"
	"net/http"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
)

// handler answers questions. The request's context goes along: if the asker leaves, the call to Gemini ends, too.
func handler(client *spillway.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) {
		question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the question is too long", http.StatusRequestEntityTooLarge)
			return
		}
		resp, err := client.Models.GenerateContent(r.Context(), "gemini-2.5-flash", genai.Text(string(question)), nil)
		var refused genai.APIError
		switch {
		case errors.As(err, &refused): // Google's own refusals, and ours in Google's shape
			http.Error(w, refused.Message, refused.Code)
		case err != nil:
			http.Error(w, "no answer", http.StatusBadGateway)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, resp.Text())
		}
	})
	return mux
}
