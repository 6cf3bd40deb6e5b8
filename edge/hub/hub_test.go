package hub

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

var (
	calm    = Pace{Ping: time.Minute, Slow: time.Minute, Cut: time.Minute, Leave: time.Minute}
	endings = Endings{Stopping: &Ending{4000, "stopping"}, Slow: &Ending{4001, "slow"}, Unexpected: &Ending{4501, "unexpected"}}
)

// clerk tells what is put before it, once.
type clerk struct {
	out  *Socket
	gone chan struct{}

	mu   sync.Mutex
	news []string
	end  *Ending
	told int
}

func (c *clerk) Tell(body []byte) ([]byte, time.Duration, *Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told++
	if len(c.news) > 0 {
		body, c.news = append(body, c.news[0]...), c.news[1:]
	}
	return body, time.Hour, c.end
}

func (c *clerk) Gone() { close(c.gone) }

func (c *clerk) say(p Priority, news string) {
	c.mu.Lock()
	c.news = append(c.news, news)
	c.mu.Unlock()
	c.out.Wake(p)
}

// client is the other end of a socket, without any help of a library.
type client struct {
	testing.TB
	net.Conn
	*bufio.Reader
	clerk *clerk
	group *Group
}

// frame reads one frame.
func (c *client) frame() (opcode, []byte) {
	c.Helper()
	head := make([]byte, 2)
	c.must(io.ReadFull(c.Reader, head))
	size := uint64(head[1])
	switch {
	case head[0]&final == 0 || size&masked != 0:
		c.Fatalf("frame begins with % x", head)
	case size == 126:
		long := make([]byte, 2)
		c.must(io.ReadFull(c.Reader, long))
		size = uint64(binary.BigEndian.Uint16(long))
	case size == 127:
		long := make([]byte, 8)
		c.must(io.ReadFull(c.Reader, long))
		size = binary.BigEndian.Uint64(long)
	}
	payload := make([]byte, size)
	c.must(io.ReadFull(c.Reader, payload))
	return opcode(head[0] &^ final), payload
}

func (c *client) must(_ int, err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *client) wantText(text string) {
	c.Helper()
	op, payload := c.frame()
	for op == opPing {
		op, payload = c.frame()
	}
	if op != opText || string(payload) != text {
		c.Fatalf("frame %x %.80q, want the text %.80q", op, payload, text)
	}
}

// wantClose reads until the close frame, checks it, answers it, and waits for
// the end of the connection.
func (c *client) wantClose(e *Ending) {
	c.Helper()
	for {
		op, payload := c.frame()
		if op != opClose {
			continue
		}
		if len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != e.Code || string(payload[2:]) != e.Reason {
			c.Fatalf("closed with % x, want %d %s", payload, e.Code, e.Reason)
		}
		break
	}
	_, _ = c.Write(frameOf(opClose, "\x03\xe8")) // the connection may have been cut since
	_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.wantGone()
	if _, err := c.Reader.ReadByte(); err == nil {
		c.Error("bytes came after the close frame")
	}
}

func (c *client) wantGone() {
	c.Helper()
	select {
	case <-c.clerk.gone:
	case <-time.After(patience):
		c.Fatal("the socket was not given up")
	}
	if n := c.group.Len(); n != 0 {
		c.Errorf("%d sockets are in the group still", n)
	}
}

// frameOf is a frame as a client sends it.
func frameOf(op opcode, payload string) []byte {
	mask := [4]byte{1, 2, 3, 4}
	b := append([]byte{final | byte(op), masked | byte(len(payload))}, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func newHub(t testing.TB, pace Pace) *Hub {
	h, err := New(pace, endings, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("running the hub: %v", err)
		}
	})
	return h
}

// bare hides a connection's descriptor.
type bare struct{ net.Conn }

// both runs a test with connections that the poller watches and with others.
func both(t *testing.T, pace Pace, test func(t *testing.T, open func(early []byte) *client)) {
	for _, kind := range []string{"watched", "pumped"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHub(t, pace)
			test(t, func(early []byte) *client {
				c, server := connect(t)
				if kind == "pumped" {
					if err := server.(*net.TCPConn).SetWriteBuffer(sendBuffer); err != nil {
						t.Fatal(err)
					}
					server = bare{server}
				}
				return enter(t, h, c, server, early)
			})
		})
	}
}

