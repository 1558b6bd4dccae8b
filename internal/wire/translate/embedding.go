package translate

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// maxGeminiBatch is how many contents the Gemini API embeds in one call. It refuses more: "at most
// 100 requests can be in one batch".
const maxGeminiBatch = 100

// embedding is one content to embed, in pieces of the request's body. A missing piece is nil.
type embedding struct {
	content                     []byte // a Content, or
	text                        []byte // the JSON string that is all of it
	taskType, title, dimensions []byte
}

// embeddings are the contents of a call in either dialect, and the reasons why the other one cannot
// express it.
type embeddings struct {
	to    pool.Backend
	all   []embedding
	lacks []string
}

// embed translates a call for embeddings. The Gemini API has batchEmbedContents, and embedContent
// for one content. Vertex AI has predict for some models and embedContent for others.
func (t *Translation) embed(h http.Header) []string {
	e := embeddings{to: t.Call.Backend}
	switch {
	case t.Call.Method == "predict":
		if !e.instances(t.Body) {
			return []string{t.Call.Model + ":predict has no counterpart on " + request.BackendName(e.to)}
		}
	case t.Call.Method == "batchEmbedContents":
		e.requests(t.Body)
	case t.from.Backend == pool.BackendGemini:
		e.request(t.Body, "")
	default:
		e.content(t.Body)
	}
	if tier, ok := parseTier(h.Get(sharedRequestType)); e.to == pool.BackendGemini && (!ok || tier != tierStandard) {
		e.lack(sharedRequestType + " with embeddings")
	}
	if t.Call.SelectsFields() {
		e.lack("a choice of fields (fields=) of embeddings")
	}
	switch {
	case e.to == pool.BackendGemini:
		t.Call.SetVerb("batchEmbedContents")
		t.Body = e.asRequests(bareModel(t.Call.Model))
	case embedsContent(t.Call.Model):
		t.Call.SetVerb("embedContent")
		t.Body = e.asContent(t.Call.Model)
	default:
		t.Call.SetVerb("predict")
		t.Body = e.asInstances(t.Call.Model)
	}
	return e.lacks
}

// embedsContent reports whether Vertex AI embeds with the model by embedContent, one content a
// call, and not by predict. Source: tIsVertexEmbedContentModel in transformer.go of genai v1.77.0.
func embedsContent(model string) bool {
	return strings.Contains(model, "gemini") && model != "gemini-embedding-001" || strings.Contains(model, "maas")
}

// bareModel returns a model's id as bodies name it.
func bareModel(model string) string {
	if id, err := url.PathUnescape(model); err == nil {
		return id
	}
	return model
}

func (e *embeddings) lack(what string) { e.say(notTaken(what, e.to)) }

// say adds a reason, once.
func (e *embeddings) say(reason string) {
	if !slices.Contains(e.lacks, reason) {
		e.lacks = append(e.lacks, reason)
	}
}

// requests reads a batchEmbedContents of the Gemini API.
func (e *embeddings) requests(body []byte) {
	for c := jsonscan.Object(body); c.Member(); {
		name := jsonscan.CamelCase(c.Key)
		switch value := c.Raw(); name {
		case "model":
		case "requests":
			jsonscan.Each(value, func(request []byte) { e.request(request, "requests.") })
		default:
			e.lack(name)
		}
	}
}

// request reads an embedContent of the Gemini API, or one of a batch.
func (e *embeddings) request(request []byte, prefix string) {
	var one embedding
	for c := jsonscan.Object(request); c.Member(); {
		name, value := jsonscan.CamelCase(c.Key), c.Raw()
		if jsonscan.IsNull(value) || name == "model" || one.setting(name, value) {
			continue
		}
		if name == "content" {
			e.take(&one, value)
			continue
		}
		e.lack(prefix + name)
	}
	e.all = append(e.all, one)
}

// instances reads a predict of Vertex AI. It reports whether the call embeds text: other models
// predict too.
func (e *embeddings) instances(body []byte) (text bool) {
	var dimensions []byte
	for c := jsonscan.Object(body); c.Member(); {
		name := string(c.Key)
		switch value := c.Raw(); name {
		case "instances":
			text = true
			jsonscan.Each(value, func(instance []byte) { text = e.instance(instance) && text })
		case "parameters":
			for p := jsonscan.Object(value); p.Member(); {
				name, value := jsonscan.CamelCase(p.Key), p.Raw()
				switch {
				case jsonscan.IsNull(value):
				case name == "outputDimensionality":
					dimensions = value
				default:
					e.lack("parameters." + name)
				}
			}
		default:
			e.lack(name)
		}
	}
	for i := range e.all {
		e.all[i].dimensions = dimensions
	}
	return text && len(e.all) > 0
}

func (e *embeddings) instance(instance []byte) (text bool) {
	var one embedding
	for c := jsonscan.Object(instance); c.Member(); {
		name, value := jsonscan.CamelCase(c.Key), c.Raw()
		switch {
		case jsonscan.IsNull(value):
		case name == "content" && jsonscan.IsString(value):
			one.text = value
		case name == "taskType", name == "title":
			one.setting(name, value)
		default:
			e.lack("instances." + name)
		}
	}
	e.all = append(e.all, one)
	return one.text != nil
}

