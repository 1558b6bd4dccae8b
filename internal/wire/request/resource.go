package request

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Resource is a thing that lives in one project, or in one location of it.
type Resource struct {
	Name string // see [ResourceName]

	// Where it lives, as the call says it; "" if the call does not say. A client without a real
	// project names a placeholder.
	Project, Location string

	Ambiguous bool // it may be one of Google's own, which are everywhere
}

// newResource reads a resource's name or address.
func newResource(name string) Resource {
	r := Resource{Name: ResourceName(name)}
	if _, scoped, ok := strings.Cut(name, "projects/"); ok {
		r.Project = segment(scoped, 0)
		if segment(scoped, 1) == "locations" {
			r.Location = segment(scoped, 2)
		}
	}
	return r
}

// isItem reports whether a resource's name is that of one item, not of a collection.
func isItem(name string) bool { return strings.Contains(name, "/") }

// MostResources is how many resources a call may name. More are not read: one more than that is in
// Resources then.
const MostResources = 4096

// names adds a resource that the call names. An item outranks a mere collection in the path, for an
// item has an owner.
func (c *Call) names(r Resource) {
	if !isItem(c.Resource) && !r.Ambiguous {
		c.Resource = r.Name
	}
	if !isItem(r.Name) || len(c.Resources) > MostResources {
		return
	}
	for _, known := range c.Resources {
		if known.Name == r.Name {
			return
		}
	}
	c.Resources = append(c.Resources, r)
}

// ResourceName reduces the name or address of a thing in a project to the form of Call.Resource. So
// the owner of a name in a response can be found again. Scope, version and host are dropped, and a
// path below an item becomes the item:
//
//	"projects/1/locations/eu/cachedContents/9" becomes "cachedContents/9"
//	"https://generativelanguage.googleapis.com/v1beta/files/a" becomes "files/a"
//	"models/veo/operations/x" becomes "operations/x"
func ResourceName(name string) string {
	if _, address, ok := strings.Cut(name, "://"); ok {
		name = after(address, 1)
	} else {
		name = strings.TrimPrefix(name, "//aiplatform.googleapis.com/")
	}
	name, _, _ = strings.Cut(name, "?")
	name, _ = cutVerb(strings.TrimPrefix(name, "/"))
	name = strings.TrimPrefix(strings.TrimPrefix(name, "upload/"), "download/")
	if isVersion(segment(name, 0)) {
		name = after(name, 1)
	}
	for s := segment(name, 0); s == "projects" || s == "locations" || s == "publishers"; s = segment(name, 0) {
		name = after(name, 2)
	}
	if segment(name, 0) == "models" && segment(name, 2) != "" {
		name = after(name, 2)
	}
	if below := after(name, 2); below != "" {
		name = name[:len(name)-len(below)-1]
	}
	return name
}

// modelName reduces a model's name to Call.Model.
func modelName(name string) string {
	for s := segment(name, 0); s == "projects" || s == "locations" || s == "publishers"; s = segment(name, 0) {
		name = after(name, 2)
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, "google/"), "models/")
}

// IsFile reports whether a URI or a name belongs to the Files API. Any project can read gs:// and
// other addresses.
func IsFile(uri string) bool {
	if strings.HasPrefix(uri, "files/") {
		return true
	}
	_, address, ok := strings.Cut(uri, "://")
	if s := segment(address, 1); s == "download" || s == "upload" {
		address = after(address, 1)
	}
	return ok && isVersion(segment(address, 1)) && segment(address, 2) == "files" && segment(address, 3) != ""
}

// ContinuationName returns a short name for a continuationToken. It is the same for all forms of
// base64, for a caller may have decoded the token and encoded it again.
func ContinuationName(token []byte) string {
	text := strings.TrimRight(jsonscan.Unquote(token), "=")
	sum := sha256.Sum256([]byte(strings.NewReplacer("-", "+", "_", "/").Replace(text)))
	return "continuations/" + hex.EncodeToString(sum[:16])
}
