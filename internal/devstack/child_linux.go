package devstack

import "syscall"

// capDACOverride lets a child that is not root pass through folders that only
// root may enter, so that a clone below /root or a mode-0700 temporary folder
// works. CAP_DAC_READ_SEARCH would be enough, but containers often lack it.
const capDACOverride = 1

// attributes puts a child into a process group of its own, so that the
// terminal's Ctrl-C reaches only us and we stop children in order, and has
// the kernel stop it when we die.
func attributes(as account, onDeath syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onDeath}
	if as.switches {
		attr.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	if as.bypass {
		attr.AmbientCaps = []uintptr{capDACOverride}
	}
	return attr
}
