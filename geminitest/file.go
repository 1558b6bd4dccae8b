package geminitest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// fileLife is how long the Files API keeps a file (ai.google.dev/gemini-api/docs/files).
const fileLife = 48 * time.Hour

// fileName is what Google takes as the name of a file: up to 40 lower case letters, digits and
// dashes.
var fileName = regexp.MustCompile(`^files/[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// startFile begins the upload of a file.
func (e *Emulator) startFile(p *reply, c call, body []byte) *Answer {
	in, whole, refused := readUpload(c, body)
	if refused != nil {
		return refused
	}
	meta := in.object("file")
	name := meta.text("name")
	if name == "" {
		name = "files/"
	} else if !fileName.MatchString(name) {
		return new(InvalidArgument("* CreateFileRequest.file.name: invalid name: " + printable(name) + "\n"))
	}
	if _, taken := e.resources.get(time.Now(), name); taken {
		return new(fault(409, "ALREADY_EXISTS", "Requested entity already exists"))
	}
	return e.startUpload(p, c, whole, func(c call, mimeType string, content []byte) (any, *Answer) {
		fields := map[string]any{"source": "UPLOADED"}
		if title := meta.text("displayName"); title != "" {
			fields["displayName"] = title
		}
		if mimeType == "" {
			mimeType = meta.text("mimeType")
		}
		if mimeType == "" {
			mimeType = "application/octet-stream"
		}
		r, refused := e.createFile(c, name, mimeType, fields, content)
		if refused != nil {
			return nil, refused
		}
		return map[string]any{"file": showFile(e, r, time.Now())}, nil
	})
}

// createFile keeps a file of the caller's.
func (e *Emulator) createFile(c call, name, mimeType string, fields map[string]any, content []byte) (record, *Answer) {
	sum := sha256.Sum256(content)
	now := time.Now()
	return e.create(c, record{
		name: name, content: content, expires: now.Add(fileLife),
		fields: with(fields, map[string]any{
			"mimeType": mimeType, "sizeBytes": count(len(content)), "base": c.base,
			// Google answers with the hexadecimal digits of the hash, in Base64.
			"sha256Hash": base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:]))),
		}),
	})
}

// showFile shows a file.
func showFile(_ *Emulator, r record, now time.Time) map[string]any {
	shown := with(r.fields, map[string]any{
		"name": r.name, "createTime": stamp(r.made), "updateTime": stamp(r.changed), "expirationTime": stamp(r.expires),
		"state": r.stateAt(now),
	})
	base, _ := shown["base"].(string)
	delete(shown, "base")
	if base != "" { // registered files have a URI already
		shown["uri"] = base + "/v1beta/" + r.name
	}
	if shown["source"] == "GENERATED" {
		shown["downloadUri"] = base + "/v1beta/" + r.name + ":download?alt=media"
	}
	if shown["state"] == "FAILED" {
		shown["error"] = map[string]any{"code": 13, "message": "The file could not be processed."}
	}
	return shown
}

// registerFiles makes files of what lies in a bucket.
func (e *Emulator) registerFiles(c call, in object) (any, *Answer) {
	var shown []any
	for _, uri := range in.list("uris") {
		text, _ := uri.(string)
		if !strings.HasPrefix(text, "gs://") {
			return nil, new(InvalidArgument("* RegisterFilesRequest.uris: invalid URI: " + printable(text) + "\n"))
		}
		r, refused := e.create(c, record{
			name: "files/", expires: time.Now().Add(fileLife), fields: map[string]any{"source": "REGISTERED", "uri": text},
		})
		if refused != nil {
			return nil, refused
		}
		shown = append(shown, showFile(e, r, time.Now()))
	}
	if len(shown) == 0 {
		return nil, new(InvalidArgument("* RegisterFilesRequest.uris: uris is not specified\n"))
	}
	return map[string]any{"files": shown}, nil
}

// redirectDownload sends the caller to where the content of a generated file is, which wants the
// key again.
func (e *Emulator) redirectDownload(p *reply, c call, _ []byte) *Answer {
	if _, refused := e.downloadable(c); refused != nil {
		return refused
	}
	location := c.base + "/download" + c.path + "?" + c.query.Encode()
	p.refuse(Redirect(302, location))
	return nil
}

// downloadFile answers with the content of a generated file.
func (e *Emulator) downloadFile(p *reply, c call, _ []byte) *Answer {
	r, refused := e.downloadable(c)
	if refused != nil {
		return refused
	}
	mimeType, _ := r.fields["mimeType"].(string)
	p.whole(200, mimeType, r.content)
	return nil
}

// downloadable finds the file of the path. What was uploaded cannot be downloaded, and without
// alt=media there is nothing to it.
func (e *Emulator) downloadable(c call) (record, *Answer) {
	r, refused := e.find(c, c.resource)
	switch {
	case refused != nil:
		return r, refused
	case c.query.Get("alt") != "media":
		return r, new(InvalidArgument("Downloads want alt=media."))
	case r.fields["source"] != "GENERATED":
		return r, new(InvalidArgument("The File " + r.id() + " was not generated and cannot be downloaded."))
	}
	return r, nil
}

// showsFile checks the URI of a file in a prompt. One of the Files API must be the caller's and
// ready; on Vertex AI it is a page that cannot be fetched. Others are taken as they are.
func (e *Emulator) showsFile(c call, uri string) *Answer {
	parsed, err := url.Parse(uri)
	if err != nil {
		return new(InvalidArgument("Invalid or unsupported file uri: " + printable(uri)))
	}
	_, rest, ok := strings.Cut(parsed.Path, "/files/")
	host := parsed.Scheme + "://" + parsed.Host
	if bare, isBare := strings.CutPrefix(uri, "files/"); isBare {
		rest, ok = bare, true
	} else if host != c.base && parsed.Host != geminiService {
		return nil
	}
	if !ok {
		return nil
	}
	id, _, _ := strings.Cut(rest, "/")
	id, _, _ = strings.Cut(id, ":")
	if c.backend == vertex {
		e.touch(c, c.place(), "files/"+id)
		return new(InvalidArgument("Cannot fetch content from the provided URL. Please ensure the URL is valid and accessible by Vertex AI. " +
			"Vertex AI respects robots.txt rules, so confirm the URL is allowed to be crawled. Status: URL_ERROR-ERROR_NOT_FOUND"))
	}
	r, refused := e.find(c, "files/"+id)
	switch {
	case refused != nil:
		return refused
	case r.stateAt(time.Now()) != "ACTIVE":
		return new(FileNotActive(id))
	}
	return nil
}
