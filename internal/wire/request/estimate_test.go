package request_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

func TestParseBodies(t *testing.T) {
	blob := func(bytes int) string { return base64.StdEncoding.EncodeToString(make([]byte, bytes)) }
	inline := func(mime string, bytes int) string {
		return fmt.Sprintf(`{"contents":[{"parts":[{"inlineData":{"data":%q,"mimeType":%q}}]}]}`, blob(bytes), mime)
	}
	tests := []struct {
		name, body string
		prompt     pool.Prompt
		resource   string
	}{
		{"nothing", "", pool.Prompt{}, ""},
		{"empty object", "{}", pool.Prompt{Text: 1}, ""},
		{"text", `{"contents":[{"parts":[{"text":"` + strings.Repeat("abcd", 100) + `"}],"role":"user"}]}`, pool.Prompt{Text: 100}, ""},
		{"escapes count as what they stand for", `{"contents":[{"parts":[{"text":"` + strings.Repeat(`\n\"\u003cé`, 4) + `"}]}]}`, pool.Prompt{Text: 5}, ""},
		{"escaped script", `{"contents":[{"parts":[{"text":"` + strings.Repeat(`\u4f60`, 4) + `"}]}]}`, pool.Prompt{Text: 4}, ""},
		{"Chinese, a token a character", `{"contents":[{"parts":[{"text":"` + strings.Repeat("你好", 50) + `"}]}]}`, pool.Prompt{Text: 100}, ""},
		{"Korean among English", `{"contents":[{"parts":[{"text":"` + strings.Repeat("abcd한글", 10) + `"}]}]}`, pool.Prompt{Text: 30}, ""},
		{"Russian, two characters a token", `{"contents":[{"parts":[{"text":"` + strings.Repeat("плот", 10) + `"}]}]}`, pool.Prompt{Text: 20}, ""},
		{"emoji, sent as they are and escaped", `{"contents":[{"parts":[{"text":"` + strings.Repeat(`🌊\ud83c\udf0a`, 5) + `"}]}]}`, pool.Prompt{Text: 10}, ""},
		{"system instruction", `{"systemInstruction":{"parts":[{"text":"12345678"}]}}`, pool.Prompt{Text: 2}, ""},
		{"schema with its keys", `{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}}}`, pool.Prompt{Text: 11}, ""},
		{"settings cost nothing", `{"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"labels":{"team":"blue"}}`, pool.Prompt{Text: 1}, ""},
		{"a picture", inline("image/png", 30_000), pool.Prompt{Image: 258}, ""},
		{"ten seconds of speech", inline("audio/wav", 320_000), pool.Prompt{Audio: 32 * 11}, ""},
		{"ten seconds of compressed speech", inline("audio/mp3", 79_998), pool.Prompt{Audio: 32 * 10}, ""},
		{"video", inline("video/mp4", 249_999), pool.Prompt{Video: 295}, ""},
		{"a paper", inline("application/pdf", 99_999), pool.Prompt{Document: 258 * 2}, ""},
		{"text as data", inline("text/plain", 3999), pool.Prompt{Text: 1000}, ""},
		{"mime first, snake case", `{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"AAAA"}}]}]}`, pool.Prompt{Image: 258}, ""},
		{"an image to predict", `{"instances":[{"prompt":"abcd","image":{"bytesBase64Encoded":"AAAA","mimeType":"image/png"}}]}`, pool.Prompt{Text: 1, Image: 258}, ""},
		{"everything at once", `{"contents":[{"parts":[{"text":"12345678"},{"inlineData":{"data":"AAAA","mimeType":"image/png"}},{"inlineData":{"data":"AAAA","mimeType":"audio/wav"}},` +
			`{"inlineData":{"data":"AAAA","mimeType":"video/mp4"}},{"inlineData":{"data":"AAAA","mimeType":"application/pdf"}},{"inlineData":{"data":"AAAA","mimeType":"image/jpeg"}}]}]}`,
			pool.Prompt{Text: 2, Image: 516, Audio: 32, Video: 295, Document: 258}, ""},
		{"data that is no media", `{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"data":"12345678"}}}]}]}`, pool.Prompt{Text: 8}, ""},
		{"thought signature", `{"contents":[{"parts":[{"text":"abcd","thoughtSignature":"` + blob(3000) + `"}]}]}`, pool.Prompt{Text: 1}, ""},
		{"embedding", `{"instances":[{"content":"12345678"}]}`, pool.Prompt{Text: 2}, ""},
		{"a tool's maxOutputTokens is its own", `{"tools":[{"functionDeclarations":[{"parameters":{"maxOutputTokens":5}}]}]}`, pool.Prompt{Text: 14, Tools: true}, ""},

		{"a file", `{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc","mimeType":"image/png"}}]}]}`, pool.Prompt{Image: 258}, "files/abc"},
		{"a file of an emulator", `{"contents":[{"parts":[{"file_data":{"file_uri":"http://localhost:9090/v1beta/files/abc"}}]}]}`, pool.Prompt{DocumentFiles: 1}, "files/abc"},
		{"a file, slashes escaped", `{"contents":[{"parts":[{"fileData":{"fileUri":"https:\/\/generativelanguage.googleapis.com\/v1beta\/files\/abc"}}]}]}`, pool.Prompt{DocumentFiles: 1}, "files/abc"},
		{"a bucket", `{"contents":[{"parts":[{"fileData":{"fileUri":"gs://b/files/abc","mimeType":"image/png"}}]}]}`, pool.Prompt{Image: 258}, ""},
		{"a web page", `{"contents":[{"parts":[{"fileData":{"fileUri":"https://example.com/files/abc","mimeType":"image/png"}}]}]}`, pool.Prompt{Image: 258}, ""},
		{"a video on YouTube", `{"contents":[{"parts":[{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}}]}]}`, pool.Prompt{VideoFiles: 1}, ""},
		{"a recording in a bucket", `{"contents":[{"parts":[{"fileData":{"mimeType":"audio/mp3","fileUri":"gs://b/o"}},{"text":"abcd"}]}]}`, pool.Prompt{Text: 1, AudioFiles: 1}, ""},
		{"films", `{"contents":[{"parts":[{"fileData":{"fileUri":"gs://b/o","mimeType":"video/mp4"}},{"fileData":{"fileUri":"https://youtu.be/1"}}]}]}`, pool.Prompt{VideoFiles: 2}, ""},
		{"a paper in a bucket", `{"contents":[{"parts":[{"fileData":{"fileUri":"gs://b/o","mimeType":"application/pdf"}}]}]}`, pool.Prompt{DocumentFiles: 1}, ""},
		{"a picture of interactions", `{"input":[{"type":"image","uri":"gs://b/o","mime_type":"image/png"}]}`, pool.Prompt{Image: 258}, ""},
		{"a link that is no part", `{"metadata":{"uri":"https://example.com"},"fileName":"files/a"}`, pool.Prompt{Text: 1}, "files/a"},
		{"cached content, snake case", `{"cached_content":"cachedContents/9","contents":[{"parts":[{"text":"12345678"}]}]}`, pool.Prompt{Text: 2, Cached: true}, "cachedContents/9"},
		{"cached content", `{"cachedContent":"projects/1/locations/eu/cachedContents/9"}`, pool.Prompt{Text: 1, Cached: true}, "cachedContents/9"},
		{"cached content, empty", `{"cachedContent":""}`, pool.Prompt{Text: 1}, ""},
		{"a store", `{"tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/s"]}}]}`, pool.Prompt{Text: 14, Tools: true}, "fileSearchStores/s"},
		{"a corpus", `{"tools":[{"retrieval":{"vertexRagStore":{"ragResources":[{"ragCorpus":"projects/p/locations/l/ragCorpora/5"}]}}}]}`, pool.Prompt{Text: 23, Tools: true}, "ragCorpora/5"},
		{"text that talks of files", `{"contents":[{"parts":[{"text":"see files/abc"}]}]}`, pool.Prompt{Text: 4}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, "POST", "https://h/v1beta/models/m:generateContent", tt.body)
			if diff := cmp.Diff(tt.prompt, c.Estimate.Prompt); diff != "" {
				t.Errorf("prompt (-want +got):\n%s", diff)
			}
			if c.Resource != tt.resource || c.Estimate.MaxOutput != 0 || c.Estimate.Candidates != 1 || c.Estimate.MaxThoughts != 0 || c.Estimate.NoThoughts {
				t.Errorf("resource %q, want %q; %+v", c.Resource, tt.resource, c)
			}
		})
	}
}

