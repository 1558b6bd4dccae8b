package request

import (
	"net/http"
	"strings"
)

// NonIdempotent reports whether the call makes something each time that it is sent: a batch, a tuning, a video, a cached content, a store, a secret.
// Sent again after a failure that may have come too late, it makes, and bills, two. An answer of a model is none of that, nor is an
// interaction unless it runs in the background; pieces of uploads know their place, and one that has begun is nothing until it ends.
func (c *Call) NonIdempotent() bool {
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

// SetVerb makes another method the one that the call asks of its model.
func (c *Call) SetVerb(method string) {
	name, _ := cutVerb(c.address.rest)
	c.address.rest = name + ":" + method
	c.Method = method
}

// standardMethod names what an HTTP method does to a collection or to an item of it: "files.list", "batches.cancel".
func standardMethod(method, name, verb string) string {
	collection, item := "", false
	for rest := name; rest != ""; {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		if item = collection != "" && !item; !item {
			collection = s
		}
	}
	if verb == "" && strings.HasPrefix(name, "interactions/") && segment(name, 2) != "" {
		collection, verb = "interactions", segment(name, 2)
	}
	switch {
	case verb != "":
	case method == http.MethodGet || method == http.MethodHead:
		verb = "list"
		if item {
			verb = "get"
		}
	case method == http.MethodPost:
		verb = "create"
	case method == http.MethodPatch || method == http.MethodPut:
		verb = "update"
	case method == http.MethodDelete:
		verb = "delete"
	default:
		return ""
	}
	return collection + "." + verb
}
