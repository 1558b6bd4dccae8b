package request

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Placeholder stands in the place of a thought signature that is not known. Both back ends take it.
// Source: https://ai.google.dev/gemini-api/docs/thought-signatures.
const Placeholder = "skip_thought_signature_validator"

// otherPlaceholder is the same for the Gemini API only.
const otherPlaceholder = "context_engineering_is_the_way_to_go"

// SignatureName returns a short name for a thought signature, or "" if it is a placeholder that
// every back end takes. Signatures are bytes: the name is the same for all forms of base64, for a
// caller may have decoded the signature and encoded it again.
func SignatureName(signature []byte) string {
	text := base64Of(signature)
	switch text {
	case Placeholder, encodedPlaceholder:
		return ""
	case otherPlaceholder, encodedOther:
		return OtherPlaceholder
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// OtherPlaceholder is the name of the placeholder that only the Gemini API takes.
const OtherPlaceholder = "placeholder"

// The placeholders as SDKs send them whose field is bytes.
var (
	encodedPlaceholder = base64Of([]byte(base64.StdEncoding.EncodeToString([]byte(Placeholder))))
	encodedOther       = base64Of([]byte(base64.StdEncoding.EncodeToString([]byte(otherPlaceholder))))
)

// base64Of returns the one form for all forms of base64 of the same bytes.
func base64Of(text []byte) string {
	plain := strings.TrimRight(jsonscan.Unquote(text), "=")
	if strings.ContainsAny(plain, "+/") {
		plain = strings.NewReplacer("+", "-", "/", "_").Replace(plain)
	}
	return plain
}

// Signatures calls f with the name of each thought signature in the contents of a request, in their
// order. An encoded placeholder has the name "".
func Signatures(body []byte, f func(name string)) {
	s := signing{Scanner: jsonscan.New(body), unsign: func(name string) bool { f(name); return false }}
	s.request()
}

// Unsign returns the body with the placeholder in the place of the signatures that are chosen by
// their names. It reports whether there is one; else it returns the body itself. The given body is
// not changed.
func Unsign(body []byte, choose func(name string) bool) ([]byte, bool) {
	s := signing{Scanner: jsonscan.New(body), unsign: choose}
	s.request()
	if s.kept == 0 {
		return body, false
	}
	return append(s.out, body[s.kept:]...), true
}

// signing copies a body and replaces thought signatures.
type signing struct {
	jsonscan.Scanner
	unsign func(name string) bool
	out    []byte
	kept   int // the body up to here is in out
}

// request reads the contents of the next request, and of one inside it.
func (s *signing) request() {
	if !s.Enter('{') {
		return
	}
	for s.Member() {
		switch string(s.Key) {
		case "contents":
			s.each(s.content)
		case "messages":
			s.each(s.message)
		case "generateContentRequest", "generate_content_request":
			s.request()
		}
	}
}

// each calls f for the elements of a list, or for a value that stands alone.
func (s *signing) each(f func()) {
	if !s.Enter('[') {
		f()
		return
	}
	for s.Element() {
		f()
	}
}

// message reads a message of OpenAI's dialect, or a call of a tool in it.
func (s *signing) message() {
	if !s.Enter('{') {
		return
	}
	for s.Member() {
		switch string(s.Key) {
		case "tool_calls":
			s.each(s.message)
		case "extra_content":
			s.extra()
		}
	}
}

// extra reads what Google adds to a message.
func (s *signing) extra() {
	if !s.Enter('{') {
		return
	}
	for s.Member() {
		if string(s.Key) == "google" {
			s.part()
		}
	}
}

func (s *signing) content() {
	if !s.Enter('{') {
		return
	}
	for s.Member() {
		if string(s.Key) == "parts" {
			s.each(s.part)
		}
	}
}

func (s *signing) part() {
	if !s.Enter('{') {
		return
	}
	for s.Member() {
		switch string(s.Key) {
		case "thoughtSignature", "thought_signature":
			s.signature()
		}
	}
}

func (s *signing) signature() {
	if s.Peek() != '"' {
		return
	}
	from := s.Pos + 1
	value, whole := s.Quoted()
	if !whole || len(value) == 0 || string(value) == Placeholder || !s.unsign(SignatureName(value)) {
		return
	}
	s.out = append(append(s.out, s.Data[s.kept:from]...), Placeholder...)
	s.kept = from + len(value)
}
