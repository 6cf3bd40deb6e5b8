package http1

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// others is the listener of the server of net/http: its connections are those that
// are handed over.
type others struct {
	address net.Addr
	next    chan net.Conn
	over    chan struct{}
	once    sync.Once
}

func newOthers() *others { return &others{next: make(chan net.Conn), over: make(chan struct{})} }

// Accept is of a net.Listener.
func (o *others) Accept() (net.Conn, error) {
	select {
	case c := <-o.next:
		return c, nil
	case <-o.over:
		return nil, net.ErrClosed
	}
}

// Close is of a net.Listener.
func (o *others) Close() error {
	o.once.Do(func() { close(o.over) })
	return nil
}

// Addr is of a net.Listener.
func (o *others) Addr() net.Addr { return o.address }

// hand gives a connection to net/http. While the server shuts down nobody takes
// it.
func (c *conn) hand() {
	select {
	case c.server.others.next <- &handed{Conn: c.Conn.Conn, early: c.buf[c.from:c.to]}:
		c.server.left(c)
	case <-c.server.others.over:
		c.close()
	}
}

// handed is a connection with what was read of it already.
type handed struct {
	net.Conn
	early []byte
}

func (h *handed) Read(p []byte) (int, error) {
	if len(h.early) > 0 {
		n := copy(p, h.early)
		h.early = h.early[n:]
		return n, nil
	}
	h.early = nil
	return h.Conn.Read(p)
}

// CloseWrite is what net/http lets a client read a refusal with.
func (h *handed) CloseWrite() error {
	if half, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

var errEarly = errors.New("something was read of it already")

// SyscallConn is for whoever would rather not read through Go, when nothing of ours
// is left to read.
func (h *handed) SyscallConn() (syscall.RawConn, error) {
	described, ok := h.Conn.(syscall.Conn)
	if !ok || len(h.early) > 0 {
		return nil, errEarly
	}
	return described.SyscallConn()
}
