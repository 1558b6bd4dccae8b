package main

import (
	"strings"
	"testing"
)

// said is what a client prints of two calls.
func said(headers, body string) string {
	return heading + "first generate\n" + headers + body + "\n" + heading + "middle\n{}\n"
}

func TestTranscriptsDifferByOneByte(t *testing.T) {
	const body = `{"createTime":"2026-11-26T14:53:12.5Z","responseId":"r00000001"}`
	without := said("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", body)
	for name, tt := range map[string]struct {
		with string
		want string // in the error; "" for none
	}{
		"the same":          {without, ""},
		"a status":          {strings.Replace(without, "200", "201", 1), "first generate"},
		"a header":          {strings.Replace(without, "application/json", "text/plain", 1), "first generate"},
		"one more header":   {said("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nvia: x\r\n", body), "first generate"},
		"an id":             {strings.Replace(without, "r00000001", "r00000002", 1), "first generate"},
		"white space":       {strings.Replace(without, "{}", "{ }", 1), "middle"},
		"more at the end":   {without + "x", "middle"},
		"a call is missing": {strings.Replace(without, heading+"middle\n{}\n", "", 1), "2 results without the sidecar, 1 with it"},
		"nothing":           {"", "2 results without the sidecar, 0 with it"},
	} {
		t.Run(name, func(t *testing.T) {
			err := compare(without, tt.with)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTranscriptsMayDifferInWhatVaries(t *testing.T) {
	without := said("HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 14:53:12 GMT\r\nserver: scaffolding\r\ntransfer-encoding: chunked\r\n"+
		"x-goog-upload-url: http://127.0.0.1:1/upload?upload_id=a\r\n",
		`{"createTime":"2026-11-26T14:53:12.5Z","created":1795703491,"uri":"http://127.0.0.1:1/v1beta/files/a"}`)
	with := said("HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 14:53:13 GMT\r\ncontent-length: 90\r\nspillway-attempts: 1\r\n"+
		"x-goog-upload-url: http://127.0.0.1:3/upload?upload_id=a&key=ticket\r\n",
		`{"createTime":"2026-11-26T14:53:13Z","created":1795703492,"uri":"http://127.0.0.1:2/v1beta/files/a"}`)
	if err := compare(without, with); err != nil {
		t.Error(err)
	}
}
