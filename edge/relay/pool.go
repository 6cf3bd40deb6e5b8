package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/tcp"
)

// Errors of an upstream, for people.
var (
	ErrAway = &ropeline.Error{Kind: ropeline.Unavailable, Code: "upstream-away", Status: http.StatusBadGateway, RetryAfter: 2 * time.Second,
		Detail: "The shop cannot be reached at the moment. Please try again."}
	ErrSilent = &ropeline.Error{Kind: ropeline.Unavailable, Code: "upstream-silent", Status: http.StatusGatewayTimeout, RetryAfter: 5 * time.Second,
		Detail: "The shop did not answer in time. Please try again."}
	ErrFull = &ropeline.Error{Kind: ropeline.Unavailable, Code: "upstream-full", RetryAfter: time.Second,
		Detail: "The shop has as many requests as it takes at the moment. Please try again."}
	ErrTooLarge = &ropeline.Error{Kind: ropeline.TooLarge, Code: "body-too-large",
		Detail: "What was sent is larger than the shop takes."}
	ErrBody = &ropeline.Error{Kind: ropeline.Invalid, Code: "body-malformed", Status: http.StatusBadRequest,
		Detail: "The request's body was cut off, or is malformed."}
)

const (
	dialTimeout = 5 * time.Second
	idleFor     = 30 * time.Second // shops keep them for 60 s and more
	mostHead    = 1 << 20          // of an answer, and a buffer more
)

// Pool is the connections to one upstream.
type Pool struct {
	address string
	secure  *tls.Config   // nil: in the clear
	slots   chan struct{} // one for each request or tunnel under way
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows
	open   map[*conn]struct{}
	idle   []*conn // those of open that nobody uses, the newest last
	closed bool
}

// New returns a Pool of at most so many connections, over TLS if secure is given.
// Nothing is dialed yet.
func New(address string, secure *tls.Config, connections int) *Pool {
	return &Pool{address: address, secure: secure, slots: make(chan struct{}, connections), open: map[*conn]struct{}{}}
}

// conn is one connection.
type conn struct {
	*tcp.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	head  limited // below r
	since time.Time
	used  bool // has carried a request before
}

func newConn(nc net.Conn) *conn {
	c := &conn{Conn: tcp.New(nc)}
	c.w = bufio.NewWriterSize(c.Conn, 4<<10)
	c.head.from, c.head.left = c.Conn, -1
	c.r = bufio.NewReaderSize(&c.head, 4<<10)
	return c
}

// limited bounds how much a head may bring.
type limited struct {
	from io.Reader
	left int64 // negative: no bound
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errors.New("the head of the answer is too large")
	}
	if l.left > 0 {
		p = p[:min(int64(len(p)), l.left)]
	}
	n, err := l.from.Read(p)
	if l.left > 0 {
		l.left -= int64(n)
	}
	return n, err
}

// Busy is how many requests and tunnels are under way.
func (p *Pool) Busy() int { return len(p.slots) }

// enter takes a slot; the caller gives it back with leave.
func (p *Pool) enter() error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
		return ErrFull
	}
}

func (p *Pool) leave() { <-p.slots }

// take returns a connection: an idle one, or if fresh a new one. One for a
// request that cannot be repeated is looked at first.
func (p *Pool) take(ctx context.Context, fresh, look bool) (*conn, error) {
	for !fresh {
		c := p.newest()
		if c == nil {
			break
		}
		if time.Since(c.since) < idleFor && (!look || c.alive()) {
			return c, nil
		}
		p.drop(c)
	}
	nc, err := p.dial(ctx)
	if err != nil {
		return nil, ErrAway.Because(err)
	}
	c := newConn(nc)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = nc.Close()
		return nil, ErrAway.Because(net.ErrClosed)
	}
	p.open[c] = struct{}{}
	return c, nil
}

// dial opens a connection; that of TLS has shown the certificate of its host.
func (p *Pool) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if p.secure == nil {
		return d.DialContext(ctx, "tcp", p.address)
	}
	return (&tls.Dialer{NetDialer: &d, Config: p.secure}).DialContext(ctx, "tcp", p.address)
}

func (p *Pool) newest() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle = p.idle[:n]
	return c
}

// put keeps a connection for the next request.
func (p *Pool) put(c *conn) {
	c.since, c.used = time.Now(), true
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.idle = append(p.idle, c)
	}
}

func (p *Pool) drop(c *conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// Close ends all connections, those under way too, and waits for who used them.
// Nobody may call Forward any more.
func (p *Pool) Close() {
	p.closeAll()
	p.running.Wait()
}

func (p *Pool) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.idle = nil
}

// alive reports whether an idle connection has neither been closed by the
// upstream nor been sent something that nobody asked for. Without it, a request
// that must not be repeated would be lost on a connection that is gone.
func (c *conn) alive() bool {
	if c.r.Buffered() > 0 || c.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	under := c.Conn.Conn
	if secure, ok := under.(*tls.Conn); ok {
		under = secure.NetConn()
	}
	sc, ok := under.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	var one [1]byte
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK)
		return true
	})
	return err == nil && quiet
}

// failed tells a time that ran out from other troubles.
func failed(doing string, err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return ErrSilent.Because(fmt.Errorf("%s: %w", doing, err))
	}
	return ErrAway.Because(fmt.Errorf("%s: %w", doing, err))
}
