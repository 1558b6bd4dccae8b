package verdict

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

const (
	maxFault      = 1 << 20 // bytes of an error body that are read
	maxText       = 8 << 10 // bytes of a message that rules see
	maxMessage    = 300     // bytes of Verdict.Message
	maxName       = 200     // bytes of a name or an id
	maxViolations = 32
	maxNesting    = 8 // envelopes, arrays and messages inside each other
)

// fault is the content of an error body. Absent fields are zero.
type fault struct {
	code       int
	status     string
	reason     string // of ErrorInfo, or a string sent as the code
	resource   string // of ErrorInfo.metadata, like the next two
	permission string
	container  string // what was suspended
	service    string // whose answer it is
	page       string // an HTML page, in lower case
	message    string // bounded to maxText
	violations []Violation
	delay      time.Duration
}

// readFault reads any body of an error: an envelope, an array of them, an envelope inside a
// message, or text.
func readFault(h http.Header, body []byte) fault {
	body = plainBody(h, body)
	var f fault
	f.read(body, 0)
	return f
}

// plainBody undoes gzip, which arrives if the caller asked for it itself, and bounds the body.
func plainBody(h http.Header, body []byte) []byte {
	zipped := len(body) > 2 && body[0] == 0x1f && body[1] == 0x8b
	if zipped || jsonscan.IndexFold(h.Get("Content-Encoding"), "gzip") >= 0 {
		if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			// A cut body still tells something.
			body, _ = io.ReadAll(io.LimitReader(r, maxFault))
		}
	}
	return body[:min(len(body), maxFault)]
}

// read reads JSON, or text with JSON in it.
func (f *fault) read(body []byte, nesting int) {
	body = bytes.TrimSpace(jsonscan.TrimByteOrderMark(body))
	if len(body) == 0 {
		return
	}
	c := jsonscan.New(body)
	if body[0] == '{' || body[0] == '[' {
		f.readError(&c, nesting)
		return
	}
	if body[0] == '"' {
		f.setMessage(c.Text(), nesting)
		return
	}
	text := body[:min(len(body), maxText)]
	if nesting == 0 {
		if body[0] == '<' {
			f.page = clip(strings.ToLower(strings.ToValidUTF8(string(text), "\uFFFD")))
		}
		if title, ok := htmlTitle(text); ok {
			text = title
		}
		f.message = clip(strings.ToValidUTF8(string(text), "\uFFFD"))
	}
	f.readWithin(body, nesting)
}

// readWithin reads the envelope inside a text: `got status: 429. {"error": …}`.
func (f *fault) readWithin(text []byte, nesting int) {
	open := bytes.IndexByte(text, '{')
	if open < 0 || nesting >= maxNesting {
		return
	}
	rest := text[open:]
	inner := bytes.TrimLeft(rest[1:], " \t\r\n")
	if bytes.HasPrefix(inner, []byte(`"error"`)) || bytes.HasPrefix(inner, []byte(`"code"`)) {
		c := jsonscan.New(rest)
		f.readError(&c, nesting+1)
	}
}

// readError reads the error, envelope or array that comes next.
func (f *fault) readError(c *jsonscan.Scanner, nesting int) {
	if nesting > maxNesting {
		c.Skip()
		return
	}
	if c.Enter('[') {
		for c.Element() {
			f.readError(c, nesting+1)
		}
		return
	}
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		var buf [32]byte
		switch string(foldKey(c.Key, &buf)) {
		case "error":
			if b := c.Peek(); b == '{' || b == '[' {
				f.readError(c, nesting+1)
			} else {
				f.setMessage(c.Text(), nesting)
			}
		case "code":
			f.setCode(c.Text())
		case "status":
			if s := c.Text(); jsonscan.IsDigits(string(s)) {
				f.setCode(s)
			} else {
				f.status = name(s)
			}
		case "message":
			f.setMessage(c.Text(), nesting)
		case "details":
			f.readDetails(c)
		}
	}
}

func (f *fault) setCode(code []byte) {
	if n, ok := jsonscan.Integer(code); ok {
		f.code = jsonscan.Count(n)
	} else if len(code) > 0 {
		f.reason = name(code)
	}
}

// setMessage takes a message as sent. Gateways put whole envelopes into one.
func (f *fault) setMessage(sent []byte, nesting int) {
	if len(sent) == 0 {
		return
	}
	text := jsonscan.Unquote(sent)
	if f.message == "" || nesting > 0 {
		f.message = clip(strings.ToValidUTF8(text, "\uFFFD"))
	}
	if nesting >= maxNesting {
		return
	}
	if trimmed := strings.TrimLeft(text, " \t\r\n"); trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') {
		f.read([]byte(trimmed), nesting+1)
		return
	}
	f.readWithin([]byte(text), nesting)
}

// readDetails reads the details in any order. A detail's fields tell what it is; its type can only
// rule it out.
func (f *fault) readDetails(c *jsonscan.Scanner) {
	if c.Enter('[') {
		for c.Element() {
			f.readDetail(c)
		}
		return
	}
	f.readDetail(c)
}

