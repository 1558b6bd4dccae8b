package router_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/grid"
)

// TestTheGridHolds plays a fixed twentieth of the grid, in which projects are broken in every way.
// bench/grid plays all of it.
func TestTheGridHolds(t *testing.T) {
	t.Parallel()
	for _, c := range grid.Twentieth() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			o := c.Run(t)
			for _, b := range o.Broken {
				t.Error(b)
			}
			for _, l := range o.Leaks {
				t.Error("a credential in " + l)
			}
		})
	}
}
