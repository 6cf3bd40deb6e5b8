package sockets

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/edge"
	"github.com/ropeline/ropeline/edge/seats"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

// listen opens a port and says where.
func listen(out io.Writer) (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Fprintln(out, "address", ln.Addr())
	}
	return ln, err
}

// playEdge is an edge as it is in production, but for the rates of an address.
func playEdge(ctx context.Context, o order, _ <-chan string, out io.Writer) (err error) {
	rdb, err := dial.Redis(o.Redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	units := inventory.New(rdb)
	nowhere := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	server, err := edge.New(edge.Config{
		Store: queue.New(rdb, keys), Redis: rdb, Signer: nobody{}, BookingURL: nowhere, OpsURL: nowhere,
		Seats: func(ctx context.Context, id ropeline.PerformanceID) (seats.Bits, error) {
			b, err := units.Bitmaps(ctx, id)
			return seats.Bits{Taken: b.Taken, Sold: b.Sold, Closed: b.Closed}, err
		},
		Limits: edge.Limits{Joins: -1, Requests: -1, Sockets: int64(o.Sockets), PerAddress: -1},
	})
	if err != nil {
		return err
	}
	ln, err := listen(out)
	if err != nil {
		return err
	}
	return server.Serve(ctx, ln)
}

// nobody signs: nobody claims.
type nobody struct{}

func (nobody) Sign(token.Claims) (string, error) { return "", errors.New("nobody is admitted here") }

// playPlain serves WebSockets as the library's documentation shows it.
func playPlain(ctx context.Context, _ order, _ <-chan string, out io.Writer) error {
	ln, err := listen(out)
	if err != nil {
		return err
	}
	hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		if conn.Write(ctx, websocket.MessageText, []byte("hello")) == nil {
			<-conn.CloseRead(ctx).Done()
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = hs.Close() })
	defer stop()
	if err := hs.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// playRaw takes connections and, for each command "write N RATE", writes a frame
// of N bytes to each of them with one system call, RATE a second: the least that
// a push costs.
func playRaw(ctx context.Context, _ order, commands <-chan string, out io.Writer) error {
	ln, err := listen(out)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var open []*net.TCPConn
	var accepting sync.WaitGroup
	defer accepting.Wait()
	defer func() { _ = ln.Close() }()
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if err := greet(c); err == nil {
				mu.Lock()
				open = append(open, c.(*net.TCPConn))
				mu.Unlock()
			}
		}
	})
	for command := range commands {
		var size int
		var rate float64
		if _, err := fmt.Sscanf(command, "write %d %f", &size, &rate); err != nil {
			return err
		}
		mu.Lock()
		err := writeAll(open, size, rate)
		mu.Unlock()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "written")
	}
	return nil
}

// greet answers a handshake without looking at it and sends a first frame.
func greet(c net.Conn) error {
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return err
	}
	_, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n"+string(textFrame(5)))
	return err
}

// textFrame is a frame of a server with a payload of this size.
func textFrame(size int) []byte {
	head := []byte{0x81, byte(size)}
	if size > 125 {
		head = []byte{0x81, 126, byte(size >> 8), byte(size)}
	}
	return append(head, make([]byte, size)...)
}

// writeAll spreads the writes over steps of 20 ms, as the edge does.
func writeAll(open []*net.TCPConn, size int, rate float64) error {
	frame := textFrame(size)
	fds := make([]int, len(open))
	for i, c := range open {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return err
		}
	}
	step := time.NewTicker(20 * time.Millisecond)
	defer step.Stop()
	for i, fd := range fds {
		if each := max(1, int(rate/50)); i%each == 0 {
			<-step.C
		}
		if n, err := syscall.Write(fd, frame); err != nil || n != len(frame) {
			return fmt.Errorf("a frame was not taken whole: %d bytes, %w", n, err)
		}
	}
	return nil
}
