package price

import (
	"net/url"
	"strings"
	"testing"
)

// A release may update prices.json alone, so that the file has to prove itself.
func TestEveryPriceHasItsOrigin(t *testing.T) {
	table := BuiltIn()
	check := func(what string, o Origin) {
		t.Helper()
		u, err := url.Parse(o.Source)
		if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, "google.com") && u.Host != "ai.google.dev" {
			t.Errorf("%s was read at %q, want a page of Google's", what, o.Source)
		}
		if o.Read.Year() < 2026 {
			t.Errorf("%s was read on %v", what, o.Read)
		}
	}
	if len(table.models) < 10 || len(table.factors) < 4 || len(table.orders) == 0 {
		t.Errorf("there are %d models, %d factors and %d orders", len(table.models), len(table.factors), len(table.orders))
	}
	for name, rows := range table.models {
		for i, m := range rows {
			check(name, m.Origin)
			if i > 0 && !m.From.After(rows[i-1].From) {
				t.Errorf("%s has two prices from %v on", name, m.From)
			}
			if m.USD.Cached > m.USD.Input || m.USD.Output < m.USD.Input || m.USD.Output > 100 {
				t.Errorf("%s costs %+v", name, m.USD)
			}
		}
	}
	for of, rows := range table.factors {
		for _, f := range rows {
			check(of, f.Origin)
		}
	}
	for _, o := range table.orders {
		check("a "+string(o.Term), o.Origin)
	}
}
