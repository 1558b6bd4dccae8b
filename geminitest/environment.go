package geminitest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// environmentFile is one file of an environment.
type environmentFile struct {
	mimeType string
	content  []byte
	at       time.Time
}

// createEnvironment makes an environment for agents. From another one it takes over the files.
func (e *Emulator) createEnvironment(c call, in object) (any, *Answer) {
	fields := map[string]any{}
	if from := in.text("from_environment"); from != "" {
		r, refused := e.find(c, "environments/"+strings.TrimPrefix(from, "environments/"))
		if refused != nil {
			return nil, refused
		}
		fields = with(r.fields, nil)
	}
	for _, name := range []string{"network", "sources"} {
		if v := in.field(name); v != nil {
			fields[name] = v
		}
	}
	r, refused := e.create(c, record{name: "environments/", fields: fields})
	if refused != nil {
		return nil, refused
	}
	return showEnvironment(e, r, time.Now()), nil
}

// filesOf returns the files of an environment, by path.
func filesOf(r record) map[string]environmentFile {
	files, _ := r.fields["files"].(map[string]environmentFile)
	return files
}

// showEnvironment shows an environment.
func showEnvironment(_ *Emulator, r record, _ time.Time) map[string]any {
	bytes := 0
	for _, f := range filesOf(r) {
		bytes += len(f.content)
	}
	shown := with(r.fields, map[string]any{
		"id": r.id(), "status": "active", "created": stamp(r.made), "updated": stamp(r.changed), "last_accessed": stamp(r.changed),
		"file_count": count(len(filesOf(r))), "size_bytes": count(bytes),
	})
	delete(shown, "files")
	return shown
}

// startEnvironmentFile begins the upload of a file into an environment. Archives are not unpacked.
func (e *Emulator) startEnvironmentFile(p *reply, c call, _ []byte) *Answer {
	r, refused := e.find(c, c.resource)
	switch {
	case refused != nil:
		return refused
	case c.query.Get("extract") == "true":
		return new(InvalidArgument("Archives are not unpacked by this emulator."))
	case c.tail == "":
		return new(InvalidArgument("path is required"))
	}
	if _, taken := filesOf(r)[c.tail]; taken && c.query.Get("overwrite") == "false" {
		return new(fault(409, "ALREADY_EXISTS", "Requested entity already exists"))
	}
	path := c.tail
	return e.startUpload(p, c, nil, func(_ call, mimeType string, content []byte) (any, *Answer) {
		now := time.Now()
		file := environmentFile{mimeType, content, now}
		_, ok := e.resources.change(r.name, func(r *record) {
			files := map[string]environmentFile{path: file}
			for other, f := range filesOf(*r) {
				if other != path {
					files[other] = f
				}
			}
			r.fields, r.changed = with(r.fields, map[string]any{"files": files}), now
		})
		if !ok {
			return nil, new(resourceMissing(r.at, r.name))
		}
		return map[string]any{"files": []any{showEnvironmentFile(path, file)}}, nil
	})
}

func showEnvironmentFile(path string, f environmentFile) map[string]any {
	return map[string]any{
		"name": path[strings.LastIndexByte(path, '/')+1:], "path": path, "type": "file", "mime_type": f.mimeType, "size_bytes": count(len(f.content)),
		"created": stamp(f.at), "modified": stamp(f.at),
	}
}

// environmentFiles answers with what a file of an environment is, or with its content; of a
// directory with the files below it, all of them in one page.
func (e *Emulator) environmentFiles(p *reply, c call, _ []byte) *Answer {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return refused
	}
	files := filesOf(r)
	if f, ok := files[c.tail]; ok {
		if c.query.Get("alt") == "media" {
			p.whole(200, "application/octet-stream", f.content)
		} else {
			p.json(map[string]any{"files": []any{showEnvironmentFile(c.tail, f)}})
		}
		return nil
	}
	var list []any
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if c.tail == "" || strings.HasPrefix(path, c.tail+"/") {
			list = append(list, showEnvironmentFile(path, files[path]))
		}
	}
	if len(list) == 0 && c.tail != "" {
		return new(fault(404, "NOT_FOUND", "Requested entity was not found."))
	}
	p.json(map[string]any{"files": list})
	return nil
}
