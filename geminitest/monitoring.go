package geminitest

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// orderMetrics begins the names of what Cloud Monitoring shows of Provisioned Throughput. See
// https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform.
const orderMetrics = vertexService + "/publisher/online_serving/"

var metricFilter = regexp.MustCompile(`metric\.type\s*=\s*"([^"]{1,256})"`)

// listTimeSeries answers with what the gauges of a metric showed, of each order a series, the newest
// point first. A metric that has no series is none of Google's errors.
func (e *Emulator) listTimeSeries(p *reply, c call, _ []byte) *Answer {
	metric := metricFilter.FindStringSubmatch(c.query.Get("filter"))
	if metric == nil {
		return new(InvalidArgument("Field filter had an invalid value of \"" + printable(c.query.Get("filter")) +
			"\": must specify a restriction on \"metric.type\" in the filter."))
	}
	end, err := time.Parse(time.RFC3339, c.query.Get("interval.endTime"))
	if err != nil {
		return new(InvalidArgument("Field interval.endTime had an invalid value: endTime is required."))
	}
	start, err := time.Parse(time.RFC3339, c.query.Get("interval.startTime"))
	if err != nil {
		start = end
	}
	var series []any
	for _, o := range c.owner.Orders {
		value, shown := o.gauge(metric[1])
		if points := e.points(start, end, value); shown && len(points) > 0 {
			series = append(series, map[string]any{
				"metric": map[string]any{"type": metric[1]},
				"resource": map[string]any{"type": vertexService + "/PublisherModel", "labels": map[string]any{
					"resource_container": cmp.Or(c.owner.Number, c.owner.ID), "location": o.Location, "publisher": "google",
					"model_user_id": o.Model, "model_version_id": "default",
				}},
				"metricKind": "GAUGE", "valueType": "INT64", "unit": "1", "points": points,
			})
		}
	}
	page, next := pageOf(c, series, 100_000)
	p.json(listedPage("timeSeries", slices.Clone(page), next))
	return nil
}

// gauge is what a metric shows of an order; not shown if it is about something else.
func (o *Order) gauge(metric string) (value int64, shown bool) {
	switch metric {
	case orderMetrics + "dedicated_gsu_limit":
		return int64(o.GSUs), o.GSUs > 0
	case orderMetrics + "dedicated_token_limit":
		if o.TokensPerSecond > 0 {
			return int64(o.TokensPerSecond), true
		}
		return int64(float64(o.GSUs) * throughput[o.Model].perGSU), true
	}
	return 0, false
}

// points are those of each minute within an interval, as far as Cloud Monitoring shows them by now.
func (e *Emulator) points(start, end time.Time, value int64) []any {
	if shown := time.Now().Add(-monitoringDelay); end.After(shown) {
		end = shown
	}
	var points []any
	for at := end.Truncate(time.Minute); !at.Before(start) && len(points) < 1_440; at = at.Add(-time.Minute) {
		stamp := at.UTC().Format(time.RFC3339)
		points = append(points, map[string]any{
			"interval": map[string]any{"startTime": stamp, "endTime": stamp}, "value": map[string]any{"int64Value": strconv.FormatInt(value, 10)},
		})
	}
	return points
}