func enter(t testing.TB, h *Hub, c, server net.Conn, early []byte) *client {
	k := &clerk{gone: make(chan struct{})}
	k.out = h.Socket(k)
	group := &Group{}
	k.out.Open(server, early, group)
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{TB: t, Conn: c, Reader: bufio.NewReader(c), clerk: k, group: group}
}

func connect(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return client, <-accepted
}

func TestWhatIsToldArrivesInOrder(t *testing.T) {
	t.Parallel()
	both(t, calm, func(t *testing.T, open func([]byte) *client) {
		c := open(nil)
		for _, text := range []string{"a", strings.Repeat("b", 125), strings.Repeat("c", 126), strings.Repeat("d", 70_000), "e"} {
			c.clerk.say(Soon, text)
			c.wantText(text)
		}
		c.clerk.mu.Lock()
		c.clerk.end, c.clerk.news = &Ending{4500, "over"}, []string{"last"}
		c.clerk.mu.Unlock()
		c.clerk.out.Wake(First)
		c.wantText("last")
		c.wantClose(&Ending{4500, "over"})
	})
}

func TestWhatIsNoControlFrameEndsTheSocket(t *testing.T) {
	t.Parallel()
	huge := append([]byte{final | 2, masked | 127}, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4)
	for name, sent := range map[string][]byte{
		"a text":                   frameOf(opText, "hello"),
		"an empty text":            frameOf(opText, ""),
		"a binary frame":           frameOf(2, "\x00\x01"),
		"the first of a huge one":  huge,
		"a fragment":               {1, masked | 1, 0, 0, 0, 0, 'x'},
		"a continuation":           frameOf(0, "x"),
		"a ping in fragments":      {byte(opPing), masked, 0, 0, 0, 0},
		"a ping without a mask":    {final | byte(opPing), 1, 'x'},
		"a ping that is too long":  {final | byte(opPing), masked | 126, 0, 200, 0, 0, 0, 0},
		"a frame with extra bits":  {final | 0x40 | byte(opPing), masked, 0, 0, 0, 0},
		"a frame of no known kind": frameOf(0xb, ""),
		"a close of half a code":   frameOf(opClose, "\x03"),
		"HTTP":                     []byte("GET / HTTP/1.1\r\n\r\n"),
		"a flood of pings":         bytes.Repeat(frameOf(opPing, strings.Repeat("p", 100)), 2*heardMost/100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, calm, func(t *testing.T, open func([]byte) *client) {
				c := open(nil)
				go func() { _, _ = c.Write(sent) }() // a flood is not taken whole
				c.wantClose(endings.Unexpected)
			})
		})
	}
}

// Without a limit a client that sends fragments, or one frame, without end would
// be read for ever.
func TestWhoeverSendsWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	pace := calm
	pace.Leave = 50 * time.Millisecond
	both(t, pace, func(t *testing.T, open func([]byte) *client) {
		c := open(nil)
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write([]byte{2, masked | 127, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
			for err == nil {
				_, err = c.Write(make([]byte, 4096))
			}
			sent <- err
		}()
		c.wantGone()
		if err := <-sent; errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the connection was left open: %v", err)
		}
	})
}

func TestBytesMayComeOneByOne(t *testing.T) {
	t.Parallel()
	both(t, calm, func(t *testing.T, open func([]byte) *client) {
		ping := frameOf(opPing, "are you there?")
		c := open(ping[:3]) // came with the handshake
		for _, b := range ping[3:] {
			c.must(c.Write([]byte{b}))
		}
		if op, payload := c.frame(); op != opPong || string(payload) != "are you there?" {
			t.Errorf("frame %x %q, want the pong", op, payload)
		}
		for _, b := range frameOf(opClose, "\x0f\xa0bye") {
			c.must(c.Write([]byte{b}))
		}
		c.wantClose(&Ending{4000, ""}) // the client's own code
	})
}

