package tcp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// pair is a connection of ours and its other end.
func pair(t *testing.T) (*Conn, *net.TCPConn) {
	t.Helper()
	c, other := pairOn(t, "tcp", "127.0.0.1:0")
	return c, other.(*net.TCPConn)
}

func pairOn(t *testing.T, network, address string) (*Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, address)
	must(t, err)
	defer ln.Close()
	there, err := net.Dial(network, ln.Addr().String())
	must(t, err)
	here, err := ln.Accept()
	must(t, err)
	t.Cleanup(func() { _ = errors.Join(here.Close(), there.Close()) })
	must(t, errors.Join(here.SetDeadline(time.Now().Add(patience)), there.SetDeadline(time.Now().Add(patience))))
	return New(here), there
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBytesPassBothWays(t *testing.T) {
	t.Parallel()
	c, other := pair(t)
	bothWays(t, c, other)
}

func TestBytesPassBothWaysOnAUnixSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tcp-") // a socket's path has 100 bytes at most
	must(t, err)
	defer os.RemoveAll(dir)
	c, other := pairOn(t, "unix", dir+"/s")
	if c.direct == nil {
		t.Error("it is used as it is")
	}
	bothWays(t, c, other)
	must(t, other.Close())
	var said *net.OpError
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) || !errors.As(err, &said) || said.Net != "unix" {
		t.Errorf("writing to one that is gone: %v", err)
	}
}

// halves is a connection that can be closed in one direction.
type halves interface{ CloseWrite() error }

func bothWays(t *testing.T, c *Conn, other net.Conn) {
	t.Helper()
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<18) // 4 MiB: more than the kernel keeps, so that both have to wait
	go func() {
		_, _ = io.Copy(other, other)
		_ = other.(halves).CloseWrite()
	}()
	wrote := make(chan error, 1)
	go func() {
		n, err := c.Write(sent)
		if n != len(sent) {
			err = errors.Join(err, io.ErrShortWrite)
		}
		wrote <- errors.Join(err, c.Conn.(halves).CloseWrite())
	}()
	got, err := io.ReadAll(c)
	must(t, errors.Join(err, <-wrote))
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d, or other ones", len(got), len(sent))
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("into nothing: %d, %v", n, err)
	}
}

func TestDeadlinesEndWhatWaits(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	c.ReadWithin(time.Now(), 5*time.Millisecond, 10*time.Millisecond)
	_, err := c.Read(make([]byte, 1))
	isTimeout(t, "reading", err)
	c.WriteWithin(time.Now(), 5*time.Millisecond, 10*time.Millisecond)
	_, err = c.Write(make([]byte, 64<<20))
	isTimeout(t, "writing", err)
	must(t, c.SetDeadline(time.Unix(1, 0)))
	_, err = c.Read(make([]byte, 1))
	isTimeout(t, "reading too late", err)
}

func isTimeout(t *testing.T, doing string, err error) {
	t.Helper()
	var said net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &said) || !said.Timeout() {
		t.Errorf("%s: %v", doing, err)
	}
}

func TestEndsAreToldApart(t *testing.T) {
	t.Parallel()
	c, other := pair(t)
	must(t, errors.Join(other.SetLinger(0), other.Close())) // a reset
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that was reset: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to one that is gone: %v", err)
	}
	c, _ = pair(t)
	over := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		over <- err
	}()
	must(t, c.Close())
	if err := <-over; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed while it was read: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing after Close: %v", err)
	}
}

func TestOtherConnectionsAreUsedAsTheyAre(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer b.Close()
	c := New(a)
	defer c.Close()
	go func() { _, _ = b.Write([]byte("hello")) }()
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	go func() { _, _ = c.Write([]byte("there")) }()
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "there" {
		t.Errorf("%q, %v", got, err)
	}
}

// told notes the deadlines that it is given.
type told struct {
	net.Conn
	reads, writes []time.Time
}

func (c *told) SetReadDeadline(t time.Time) error  { c.reads = append(c.reads, t); return nil }
func (c *told) SetWriteDeadline(t time.Time) error { c.writes = append(c.writes, t); return nil }
func (c *told) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func TestDeadlinesAreMovedWhenTheyMust(t *testing.T) {
	t.Parallel()
	under := &told{}
	c := New(under)
	now, soon := time.Unix(1000, 0), time.Unix(1005, 0)
	for _, step := range []struct {
		do    func()
		moved bool
		what  string
	}{
		{func() { c.ReadWithin(now, 8, 10) }, true, "the first"},
		{func() { c.ReadWithin(now.Add(2), 8, 10) }, false, "at the least"},
		{func() { c.ReadWithin(now.Add(3), 8, 10) }, true, "below the least"},
		{func() { c.ReadWithin(now.Add(3), 4, 5) }, true, "above the most"},
		{func() { _ = c.SetReadDeadline(soon) }, true, "another's"},
		{func() { c.ReadWithin(now.Add(3), 4, 5) }, true, "after another's"},
		{func() { _ = c.SetDeadline(soon) }, true, "another's of both"},
		{func() { c.ReadWithin(now.Add(3), 4, 5) }, true, "after another's of both"},
		{func() { c.ReadWithin(now, 4, 5) }, true, "a clock that was set back"},
		{func() { c.WriteWithin(now, 4, 5) }, false, "of writes"},
	} {
		before := len(under.reads)
		if step.do(); len(under.reads) > before != step.moved {
			t.Errorf("%s: moved is %v", step.what, !step.moved)
		}
	}
	if last := under.reads[len(under.reads)-1]; !last.Equal(now.Add(5)) {
		t.Errorf("reads end at %v", last)
	}
	c.WriteWithin(now, 4, 5)
	if len(under.writes) != 2 || !under.writes[1].Equal(now.Add(5)) {
		t.Errorf("writes end at %v", under.writes)
	}
	_ = c.SetWriteDeadline(soon)
	if c.WriteWithin(now, 4, 5); len(under.writes) != 4 {
		t.Errorf("after another's: %v", under.writes)
	}
}
