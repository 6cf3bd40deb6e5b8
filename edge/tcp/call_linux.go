package tcp

import (
	"syscall"
	"unsafe"
)

func readRaw(fd uintptr, p []byte) (int, error)  { return raw(syscall.SYS_READ, fd, p) }
func writeRaw(fd uintptr, p []byte) (int, error) { return raw(syscall.SYS_WRITE, fd, p) }

// raw makes a call that the scheduler does not hear of.
func raw(call, fd uintptr, p []byte) (int, error) {
	n, _, failed := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if failed != 0 {
		return 0, failed
	}
	return int(n), nil
}
