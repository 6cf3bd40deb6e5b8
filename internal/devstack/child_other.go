//go:build !linux

package devstack

import "syscall"

// attributes is the fallback where no parent-death signal exists: children
// end when we stop them, and outlive us if we are killed.
func attributes(as account, _ syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if as.switches {
		attr.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	return attr
}
