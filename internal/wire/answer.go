package wire

import (
	"bytes"
	"net/http"
)

// Answer says a whole answer of the other back end as the caller's own would have: what the caller reads in it, it finds.
// Errors are the same in both dialects, and pass, as does whatever has no counterpart. The body given is not changed.
func (t *Translation) Answer(body []byte) []byte {
	switch t.Call.Method {
	case "generateContent", "streamGenerateContent":
		return t.citations(body)
	case "batchEmbedContents", "embedContent", "predict":
		return t.embedded(body)
	}
	return body
}

// AnswerHeader makes the headers of an answer say in the caller's dialect which service tier served it: traffic is
// Google's trafficType, as Traffic gives it.
func (t *Translation) AnswerHeader(h http.Header, traffic string) {
	if t.Call.Backend == Vertex && t.asked.Backend == Gemini {
		if tier := ServedTier(traffic); tier != "" {
			h[servedTier] = []string{tier}
		}
	}
}

var citationMetadata = []byte(`"citationMetadata"`)

// citations renames the one field of a GenerateContentResponse that has two names. Source: citationMetadataFromMldev of
// models.go, genai v1.77.0; a test compares all fields.
func (t *Translation) citations(answer []byte) []byte {
	switch {
	case !bytes.Contains(answer, citationMetadata):
	case t.Call.Backend == Vertex && t.asked.Backend == Gemini:
		return rekey(answer, "citationSources", "candidates", "citationMetadata", "citations")
	case t.Call.Backend == Gemini && t.asked.Backend == Vertex:
		return rekey(answer, "citations", "candidates", "citationMetadata", "citationSources")
	}
	return answer
}

// embedded puts embeddings where the caller looks for them.
func (t *Translation) embedded(answer []byte) []byte {
	if t.Call.Backend == t.asked.Backend {
		return answer
	}
	var all [][]byte
	found := false
	var rest []byte
	for c := object(answer); c.member(); {
		key, name := c.b[c.at:c.i], string(c.key)
		value := c.raw()
		switch {
		case t.Call.Method == "embedContent" && name == "embedding":
			found, all = true, append(all, value)
		case t.Call.Method == "batchEmbedContents" && name == "embeddings":
			found = true
			each(value, func(one []byte) { all = append(all, rekey(one, "token_count", "statistics", "tokenCount")) })
		case t.Call.Method == "predict" && name == "predictions":
			found = true
			each(value, func(prediction []byte) {
				one := []byte("{}")
				for p := object(prediction); p.member(); {
					if string(p.key) == "embeddings" {
						one = rekey(p.raw(), "tokenCount", "statistics", "token_count")
					}
				}
				all = append(all, one)
			})
		default:
			rest = appendMember(rest, key, value)
		}
	}
	if !found {
		return answer
	}
	return t.retold(all, rest, len(answer))
}

// retold writes embeddings as the method that was asked for answers, and before them the rest of the answer.
func (t *Translation) retold(all [][]byte, rest []byte, size int) []byte {
	var list []byte
	switch t.asked.Method {
	case "batchEmbedContents":
		list = make([]byte, 0, size)
		list = append(append(append(list, '['), bytes.Join(all, []byte(","))...), ']')
		return closeObject(appendMember(rest, []byte(`"embeddings":`), list))
	case "predict":
		list = append(make([]byte, 0, size+len(all)*len(`{"embeddings":},`)), '[')
		for i, one := range all {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(append(append(list, `{"embeddings":`...), one...), '}')
		}
		return closeObject(appendMember(rest, []byte(`"predictions":`), append(list, ']')))
	default: // embedContent
		if len(all) > 0 {
			rest = appendMember(rest, []byte(`"embedding":`), all[0])
		}
		return closeObject(rest)
	}
}

// rekeying copies an answer and gives a field another name.
type rekeying struct {
	cursor
	to   string
	out  []byte
	kept int // up to here it is in out
}

// rekey renames the field that stands at path, of each element where there are several. Nothing is copied if there is none.
func rekey(message []byte, to string, path ...string) []byte {
	r := rekeying{cursor: cursor{b: message}, to: to}
	r.value(path)
	if r.kept == 0 {
		return message
	}
	return append(r.out, message[r.kept:]...)
}

func (r *rekeying) value(path []string) {
	switch r.peek() {
	case '{':
		r.message(path)
	case '[':
		r.enter('[')
		for r.element() {
			if r.peek() == '{' {
				r.message(path)
			}
		}
	}
}

func (r *rekeying) message(path []string) {
	r.enter('{')
	for r.member() {
		switch {
		case string(r.key) != path[0]:
		case len(path) > 1:
			r.value(path[1:])
		default:
			r.out = append(append(r.out, r.b[r.kept:r.at+1]...), r.to...)
			r.kept = r.at + 1 + len(r.key)
		}
	}
}
