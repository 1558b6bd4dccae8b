package geminitest

import (
	"bytes"
	"cmp"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// media is what an upload in one request brings along.
type media struct {
	mimeType string
	content  []byte
}

// readUpload reads the body with which an upload begins: of the resumable protocol it is the
// metadata; of the multipart one it has two parts, the metadata and the content.
func readUpload(c call, body []byte) (object, *media, *Answer) {
	protocol := cmp.Or(c.header.Get(uploadHeader+"Protocol"), c.query.Get("uploadType"))
	if !strings.EqualFold(protocol, "multipart") {
		meta, refused := readObject(body)
		return meta, nil, refused
	}
	kind, params, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil, nil, new(InvalidArgument("Invalid multipart request: Content-Type is not multipart/related with a boundary."))
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var read []media
	for range 3 {
		part, err := parts.NextRawPart()
		if err == io.EOF { //nolint:errorlint // NextRawPart returns it as it is
			break
		}
		if err != nil {
			return nil, nil, new(InvalidArgument("Invalid multipart request: malformed part."))
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, new(InvalidArgument("Invalid multipart request: cut part."))
		}
		read = append(read, media{part.Header.Get("Content-Type"), content})
	}
	if len(read) != 2 {
		return nil, nil, new(InvalidArgument("Invalid multipart request with " + itoa(len(read)) + " parts; 2 are wanted."))
	}
	meta, refused := readObject(read[0].content)
	return meta, &read[1], refused
}

// keepMedia answers an upload in one request.
func (e *Emulator) keepMedia(p *reply, c call, m media, finish finishUpload) *Answer {
	if int64(len(m.content)) > maxFile {
		return new(tooLarge())
	}
	out, refused := finish(c, m.mimeType, m.content)
	if refused != nil {
		return refused
	}
	p.w.Header().Set(uploadHeader+"Status", "final")
	p.json(out)
	return nil
}
