package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
)

// shapes are the paths of the Gemini API on either back end, after version, project and location;
// ID stands for a name. Everything else at Google that takes the pool's credential is not served:
// training jobs, notebooks, the project's settings. Sources: the SDK's methods, and
// https://ai.google.dev/api/all-methods.
var shapes = []string{
	`(?:models|tunedModels|files|generatedFiles|cachedContents|batches|operations|fileSearchStores|ragStores|corpora)(?:/ID)?`,
	`(?:interactions|agents|environments|credentials|voices|webhooks|triggers|auth_tokens|authTokens|dynamic)(?:/ID)?`,
	`(?:batchPredictionJobs|tuningJobs|ragCorpora)(?:/ID)?`,
	`endpoints/ID`,
	`tunedModels/ID/permissions(?:/ID)?`,
	`(?:fileSearchStores|ragStores)/ID/(?:documents|media|upload/operations)(?:/ID)?`,
	`corpora/ID/(?:documents|permissions)(?:/ID)?`,
	`corpora/ID/documents/ID/chunks(?:/ID)?`,
	`ragCorpora/ID/ragFiles(?:/ID)?`,
	`interactions/ID/cancel`,
	`triggers/ID/executions(?:/ID)?`,
	`environments/ID/files/.+`,
	`(?:openai|endpoints/openapi)/(?:chat/completions|embeddings|models(?:/.+)?)`,
	`openai/(?:images/(?:generations|edits)|(?:batches|videos)(?:/.+)?)`,
	`endpoints/ID/chat/completions`,
}

// A model of a publisher's may come with its full name, where the SDK puts it. Vertex AI's clients
// of other makers leave the version to the base URL.
const (
	scoped    = `(?:projects/ID/)?(?:locations/ID/)?`
	published = `(?:models/)?` + scoped + `publishers/ID/models(?:/ID)?`
)

// geminiAPI matches the paths of the Gemini API.
var geminiAPI = regexp.MustCompile(strings.ReplaceAll(
	`^/(?:(?:upload/|download/)?v[0-9]+(?:(?:alpha|beta)[0-9]*)?/`+scoped+`(?:`+published+`|`+strings.Join(shapes, `|`)+`)`+
		`|`+scoped+published+`)(?:/operations(?:/ID)?)?(?::[A-Za-z]+)?/?$`, `ID`, `[^/]+`))

// custom matches what comes behind the colon of a path, and verbs are those of the Gemini API. Others
// administer a project on the same paths: setIamPolicy, deployModel, upload and export of models.
var (
	custom = regexp.MustCompile(`[^/]*:[A-Za-z]+/?$`)
	verbs  = regexp.MustCompile(`:(?:(?:streamG|batchG|bidiG|g)enerateContent|(?:count|compute)Tokens|embedContent|` +
		`batchEmbedContents|asyncBatchEmbedContent|predict(?:LongRunning)?|fetchPredictOperation|` +
		`(?:rawP|streamRawP|directP|serverStreamingP)redict|(?:batchG|g)enerateText|(?:batchE|e)mbedText|countTextTokens|` +
		`generateMessage|countMessageTokens|generateAnswer|update(?:GenerateContent|Embed(?:Content)?)Batch|rebaseTunedModel|` +
		`validateReinforcementTuningReward|cancel|wait|run|query|batch(?:Create|Update|Delete)|transferOwnership|download|` +
		`register|importFile|uploadTo(?:FileSearch|Rag)Store|rotateSigningSecret|ping)/?$|^ragFiles:(?:import|upload)/?$`)
	// endpoint matches the path of a deployed model, which is asked and not changed.
	endpoint = regexp.MustCompile(`/endpoints/[^/:]+/?$`)
)

// served reports whether a path is one of the Gemini API's. It looks at what the router would send,
// not at what came.
func served(method string, u *url.URL) bool {
	call := request.Parse(method, u, nil)
	out := call.URL(request.Target{Backend: call.Backend, Project: "project", Location: "global"})
	switch verb := custom.FindString(out.Path); {
	case !geminiAPI.MatchString(out.Path):
		return false
	case verb != "":
		return verbs.MatchString(verb)
	default:
		return method == http.MethodGet || method == http.MethodHead || !endpoint.MatchString(out.Path)
	}
}

// climbs reports whether a path has segments that a server may take for a way up, however they are
// escaped, or characters that no path of Google's has.
func climbs(escaped string) bool {
	for range maxEscapes {
		for part := range strings.FieldsFuncSeq(escaped, func(r rune) bool { return r == '/' || r == '\\' }) {
			if name, _, _ := strings.Cut(part, ";"); name == "." || name == ".." {
				return true
			}
		}
		plain, err := url.PathUnescape(escaped)
		if err != nil || plain == escaped {
			return strings.ContainsFunc(escaped, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
		}
		escaped = plain
	}
	return true
}

// maxEscapes is how many times a path may be escaped.
const maxEscapes = 4

// inOpenAI reports whether a path is one of OpenAI's dialect, or of OpenAI's own.
func inOpenAI(u *url.URL) bool {
	call := request.Parse(http.MethodPost, u, nil)
	return call.OpenAI() || openAI.MatchString(u.Path)
}

// foreign returns what is wrong with a path that is not the Gemini API's.
func foreign(u *url.URL) string {
	if openAI.MatchString(u.Path) {
		return "Spillway speaks the Gemini API; its OpenAI dialect is at /v1beta/openai, or /openai/v1"
	}
	if inOpenAI(u) {
		return "this is not a path of Google's OpenAI dialect, which has chat/completions, embeddings, models and images/generations"
	}
	if !versioned.MatchString(u.EscapedPath()) {
		return "this is not a path of the Gemini API; its paths begin with a version, such as /v1beta/models"
	}
	return "this is not a path of the Gemini API; Spillway serves nothing else of Google's"
}

// versioned matches what nearly every path of Google's has: a version, followed by something. The
// SDK sends Interactions of Vertex AI with escaped slashes.
var versioned = regexp.MustCompile(`/v[0-9]+(?:(?:alpha|beta)[0-9]*)?(?:/|%2F).`)

// openAI matches the paths of OpenAI's API below its own base URL, and below one that ends too early.
var openAI = regexp.MustCompile(`^(/v[0-9]+)?/(openai(/v1|/[^v].*)?/?$|chat/completions|completions|embeddings|responses|moderations|` +
	`images/|audio/|assistants|threads|vector_stores|fine_tuning/|engines/|realtime|conversations)`)
