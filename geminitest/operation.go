package geminitest

import (
	"strings"
	"time"
)

// startOperation keeps a long-running operation below a name, which ends in a slash. Its response
// is shown when it is done.
func (e *Emulator) startOperation(c call, name string, metadata, response map[string]any) (record, *Answer) {
	return e.create(c, record{name: name + "operations/", fields: map[string]any{"metadata": metadata, "response": response}})
}

// showOperation shows a long-running operation. While it goes on it has neither done nor response.
func showOperation(e *Emulator, r record, now time.Time) map[string]any {
	shown := map[string]any{"name": r.full(e)}
	if metadata, _ := r.fields["metadata"].(map[string]any); metadata != nil {
		shown["metadata"] = metadata
	}
	switch r.stateAt(now) {
	case r.kind.working:
	case "FAILED":
		shown["done"], shown["error"] = true, map[string]any{"code": 13, "message": "Internal error. Please try again."}
	default:
		shown["done"], shown["response"] = true, r.fields["response"]
	}
	return shown
}

// fetchOperation answers with an operation of a model of Vertex AI, which are asked for in this
// way.
func (e *Emulator) fetchOperation(c call, in object) (any, *Answer) {
	named := in.text("operationName")
	if !strings.Contains(named, "publishers/google/models/"+c.model+"/operations/") {
		return nil, new(InvalidArgument("Invalid operation name: " + printable(named)))
	}
	r, refused := e.find(c, named)
	if refused != nil {
		return nil, refused
	}
	return showOperation(e, r, time.Now()), nil
}
