package geminitest_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

func TestValidateTellsEverythingThatIsWrong(t *testing.T) {
	order := func(o geminitest.Order) geminitest.Config {
		return geminitest.Config{Projects: []geminitest.Project{{ID: "p", Orders: []geminitest.Order{o}}}}
	}
	for name, c := range map[string]struct {
		cfg  geminitest.Config
		want string // "" for nothing
	}{
		"the zero value": {geminitest.Config{}, ""},
		"a full one": {geminitest.Config{
			Output: 5, Latency: geminitest.Latency{Jitter: 1}, Capacity: []geminitest.Capacity{{Steps: []geminitest.Step{{At: 1}, {At: 2, Requests: 3}}}},
			Projects: []geminitest.Project{{ID: "p", Keys: []string{"k"}, Tokens: []string{"t"}, Orders: []geminitest.Order{
				{Model: flash, Location: "eu", GSUs: 1}, {Model: flash, Location: "us", TokensPerSecond: 1}}}},
		}, ""},
		"no project id":            {geminitest.Config{Projects: []geminitest.Project{{}}}, "Projects[0]: ID"},
		"an id twice":              {geminitest.Config{Projects: []geminitest.Project{{ID: "p"}, {ID: "p"}}}, "Projects[1]: ID"},
		"a key of two projects":    {geminitest.Config{Projects: []geminitest.Project{{ID: "p", Keys: []string{"k"}}, {ID: "q", Tokens: []string{"k"}}}}, "Projects[1]: credential 0"},
		"a broken glob":            {geminitest.Config{Projects: []geminitest.Project{{ID: "p", Limits: []geminitest.Limit{{Model: "["}}}}}, "no glob"},
		"a broken glob elsewhere":  {geminitest.Config{Capacity: []geminitest.Capacity{{Model: "["}}}, "Capacity[0]"},
		"negative times":           {geminitest.Config{Processing: -1}, "Processing"},
		"a negative cache":         {geminitest.Config{Caching: geminitest.Caching{Min: -1}}, "Caching.Min"},
		"a number that is an id":   {geminitest.Config{Projects: []geminitest.Project{{ID: "p"}, {ID: "q", Number: "p"}}}, "Number"},
		"a negative output":        {geminitest.Config{Output: -1}, "Output"},
		"negative thoughts":        {geminitest.Config{Thoughts: -1}, "Thoughts"},
		"jitter beyond one":        {geminitest.Config{Latency: geminitest.Latency{Jitter: 1.1}}, "Jitter"},
		"jitter that is no number": {geminitest.Config{Latency: geminitest.Latency{Jitter: math.NaN()}}, "Jitter"},
		"infinite capacity":        {geminitest.Config{Capacity: []geminitest.Capacity{{Requests: math.Inf(1)}}}, "finite"},
		"steps out of order":       {geminitest.Config{Capacity: []geminitest.Capacity{{Steps: []geminitest.Step{{At: time.Hour}, {At: 1}}}}}, "order of time"},
		"a negative step":          {geminitest.Config{Capacity: []geminitest.Capacity{{Steps: []geminitest.Step{{Requests: -1}}}}}, "step"},
		"an order of nothing":      {order(geminitest.Order{Location: "eu", TokensPerSecond: 1}), "names its model"},
		"an order without size":    {order(geminitest.Order{Location: "eu", Model: flash}), "positive"},
		"an order off the table":   {order(geminitest.Order{Location: "eu", Model: "gemini-3.8-flash", GSUs: 1}), "TokensPerSecond"},
		"an order with a bad rate": {order(geminitest.Order{Location: "eu", Model: flash, GSUs: 1, Burndown: geminitest.Burndown{Output: math.NaN()}}), "Burndown"},
		"an order in the past":     {order(geminitest.Order{Location: "eu", Model: flash, GSUs: 1, Window: -1}), "Window"},
		"the same order twice":     {geminitest.Config{Projects: []geminitest.Project{{ID: "p", Orders: []geminitest.Order{{Model: flash, Location: "eu", GSUs: 1}, {Model: flash, Location: "eu", GSUs: 2}}}}}, "twice"},
		"several things, all told": {geminitest.Config{Output: -1, Projects: []geminitest.Project{{}}}, "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.cfg.Validate()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			defer func() {
				if v := recover(); (v != nil) != (c.want != "") {
					t.Errorf("New panics with %v", v)
				}
			}()
			geminitest.New(c.cfg)
		})
	}
}
