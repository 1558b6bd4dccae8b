package deploy_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// truths say what each query of the dashboard has to return at the end of the run, by the panel's
// title and the query's letter, as the emulator and the callers know it.
var truths = map[string]func(*run) values{
	"Calls A":         func(r *run) values { return r.callRates(func(*made) (string, bool) { return all, true }) },
	"Served A":        func(r *run) values { return r.shareOf("ok") },
	"Refused A":       func(r *run) values { return r.shareOf("refused") },
	"Keys dead A":     func(*run) values { return values{all: 1} },
	"Breakers open A": func(*run) values { return values{all: 1} },
	"Store A":         func(*run) values { return values{all: 0} },
	"Store B":         func(*run) values { return values{all: 1} },
	"Calls by outcome A": func(r *run) values {
		return r.callRates(func(c *made) (string, bool) { return by("outcome", c.outcome()), true })
	},
	"Refused by model A": func(r *run) values {
		return r.callRates(func(c *made) (string, bool) { return by("model", c.model), c.outcome() == "refused" })
	},
	"Calls by label A": func(r *run) values {
		return r.callRates(func(c *made) (string, bool) { return by("label", c.label), true })
	},

	"Attempts by class A": func(r *run) values {
		return r.attemptRates(func(a *attempt) (string, float64) { return by("class", a.class()), 1 })
	},
	"Attempts by endpoint A": func(r *run) values {
		return r.attemptRates(func(a *attempt) (string, float64) { return placeOf(&a.Request).labels(), 1 })
	},
	"Retries A": func(r *run) values {
		return r.attemptRates(func(a *attempt) (string, float64) {
			return all, truth(a.Status >= http.StatusInternalServerError && !a.last)
		})
	},
	"Retries B": func(*run) values { return values{all: 0} },

	"Duration of calls A":  func(r *run) values { return quantile(0.5, r.durations(anyCall), callBounds) },
	"Duration of calls B":  func(r *run) values { return quantile(0.95, r.durations(anyCall), callBounds) },
	"Duration of calls C":  func(r *run) values { return quantile(0.99, r.durations(anyCall), callBounds) },
	"Time to first byte A": func(r *run) values { return quantile(0.5, r.durations(servedCall), callBounds) },
	"Time to first byte B": func(r *run) values { return quantile(0.95, r.durations(servedCall), callBounds) },
	"Time to first byte C": func(r *run) values { return quantile(0.99, r.durations(servedCall), callBounds) },
	"Waits A":              func(r *run) values { return quantile(0.5, r.waits(), waitBounds) },
	"Waits B":              func(r *run) values { return quantile(0.95, r.waits(), waitBounds) },
	"Waits C":              func(r *run) values { return quantile(0.99, r.waits(), waitBounds) },
	"Queue A":              (*run).queued,
	"Calls in flight A":    (*run).inFlight,

	"Limits used A":    (*run).limitsUsed,
	"Orders used A":    (*run).ordersUsed,
	"Spilled tokens A": func(r *run) values { return withOrders(r.attemptRates((*attempt).spilled)) },
	"Calls of orders A": func(r *run) values {
		return r.orderCalls(func(a *attempt) bool { return a.class() == "ok" && !a.bypassed() })
	},
	"Calls of orders B": func(r *run) values {
		return r.orderCalls(func(a *attempt) bool { return a.class() == "provisioned_full" })
	},
	"Calls of orders C": func(r *run) values { return r.orderCalls((*attempt).bypassed) },

	"Cooldowns A":              (*run).cooldowns,
	"Until a probe succeeds A": (*run).lasting,
	"Answers of other models A": func(r *run) values {
		return r.attemptRates(func(a *attempt) (string, float64) {
			return by("model", a.Model), truth(a.Model == retired && a.class() == "ok")
		})
	},

	"Served from the cache A": func(r *run) values {
		return shares(r.cacheRates("hit"), r.cacheRates("hit", "miss"))
	},
	"Calls of the cache A":     func(r *run) values { return r.cacheRates("hit") },
	"Calls of the cache B":     func(r *run) values { return r.cacheRates("miss") },
	"Responses in the cache A": (*run).keptResponses,
	"Memory of the cache A": func(r *run) values {
		c := &r.caches[0]
		return values{keptLabels: float64(c.Bytes) / float64(c.MaxBytes)}
	},

	"Tokens by traffic A": func(r *run) values {
		return r.attemptRates(func(a *attempt) (string, float64) {
			in, out := a.tokens()
			return by("traffic", placeOf(&a.Request).traffic), in + out
		})
	},
	"Tokens by kind A": func(r *run) values {
		return merged(
			r.attemptRates(func(a *attempt) (string, float64) { in, _ := a.tokens(); return by("kind", "input"), in }),
			r.attemptRates(func(a *attempt) (string, float64) { _, out := a.tokens(); return by("kind", "output"), out }))
	},
	"Tokens by label A": func(r *run) values {
		return r.attemptRates(func(a *attempt) (string, float64) {
			in, out := a.tokens()
			return by("label", a.call.label), in + out
		})
	},
}

