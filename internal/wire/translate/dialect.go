package translate

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// The two back ends read the same JSON except for the fields listed here, under their names on the
// wire. Any other field passes, including those of a future SDK. Source: the …ToMldev and …ToVertex
// converters in models.go of genai v1.77.0, which refuse the fields of the other back end. A test
// compares the two.
var (
	partsOnlyGemini = []string{
		"functionResponse.parts.mediaProcessing",
		"functionResponse.willContinue",
		"partMetadata",
		"toolCall",
		"toolResponse",
	}
	partsOnlyVertex = []string{
		"functionCall.partialArgs",
		"functionCall.willContinue",
	}
	generateOnlyGemini = []string{
		"generationConfig.enableEnhancedCivicAnswers",
		"generationConfig.speechConfig.multiSpeakerVoiceConfig.speakerVoiceConfigs.voiceConfig.replicatedVoiceConfig.consentAudio",
		"generationConfig.speechConfig.multiSpeakerVoiceConfig.speakerVoiceConfigs.voiceConfig.replicatedVoiceConfig.voiceConsentSignature",
		"generationConfig.speechConfig.voiceConfig.replicatedVoiceConfig.consentAudio",
		"generationConfig.speechConfig.voiceConfig.replicatedVoiceConfig.voiceConsentSignature",
		"store",
		"toolConfig.includeServerSideToolInvocations",
		"tools.fileSearch",
		"tools.mcpServers.name",
		"tools.mcpServers.streamableHttpTransport",
	}
	generateOnlyVertex = []string{
		"generationConfig.audioTimestamp",
		"generationConfig.imageConfig.imageOutputOptions",
		"generationConfig.imageConfig.personGeneration",
		"generationConfig.imageConfig.prominentPeople",
		"generationConfig.modelConfig",
		"generationConfig.routingConfig",
		"modelArmorConfig",
		"outputConfig",
		"safetySettings.method",
		"toolConfig.functionCallingConfig.streamFunctionCallArguments",
		"tools.enterpriseWebSearch",
		"tools.exaAiSearch",
		"tools.googleMaps.authConfig.apiKeyConfig",
		"tools.googleMaps.authConfig.authType",
		"tools.googleMaps.authConfig.googleServiceAccountConfig",
		"tools.googleMaps.authConfig.httpBasicAuthConfig",
		"tools.googleMaps.authConfig.oauthConfig",
		"tools.googleMaps.authConfig.oidcConfig",
		"tools.googleMaps.groundingTypes",
		"tools.googleSearch.blockingConfidence",
		"tools.googleSearch.excludeDomains",
		"tools.parallelAiSearch",
		"tools.retrieval",
	}
	countOnlyVertex = []string{"generationConfig", "instances", "systemInstruction", "tools"}
	// For countTokens, Vertex AI takes contents, generationConfig, systemInstruction and tools of a
	// whole request.
	countOnlyGemini = []string{"cachedContent", "labels", "safetySettings", "serviceTier", "store", "toolConfig"}
)

// The bodies of the translated methods, as far as the two back ends differ.
var (
	generateShape = newShape("").generate("")
	countShape    = newShape("").content("contents.").mark(pool.BackendVertex, "", countOnlyVertex).
			mark(pool.BackendGemini, "generateContentRequest.", countOnlyGemini).generate("generateContentRequest.")
	contentShape = newShape("content").content("")
)

// shape is a message as far as the two back ends accept different fields. For a repeated field it
// is the shape of each element.
type shape struct {
	path   string // "safetySettings.method"
	only   pool.Backend
	uri    bool // of a file, which one of the back ends may be unable to read
	fields map[string]*shape
}

func newShape(path string) *shape { return &shape{path: path} }

// at returns the shape of a field by its path, and makes it if needed.
func (s *shape) at(path string) *shape {
	for name := range strings.SplitSeq(path, ".") {
		next := s.fields[name]
		if next == nil {
			next = &shape{path: strings.TrimPrefix(s.path+"."+name, ".")}
			if s.fields == nil {
				s.fields = make(map[string]*shape)
			}
			s.fields[name] = next
		}
		s = next
	}
	return s
}

func (s *shape) mark(only pool.Backend, prefix string, paths []string) *shape {
	for _, p := range paths {
		s.at(prefix + p).only = only
	}
	return s
}

// content marks the fields of a Content below prefix.
func (s *shape) content(prefix string) *shape {
	parts := prefix + "parts."
	s.at(parts + "fileData.fileUri").uri = true
	s.at(parts + "functionResponse.parts.fileData.fileUri").uri = true
	return s.mark(pool.BackendGemini, parts, partsOnlyGemini).mark(pool.BackendVertex, parts, partsOnlyVertex)
}

// generate marks the fields of a GenerateContentRequest below prefix.
func (s *shape) generate(prefix string) *shape {
	return s.content(prefix+"contents.").content(prefix+"systemInstruction.").
		mark(pool.BackendGemini, prefix, generateOnlyGemini).mark(pool.BackendVertex, prefix, generateOnlyVertex)
}

// field returns the shape of a field by its key as sent: both back ends accept snake_case too.
func (s *shape) field(key []byte) *shape {
	if f := s.fields[string(key)]; f != nil {
		return f
	}
	if bytes.IndexByte(key, '_') < 0 && bytes.IndexByte(key, '\\') < 0 {
		return nil
	}
	return s.fields[jsonscan.CamelCase(key)]
}

// lacking finds the fields that a back end does not take. It allocates nothing if there are none.
type lacking struct {
	jsonscan.Scanner
	to    pool.Backend
	names []string
}

// lacks names the fields of a message that the back end does not take, each once.
func (s *shape) lacks(to pool.Backend, message []byte) []string {
	l := lacking{Scanner: jsonscan.New(message), to: to}
	l.value(s)
	return l.names
}

func (l *lacking) value(s *shape) {
	switch l.Peek() {
	case '{':
		l.message(s)
	case '[':
		l.Enter('[')
		for l.Element() {
			if l.Peek() == '{' {
				l.message(s)
			}
		}
	}
}

func (l *lacking) message(s *shape) {
	l.Enter('{')
	for l.Member() {
		f := s.field(l.Key)
		switch {
		case f == nil:
		case f.only != "" && f.only != l.to:
			l.name(f.path)
		case f.uri:
			if l.Peek() == '"' {
				uri, _ := l.Quoted()
				l.file(f.path, uri)
			}
		case f.fields != nil:
			l.value(f)
		}
	}
}

// file checks an address. Only Vertex AI reads buckets, only the Gemini API reads files of the
// Files API, and both read anything else.
func (l *lacking) file(path string, uri []byte) {
	switch u := jsonscan.Unquote(uri[:min(len(uri), maxFileURI)]); {
	case strings.HasPrefix(u, "gs://") && l.to == pool.BackendGemini:
		l.name(path + " in a bucket (gs://)")
	case request.IsFile(u) && l.to == pool.BackendVertex:
		l.name(path + " of the Files API")
	}
}

// maxFileURI bounds the part of an address that tells who can read it.
const maxFileURI = 1 << 10

func (l *lacking) name(what string) {
	if reason := notTaken(what, l.to); !slices.Contains(l.names, reason) {
		l.names = append(l.names, reason)
	}
}

func notTaken(what string, by pool.Backend) string {
	return what + " is not taken by " + request.BackendName(by)
}
