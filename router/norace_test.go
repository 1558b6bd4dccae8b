//go:build !race

package router_test

// stormScripts is how many scripts of random faults are run: a tenth where it is not about races, so that go test stays quick.
const stormScripts = 1_000
