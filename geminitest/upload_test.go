package geminitest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
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

// TestUploadHeadersAreSpelledAsGoogleDoes reads the bytes of the wire: Python's SDK looks for these
// spellings when it uploads without blocking, and for no other.
func TestUploadHeadersAreSpelledAsGoogleDoes(t *testing.T) {
	server := geminitest.NewServer(t, pair())
	send := func(url string, header ...string) string {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: google\r\nConnection: close\r\nx-goog-api-key: key-a\r\nContent-Length: 0\r\n%s\r\n\r\n",
			url, strings.Join(header, "\r\n"))
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	begun := send("/upload/v1beta/files", "X-Goog-Upload-Protocol: resumable", "X-Goog-Upload-Command: start")
	for _, name := range []string{
		"X-Goog-Upload-URL", "X-Goog-Upload-Control-URL", "X-Goog-Upload-Status", "X-Goog-Upload-Chunk-Granularity", "X-GUploader-UploadID",
	} {
		if !strings.Contains(begun, "\r\n"+name+": ") {
			t.Errorf("%s is missing in\n%s", name, begun)
		}
	}
	_, id, _ := strings.Cut(begun, "upload_id=")
	id, _, _ = strings.Cut(id, "&")
	asked := send("/upload/v1beta/files?upload_id="+id, "X-Goog-Upload-Command: query")
	for _, name := range []string{"X-Goog-Upload-Status", "X-Goog-Upload-Size-Received"} {
		if !strings.Contains(asked, "\r\n"+name+": ") {
			t.Errorf("%s is missing in\n%s", name, asked)
		}
	}
}

func TestHeadersAreReadInGosSpellingInMemory(t *testing.T) {
	google := geminitest.New(pair())
	r := ask{key: "key-a", url: "https://generativelanguage.googleapis.com/upload/v1beta/files", body: "{}"}.request(t.Context())
	r.Header.Set("X-Goog-Upload-Protocol", "resumable")
	r.Header.Set("X-Goog-Upload-Command", "start")
	resp, err := google.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get("X-Goog-Upload-Url") == "" || resp.Header.Get("X-Guploader-Uploadid") == "" {
		t.Errorf("got %q", resp.Header)
	}
}

// TestFilesComeInOneRequestOfTwoParts uploads as the multipart protocol has it.
func TestFilesComeInOneRequestOfTwoParts(t *testing.T) {
	const parts = "--b\r\nContent-Type: application/json\r\n\r\n{\"file\":{\"displayName\":\"tide\"}}\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nhigh\r\nwater\r\n--b--\r\n"
	send := func(google http.RoundTripper, header http.Header, query, body string) reply {
		r := ask{key: "key-a", url: studio + "/upload/v1beta/files" + query, body: body}.request(t.Context())
		maps.Copy(r.Header, header)
		resp, err := google.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return readAll(t, resp)
	}
	related := http.Header{"Content-Type": {"multipart/related; boundary=b"}, "X-Goog-Upload-Protocol": {"multipart"}}
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for query, header := range map[string]http.Header{"": related, "?uploadType=multipart": {"Content-Type": related["Content-Type"]}} {
			var out struct {
				File struct{ Name, DisplayName, MimeType, SizeBytes, State string }
			}
			send(rt, header, query, parts).decode(t, &out)
			if out.File.DisplayName != "tide" || out.File.MimeType != "text/plain" || out.File.SizeBytes != "11" || out.File.State != "ACTIVE" {
				t.Errorf("got %+v", out.File)
			}
			if content, _ := google.FileContent(out.File.Name); string(content) != "high\r\nwater" {
				t.Errorf("content %q", content)
			}
			var got struct{ Name string }
			(ask{key: "key-a", verb: "GET", url: studio + "/v1beta/" + out.File.Name}).do(t.Context(), rt).decode(t, &got)
			if got.Name != out.File.Name {
				t.Errorf("the file is not there: %q", got.Name)
			}
		}
		for what, body := range map[string]string{
			"one part":    "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--\r\n",
			"three parts": strings.Replace(parts, "--b--", "--b\r\n\r\nmore\r\n--b--", 1),
			"no end":      strings.Replace(parts, "--b--", "", 1),
			"no JSON":     strings.Replace(parts, "{", "", 1),
			"no parts":    "{}",
		} {
			if got := send(rt, related, "", body); got.status != 400 {
				t.Errorf("%s: %d %s", what, got.status, got.body)
			}
		}
		if got := send(rt, http.Header{"X-Goog-Upload-Protocol": {"multipart"}, "Content-Type": {"application/json"}}, "", parts); got.status != 400 {
			t.Errorf("without a boundary: %d %s", got.status, got.body)
		}
	})
}
