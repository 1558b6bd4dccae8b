package discover

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
)

// orderMetrics begins the names of the gauges that show orders. See
// https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform.
const orderMetrics = "aiplatform.googleapis.com/publisher/online_serving/"

// orderFresh is how old the newest point of an order may be. Cloud Monitoring is some minutes late;
// an order without newer points has ended.
const orderFresh = 30 * time.Minute

// mostRate bounds the tokens per second of an order. What is above is a mistake.
const mostRate = 1e12

// noMetric begins what Cloud Monitoring says of a metric that a project has never had.
const noMetric = "Cannot find metric(s)"

var (
	// nameSyntax is that of a model's id, placeSyntax that of a location. What else Google sends is
	// neither.
	nameSyntax  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,127}$`)
	placeSyntax = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
)

// orders returns the orders that Cloud Monitoring shows. No API lists them.
func (c *client) orders(ctx context.Context) ([]Order, *ReadError) {
	units, p := c.gauge(ctx, "dedicated_gsu_limit")
	var rates map[lot]float64
	if p == nil {
		rates, p = c.gauge(ctx, "dedicated_token_limit")
	}
	if p != nil {
		p.What = "orders"
		return nil, p
	}
	all := []Order{}
	for at, gsus := range units {
		if gsus < 1 || gsus > math.MaxInt32 {
			continue
		}
		rate := max(rates[at], 0)
		if rate > mostRate {
			rate = 0
		}
		all = append(all, Order{at.model, at.location, int(math.Round(gsus)), rate})
	}
	slices.SortFunc(all, func(a, b Order) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Location, b.Location))
	})
	return all[:min(len(all), mostOrders)], nil
}

// isModel reports whether a text may be the id of a model.
func isModel(id string) bool { return nameSyntax.MatchString(id) && !credential.Looks(id) }

// lot is what an order is for.
type lot struct{ model, location string }

// series is one order's gauge over time.
type series struct {
	Resource struct {
		Labels struct {
			Publisher string `json:"publisher"`
			Location  string `json:"location"`
			Model     string `json:"model_user_id"`
		} `json:"labels"`
	} `json:"resource"`
	Points list[struct {
		Interval struct {
			End time.Time `json:"endTime"`
		} `json:"interval"`
		Value struct {
			Int    json.RawMessage `json:"int64Value"`
			Double float64         `json:"doubleValue"`
		} `json:"value"`
	}] `json:"points"`
}

// newest returns the value of the newest point.
func (s *series) newest() (value float64) {
	var last time.Time
	for i := range s.Points {
		p := &s.Points[i]
		if p.Interval.End.Before(last) {
			continue
		}
		last, value = p.Interval.End, p.Value.Double
		var n number
		if json.Unmarshal(p.Value.Int, &n) == nil {
			value = float64(n)
		}
	}
	return value
}

// gauge returns what a metric shows of each order now. Versions of a model are one order.
func (c *client) gauge(ctx context.Context, metric string) (map[lot]float64, *ReadError) {
	now := time.Now().UTC()
	r := &request{
		host: monitoring,
		path: "/v3/projects/" + c.source.ProjectID + "/timeSeries",
		query: url.Values{
			// The scope of a project's metrics may have other projects in it.
			"filter": {`project = "` + c.source.ProjectID + `" AND metric.type = "` + orderMetrics + metric +
				`" AND resource.type = "aiplatform.googleapis.com/PublisherModel"`},
			"interval.startTime": {now.Add(-orderFresh).Format(time.RFC3339)},
			"interval.endTime":   {now.Format(time.RFC3339)},
			"pageSize":           {"10000"},
		},
	}
	values := map[lot]float64{}
	p := pages(ctx, c, r, "timeSeries", func(s *series) {
		l := &s.Resource.Labels
		if l.Publisher != "" && l.Publisher != "google" || !isModel(l.Model) || !placeSyntax.MatchString(l.Location) {
			return
		}
		values[lot{l.Model, l.Location}] += s.newest()
	})
	if p != nil && p.status == http.StatusNotFound && strings.HasPrefix(p.Message, noMetric) {
		return values, nil
	}
	return values, p
}
