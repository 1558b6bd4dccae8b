package geminitest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The limits of uploads: a file's size is documented (ai.google.dev/gemini-api/docs/files), chunks
// but the last are multiples of what the server says, and sessions live for a week
// (cloud.google.com/storage/docs/resumable-uploads).
const (
	maxFile     = 2 << 30
	granularity = 256 << 10
	sessionLife = 7 * 24 * time.Hour
)

// session is a resumable upload that has begun. It belongs to the project that began it. Nothing
// exists yet of what is uploaded.
type session struct {
	at       place
	began    time.Time
	length   int // as announced; -1: not said
	mimeType string
	finish   func(c call, content []byte) (any, *Answer) // makes the resource; called once, under mu

	// mu is held for one chunk at a time, and taken before the locks of resources and journal.
	mu        sync.Mutex
	content   []byte
	size      int // of content, or of what it was
	cancelled bool
	answer    []byte // when it is finished
}

// uploads keeps the sessions. It is safe for concurrent use.
type uploads struct {
	seed uint64

	mu       sync.Mutex
	serial   uint64
	sessions map[string]*session
}

// begin keeps a session and returns its id.
func (u *uploads) begin(s *session) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, old := range u.sessions {
		if s.began.Sub(old.began) > sessionLife {
			delete(u.sessions, id)
		}
	}
	u.serial++
	id := letters(rand.New(rand.NewPCG(u.seed^0x75706c6f6164, u.serial)), 64, base64URL)
	u.sessions[id] = s
	return id
}

func (u *uploads) get(id string) *session {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sessions[id]
}

// uploadHeader is the beginning of the names of the protocol's headers.
const uploadHeader = "X-Goog-Upload-"

// The headers of answers that Google spells in a way of its own, which is not Go's, and which some
// clients read in that spelling only.
const (
	uploadURL        = uploadHeader + "URL"
	uploadControlURL = uploadHeader + "Control-URL"
	uploaderID       = "X-GUploader-UploadID"
)

// finishUpload makes the resource of what was uploaded.
type finishUpload func(c call, mimeType string, content []byte) (any, *Answer)

// startUpload begins a resumable upload and answers with the URL at which it goes on; or, if the
// content is there already, it makes the resource.
func (e *Emulator) startUpload(p *reply, c call, whole *media, finish finishUpload) *Answer {
	if whole != nil {
		return e.keepMedia(p, c, *whole, finish)
	}
	if !strings.EqualFold(c.header.Get(uploadHeader+"Protocol"), "resumable") || !strings.EqualFold(c.header.Get(uploadHeader+"Command"), "start") {
		return new(InvalidArgument("Only resumable and multipart uploads are emulated: send X-Goog-Upload-Protocol: resumable and " +
			"X-Goog-Upload-Command: start, or X-Goog-Upload-Protocol: multipart."))
	}
	length := -1
	if text := c.header.Get(uploadHeader + "Header-Content-Length"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return new(InvalidArgument("Invalid X-Goog-Upload-Header-Content-Length."))
		}
		if int64(n) > maxFile {
			return new(tooLarge())
		}
		length = n
	}
	s := &session{at: c.place(), began: time.Now(), length: length, mimeType: c.header.Get(uploadHeader + "Header-Content-Type")}
	s.finish = func(c call, content []byte) (any, *Answer) { return finish(c, s.mimeType, content) }
	id := e.uploads.begin(s)
	url := c.base + c.path + "?upload_id=" + id + "&upload_protocol=resumable"
	h := p.w.Header()
	h[uploadURL], h[uploadControlURL] = []string{url}, []string{url} // Set would spell them in Go's way
	h.Set(uploadHeader+"Chunk-Granularity", strconv.Itoa(granularity))
	h.Set(uploadHeader+"Status", "active")
	h[uploaderID] = []string{id}
	p.whole(200, "text/plain; charset=utf-8", nil)
	return nil
}

func tooLarge() Answer {
	return InvalidArgument("The file size exceeds the limit: 2147483648 bytes.")
}

