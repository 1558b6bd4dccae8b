// Package geminitest emulates Google's two back ends for Gemini, the Gemini Developer API and
// Vertex AI, for tests and demonstrations: what httptest is to HTTP. It knows their quotas,
// Provisioned Throughput, hidden capacity, streams and errors, and answers with the bodies that
// Google sends.
//
// An [Emulator] is a transport. Under a client of google.golang.org/genai, or any other, it takes
// the place of the network:
//
//	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"key-1"}}}})
//	client, err := genai.NewClient(ctx, &genai.ClientConfig{
//		Backend: genai.BackendGeminiAPI, APIKey: "key-1", HTTPClient: google.Client(),
//	})
//
// Nothing in it uses sockets, so it works in a bubble of testing/synctest, where the minutes, days
// and retry delays of quotas pass in no time. [NewServer] puts the same emulator on a loopback
// port, for tests of programs; [Start] does so for programs.
//
// # Projects
//
// A [Project] owns API keys, access tokens, quotas ([Limit]) and Provisioned Throughput ([Order]).
// Keys are good on generativelanguage.googleapis.com and, with the project in the path, on the
// hosts of Vertex AI; tokens on the latter only. Locations of Vertex AI are reached on their own
// hosts, and on a loopback server by the path alone.
//
// # What runs out
//
// A [Limit] counts requests and input tokens in minutes that begin at an unknown second, and
// requests in days of California. A refused call uses up nothing; one that is wrong in itself does.
// The 429 says which quota it was and when to come back, except that the free tier's day lies about
// the time, as Google's does.
//
// Tools, methods and locations have quotas of their own: a [Limit] with a Tool or a Method counts
// nothing else, and on Vertex AI every limit is a location's own, which Regional has the 429 say.
//
// An [Order] takes calls as long as their estimate fits into its rolling window, and puts the
// estimate right when they end. Calls that do not fit go on demand, or are refused if they ask for
// X-Vertex-AI-LLM-Request-Type: dedicated; shared never touches the order. On Vertex AI
// usageMetadata.trafficType tells which it was.
//
// A [Capacity] is what a location has for everybody on demand. Nobody tells how much it is. Each
// service tier has its own: what is too much for priority is served as standard, what is too much
// for flex is shed with 503, and in single regions Vertex AI ignores both. Models of Config.NoFlex
// answer 400 at flex.
//
// # What is kept
//
// Files, with their resumable uploads, cached contents, batches, tuned models and tuning jobs,
// long-running operations, file search stores, interactions, agents, environments and what else the
// SDK can make lives in memory, in the project and, on Vertex AI, the location that made it. Names
// are unique over all projects; others who use one get Google's 403 or 404. A [Project] with a
// Number has that in its names on Vertex AI, as Google does. What takes Google time takes
// Config.Processing here, or until [Emulator.SetState]:
//
//	google.Script(geminitest.Match{Method: "files.upload"}, geminitest.Answer{}, geminitest.ConnectionReset()) // after the first chunk
//	google.SetState("files/abc", "PROCESSING")
//	fmt.Println(google.Resources(), google.OpenUploads(), google.CountWrongOwner(geminitest.Match{}))
//
// Videos and the results of batches are downloaded in two hops, as Google has it:
// /v1beta/files/x:download answers 302 to /download/v1beta/files/x:download, and both want the key.
//
// A prompt with a cachedContent is billed for it; [Caching] says how prompts that begin alike are
// cached without being asked to.
//
// # OpenAI's dialect
//
// Chat completions, embeddings and models are served below /v1beta/openai, where the API key may
// come as "Authorization: Bearer", and chat completions and embeddings on Vertex AI below
// endpoints/openapi, where a model has its publisher before it: "google/gemini-3.5-flash". Errors are
// lists of one, inside streams too. The Gemini API tells the usage of a stream in every event if
// stream_options ask for it, Vertex AI in the last. A tool_choice that demands a function gets a call
// of it, and tool calls are signed as functions are elsewhere. /v1/chat/completions is no path of
// Google's.
//
// # Retired models
//
// Config.Reroutes has others answer for them: [AnnouncedReroutes] are those of two models from
// 2026-12-01 on. Only modelVersion tells.
//
// # Thought signatures
//
// The answer to a call with a thinkingConfig that makes the model think, or with a function that it
// must call (functionCallingConfig.mode ANY), ends in a part with a thoughtSignature. A prompt with
// a signature that the other back end has made gets 400 "Corrupted thought signature."; Google's
// placeholder skip_thought_signature_validator is taken by both, and
// context_engineering_is_the_way_to_go by the Gemini Developer API.
//
// # What a project has
//
// The access tokens of a project may ask what it has. Cloud Quotas (quotaInfos) and Service Usage
// (consumerQuotaMetrics) show its limits, those of the other tier, which hold for nobody, and what
// Project.Quotas adds; Config.QuotaPage sets the size of their pages. Cloud Monitoring (timeSeries)
// shows dedicated_gsu_limit and dedicated_token_limit of its orders, 3 minutes late, and Cloud
// Billing (billingInfo) whether it pays. Project.Denied takes permissions away, Project.Disabled
// whole APIs.
//
// # What goes wrong
//
// [Emulator.Script] gives the next calls of a kind answers of a test's choice, [Emulator.Keep] all
// of them, [Emulator.KeepSome] a share, and [Emulator.SetOutage] takes a part of Google away:
//
//	google.Script(geminitest.Match{Project: "a"}, geminitest.Contention(), geminitest.Overloaded().AfterEvents(2))
//	google.Keep(geminitest.Match{Key: "key-2"}, geminitest.KeyLeaked())
//	google.SetOutage(geminitest.Outage{Location: "eu", Hang: true})
//	google.Revoke("key-1")
//
// Credentials end in many ways: [Emulator.Revoke], [Emulator.Expire], and [Emulator.Refuse] with
// [KeyTypeUnsupported], [AccountStateInvalid], [KeyUnsupported], [KeySuspended] or
// [ProjectSuspended]. [FailedPrecondition] and its kin are states of a project.
//
// A [Shape] is an odd answer of Google's that is well all the same: a finishReason in every event or
// before the end, no candidates at all, a first event with nothing to say.
//
// What is not Google's has answers of its own: [Page] is HTML with any status, [Blank] a status
// without a body, [Healthy] a 200 that is no answer, [Redirect] a 3xx; [Stall], [Pings] and
// [ConnectionReset] break the answer after its header, some bytes or some events. A [Match] says
// whose calls they meet, so that one of two projects, locations, models or methods is broken and
// the other is not:
//
//	google.Keep(geminitest.Match{Project: "a", Method: "generateContent"}, geminitest.Stall().AfterBytes(1))
//
// # What was asked
//
// [Emulator.Requests] lists what came in, [Emulator.Count] and [Emulator.CountStatus] count it,
// [Emulator.OrderUsage] says what an order has served, and [Emulator.KeysInURL] whether a key
// travelled where it should not. Each [Request] names the resources that it was about, and says
// whether it went to a wrong owner.
//
// # What it is not
//
// There are no models in it: answers are words that depend on the prompt alone, of Config.Output
// tokens, where a token is four bytes of text or a share of an image; pictures are a pixel. Tuned
// models answer as their base models, agents as any model; file search finds nothing, webhooks are
// never called, archives are not unpacked, and nothing is read from buckets or written to them. Of
// uploads the resumable and the multipart protocol are understood. Live sessions need a [Server],
// answer each turn in words alone, and take no ephemeral tokens. Other publishers' models are paths
// that lead nowhere (404) unless a script answers for them. Where Google's words for a resource that
// is missing are not known, its usual ones stand in.
package geminitest
