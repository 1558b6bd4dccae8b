package deploy_test

import (
	"context"
	"math"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// sample is one value of a series.
type sample struct {
	at    int64 // ms
	value float64
}

func (s sample) ST() int64                     { return 0 }
func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// scrapes are what a Prometheus has of the pages that it has scraped. They are a [storage.Queryable].
type scrapes struct{ series map[string]*kept }

type kept struct {
	labels  labels.Labels
	samples []chunks.Sample
}

func newScrapes() *scrapes { return &scrapes{make(map[string]*kept)} }

// scrape takes what a registry shows now, under the name of an instance.
func (s *scrapes) scrape(t *testing.T, instance string, registry *prometheus.Registry) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			s.take(now, instance, f, m)
		}
	}
}

// take takes one metric, as the text format would show it.
func (s *scrapes) take(now int64, instance string, f *dto.MetricFamily, m *dto.Metric) {
	put := func(name string, v float64, more ...string) {
		b := labels.NewBuilder(labels.FromStrings(append([]string{model.MetricNameLabel, name, "instance", instance}, more...)...))
		for _, l := range m.GetLabel() {
			b.Set(l.GetName(), l.GetValue())
		}
		of := b.Labels()
		one := s.series[of.String()]
		if one == nil {
			one = &kept{labels: of}
			s.series[of.String()] = one
		}
		one.samples = append(one.samples, sample{now, v})
	}
	switch f.GetType() {
	case dto.MetricType_HISTOGRAM:
		h := m.GetHistogram()
		for _, bucket := range h.GetBucket() {
			put(f.GetName()+"_bucket", float64(bucket.GetCumulativeCount()), "le", bound(bucket.GetUpperBound()))
		}
		put(f.GetName()+"_bucket", float64(h.GetSampleCount()), "le", "+Inf")
		put(f.GetName()+"_count", float64(h.GetSampleCount()))
		put(f.GetName()+"_sum", h.GetSampleSum())
	case dto.MetricType_COUNTER:
		put(f.GetName(), m.GetCounter().GetValue())
	default:
		put(f.GetName(), m.GetGauge().GetValue())
	}
}

func (s *scrapes) Querier(from, to int64) (storage.Querier, error) { return querier{s, from, to}, nil }

type querier struct {
	*scrapes

	from, to int64
}

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, one := range q.series {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(one.labels.Get(m.Name)) }) {
			continue
		}
		var within []chunks.Sample
		for _, v := range one.samples {
			if v.T() >= q.from && v.T() <= q.to {
				within = append(within, v)
			}
		}
		if len(within) > 0 {
			found = append(found, storage.NewListSeries(one.labels, within))
		}
	}
	sort.Slice(found, func(i, j int) bool { return labels.Compare(found[i].Labels(), found[j].Labels()) < 0 })
	return &set{all: found, at: -1}
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) Close() error { return nil }

// set walks over series.
type set struct {
	all []storage.Series
	at  int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *set) At() storage.Series                { return s.all[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// query evaluates an expression at a moment. It returns the values by their labels.
func (s *scrapes) query(t *testing.T, at time.Time, expression string) map[string]float64 {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e8, Timeout: time.Hour, Parser: parser.NewParser(parser.Options{}),
	})
	q, err := engine.NewInstantQuery(context.Background(), s, nil, expression, at)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	defer q.Close()
	result := q.Exec(context.Background())
	if result.Err != nil {
		t.Fatalf("%s: %v", expression, result.Err)
	}
	values, err := result.Vector()
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	got := make(map[string]float64)
	for _, v := range values {
		of := labels.NewBuilder(v.Metric).Del(model.MetricNameLabel).Labels().String()
		if _, twice := got[of]; twice || math.IsNaN(v.F) {
			t.Errorf("%s: %s twice, or not a number", expression, of)
		}
		got[of] = v.F
	}
	return got
}
