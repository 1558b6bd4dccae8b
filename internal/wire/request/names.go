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

// NamesIn returns the resources that a response names, each once, in the form of [ResourceName]:
// created, listed, or the result of an operation. It includes the known collections with owners,
// and the given one. A bare id counts only in the given collection.
func NamesIn(body []byte, collection string) []string {
	n := naming{Scanner: jsonscan.New(body), collection: collection, seen: make(map[string]bool)}
	n.value(0)
	return n.names
}

// naming collects the names of resources in a response.
type naming struct {
	jsonscan.Scanner
	collection string
	seen       map[string]bool
	names      []string
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
				n.note(ResourceName(jsonscan.Unquote(text)))
			case "id": // of the item itself, or of one in a list
				if identified[n.collection] && (depth == 0 || n.top == n.collection) {
					n.note(n.collection + "/" + jsonscan.Unquote(text))
				}
			case "continuation_token": // of Interactions
				if depth == 0 && len(text) > 0 {
					n.names = append(n.names, ContinuationName(text))
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

func (n *naming) note(name string) {
	collection, id, _ := strings.Cut(name, "/")
	lives := owned[collection] || collection == n.collection
	// A model in a registry has a number; Google's own models are everywhere.
	if collection == "models" {
		lives = jsonscan.IsDigits(id)
	}
	if id == "" || !lives || n.seen[name] {
		return
	}
	n.seen[name] = true
	n.names = append(n.names, name)
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
