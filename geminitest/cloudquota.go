package geminitest

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Quota is a quota as Cloud Quotas and Service Usage show it. It limits nothing here: see [Limit].
type Quota struct {
	Service    string // "generativelanguage.googleapis.com" (default) or "aiplatform.googleapis.com"
	ID         string // quotaId; Service Usage does not show it
	Metric     string // "generativelanguage.googleapis.com/generate_content_free_tier_requests"
	Interval   string // refreshInterval: "minute", "day" or "" for none
	Dimensions []string
	Values     []QuotaValue // from the more specific to the less
	Concurrent bool
}

// QuotaValue is the value of a quota for some of its dimensions.
type QuotaValue struct {
	Dimensions map[string]string // "model", "base_model", "region"; empty: all others
	Locations  []string          // applicableLocations
	Value      int64             // negative: unlimited
	Missing    bool              // the answer has no value
}

// quotasOf returns the quotas that a project has for a service: those that the emulator enforces, in
// the tier that the project is in; those of the other tier, which hold for nobody there; quotas of
// other things; and what the project's configuration adds.
func (e *Emulator) quotasOf(p *Project, service string) []Quota {
	var all []Quota
	switch service {
	case geminiService:
		all = e.modelQuotas(p)
	case vertexService:
		all = e.regionQuotas(p)
	}
	for _, q := range p.Quotas {
		if q.Service == service || q.Service == "" && service == geminiService {
			all = append(all, q)
		}
	}
	return all
}

// smallest returns the smallest of the values above zero that the limits for a model have: zero if
// there is none, negative if the model has no quota at all.
func (p *Project) smallest(model string, value func(Limit) int) int {
	least := 0
	for _, l := range p.Limits {
		n := value(l)
		switch {
		case l.Tool != "" || l.Method != "" || n == 0 || !fits(l.Model, model):
		case n < 0:
			return -1
		case least == 0 || n < least:
			least = n
		}
	}
	return least
}

// otherTier is by what the quotas of the paid tier are larger than those of the free one.
const otherTier = 10

// modelQuotas are the quotas of the Gemini Developer API.
func (e *Emulator) modelQuotas(p *Project) []Quota {
	var all []Quota
	for _, kind := range []struct {
		interval string
		value    func(Limit) int
		named    func(model string, limit int, paid bool) violation
	}{
		{"minute", func(l Limit) int { return l.RPM }, requestsPerMinute},
		{"minute", func(l Limit) int { return l.TPM }, tokensPerMinute},
		{"day", func(l Limit) int { return l.RPD }, requestsPerDay},
	} {
		for _, paid := range []bool{true, false} {
			v := kind.named("", 0, paid)
			q := Quota{ID: v.id, Metric: v.metric, Interval: kind.interval, Dimensions: []string{"model"}}
			for _, model := range e.cfg.Models {
				if !e.has(p, "", model) {
					continue
				}
				value := p.smallest(model, kind.value)
				switch {
				case value == 0: // unlimited
					value = -1
				case value < 0: // no quota
					value = 0
				case paid && p.free():
					value *= otherTier
				case !paid && !p.free():
					value = max(value/otherTier, 1)
				}
				q.Values = append(q.Values, QuotaValue{Dimensions: map[string]string{"model": model}, Value: int64(value)})
			}
			q.Values = append(q.Values, QuotaValue{Missing: true}) // of all other models
			all = append(all, q)
		}
	}
	return append(all,
		Quota{ID: "ConcurrentBatchJobsPerProject", Metric: metricPrefix + "concurrent_batch_jobs", Values: []QuotaValue{{Value: 100}}, Concurrent: true},
		Quota{ID: "FileStorageBytesPerProject", Metric: metricPrefix + "file_storage_bytes", Values: []QuotaValue{{Value: 20 << 30}}})
}

// regionQuotas are the quotas of Vertex AI's older models: in each region, and of the global endpoint,
// whose quotas have names of their own.
func (e *Emulator) regionQuotas(p *Project) []Quota {
	regions := []string{"us-central1", "europe-west4"}
	for _, o := range p.Orders {
		regions = append(regions, o.Location)
	}
	regions = slices.AppendSeq(regions, maps.Keys(p.Locations))
	slices.Sort(regions)
	regions = slices.DeleteFunc(slices.Compact(regions), func(r string) bool { return r == "global" })
	var all []Quota
	for _, kind := range []struct {
		name  string
		value func(Limit) int
	}{
		{requestsQuota, func(l Limit) int { return l.RPM }},
		{tokensQuota, func(l Limit) int { return l.TPM }},
	} {
		of := func(name string, dimensions ...string) Quota {
			return Quota{ID: camel(name), Metric: vertexService + "/" + name, Interval: "minute", Dimensions: dimensions}
		}
		local, global := of(kind.name, "region", "base_model"), of("global_"+kind.name, "base_model")
		for _, model := range e.cfg.Models {
			value := int64(p.smallest(model, kind.value))
			if value == 0 {
				continue // newer models have no fixed quota
			}
			for _, region := range regions {
				if e.has(p, region, model) {
					local.Values = append(local.Values, QuotaValue{
						Dimensions: map[string]string{"region": region, "base_model": model}, Locations: []string{region}, Value: max(value, 0),
					})
				}
			}
			if e.has(p, "global", model) {
				global.Values = append(global.Values, QuotaValue{Dimensions: map[string]string{"base_model": model}, Value: max(value, 0)})
			}
		}
		all = append(all, local, global)
	}
	return append(all, Quota{
		ID: "CustomModelTrainingCPUsPerProjectPerRegion", Metric: vertexService + "/custom_model_training_cpus", Dimensions: []string{"region"},
		Values: []QuotaValue{{Dimensions: map[string]string{"region": "us-central1"}, Locations: []string{"us-central1"}, Value: 42}},
	})
}

