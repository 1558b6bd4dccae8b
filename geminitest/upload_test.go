package geminitest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

const studio = "https://generativelanguage.googleapis.com"

// twoProjects are two projects that both back ends know.
func twoProjects() geminitest.Config {
	return geminitest.Config{Projects: []geminitest.Project{
		{ID: "acme", Number: "1001", Keys: []string{"key-1"}, Tokens: []string{"token-1"}},
		{ID: "other", Keys: []string{"key-2"}, Tokens: []string{"token-2"}},
	}}
}

// raw makes a request with headers.
func raw(t *testing.T, rt http.RoundTripper, verb, url, key string, body []byte, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("X-Goog-Api-Key", key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set("X-Goog-Upload-"+headers[i], headers[i+1])
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return reply{err: err}
	}
	return readAll(t, resp)
}

// begin begins an upload and returns its URL.
func begin(t *testing.T, rt http.RoundTripper, key, meta string, headers ...string) string {
	t.Helper()
	r := raw(t, rt, "POST", studio+"/upload/v1beta/files", key, []byte(meta), append([]string{"Protocol", "resumable", "Command", "start"}, headers...)...)
	if r.status != 200 || r.header.Get("X-Goog-Upload-Status") != "active" || r.header.Get("X-Goog-Upload-Url") == "" {
		t.Fatalf("start: %d %s %v", r.status, r.body, r.header)
	}
	return r.header.Get("X-Goog-Upload-Url")
}

// chunk sends a part of an upload.
func chunk(t *testing.T, rt http.RoundTripper, url, key, command string, offset int, content []byte) reply {
	t.Helper()
	return raw(t, rt, "POST", url, key, content, "Command", command, "Offset", strconv.Itoa(offset))
}

const piece = 256 << 10

func TestAnUploadGoesOnWhereItStoppedAndMakesOneFile(t *testing.T) {
	google := geminitest.New(twoProjects())
	content := bytes.Repeat([]byte("0123456789abcdef"), piece/16*2+3)
	url := begin(t, google, "key-1", `{"file":{"displayName":"book"}}`, "Header-Content-Length", strconv.Itoa(len(content)), "Header-Content-Type", "text/plain")
	state := func(r reply, status int, state, received string) {
		t.Helper()
		if r.status != status || r.header.Get("X-Goog-Upload-Status") != state || r.header.Get("X-Goog-Upload-Size-Received") != received {
			t.Errorf("got %d, %q, %q received; want %d, %q, %q: %s", r.status, r.header.Get("X-Goog-Upload-Status"), r.header.Get("X-Goog-Upload-Size-Received"), status, state, received, r.body)
		}
	}
	state(chunk(t, google, url, "key-1", "upload", 0, content[:piece]), 200, "active", "262144")
	state(chunk(t, google, url, "key-1", "upload", 0, content[:piece]), 400, "active", "262144") // sent twice
	state(chunk(t, google, url, "key-1", "upload", 2*piece, content[:piece]), 400, "active", "262144")
	state(chunk(t, google, url, "key-1", "upload", piece, content[:7]), 400, "active", "262144") // no multiple
	state(chunk(t, google, url, "key-1", "sing", piece, nil), 400, "active", "262144")
	state(chunk(t, google, url, "", "query", 0, nil), 200, "active", "262144") // the URL is a secret
	state(chunk(t, google, url, "key-1", "upload, finalize", piece, content[piece:2*piece]), 400, "active", "262144")
	if len(google.Resources()) != 0 || google.OpenUploads() != 1 {
		t.Fatalf("before its end an upload has made %v", google.Resources())
	}
	last := chunk(t, google, url, "key-1", "Upload, Finalize", piece, content[piece:])
	state(last, 200, "final", "")
	again := chunk(t, google, url, "key-1", "query", 0, nil)
	state(again, 200, "final", "")
	if again.body != last.body {
		t.Error("the answer is not repeated")
	}
	var made struct {
		File struct{ Name, MimeType, DisplayName, SizeBytes, State, Sha256Hash, URI string }
	}
	if err := json.Unmarshal([]byte(last.body), &made); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	f := made.File
	if f.MimeType != "text/plain" || f.DisplayName != "book" || f.SizeBytes != strconv.Itoa(len(content)) || f.State != "ACTIVE" || f.URI != studio+"/v1beta/"+f.Name ||
		f.Sha256Hash != base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:]))) {
		t.Errorf("file %+v", f)
	}
	kept, ok := google.FileContent(f.Name)
	if !ok || !bytes.Equal(kept, content) || google.OpenUploads() != 0 || len(google.Resources()) != 1 {
		t.Errorf("%d bytes are kept, %d uploads open, %v", len(kept), google.OpenUploads(), google.Resources())
	}
	var methods []string
	for _, r := range google.Requests() {
		methods = append(methods, r.Method)
	}
	if google.Count(geminitest.Match{Method: "files.upload"}) != 9 || google.Count(geminitest.Match{Method: "files"}) != 10 || methods[0] != "files.create" {
		t.Errorf("methods %v", methods)
	}
}

