package request

import (
	"net/http"
	"strings"
)

// NonIdempotent reports whether the call creates something each time it is sent: a batch, a tuning
// job, a video, a cache, a store, a secret. Google may have created it although the attempt failed;
// sending again could create, and bill, a second one.
//
// A model's response is no such thing, nor is an interaction unless it runs in the background.
// Pieces of uploads carry their offset, and an unfinished upload is nothing.
func (c *Call) NonIdempotent() bool {
	switch c.Method {
	case "batchGenerateContent", "asyncBatchEmbedContent", "predictLongRunning":
		return true
	case "interactions.create":
		return c.Use.background
	}
	_, verb, _ := strings.Cut(c.Method, ".")
	switch verb {
	case "create", "importFile", "register", "rotateSigningSecret":
		return true
	}
	return false
}

// SetVerb replaces the method that the call asks of its model.
func (c *Call) SetVerb(method string) {
	name, _ := cutVerb(c.address.rest)
	c.address.rest = name + ":" + method
	c.Method = method
}

// standardMethod names the effect of an HTTP method on a collection or an item: "files.list",
// "batches.cancel".
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
