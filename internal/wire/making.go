package wire

import "strings"

// Makes reports whether the call makes something each time that it is sent: a batch, a tuning, a video, a cached content, a store, a secret.
// Sent again after a failure that may have come too late, it makes, and bills, two. An answer of a model is none of that, nor is an
// interaction unless it runs in the background; pieces of uploads know their place, and one that has begun is nothing until it ends.
func (c *Call) Makes() bool {
	switch c.Method {
	case "batchGenerateContent", "asyncBatchEmbedContent", "predictLongRunning":
		return true
	case "interactions.create":
		return c.background
	}
	_, verb, _ := strings.Cut(c.Method, ".")
	switch verb {
	case "create", "importFile", "register", "rotateSigningSecret":
		return true
	}
	return false
}