func TestParseReadsTheOutputLimits(t *testing.T) {
	for _, body := range []string{
		`{"generationConfig":{"maxOutputTokens":9,"candidateCount":3}}`,
		`{"generation_config":{"max_output_tokens":9,"candidate_count":3}}`,
		`{"generationConfig":{"candidateCount":3.0,"maxOutputTokens":9e0}} `,
		`{"batch":{"inputConfig":{"requests":{"requests":[{"request":{"generationConfig":{"maxOutputTokens":9,"candidateCount":3}}}]}}}}`,
	} {
		if c := parse(t, "POST", "https://h/v1beta/models/m:generateContent", body); c.Estimate.MaxOutput != 9 || c.Estimate.Candidates != 3 {
			t.Errorf("%s: %d, %d", body, c.Estimate.MaxOutput, c.Estimate.Candidates)
		}
	}
	c := parse(t, "POST", "https://h/v1beta/models/m:generateContent", `{"generationConfig":{"maxOutputTokens":-5,"candidateCount":1e300}}`)
	if c.Estimate.MaxOutput != 0 || c.Estimate.Candidates <= 0 {
		t.Errorf("%+v", c)
	}
}

func TestParseEstimatesBrokenBodiesFromTheirLength(t *testing.T) {
	for _, body := range []string{
		`{"contents":[{"parts":[{"text":"` + strings.Repeat("a", 369),
		`{"contents":[` + strings.Repeat("[", 387),
		strings.Repeat("}", 400),
		strings.Repeat("a", 400),
		`{}}` + strings.Repeat(" ", 397),
		`{"a":1` + strings.Repeat("\x00", 394),
	} {
		if c := parse(t, "POST", "https://h/v1beta/models/m:generateContent", body); c.Estimate.Prompt != (pool.Prompt{Text: 100}) {
			t.Errorf("%.20q of %d bytes: %+v, want 100 of text", body, len(body), c.Estimate.Prompt)
		}
	}
}

func TestParseReadsTheThinkingBudget(t *testing.T) {
	for _, tt := range []struct {
		budget      string
		maxThoughts int64
		noThoughts  bool
	}{
		{`{}`, 0, false},
		{`{"thinkingBudget":512}`, 512, false},
		{`{"thinking_budget":512,"include_thoughts":true}`, 512, false},
		{`{"thinkingBudget":0}`, 0, true},
		{`{"thinkingBudget":-1}`, 0, false}, // as the model likes
		{`{"thinkingBudget":"many"}`, 0, false},
	} {
		c := parse(t, "POST", "https://h/v1beta/models/m:generateContent", `{"generationConfig":{"thinkingConfig":`+tt.budget+`}}`)
		if c.Estimate.MaxThoughts != tt.maxThoughts || c.Estimate.NoThoughts != tt.noThoughts {
			t.Errorf("%s: %d, %v", tt.budget, c.Estimate.MaxThoughts, c.Estimate.NoThoughts)
		}
	}
}
