package pace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
)

// Dialect is how the server that gets the requests is spoken to.
type Dialect string

// The dialects of Google's two back ends.
const (
	Gemini Dialect = "gemini"
	Vertex Dialect = "vertex"
)

// defaults are what lines say that do not say it themselves.
type defaults struct {
	dialect      Dialect
	model, label string
}

// request is one line of the file, as it is sent.
type request struct {
	line   int64           // its number, from 1
	key    json.RawMessage // what the line calls itself; nil: nothing
	openai bool            // the line, and that of its response, are of OpenAI's batches
	label  string
	path   string
	body   []byte
}

// written is a line of the file: of Google's batches, on either back end, or of OpenAI's.
type written struct {
	Key     json.RawMessage `json:"key"`
	Model   string          `json:"model"`
	Label   string          `json:"label"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`

	CustomID json.RawMessage `json:"custom_id"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// methods are those that a line may ask for, with what their requests have.
var methods = map[string]string{
	"generateContent": "contents", "embedContent": "content", "batchEmbedContents": "requests", "countTokens": "contents",
}

// read makes a request of a line. The request has its number and key even if the line is wrong.
func (d *defaults) read(number int64, text []byte) (r request, err error) {
	r.line, r.label = number, d.label
	var w written
	err = json.Unmarshal(text, &w) // a field of another type does not keep it from the others
	if r.key = w.Key; w.CustomID != nil {
		r.key = w.CustomID
	}
	if w.Label != "" {
		r.label = w.Label
	}
	switch wrong, typed := errors.AsType[*json.UnmarshalTypeError](err); {
	case typed && wrong.Field != "":
		return r, fmt.Errorf("%s of the line is not a text", wrong.Field)
	case err != nil:
		return r, errors.New("the line is not a JSON object with a request")
	case !plain.Is(r.label):
		return r, errors.New("the label has control characters; write a name such as migration-1")
	}
	if w.URL != "" || w.Body != nil {
		return r, r.openAI(&w)
	}
	var has fields
	if err := json.Unmarshal(w.Request, &has); err != nil || w.Request[0] != '{' {
		return r, errors.New(`the line has no request; write {"key": "1", "request": {"contents": [...]}}`)
	}
	model := w.Model
	if model == "" && has.Model != nil && json.Unmarshal(has.Model, &model) != nil {
		return r, errors.New("model in the request is not a text")
	}
	if model == "" {
		model = d.model
	}
	if r.path, err = d.pathOf(model, w.Method, &has); err != nil {
		return r, err
	}
	if r.body = w.Request; has.Model != nil {
		r.body, err = withoutModel(w.Request)
	}
	return r, err
}

// fields are what a request has. It may be large: nothing but the model is copied.
type fields struct {
	Model    json.RawMessage `json:"model"` // Google's batches of the Developer API have it there
	Contents given           `json:"contents"`
	Content  given           `json:"content"`
	Requests given           `json:"requests"`
}

// given is that there is a field.
type given bool

// UnmarshalJSON takes anything.
func (g *given) UnmarshalJSON([]byte) error {
	*g = true
	return nil
}

// withoutModel returns a request without its model, which its path names.
func withoutModel(request []byte) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(request, &all); err != nil {
		return nil, err
	}
	delete(all, "model")
	return json.Marshal(all)
}

// openAI reads a line of OpenAI's batches.
func (r *request) openAI(w *written) error {
	r.openai = true
	var body struct {
		Model  string `json:"model"`
		Stream any    `json:"stream"`
	}
	switch end := "/" + strings.TrimPrefix(strings.TrimPrefix(w.URL, "/"), "v1/"); {
	case end != "/chat/completions" && end != "/embeddings":
		return fmt.Errorf("url is %.80q; write /v1/chat/completions or /v1/embeddings", w.URL)
	case json.Unmarshal(w.Body, &body) != nil || body.Model == "":
		return errors.New("the line has no body with a model")
	case body.Stream == true: // it would be served, and could not be written
		return errors.New("the line asks for a stream; leave stream out")
	default:
		r.path, r.body = "/v1beta/openai"+end, w.Body
		return nil
	}
}

// pathOf returns where a request goes.
func (d *defaults) pathOf(model, method string, has *fields) (string, error) {
	if model == "" {
		return "", errors.New("the line names no model; write model beside its request, or --model")
	}
	switch {
	case method != "":
		if methods[method] == "" {
			return "", fmt.Errorf("method is %.80q; write generateContent, embedContent, batchEmbedContents or countTokens", method)
		}
	case bool(!has.Contents && has.Content):
		method = "embedContent"
	case bool(!has.Contents && has.Requests):
		method = "batchEmbedContents"
	default:
		method = "generateContent"
	}
	if i := strings.LastIndex(model, "/"); strings.HasPrefix(model, "models/") || strings.Contains(model, "publishers/google/models/") {
		model = model[i+1:]
	}
	model = strings.ReplaceAll(url.PathEscape(model), "%2F", "/")
	if d.dialect == Vertex {
		return "/v1beta1/projects/spillway/locations/global/publishers/google/models/" + model + ":" + method, nil
	}
	if !strings.Contains(model, "/") { // else it is a tuned model
		model = "models/" + model
	}
	return "/v1beta/" + model + ":" + method, nil
}

// result is a line of the output.
type result struct {
	Line     int64           `json:"line"`
	Key      json.RawMessage `json:"key,omitempty"`
	CustomID json.RawMessage `json:"custom_id,omitempty"`
	Label    string          `json:"label,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
	Error    json.RawMessage `json:"error,omitempty"`
}

// result returns the line of a request that ended with a status and a body, which is JSON.
func (r *request) result(status int, body []byte) result {
	line := result{Line: r.line, Label: r.label}
	well := status >= 200 && status < 300
	switch {
	case r.openai:
		line.CustomID = r.key
		response, _ := json.Marshal(struct {
			Status int             `json:"status_code"`
			Body   json.RawMessage `json:"body"`
		}{status, body})
		if line.Response = response; well {
			line.Error = json.RawMessage("null")
		} else {
			line.Error = errorIn(body)
		}
	case well:
		line.Key, line.Response = r.key, body
	default:
		line.Key, line.Error = r.key, errorIn(body)
	}
	return line
}

// errorIn returns what a body of Google's or OpenAI's says of an error: all of it if it has no such
// part. It is never null, which would say that there was none.
func errorIn(body []byte) json.RawMessage {
	var b struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &b) == nil && len(b.Error) > 0 && !bytes.Equal(b.Error, []byte("null")) {
		return b.Error
	}
	if bytes.Equal(body, []byte("null")) {
		return json.RawMessage("{}")
	}
	return body
}

// failure returns the body of an error that no server has sent.
func failure(status int, code, message string) []byte {
	type body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	text, _ := json.Marshal(map[string]body{"error": {status, message, code}})
	return text
}