func TestHalfClosedSocketsEnd(t *testing.T) {
	t.Parallel()
	both(t, calm, func(t *testing.T, open func([]byte) *client) {
		c := open(nil)
		c.clerk.say(Soon, "a")
		c.wantText("a")
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c.wantGone()
	})
}

func TestDeadPeersAreFound(t *testing.T) {
	t.Parallel()
	pace := calm
	pace.Ping = 400 * time.Millisecond // a busy machine answers late
	both(t, pace, func(t *testing.T, open func([]byte) *client) {
		c := open(nil)
		for range 3 { // as long as pings are answered the socket lives
			if op, _ := c.frame(); op != opPing {
				t.Fatalf("frame %x, want a ping", op)
			}
			c.must(c.Write(frameOf(opPong, "")))
		}
		c.wantGone()
	})
}

func TestAReaderThatComesLateIsToldToComeBack(t *testing.T) {
	t.Parallel()
	pace := calm
	pace.Slow = time.Nanosecond
	both(t, pace, func(t *testing.T, open func([]byte) *client) {
		c := open(nil)
		long := strings.Repeat("x", 1<<20) // more than any buffer on the way
		c.clerk.say(Soon, long)
		c.clerk.say(Soon, "not made while the other is under way")
		c.wantText(long)
		c.wantClose(endings.Slow)
	})
}

func TestAReaderThatNeverComesIsCut(t *testing.T) {
	t.Parallel()
	pace := calm
	pace.Cut = 30 * time.Millisecond
	both(t, pace, func(t *testing.T, open func([]byte) *client) {
		slow, other := open(nil), open(nil)
		slow.clerk.say(First, strings.Repeat("x", 1<<20))
		other.clerk.say(Soon, "nobody waits for the slow one")
		other.wantText("nobody waits for the slow one")
		slow.wantGone()
		slow.clerk.say(First, "to nobody")
	})
}

func TestTheEndIsToldToEverybody(t *testing.T) {
	t.Parallel()
	h, err := New(calm, endings, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var clients []*client
	for i := range 20 {
		c, server := connect(t)
		if i%2 == 0 {
			server = bare{server}
		}
		clients = append(clients, enter(t, h, c, server, nil))
	}
	stop()
	for _, c := range clients {
		c.wantClose(endings.Stopping)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	c, server := connect(t)
	enter(t, h, c, server, nil).wantGone() // too late
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection that came too late: %v, want its end", err)
	}
}

// recorder is a connection that takes everything and says what.
type recorder struct {
	name  string
	wrote *[]string
}

func (r recorder) read([]byte) (int, error) { return 0, errAgain }
func (r recorder) write(b []byte) (int, error) {
	*r.wrote = append(*r.wrote, r.name+":"+string(b[2:]))
	return len(b), nil
}
func (r recorder) close() error { return nil }

func TestTheUrgentGoBeforeAllWhoAreDue(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	start := time.Now()
	h, err := New(calm, endings, func() time.Time { return start.Add(time.Duration(passed.Load())) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.poller.close() })
	h.writers = h.writers[:1]
	w := h.writers[0]
	var wrote []string
	var all []*clerk
	group := &Group{}
	for i := range 6 {
		k := &clerk{gone: make(chan struct{})}
		k.out = h.Socket(k)
		k.out.conn, k.out.group = recorder{fmt.Sprint(i), &wrote}, group
		group.add(k.out)
		w.leave(k.out, noteOpen, Soon)
		all = append(all, k)
	}
	for w.serve() {
	}
	passed.Store(int64(time.Hour)) // all are due, with a ping
	for i, k := range all {
		switch i {
		case 1, 2:
			k.say(Soon, "news")
		case 4, 5:
			k.say(First, "offer")
			k.say(Soon, "and again")
		}
	}
	for w.serve() {
	}
	if got := strings.Join(wrote, " "); !strings.HasPrefix(got, "4:") || !strings.Contains(got, "5:") ||
		strings.Index(got, "5:") > strings.Index(got, "1:") || strings.Index(got, "offer") > strings.Index(got, "news") {
		t.Errorf("written in the order %q, want the offers first", wrote)
	}
}
