package geminitest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// place is where the caller's resources live: its project, and the location that it asks.
func (c call) place() place {
	at := place{location: c.location}
	if c.backend == gemini {
		at.location = ""
	}
	if c.owner != nil {
		at.project = c.owner.ID
	}
	return at
}

// fullName is a name as answers have it.
func (e *Emulator) fullName(at place, name string) string {
	if at.location == "" {
		return name
	}
	project := at.project
	for _, p := range e.cfg.Projects {
		if p.ID == at.project && p.Number != "" {
			project = p.Number
		}
	}
	return "projects/" + project + "/locations/" + at.location + "/" + name
}

// projectID is the id of a project that a path gives by its id or its number.
func (e *Emulator) projectID(project string) string {
	if id, ok := e.numbers[project]; ok {
		return id
	}
	return project
}

// readName takes a name apart that a body or a path gives: where it says that the resource is, and
// its name there. A name without place is the caller's own.
func (e *Emulator) readName(c call, name string) (place, string) {
	parts := strings.SplitN(name, "/", 5)
	if c.backend == vertex && len(parts) == 5 && parts[0] == "projects" && parts[2] == "locations" {
		return place{e.projectID(parts[1]), parts[3]}, parts[4]
	}
	return c.place(), name
}

// find returns a resource that the call names, if it is the caller's. It notes in the journal what
// was named, and whether that is somebody else's.
func (e *Emulator) find(c call, named string) (record, *Answer) {
	at, name := e.readName(c, named)
	if kindOf(name) == nil {
		return record{}, new(InvalidArgument("Invalid resource name: " + printable(named)))
	}
	r, exists := e.touch(c, at, name)
	switch {
	case at.project != c.place().project:
		return record{}, new(resourceDenied(at, name, c.method))
	case !exists || r.at != at || at != c.place():
		return record{}, new(resourceMissing(at, name))
	}
	return r, nil
}

// touch notes that the call names a resource, and returns it, whoever it belongs to.
func (e *Emulator) touch(c call, at place, name string) (record, bool) {
	r, exists := e.resources.get(time.Now(), name)
	foreign := exists && c.owner != nil && r.at != c.place()
	full := e.fullName(at, name)
	e.journal.named(c.entry, full, foreign)
	return r, exists
}

// noteNames notes what a call names that gets no further: the resource of its path, and those of
// its body.
func (e *Emulator) noteNames(c call, body []byte) {
	if c.resource != "" {
		at := c.place()
		if c.project != "" {
			at.project = c.project
		}
		e.touch(c, at, c.resource)
	}
	var tree any
	if e.resources.none() || json.Unmarshal(body, &tree) != nil {
		return
	}
	eachString(tree, "", func(field, text string) {
		if field == "previous_interaction_id" {
			text = "interactions/" + text
		}
		if _, name, ok := strings.Cut(text, "/files/"); ok && strings.Contains(text, "://") {
			text = "files/" + name
		}
		at, name := e.readName(c, text)
		if _, exists := e.resources.get(time.Now(), name); exists {
			e.touch(c, at, name)
		}
	})
}

// eachString calls f for every string in a JSON tree, with the name of its field.
func eachString(tree any, field string, f func(field, text string)) {
	switch v := tree.(type) {
	case string:
		f(field, v)
	case []any:
		for _, x := range v {
			eachString(x, field, f)
		}
	case map[string]any:
		for name, x := range v {
			eachString(x, name, f)
		}
	}
}

// made notes that the call has made a resource.
func (e *Emulator) made(c call, r record) record {
	e.journal.named(c.entry, r.full(e), false)
	return r
}

// create keeps a new resource of the caller's and notes it. A name that ends in a slash gets an id.
func (e *Emulator) create(c call, r record) (record, *Answer) {
	now := time.Now()
	r.at = c.place()
	r.kind = kindOf(r.name)
	if r.kind.working != "" && r.ready.IsZero() {
		r.ready = now.Add(e.cfg.Processing)
	}
	kept, ok := e.resources.add(now, r)
	if !ok {
		return record{}, new(fault(409, "ALREADY_EXISTS", "Requested entity already exists"))
	}
	return e.made(c, kept), nil
}

