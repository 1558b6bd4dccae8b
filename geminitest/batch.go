package geminitest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// createBatch keeps a batch of requests to generate or to embed, of the Gemini Developer API. Its
// answers are made at once, and shown when it is done.
func (e *Emulator) createBatch(c call, in object) (any, *Answer) {
	if refused := e.missing(c); refused != nil {
		return nil, refused
	}
	batch := in.object("batch")
	input := batch.object("inputConfig")
	var output map[string]any
	var answers int
	var refused *Answer
	if name := input.text("fileName"); name != "" {
		output, answers, refused = e.answerFile(c, name)
	} else {
		output, answers, refused = e.answerInline(c, input.object("requests").list("requests"))
	}
	if refused != nil {
		return nil, refused
	}
	r, refused := e.create(c, record{name: "batches/", model: c.model, fields: map[string]any{
		"displayName": batch.text("displayName"), "output": output, "requests": answers, "embeds": c.method != "batches.create",
	}})
	if refused != nil {
		return nil, refused
	}
	return showBatch(e, r, time.Now()), nil
}

// answerInline answers the requests in the body of a batch.
func (e *Emulator) answerInline(c call, requests []any) (output map[string]any, n int, refused *Answer) {
	var answers []any
	for _, item := range requests {
		m, _ := item.(map[string]any)
		one := e.answerItem(c, m)
		if metadata := object(m).object("metadata"); metadata != nil {
			one["metadata"] = map[string]any(metadata)
		}
		answers = append(answers, one)
	}
	if len(answers) == 0 {
		return nil, 0, new(InvalidArgument("* BatchGenerateContentRequest.batch.input_config: input_config is not specified\n"))
	}
	return map[string]any{"inlinedResponses": map[string]any{"inlinedResponses": answers}}, len(answers), nil
}

// answerFile answers the requests in a file of JSON lines, with another file.
func (e *Emulator) answerFile(c call, name string) (output map[string]any, n int, refused *Answer) {
	file, refused := e.find(c, name)
	if refused != nil {
		return nil, 0, refused
	}
	if file.stateAt(time.Now()) != "ACTIVE" {
		return nil, 0, new(FileNotActive(file.id()))
	}
	var answers bytes.Buffer
	lines := bufio.NewScanner(bytes.NewReader(file.content))
	lines.Buffer(nil, maxBody)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		line, refused := readObject(lines.Bytes())
		if refused != nil {
			return nil, 0, refused
		}
		one := e.answerItem(c, line)
		one["key"] = line.text("key")
		answers.Write(encode(one, ""))
		n++
	}
	if n == 0 {
		return nil, 0, new(InvalidArgument("The input file " + file.name + " has no requests."))
	}
	out, refused := e.createFile(c, "files/", "application/jsonl", map[string]any{"source": "GENERATED"}, answers.Bytes())
	if refused != nil {
		return nil, 0, refused
	}
	return map[string]any{"responsesFile": out.name}, n, nil
}

// answerItem answers one request of a batch, or says what is wrong with it.
func (e *Emulator) answerItem(c call, item object) map[string]any {
	one := c.route
	if one.method = generateContent; c.method != "batches.create" {
		one.method = embedContent
	}
	request := item.object("request")
	if n := item.number("outputDimensionality"); n != 0 {
		request = with(request, map[string]any{"outputDimensionality": float64(n)})
	}
	body, _ := json.Marshal(request) // it was JSON before
	asked, refused := readPrompt(one, body)
	if refused == nil {
		refused = e.lookUp(c, &asked)
	}
	if refused != nil {
		code, _, message := refused.problem()
		return map[string]any{"error": map[string]any{"code": code, "message": message}}
	}
	if one.method == embedContent {
		return map[string]any{"response": map[string]any{
			"embedding": map[string]any{"values": vector(c.model, asked, 0)}, "tokenCount": count(asked.tokens),
		}}
	}
	said := e.say(c, asked)
	r := said.event(asked, 0, said.tokens, true)
	r.UsageMetadata, r.ModelVersion = said.counts(asked, "", said.tokens), c.model
	return map[string]any{"response": r}
}

// showBatch shows a batch of the Gemini Developer API, as a long-running operation.
func showBatch(_ *Emulator, r record, now time.Time) map[string]any {
	requests, _ := r.fields["requests"].(int)
	state := r.stateAt(now)
	kind := "GenerateContentBatch"
	if r.fields["embeds"] == true {
		kind = "EmbedContentBatch"
	}
	stats := map[string]any{"requestCount": count(requests)}
	metadata := map[string]any{
		"@type": "type.googleapis.com/google.ai.generativelanguage.v1main." + kind, "name": r.name, "model": "models/" + r.model,
		"displayName": r.fields["displayName"], "state": state, "batchStats": stats,
	}
	jobTimes(metadata, r, now)
	delete(metadata, "startTime")
	shown := map[string]any{"name": r.name, "metadata": metadata}
	switch {
	case !r.done(now):
		stats["pendingRequestCount"] = count(requests)
	case state == r.kind.finished:
		stats["successfulRequestCount"] = count(requests)
		metadata["output"], shown["response"], shown["done"] = r.fields["output"], r.fields["output"], true
	default:
		stats["failedRequestCount"] = count(requests)
		shown["done"], shown["error"] = true, map[string]any{"code": 1, "message": "The batch has ended as " + state + "."}
	}
	return shown
}

// createPredictionJob keeps a batch prediction job of Vertex AI. What it reads and writes lies in
// buckets, which are not emulated.
func (e *Emulator) createPredictionJob(c call, in object) (any, *Answer) {
	named := in.text("model")
	of := c
	of.model, of.method = named[strings.LastIndexByte(named, '/')+1:], generateContent
	if isEmbedding(of.model) {
		of.method = embedContent
	}
	switch {
	case named == "" || in.object("inputConfig") == nil:
		return nil, new(InvalidArgument("Invalid BatchPredictionJob: model and inputConfig are required."))
	case strings.Contains("/"+named, "/publishers/"):
		if refused := e.missing(of); refused != nil {
			return nil, refused
		}
	default:
		if _, refused := e.find(c, named); refused != nil {
			return nil, refused
		}
	}
	fields := map[string]any{}
	for _, name := range []string{"model", "displayName", "inputConfig", "outputConfig", "labels"} {
		if v := in.field(name); v != nil {
			fields[name] = v
		}
	}
	r, refused := e.create(c, record{name: "batchPredictionJobs/", fields: fields})
	if refused != nil {
		return nil, refused
	}
	return showPredictionJob(e, r, time.Now()), nil
}

// showPredictionJob shows a batch prediction job.
func showPredictionJob(e *Emulator, r record, now time.Time) map[string]any {
	shown := with(r.fields, map[string]any{"name": r.full(e), "state": r.stateAt(now)})
	jobTimes(shown, r, now)
	if shown["state"] == r.kind.finished {
		shown["completionStats"] = map[string]any{"successfulCount": "1"}
		config, _ := r.fields["outputConfig"].(map[string]any)
		if prefix := object(config).object("gcsDestination").text("outputUriPrefix"); prefix != "" {
			shown["outputInfo"] = map[string]any{"gcsOutputDirectory": strings.TrimSuffix(prefix, "/") + "/prediction-model-" + r.id()}
		}
	}
	return shown
}
