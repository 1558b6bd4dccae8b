// Package wire knows how Google's two back ends speak: it reads requests, rebuilds them for an endpoint, judges answers,
// counts tokens and follows server-sent events. It holds no state of its own and knows no other package of Spillway.
//
// Everything it reads may be broken, cut short or hostile. Nothing here panics, and every function takes time linear in
// its input.
package wire

// Backend is one of Google's two front doors to Gemini, and with it a dialect of paths and bodies.
type Backend string

const (
	// Gemini is the Developer API, generativelanguage.googleapis.com, used with API keys.
	Gemini Backend = "gemini"
	// Vertex is aiplatform.googleapis.com, used with projects and locations.
	Vertex Backend = "vertex"
)
