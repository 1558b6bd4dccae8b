package geminitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// A thought signature is bytes of which only the back end that made them knows what they mean. Here
// they are a number that is used once, and what each back end makes of it.
const (
	signatureMark  = 0x12 // the first byte, as Google's have it
	signatureNonce = 15
)

// sign makes a signature of a back end's.
func sign(backend, nonce string) string {
	seed := sha256.Sum256([]byte(backend + "\x00" + nonce))
	signature := append([]byte{signatureMark}, seed[:signatureNonce]...)
	return base64.StdEncoding.EncodeToString(append(signature, seal(backend, signature)...))
}

// seal is what a back end makes of the beginning of a signature.
func seal(backend string, beginning []byte) []byte {
	sum := sha256.Sum256(append([]byte(backend+" signs\x00"), beginning...))
	return sum[:16]
}

// placeholders are what a caller may write in place of a signature that it has not got, and the
// back ends that take it. SDKs whose field is bytes send them in Base64, which is taken, too.
var placeholders = map[string][]string{
	"skip_thought_signature_validator":     {gemini, vertex},
	"context_engineering_is_the_way_to_go": {gemini},
}

// takes reports whether a back end takes a signature.
func takes(backend, signature string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(signature))
	for text, backends := range placeholders {
		if signature == text || string(raw) == text {
			return strings.Contains(strings.Join(backends, " "), backend)
		}
	}
	const beginning = 1 + signatureNonce
	return err == nil && len(raw) > beginning && bytes.Equal(raw[beginning:], seal(backend, raw[:beginning]))
}

// addSignature notes the signature of a part.
func (p *prompt) addSignature(part object) {
	if signature := part.text("thoughtSignature"); signature != "" {
		p.signatures = append(p.signatures, signature)
	}
}

// badSignature is the 400 for a prompt with a signature that the back end does not take.
func (p *prompt) badSignature(backend string) *Answer {
	for _, signature := range p.signatures {
		if !takes(backend, signature) {
			return new(SignatureCorrupted())
		}
	}
	return nil
}

// SignatureCorrupted is the 400 of either back end for a thought signature that it has not made.
func SignatureCorrupted() Answer { return InvalidArgument("Corrupted thought signature.") }

// readThinking reads whether the caller has the model think, so that the answer is signed, and
// which function it must call, if any.
func (p *prompt) readThinking(root object) {
	thinking := root.object("generationConfig").object("thinkingConfig")
	include, _ := thinking.field("includeThoughts").(bool)
	p.signed = include || p.thoughts > 0 || thinking.text("thinkingLevel") != ""
	calling := root.object("toolConfig").object("functionCallingConfig")
	if calling.text("mode") != "ANY" {
		return
	}
	if allowed := calling.list("allowedFunctionNames"); len(allowed) > 0 {
		p.function, _ = allowed[0].(string)
		return
	}
	for _, tool := range root.list("tools") {
		m, _ := tool.(map[string]any)
		if declared := object(m).list("functionDeclarations"); len(declared) > 0 {
			m, _ := declared[0].(map[string]any)
			p.function = object(m).text("name")
			return
		}
	}
}
