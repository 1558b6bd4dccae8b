package main

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has used so far, on all processors. Unlike the clock it also
// runs in a bubble of synctest, and does not count what other processes use.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median returns the middle of some values, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
