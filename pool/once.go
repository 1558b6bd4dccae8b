package pool

import "sync/atomic"

// once is true the first time it is asked.
type once struct{ done atomic.Bool }

func (o *once) first() bool { return !o.done.Load() && o.done.CompareAndSwap(false, true) }
