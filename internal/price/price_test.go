package price_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/quota"
)

var (
	now  = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	next = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestCallsCostWhatTheirTokensDo(t *testing.T) {
	chat := quota.Usage{Input: 1_000_000, Output: 100_000}
	for _, test := range []struct {
		name, model string
		tier        price.Tier
		location    string
		at          time.Time
		usage       quota.Usage
		want        float64
	}{
		{"by the Developer API", "gemini-3.1-flash-lite", price.Standard, "", now, chat, 0.25 + 0.15},
		{"in global", "gemini-3.5-flash", price.Standard, "global", now, chat, 1.5 + 0.9},
		{"elsewhere", "gemini-3.5-flash", price.Standard, "europe-west4", now, chat, 1.1 * (1.5 + 0.9)},
		{"elsewhere, before that cost more", "gemini-3.5-flash", price.Standard, "eu", now.AddDate(-1, 0, 0), chat, 1.5 + 0.9},
		{"flex", "gemini-3.5-flash", price.Flex, "global", now, chat, 0.5 * (1.5 + 0.9)},
		{"batch", "gemini-3.5-flash", price.Batch, "global", now, chat, 0.5 * (1.5 + 0.9)},
		{"priority in eu", "gemini-3.5-flash", price.Priority, "eu", now, chat, 1.8 * 1.1 * (1.5 + 0.9)},
		{"a version", "gemini-3.5-flash-001", price.Standard, "global", now, chat, 1.5 + 0.9},
		{"a long prompt", "gemini-3.1-pro-preview", price.Standard, "global", now, chat, 4 + 1.8},
		{"a short one", "gemini-3.1-pro-preview", price.Standard, "global", now, quota.Usage{Input: 100_000}, 0.2},
		{"a cached prompt", "gemini-3.5-flash", price.Standard, "", now, quota.Usage{Input: 1_000_000, Cached: 1_000_000}, 0.15},
		{"a cached prompt without a price of its own", "gemini-3-pro-image", price.Standard, "", now,
			quota.Usage{Input: 100_000, Cached: 100_000}, 0.2},
		{"an introductory price", "gemini-3.8-flash", price.Standard, "", next.Add(-time.Second), chat, 0.75 + 0.375},
		{"after it", "gemini-3.8-flash", price.Standard, "", next, chat, 1.5 + 0.75},
	} {
		usd, ok := price.BuiltIn().Call(test.model, test.tier, test.location, test.at, test.usage)
		if !ok || math.Abs(usd-test.want) > 1e-9 {
			t.Errorf("%s: %v dollars (%v), want %v", test.name, usd, ok, test.want)
		}
	}
	if usd, ok := price.BuiltIn().Call("gemini-9-ultra", price.Standard, "", now, chat); ok {
		t.Errorf("a model without a price costs %v", usd)
	}
	if usd, ok := price.BuiltIn().Call("gemini-3.5-flash", "bargain", "", now, chat); ok {
		t.Errorf("an unknown tier costs %v", usd)
	}
}

func TestOrdersCostByTermAndLocation(t *testing.T) {
	for location, want := range map[string]float64{"global": 1200, "eu": 1320, "europe-west4": 1320} {
		if o, ok := price.BuiltIn().Order(price.Week, location); !ok || o.USD != want || o.Source == "" {
			t.Errorf("a week in %s costs %+v, want %v", location, o, want)
		}
	}
	if o, ok := price.BuiltIn().Order(price.Year, "global"); ok {
		t.Errorf("nobody told what a year costs, and the table says %+v", o)
	}
	for i, term := range price.Terms() {
		if days := term.Days(); days <= 0 || i > 0 && days <= price.Terms()[i-1].Days() {
			t.Errorf("a %s has %v days", term, days)
		}
	}
}

func TestAFileOverridesRowByRow(t *testing.T) {
	table, err := price.BuiltIn().Override(strings.NewReader(`{
		"models": [{"model": "gemini-3.8-flash", "usd": {"input": 1, "output": 2}},
		           {"model": "gemini-9-ultra", "from": "2026-01-01", "usd": {"input": 10, "output": 20}, "note": "ours"}],
		"factors": [{"of": "flex", "factor": 0.4}],
		"orders": [{"term": "year", "location": "global", "usd": 90000}, {"term": "week", "location": "global", "usd": 1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	million := quota.Usage{Input: 1_000_000}
	for model, want := range map[string]float64{"gemini-3.8-flash": 1, "gemini-9-ultra": 10, "gemini-3.5-flash": 1.5} {
		if usd, ok := table.Call(model, price.Standard, "global", next, million); !ok || usd != want {
			t.Errorf("%s costs %v, want %v", model, usd, want)
		}
	}
	if multiple, ok := table.Factor(price.Flex, "", now); !ok || multiple != 0.4 {
		t.Errorf("flex costs %v", multiple)
	}
	for term, want := range map[price.Term]float64{price.Week: 1, price.Year: 90000} {
		if o, ok := table.Order(term, "global"); !ok || o.USD != want {
			t.Errorf("a %s costs %v, want %v", term, o.USD, want)
		}
	}
	if o, ok := table.Order(price.Week, "eu"); !ok || o.USD != 1320 {
		t.Errorf("a week in eu costs %v, want what it did", o.USD)
	}
	if o, _ := price.BuiltIn().Order(price.Week, "global"); o.USD != 1200 {
		t.Error("the built-in prices have changed")
	}
}

// A price that is announced says nothing of the days before.
func TestARowOfALaterDayLeavesTheDaysBeforeAsTheyWere(t *testing.T) {
	table, err := price.BuiltIn().Override(strings.NewReader(`{
		"models": [{"model": "gemini-3.8-flash", "from": "2027-03-01", "usd": {"input": 9, "output": 9}},
		           {"model": "gemini-3.8-flash", "from": "2026-12-24", "usd": {"input": 7, "output": 9}},
		           {"model": "gemini-9", "from": "2027-03-01", "usd": {"input": 9, "output": 9}},
		           {"model": "gemini-9", "from": "2026-12-01", "usd": {"input": 8, "output": 9}}],
		"factors": [{"of": "flex", "factor": 0.4, "from": "2027-03-01"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		day               string
		known, nine, flex float64
	}{
		{"2026-11-26", 0.75, 0, 0.5}, {"2026-12-23", 0.75, 8, 0.5}, {"2026-12-24", 7, 8, 0.5},
		{"2027-01-02", 7, 8, 0.5}, // the built-in row of that year is not the file's
		{"2027-03-01", 9, 9, 0.4},
	} {
		at, err := time.Parse(time.DateOnly, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		known, _ := table.Model("gemini-3.8-flash", at)
		nine, _ := table.Model("gemini-9", at)
		flex, _ := table.Factor(price.Flex, "", at)
		if known.USD.Input != tt.known || nine.USD.Input != tt.nine || flex != tt.flex {
			t.Errorf("on %s: %v, %v and %v, want %+v", tt.day, known.USD.Input, nine.USD.Input, flex, tt)
		}
	}
}

func TestWhatIsWrongWithAFileIsNamedWithItsLine(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"no JSON", "models = 1", "line 1: "},
		{"an array", "[]", "line 1: it is no file of prices"},
		{"empty", "", "line 1: the file ends too early"},
		{"cut off", "{\n\"models\": [\n{\"model\": ", "line 3: the file ends too early"},
		{"more after it", "{}\n{}", "line 1: it is no file of prices"},
		{"an unknown list", "{\n\"prices\": []}", "line 2: it is no file of prices"},
		{"an unknown key", "{\"models\": [\n\n{\"model\": \"x\", \"price\": 1}]}", `line 3: json: unknown field "price"`},
		{"no model", "{\"models\": [\n{\"usd\": {\"input\": 1}}]}", "line 2: the row names no model"},
		{"no price", "{\"models\": [{\"model\": \"x\"}]}", "line 1: the row has no price of input"},
		{"a negative price", "{\"models\": [{\"model\": \"x\", \"usd\": {\"input\": 1, \"output\": -1}}]}", "line 1: a price is not between 0.000001 and 1,000,000 dollars"},
		{"a word for a price", "{\"models\": [{\"model\": \"x\", \"usd\": {\"input\": \"1\"}}]}", "line 1: usd.input is a string, want a float64"},
		{"a day", "{\"models\": [{\"model\": \"x\", \"usd\": {\"input\": 1}, \"from\": \"soon\"}]}", "line 1: from is not a day"},
		{"another day", "{\"factors\": [{\"of\": \"flex\", \"factor\": 1, \"read\": \"now\"}]}", "line 1: read is not a day"},
		{"no factor", "{\"factors\": [{\"of\": \"flex\"}]}", "line 1: the row is no factor"},
		{"an unknown factor", "{\"factors\": [{\"of\": \"luck\", \"factor\": 2}]}", "line 1: the row is no factor"},
		{"no term", "{\"orders\": [{\"location\": \"global\", \"usd\": 1}]}", "line 1: the row is no price of a GSU"},
		{"a region", "{\"orders\": [{\"term\": \"week\", \"location\": \"eu\", \"usd\": 1}]}", "line 1: the row is no price of a GSU"},
		{"a price without an end", "{\"models\": [\n{\"model\": \"x\", \"usd\": {\"input\": 1e308}}]}", "line 2: a price is not between"},
		{"a price beyond floats", "{\"models\": [\n{\"model\": \"x\", \"usd\": {\"input\": 1e309}}]}", "line 2: usd.input is a number 1e309"},
		{"a price of nothing", "{\"models\": [{\"model\": \"x\", \"usd\": {\"input\": 1e-300}}]}", "line 1: a price is not between"},
		{"no number", "{\"models\": [{\"model\": \"x\", \"usd\": {\"input\": NaN}}]}", "line 1: invalid character"},
		{"two prices", "{\"models\": [{\"model\": \"x\", \"usd\": {\"input\": 1}},\n{\"model\": \"x\", \"usd\": {\"input\": 2}}]}", `line 2: there are two rows of "x"`},
		{"two prices from a day on", "{\"models\": [{\"model\": \"x\", \"from\": \"2026-12-01\", \"usd\": {\"input\": 1}},\n{\"model\": \"x\", \"from\": \"2026-12-01\", \"usd\": {\"input\": 2}}]}", `line 2: there are two rows of "x"`},
		{"two factors", "{\"factors\": [{\"of\": \"flex\", \"factor\": 0.5},\n{\"of\": \"flex\", \"factor\": 0.4}]}", `line 2: there are two rows of "flex"`},
		{"a huge factor", "{\"factors\": [{\"of\": \"flex\", \"factor\": 1e300}]}", "line 1: the row is no factor"},
		{"two orders", "{\"orders\": [{\"term\": \"week\", \"location\": \"global\", \"usd\": 1},\n{\"term\": \"week\", \"location\": \"global\", \"usd\": 2}]}", "line 2: there are two rows of a week in global"},
		{"a huge order", "{\"orders\": [{\"term\": \"week\", \"location\": \"global\", \"usd\": 1e100}]}", "line 1: the row is no price of a GSU"},
		{"nests", "{\"models\": [" + strings.Repeat("[", 1<<20), "line 1: "},
		{"a row nests", "{\"models\": [{\"model\": " + strings.Repeat("{\"a\":", 1<<20), "line 1: "},
		{"too long", strings.Repeat(" ", 17<<20), "the file has more than"},
	} {
		table, err := price.BuiltIn().Override(strings.NewReader(test.file))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || len(err.Error()) > 300 {
			t.Errorf("%s: %v and %v, want %q", test.name, table, err, test.want)
		}
	}
}

func FuzzOverride(f *testing.F) {
	f.Add(`{"models": [{"model": "x", "usd": {"input": 1}}]}`)
	f.Add(`{"models": [null, {}], "orders": {}}`)
	f.Fuzz(func(t *testing.T, file string) {
		table, err := price.BuiltIn().Override(strings.NewReader(file))
		if err == nil {
			table.Call("x", price.Flex, "eu", now, quota.Usage{Input: 5})
		} else if !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: %v names no line", file, err)
		}
	})
}

// Lines are counted once, however many rows there are.
func TestAFileOfManyRowsIsReadSoon(t *testing.T) {
	var file strings.Builder
	file.WriteString("{\"models\": [\n")
	for i := range 150_000 {
		fmt.Fprintf(&file, "{\"model\": \"m%d\",\n\"usd\": {\"input\": 1}},\n", i)
	}
	text := strings.TrimSuffix(file.String(), ",\n")
	began := time.Now()
	if _, err := price.BuiltIn().Override(strings.NewReader(text + "]}")); err != nil || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	_, err := price.BuiltIn().Override(strings.NewReader(text + ",\n{}]}"))
	if err == nil || !strings.HasPrefix(err.Error(), "line 300002: ") {
		t.Errorf("the error is %v", err)
	}
}
