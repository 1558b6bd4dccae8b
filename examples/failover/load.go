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

// A call of ours is a long document and a short answer. In the terms of Provisioned Throughput, where a token of gemini-2.5-flash that
// comes out costs as much as 9 that go in, that is about 2,000 + 9 × 150 tokens.
const (
	inputTokens  = 2_000
	outputTokens = 150
)

var document = strings.Repeat("dam ", inputTokens)

// load makes calls at a rate, whether those before are answered or not: users do not wait for each other. Every second call streams.
type load struct {
	client *spillway.Client
	tally  *tally
	rate   atomic.Int64 // calls a second
}

// run makes calls until ctx ends. It returns when the last one is answered.
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
			// What was begun is to be answered, also after the end of the story.
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

// ask makes a call whose answer comes whole.
func (l *load) ask(ctx context.Context, prompt string) (http.Header, error) {
	resp, err := l.client.Models.GenerateContent(ctx, model, genai.Text(prompt), nil)
	if err != nil {
		return nil, err
	}
	return resp.SDKHTTPResponse.Headers, complete(resp)
}

// stream makes a call whose answer comes in pieces.
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

// complete says whether the answer has an end.
func complete(last *genai.GenerateContentResponse) error {
	if len(last.Candidates) == 0 || last.Candidates[0].FinishReason == "" {
		return errors.New("the answer was cut off")
	}
	return nil
}
