package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline/edge/tcp"
)

const (
	usualBuffer = 4 << 10 // grows for a head that is larger
	mostDrained = 256 << 10
	lingers     = 500 * time.Millisecond
)

// conn is one connection. Its goroutine owns it, but for idle.
type conn struct {
	*tcp.Conn
	server   *Server
	remote   string
	buf      []byte // buf[from:to] was read from the client, and not used
	from, to int
	out      *bufio.Writer
	kept     bool        // has carried a request
	idle     atomic.Bool // waits for a request

	answer answer      // to the request that is served
	header http.Header // its handler's

	watching watching
	request  *watch // under watching's lock
}

// nearly is the least of a patience: a sixteenth of it is nobody's concern.
func nearly(patience time.Duration) time.Duration { return patience - patience/16 }

// run serves requests until the connection ends, or is net/http's.
func (c *conn) run() {
	for {
		head, f := c.next()
		w := &watch{Context: c.server.base, c: c}
		var r *http.Request
		if f == serve {
			r, f = plain(w, head)
		}
		switch f {
		case serve:
			c.from += len(head)
			if !c.serve(r, w) {
				c.close()
				return
			}
		case hand:
			c.hand()
			return
		case refuse:
			_, _ = c.out.WriteString("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request")
			_ = c.SetWriteDeadline(time.Now().Add(lingers))
			_ = c.out.Flush()
			c.linger()
			c.close()
			return
		case leave:
			c.close()
			return
		}
	}
}

// next waits for the head of a request. It is good until something is read.
func (c *conn) next() ([]byte, fate) {
	hs := c.server.HTTP
	if c.from == c.to {
		if c.from, c.to = 0, 0; len(c.buf) != usualBuffer {
			c.buf = make([]byte, usualBuffer)
		}
		patience := hs.ReadHeaderTimeout
		if c.kept {
			patience = hs.IdleTimeout
		}
		c.ReadWithin(time.Now(), nearly(patience), patience)
		c.idle.Store(true)
		if c.server.closing.Load() { // who closes sets it, and looks for the idle then
			return nil, leave
		}
		err := c.fill()
		c.idle.Store(false)
		if err != nil {
			return nil, leave
		}
	}
	most := hs.MaxHeaderBytes + usualBuffer // as net/http
	for begun := false; ; begun = true {
		came := c.buf[c.from:c.to]
		if i := bytes.Index(came, emptyLine); i >= 0 {
			return came[:i+len(emptyLine)], serve
		}
		switch {
		case bare(came):
			return nil, refuse
		case len(came) >= most:
			return nil, hand
		case !begun:
			_ = c.SetReadDeadline(time.Now().Add(hs.ReadHeaderTimeout))
		}
		if c.fill() != nil {
			return nil, leave
		}
	}
}

// fill reads more into the buffer.
func (c *conn) fill() error {
	if c.to == len(c.buf) {
		if c.from > 0 {
			c.from, c.to = 0, copy(c.buf, c.buf[c.from:c.to])
		} else {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
	}
	n, err := c.Conn.Read(c.buf[c.to:])
	if c.to += n; n > 0 {
		return nil
	}
	return err
}

// read is for bodies: what is in the buffer first.
func (c *conn) read(p []byte) (int, error) {
	if c.from < c.to {
		n := copy(p, c.buf[c.from:c.to])
		c.from += n
		return n, nil
	}
	return c.Conn.Read(p)
}

// serve answers one request, and reports whether another may follow.
func (c *conn) serve(r *http.Request, w *watch) (more bool) {
	now := time.Now()
	c.kept = true
	b := &body{c: c, left: r.ContentLength}
	if b.left > 0 {
		r.Body = b
		patience := c.server.HTTP.ReadTimeout
		c.ReadWithin(now, nearly(patience), patience)
	}
	patience := c.server.HTTP.WriteTimeout
	c.WriteWithin(now, nearly(patience), patience)
	defer w.cancel()
	c.watching.mu.Lock()
	c.request, c.watching.whole = w, b.left == 0
	c.watching.mu.Unlock()
	r.RemoteAddr = c.remote
	clear(c.header)
	a := &c.answer
	*a = answer{c: c, method: r.Method, header: c.header, declared: -1, held: a.held[:0]}
	said := r.Header["Connection"]
	a.closes = len(said) > 0 && !strings.EqualFold(said[len(said)-1], "keep-alive")
	whole := c.handle(a, r)
	c.unwatch()
	if !whole {
		return false
	}
	drained := b.left == 0 || c.drain(b)
	if !drained {
		a.closes = true
	}
	if a.finish() != nil {
		return false
	}
	if !drained {
		c.linger()
	}
	return !a.closes && !c.server.closing.Load()
}

// handle runs the handler, and reports whether it came to its end.
func (c *conn) handle(a *answer, r *http.Request) (whole bool) {
	defer func() {
		switch p := recover(); {
		case whole || p == http.ErrAbortHandler:
		default:
			c.server.logf("http1: panic serving %v: %v\n%s", c.remote, p, debug.Stack())
		}
	}()
	c.server.handler.ServeHTTP(a, r)
	return true
}

// drain takes the rest of a body that the handler did not want, if there is not
// much of it.
func (c *conn) drain(b *body) bool {
	b.shut = false
	if b.left > mostDrained {
		return false
	}
	_, err := io.Copy(io.Discard, b)
	return err == nil && b.left == 0
}

// linger lets the client read an answer that ends the connection while it still
// sends: a connection that is closed with something unread takes the answer back.
func (c *conn) linger() {
	half, ok := c.Conn.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(lingers))
	for {
		if _, err := c.Conn.Read(c.buf); err != nil {
			return
		}
	}
}

func (c *conn) close() {
	_ = c.Conn.Close()
	c.server.left(c)
	if state := c.server.HTTP.ConnState; state != nil {
		state(c.Conn.Conn, http.StateClosed)
	}
}
