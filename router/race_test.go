//go:build race

package router_test

// stormScripts is how many scripts of random faults are run: all of them where it is about races too.
const stormScripts = 10_000
