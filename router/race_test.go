//go:build race

package router_test

// slowdown is about how many times as long everything takes under the race detector.
const slowdown = 20
