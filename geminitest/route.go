package geminitest

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The back ends.
const (
	gemini = "gemini"
	vertex = "vertex"
)

// The methods of base models. Those of resources stand in the table; others are known by their
// collection.
const (
	generateContent       = "generateContent"
	streamGenerateContent = "streamGenerateContent"
	countTokens           = "countTokens"
	embedContent          = "embedContent"
	batchEmbedContents    = "batchEmbedContents"
	predict               = "predict"
	modelsList            = "models.list"
	modelsGet             = "models.get"
)

// methods says which back end offers what.
var methods = map[string][]string{
	gemini: {generateContent, streamGenerateContent, countTokens, embedContent, batchEmbedContents},
	vertex: {generateContent, streamGenerateContent, countTokens, embedContent, batchEmbedContents, predict},
}

// route is where a request goes: what its host and path say.
type route struct {
	backend  string
	version  string
	method   string
	model    string
	project  string // of the path
	location string // of the path, else of the host
	sse      bool   // alt=sse
	refused  *Answer

	// Of methods that are about resources:
	upload     bool   // the path begins with "upload/"
	download   bool   // or with "download/"
	session    string // the upload that the path continues
	resource   string // what the path names, without its place: "files/abc"
	collection string // else what it lists or adds to: "files"
	parent     string // of the collection: "fileSearchStores/s"
	tail       string // what follows the resource in the path
	tuned      string // the tuned model or endpoint that is to generate
	answer     func(*Emulator, call, object) (any, *Answer)
	serve      func(*Emulator, *reply, call, []byte) *Answer
	coded      bool
}

// streams reports whether the answer comes in events.
func (c route) streams() bool { return c.method == streamGenerateContent }

// embeds reports whether the method makes embeddings.
func (c route) embeds() bool {
	return c.method == embedContent || c.method == batchEmbedContents || c.method == predict
}

// routeOf reads host and path. What leads nowhere has refused set, and as much of the rest as could
// be read.
func routeOf(r *http.Request) route {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if c, ok := cloudRoute(strings.ToLower(host), r); ok {
		return c
	}
	backend, hostLocation, google := hostOf(strings.ToLower(host))
	segments := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	c := route{backend: backend, sse: query.Get("alt") == "sse"}
	if c.upload = segments[0] == "upload" && len(segments) > 1; c.upload {
		segments = segments[1:]
		c.session = query.Get("upload_id")
	}
	if c.download = segments[0] == "download" && len(segments) > 1; c.download {
		segments = segments[1:]
	}
	c.version = segments[0]
	rest := segments[1:]
	if c.backend == "" { // loopback, or a host of nobody's: the path tells
		c.backend = gemini
		if c.version == "v1beta1" || len(rest) > 0 && (rest[0] == "projects" || rest[0] == "publishers") {
			c.backend = vertex
		}
	}
	if c.backend == vertex {
		rest = c.readVertex(r.Method, rest, hostLocation)
	} else {
		c.readModels(r.Method, rest)
	}
	if len(rest) > 0 && (c.upload || c.download || !c.generates()) {
		c.readTable(r.Method, rest)
	}
	versions := map[string][]string{gemini: {"v1", "v1beta", "v1alpha"}, vertex: {"v1", "v1beta1"}}
	switch {
	case google && backend == "":
		c.refused = new(InvalidArgument("Invalid hostname: " + printable(host)))
	case !slices.Contains(versions[c.backend], c.version) || c.refused == nil && !c.emulated():
		c.refused = new(pageMissing(r.URL.Path))
	case c.refused == nil && hostLocation != "" && c.location != hostLocation:
		c.refused = new(InvalidArgument("Request location '" + printable(c.location) +
			"' does not match the location '" + hostLocation + "' of the endpoint."))
	}
	return c
}

// generates reports whether the method is one of the base models' own.
func (c route) generates() bool {
	return c.method == modelsList || c.method == modelsGet || slices.Contains(methods[c.backend], c.method)
}

// emulated reports whether there is something behind the route.
func (c route) emulated() bool {
	return c.generates() && !c.upload && !c.download || c.answer != nil || c.serve != nil || c.session != ""
}

// hostOf tells what a host of Google's serves. Multi-regions have hosts of their own kind (REP), on
// which alone they are reached.
func hostOf(host string) (backend, location string, google bool) {
	const suffix = "." + "googleapis.com"
	switch name, ok := strings.CutSuffix(host, suffix); {
	case !ok:
		return "", "", false
	case name == "generativelanguage":
		return gemini, "", true
	case name == "aiplatform":
		return vertex, "global", true
	case name == "aiplatform.us.rep":
		return vertex, "us", true
	case name == "aiplatform.eu.rep":
		return vertex, "eu", true
	default:
		region, ok := strings.CutSuffix(name, "-aiplatform")
		if !ok || region == "us" || region == "eu" || region == "global" || !plain(region) {
			return "", "", true
		}
		return vertex, region, true
	}
}

// plain reports whether s looks like the name of a location.
func plain(s string) bool {
	return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// readVertex reads "[projects/P/locations/L/]publishers/google/models[/M[:method]]". Without a
// project it is the key's, in the host's location ("express mode"). It returns what follows the
// place.
func (c *route) readVertex(verb string, rest []string, hostLocation string) []string {
	c.location = hostLocation
	if len(rest) >= 4 && rest[0] == "projects" && rest[2] == "locations" {
		c.project, c.location = rest[1], rest[3]
		rest = rest[4:]
		if !plain(c.location) {
			c.refused = new(InvalidArgument("Invalid location."))
			c.location = ""
		}
	} else if c.location == "" {
		c.location = "global"
	}
	if len(rest) >= 3 && rest[0] == "publishers" && rest[1] == "google" {
		c.readModels(verb, rest[2:])
	} else if len(rest) > 0 {
		c.method, _, _ = strings.Cut(rest[0], ":")
	}
	return rest
}

// readModels reads "models", "models/M" or "models/M:method". Of any other, the method is the
// collection's name.
func (c *route) readModels(verb string, rest []string) {
	if len(rest) == 0 {
		return
	}
	collection, _, _ := strings.Cut(rest[0], ":")
	c.method = collection
	if collection != "models" || len(rest) > 2 {
		return
	}
	if len(rest) == 1 {
		if verb == http.MethodGet && rest[0] == "models" {
			c.method = modelsList
		}
		return
	}
	model, method, called := strings.Cut(rest[1], ":")
	c.model = model
	switch {
	case called && verb == http.MethodPost:
		c.method = method
	case !called && verb == http.MethodGet:
		c.method = modelsGet
	}
}

// pageMissing is the page of Google's front end for paths that lead nowhere. It is not JSON.
func pageMissing(path string) Answer {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
	page := "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not Found)!!1</title>\n" +
		"  <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL <code>" + escape.Replace(path) + "</code> was not found on this server.\n"
	return Answer{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, Body: []byte(page)}
}

func itoa(n int) string { return strconv.Itoa(n) }
