package price

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A release may update prices.json alone, so that the file has to prove itself.
func TestEveryPriceHasItsOrigin(t *testing.T) {
	for _, fault := range priceFaults(builtInJSON, time.Now()) {
		t.Error(fault)
	}
}

// priceFaults says what is wrong with a file of prices.
func priceFaults(file []byte, now time.Time) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	table, err := (&Table{}).Override(bytes.NewReader(file))
	if err != nil {
		return append(all, err.Error())
	}
	origin := func(what string, o Origin) {
		u, err := url.Parse(o.Source)
		google := err == nil && (u.Host == "ai.google.dev" || u.Host == "google.com" || strings.HasSuffix(u.Host, ".google.com"))
		if !google || u.Scheme != "https" || u.User != nil || len(u.Path) < 2 {
			add("%s was read at %q, want a page of Google's", what, o.Source)
		}
		if o.Read.Year() < 2026 || o.Read.After(now.AddDate(0, 0, 1)) {
			add("%s was read on %s, want the day on which the page was read", what, o.Read.Format(time.DateOnly))
		}
	}
	if len(table.models) < 10 || len(table.factors) < 4 || len(table.orders) == 0 {
		add("there are %d models, %d factors and %d orders: is the file whole?", len(table.models), len(table.factors), len(table.orders))
	}
	for name, rows := range table.models {
		for i, m := range rows {
			origin("the model "+name, m.Origin)
			if strings.ToLower(name) != name || strings.ContainsAny(name, " *@/") {
				add("%q is not the id of a model", name)
			}
			if i > 0 && !m.From.After(rows[i-1].From) {
				add("the model %s has two prices from %s on: keep the newer one", name, m.From.Format(time.DateOnly))
			}
			if m.USD.Cached > m.USD.Input || m.USD.Output < m.USD.Input || max(m.USD.Input, m.USD.Output) > 100 {
				add("the model %s costs %+v for a million tokens", name, m.USD)
			}
		}
	}
	for of, rows := range table.factors {
		for i, f := range rows {
			origin("the factor of "+of, f.Origin)
			if i > 0 && !f.from.After(rows[i-1].from) {
				add("there are two factors of %s from %s on: keep the newer one", of, f.from.Format(time.DateOnly))
			}
			if f.factor > 10 {
				add("the factor of %s is %v", of, f.factor)
			}
		}
	}
	for i, o := range table.orders {
		origin("a "+string(o.Term), o.Origin)
		for _, other := range table.orders[:i] {
			if other.Term == o.Term && other.Location == o.Location {
				add("there are two prices of a %s in %s: keep the newer one", o.Term, o.Location)
			}
		}
	}
	return all
}

// What a hasty hand does to prices.json is refused, and the message says what it was.
func TestSloppyPricesAreRefused(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	const source = `"source": "https://ai.google.dev/gemini-api/docs/generate-content/latest-model"`
	row := `{"model": "gemini-4-argon", "from": "2026-12-01", "usd": {"input": 4, "cached": 0.2, "output": 20},
     "read": "2026-11-26", ` + source + `}`
	if strings.Count(string(builtInJSON), row) != 1 {
		t.Fatal("the row that is to be edited is not in prices.json")
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"an unknown field", `"usd"`, `"eur": 5, "usd"`, `unknown field "eur"`},
		{"an unknown kind", `"output"`, `"outptu"`, `unknown field "outptu"`},
		{"no date", `"read": "2026-11-26", `, ``, "gemini-4-argon was read on 0001-01-01"},
		{"a date that is none", `"read": "2026-11-26"`, `"read": "2026-11-31"`, "read is not a day"},
		{"a date to come", `"read": "2026-11-26"`, `"read": "2036-11-26"`, "was read on 2036-11-26"},
		{"no source", ", " + source, ``, `was read at ""`},
		{"a source that is not Google's", `ai.google.dev`, `ai.google.dev.example.com`, "want a page of Google's"},
		{"a negative price", `"output": 20`, `"output": -20`, "a price is not between"},
		{"a price by the token", `4,`, `0.000004,`, "costs"},
		{"a price for a billion", `"output": 20`, `"output": 20000`, "costs"},
		{"no price of input", `"input": 4, `, ``, "the row has no price of input"},
		{"another day", `2026-12-01`, `2027-01-01`, ""},
		{"no day from which it holds", `"from": "2026-12-01", `, ``, "there are two rows of"},
		{"a name for people", `gemini-4-argon`, `Gemini 4`, "is not the id of a model"},
		{"no model", `"model": "gemini-4-argon", `, ``, "the row names no model"},
		{"a word for a number", `"output": 20`, `"output": "20"`, "usd.output is a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(row, tt.old) {
				t.Fatalf("the row has no %s", tt.old)
			}
			edited := strings.Replace(row, tt.old, tt.new, 1)
			faults := strings.Join(priceFaults([]byte(strings.Replace(string(builtInJSON), row, edited, 1)), now), "\n")
			if !strings.Contains(faults, tt.want) || tt.want == "" && faults != "" {
				t.Errorf("the faults are %q, want %q", faults, tt.want)
			}
		})
	}
	again := func(list string) string {
		i := strings.Index(string(builtInJSON), `"`+list+`": [`) + len(list) + 5
		first := string(builtInJSON[i : i+strings.Index(string(builtInJSON[i:]), "}")+1])
		if strings.Count(first, "{") > 1 { // of a model
			first += string(builtInJSON[i+len(first) : i+len(first)+strings.Index(string(builtInJSON[i+len(first):]), "}")+1])
		}
		return string(builtInJSON[:i]) + first + "," + string(builtInJSON[i:])
	}
	for name, file := range map[string]string{
		"cut off": string(builtInJSON[:len(builtInJSON)/2]), "something behind it": string(builtInJSON) + "{}", "empty": `{}`,
		"two prices": again("models"), "two factors": again("factors"), "two terms": again("orders"),
	} {
		faults := strings.Join(priceFaults([]byte(file), now), "\n")
		if two := strings.HasPrefix(name, "two"); faults == "" || two != strings.Contains(faults, "there are two rows of") {
			t.Errorf("%s: the faults are %q", name, faults)
		}
	}
}
