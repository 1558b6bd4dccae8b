package verdict_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// now is a Saturday, an hour before the date that RFC 9110, section 5.6.7, gives in its three
// forms.
var now = time.Date(1994, time.November, 6, 7, 49, 37, 0, time.UTC)

func hintOf(delay, message, after string) time.Duration {
	if delay == "" {
		delay = "null"
	}
	text, _ := json.Marshal(message)
	body := fmt.Appendf(nil, `{"error":{"code":429,"message":%s,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":%s}]}}`, text, delay)
	a := verdict.Answer{Backend: pool.BackendGemini, Status: 429, Body: body, Now: now}
	if after != "" {
		a.Header = http.Header{"Retry-After": {after}}
	}
	return verdict.Judge(a).Hint
}

func TestHint(t *testing.T) {
	tests := []struct {
		name                  string
		delay, message, after string
		want                  time.Duration
	}{
		{name: "none"},
		{name: "whole seconds", delay: `"17s"`, want: 17 * time.Second},
		{name: "nine digits", delay: `"45.837906927s"`, want: 45837906927},
		{name: "one digit", delay: `"0.5s"`, want: 500 * time.Millisecond},
		{name: "most of a day", delay: `"72193s"`, want: 72193 * time.Second},
		{name: "ten digits", delay: `"1.0000000001s"`},
		{name: "negative", delay: `"-3s"`},
		{name: "negative fraction", delay: `"-0.5s"`},
		{name: "zero", delay: `"0s"`},
		{name: "huge", delay: `"99999999999999999999s"`, want: verdict.MaxHint},
		{name: "the longest duration of protobuf", delay: `"315576000000s"`, want: verdict.MaxHint},
		{name: "an object", delay: `{"seconds":"12","nanos":500000000}`, want: 12500 * time.Millisecond},
		{name: "an object with a huge number", delay: `{"seconds":9e300}`, want: verdict.MaxHint},
		{name: "a negative object", delay: `{"seconds":-1,"nanos":5}`},
		{name: "a number", delay: `17`, want: 17 * time.Second},
		{name: "a number as a string", delay: `"1.5"`, want: 1500 * time.Millisecond},
		{name: "words", delay: `"soon"`},
		{name: "a list", delay: `[17]`},
		{name: "a boolean", delay: `true`},

		{name: "message", message: "…\nPlease retry in 17.156209832s.", want: 17156209832},
		{name: "message with hours", message: "Please retry in 20h3m13.257628674s.", want: 20*time.Hour + 3*time.Minute + 13257628674},
		{name: "message in milliseconds", message: "Please retry in 850.5ms.", want: 850500 * time.Microsecond},
		{name: "message in words", message: "please Retry after 30 seconds", want: 30 * time.Second},
		{name: "message in minutes", message: "Retry in 2 minutes", want: 2 * time.Minute},
		{name: "message without a number", message: "please retry in a moment, retry after lunch, retry "},
		{name: "message with a huge duration", message: "Please retry in 99999999999h.", want: verdict.MaxHint},
		{name: "two in a message", message: "retry in 3s. or retry in 2s.", want: 3 * time.Second},

		{name: "header in seconds", after: "120", want: 2 * time.Minute},
		{name: "header with spaces", after: " 120 ", want: 2 * time.Minute},
		{name: "header, IMF-fixdate", after: "Sun, 06 Nov 1994 08:49:37 GMT", want: time.Hour},
		{name: "header, RFC 850", after: "Sunday, 06-Nov-94 08:49:37 GMT", want: time.Hour},
		{name: "header, asctime", after: "Sun Nov  6 08:49:37 1994", want: time.Hour},
		{name: "header in the past", after: "Sun, 06 Nov 1994 06:49:37 GMT"},
		{name: "header far away", after: "Fri, 31 Dec 9999 23:59:59 GMT", want: verdict.MaxHint},
		{name: "header, huge", after: "99999999999999999999999", want: verdict.MaxHint},
		{name: "header, negative", after: "-1"},
		{name: "header, nonsense", after: "soon"},

		{name: "the longest is the message's", delay: `"14s"`, message: "Please retry in 51.4s.", after: "20", want: 51400 * time.Millisecond},
		{name: "the longest is RetryInfo's", delay: `"51.4s"`, message: "Please retry in 14s.", after: "20", want: 51400 * time.Millisecond},
		{name: "the longest is the header's", delay: `"1s"`, message: "Please retry in 14s.", after: "20", want: 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hintOf(tt.delay, tt.message, tt.after); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// FuzzHint takes protobuf's own reading of a Duration as the oracle.
func FuzzHint(f *testing.F) {
	for _, s := range []string{"17s", "45.837906927s", "0s", "-3s", "-0.5s", "315576000000s", "315576000001s", "1.s", ".5s", "+1s", "1.0000000001s", "1e3s", "00001s", "s", ".s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got := hintOf(string(quoted), "", "")
		if got < 0 || got > verdict.MaxHint {
			t.Fatalf("%q: %v", s, got)
		}
		var want durationpb.Duration
		if protojson.Unmarshal(quoted, &want) != nil {
			return
		}
		if d := max(0, min(want.AsDuration(), verdict.MaxHint)); got != d {
			t.Errorf("%q: got %v, protobuf %v", s, got, d)
		}
	})
}
