package input

// Counted would be a package more.
func Counted() {}