// getResource answers with the resource of the path.
func (e *Emulator) getResource(c call, _ object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	return r.kind.show(e, r, time.Now()), nil
}

// deleteResource forgets the resource of the path, and what is below it.
func (e *Emulator) deleteResource(c call, _ object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	// A store has documents, and a document chunks; both are deleted with what they have only if
	// the caller insists (ai.google.dev/api/file-search).
	holds := r.kind == kinds["documents"] || r.kind == kinds["fileSearchStores"] && e.holdsDocuments(r)
	if holds && c.query.Get("force") != "true" {
		return nil, new(fault(400, "FAILED_PRECONDITION", "Cannot delete non-empty "+r.kind.noun+"."))
	}
	e.resources.remove(r.name)
	if c.backend == gemini || c.coded || r.kind == kinds["cachedContents"] {
		return map[string]any{}, nil
	}
	// On Vertex AI deleting is a long-running operation, if a short one.
	operation, refused := e.create(c, record{name: "operations/", ready: time.Now(), fields: map[string]any{
		"metadata": map[string]any{"@type": "type.googleapis.com/google.cloud.aiplatform.v1beta1.DeleteOperationMetadata"},
		"response": map[string]any{"@type": "type.googleapis.com/google.protobuf.Empty"},
	}})
	if refused != nil {
		return nil, refused
	}
	return showOperation(e, operation, time.Now()), nil
}

// cancelJob ends the work of the job of the path, if it goes on.
func (e *Emulator) cancelJob(c call, _ object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	e.cancel(r)
	return map[string]any{}, nil
}

// cancel ends work that goes on.
func (e *Emulator) cancel(r record) record {
	now := time.Now()
	changed, ok := e.resources.change(r.name, func(r *record) {
		if !r.done(now) {
			r.state, r.ended, r.changed = r.kind.cancelled, now, now
		}
	})
	if !ok {
		return r
	}
	return changed
}

// resourceDenied is the 403 for a resource under another project's path.
func resourceDenied(at place, name, method string) Answer {
	_, verb, _ := strings.Cut(method, ".")
	if !slices.Contains([]string{"create", "list", "update", "delete", "cancel"}, verb) {
		verb = "get"
	}
	collection := name
	if parts := strings.Split(name, "/"); len(parts) > 1 {
		collection = parts[len(parts)-2]
	}
	if collection == "endpoints" {
		verb = "predict"
	}
	return denied("aiplatform."+collection+"."+verb, "projects/"+at.project+"/locations/"+at.location+"/"+name)
}

// resourceMissing is the answer to who names a resource that does not exist, or is not there, in
// the words that Google has for the kind where they are known. The Gemini Developer API does not
// tell the two apart.
func resourceMissing(at place, name string) Answer {
	id := printable(name[strings.LastIndexByte(name, '/')+1:])
	switch k := kindOf(name); {
	case k == kinds["cachedContents"] && at.location == "":
		return CachedContentDenied()
	case k == kinds["cachedContents"]:
		return CachedContentMissing(id)
	case at.location != "":
		return fault(404, "NOT_FOUND", fmt.Sprintf("The %s \"projects/%s/locations/%s/%s\" does not exist.", k.noun, at.project, at.location, clip(name, 512)))
	case k == kinds["files"]:
		return FileDenied(id)
	case slices.Contains([]*kind{kinds["tunedModels"], kinds["fileSearchStores"], kinds["documents"]}, k):
		return fault(403, permission, "You do not have permission to access the "+k.noun+" "+id+" or it may not exist.")
	}
	return fault(404, "NOT_FOUND", "Requested entity was not found.")
}
