// Package grid plays the router against projects that are broken in one way each, in virtual time:
// every kind of fault, at every place, under every kind of call. A test of package router plays a
// fixed twentieth of it, and bench/grid all.
package grid
