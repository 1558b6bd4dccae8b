package price

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

//go:embed prices.json
var builtInJSON []byte

// BuiltIn returns the prices that this version of Spillway knows.
var BuiltIn = sync.OnceValue(func() *Table {
	t, _ := (&Table{}).Override(bytes.NewReader(builtInJSON)) // TestEveryPriceHasItsOrigin shows that it can be read
	return t
})

// mostBytes bounds a file of prices.
const mostBytes = 16 << 20

// Override returns t with the rows of a file in place of those for the same model, factor, or term and
// location, from the day on that the first of them says. The file has the form of prices.json; of its three lists each may be missing, and so may
// read, source and note of a row. An error begins with the line that it is about.
func (t *Table) Override(file io.Reader) (*Table, error) {
	text, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > mostBytes:
		return nil, fmt.Errorf("the file has more than %d bytes", mostBytes)
	}
	r := reader{text: text, line: 1, d: json.NewDecoder(bytes.NewReader(text)), to: &Table{
		models: make(map[string][]Model), factors: make(map[string][]factor),
	}, rows: make(map[[3]string]bool)}
	if err := r.file(); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line, err)
	}
	return r.to.over(t), nil
}

// merged returns rows in the order of the days from which they hold: a table's own, and those of base
// that hold before.
func merged[T any](own, base map[string][]T, from func(T) time.Time) map[string][]T {
	all := maps.Clone(own)
	for about, rows := range base {
		before := slices.DeleteFunc(slices.Clone(rows), func(row T) bool {
			return slices.ContainsFunc(own[about], func(o T) bool { return !from(o).After(from(row)) })
		})
		all[about] = append(before, own[about]...)
	}
	for _, rows := range all {
		slices.SortStableFunc(rows, func(a, b T) int { return from(a).Compare(from(b)) })
	}
	return all
}

// over returns t with the rows of base that it does not have.
func (t *Table) over(base *Table) *Table {
	all := &Table{
		models:  merged(t.models, base.models, func(m Model) time.Time { return m.From }),
		factors: merged(t.factors, base.factors, func(f factor) time.Time { return f.from }),
		orders:  slices.Clone(t.orders),
	}
	for _, o := range base.orders {
		if _, own := t.Order(o.Term, o.Location); !own {
			all.orders = append(all.orders, o)
		}
	}
	return all
}

// reader reads a file row by row, so that it knows the line of each.
type reader struct {
	text []byte
	d    *json.Decoder
	line int // of what is read now
	seen int // how far lines are counted
	to   *Table
	rows map[[3]string]bool // what they are about
}

// again reports whether there was a row about the same.
func (r *reader) again(about ...string) bool {
	key := [3]string(about)
	before := r.rows[key]
	r.rows[key] = true
	return before
}

var errForm = errors.New(`it is no file of prices: write {"models": [...], "factors": [...], "orders": [...]}`)

func (r *reader) file() error {
	rows := map[string]func([]byte) error{"models": r.model, "factors": r.factor, "orders": r.order}
	if err := r.delim('{'); err != nil {
		return err
	}
	for r.d.More() {
		key, err := r.token()
		if err != nil {
			return err
		}
		row, ok := rows[fmt.Sprint(key)]
		if !ok {
			return errForm
		}
		if err := r.list(row); err != nil {
			return err
		}
	}
	if err := r.delim('}'); err != nil {
		return err
	}
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return errForm
	}
	return nil
}

// list reads a list of rows.
func (r *reader) list(row func([]byte) error) error {
	if err := r.delim('['); err != nil {
		return err
	}
	for r.d.More() {
		var raw json.RawMessage
		if err := r.d.Decode(&raw); err != nil {
			return r.broken(err)
		}
		r.at(r.d.InputOffset() - int64(len(raw)))
		if err := row(raw); err != nil {
			return err
		}
	}
	return r.delim(']')
}

func (r *reader) token() (json.Token, error) {
	token, err := r.d.Token()
	if err != nil {
		return nil, r.broken(err)
	}
	r.at(r.d.InputOffset())
	return token, nil
}

func (r *reader) delim(want json.Delim) error {
	token, err := r.token()
	if err != nil {
		return err
	}
	if token != want {
		return errForm
	}
	return nil
}

// broken notes where the text is not JSON. The error of package json quotes at most a character.
func (r *reader) broken(err error) error {
	at := r.d.InputOffset()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = syntax.Offset
	}
	r.at(at)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends too early")
	}
	return err
}

func (r *reader) at(offset int64) {
	to := int(min(max(offset, 0), int64(len(r.text))))
	from, sign := r.seen, 1
	if to < from { // the first line of a row that was read
		from, to, sign = to, from, -1
	}
	r.line += sign * bytes.Count(r.text[from:to], []byte("\n"))
	r.seen = int(min(max(offset, 0), int64(len(r.text))))
}

