package discover

import (
	"maps"
	"math"
	"slices"

	"github.com/spillway-go/spillway/internal/modelid"
)

// limitsOf returns the limits of each model that quotas name, and of those listed that the default
// of a quota is for. Those of the other tier do not count. places are the locations that have a quota
// each: a limit is their sum.
func limitsOf(quotas []quota, tier Tier, listed []model, places []string) []Limit {
	quotas = slices.DeleteFunc(slices.Clone(quotas), func(q quota) bool {
		return tier != "" && (tier == TierFree) != (q.tier == "free")
	})
	names, shorter := map[string]*model{}, map[string]bool{}
	for i, m := range listed {
		names[m.name] = &listed[i]
		for n := range modelid.Names(m.name) {
			shorter[n] = true
		}
	}
	for _, q := range quotas {
		for p := range q.values {
			if p.model != "" && names[p.model] == nil && !shorter[p.model] {
				names[p.model] = nil // of models that are not listed, or could not be
			}
		}
	}
	all, sorted := []Limit{}, slices.Sorted(maps.Keys(names))
	for _, name := range sorted[:min(len(sorted), mostLimits)] {
		l := Limit{Model: name}
		for k, limit := range []*int64{requestsMinute: &l.RPM, tokensMinute: &l.TPM, requestsDay: &l.RPD} {
			*limit = sum(quotas, kind(k), name, names[name], places)
		}
		if l != (Limit{Model: name}) {
			all = append(all, l)
		}
	}
	return all
}

// sum returns what the project has of one kind for a model in all places together; zero if that is
// not limited, or is nothing. It is the smaller of what the places have for themselves and what they
// share.
func sum(quotas []quota, k kind, name string, listed *model, places []string) (total int64) {
	for _, place := range places {
		limit := limitOf(quotas, k, name, listed, place)
		if limit == 0 {
			total = 0
			break
		}
		total += limit
	}
	shared := limitOf(quotas, k, name, listed, "")
	if total == 0 || shared > 0 && shared < total {
		return shared
	}
	return total
}

// limitOf is highest, with zero for no limit. Google writes the largest number, too, for none.
func limitOf(quotas []quota, k kind, name string, listed *model, place string) int64 {
	limit := highest(quotas, k, name, listed, place)
	if limit < 0 || limit > math.MaxInt64/1_000 {
		return 0
	}
	return limit
}

// highest returns the limit of one kind for a model in a place, or of what all places share: the smallest of each tier's, and of
// those the highest, for which tier the project is in may not be known. It is negative if there is
// none.
func highest(quotas []quota, k kind, name string, listed *model, place string) int64 {
	byTier := map[string]int64{}
	for _, q := range quotas {
		if q.kind != k || !q.counts(place) {
			continue
		}
		limit, ok := q.find(name, listed, place)
		if !ok {
			continue
		}
		if had, ok := byTier[q.tier]; !ok || had < 0 || limit >= 0 && limit < had {
			byTier[q.tier] = limit
		}
	}
	most := int64(-1)
	for _, limit := range byTier {
		if limit < 0 {
			return -1
		}
		most = max(most, limit)
	}
	return most
}

// counts reports whether a quota is that of a place; of all together if place is empty.
func (q *quota) counts(place string) bool {
	switch place {
	case "":
		return !q.global && !q.regional
	case "global":
		return q.global
	default:
		return q.regional && !q.global
	}
}

// find returns what the quota says for a model in a place: its own value, else that of its name
// without the version, else that of all other models; and of each that of the place before that of
// all. A value for all other models is for those that are listed, and that generate.
func (q *quota) find(name string, listed *model, place string) (limit int64, ok bool) {
	names := slices.Collect(modelid.Names(name))
	if listed != nil && listed.generates {
		names = append(names, "")
	}
	for _, n := range names {
		for _, p := range []part{{n, place}, {n, ""}} {
			if limit, ok = q.values[p]; ok {
				return limit, true
			}
		}
	}
	return 0, false
}
