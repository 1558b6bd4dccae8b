package geminitest

import (
	"mime"
	"strings"
	"time"
)

// createStore makes a file search store.
func (e *Emulator) createStore(c call, in object) (any, *Answer) {
	fields := map[string]any{"embeddingModel": "models/gemini-embedding-001"}
	for _, name := range []string{"displayName", "embeddingModel"} {
		if text := in.text(name); text != "" {
			fields[name] = text
		}
	}
	r, refused := e.create(c, record{name: "fileSearchStores/", fields: fields})
	if refused != nil {
		return nil, refused
	}
	return showStore(e, r, time.Now()), nil
}

// documents returns the documents of a store.
func (e *Emulator) documents(store record, now time.Time) []record {
	return e.resources.list(now, func(r *record) bool { return strings.HasPrefix(r.name, store.name+"/documents/") })
}

func (e *Emulator) holdsDocuments(store record) bool { return len(e.documents(store, time.Now())) > 0 }

// showStore shows a file search store. Counts of nothing are left out.
func showStore(e *Emulator, r record, now time.Time) map[string]any {
	shown := with(r.fields, map[string]any{"name": r.name, "createTime": stamp(r.made), "updateTime": stamp(r.changed)})
	counts, bytes := map[string]int{}, 0
	for _, d := range e.documents(r, now) {
		counts[d.stateAt(now)]++
		bytes += len(d.content)
	}
	for state, name := range map[string]string{
		"STATE_ACTIVE": "activeDocumentsCount", "STATE_PENDING": "pendingDocumentsCount", "STATE_FAILED": "failedDocumentsCount",
	} {
		if n := counts[state]; n > 0 {
			shown[name] = count(n)
		}
	}
	if bytes > 0 {
		shown["sizeBytes"] = count(bytes)
	}
	return shown
}

// createDocument puts a document into a store, and returns the long-running operation that does so.
func (e *Emulator) createDocument(c call, store record, below, mimeType string, content []byte, fields map[string]any) (any, *Answer) {
	document, refused := e.create(c, record{
		name: store.name + "/documents/", content: content, fields: with(fields, map[string]any{"mimeType": mimeType}),
	})
	if refused != nil {
		return nil, refused
	}
	operation, refused := e.startOperation(c, store.name+"/"+below, nil, map[string]any{"parent": store.name, "documentName": document.name})
	if refused != nil {
		return nil, refused
	}
	return showOperation(e, operation, time.Now()), nil
}

// documentFields reads what a caller says about a document.
func documentFields(in object, title string) map[string]any {
	fields := map[string]any{}
	if text := in.text("displayName"); text != "" {
		title = text
	}
	if title != "" {
		fields["displayName"] = title
	}
	if list := in.list("customMetadata"); len(list) > 0 {
		fields["customMetadata"] = list
	}
	return fields
}

// startDocument begins the upload of a document into a store.
func (e *Emulator) startDocument(p *reply, c call, body []byte) *Answer {
	in, whole, refused := readUpload(c, body)
	if refused != nil {
		return refused
	}
	store, refused := e.find(c, c.resource)
	if refused != nil {
		return refused
	}
	return e.startUpload(p, c, whole, func(c call, mimeType string, content []byte) (any, *Answer) {
		if text := in.text("mimeType"); text != "" {
			mimeType = text
		}
		return e.createDocument(c, store, "upload/", mimeType, content, documentFields(in, ""))
	})
}

// importFile makes a document of a file.
func (e *Emulator) importFile(c call, in object) (any, *Answer) {
	store, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	file, refused := e.find(c, in.text("fileName"))
	switch {
	case refused != nil:
		return nil, refused
	case file.kind != kinds["files"]:
		return nil, new(InvalidArgument("* ImportFileRequest.file_name: invalid name\n"))
	case file.stateAt(time.Now()) != file.kind.finished:
		return nil, new(FileNotActive(file.id()))
	}
	mimeType, _ := file.fields["mimeType"].(string)
	title, _ := file.fields["displayName"].(string)
	return e.createDocument(c, store, "", mimeType, file.content, documentFields(in, title))
}

// showDocument shows a document of a store.
func showDocument(_ *Emulator, r record, now time.Time) map[string]any {
	return with(r.fields, map[string]any{
		"name": r.name, "state": r.stateAt(now), "sizeBytes": count(len(r.content)), "createTime": stamp(r.made), "updateTime": stamp(r.changed),
	})
}

// downloadMedia answers with what a document of a store was made of.
func (e *Emulator) downloadMedia(p *reply, c call, _ []byte) *Answer {
	r, refused := e.find(c, strings.Replace(c.resource, "/media/", "/documents/", 1))
	if refused != nil {
		return refused
	}
	contentType, _ := r.fields["mimeType"].(string)
	if _, _, err := mime.ParseMediaType(contentType); err != nil {
		contentType = "application/octet-stream"
	}
	p.whole(200, contentType, r.content)
	return nil
}