// content reads an embedContent of Vertex AI. Its settings are in embedContentConfig, and were once
// beside the content.
func (e *embeddings) content(body []byte) {
	var one embedding
	for c := jsonscan.Object(body); c.Member(); {
		name, value := jsonscan.CamelCase(c.Key), c.Raw()
		switch {
		case jsonscan.IsNull(value), name == "model":
		case name == "content":
			e.take(&one, value)
		case name == "embedContentConfig":
			for s := jsonscan.Object(value); s.Member(); {
				name, value := jsonscan.CamelCase(s.Key), s.Raw()
				if !jsonscan.IsNull(value) && !one.setting(name, value) {
					e.lack("embedContentConfig." + name)
				}
			}
		case one.setting(name, value):
		default:
			e.lack(name)
		}
	}
	e.all = append(e.all, one)
}

// take stores a Content.
func (e *embeddings) take(one *embedding, content []byte) {
	one.content, one.text = content, onlyText(content)
	for _, reason := range contentShape.lacks(e.to, content) {
		e.say(reason)
	}
}

// setting takes a setting that both back ends have.
func (o *embedding) setting(name string, value []byte) bool {
	switch name {
	case "taskType":
		o.taskType = value
	case "title":
		o.title = value
	case "outputDimensionality":
		o.dimensions = value
	default:
		return false
	}
	return true
}

// asRequests writes a batchEmbedContents of the Gemini API.
func (e *embeddings) asRequests(model string) []byte {
	if len(e.all) > maxGeminiBatch {
		e.lack("a batch of " + strconv.Itoa(len(e.all)) + " embeddings")
	}
	name, _ := json.Marshal("models/" + model)
	out := []byte(`{"requests":[`)
	for i, one := range e.all {
		if i > 0 {
			out = append(out, ',')
		}
		content := one.content
		if content == nil && one.text != nil {
			content = append(append([]byte(`{"parts":[{"text":`), one.text...), `}],"role":"user"}`...)
		}
		out = append(out, newObject(member{"content", content}, member{"model", name}, member{"taskType", one.taskType},
			member{"title", one.title}, member{"outputDimensionality", one.dimensions})...)
	}
	return append(out, "]}"...)
}

// asInstances writes a predict of Vertex AI, which takes texts, and one size for all of them.
func (e *embeddings) asInstances(model string) []byte {
	out := []byte(`{"instances":[`)
	var dimensions []byte
	for i, one := range e.all {
		if i > 0 {
			out = append(out, ',')
			if !bytes.Equal(dimensions, one.dimensions) {
				e.lack("outputDimensionality that differs within a batch")
			}
		}
		dimensions = one.dimensions
		if one.text == nil {
			e.say("Vertex AI embeds nothing but one text each with " + model)
		}
		out = append(out, newObject(member{"content", one.text}, member{"task_type", one.taskType}, member{"title", one.title})...)
	}
	out = append(out, ']')
	if dimensions != nil {
		out = append(append(out, `,"parameters":`...), newObject(member{"outputDimensionality", dimensions})...)
	}
	return append(out, '}')
}

// asContent writes an embedContent of Vertex AI, which takes one content.
func (e *embeddings) asContent(model string) []byte {
	if len(e.all) != 1 {
		e.say("Vertex AI embeds one content a call with " + model + ", not " + strconv.Itoa(len(e.all)))
		return nil
	}
	one := e.all[0]
	config := newObject(member{"taskType", one.taskType}, member{"title", one.title}, member{"outputDimensionality", one.dimensions})
	if string(config) == "{}" {
		config = nil
	}
	return newObject(member{"content", one.content}, member{"embedContentConfig", config})
}

// onlyText returns the text, as a JSON string, of a Content with nothing but one text. It returns
// nil for any other Content. The role means nothing to an embedding.
func onlyText(content []byte) (text []byte) {
	for c := jsonscan.Object(content); c.Member(); {
		name, value := jsonscan.CamelCase(c.Key), c.Raw()
		switch {
		case name == "role", jsonscan.IsNull(value):
		case name == "parts":
			parts := 0
			jsonscan.Each(value, func(part []byte) {
				parts++
				for p := jsonscan.Object(part); p.Member(); {
					name, value := jsonscan.CamelCase(p.Key), p.Raw()
					if name == "text" && jsonscan.IsString(value) && parts == 1 && text == nil {
						text = value
					} else {
						parts = 2
					}
				}
			})
			if parts != 1 {
				return nil
			}
		default:
			return nil
		}
	}
	return text
}

// member is a member of a new object.
type member struct {
	name  string
	value []byte // nil: the object does not get the member
}

// newObject returns an object of the members with a value.
func newObject(members ...member) []byte {
	var out []byte
	for _, m := range members {
		if m.value != nil {
			out = jsonscan.AppendMember(out, []byte(`"`+m.name+`":`), m.value)
		}
	}
	return jsonscan.CloseObject(out)
}
