//go:build unix

package tcp

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// direct reads and writes a socket by calls of our own.
type direct struct {
	network string // "tcp" or "unix", for errors
	raw     syscall.RawConn
	in, out half
}

// half is one direction. The function that the poller calls is made once: made for
// each call it would be an allocation.
type half struct {
	call func(fd uintptr, p []byte) (int, error)
	try  func(fd uintptr) bool // attempt

	p   []byte
	n   int
	err error
}

func newDirect(nc net.Conn, under syscall.Conn) *direct {
	raw, err := under.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{network: nc.RemoteAddr().Network(), raw: raw, in: half{call: readSocket}, out: half{call: writeSocket}}
	d.in.try, d.out.try = d.in.attempt, d.out.attempt
	return d
}

// attempt reports whether there is nothing to wait for.
func (h *half) attempt(fd uintptr) bool {
	for {
		h.n, h.err = h.call(fd, h.p)
		switch h.err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

func (d *direct) read(p []byte) (int, error) {
	d.in.p = p
	err := d.raw.Read(d.in.try)
	d.in.p = nil
	switch {
	case err != nil || d.in.err != nil:
		return 0, d.failed("read", err, d.in.err)
	case d.in.n == 0:
		return 0, io.EOF
	}
	return d.in.n, nil
}

func (d *direct) write(p []byte) (sent int, err error) {
	for sent < len(p) {
		d.out.p = p[sent:]
		err := d.raw.Write(d.out.try)
		d.out.p = nil
		if err != nil || d.out.err != nil {
			return sent, d.failed("write", err, d.out.err)
		}
		sent += d.out.n
	}
	return sent, nil
}

// failed says what did as package net says it: waited is the poller's (a deadline, or
// that the connection was closed), and called the kernel's.
func (d *direct) failed(op string, waited, called error) error {
	if waited == nil {
		return &net.OpError{Op: op, Net: d.network, Err: os.NewSyscallError(op, called)}
	}
	if known, ok := errors.AsType[*net.OpError](waited); ok {
		waited = known.Err
	}
	return &net.OpError{Op: op, Net: d.network, Err: waited}
}
