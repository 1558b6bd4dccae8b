package verdict_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"google.golang.org/genai"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

func TestExhaustedIsAnAPIErrorOfTheSDK(t *testing.T) {
	body := verdict.Exhausted{Message: "nothing is ready", Retry: 1500*time.Millisecond + 1, Metadata: map[string]string{"prod/eu/on_demand": "day_quota"}}.Body()
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "spillway",
		HTTPClient: &http.Client{Transport: answer(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		})}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Models.GenerateContent(context.Background(), "m", genai.Text("x"), nil)
	var got genai.APIError
	if !errors.As(err, &got) || got.Code != 429 || got.Status != "RESOURCE_EXHAUSTED" || got.Message != "nothing is ready" || len(got.Details) != 2 {
		t.Fatalf("%#v", err)
	}
	if d := got.Details[0]["retryDelay"]; d != "1.501s" {
		t.Errorf("retryDelay %v", d)
	}
	info := got.Details[1]
	if info["reason"] != "POOL_EXHAUSTED" || info["domain"] != "spillway" || info["metadata"].(map[string]any)["prod/eu/on_demand"] != "day_quota" {
		t.Errorf("%v", info)
	}
	v := verdict.Judge(verdict.Answer{Backend: pool.BackendGemini, Status: 429, Body: body})
	if v.Hint != 1501*time.Millisecond || v.Reason != verdict.ExhaustedReason {
		t.Errorf("%+v", v)
	}
}

func TestExhaustedWithoutAnEndHasNoRetryInfo(t *testing.T) {
	if body := (verdict.Exhausted{Message: "m"}).Body(); bytes.Contains(body, []byte("RetryInfo")) || !json.Valid(body) {
		t.Errorf("%s", body)
	}
}

func TestExhaustedRetryIsADurationOfProtobuf(t *testing.T) {
	for _, retry := range []time.Duration{1, time.Millisecond, 999 * time.Millisecond, 999*time.Millisecond + 1, time.Second, 61*time.Second + 7*time.Millisecond, math.MaxInt64} {
		var body struct {
			Error struct{ Details []map[string]any }
		}
		if err := json.Unmarshal(verdict.Exhausted{Retry: retry}.Body(), &body); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(body.Error.Details[0]["retryDelay"])
		if err != nil {
			t.Fatal(err)
		}
		var d durationpb.Duration
		if err := protojson.Unmarshal(text, &d); err != nil {
			t.Fatalf("%v: %s: %v", retry, text, err)
		}
		if got := d.AsDuration(); got < retry || got >= retry+time.Millisecond && got != math.MaxInt64 {
			t.Errorf("%v: %s", retry, text)
		}
	}
}

func TestErrorBodyLeavesOutWhatCannotBeJSON(t *testing.T) {
	want := `{"error":{"code":500,"message":"\u003cm\u003e","status":"INTERNAL"}}`
	if got := verdict.ErrorBody(500, "INTERNAL", "<m>", make(chan int)); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

type answer func(*http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func TestExplainedAddsOneDetailToEnvelopesAndLeavesTheRest(t *testing.T) {
	metadata := map[string]string{"a/global/on_demand": "key_dead"}
	for _, s := range corpus(t) {
		body := s.answer().Body
		got := verdict.Explained(body, metadata)
		before := verdict.Judge(verdict.Answer{Backend: s.Backend, Status: 400, Body: body})
		after := verdict.Judge(verdict.Answer{Backend: s.Backend, Status: 400, Body: got})
		if after.Message != before.Message || after.Status != before.Status || after.Hint != before.Hint {
			t.Errorf("%s: %+v becomes %+v", s.ID, before, after)
		}
		if wants := json.Valid(body); wants != bytes.Contains(got, []byte(verdict.ExplainedReason)) {
			t.Errorf("%s: explained as %s", s.ID, got)
		}
	}
	for _, odd := range []string{
		"", "null", "[]", "[null]", "{}", `{"error":null}`, `{"error":"no"}`, `{"error":{"details":"no"}}`, `{"error":{"details":[1`,
		"<html>", `[{"error":{}},{"error":{}}]`, `[[[[[]]]]]`, "429 no", "\xff",
	} {
		if got := verdict.Explained([]byte(odd), metadata); string(got) != odd {
			t.Errorf("%q becomes %q", odd, got)
		}
	}
}