func (f *fault) readDetail(c *jsonscan.Scanner) {
	if !c.Enter('{') {
		return
	}
	var d struct {
		kind, reason string
		metadata     metadata
		violations   []Violation
		delay        time.Duration
		localized    []byte
	}
	d.metadata.quota.Limit = -1
	for c.Member() {
		var buf [32]byte
		switch string(foldKey(c.Key, &buf)) {
		case "@type":
			d.kind = strings.ToLower(name(c.Text()))
		case "reason":
			d.reason = name(c.Text())
		case "retrydelay":
			d.delay = readRetryDelay(c)
		case "violations":
			d.violations = readViolations(c)
		case "message":
			d.localized = c.Text()
		case "metadata":
			d.metadata.read(c)
		}
	}
	is := func(kind string) bool { return d.kind == "" || strings.HasSuffix(d.kind, kind) }
	if is("retryinfo") {
		f.delay = max(f.delay, d.delay)
	}
	if is("quotafailure") {
		f.violations = append(f.violations, d.violations...)
	}
	if is("errorinfo") && d.reason != "" {
		f.reason, f.resource = d.reason, d.metadata.resource
		f.permission, f.container, f.service = d.metadata.permission, d.metadata.container, d.metadata.service
		if d.metadata.quota.ID != "" {
			f.violations = append(f.violations, d.metadata.quota.told())
		}
	}
	if is("localizedmessage") && f.message == "" {
		f.message = clip(strings.ToValidUTF8(jsonscan.Unquote(d.localized), "\uFFFD"))
	}
	f.violations = f.violations[:min(len(f.violations), maxViolations)]
}

// metadata is what is read of ErrorInfo.metadata.
type metadata struct {
	resource, permission, container, service string
	quota                                    Violation
}

func (m *metadata) read(c *jsonscan.Scanner) {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		var buf [32]byte
		switch string(foldKey(c.Key, &buf)) {
		case "resource":
			m.resource = name(c.Text())
		case "permission":
			m.permission = name(c.Text())
		case "service":
			m.service = name(c.Text())
		case "containerinfo":
			m.container = name(c.Text())
		case "quotalimit":
			m.quota.ID = name(c.Text())
		case "quotametric":
			m.quota.Metric = name(c.Text())
		case "quotalimitvalue":
			m.quota.Limit = limit(c.Text())
		case "quotalocation":
			m.quota.Region = isLocation(c.Text())
		}
	}
}

func readViolations(c *jsonscan.Scanner) []Violation {
	if !c.Enter('[') {
		return nil
	}
	var all []Violation
	for c.Element() {
		v := Violation{Limit: -1}
		if !c.Enter('{') {
			continue
		}
		for c.Member() {
			var buf [32]byte
			switch string(foldKey(c.Key, &buf)) {
			case "quotaid":
				v.ID = name(c.Text())
			case "quotametric":
				v.Metric = name(c.Text())
			case "quotavalue":
				v.Limit = limit(c.Text())
			case "quotadimensions":
				if !c.Enter('{') {
					continue
				}
				for c.Member() {
					switch {
					case jsonscan.EqualFold(string(c.Key), "model"):
						v.Model = name(c.Text())
					case jsonscan.EqualFold(string(c.Key), "location"), jsonscan.EqualFold(string(c.Key), "region"):
						v.Region = isLocation(c.Text())
					}
				}
			}
		}
		if (v.ID != "" || v.Metric != "") && len(all) < maxViolations {
			all = append(all, v.told())
		}
	}
	return all
}

// isLocation reports whether a quota's dimension is one location. The Gemini back end writes
// "global" for what has none.
func isLocation(value []byte) bool { return len(value) > 0 && string(value) != "global" }

// limit reads a quota's value, -1 for none.
func limit(value []byte) int64 {
	if n, ok := jsonscan.Integer(value); ok && n >= 0 {
		return n
	}
	return -1
}

// name reads an id, bounded and fit for logs and terminals. Every name that Google says comes in
// here.
func name(sent []byte) string { return nameOf(jsonscan.Unquote(sent[:min(len(sent), 4*maxName)])) }

// nameOf is name for an id that stands in a message.
func nameOf(text string) string { return plain.Text(text, maxName) }

// clip cuts valid UTF-8 to what rules see, between characters.
func clip(s string) string {
	n := maxText
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// foldKey makes quotaId, quota_id and QuotaID the same. No key of interest is longer than the
// buffer.
func foldKey(key []byte, buf *[32]byte) []byte {
	n := 0
	for _, b := range key {
		if b == '_' {
			continue
		}
		if n == len(buf) {
			return nil
		}
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		buf[n] = b
		n++
	}
	return buf[:n]
}

// htmlTitle returns the title of a page.
func htmlTitle(text []byte) ([]byte, bool) {
	if text[0] != '<' {
		return nil, false
	}
	lower := bytes.ToLower(text)
	from := bytes.Index(lower, []byte("<title>"))
	if from < 0 || len(lower) != len(text) {
		return nil, false
	}
	from += len("<title>")
	to := bytes.IndexByte(text[from:], '<')
	if to < 0 {
		return nil, false
	}
	return bytes.TrimSpace(text[from : from+to]), true
}
