package request

import (
	"net/http"
	"net/url"
	"strings"
)

// Computes reports whether the call only has Google compute something of what it brings: content,
// counts of tokens, embeddings. Nothing is made or changed by it.
func Computes(c *Call, method string) bool {
	if method != http.MethodPost {
		return false
	}
	switch MethodName(c) {
	case "generateContent", "streamGenerateContent", "countTokens", "computeTokens", "embedContent", "batchEmbedContents",
		"openai.chat", "openai.embeddings":
		return true
	case "predict": // of other models it makes pictures
		return strings.Contains(strings.ToLower(c.Model), "embedding")
	default:
		return false
	}
}

// Repeatable reports whether the response to a call that computes does for an equal call as well. It
// does not if it depends on more than the call: a file, an address, a cached content, an earlier
// response, a tuned model. Nor does it if the model may act, by tools that Google or the caller runs.
// A response of which the caller has chosen the fields, or another format, does not tell whether it
// is whole. h is the request's header.
func Repeatable(c *Call, h http.Header) bool {
	acts := c.Generates && (c.Estimate.Prompt.Tools || len(c.Use.tools) > 0)
	depends := c.Resource != "" || len(c.Resources) > 0 || c.Continuation != "" || c.Use.Links
	return c.Model != "" && !acts && !depends && c.JSON(h) && !c.Masked(h)
}

// Path returns the path and the query of the call without what its endpoint decides, and without
// credentials.
func Path(c *Call) string {
	u := c.URL(Target{Backend: c.Backend, Base: new(url.URL)})
	return u.EscapedPath() + "?" + u.RawQuery
}