// alerts say which alerts fire at the end of the run, for what. None fires in the quiet time.
var alerts = map[string]func(*run) []string{
	"SpillwayEverythingRefused":  refusedAbove(0.99),
	"SpillwayCallsRefused":       refusedAbove(0.05),
	"SpillwayLimitNearlyUsed":    limitsAbove(0.8),
	"SpillwayLimitUsedUp":        limitsAbove(0.9),
	"SpillwayOrderNearlyUsed":    ordersAbove(0.8),
	"SpillwayOrderUsedUp":        ordersAbove(0.9),
	"SpillwayOrderUnused":        func(*run) []string { return []string{orders[2].labels()} },
	"SpillwayOrderBypassed":      func(*run) []string { return []string{orders[1].labels()} },
	"SpillwayOrderBelowPurchase": func(*run) []string { return []string{orders[1].labels()} },
	"SpillwayKeyDead": func(r *run) []string {
		for subject := range r.subjects("key_dead") {
			return []string{by("subject", subject)}
		}
		return nil
	},
	"SpillwayModelRerouted": func(*run) []string { return []string{by("model", retired, "served", unordered)} },
	"SpillwayStoreLost":     func(*run) []string { return []string{by("instance", "b")} },
}

func anyCall(*made) bool { return true }

// servedCall reports whether Google served a call.
func servedCall(c *made) bool { return c.outcome() == "ok" && c.cache != "hit" }

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (r *run) shareOf(outcome string) values {
	part := r.callRates(func(c *made) (string, bool) { return all, c.outcome() == outcome })
	return shares(part, r.callRates(func(*made) (string, bool) { return all, true }))
}

// refusedAbove are the models of which more than a share of the calls was refused in five minutes.
func refusedAbove(share float64) func(*run) []string {
	return func(r *run) []string {
		refused, calls := values{}, values{}
		for _, c := range r.calls {
			if c.ended.After(r.end.Add(-5*time.Minute)) && !c.ended.After(r.end) {
				calls[by("model", c.model)]++
				refused[by("model", c.model)] += truth(c.outcome() == "refused")
			}
		}
		return above(share, shares(refused, calls))
	}
}

func limitsAbove(share float64) func(*run) []string {
	return func(r *run) []string { return above(share, r.limitsUsed()) }
}

func ordersAbove(share float64) func(*run) []string {
	return func(r *run) []string { return above(share, r.ordersUsed()) }
}

func above(share float64, all values) (of []string) {
	for labels, v := range all {
		if v > share {
			of = append(of, labels)
		}
	}
	return of
}

// target is a query of the dashboard.
type target struct{ name, expression string }

// targets returns every query of the dashboard.
func targets(t *testing.T) (all []target) {
	t.Helper()
	type panel struct {
		Title   string
		Targets []struct{ RefID, Expr string }
		Panels  []json.RawMessage
	}
	var dashboard struct{ Panels []json.RawMessage }
	read(t, "grafana.json", &dashboard)
	for rest := dashboard.Panels; len(rest) > 0; rest = rest[1:] {
		var p panel
		if err := json.Unmarshal(rest[0], &p); err != nil {
			t.Fatal(err)
		}
		rest = append(rest, p.Panels...) // a row that is folded has its panels inside
		for _, q := range p.Targets {
			all = append(all, target{p.Title + " " + q.RefID, q.Expr})
		}
	}
	return all
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rules returns the expression of every alert.
func rules(t *testing.T) map[string]string {
	t.Helper()
	groups, errs := rulefmt.ParseFile("alerts.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	all := make(map[string]string)
	for _, g := range groups.Groups {
		for _, rule := range g.Rules {
			all[rule.Alert] = rule.Expr
		}
	}
	return all
}

// TestQueriesTellTheTruth performs a run, and asks every query of the dashboard and every alert about
// it.
func TestQueriesTellTheTruth(t *testing.T) {
	r := perform(t)
	known := map[string]bool{}
	for _, q := range targets(t) {
		known[q.name] = true
		t.Run(q.name, func(t *testing.T) {
			of := truths[q.name]
			if of == nil {
				t.Fatalf("the test does not know what %s has to return", q.expression)
			}
			expression := strings.NewReplacer("$instance", ".*", "$__rate_interval", "20m").Replace(q.expression)
			if strings.Contains(expression, "$") {
				t.Fatalf("a variable is left in %s", expression)
			}
			compare(t, of(r), r.query(t, r.end, expression))
		})
	}
	for name := range truths {
		if !known[name] {
			t.Errorf("the dashboard has no query %s", name)
		}
	}
	all := rules(t)
	for name, expression := range all {
		t.Run(name, func(t *testing.T) {
			of := alerts[name]
			if of == nil {
				t.Fatal("the test does not know when this alert has to fire")
			}
			if got := r.query(t, r.quiet, expression); len(got) > 0 {
				t.Errorf("it fires in the quiet time, for %v", got)
			}
			want, got := of(r), slices.Sorted(maps.Keys(r.query(t, r.end, expression)))
			if slices.Sort(want); len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("it fires for %v, want %v", got, want)
			}
		})
	}
	for name := range alerts {
		if all[name] == "" {
			t.Errorf("there is no alert %s", name)
		}
	}
}

// compare checks that values are within 2 % of the truth.
func compare(t *testing.T, want, got values) {
	t.Helper()
	for of, v := range want {
		g, ok := got[of]
		if !ok || math.Abs(g-v) > 0.02*math.Abs(v) {
			t.Errorf("%s is %v (%v), want %v", of, g, ok, v)
		}
	}
	for of, v := range got {
		if _, ok := want[of]; !ok && v != 0 {
			t.Errorf("%s is %v, want nothing", of, v)
		}
	}
}
