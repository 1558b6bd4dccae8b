package quota

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/modelid"
)

// rowsJSON is Google's figures as data: throughput and burndown rates by model, enforcement windows
// by size of the order. Each row says where it was read, and when. Google changes them: an [Order]
// can override every one. Cached rates that the pages leave out are the 0.1 that they state in
// general. The emulator has a table of its own in geminitest/throughput.go.
//
//go:embed rows.json
var rowsJSON []byte

// Row is what the built-in table has of a model's Provisioned Throughput.
type Row struct {
	// Model is the model's id without its version.
	Model string
	// TokensPerSecond is the throughput of one GSU, in burned-down tokens.
	TokensPerSecond float64
	// Burndown has the rates that Google states; zero where it states none.
	Burndown Burndown
	// Read is the day on which Source, a page of Google's, said so.
	Read   time.Time
	Source string
}

// RowOf returns the built-in table's row of a model, with or without its version. Not ok if the
// table does not have the model.
func RowOf(model string) (r Row, ok bool) {
	t := builtIn()
	key, ok := modelid.Find(t.models, model)
	return t.models[key], ok
}

// WindowRange returns the range that Google documents for the enforcement window of an order of so
// many GSUs of a model. Without GSUs it is the range of orders of all sizes.
func WindowRange(model string, gsus int) (shortest, longest time.Duration) {
	t := builtIn()
	key, _ := modelid.Find(t.windows, model) // else that of text, which has no name
	steps := t.windows[key]
	for _, s := range steps {
		if gsus >= s.gsus {
			return s.shortest, s.longest
		}
	}
	text := t.windows[""]
	return text[0].shortest, text[len(text)-1].longest
}

// longPrompt is the number of prompt tokens above which the long rates hold for the whole request.
const longPrompt = 200_000

// Throughput returns how many tokens, burned down, an order of so many units of a model takes in a
// second; not ok for a model that the built-in table does not have.
func Throughput(name string, gsus int) (tokensPerSecond float64, ok bool) {
	row, ok := RowOf(name)
	return float64(gsus) * row.TokensPerSecond, ok
}

// table is rows.json as it is used.
type table struct {
	models  map[string]Row
	windows map[string][]windowStep // of models that answer in text: under the empty name
}

// windowStep is the range of the enforcement window for an order of at least so many GSUs; larger
// orders have steps of their own before it. "Automatic, subject to change", says Google: within the
// range it must be learned.
type windowStep struct {
	gsus              int
	shortest, longest time.Duration
}

var builtIn = sync.OnceValue(func() *table {
	t, _ := readTable(rowsJSON) // TestRowsAreWhole shows that it can be read
	return t
})

// tableFile is the form of rows.json. Windows are in seconds.
type tableFile struct {
	Models []struct {
		Model           string   `json:"model"`
		TokensPerSecond float64  `json:"tokens_per_second"`
		Burndown        Burndown `json:"burndown"`
		origin
	} `json:"models"`
	Windows []struct {
		Model string `json:"model"` // empty: models that answer in text
		Steps []struct {
			GSUs     int `json:"gsus"`
			Shortest int `json:"shortest"`
			Longest  int `json:"longest"`
		} `json:"steps"`
		origin
	} `json:"windows"`
}

// origin says where a row was read.
type origin struct {
	Read   string `json:"read"`
	Source string `json:"source"`
}

func parseTable(file []byte) (f tableFile, err error) {
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("there is something behind the rows")
	}
	return f, nil
}

func readTable(file []byte) (*table, error) {
	f, err := parseTable(file)
	if err != nil {
		return nil, err
	}
	t := &table{models: make(map[string]Row), windows: make(map[string][]windowStep)}
	for _, m := range f.Models {
		read, err := time.Parse(time.DateOnly, m.Read)
		if err != nil {
			return nil, fmt.Errorf("model %q: %w", m.Model, err)
		}
		t.models[m.Model] = Row{m.Model, m.TokensPerSecond, m.Burndown, read, m.Source}
	}
	for _, w := range f.Windows {
		if _, err := time.Parse(time.DateOnly, w.Read); err != nil {
			return nil, fmt.Errorf("windows of %q: %w", w.Model, err)
		}
		for _, s := range w.Steps {
			t.windows[w.Model] = append(t.windows[w.Model], windowStep{
				s.GSUs, time.Duration(s.Shortest) * time.Second, time.Duration(s.Longest) * time.Second,
			})
		}
	}
	if len(t.windows[""]) == 0 {
		return nil, errors.New("there are no windows of models that answer in text")
	}
	return t, nil
}
