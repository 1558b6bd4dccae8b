package main

import (
	"fmt"
	"regexp"
	"strings"
)

// heading begins what a client prints of a call: "=== name".
const heading = "=== "

// varying matches what is not the same in two runs, however a client reaches Google. Everything else
// is compared byte for byte.
var varying = []struct {
	pattern *regexp.Regexp
	as      string
}{
	// The emulator's clock, and that of HTTP.
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`("created": ?)\d+`), "${1}TIME"},
	{regexp.MustCompile(`(?mi)^date: .*\n`), ""},
	// Its port, in the address of a file.
	{regexp.MustCompile(`https?://127\.0\.0\.1:\d+`), "GOOGLE"},
	// What is about one connection. A response that the sidecar has whole has a length, and it ends the
	// connection after a body in chunks.
	{regexp.MustCompile(`(?mi)^(?:transfer-encoding|content-length|connection): .*\n`), ""},
	// Of an error that the sidecar remembers it has the body.
	{regexp.MustCompile(`(?mi)^(?:server|vary): .*\n`), ""},
	// What the sidecar adds, and the address for the chunks of an upload, which is its own.
	{regexp.MustCompile(`(?mi)^(?:spillway-[a-z]+|x-request-id): .*\n`), ""},
	{regexp.MustCompile(`(?mi)^(x-goog-upload-(?:control-)?url: ).*\n`), "${1}ADDRESS\n"},
}

// settled returns a transcript without what varies.
func settled(transcript string) string {
	for _, v := range varying {
		transcript = v.pattern.ReplaceAllString(transcript, v.as)
	}
	return transcript
}

// sections returns what a client printed of each call, with its heading.
func sections(transcript string) []string {
	_, calls, _ := strings.Cut("\n"+strings.TrimSuffix(transcript, "\n"), "\n"+heading)
	if calls == "" {
		return nil
	}
	return strings.Split(calls, "\n"+heading)
}

// lastCall returns the name of the last call that a client has printed.
func lastCall(transcript string) string {
	calls := sections(transcript)
	if len(calls) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(calls[len(calls)-1], "\n")
	return name
}

// compare returns an error that shows where two transcripts begin to differ.
func compare(without, with string) error {
	wants, gots := sections(settled(without)), sections(settled(with))
	for i := range min(len(wants), len(gots)) {
		want, got := wants[i], gots[i]
		if want == got {
			continue
		}
		name, _, _ := strings.Cut(want, "\n")
		same := 0
		for same < min(len(want), len(got)) && want[same] == got[same] {
			same++
		}
		return fmt.Errorf("%s: the response is not Google's\nwithout the sidecar: %s\nwith it:             %s",
			name, around(want, same), around(got, same))
	}
	if len(wants) != len(gots) {
		return fmt.Errorf("%d results without the sidecar, %d with it", len(wants), len(gots))
	}
	return nil
}

// around quotes what is about a place in a text.
func around(text string, place int) string {
	const some = 100
	return fmt.Sprintf("%q", text[max(0, place-some):min(len(text), place+some)])
}
