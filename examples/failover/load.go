package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
)

// A call has a long document and a short response. In the terms of Provisioned Throughput an output
// token of gemini-3.5-flash costs as much as 6 input tokens. A call costs about 2,000 + 6 × 150
// tokens.
const (
	inputTokens  = 2_000
	outputTokens = 150
)

var document = strings.Repeat("dam ", inputTokens)

// load makes calls at a rate, without waiting for earlier responses, as users do. Every second call
// streams.
type load struct {
	client *spillway.Client
	tally  *tally
	rate   atomic.Int64 // calls a second
}

// run makes calls until ctx ends. It returns after the last response.
func (l *load) run(ctx context.Context) {
	var underway sync.WaitGroup
	defer underway.Wait()
	next := time.Now()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		next = next.Add(time.Second / time.Duration(max(l.rate.Load(), 1)))
		underway.Go(func() {
			// Calls under way end normally, also after the end of the story.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			ask := l.ask
			if n%2 == 1 {
				ask = l.stream
			}
			header, err := ask(ctx, fmt.Sprintf("Document %d. %s", n, document))
			l.tally.count(header, err)
		})
	}
}

// ask makes a unary call.
func (l *load) ask(ctx context.Context, prompt string) (http.Header, error) {
	resp, err := l.client.Models.GenerateContent(ctx, model, genai.Text(prompt), nil)
	if err != nil {
		return nil, err
	}
	return resp.SDKHTTPResponse.Headers, complete(resp)
}

// stream makes a streaming call.
func (l *load) stream(ctx context.Context, prompt string) (http.Header, error) {
	var last *genai.GenerateContentResponse
	for piece, err := range l.client.Models.GenerateContentStream(ctx, model, genai.Text(prompt), nil) {
		if err != nil {
			return nil, err
		}
		last = piece
	}
	if last == nil {
		return nil, errors.New("the stream was empty")
	}
	return last.SDKHTTPResponse.Headers, complete(last)
}

// complete returns an error if the response has no end.
func complete(last *genai.GenerateContentResponse) error {
	if len(last.Candidates) == 0 || last.Candidates[0].FinishReason == "" {
		return errors.New("the response was cut off")
	}
	return nil
}
