//go:build !linux

package loadtest

import "syscall"

// attributes puts the stack into a process group of its own, so that Ctrl-C
// reaches only us. It runs on if we are killed: there is no parent-death signal
// here.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
