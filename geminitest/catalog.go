package geminitest

import (
	"slices"
	"strconv"
	"strings"
)

// has reports whether a project has a model in a location, "" for the Gemini Developer API.
func (e *Emulator) has(p *Project, location, model string) bool {
	if !e.models[model] || len(p.Models) > 0 && !fitsAny(p.Models, model) {
		return false
	}
	there, restricted := p.Locations[location]
	return location == "" || !restricted || fitsAny(there, model)
}

// missing is the 404 for a model that the project does not have there, or that does not offer the
// method.
func (e *Emulator) missing(c call) *Answer {
	exists := e.has(c.owner, c.location, c.model)
	offers := offered(c.backend, c.model, c.method)
	switch {
	case exists && offers:
		return nil
	case c.backend == gemini:
		return new(modelMissing(printable(c.model), c.version, c.method))
	case exists && c.method == predict && isEmbedding(c.model):
		return new(FailedPrecondition("Precondition check failed."))
	case exists:
		return new(InvalidArgument("The model " + c.model + " does not support " + c.method + "."))
	}
	project := c.project
	if project == "" {
		project = c.owner.ID
	}
	return new(PublisherModelMissing(project, c.location, printable(c.model)))
}

// offered reports whether a model offers a method: models of words, of vectors, of pictures and of
// videos each have their own, and all count tokens. On Vertex AI older models of vectors know no
// batches, and from gemini-embedding-2 on they do not predict.
func offered(backend, model, method string) bool {
	switch method {
	case countTokens, "computeTokens":
		return true
	case predict:
		return isEmbedding(model) && !strings.HasPrefix(model, "gemini-embedding-2") || makesPictures(model)
	case batchEmbedContents:
		return isEmbedding(model) && (backend == gemini || strings.HasPrefix(model, "gemini-"))
	case embedContent, "batches.createEmbeddings":
		return isEmbedding(model)
	case predictLongRunning:
		return makesVideos(model)
	case bidiGenerateContent:
		return isLive(model)
	}
	return !isEmbedding(model) && !makesPictures(model) && !makesVideos(model)
}

// entryOf describes a model.
func entryOf(c call, model string) map[string]any {
	if c.backend == vertex {
		return map[string]any{
			"name": "publishers/google/models/" + model, "versionId": "default", "launchStage": "GA", "openSourceCategory": "PROPRIETARY",
		}
	}
	offers := []string{generateContent, countTokens, "createCachedContent", "batchGenerateContent"}
	switch {
	case isEmbedding(model):
		offers = []string{embedContent, countTokens, "asyncBatchEmbedContent"}
	case makesPictures(model):
		offers = []string{predict}
	case makesVideos(model):
		offers = []string{predictLongRunning}
	case isLive(model):
		offers = []string{bidiGenerateContent, countTokens}
	}
	return map[string]any{
		"name": "models/" + model, "version": "001", "displayName": model, "description": "An emulated model.",
		"inputTokenLimit": maxInputTokens, "outputTokenLimit": maxOutputTokens, "supportedGenerationMethods": offers,
	}
}

// listModels answers with one page of the models, 50 unless pageSize says otherwise.
func (e *Emulator) listModels(p *reply, c call) {
	var list []any
	for _, model := range e.cfg.Models {
		if e.has(c.owner, c.location, model) {
			list = append(list, entryOf(c, model))
		}
	}
	query := func(name string) int {
		n, _ := strconv.Atoi(c.query.Get(name))
		return n
	}
	size, from := query("pageSize"), min(max(0, query("pageToken")), len(list))
	if size <= 0 {
		size = 50
	}
	to := min(from+min(size, 1000), len(list))
	name := "models"
	if c.backend == vertex {
		name = "publisherModels"
	}
	page := map[string]any{name: append([]any{}, slices.Clone(list[from:to])...)}
	if to < len(list) {
		page["nextPageToken"] = strconv.Itoa(to)
	}
	p.json(page)
}

// getModel answers with one model.
func (e *Emulator) getModel(p *reply, c call) {
	switch {
	case e.has(c.owner, c.location, c.model):
		p.json(entryOf(c, c.model))
	case c.backend == gemini:
		p.refuse(fault(404, "NOT_FOUND", "models/"+printable(c.model)+" is not found for API version "+c.version+"."))
	default:
		p.refuse(fault(404, "NOT_FOUND", "Publisher Model `publishers/google/models/"+printable(c.model)+"` not found."))
	}
}
