package demand

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// ErrNoLog says that a file is none of the logs that can be read.
var ErrNoLog = errors.New("it is no log of calls: spillway plan reads Spillway's call log, LiteLLM's spend logs " +
	"(JSON, JSON lines or CSV) and Vertex AI's request-response logs (JSON lines)")

const (
	// maxLine bounds a line: a record of Vertex AI's contains the request and the response.
	maxLine = 64 << 20
	// maxName bounds names of others, which are shown.
	maxName = 128
)

// entry is one entry of a log, in the words of whatever wrote it.
type entry interface {
	// call returns the call. Not ok if it is none that a model has served.
	call() (c Call, ok bool)
}

// formats are the logs that are lines of JSON, each with a key by which it is known.
var formats = []struct {
	name, key string
	entry     func() entry
}{
	{"Spillway's call log", `"outcome"`, func() entry { return new(spillwayEntry) }},
	{"LiteLLM's spend logs", `"prompt_tokens"`, func() entry { return new(litellmEntry) }},
	{"Vertex AI's request-response logs", `"logging_time"`, func() entry { return new(vertexEntry) }},
}

// Read reads a log of any format that it knows.
func Read(from io.Reader) (*Log, error) {
	in := bufio.NewReaderSize(from, 1<<16)
	first, err := firstByte(in)
	if err != nil {
		return nil, ErrNoLog
	}
	l := &Log{}
	switch first {
	case '[':
		l.array(in)
	case '{':
		err = l.lines(in)
	default:
		err = l.table(in)
	}
	if err != nil {
		return nil, err
	}
	if l.Format == "" {
		return nil, ErrNoLog
	}
	l.fill()
	l.sort()
	return l, nil
}

// firstByte returns the first byte that is no white space and no byte order mark, and leaves it there.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b)) && b != 0xef && b != 0xbb && b != 0xbf {
			return b, in.UnreadByte()
		}
	}
}

// array reads a JSON array of entries.
func (l *Log) array(in *bufio.Reader) {
	d := json.NewDecoder(in)
	_, _ = d.Token() // the bracket
	for d.More() {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			l.Broken++ // what follows cannot be told apart
			return
		}
		l.add(raw)
	}
}

// lines reads entries that are a line each.
func (l *Log) lines(in *bufio.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 1<<16), maxLine)
	for s.Scan() {
		if line := bytes.TrimSpace(s.Bytes()); len(line) > 0 {
			l.add(line)
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is longer than %d bytes", maxLine)
	}
	return s.Err()
}

// add adds an entry that is an object of JSON.
func (l *Log) add(raw []byte) {
	for _, f := range formats {
		if l.Format != "" && l.Format != f.name || !bytes.Contains(raw, []byte(f.key)) {
			continue
		}
		e := f.entry()
		if json.Unmarshal(raw, e) != nil {
			break
		}
		l.Format = f.name
		l.take(e)
		return
	}
	l.Broken++
}

func (l *Log) take(e entry) {
	c, ok := e.call()
	if !ok || c.At.IsZero() || c.Model == "" {
		l.Skipped++
		return
	}
	l.Calls = append(l.Calls, c)
}

// table reads a CSV file with a header: LiteLLM's, as databases export it.
func (l *Log) table(in *bufio.Reader) error {
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	header, err := r.Read()
	if err != nil {
		return ErrNoLog
	}
	columns := make(map[string]int)
	for i, name := range header {
		columns[strings.Clone(strings.TrimSpace(name))] = i
	}
	if _, ok := columns["prompt_tokens"]; !ok {
		return ErrNoLog
	}
	l.Format = "LiteLLM's spend logs"
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			l.Broken++
			if _, syntax := errors.AsType[*csv.ParseError](err); !syntax {
				return err
			}
		default:
			l.take(litellmRow(columns, row))
		}
	}
}

// fill gives calls that were refused, of which nobody knows the tokens, the mean of their model.
func (l *Log) fill() {
	type sum struct {
		calls int64
		usage quota.Usage
	}
	sums := make(map[string]*sum)
	for i := range l.Calls {
		c := &l.Calls[i]
		if c.Usage == (quota.Usage{}) {
			continue
		}
		s := sums[c.Model]
		if s == nil {
			s = &sum{}
			sums[c.Model] = s
		}
		s.calls++
		s.usage.Input += c.Usage.Input
		s.usage.Cached += c.Usage.Cached
		s.usage.Output += c.Usage.Output
	}
	kept := l.Calls[:0]
	for _, c := range l.Calls {
		if c.Usage == (quota.Usage{}) {
			s := sums[c.Model]
			if s == nil {
				l.Skipped++
				continue
			}
			c.Usage = quota.Usage{Input: s.usage.Input / s.calls, Cached: s.usage.Cached / s.calls, Output: s.usage.Output / s.calls}
			l.Filled++
		}
		if c.Took <= 0 {
			c.Took = Took(c.Usage)
		}
		kept = append(kept, c)
	}
	l.Calls = kept
}

// modelOf returns the model's id in a name that may be a path: "vertex_ai/gemini-3.5-flash".
func modelOf(name string) string {
	name = plain.Text(name[strings.LastIndexByte(name, '/')+1:], maxName)
	if i := strings.IndexByte(name, '@'); i >= 0 { // a version
		name = name[:i]
	}
	return name
}

// layouts are how logs write times; those without an offset are in UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
}

// timeOf reads a time; zero if it is none.
func timeOf(text string) time.Time {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// mostTokens bounds what a log may say of one call: many times what any model takes.
const mostTokens = 1 << 30

// tokens returns a number of tokens that makes sense.
func tokens(n float64) int64 {
	if !(n > 0) {
		return 0
	}
	return int64(min(n, mostTokens))
}
