package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// output is where a command prints to: perhaps a terminal, which control characters would command.
// What is printed may come from Google or from whoever calls, so they are shown and not sent. It
// keeps the first error, for output that is lost is a failure.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	_, err := io.WriteString(o.w, visible(string(p), "\n\t"))
	if err != nil && o.err == nil {
		o.err = err
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// lost reports whether something that was printed to w is lost.
func lost(w io.Writer) bool {
	o, ok := w.(*output)
	return ok && o.err != nil
}

// printJSON prints v as one line, for programs.
func printJSON(w io.Writer, v any) int {
	text, err := json.Marshal(v)
	if err != nil { // nothing that a command prints has values that JSON lacks
		return statusFailed
	}
	writef(w, "%s\n", text)
	return statusOK
}

// visible returns a text whose control characters are written as Go does in a string, except those
// of except. Characters that turn the direction of the text are among them.
func visible(text, except string) string {
	hidden := func(r rune) bool {
		return r == utf8.RuneError || (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)) &&
			!strings.ContainsRune(except, r)
	}
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == utf8.RuneError, !hidden(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
