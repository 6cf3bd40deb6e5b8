//go:build unix && (race || !linux)

package tcp

import "syscall"

// The usual calls tell the race detector, too, that what was done before a message
// was sent happened before what is done when it has come.

func readSocket(fd uintptr, p []byte) (int, error)  { return syscall.Read(int(fd), p) }
func writeSocket(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }
