package translate_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

func TestStreamsAreTranslatedEventByEvent(t *testing.T) {
	cited := func(name string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"\"citationMetadata\" citations"}]}},{"citationMetadata":{"` + name + `":[{"uri":"citations"}]}}],"citations":1}`
	}
	const plain = `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`
	const failure = `{"error":{"code":503,"message":"citationMetadata","status":"UNAVAILABLE"}}`
	const old, now = "citations", "citationSources"
	type row struct{ name, query, in, want string }
	var tests []row
	for eol, name := range map[string]string{"\n": "LF", "\r\n": "CR LF"} {
		data := func(s string) string { return "data: " + s + eol + eol }
		tests = append(tests,
			row{name + ", events", "?alt=sse", data(plain) + data(cited(old)) + data(plain) + data(cited(old)), data(plain) + data(cited(now)) + data(plain) + data(cited(now))},
			row{name + ", an error after it", "?alt=sse", data(cited(old)) + data(failure), data(cited(now)) + data(failure)},
			row{name + ", a bare error", "?alt=sse", data(cited(old)) + failure + eol, data(cited(now)) + failure + eol},
			row{name + ", no last blank line", "?alt=sse", data(plain) + "data: " + cited(old), data(plain) + "data: " + cited(old)},
			row{name + ", cut", "?alt=sse", data(cited(old)) + "data: " + cited(old)[:80], data(cited(now)) + "data: " + cited(old)[:80]},
			row{name + ", comments", "?alt=sse", ": hello" + eol + eol + "id: 7" + eol + data(cited(old)), ": hello" + eol + eol + "id: 7" + eol + data(cited(now))},
			row{name + ", data on two lines", "?alt=sse",
				"data: {\"candidates\":" + eol + "data: " + strings.TrimPrefix(cited(old), `{"candidates":`) + eol + eol + data(plain),
				"data: {\"candidates\":" + eol + "data: " + strings.TrimPrefix(cited(now), `{"candidates":`) + eol + eol + data(plain)},
			row{name + ", array", "", "[" + cited(old) + eol + "," + eol + plain + "," + cited(old) + eol + "]" + eol, "[" + cited(now) + eol + "," + eol + plain + "," + cited(now) + eol + "]" + eol},
			row{name + ", array, cut", "", "[" + cited(old) + "," + cited(old)[:90], "[" + cited(now) + "," + cited(old)[:90]},
		)
	}
	tests = append(tests, row{"nothing", "?alt=sse", "", ""}, row{"an object alone", "", cited(old), cited(now)})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
				"by halves": iotest.HalfReader(strings.NewReader(tt.in)), "with its end": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := streamed(t, tt.query, r)
				if err != nil || got != tt.want {
					t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, tt.want)
				}
			}
		})
	}
}

func TestAStreamKeepsWhatItHadWhenItBreaks(t *testing.T) {
	in := "data: {\"a\":1}\n\ndata: {\"b"
	got, err := streamed(t, "?alt=sse", io.MultiReader(strings.NewReader(in), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !errors.Is(err, io.ErrUnexpectedEOF) || got != in {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAnEventIsHandedOnAsSoonAsItIsWhole(t *testing.T) {
	r, w := io.Pipe()
	call := parse(t, "POST", "https://h/v1beta/models/m:streamGenerateContent?alt=sse", "{}")
	tr, lacks := translate.Call(&call, pool.BackendVertex, nil, []byte("{}"))
	if len(lacks) > 0 {
		t.Fatal(lacks)
	}
	events := tr.Events(r)
	go func() {
		_, _ = w.Write([]byte("data: {}\n\ndata: {"))
	}()
	got := make([]byte, 100)
	if n, err := events.Read(got); err != nil || string(got[:n]) != "data: {}\n\n" {
		t.Errorf("%q, %v", got[:n], err)
	}
	_ = w.Close()
}
