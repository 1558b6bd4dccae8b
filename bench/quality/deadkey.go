package main

import (
	"slices"
	"time"
)

// deadKey is a fleet of ten projects with room, of which the first one's key is revoked. Who knows
// that a key is dead asks it again after a minute.
func deadKey(d draw) *trial {
	const (
		dies  = 2 * time.Minute
		known = 50 * time.Second // until which no probe is due
		apart = 10 * time.Second
	)
	d.length = max(d.length, 0.8)
	tr := minuteQuotas(byRequests, true, 0.7)(d)
	key := tr.doors[0].key
	tr.events = []event{{dies, func(w world) { w.google.Revoke(key) }}}
	judge := tr.judge
	tr.judge = func(got, oracle []result) outcome {
		o := judge(got, oracle)
		var probed []time.Duration
		o[dead], o[probesAtOnce] = 0, 0
		for _, r := range got {
			for _, f := range r.failed {
				switch {
				case f.key != key:
				case f.at < dies+known:
					o[dead]++
				default:
					probed = append(probed, f.at)
				}
			}
		}
		slices.Sort(probed)
		for i, from := 0, 0; i < len(probed); i++ {
			for probed[from] <= probed[i]-apart {
				from++
			}
			o[probesAtOnce] = max(o[probesAtOnce], float64(i-from+1))
		}
		return o
	}
	return tr
}
