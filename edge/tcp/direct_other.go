//go:build !unix

package tcp

import (
	"net"
	"syscall"
)

type direct struct{ net.Conn }

func newDirect(nc net.Conn, _ syscall.Conn) *direct { return &direct{nc} }

func (d *direct) read(p []byte) (int, error)  { return d.Conn.Read(p) }
func (d *direct) write(p []byte) (int, error) { return d.Conn.Write(p) }
