package metrics

import (
	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/quota"
)

// The metrics of limits. The locations of a project share its limits.
var (
	limit      = gauge("limit", "Limit to keep to, declared or learned.", limitLabels...)
	limitUsed  = gauge("limit_used", "How much of the limit is used.", limitLabels...)
	limitRatio = gauge("limit_used_ratio", "Share of the limit that is used.", limitLabels...)

	limitLabels = []string{"project", "model", "method", "limit"}
)

func (s snapshot) limits() {
	type series struct{ project, model, method string }
	seen := make(map[series]bool)
	for i := range s.stat.Endpoints {
		e := &s.stat.Endpoints[i]
		if e.Quota == nil {
			continue
		}
		of := series{observed.PlaceOf(e.Endpoint).Project, observed.Text(e.Model), observed.Account(e.Method)}
		if seen[of] {
			continue
		}
		seen[of] = true
		q := e.Quota
		for name, d := range map[string]quota.Dimension{
			"rpm": q.Requests, "tpm": q.Tokens, "rpd": q.Day, "concurrency": q.Concurrency,
		} {
			if d.Limit <= 0 {
				continue
			}
			labels := []string{of.project, of.model, of.method, name}
			s.send(limit, float64(d.Limit), labels...)
			s.send(limitUsed, float64(d.Used), labels...)
			s.send(limitRatio, float64(d.Used)/float64(d.Limit), labels...)
		}
	}
}
