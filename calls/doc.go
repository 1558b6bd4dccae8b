// Package calls records the calls that go through a router: one [Record] a call, without anything of
// its content.
//
//	ring := calls.NewRing(10_000)
//	log := calls.OpenLog("calls.jsonl", calls.FileConfig{}, slog.Default())
//	defer log.Close()
//	client, err := spillway.Open(ctx, "spillway.toml", router.WithTrace(calls.Trace(ring, log)))
//
// [Trace] makes the records. A [Ring] keeps the last ones, to say why a call went where it went. A
// [Log] writes each as a line of JSON, and never makes a call wait. Clients of spillway.Open and
// `spillway serve` have a log if calls under [log] in their file names one. `spillway report` sums
// up what logs say; docs/calls.md describes the fields.
package calls
