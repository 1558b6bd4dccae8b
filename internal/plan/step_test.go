package plan_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
)

// labelled are calls of two labels in turn, for a load of four GSUs.
func labelled() []demand.Call {
	all := some(4*perGSU, 5*time.Minute, 1).Calls()
	for i := range all {
		all[i].Label = [...]string{"app", "nightly"}[i%2]
	}
	return all
}

// laddered asks a plan with prices of its own for an order in a location.
func laddered(t *testing.T, location string) *plan.Answer {
	t.Helper()
	own, err := price.BuiltIn().Override(strings.NewReader(`{"factors": [{"of": "batch", "factor": 0.4}, {"of": "flex", "factor": 0.6}],
		"orders": [{"term": "week", "location": "global", "usd": 700}, {"term": "week", "location": "elsewhere", "usd": 700}]}`))
	if err != nil {
		t.Fatal(err)
	}
	a, err := plan.Ask(t.Context(), plan.Question{
		Buy: plan.Buy{Model: flash, Location: location}, Calls: labelled(), Spill: 0.01, Changes: true, Prices: own, Term: price.Week,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

func TestThePlanHasTheLadderOfPricesThatIsSoldThere(t *testing.T) {
	for location, want := range map[string][]string{
		"global": {"flex", "standard", "priority"}, "eu": {"standard", "priority"}, "europe-west4": {"standard"},
	} {
		a := laddered(t, location)
		var tiers []string
		for _, s := range a.Steps {
			tiers = append(tiers, s.Tier)
			factor := map[string]float64{"flex": 0.6, "standard": 1, "priority": 1.8}[s.Tier]
			if !near(s.All.USD, factor*a.OnDemand.USD) || !s.All.Known || !s.Spilled.Known || s.Spilled.USD > s.All.USD*a.Spill {
				t.Errorf("%s: %+v, beside %+v", location, s, a.OnDemand)
			}
		}
		if !slices.Equal(tiers, want) {
			t.Errorf("%s has %v, want %v", location, tiers, want)
		}
	}
}

func TestAMoveToBatchOrFlexHasThePriceOfTheTable(t *testing.T) {
	for location, want := range map[string][]string{
		"global": {
			"the label app moves to batch, at 0.4 × the price", "the label app moves to flex, at 0.6 × the price",
			"the label nightly moves to batch, at 0.4 × the price", "the label nightly moves to flex, at 0.6 × the price",
		},
		"europe-west4": {"the label app moves to batch, at 0.4 × the price", "the label nightly moves to batch, at 0.4 × the price"},
	} {
		a := laddered(t, location)
		var moves []string
		saved := make(map[string]float64) // by the first words
		for _, c := range a.Changed {
			if !c.ByToken.Known || c.ByToken.USD > a.OnDemand.USD {
				t.Errorf("%s: %s costs %+v, and without it %+v", location, c.What, c.ByToken, a.OnDemand)
			}
			words, factor, moved := strings.Cut(c.What, ", at ")
			if !moved {
				if strings.HasPrefix(c.What, "calls wait") && c.ByToken != a.OnDemand {
					t.Errorf("waiting changes the price of tokens from %v to %v", a.OnDemand, c.ByToken)
				}
				continue
			}
			moves = append(moves, c.What)
			part := 0.4 // of the price, that is saved
			if strings.HasPrefix(factor, "0.4") {
				part = 0.6
			}
			calls := (a.OnDemand.USD - c.ByToken.USD) / part // what they cost by the token
			saved[words] = calls
			if order := 100 * 30 * float64(c.Needs); c.Needs == 0 || !near(c.WithOrder.USD, order+calls*(1-part)) {
				t.Errorf("%s: %d GSUs and the calls cost %+v, want %v and %v", c.What, c.Needs, c.WithOrder, order, calls*(1-part))
			}
		}
		if !slices.Equal(moves, want) {
			t.Errorf("%s: %q, want %q", location, moves, want)
		}
		if all := saved["the label app moves to batch"] + saved["the label nightly moves to batch"]; !near(all, a.OnDemand.USD) {
			t.Errorf("the two labels cost %v, all calls %v", all, a.OnDemand.USD)
		}
	}
}

// within makes the calls in a pool, and returns what each endpoint served.
func within(t *testing.T, calls []demand.Call, projects ...pool.Project) (f *plan.Fit, served map[string]plan.Served) {
	t.Helper()
	f, err := plan.World{Pool: pool.Config{Projects: projects}, MaxWait: time.Second}.Within(t.Context(), calls, price.BuiltIn(), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	served = make(map[string]plan.Served)
	for _, s := range f.Served {
		served[s.Endpoint] = s
	}
	return f, served
}

func vertex(name string) pool.Project {
	return pool.Project{Name: name, Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{"global"}}
}

func TestCallsWithinAPoolGoWhereTheirLabelMay(t *testing.T) {
	apart := vertex("apart")
	apart.Labels = []string{"night*"}
	all := labelled()
	_, served := within(t, all, vertex("prod"), apart)
	if served["apart/global/on_demand"].Calls != len(all)/2 || served["prod/global/on_demand"].Calls != len(all)-len(all)/2 {
		t.Errorf("of %d calls, half with the label, these are served: %v", len(all), served)
	}
}

func TestTheLadderOfAPoolIsPaidAtItsPrices(t *testing.T) {
	p := vertex("prod")
	p.OnDemand, p.BatchOnDemand = []string{pool.TierPriority}, []string{pool.TierFlex}
	all := labelled()
	_, plainly := within(t, all, vertex("prod"))
	for i := range all {
		all[i].Batch = i%2 == 1
	}
	_, served := within(t, all, p)
	flex, priority := served["prod/global/on_demand_flex"], served["prod/global/on_demand_priority"]
	if flex.Calls != len(all)/2 || priority.Calls != len(all)-len(all)/2 {
		t.Fatalf("%v", served)
	}
	if standard := plainly["prod/global/on_demand"]; !near(flex.ByToken.USD/0.5+priority.ByToken.USD/1.8, standard.ByToken.USD) || !flex.ByToken.Known {
		t.Errorf("flex costs %v, priority %v, standard alone %v", flex.ByToken, priority.ByToken, standard.ByToken)
	}
}

func TestWhatAnOrderServesIsNotPaidByTheToken(t *testing.T) {
	p := vertex("prod")
	p.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 500}}
	_, served := within(t, labelled(), p)
	if s := served["prod/global/provisioned"]; s.Calls == 0 || s.ByToken != (plan.Money{Known: true}) || len(served) != 1 {
		t.Errorf("%v", served)
	}
	p.Provisioned[0].GSUs, p.Provisioned[0].Overflow = 1, pool.OverflowVertex
	_, served = within(t, labelled(), p)
	if s := served["prod/global/provisioned"]; s.ByToken.USD <= 0 {
		t.Errorf("what overflows is paid by the token: %v", served)
	}
}
