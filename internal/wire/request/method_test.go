package request_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
)

func TestNonIdempotentIsWhatCreatesSomething(t *testing.T) {
	const gemini, vertex = "https://generativelanguage.googleapis.com/", "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/l/"
	for _, tt := range []struct {
		method, address, body string
		want                  bool
	}{
		{http.MethodPost, gemini + "v1beta/models/m:batchGenerateContent", "", true},
		{http.MethodPost, gemini + "v1beta/models/m:asyncBatchEmbedContent", "", true},
		{http.MethodPost, gemini + "v1beta/models/m:predictLongRunning", "", true},
		{http.MethodPost, gemini + "v1beta/cachedContents", "", true},
		{http.MethodPost, gemini + "v1beta/tunedModels", "", true},
		{http.MethodPost, gemini + "v1beta/files:register", "", true},
		{http.MethodPost, gemini + "v1beta/fileSearchStores/s:importFile", "", true},
		{http.MethodPost, gemini + "v1beta/webhooks/w:rotateSigningSecret", "", true},
		{http.MethodPost, gemini + "v1beta/interactions", `{"model":"m","background":true}`, true},
		{http.MethodPost, vertex + "batchPredictionJobs", "", true},
		{http.MethodPost, vertex + "tuningJobs", "", true},

		{http.MethodPost, gemini + "v1beta/interactions", `{"model":"m","background":false}`, false},
		{http.MethodPost, gemini + "v1beta/interactions", `{"model":"m","input":{"background":true}}`, false},
		{http.MethodPost, gemini + "v1beta/models/m:generateContent", `{"background":true}`, false},
		{http.MethodPost, gemini + "v1beta/models/m:countTokens", "", false},
		{http.MethodPost, gemini + "v1beta/tunedModels/t:generateContent", "", false},
		{http.MethodPost, gemini + "upload/v1beta/files", "", false},
		{http.MethodPost, gemini + "upload/v1beta/files?upload_id=u", "", false},
		{http.MethodPost, gemini + "v1beta/batches/b:cancel", "", false},
		{http.MethodGet, gemini + "v1beta/batches", "", false},
		{http.MethodDelete, gemini + "v1beta/batches/b", "", false},
		{http.MethodPatch, gemini + "v1beta/cachedContents/c", "", false},
		{http.MethodPost, vertex + "publishers/google/models/m:predict", "", false},
		{http.MethodPost, vertex + "publishers/google/models/m:fetchPredictOperation", `{"operationName":"o"}`, false},
	} {
		u, err := url.Parse(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		call := request.Parse(tt.method, u, []byte(tt.body))
		if got := call.NonIdempotent(); got != tt.want {
			t.Errorf("%s %s %s: %v, want %v", tt.method, u.Path, tt.body, got, tt.want)
		}
	}
}
