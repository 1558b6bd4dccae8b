package metrics

import (
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
)

// The metrics of a router as a whole.
var (
	retries        = counter("retries_total", "Retries after a fault that the retry budget granted.")
	retriesRefused = counter("retries_refused_total", "Retries after a fault that the retry budget refused.")
	retryBudget    = gauge("retry_budget", "Retries that the retry budget allows now.")
	lookups        = counter("lookups_total", "Searches for the owner of a resource.")
	storeUp        = gauge("store_up", "Whether the store that replicas share answers.")
	storeMembers   = gauge("store_members", "Replicas that share the store.")
	storeLapsed    = gauge("store_lapsed_members", "Replicas that went silent in the last minute.")
	storeLag       = gauge("store_lag_seconds", "Time that the last call to the store took.")
	build          = gauge("build_info", "Version of Spillway and of Go.", "version", "goversion")
)

func (s snapshot) whole() {
	s.send(retries, float64(s.stat.RetryCount))
	s.send(retriesRefused, float64(s.stat.RetryRefusedCount))
	s.send(retryBudget, float64(s.stat.RetryBudget))
	s.send(lookups, float64(s.stat.LookupCount))
	if store := s.stat.Store; store != nil {
		s.send(storeUp, truth(store.Answers))
		s.send(storeMembers, float64(store.Members))
		s.send(storeLapsed, float64(store.Lapsed))
		s.send(storeLag, store.Lag.Seconds())
	}
	s.send(build, 1, version, runtime.Version())
}

// version is the version of the module, as the program was built with it.
var version = func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	module := strings.TrimSuffix(reflect.TypeFor[metric]().PkgPath(), "/metrics")
	for _, m := range append(info.Deps, &info.Main) {
		switch {
		case m.Path != module:
		case m.Replace != nil && m.Replace.Version != "":
			return m.Replace.Version
		case m.Version != "":
			return m.Version
		}
	}
	return "unknown"
}()
