//go:build unix

package edge

import (
	"math"
	"syscall"
)

// descriptors is how many files and connections this process may have open. Go
// has raised the limit as far as it may be when the process started.
func descriptors() int64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return descriptorsUnknown
	}
	return int64(min(uint64(limit.Cur), math.MaxInt64))
}
