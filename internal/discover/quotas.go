package discover

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// quota is a quota of either API.
type quota struct {
	kind     kind
	tier     string         // of the Developer API: "free", or the name of a paid one
	global   bool           // it is the global endpoint's
	regional bool           // each region has its own; else all share it
	values   map[part]int64 // negative: unlimited
}

// part is what a value of a quota is for: a model, which is empty for all others, in a region, which
// is empty for all.
type part struct{ model, region string }

// add notes a value for some dimensions, in regions if the dimensions name none. Vertex AI writes
// "-ga" behind some of its models there, which no call has. What is no name of a model is nobody's.
func (q *quota) add(dimensions map[string]string, limit *number, regions []string) {
	p := part{dimensions["model"], dimensions["region"]}
	if base := dimensions["base_model"]; base != "" {
		p.model = strings.TrimSuffix(base, "-ga")
	}
	if limit == nil || p.model != "" && !isModel(p.model) {
		return
	}
	if p.region != "" || len(regions) == 0 {
		regions = []string{p.region}
	}
	for _, p.region = range regions {
		q.regional = q.regional || p.region != ""
		if had, ok := q.values[p]; !ok || had < 0 || *limit >= 0 && int64(*limit) < had {
			q.values[p] = int64(*limit)
		}
	}
}

// service is the API whose quotas are read.
func (c *client) service() string {
	if c.source.Vertex {
		return vertexAI
	}
	return developerAPI
}

// quotas returns the quotas of the project that limit models, of Cloud Quotas or of Service Usage.
func (c *client) quotas(ctx context.Context) ([]quota, *ReadError) {
	all, first := c.quotaInfos(ctx)
	if first == nil {
		return all, nil
	}
	all, second := c.quotaMetrics(ctx)
	if second == nil {
		return all, nil
	}
	first.What = "limits"
	return nil, first
}

// quotaInfo is a quota as Cloud Quotas has it. See
// https://cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos.
type quotaInfo struct {
	ID         string   `json:"quotaId"`
	Metric     string   `json:"metric"`
	Interval   string   `json:"refreshInterval"`
	Concurrent bool     `json:"isConcurrent"`
	Dimensions []string `json:"dimensions"`
	Infos      list[struct {
		Dimensions map[string]string `json:"dimensions"`
		Details    struct {
			Value *number `json:"value"`
		} `json:"details"`
		Locations []string `json:"applicableLocations"`
	}] `json:"dimensionsInfos"`
}

func (c *client) quotaInfos(ctx context.Context) (all []quota, p *ReadError) {
	r := &request{
		host:  cloudQuotas,
		path:  "/v1/projects/" + c.source.ProjectID + "/locations/global/services/" + c.service() + "/quotaInfos",
		query: url.Values{"pageSize": {"500"}},
	}
	p = pages(ctx, c, r, "quotaInfos", func(info *quotaInfo) {
		q, ok := newQuota(info.Metric, info.ID, info.Interval)
		if !ok || info.Concurrent || len(all) == mostQuotas {
			return
		}
		q.regional = slices.Contains(info.Dimensions, "region")
		for _, one := range info.Infos {
			regions := one.Locations // one entry may stand for several; "global" says that it has none
			if q.global || !c.source.Vertex || slices.Equal(regions, []string{"global"}) {
				regions = nil
			}
			q.add(one.Dimensions, one.Details.Value, regions)
		}
		all = append(all, q)
	})
	return all, p
}

// quotaMetric is the quotas of a metric as Service Usage has them. See
// https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics.
type quotaMetric struct {
	Metric string `json:"metric"`
	Limits list[struct {
		Unit    string `json:"unit"` // "1/min/{project}/{model}"
		Buckets list[struct {
			Limit      *number           `json:"effectiveLimit"`
			Dimensions map[string]string `json:"dimensions"`
		}] `json:"quotaBuckets"`
	}] `json:"consumerQuotaLimits"`
}

func (c *client) quotaMetrics(ctx context.Context) (all []quota, p *ReadError) {
	r := &request{
		host:  serviceUsage,
		path:  "/v1beta1/projects/" + c.source.ProjectID + "/services/" + c.service() + "/consumerQuotaMetrics",
		query: url.Values{"view": {"FULL"}, "pageSize": {"500"}},
	}
	p = pages(ctx, c, r, "metrics", func(m *quotaMetric) {
		for _, l := range m.Limits {
			interval := ""
			switch {
			case strings.HasPrefix(l.Unit, "1/min/"):
				interval = "minute"
			case strings.HasPrefix(l.Unit, "1/d/"):
				interval = "day"
			}
			q, ok := newQuota(m.Metric, "", interval)
			if !ok || !strings.Contains(l.Unit, "model}") || len(all) == mostQuotas {
				continue
			}
			q.regional = strings.Contains(l.Unit, "{region}")
			for _, b := range l.Buckets {
				q.add(b.Dimensions, b.Limit, nil)
			}
			all = append(all, q)
		}
	})
	return all, p
}

// number is an int64, which Google writes as a string.
type number int64

// UnmarshalJSON takes numbers, too. One that is too large is the largest.
func (n *number) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) != nil {
		s = string(text)
	}
	i, err := strconv.ParseInt(s, 10, 64) // also of one that is out of range
	if errors.Is(err, strconv.ErrSyntax) {
		var f float64
		if f, err = strconv.ParseFloat(s, 64); math.IsNaN(f) || errors.Is(err, strconv.ErrSyntax) {
			return strconv.ErrSyntax
		}
		i = int64(max(-1<<62, min(f, 1<<62)))
	}
	*n = number(i)
	return nil
}
