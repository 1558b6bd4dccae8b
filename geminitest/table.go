package geminitest

import (
	"net/http"
	"strings"
)

// apiMethod is one method of Google's that is about resources: where it lies, and what answers it.
type apiMethod struct {
	backends string // "gemini", "vertex" or both
	verb     string
	path     string // after version and place: "files/{}"; {} is any name, {model} a model, ** the rest; a ":verb" may follow the last
	method   string // as in [Match]

	answer func(*Emulator, call, object) (any, *Answer)  // either this, for JSON both ways,
	serve  func(*Emulator, *reply, call, []byte) *Answer // or this, for all else; it returns a refusal that it has not sent
	coded  bool                                          // errors come in the way of the Interactions API
}

const both = gemini + " " + vertex

// The methods that are treated apart somewhere.
const (
	filesRegister      = "files.register"
	filesDownload      = "files.download"
	interactionsCreate = "interactions.create"
	interactionsGet    = "interactions.get"
)

// table lists the methods that are about resources. Those that generate, count, embed and list base
// models are read by readModels.
var table = func() map[string][]apiMethod {
	const (
		get, post, patch, del, put = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodPut
		google                     = "publishers/google/models/{model}"
	)
	one, list, remove := (*Emulator).getResource, (*Emulator).listResources, (*Emulator).deleteResource
	entries := []apiMethod{
		{backends: gemini, verb: post, path: "upload/files", method: "files.create", serve: (*Emulator).startFile},
		{backends: gemini, verb: post, path: "files:register", method: filesRegister, answer: (*Emulator).registerFiles},
		{backends: gemini, verb: get, path: "files", method: "files.list", answer: list},
		{backends: gemini, verb: get, path: "files/{}", method: "files.get", answer: one},
		{backends: gemini, verb: del, path: "files/{}", method: "files.delete", answer: remove},
		{backends: gemini, verb: get, path: "files/{}:download", method: filesDownload, serve: (*Emulator).redirectDownload},
		{backends: gemini, verb: get, path: "download/files/{}:download", method: filesDownload, serve: (*Emulator).downloadFile},

		{backends: both, verb: post, path: "cachedContents", method: "cachedContents.create", answer: (*Emulator).createCache},
		{backends: both, verb: get, path: "cachedContents", method: "cachedContents.list", answer: list},
		{backends: both, verb: get, path: "cachedContents/{}", method: "cachedContents.get", answer: one},
		{backends: both, verb: patch, path: "cachedContents/{}", method: "cachedContents.update", answer: (*Emulator).updateCache},
		{backends: both, verb: del, path: "cachedContents/{}", method: "cachedContents.delete", answer: remove},

		{backends: gemini, verb: post, path: "models/{model}:batchGenerateContent", method: "batches.create", answer: (*Emulator).createBatch},
		{backends: gemini, verb: post, path: "models/{model}:asyncBatchEmbedContent", method: "batches.createEmbeddings", answer: (*Emulator).createBatch},
		{backends: gemini, verb: get, path: "batches", method: "batches.list", answer: list},
		{backends: gemini, verb: get, path: "batches/{}", method: "batches.get", answer: one},
		{backends: gemini, verb: del, path: "batches/{}", method: "batches.delete", answer: remove},
		{backends: gemini, verb: post, path: "batches/{}:cancel", method: "batches.cancel", answer: (*Emulator).cancelJob},
		{backends: vertex, verb: post, path: "batchPredictionJobs", method: "batchPredictionJobs.create", answer: (*Emulator).createPredictionJob},
		{backends: vertex, verb: get, path: "batchPredictionJobs", method: "batchPredictionJobs.list", answer: list},
		{backends: vertex, verb: get, path: "batchPredictionJobs/{}", method: "batchPredictionJobs.get", answer: one},
		{backends: vertex, verb: del, path: "batchPredictionJobs/{}", method: "batchPredictionJobs.delete", answer: remove},
		{backends: vertex, verb: post, path: "batchPredictionJobs/{}:cancel", method: "batchPredictionJobs.cancel", answer: (*Emulator).cancelJob},

		{backends: gemini, verb: post, path: "tunedModels", method: "tunedModels.create", answer: (*Emulator).createTunedModel},
		{backends: gemini, verb: get, path: "tunedModels", method: "tunedModels.list", answer: list},
		{backends: gemini, verb: get, path: "tunedModels/{}", method: "tunedModels.get", answer: one},
		{backends: gemini, verb: patch, path: "tunedModels/{}", method: "tunedModels.update", answer: (*Emulator).updateModel},
		{backends: gemini, verb: del, path: "tunedModels/{}", method: "tunedModels.delete", answer: remove},
		{backends: gemini, verb: post, path: "tunedModels/{}:cancel", method: "tunedModels.cancel", answer: (*Emulator).cancelJob},
		{backends: gemini, verb: get, path: "tunedModels/{}/operations/{}", method: "operations.get", answer: one},
		{backends: vertex, verb: post, path: "tuningJobs", method: "tuningJobs.create", answer: (*Emulator).createTuningJob},
		{backends: vertex, verb: get, path: "tuningJobs", method: "tuningJobs.list", answer: list},
		{backends: vertex, verb: get, path: "tuningJobs/{}", method: "tuningJobs.get", answer: one},
		{backends: vertex, verb: post, path: "tuningJobs/{}:cancel", method: "tuningJobs.cancel", answer: (*Emulator).cancelJob},
		{backends: vertex, verb: post, path: "tuningJobs:validateReinforcementTuningReward", method: "tuningJobs.validateReward", answer: (*Emulator).validateReward},
		{backends: vertex, verb: get, path: "models", method: "models.listTuned", answer: list},
		{backends: vertex, verb: get, path: "models/{}", method: "models.getTuned", answer: one},
		{backends: vertex, verb: patch, path: "models/{}", method: "models.update", answer: (*Emulator).updateModel},
		{backends: vertex, verb: del, path: "models/{}", method: "models.delete", answer: remove},
		{backends: gemini, verb: patch, path: "models/{model}", method: "models.update", answer: (*Emulator).keepBaseModel},
		{backends: gemini, verb: del, path: "models/{model}", method: "models.delete", answer: (*Emulator).keepBaseModel},
		{backends: vertex, verb: patch, path: google, method: "models.update", answer: (*Emulator).keepBaseModel},
		{backends: vertex, verb: del, path: google, method: "models.delete", answer: (*Emulator).keepBaseModel},

		{backends: gemini, verb: post, path: "models/{model}:predictLongRunning", method: predictLongRunning, serve: (*Emulator).startVideos},
		{backends: gemini, verb: get, path: "models/{model}/operations/{}", method: "operations.get", answer: one},
		{backends: vertex, verb: post, path: google + ":predictLongRunning", method: predictLongRunning, serve: (*Emulator).startVideos},
		{backends: vertex, verb: post, path: google + ":fetchPredictOperation", method: "operations.fetch", answer: (*Emulator).fetchOperation},
		{backends: vertex, verb: post, path: google + ":computeTokens", method: "computeTokens", answer: (*Emulator).computeTokens},
		{backends: vertex, verb: get, path: "operations/{}", method: "operations.get", answer: one},

		{backends: gemini, verb: post, path: "fileSearchStores", method: "fileSearchStores.create", answer: (*Emulator).createStore},
		{backends: gemini, verb: get, path: "fileSearchStores", method: "fileSearchStores.list", answer: list},
		{backends: gemini, verb: get, path: "fileSearchStores/{}", method: "fileSearchStores.get", answer: one},
		{backends: gemini, verb: del, path: "fileSearchStores/{}", method: "fileSearchStores.delete", answer: remove},
		{backends: gemini, verb: post, path: "upload/fileSearchStores/{}:uploadToFileSearchStore", method: "fileSearchStores.uploadToFileSearchStore", serve: (*Emulator).startDocument},
		{backends: gemini, verb: post, path: "fileSearchStores/{}:importFile", method: "fileSearchStores.importFile", answer: (*Emulator).importFile},
		{backends: gemini, verb: get, path: "fileSearchStores/{}/operations/{}", method: "operations.get", answer: one},
		{backends: gemini, verb: get, path: "fileSearchStores/{}/upload/operations/{}", method: "operations.get", answer: one},
		{backends: gemini, verb: get, path: "fileSearchStores/{}/documents", method: "documents.list", answer: list},
		{backends: gemini, verb: get, path: "fileSearchStores/{}/documents/{}", method: "documents.get", answer: one},
		{backends: gemini, verb: del, path: "fileSearchStores/{}/documents/{}", method: "documents.delete", answer: remove},
		{backends: gemini, verb: get, path: "fileSearchStores/{}/media/{}", method: "fileSearchStores.downloadMedia", serve: (*Emulator).downloadMedia},

		{backends: gemini, verb: post, path: "auth_tokens", method: "auth_tokens.create", answer: (*Emulator).createToken},

		{backends: both, verb: post, path: "interactions", method: interactionsCreate, serve: (*Emulator).createInteraction, coded: true},
		{backends: both, verb: get, path: "interactions/{}", method: interactionsGet, serve: (*Emulator).getInteraction, coded: true},
		{backends: both, verb: del, path: "interactions/{}", method: "interactions.delete", answer: remove, coded: true},
		{backends: both, verb: post, path: "interactions/{}/cancel", method: "interactions.cancel", answer: (*Emulator).cancelInteraction, coded: true},

		{backends: gemini, verb: post, path: "openai/chat/completions", method: openAIChat, serve: (*Emulator).chat},
		{backends: gemini, verb: post, path: "openai/embeddings", method: openAIEmbeddings, serve: (*Emulator).embedOpenAI},
		{backends: gemini, verb: get, path: "openai/models", method: openAIModels, answer: (*Emulator).listOpenAI},
		{backends: gemini, verb: get, path: "openai/models/{model}", method: openAIModel, answer: (*Emulator).getOpenAI},
		{backends: vertex, verb: post, path: "endpoints/openapi/chat/completions", method: openAIChat, serve: (*Emulator).chat},
		{backends: vertex, verb: post, path: "endpoints/openapi/embeddings", method: openAIEmbeddings, serve: (*Emulator).embedOpenAI},

		{backends: both, verb: post, path: "environments", method: "environments.create", answer: (*Emulator).createEnvironment, coded: true},
		{backends: both, verb: get, path: "environments/{}/files/**", method: "environments.files", serve: (*Emulator).environmentFiles, coded: true},
		{backends: both, verb: put, path: "upload/environments/{}/files/**", method: "environments.startUpload", serve: (*Emulator).startEnvironmentFile, coded: true},
	}
	// The collections around the Interactions API are all alike.
	for collection, create := range map[string]func(*Emulator, call, object) (any, *Answer){
		"agents": (*Emulator).createAgent, "credentials": (*Emulator).createCredential, "voices": (*Emulator).createVoice,
		"webhooks": (*Emulator).createWebhook, "environments": nil,
	} {
		if create != nil {
			entries = append(entries, apiMethod{backends: both, verb: post, path: collection, method: collection + ".create", answer: create, coded: true})
		}
		entries = append(entries,
			apiMethod{backends: both, verb: get, path: collection, method: collection + ".list", answer: list, coded: true},
			apiMethod{backends: both, verb: get, path: collection + "/{}", method: collection + ".get", answer: one, coded: true},
			apiMethod{backends: both, verb: del, path: collection + "/{}", method: collection + ".delete", answer: remove, coded: true},
		)
	}
	entries = append(entries,
		apiMethod{backends: both, verb: patch, path: "credentials/{}", method: "credentials.update", answer: (*Emulator).updateCredential, coded: true},
		apiMethod{backends: both, verb: patch, path: "webhooks/{}", method: "webhooks.update", answer: (*Emulator).updateWebhook, coded: true},
		apiMethod{backends: both, verb: post, path: "webhooks/{}:ping", method: "webhooks.ping", answer: (*Emulator).pingWebhook, coded: true},
		apiMethod{backends: both, verb: post, path: "webhooks/{}:rotateSigningSecret", method: "webhooks.rotateSigningSecret", answer: (*Emulator).rotateSecret, coded: true},
	)
	for _, method := range []string{generateContent, streamGenerateContent, countTokens} { // of tuned models; serve does the rest
		entries = append(entries,
			apiMethod{backends: gemini, verb: post, path: "tunedModels/{}:" + method, method: method},
			apiMethod{backends: vertex, verb: post, path: "endpoints/{}:" + method, method: method},
		)
	}
	byCollection := map[string][]apiMethod{}
	for _, r := range entries {
		first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.path, "upload/"), "download/"), "/")
		first, _, _ = strings.Cut(first, ":")
		byCollection[first] = append(byCollection[first], r)
	}
	return byCollection
}()

