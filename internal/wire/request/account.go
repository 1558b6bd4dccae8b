package request

import (
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// other is the account of methods, versions and tools that Google does not have, or that are newer
// than this program. All of them share it, so that their number is bounded.
const other = "other"

// accounts are the methods whose quota, permission and health are not those of generating. Google
// counts and refuses each by itself. Methods that only differ in form share an account.
var accounts = map[string]string{
	"generateContent": "", "streamGenerateContent": "", "rawPredict": "", "streamRawPredict": "",
	"bidiGenerateContent": "", "interactions.create": "",
	"embedContent": "embedContent", "batchEmbedContents": "embedContent",
	"countTokens": "countTokens", "computeTokens": "countTokens",
	"predict": "predict", "serverStreamingPredict": "predict",
	"predictLongRunning": "predictLongRunning", "fetchPredictOperation": "operations.get",
	"batchGenerateContent": "batches.create", "asyncBatchEmbedContent": "batches.create",
}

// collections and verbs are those of the methods on resources.
var (
	collections = []string{
		"files", "cachedContents", "batches", "batchPredictionJobs", "tunedModels", "tuningJobs", "operations",
		"models", "fileSearchStores", "documents", "corpora", "chunks", "permissions", "ragCorpora", "ragFiles",
		"interactions", "agents", "environments", "endpoints", "reasoningEngines", "webhooks",
	}
	verbs = []string{
		"get", "list", "create", "update", "delete", "upload", "download", "register", "cancel", "importFile",
		"query", "transferOwnership",
	}
)

// versions are those of Google's paths.
var versions = []string{"v1", "v1beta", "v1alpha", "v1beta1", "v1beta2", "v1beta3"}

// Shared reports whether calls of the kind share an account with others that have nothing in common
// with them: what Google says of one of them says nothing of another.
func Shared(a *pool.Asked) bool {
	return a.Method == other || a.Version == other
}

// Asked returns which of Google's accounts the call belongs to. method is the HTTP method.
func (c *Call) Asked(method string) pool.Asked {
	return pool.Asked{Method: c.account(method), Version: c.askedVersion(), Tools: c.Use.tools}
}

// account returns the name of the account that the call's method belongs to; "" is that of
// generating.
func (c *Call) account(method string) string {
	name := c.Method
	if name == "" {
		return c.openAIAccount()
	}
	collection, verb, standard := strings.Cut(name, ".")
	if account, ok := accounts[name]; ok {
		if method == http.MethodPost || name == "bidiGenerateContent" {
			return account
		}
		return other
	}
	if !standard || !slices.Contains(collections, collection) || !slices.Contains(verbs, verb) {
		return other
	}
	return name
}

// openAIAccount returns the account of a call in OpenAI's dialect.
func (c *Call) openAIAccount() string {
	path, ok := c.address.openAIPath()
	switch {
	case !ok:
		return other
	case path == chatCompletions:
		return ""
	case path == embeddings:
		return "embedContent"
	case segment(path, 0) == "models":
		return "models.get"
	default:
		return other
	}
}

// askedVersion returns the version of the API that the call asks. OpenAI's dialect is a version of
// its own: what it lacks the others may have.
func (c *Call) askedVersion() string {
	switch {
	case c.Version == "":
		return ""
	case !slices.Contains(versions, c.Version):
		return other
	case c.Method == "":
		return c.Version + "/openai"
	default:
		return c.Version
	}
}

// serverTools are the tools that Google runs, by the name that a request gives them without
// underscores and in lower case. Some have quotas of their own.
var serverTools = map[string]string{
	"googlesearch": "google_search", "googlesearchretrieval": "google_search", "enterprisewebsearch": "enterprise_web_search",
	"websearch": "google_search", "websearchoptions": "google_search", "googlemaps": "google_maps", "urlcontext": "url_context",
	"codeexecution": "code_execution", "filesearch": "file_search", "retrieval": "retrieval",
	"computeruse": "computer_use", "mcpserver": "mcp_server",
}

// clientTools are the parts of tools that the caller runs.
var clientTools = []string{"functiondeclarations", "function", "parameters"}

// tool notes a tool that Google runs.
func (c *Call) tool(name []byte) {
	folded := strings.ToLower(strings.ReplaceAll(string(name[:min(len(name), 64)]), "_", ""))
	tool, ok := serverTools[folded]
	switch {
	case slices.Contains(clientTools, folded):
		return
	case !ok:
		tool = other
	}
	if tool == "url_context" {
		c.Use.Links = true // the addresses are somewhere in the text
	}
	if !slices.Contains(c.Use.tools, tool) {
		c.Use.tools = append(c.Use.tools, tool)
		slices.Sort(c.Use.tools)
	}
}
