package loadtest

import "syscall"

// attributes puts the stack into a process group of its own, so that Ctrl-C
// reaches only us, and has the kernel stop it when we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}
