package pool

import (
	"math/rand/v2"
	"sync"
)

// dice decide what is left to chance. Nil are those of the machine. In a simulation they are its own,
// and fall the same each time, so that the same calls have the same fate.
type dice struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func newDice() *dice { return &dice{rand: rand.New(rand.NewPCG(1, 1))} }

// intN returns a number from 0 to below n.
func (d *dice) intN(n int) int {
	if d == nil {
		return rand.IntN(n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.IntN(n)
}

// float64 returns a number from 0 to below 1.
func (d *dice) float64() float64 {
	if d == nil {
		return rand.Float64()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Float64()
}
