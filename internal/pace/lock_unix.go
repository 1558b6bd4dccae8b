//go:build unix

package pace

import (
	"os"
	"syscall"
)

// errLocked is that another process has the file.
var errLocked error = syscall.EWOULDBLOCK

// lock takes a file for this process, until it is closed.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
