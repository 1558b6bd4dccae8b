// Package geminitest emulates Google's two back ends for Gemini, the Gemini Developer API and Vertex AI, for
// tests and demonstrations: what httptest is to HTTP. It knows their quotas, Provisioned Throughput, hidden
// capacity, streams and errors, and answers with the bodies that Google sends.
//
// An [Emulator] is a transport. Under a client of google.golang.org/genai, or any other, it takes the place of
// the network:
//
//	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"key-1"}}}})
//	client, err := genai.NewClient(ctx, &genai.ClientConfig{
//		Backend: genai.BackendGeminiAPI, APIKey: "key-1", HTTPClient: google.Client(),
//	})
//
// Nothing in it uses sockets, so it works in a bubble of testing/synctest, where the minutes, days and retry
// delays of quotas pass in no time. [NewServer] puts the same emulator on a loopback port, for tests of
// programs; [Start] does so for programs.
//
// # Projects
//
// A [Project] owns API keys, access tokens, quotas ([Limit]) and Provisioned Throughput ([Order]). Keys are
// good on generativelanguage.googleapis.com and, with the project in the path, on the hosts of Vertex AI;
// tokens on the latter only. Locations of Vertex AI are reached on their own hosts, and on a loopback server by
// the path alone.
//
// # What runs out
//
// A [Limit] counts requests and input tokens in minutes that begin at an unknown second, and requests in days
// of California. A refused call uses up nothing; one that is wrong in itself does. The 429 says which quota it
// was and when to come back, except that the free tier's day lies about the time, as Google's does.
//
// An [Order] takes calls as long as their estimate fits into its rolling window, and puts the estimate right
// when they end. Calls that do not fit go on demand, or are refused if they ask for
// X-Vertex-AI-LLM-Request-Type: dedicated; shared never touches the order. On Vertex AI
// usageMetadata.trafficType tells which it was.
//
// A [Capacity] is what a location has for everybody on demand. Nobody tells how much it is.
//
// # What goes wrong
//
// [Emulator.Script] gives the next calls of a kind answers of a test's choice, [Emulator.Keep] all of them, and
// [Emulator.SetOutage] takes a part of Google away:
//
//	google.Script(geminitest.Match{Project: "a"}, geminitest.Contention(), geminitest.Overloaded().AfterEvents(2))
//	google.Keep(geminitest.Match{Key: "key-2"}, geminitest.KeyLeaked())
//	google.SetOutage(geminitest.Outage{Location: "eu", Hang: true})
//	google.Revoke("key-1")
//
// # What was asked
//
// [Emulator.Requests] lists what came in, [Emulator.Count] and [Emulator.CountStatus] count it,
// [Emulator.OrderUsage] says what an order has served, and [Emulator.KeysInURL] whether a key travelled where
// it should not.
//
// # What it is not
//
// There are no models in it: answers are words that depend on the prompt alone, of Config.Output tokens, where
// a token is four bytes of text or a share of an image. Files, caches, batches, tuning and live sessions are
// paths that lead nowhere (404) unless a script answers for them.
package geminitest
