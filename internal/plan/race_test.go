//go:build race

package plan_test

// raced says that the race detector runs, under which a million calls take an hour.
const raced = true
