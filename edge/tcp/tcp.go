package tcp

import (
	"net"
	"sync/atomic"
	"time"
)

// Conn is a connection. One goroutine at a time may read, and one write; the rest is
// as of any net.Conn.
type Conn struct {
	net.Conn
	direct *direct // nil: Conn is none of TCP, and no Unix socket

	reading, writing deadline
}

// New wraps a connection, of whatever kind.
func New(nc net.Conn) *Conn {
	c := &Conn{Conn: nc}
	switch under := nc.(type) {
	case *net.TCPConn:
		c.direct = newDirect(under, under)
	case *net.UnixConn:
		c.direct = newDirect(under, under)
	}
	return c
}

// Read is of a net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.direct == nil || len(p) == 0 {
		return c.Conn.Read(p)
	}
	return c.direct.read(p)
}

// Write is of a net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if c.direct == nil {
		return c.Conn.Write(p)
	}
	return c.direct.write(p)
}

// deadline is when one ends, if ReadWithin or WriteWithin set it, in ns.
type deadline struct{ at atomic.Int64 }

// within sets a deadline unless the one there is will do.
func (d *deadline) within(now time.Time, least, most time.Duration, set func(time.Time) error) {
	if left := time.Duration(d.at.Load() - now.UnixNano()); left < least || left > most {
		d.at.Store(now.Add(most).UnixNano())
		_ = set(now.Add(most)) // what is wrong with a connection shows when it is used
	}
}

// ReadWithin makes reads fail that take longer than most, or somewhat less, but no
// less than least. To set a deadline costs as much as to parse half a head, so the one
// before is kept as long as it lies between the two.
func (c *Conn) ReadWithin(now time.Time, least, most time.Duration) {
	c.reading.within(now, least, most, c.Conn.SetReadDeadline)
}

// WriteWithin is ReadWithin for writes.
func (c *Conn) WriteWithin(now time.Time, least, most time.Duration) {
	c.writing.within(now, least, most, c.Conn.SetWriteDeadline)
}

// SetReadDeadline is of a net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.reading.at.Store(0)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is of a net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writing.at.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is of a net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.reading.at.Store(0)
	c.writing.at.Store(0)
	return c.Conn.SetDeadline(t)
}
