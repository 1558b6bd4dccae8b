package demand

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

// ErrNoLog says that a file is none of the logs that can be read.
var ErrNoLog = errors.New("it is no log of calls: spillway plan reads Spillway's call log, LiteLLM's spend logs " +
	"and Vertex AI's request-response logs, each as JSON, JSON lines or CSV with a header")

// errUTF16 is of files as some shells of Windows write them.
var errUTF16 = errors.New("it is UTF-16; write it again as UTF-8")

const (
	// maxEntry bounds an entry: a record of Vertex AI's contains the request and the response.
	maxEntry = 64 << 20
	// maxName bounds names of others, which are shown.
	maxName = 128
	// mostTook bounds how long a call may be said to have taken.
	mostTook = 24 * time.Hour
)

// Why entries are skipped, in more than one format.
const (
	noTokens     = "without tokens"
	failed       = "of calls that failed"
	otherMethods = "of other methods than generateContent"
)

// format is a kind of log.
type format struct {
	name string
	keys []string // an entry has one of these
	// call reads an entry, which is skipped if there is a reason.
	call func(f fields) (c Call, skip string)
	// asked returns the models that requests for a call were made for; nil: the log does not say.
	asked func(f fields) []string
}

// formats are all that can be read.
var formats = []format{
	{"Spillway's call log", []string{"outcome", "dropped"}, spillwayCall, spillwayAsked},
	{"LiteLLM's spend logs", []string{"prompt_tokens"}, litellmCall, nil},
	{"Vertex AI's request-response logs", []string{"logging_time", "full_response", "response_payload"}, vertexCall, nil},
}

// Read reads a log of any format that it knows. A file without entries is a log without a format.
func Read(from io.Reader) (*Log, error) {
	in := &source{in: bufio.NewReaderSize(from, 1<<16), left: maxEntry, lines: 1}
	r := &reader{log: &Log{}, names: make(map[string]string), aliases: make(aliases)}
	err := r.file(in)
	switch {
	case errors.Is(err, io.EOF):
		return r.log, nil
	case err != nil && r.format == nil:
		return nil, err
	case err != nil: // a file that is damaged, or is being compressed now
		r.broken("the rest: "+plain.Text(err.Error(), maxName), func() int { return in.lines })
	case r.format == nil && r.entries > 0:
		return nil, ErrNoLog
	}
	r.aliases.resolve(r.log.Calls)
	r.log.fill()
	r.log.Sort()
	return r.log, nil
}

// reader reads the entries of one file.
type reader struct {
	log     *Log
	format  *format // once an entry has shown it
	entries int
	names   map[string]string // of models and labels
	aliases aliases
}

// mostNames bounds the names that are kept once.
const mostNames = 10_000

// add adds an entry, an object of JSON that begins in a line of the file.
func (r *reader) add(raw []byte, line func() int) {
	f, err := fieldsOf(raw)
	if err != nil && raw[0] == '[' { // a page of an API
		f, err = fieldsOf(slices.Concat([]byte(`{"page":`), raw, []byte("}")))
	}
	if err != nil {
		r.broken(whyNotJSON(err), line)
		return
	}
	r.take(f, raw, line)
}

// take adds an entry, or the entries that it wraps.
func (r *reader) take(f fields, raw []byte, line func() int) {
	if r.format == nil {
		i := slices.IndexFunc(formats, func(known format) bool { return known.has(f) })
		if i < 0 {
			r.wrapped(f, raw, line)
			return
		}
		r.format = &formats[i]
		r.log.Format = r.format.name
	}
	if !r.format.has(f) {
		r.wrapped(f, raw, line)
		return
	}
	r.entries++
	c, skip := r.format.call(f)
	if r.format.asked != nil {
		r.aliases.see(c.Model, r.format.asked(f))
	}
	if c.Took > mostTook || c.Took < 0 {
		c.Took = 0 // which is filled in
	}
	switch {
	case skip != "" && skip != noTokens:
		r.leave(skip, false, line)
	case *f.wrong != "":
		r.broken(*f.wrong, line)
	case skip != "":
		r.leave(skip, false, line)
	case c.At.IsZero():
		r.broken("no time", line)
	case c.Model == "":
		r.broken("no model", line)
	case len(r.log.Calls) == MostCalls:
		r.leave(tooMany, false, line)
	default:
		c.Model, c.Label = r.once(c.Model), r.once(c.Label)
		r.log.Calls = append(r.log.Calls, c)
	}
}

// once returns the first string that is equal to a name: most calls have the same few.
func (r *reader) once(name string) string {
	if known, ok := r.names[name]; ok {
		return known
	}
	if len(r.names) < mostNames {
		r.names[name] = name
	}
	return name
}

// has reports whether an object is an entry.
func (f *format) has(of fields) bool { return slices.ContainsFunc(f.keys, of.has) }

// wrapped adds the entries of a list in an object, as APIs answer by pages: {"data": [...], "page": 1}.
func (r *reader) wrapped(f fields, raw []byte, line func() int) {
	before := r.entries
	for _, one := range f.of {
		if one.value[0] != '[' {
			continue
		}
		r.elements(elements(one.value), func(one []byte) int {
			return line() + bytes.Count(raw[:max(bytes.Index(raw, one), 0)], []byte("\n"))
		})
	}
	if r.entries == before {
		r.broken("no entry of such a log", line)
	}
}

// elements adds those of a list that are entries.
func (r *reader) elements(all [][]byte, line func(one []byte) int) {
	for _, one := range all {
		f, err := fieldsOf(one)
		if err == nil && slices.ContainsFunc(formats, func(known format) bool { return known.has(f) }) {
			r.take(f, one, func() int { return line(one) })
		}
	}
}

func (r *reader) broken(why string, line func() int) {
	r.entries++
	r.leave(why, true, line)
}

// leave counts an entry that counts for nothing.
func (r *reader) leave(why string, broken bool, line func() int) {
	if kind, isNew := r.log.leave(Left{Why: why, Broken: broken, Entries: 1}); isNew {
		kind.Line = line()
	}
}

// modelOf returns the model's id in a name that may be a path: "vertex_ai/gemini-3.5-flash".
func modelOf(name string) string {
	name = plain.Text(name[strings.LastIndexByte(name, '/')+1:], maxName)
	if i := strings.IndexByte(name, '@'); i >= 0 { // a version
		name = name[:i]
	}
	return name
}
