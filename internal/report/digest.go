package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// digest tells the quantiles of any number of durations in bounded memory, each to 1 %. The zero
// value has none.
type digest struct {
	buckets map[int16]int64 // by the logarithm of what is in them
	zeros   int64
	count   int64
}

const (
	// least is the least duration that is told from zero, in milliseconds.
	least = 0.001
	// growth is the ratio of the bounds of a bucket: the middle of one is within 1 % of all in it.
	growth = 1.02
	// most bounds the buckets: 1.02^2000 µs are centuries.
	most = 2000
)

// add adds a duration in milliseconds.
func (d *digest) add(ms float64) {
	d.count++
	if !(ms >= least) { // also what is no number
		d.zeros++
		return
	}
	if d.buckets == nil {
		d.buckets = map[int16]int64{}
	}
	d.buckets[int16(min(math.Log(ms/least)/math.Log(growth), most))]++
}

// quantile returns the duration that so large a part of all is at most as long as, in milliseconds;
// zero if there is none.
func (d *digest) quantile(part float64) float64 {
	rank := int64(math.Ceil(part * float64(d.count)))
	if rank <= d.zeros {
		return 0
	}
	seen := d.zeros
	for _, i := range slices.SortedFunc(maps.Keys(d.buckets), cmp.Compare[int16]) {
		if seen += d.buckets[i]; seen >= rank {
			ms := least * math.Pow(growth, float64(i)+0.5)
			return math.Round(ms*1e3) / 1e3
		}
	}
	return 0
}