// originRow is where a row was read.
type originRow struct {
	Read   string `json:"read"`
	Source string `json:"source"`
	Note   string `json:"note"`
}

func (o *originRow) origin() (Origin, error) {
	read, err := day("read", o.Read)
	return Origin{read, o.Source, o.Note}, err
}

// day reads a day; an empty one is zero.
func day(key, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf(`%s is not a day; write "2026-11-26"`, key)
	}
	return t, nil
}

// strict decodes a row whose keys are all known.
func strict(raw []byte, row any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(row)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s, want a %s", plain.Text(wrong.Field, mostShown), plain.Text(wrong.Value, mostShown), wrong.Type)
	}
	if err != nil { // which may quote a key of any length
		return errors.New(plain.Text(err.Error(), mostShown))
	}
	return nil
}

func (r *reader) model(raw []byte) error {
	var row struct {
		Model string         `json:"model"`
		From  string         `json:"from"`
		USD   quota.Burndown `json:"usd"`
		originRow
	}
	if err := strict(raw, &row); err != nil {
		return err
	}
	if row.Model == "" {
		return errors.New(`the row names no model; write "model": "gemini-3.5-flash"`)
	}
	from, err := day("from", row.From)
	if err != nil {
		return err
	}
	origin, err := row.origin()
	if err != nil {
		return err
	}
	if row.USD.Input == 0 {
		return errors.New(`the row has no price of input; write "usd": {"input": 1.5, "output": 9}, for a million tokens`)
	}
	if wrong(row.USD) {
		return errors.New("a price is not between 0.000001 and 1,000,000 dollars for a million tokens")
	}
	if r.again("model", row.Model, row.From) {
		return fmt.Errorf("there are two rows of %q from the same day on", plain.Text(row.Model, mostShown))
	}
	r.to.models[row.Model] = append(r.to.models[row.Model], Model{origin, row.Model, from, row.USD})
	return nil
}

// What a price is may be. Beyond, sums of many calls would lose all meaning.
const (
	leastUSD, mostUSD = 1e-6, 1e6
	mostOrder         = 1e9  // a GSU for a term
	mostFactor        = 1000 // and the least is its part
	mostShown         = 100  // bytes of a name in a message
)

// wrong reports whether a price that is stated is out of bounds.
func wrong(b quota.Burndown) bool {
	return slices.ContainsFunc([]float64{
		b.Input, b.InputAudio, b.InputImage, b.Cached, b.CachedAudio, b.Output, b.OutputImage, b.OutputAudio,
		b.LongInput, b.LongInputAudio, b.LongCached, b.LongCachedAudio, b.LongOutput,
	}, func(usd float64) bool { return usd != 0 && !(usd >= leastUSD && usd <= mostUSD) })
}

func (r *reader) factor(raw []byte) error {
	var row struct {
		Of     string  `json:"of"`
		Factor float64 `json:"factor"`
		From   string  `json:"from"`
		originRow
	}
	if err := strict(raw, &row); err != nil {
		return err
	}
	from, err := day("from", row.From)
	if err != nil {
		return err
	}
	origin, err := row.origin()
	if err != nil {
		return err
	}
	known := []string{string(Flex), string(Batch), string(Priority), outsideGlobal}
	if !slices.Contains(known, row.Of) || !(row.Factor >= 1.0/mostFactor && row.Factor <= mostFactor) {
		return fmt.Errorf(`the row is no factor; write "of": one of %q, and "factor": a number above 0, such as 0.5`, known)
	}
	if r.again("factor", row.Of, row.From) {
		return fmt.Errorf("there are two rows of %q from the same day on", row.Of)
	}
	r.to.factors[row.Of] = append(r.to.factors[row.Of], factor{origin, row.Of, row.Factor, from})
	return nil
}

func (r *reader) order(raw []byte) error {
	var row struct {
		Term     Term    `json:"term"`
		Location string  `json:"location"`
		USD      float64 `json:"usd"`
		originRow
	}
	if err := strict(raw, &row); err != nil {
		return err
	}
	origin, err := row.origin()
	if err != nil {
		return err
	}
	at := row.Location == "global" || row.Location == "elsewhere"
	if row.Term.Days() == 0 || !at || !(row.USD >= leastUSD && row.USD <= mostOrder) {
		return fmt.Errorf(`the row is no price of a GSU; write "term": one of %q, "location": "global" or "elsewhere", `+
			`and "usd": a number above 0`, Terms())
	}
	if r.again("order", string(row.Term), row.Location) {
		return fmt.Errorf("there are two rows of a %s in %s", row.Term, row.Location)
	}
	r.to.orders = append(r.to.orders, Order{origin, row.Term, row.Location, row.USD})
	return nil
}