func TestUploadsAreRefused(t *testing.T) {
	google := geminitest.New(twoProjects())
	start := func(key, meta string, headers ...string) reply {
		return raw(t, google, "POST", studio+"/upload/v1beta/files", key, []byte(meta), headers...)
	}
	begun := begin(t, google, "key-1", `{"file":{"name":"files/taken"}}`)
	chunk(t, google, begun, "key-1", "upload, finalize", 0, []byte("x"))
	open := begin(t, google, "key-1", "{}")
	cancelled := begin(t, google, "key-1", "{}")
	chunk(t, google, cancelled, "key-1", "cancel", 0, nil)
	race := []string{begin(t, google, "key-1", `{"file":{"name":"files/race"}}`), begin(t, google, "key-2", `{"file":{"name":"files/race"}}`)}
	chunk(t, google, race[0], "key-1", "upload, finalize", 0, []byte("x"))
	resumable := []string{"Protocol", "resumable", "Command", "start"}
	for name, c := range map[string]struct {
		got   reply
		want  int
		says  string
		state string // X-Goog-Upload-Status
	}{
		"another protocol":       {start("key-1", "{}", "Protocol", "raw"), 400, "resumable", ""},
		"no key":                 {start("", "{}", resumable...), 403, "unregistered", ""},
		"a name that is none":    {start("key-1", `{"file":{"name":"files/A B"}}`, resumable...), 400, "invalid name", ""},
		"a name that is taken":   {start("key-2", `{"file":{"name":"files/taken"}}`, resumable...), 409, "ALREADY_EXISTS", ""},
		"broken JSON":            {start("key-1", `{`, resumable...), 400, "Invalid JSON", ""},
		"a length that is none":  {start("key-1", `{}`, append(resumable, "Header-Content-Length", "-1")...), 400, "Content-Length", ""},
		"too large":              {start("key-1", `{}`, append(resumable, "Header-Content-Length", "2147483649")...), 400, "exceeds", ""},
		"an unknown session":     {chunk(t, google, studio+"/upload/v1beta/files?upload_id=none", "key-1", "upload", 0, nil), 404, "NOT_FOUND", "final"},
		"another project's key":  {chunk(t, google, open, "key-2", "upload, finalize", 0, []byte("x")), 403, "PERMISSION_DENIED", "final"},
		"a wrong key":            {chunk(t, google, open, "key-3", "upload, finalize", 0, []byte("x")), 400, "API_KEY_INVALID", "final"},
		"a cancelled session":    {chunk(t, google, cancelled, "key-1", "upload, finalize", 0, []byte("x")), 200, "", "cancelled"},
		"a name taken meanwhile": {chunk(t, google, race[1], "key-2", "upload, finalize", 0, []byte("x")), 409, "ALREADY_EXISTS", "final"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.got.status != c.want || !strings.Contains(c.got.body, c.says) || c.got.header.Get("X-Goog-Upload-Status") != c.state {
				t.Errorf("got %d %q %s; want %d %q with %q", c.got.status, c.got.header.Get("X-Goog-Upload-Status"), c.got.body, c.want, c.state, c.says)
			}
		})
	}
	if len(google.Resources()) != 2 || google.OpenUploads() != 1 || google.CountWrongOwner(geminitest.Match{Method: "files.upload"}) != 1 {
		t.Errorf("resources %v, %d open uploads, %d wrong owners; want 2, 1, 1", google.Resources(), google.OpenUploads(), google.CountWrongOwner(geminitest.Match{}))
	}
}

func TestAnUploadFailsBetweenChunksWithoutAFile(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 20<<20) // three chunks
	for name, c := range map[string]struct {
		answers []geminitest.Answer
		works   bool
		is      func(error) bool
	}{
		"a reset":              {[]geminitest.Answer{{}, geminitest.ConnectionReset()}, false, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		"a 503 for good":       {[]geminitest.Answer{{}, geminitest.Unavailable(), geminitest.Unavailable(), geminitest.Unavailable()}, false, func(error) bool { return true }}, // the SDK hides it
		"a 503 that goes away": {[]geminitest.Answer{{}, geminitest.Unavailable(), geminitest.Unavailable()}, true, nil},
		"at the last":          {[]geminitest.Answer{{}, {}, geminitest.ConnectionReset()}, false, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := geminitest.New(twoBackends())
				google.Script(geminitest.Match{Method: "files.upload"}, c.answers...)
				files := sdkClients(t, google, "")["gemini"].Files
				file, err := files.Upload(t.Context(), bytes.NewReader(content), &genai.UploadFileConfig{MIMEType: "text/plain"})
				if c.works {
					if err != nil || *file.SizeBytes != int64(len(content)) || google.OpenUploads() != 0 {
						t.Errorf("%+v, %v", file, err)
					}
					return
				}
				if err == nil || !c.is(err) || len(google.Resources()) != 0 || google.OpenUploads() != 1 {
					t.Errorf("error %v, resources %v, open uploads %d; want an error and nothing made", err, google.Resources(), google.OpenUploads())
				}
				time.Sleep(8 * 24 * time.Hour)
				if google.OpenUploads() != 0 {
					t.Error("an upload is open after a week")
				}
			})
		})
	}
}
