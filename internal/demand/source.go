package demand

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// errTooLong is of an entry, or of the space between two.
var errTooLong = fmt.Errorf("longer than %d MB", maxEntry>>20)

// source is a file that is read by a decoder. It bounds what a decoder keeps of one entry, and counts
// lines.
type source struct {
	in    *bufio.Reader
	left  int // bytes that may still be read for the present entry
	lines int // the number of the line that is read now
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooLong
	}
	n, err := s.in.Read(p[:min(len(p), s.left)])
	s.left -= n
	s.lines += bytes.Count(p[:n], []byte("\n"))
	return n, err
}

// first skips white space and a byte order mark, and returns the byte that follows.
func (s *source) first() (byte, error) {
	if mark, _ := s.in.Peek(2); bytes.Equal(mark, []byte{0xff, 0xfe}) || bytes.Equal(mark, []byte{0xfe, 0xff}) {
		return 0, errUTF16
	}
	for {
		b, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch b {
		case '\n':
			s.lines++
		case ' ', '\t', '\r', 0xef, 0xbb, 0xbf:
		default:
			return b, s.in.UnreadByte()
		}
	}
}

// line reads a line. What is longer than an entry may be is skipped, with errTooLong.
func (s *source) line(to []byte) (line []byte, err error) {
	tooLong := false
	for {
		part, err := s.in.ReadSlice('\n')
		if tooLong = tooLong || len(to)+len(part) > maxEntry; tooLong {
			to = to[:0]
		} else {
			to = append(to, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil:
			s.lines++
		}
		if tooLong {
			err = errors.Join(errTooLong, err)
		}
		return to, err
	}
}

// file reads all entries of a file.
func (r *reader) file(in *source) error {
	first, err := in.first()
	if err != nil {
		return err
	}
	switch {
	case entryLines(in.in):
		return r.lines(in, in.lines, nil)
	case first == '[':
		r.values(in, in, true)
		return nil
	case first != '{':
		return r.table(in)
	}
	// The line may be longer than what entryLines has seen of it.
	begin := in.lines
	line, err := in.line(nil)
	if errors.Is(err, errTooLong) {
		r.broken(errTooLong.Error(), func() int { return begin })
		return r.lines(in, begin, nil)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if json.Valid(line) {
		return r.lines(in, begin, line)
	}
	r.values(in, io.MultiReader(bytes.NewReader(line), in), false)
	return nil
}

// entryLines reports whether most of the lines with which a file begins are entries.
func entryLines(in *bufio.Reader) bool {
	text, err := in.Peek(in.Size())
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if err == nil && len(lines) > 1 {
		lines = lines[:len(lines)-1] // of which only the beginning may be here
	}
	entries := 0
	for _, line := range lines[:min(len(lines), 32)] {
		f, err := fieldsOf(line)
		if err == nil && slices.ContainsFunc(formats, func(known format) bool { return known.has(f) }) {
			entries++
		}
	}
	return 2*entries >= min(len(lines), 32)
}

// lines reads entries that are a line each. The first line, of that number, may have been read before.
func (r *reader) lines(in *source, number int, line []byte) error {
	here := func() int { return number }
	r.line(line, nil, here)
	for {
		var err error
		number = in.lines
		line, err = in.line(line[:0])
		r.line(line, err, here)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, errTooLong):
			return err
		}
	}
}

func (r *reader) line(line []byte, err error, here func() int) {
	line = bytes.TrimSpace(line)
	switch {
	case errors.Is(err, errTooLong):
		r.broken(err.Error(), here)
	case len(line) > 0:
		r.add(line, here)
	}
}

// values reads entries that are values of JSON, one after the other or in arrays.
func (r *reader) values(in *source, text io.Reader, arrays bool) {
	d := json.NewDecoder(text)
	here := func() int { // what is read ahead does not count
		ahead, _ := io.ReadAll(d.Buffered())
		return in.lines - bytes.Count(ahead, []byte("\n"))
	}
	fail := func(err error) { r.broken(whyNotJSON(err)+", and what follows it", here) }
	next := func() bool {
		var raw json.RawMessage
		in.left = maxEntry
		if err := d.Decode(&raw); err != nil {
			if arrays || !errors.Is(err, io.EOF) {
				fail(err)
			}
			return false
		}
		r.add(raw, func() int { return here() - bytes.Count(raw, []byte("\n")) })
		return true
	}
	for {
		if !arrays {
			if !next() {
				return
			}
			continue
		}
		in.left = maxEntry
		switch begin, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			fail(err)
			return
		case begin != json.Delim('['):
			fail(errNoArray)
			return
		}
		for d.More() {
			if !next() {
				return
			}
		}
		if _, err := d.Token(); err != nil { // the other bracket
			fail(err)
			return
		}
	}
}

var errNoArray = errors.New("no array")

// whyNotJSON says what is wrong with a text. What package json quotes of it would make every text a
// reason of its own.
func whyNotJSON(err error) string {
	switch {
	case errors.Is(err, errTooLong):
		return errTooLong.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut off"
	default:
		return "no JSON object"
	}
}

// table reads a CSV file with a header, as databases and notebooks export tables.
func (r *reader) table(in *source) error {
	start := in.lines - 1
	c := csv.NewReader(in)
	c.FieldsPerRecord, c.LazyQuotes, c.ReuseRecord, c.Comma = -1, true, true, separator(in.in)
	header, err := c.Read()
	if err != nil {
		return ErrNoLog
	}
	header = slices.Clone(header)
	columns := fields{nil, new(string)}
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		columns.of = append(columns.of, field{[]byte(header[i]), []byte("0")})
	}
	if !slices.ContainsFunc(formats, func(known format) bool { return known.has(columns) }) {
		return ErrNoLog
	}
	for {
		in.left = maxEntry
		row, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errTooLong):
			r.broken(errTooLong.Error()+", and what follows it", func() int { return in.lines })
			return nil
		case err != nil:
			syntax, ok := errors.AsType[*csv.ParseError](err)
			if !ok {
				return err
			}
			r.broken("no row of CSV", func() int { return start + syntax.StartLine })
		default:
			line, _ := c.FieldPos(0)
			r.row(header, row, func() int { return start + line })
		}
	}
}

// row adds a row of a table.
func (r *reader) row(header, row []string, line func() int) {
	f := fields{make([]field, 0, len(row)), new(string)}
	for i, text := range row[:min(len(row), len(header))] {
		switch text {
		case "", "NULL", `\N`, "NaN", "nan", "None": // nothing, as one program or another writes it
		default:
			f.of = append(f.of, field{[]byte(header[i]), []byte(text)})
		}
	}
	r.take(f, nil, line)
}

// separator returns what is between the columns of a header.
func separator(in *bufio.Reader) rune {
	text, _ := in.Peek(in.Size())
	header, _, _ := bytes.Cut(text, []byte("\n"))
	best := ','
	for _, other := range [...]rune{';', '\t', '|'} {
		if bytes.Count(header, []byte(string(other))) > bytes.Count(header, []byte(string(best))) {
			best = other
		}
	}
	return best
}
