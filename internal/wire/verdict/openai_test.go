package verdict_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/wire/verdict"
)

func TestErrorsInOpenAIsShape(t *testing.T) {
	for _, tt := range []struct {
		status     int
		body, want string
	}{
		{429, `[{"error":{"code":429,"message":"<slow> down","status":"RESOURCE_EXHAUSTED","details":[{"a":1}]}}]`,
			`{"error":{"message":"<slow> down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded","status":"RESOURCE_EXHAUSTED","details":[{"a":1}]}}`},
		{0, `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`,
			`{"error":{"message":"busy","type":"server_error","param":null,"code":"unavailable","status":"UNAVAILABLE"}}`},
		{404, `{"error":{"code":404,"message":"no","status":"NOT_FOUND"}}`, `{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"not_found","status":"NOT_FOUND"}}`},
		{402, `{"error":{"message":"pay"}}`, `{"error":{"message":"pay","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{401, `{"error":{"message":"who"}}`, `{"error":{"message":"who","type":"authentication_error","param":null,"code":"invalid_api_key"}}`},
		{403, `{"error":{"message":"no","status":"PERMISSION_DENIED"}}`, `{"error":{"message":"no","type":"permission_error","param":null,"code":"permission_denied","status":"PERMISSION_DENIED"}}`},
		{502, `<html>`, `{"error":{"message":"Bad Gateway","type":"server_error","param":null,"code":null}}`},
		{0, ``, `{"error":{"message":"","type":"server_error","param":null,"code":null}}`},
		{400, `{"error":"odd"}`, `{"error":{"message":"Bad Request","type":"invalid_request_error","param":null,"code":null}}`},
		{0, `{"error":{"code":"x","message":"odd"}}`, `{"error":{"message":"odd","type":"server_error","param":null,"code":null}}`},
	} {
		if got := string(verdict.OpenAI(tt.status, []byte(tt.body))); got != tt.want {
			t.Errorf("%d %s:\ngot  %s\nwant %s", tt.status, tt.body, got, tt.want)
		}
	}
}