// readTable looks the rest of a path up: what comes after version and place.
func (c *route) readTable(verb string, rest []string) {
	first, _, _ := strings.Cut(rest[0], ":")
	if c.session != "" {
		c.method = first + ".upload"
		return
	}
	if c.upload {
		rest = append([]string{"upload"}, rest...)
	}
	if c.download {
		rest = append([]string{"download"}, rest...)
	}
	for _, r := range table[first] {
		if r.verb == verb && strings.Contains(r.backends, c.backend) && c.matches(r.path, rest) {
			c.method, c.answer, c.serve, c.coded = r.method, r.answer, r.serve, r.coded
			if r.answer == nil && r.serve == nil {
				c.tuned, c.model = c.resource, c.resource
			}
			return
		}
	}
}

// matches compares a path with a pattern, and takes out of it the model, the resource, and the
// tail.
func (c *route) matches(pattern string, segments []string) bool {
	wanted := strings.Split(pattern, "/")
	tail := wanted[len(wanted)-1] == "**"
	if tail {
		wanted = wanted[:len(wanted)-1]
	}
	if len(segments) < len(wanted) || !tail && len(segments) != len(wanted) {
		return false
	}
	var name []string
	model := ""
	for i, want := range wanted {
		segment := segments[i]
		if i == 0 && (want == "upload" || want == "download") {
			if segment != want {
				return false
			}
			continue
		}
		placeholder, verb, _ := strings.Cut(want, ":")
		id, called, _ := strings.Cut(segment, ":")
		if placeholder == "{}" || placeholder == "{model}" {
			if id == "" || called != verb {
				return false
			}
			if placeholder == "{model}" {
				model = id
			}
		} else if segment != want {
			return false
		}
		name = append(name, id)
	}
	if model != "" {
		c.model = model
	}
	switch last := wanted[len(wanted)-1]; {
	case strings.HasPrefix(last, "{model}"):
	case tail: // environments/E/files/**
		c.resource, c.tail = strings.Join(name[:2], "/"), strings.Join(segments[len(wanted):], "/")
	case strings.HasPrefix(last, "{}"):
		c.resource = strings.Join(name, "/")
	case len(name) == 3 && last == "cancel": // interactions/I/cancel
		c.resource = strings.Join(name[:2], "/")
	case len(name) > 2: // fileSearchStores/S/documents
		c.parent = strings.Join(name[:len(name)-1], "/")
		fallthrough
	default:
		c.collection = name[len(name)-1]
	}
	return true
}
