//go:build !unix

package tcp

import "net"

type direct struct{ net.Conn }

func newDirect(nc *net.TCPConn) *direct { return &direct{nc} }

func (d *direct) read(p []byte) (int, error)  { return d.Conn.Read(p) }
func (d *direct) write(p []byte) (int, error) { return d.Conn.Write(p) }
