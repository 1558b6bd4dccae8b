package router_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/genai"
)

// TestUnmodifiedSDKWorksThroughTheRouter runs the SDK's own methods on both back ends. The emulator
// must have seen pool credentials only, and none in a URL.
func TestUnmodifiedSDKWorksThroughTheRouter(t *testing.T) {
	for _, tt := range []struct {
		name    string
		project project
		embed   string
	}{
		{"gemini", keyed("studio", "key-1", "key-2"), "gemini-embedding-001"},
		{"vertex", vertexed("prod", "global", "europe-west4"), "text-embedding-005"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := setup{}.bed(t, tt.project)
			c, ctx := b.client(t), context.Background()

			resp, err := ask(ctx, c, flash)
			if err != nil {
				t.Fatalf("GenerateContent: %v", err)
			}
			if resp.Text() == "" || resp.UsageMetadata.TotalTokenCount == 0 {
				t.Errorf("GenerateContent gave %+v", resp)
			}
			if got := endpoint(resp); !strings.HasPrefix(got, tt.project.pool.Name+"/global/on_demand") {
				t.Errorf("Spillway-Endpoint is %q", got)
			}
			h := resp.SDKHTTPResponse.Headers
			if h.Get("Spillway-Attempts") != "1" || h.Get("Spillway-Traffic") != "on_demand" {
				t.Errorf("headers are %v", h)
			}

			var streamed strings.Builder
			events := 0
			for chunk, err := range c.Models.GenerateContentStream(ctx, flash, genai.Text("hi"), nil) {
				if err != nil {
					t.Fatalf("GenerateContentStream: %v", err)
				}
				events++
				streamed.WriteString(chunk.Text())
			}
			if events < 2 || streamed.Len() == 0 {
				t.Errorf("GenerateContentStream gave %d events, text %q", events, streamed.String())
			}

			count, err := c.Models.CountTokens(ctx, flash, genai.Text("how many tokens are these?"), nil)
			if err != nil || count.TotalTokens == 0 {
				t.Errorf("CountTokens gave %+v, %v", count, err)
			}
			embedded, err := c.Models.EmbedContent(ctx, tt.embed, genai.Text("a text"), nil)
			if err != nil || len(embedded.Embeddings) != 1 || len(embedded.Embeddings[0].Values) == 0 {
				t.Errorf("EmbedContent gave %+v, %v", embedded, err)
			}
			chat, err := c.Chats.Create(ctx, flash, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := chat.SendMessage(ctx, genai.Part{Text: "and then?"}); err != nil {
					t.Errorf("SendMessage: %v", err)
				}
			}
			if got := len(chat.History(false)); got != 6 {
				t.Errorf("the chat's history has %d entries, want 6", got)
			}
			if m, err := c.Models.Get(ctx, flash, nil); err != nil || m.Name == "" {
				t.Errorf("Models.Get gave %+v, %v", m, err)
			}

			for _, r := range b.Requests() {
				if strings.Contains(r.URL.String(), "placeholder") || strings.Contains(r.URL.String(), "key-") || strings.Contains(r.Key, "placeholder") {
					t.Errorf("the emulator was asked %s with credential %q", r.URL, r.Key)
				}
			}
			if n := b.KeysInURL(); n != 0 {
				t.Errorf("%d URLs held a key", n)
			}
		})
	}
}
