package stream

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
)

// parts reads the content of a candidate.
func (s *Stream) parts(c *jsonscan.Scanner, next *progress) {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		if string(c.Key) != "parts" {
			continue
		}
		if !c.Enter('[') {
			s.part(c, next)
			continue
		}
		for c.Element() {
			s.part(c, next)
		}
	}
}

// part reads the next part. All that a part can hold is content but an empty text, and what only
// tells about it.
func (s *Stream) part(c *jsonscan.Scanner, next *progress) {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		switch string(c.Key) {
		case "thought", "partMetadata", "part_metadata", "videoMetadata", "video_metadata",
			"mediaResolution", "media_resolution":
		case "thoughtSignature", "thought_signature":
			if s.form.Signed {
				if signature := c.Text(); len(signature) > 0 {
					s.signatures = append(s.signatures, request.SignatureName(signature))
				}
			}
		default:
			next.says(c.Raw())
		}
	}
}

// filled reports whether a value says anything.
func filled(value []byte) bool {
	switch string(value) {
	case "", "null", `""`, "false":
		return false
	}
	if value[0] != '{' && value[0] != '[' || len(value) == 1 {
		return true
	}
	return len(bytes.TrimSpace(value[1:len(value)-1])) > 0
}
