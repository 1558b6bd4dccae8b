//go:build !race

package router_test

const slowdown = 1