// quotaPage returns how many quotas a page has at most.
func (e *Emulator) quotaPage() int {
	if e.cfg.QuotaPage > 0 {
		return e.cfg.QuotaPage
	}
	return mostPage
}

// listQuotaInfos answers with a page of a project's quotas, as Cloud Quotas has them.
func (e *Emulator) listQuotaInfos(p *reply, c call, _ []byte) *Answer {
	page, next := pageOf(c, e.quotasOf(c.owner, c.parent), e.quotaPage())
	var infos []any
	for _, q := range page {
		infos = append(infos, q.info(c.owner.ID, c.parent))
	}
	p.json(listedPage("quotaInfos", infos, next))
	return nil
}

// info is the quota as Cloud Quotas has it. Fields that are empty or false are left out, as in all
// of Google's JSON.
func (q *Quota) info(project, service string) map[string]any {
	var values []any
	for _, v := range q.Values {
		one := map[string]any{"details": map[string]any{}}
		if !v.Missing {
			one["details"] = map[string]any{"value": strconv.FormatInt(v.Value, 10)}
		}
		if len(v.Dimensions) > 0 {
			one["dimensions"] = v.Dimensions
		}
		if one["applicableLocations"] = v.Locations; len(v.Locations) == 0 {
			one["applicableLocations"] = []string{"global"}
		}
		values = append(values, one)
	}
	info := map[string]any{
		"name": "projects/" + project + "/locations/global/services/" + service + "/quotaInfos/" + q.ID, "quotaId": q.ID, "metric": q.Metric,
		"service": service, "containerType": "PROJECT", "dimensionsInfos": values, "quotaIncreaseEligibility": map[string]any{"isEligible": true},
	}
	if len(q.Dimensions) > 0 {
		info["dimensions"] = q.Dimensions
	}
	if q.Interval != "" {
		info["refreshInterval"] = q.Interval
	}
	if q.Concurrent {
		info["isConcurrent"] = true
	}
	return info
}

// listQuotaMetrics answers with a page of the same quotas by their metrics, as Service Usage has
// them.
func (e *Emulator) listQuotaMetrics(p *reply, c call, _ []byte) *Answer {
	byMetric := map[string][]Quota{}
	for _, q := range e.quotasOf(c.owner, c.parent) {
		byMetric[q.Metric] = append(byMetric[q.Metric], q)
	}
	page, next := pageOf(c, slices.Sorted(maps.Keys(byMetric)), e.quotaPage())
	full := c.query.Get("view") == "FULL"
	var metrics []any
	for _, metric := range page {
		name := "projects/" + c.owner.ID + "/services/" + c.parent + "/consumerQuotaMetrics/" + url.PathEscape(metric)
		var limits []any
		for _, q := range byMetric[metric] {
			limits = append(limits, q.limit(name, full))
		}
		metrics = append(metrics, map[string]any{
			"name": name, "metric": metric, "displayName": metric[strings.LastIndexByte(metric, '/')+1:], "consumerQuotaLimits": limits, "unit": "1",
		})
	}
	p.json(listedPage("metrics", metrics, next))
	return nil
}

// limit is the quota as Service Usage has it. Without the full view there are only the buckets that
// somebody has changed: none.
func (q *Quota) limit(metric string, full bool) map[string]any {
	unit := "1"
	switch q.Interval {
	case "minute":
		unit += "/min"
	case "day":
		unit += "/d"
	}
	unit += "/{project}"
	if len(q.Dimensions) > 0 {
		unit += "/{" + strings.Join(q.Dimensions, "}/{") + "}"
	}
	limit := map[string]any{
		"name": metric + "/limits/" + url.PathEscape(strings.NewReplacer("1/", "/", "{", "", "}", "").Replace(unit)), "metric": q.Metric, "unit": unit,
		"allowsAdminOverrides": true,
	}
	var buckets []any
	for i := len(q.Values) - 1; i >= 0 && full; i-- { // from the less specific to the more
		v := q.Values[i]
		bucket := map[string]any{}
		if !v.Missing {
			bucket["effectiveLimit"], bucket["defaultLimit"] = strconv.FormatInt(v.Value, 10), strconv.FormatInt(v.Value, 10)
		}
		if len(v.Dimensions) > 0 {
			bucket["dimensions"] = v.Dimensions
		}
		buckets = append(buckets, bucket)
	}
	if len(buckets) > 0 {
		limit["quotaBuckets"] = buckets
	}
	return limit
}