// continueUpload answers a request to the URL of a session. The URL is a secret of its own, so a
// request without a credential will do; one with another project's will not.
func (e *Emulator) continueUpload(p *reply, c call, body []byte) {
	s := e.uploads.get(c.session)
	switch {
	case s == nil || time.Since(s.began) > sessionLife:
		e.endUpload(p, fault(404, "NOT_FOUND", "Requested entity was not found."))
		return
	case c.secret != "":
		if refused := e.authorize(&c); refused != nil {
			e.endUpload(p, *refused)
			return
		}
		if c.owner.ID != s.at.project {
			e.journal.foreign(c.entry)
			e.endUpload(p, fault(403, permission, "The caller does not have permission"))
			return
		}
	}
	c.owner, c.location = e.project(s.at.project), s.at.location
	s.mu.Lock()
	next := s.advance(c, body)
	s.mu.Unlock()
	if next.refused != nil {
		e.endUpload(p, *next.refused)
		return
	}
	h := p.w.Header()
	h.Set(uploadHeader+"Status", next.state)
	if next.state == "active" {
		h.Set(uploadHeader+"Size-Received", strconv.Itoa(next.size))
		h.Set(uploadHeader+"Chunk-Granularity", strconv.Itoa(granularity))
	}
	contentType := jsonType
	if len(next.body) == 0 {
		contentType = "text/plain; charset=utf-8"
	}
	p.whole(next.status, contentType, next.body)
}

// progress is the state of a session after a request.
type progress struct {
	state   string // "active", "final" or "cancelled"
	size    int    // bytes that have come
	status  int
	body    []byte
	refused *Answer // the session has ended badly
}

// advance does what a request to the session asks. s.mu is held.
func (s *session) advance(c call, body []byte) progress {
	var commands []string
	for command := range strings.SplitSeq(c.header.Get(uploadHeader+"Command"), ",") {
		commands = append(commands, strings.ToLower(strings.TrimSpace(command)))
	}
	has := func(command string) bool { return slices.Contains(commands, command) }
	switch {
	case s.cancelled:
		return progress{state: "cancelled", status: 200}
	case s.answer != nil: // it may have been lost on its way
		return progress{state: "final", status: 200, body: s.answer}
	case has("query"):
		return progress{state: "active", size: s.size, status: 200}
	case has("cancel"):
		s.cancelled, s.content = true, nil
		return progress{state: "cancelled", status: 200}
	case has("upload") || has("finalize"):
		return s.take(c, body, has("finalize"))
	}
	return s.wrong("Invalid X-Goog-Upload-Command.")
}

// wrong refuses a request, after which the session is as before. s.mu is held.
func (s *session) wrong(format string, args ...any) progress {
	return progress{state: "active", size: s.size, status: 400, body: InvalidArgument(fmt.Sprintf(format, args...)).Body}
}

// take appends a chunk, which must begin where the last one ended, and finishes the upload with the
// last. s.mu is held.
func (s *session) take(c call, chunk []byte, last bool) progress {
	offset, err := strconv.Atoi(c.header.Get(uploadHeader + "Offset"))
	size := s.size + len(chunk)
	switch {
	case err != nil || offset != s.size:
		return s.wrong("Upload offset %q does not match the %d bytes received.", printable(c.header.Get(uploadHeader+"Offset")), s.size)
	case !last && len(chunk)%granularity != 0:
		return s.wrong("Chunks but the last are multiples of %d bytes.", granularity)
	case int64(size) > maxFile:
		return progress{refused: new(tooLarge())}
	case last && s.length >= 0 && size != s.length:
		return s.wrong("Upload has %d bytes; %d were announced.", size, s.length)
	}
	s.content, s.size = append(s.content, chunk...), size
	if !last {
		return progress{state: "active", size: size, status: 200}
	}
	out, refused := s.finish(c, s.content)
	s.content = nil
	if refused != nil {
		s.cancelled = true
		return progress{refused: refused}
	}
	s.answer = encode(out, "  ")
	return progress{state: "final", status: 200, body: s.answer}
}

// endUpload refuses a request for good: a status tells clients that it would not help to send it
// again.
func (e *Emulator) endUpload(p *reply, refused Answer) {
	if refused.Header == nil {
		refused.Header = http.Header{}
	}
	refused.Header.Set(uploadHeader+"Status", "final")
	p.refuse(refused)
}

// project returns a project by its id.
func (e *Emulator) project(id string) *Project {
	for i := range e.cfg.Projects {
		if e.cfg.Projects[i].ID == id {
			return &e.cfg.Projects[i]
		}
	}
	return nil
}

// OpenUploads returns how many resumable uploads have begun and are neither finished nor cancelled:
// what they were to make does not exist.
func (e *Emulator) OpenUploads() int {
	e.uploads.mu.Lock()
	defer e.uploads.mu.Unlock()
	open := 0
	for _, s := range e.uploads.sessions {
		s.mu.Lock()
		if s.answer == nil && !s.cancelled && time.Since(s.began) <= sessionLife {
			open++
		}
		s.mu.Unlock()
	}
	return open
}
