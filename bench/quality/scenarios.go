package main

import (
	"fmt"
	"time"
)

// scenarios are the rows of the table, in its order.
func scenarios() []scenario {
	all := []scenario{
		{"known-0.8x", "known RPM and TPM of 10 projects, offered 0.8×", []figure{{goodput, 0.995}, {wasted, 0.002}, {waitP99, 1}}, minuteQuotas(byBoth, true, 0.8)},
		{"known-1.5x", "the same, offered 1.5×", []figure{{goodput, 0.98}, {wasted, 0.005}, {jain, 0.98}}, minuteQuotas(byBoth, true, 1.5)},
		{"learned", "unknown limits, 1.2×, told by quotaValue", []figure{{goodput, 0.97}, {wasted, 0.02}}, minuteQuotas(byBoth, false, 1.2)},
		{"hidden", "hidden moving capacity, 3 locations, 2×", []figure{{goodput, 0.96}, {wasted, 0.12}, {recovery, 8}}, movingCapacity(0)},
		{"hidden-cost", "the same, a refusal costs half a request", []figure{{goodput, 0.85}, {wasted, 0.25}, {late, 0.7}}, movingCapacity(0.5)},
	}
	for _, size := range []struct {
		gsus   int
		length time.Duration
	}{{1, time.Hour}, {10, 20 * time.Minute}, {100, 3 * time.Minute}} {
		for _, load := range []float64{0.5, 1, 2, 5} {
			figures := []figure{{goodput, 0.97}, {refusedByPT, 0.01}}
			if load == 0.5 {
				figures = append(figures, figure{spilled, 0})
			}
			all = append(all, scenario{
				fmt.Sprintf("order-%d-%gx", size.gsus, load), fmt.Sprintf("one order of %d GSU, %g×", size.gsus, load),
				figures, orders(1, size.gsus, load, size.length, 0),
			})
		}
	}
	all = append(all, scenario{
		"order-10-2x-bounds", "one order of 10 GSU, 2×, half the calls say how long their answers may be",
		[]figure{{goodput, 0.97}, {refusedByPT, 0.01}}, orders(1, 10, 2, 20*time.Minute, 0.5),
	}, scenario{
		"two-orders", "two orders in two regions, 3×", []figure{{goodput, 0.97}, {refusedByPT, 0.01}}, orders(2, 10, 3, 10*time.Minute, 0),
	})
	for _, day := range []struct {
		name, about string
		month       time.Month
		middle      int
	}{{"spring", "a day of 23 hours", time.March, 8}, {"autumn", "a day of 25 hours", time.November, 1}} {
		all = append(all,
			scenario{"day-" + day.name, "RPD across midnights, " + day.about, []figure{{dayUsed, 1}, {probes, 0}}, dayQuota(2026, day.month, day.middle, true)},
			scenario{"day-" + day.name + "-unknown", "the same, RPD not in the config", []figure{{dayUsed, 1}, {probes, 4}}, dayQuota(2026, day.month, day.middle, false)})
	}
	all = append(all, scenario{
		"reset", "a declared minute used up at one blow", []figure{{wasted, 0}, {reset, 0.5}}, resetAfterExhaustion,
	})
	return append(all, fleetScenarios()...)
}
