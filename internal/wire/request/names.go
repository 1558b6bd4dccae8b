package request

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// owned are the collections whose items live in one project. Source: the services of genai v1.77.0.
var owned = map[string]bool{
	"auth_tokens": true, "batchPredictionJobs": true, "batches": true, "cachedContents": true, "endpoints": true, "fileSearchStores": true,
	"files": true, "interactions": true, "operations": true, "tunedModels": true, "tuningJobs": true,
}

// identified are the collections whose items have their name in "id", not in "name". Source: the
// same.
var identified = map[string]bool{
	"agents": true, "credentials": true, "environments": true, "interactions": true, "triggers": true, "voices": true, "webhooks": true,
}

// ResourcesIn returns the resources that a response names, each once, with the place that it gives:
// created, listed, or the result of an operation. It includes the known collections with owners,
// and the given one. A bare id counts only in the given collection.
func ResourcesIn(body []byte, collection string) []Resource {
	n := naming{Scanner: jsonscan.New(body), collection: collection, seen: make(map[string]bool)}
	n.value(0)
	return n.found
}

// naming collects the names of resources in a response.
type naming struct {
	jsonscan.Scanner
	collection string
	seen       map[string]bool
	found      []Resource
	top        string // the current member of the response
}

// mostDepth bounds the search for names, which are near the top of a message.
const mostDepth = 12

func (n *naming) value(depth int) {
	if depth > mostDepth {
		return
	}
	switch n.Peek() {
	case '{':
		n.Enter('{')
		for n.Member() {
			key := string(n.Key)
			if depth == 0 {
				n.top = key
			}
			if n.Peek() != '"' {
				n.value(depth + 1)
				continue
			}
			text, _ := n.Quoted()
			switch key {
			case "name", "uri", "endpoint", "model", "fileUri", "fileName", "responsesFile", "cachedContent":
				n.note(newResource(jsonscan.Unquote(text)))
			case "id": // of the item itself, or of one in a list
				if identified[n.collection] && (depth == 0 || n.top == n.collection) {
					n.note(Resource{Name: n.collection + "/" + jsonscan.Unquote(text)})
				}
			case "continuation_token": // of Interactions
				if depth == 0 && len(text) > 0 {
					n.found = append(n.found, Resource{Name: ContinuationName(text)})
				}
			}
		}
	case '[':
		n.Enter('[')
		for n.Element() {
			n.value(depth + 1)
		}
	}
}

func (n *naming) note(r Resource) {
	collection, id, _ := strings.Cut(r.Name, "/")
	lives := owned[collection] || collection == n.collection
	// A model in a registry has a number; Google's own models are everywhere.
	if collection == "models" {
		lives = jsonscan.IsDigits(id)
	}
	if id == "" || !lives || n.seen[r.Name] {
		return
	}
	n.seen[r.Name] = true
	n.found = append(n.found, r)
}

// Page returns the number of items on a page of a list, and the token of the next page. The token
// is "" on the last page.
func Page(body []byte) (items int, next string) {
	for c := jsonscan.Object(body); c.Member(); {
		switch {
		case jsonscan.CamelCase(c.Key) == "nextPageToken":
			next = jsonscan.Unquote(c.Text())
		case c.Peek() == '[':
			c.Enter('[')
			for c.Element() {
				items++
			}
		}
	}
	return items, next
}

// WithNextPage returns the page with another token for the next one. "" makes it the last page. The
// token must not need escapes in JSON.
func WithNextPage(body []byte, token string) []byte {
	out := make([]byte, 0, len(body)+len(token)+24)
	for c := jsonscan.Object(body); c.Member(); {
		if jsonscan.CamelCase(c.Key) != "nextPageToken" {
			out = jsonscan.AppendMember(out, c.RawKey(), c.Raw())
		}
	}
	if token != "" {
		out = jsonscan.AppendMember(out, []byte(`"nextPageToken":`), []byte(`"`+token+`"`))
	}
	return jsonscan.CloseObject(out)
}
