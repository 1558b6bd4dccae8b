package translate

import (
	"bytes"
	"net/http"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/pool"
)

// Response translates a whole response of the other back end into the caller's dialect. Errors are
// the same in both dialects and pass, as does anything without a counterpart. The given body is not
// changed.
func (t *Translation) Response(body []byte) []byte {
	switch t.Call.Method {
	case "generateContent", "streamGenerateContent":
		return t.citations(body)
	case "batchEmbedContents", "embedContent", "predict":
		return t.embedded(body)
	case "":
		return renamed(body, t.from.Backend) // of OpenAI's dialect
	}
	return body
}

// ResponseHeader names the service tier that served the call, as the caller's dialect does in
// headers. traffic is Google's trafficType, as [Traffic] returns it.
func (t *Translation) ResponseHeader(h http.Header, traffic string) {
	if t.Call.Backend == pool.BackendVertex && t.from.Backend == pool.BackendGemini {
		if tier := ServedTier(traffic); tier != "" {
			h[servedTier] = []string{tier}
		}
	}
}

var citationMetadata = []byte(`"citationMetadata"`)

// citations renames the one field of a GenerateContentResponse that has two names. Source:
// citationMetadataFromMldev of models.go, genai v1.77.0; a test compares all fields.
func (t *Translation) citations(answer []byte) []byte {
	switch {
	case !bytes.Contains(answer, citationMetadata):
	case t.Call.Backend == pool.BackendVertex && t.from.Backend == pool.BackendGemini:
		return rekey(answer, "citationSources", "candidates", "citationMetadata", "citations")
	case t.Call.Backend == pool.BackendGemini && t.from.Backend == pool.BackendVertex:
		return rekey(answer, "citations", "candidates", "citationMetadata", "citationSources")
	}
	return answer
}

// embedded moves embeddings to the place that the caller's dialect has for them.
func (t *Translation) embedded(answer []byte) []byte {
	if t.Call.Backend == t.from.Backend {
		return answer
	}
	var all [][]byte
	found := false
	var rest []byte
	for c := jsonscan.Object(answer); c.Member(); {
		key, name := c.RawKey(), string(c.Key)
		value := c.Raw()
		switch {
		case t.Call.Method == "embedContent" && name == "embedding":
			found, all = true, append(all, value)
		case t.Call.Method == "batchEmbedContents" && name == "embeddings":
			found = true
			jsonscan.Each(value, func(one []byte) { all = append(all, rekey(one, "token_count", "statistics", "tokenCount")) })
		case t.Call.Method == "predict" && name == "predictions":
			found = true
			jsonscan.Each(value, func(prediction []byte) {
				one := []byte("{}")
				for p := jsonscan.Object(prediction); p.Member(); {
					if string(p.Key) == "embeddings" {
						one = rekey(p.Raw(), "tokenCount", "statistics", "token_count")
					}
				}
				all = append(all, one)
			})
		default:
			rest = jsonscan.AppendMember(rest, key, value)
		}
	}
	if !found {
		return answer
	}
	return t.embeddingAnswer(all, rest, len(answer))
}

// embeddingAnswer writes embeddings in the form of the caller's method, after the other members of
// the response.
func (t *Translation) embeddingAnswer(all [][]byte, rest []byte, size int) []byte {
	var list []byte
	switch t.from.Method {
	case "batchEmbedContents":
		list = make([]byte, 0, size)
		list = append(append(append(list, '['), bytes.Join(all, []byte(","))...), ']')
		return jsonscan.CloseObject(jsonscan.AppendMember(rest, []byte(`"embeddings":`), list))
	case "predict":
		list = append(make([]byte, 0, size+len(all)*len(`{"embeddings":},`)), '[')
		for i, one := range all {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(append(append(list, `{"embeddings":`...), one...), '}')
		}
		return jsonscan.CloseObject(jsonscan.AppendMember(rest, []byte(`"predictions":`), append(list, ']')))
	default: // embedContent
		if len(all) > 0 {
			rest = jsonscan.AppendMember(rest, []byte(`"embedding":`), all[0])
		}
		return jsonscan.CloseObject(rest)
	}
}

// rekeying copies a response and renames a field.
type rekeying struct {
	jsonscan.Scanner
	to   string
	out  []byte
	kept int // the response up to here is in out
}

// rekey renames the field at path, in each element of lists. It copies nothing if there is no such
// field.
func rekey(message []byte, to string, path ...string) []byte {
	r := rekeying{Scanner: jsonscan.New(message), to: to}
	r.value(path)
	if r.kept == 0 {
		return message
	}
	return append(r.out, message[r.kept:]...)
}

func (r *rekeying) value(path []string) {
	switch r.Peek() {
	case '{':
		r.message(path)
	case '[':
		r.Enter('[')
		for r.Element() {
			if r.Peek() == '{' {
				r.message(path)
			}
		}
	}
}

func (r *rekeying) message(path []string) {
	r.Enter('{')
	for r.Member() {
		switch {
		case string(r.Key) != path[0]:
		case len(path) > 1:
			r.value(path[1:])
		default:
			r.out = append(append(r.out, r.Data[r.kept:r.KeyPos+1]...), r.to...)
			r.kept = r.KeyPos + 1 + len(r.Key)
		}
	}
}
