package pool

// Counted would be one name more.
func Counted() {}
