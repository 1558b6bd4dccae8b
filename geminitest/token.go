package geminitest

import (
	"encoding/base64"
	"time"
)

// createToken makes an ephemeral token for live sessions
// (ai.google.dev/gemini-api/docs/ephemeral-tokens): good for half an hour and one session, to be
// begun within a minute, unless the caller says otherwise. There are no live sessions here for it
// to open.
func (e *Emulator) createToken(c call, in object) (any, *Answer) {
	now := time.Now()
	expires, refused := expiry(now, object{"expireTime": in.field("expireTime")}, now.Add(30*time.Minute))
	if refused != nil {
		return nil, refused
	}
	begins, refused := expiry(now, object{"expireTime": in.field("newSessionExpireTime")}, now.Add(time.Minute))
	if refused != nil {
		return nil, refused
	}
	r, refused := e.create(c, record{name: "auth_tokens/", expires: expires})
	if refused != nil {
		return nil, refused
	}
	return map[string]any{
		"name": r.name, "expireTime": stamp(expires), "newSessionExpireTime": stamp(begins), "uses": max(1, in.number("uses")),
	}, nil
}

// computeTokens answers with the tokens of contents, four bytes each, and numbers for them.
func (e *Emulator) computeTokens(c call, in object) (any, *Answer) {
	if refused := e.missing(c); refused != nil {
		return nil, refused
	}
	var infos []any
	for _, content := range in.contents() {
		info := map[string]any{"role": content.text("role")}
		var ids, tokens []any
		for _, part := range content.list("parts") {
			m, _ := part.(map[string]any)
			for text := object(m).text("text"); text != ""; {
				n := min(bytesPerToken, len(text))
				ids = append(ids, count(int(hashed(14695981039346656037, text[:n])%256_000)))
				tokens = append(tokens, base64.StdEncoding.EncodeToString([]byte(text[:n])))
				text = text[n:]
			}
		}
		info["tokenIds"], info["tokens"] = ids, tokens
		infos = append(infos, info)
	}
	if len(infos) == 0 {
		return nil, new(InvalidArgument("contents is not specified"))
	}
	return map[string]any{"tokensInfo": infos}, nil
}
