package sockets

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fans are many sockets read by one loop: a client that costs as little as it
// can, because it shares the processors with the server.
type fans struct {
	out    io.Writer
	epoll  int
	byFile []*seat // by descriptor

	// What has been read, all by the loop.
	mu     sync.Mutex
	frames int64
	bytes  int64
	open   int
	mark   []byte // looked for in frames
	marks  int    // sockets that have shown it
	round  int    // of marks
	wrote  int64  // ns: when the last of those frames came into this system
}

// seat is one open socket.
type seat struct {
	fd    int
	rest  []byte // of a frame that has not come whole
	round int    // in which it has shown the mark
}

// playFans opens sockets and says "open", then "offer NUMBER NANOSECONDS" for
// each offer that comes. The command "count" is answered with frames, bytes and
// open sockets; after "mark TEXT", "marked WRITTEN READ" is said when each
// socket has got a frame with that text: when the last of them came into this
// system, which on loopback is in the middle of its write(2), and when it was
// read, both in nanoseconds.
func playFans(ctx context.Context, o order, commands <-chan string, out io.Writer) (err error) {
	f := &fans{out: out}
	if f.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	tickets, err := readTickets(o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		if loopErr := f.loop(ctx); loopErr != nil {
			fmt.Fprintln(os.Stderr, "fans:", loopErr)
		}
	})
	defer reading.Wait()
	defer stop()
	entered := make(chan error)
	reading.Go(func() {
		select {
		case entered <- f.enter(ctx, o, tickets):
		case <-ctx.Done():
		}
	})
	for {
		select {
		case err := <-entered:
			if err != nil {
				return err
			}
			fmt.Fprintln(out, "open")
		case command, more := <-commands:
			if !more {
				return nil
			}
			f.obey(command)
		}
	}
}

func readTickets(o order) ([]string, error) {
	if o.Tickets == "" {
		return make([]string, o.Sockets), nil
	}
	file, err := os.Open(o.Tickets)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var all []string
	for n, lines := 0, bufio.NewScanner(file); lines.Scan() && len(all) < o.Sockets; n++ {
		if n >= o.From {
			all = append(all, lines.Text())
		}
	}
	if len(all) != o.Sockets {
		return nil, fmt.Errorf("%d tickets, want %d", len(all), o.Sockets)
	}
	return all, nil
}

func (f *fans) obey(command string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if text, ok := strings.CutPrefix(command, "mark "); ok {
		f.mark, f.marks, f.wrote = []byte(text), 0, 0
		f.round++
		f.stamp()
		return
	}
	fmt.Fprintln(f.out, "count", f.frames, f.bytes, f.open)
}

// connecting is how many handshakes are under way at once.
const connecting = 32

func (f *fans) enter(ctx context.Context, o order, tickets []string) error {
	var running sync.WaitGroup
	next, errs := make(chan string), make(chan error, connecting)
	for range connecting {
		running.Go(func() {
			for ticket := range next {
				if err := f.insist(ctx, o, ticket); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	var err error
	for _, ticket := range tickets {
		select {
		case next <- ticket:
			continue
		case err = <-errs:
		case <-ctx.Done():
			err = ctx.Err()
		}
		break
	}
	close(next)
	running.Wait()
	select {
	case late := <-errs:
		err = errors.Join(err, late)
	default:
	}
	return err
}

// insist connects, after some refusals too: where very many come at once, some
// are put off.
func (f *fans) insist(ctx context.Context, o order, ticket string) error {
	for tries := 1; ; tries++ {
		err := f.connect(o, ticket)
		if err == nil || tries == 5 {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// connect does a handshake and hands the socket to the loop.
func (f *fans) connect(o order, ticket string) (err error) {
	to, err := net.ResolveTCPAddr("tcp", o.Address)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			_ = syscall.Close(fd)
		}
	}()
	if err := comeFrom(fd, fd%4); err != nil {
		return err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		return os.NewSyscallError("connect", err)
	}
	request := "GET " + o.Path + " HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	if ticket != "" {
		request += "Authorization: Bearer " + ticket + "\r\n"
	}
	request += "\r\n"
	if _, err := syscall.Write(fd, []byte(request)); err != nil {
		return os.NewSyscallError("write", err)
	}
	answer, buffer := []byte(nil), make([]byte, 4096)
	end := -1
	for end < 0 {
		n, err := syscall.Read(fd, buffer)
		if err != nil || n == 0 {
			return fmt.Errorf("the handshake was cut after %q: %w", answer, err)
		}
		answer = append(answer, buffer[:n]...)
		end = bytes.Index(answer, []byte("\r\n\r\n"))
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("the handshake was refused: %q", answer)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.byFile) <= fd {
		f.byFile = append(f.byFile, nil)
	}
	s := &seat{fd: fd}
	f.byFile[fd] = s
	f.open++
	f.take(s, answer[end+4:], time.Now().UnixNano(), 0) // a ping may have come along, and nothing behind it for long
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(f.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{
		Events: syscall.EPOLLIN, Fd: int32(fd),
	}))
}

// comeFrom gives a socket one of some source addresses, and leaves its port to
// connect(2). From one address alone 14,000 connections take every other port to
// a server, and to find one of the rest takes the system a look at all of them.
func comeFrom(fd, which int) error {
	const bindAddressNoPort = 24 // IP_BIND_ADDRESS_NO_PORT, which syscall lacks
	err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindAddressNoPort, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(10 + which)}})
	}
	return os.NewSyscallError("bind", err)
}

func (f *fans) loop(ctx context.Context) error {
	events, buffer := make([]syscall.EpollEvent, 1024), make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, err := syscall.EpollWait(f.epoll, events, 100)
		if err != nil && err != syscall.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		now := time.Now().UnixNano()
		f.mu.Lock()
		for _, e := range events[:max(n, 0)] {
			f.read(f.byFile[e.Fd], buffer, now)
		}
		f.mu.Unlock()
	}
	return nil
}

// read takes in what has come for a socket. mu is held.
func (f *fans) read(s *seat, buffer []byte, now int64) {
	n, came, err := f.receive(s, buffer)
	if err == syscall.EAGAIN {
		return
	}
	if n <= 0 {
		_ = syscall.Close(s.fd)
		f.open--
		return
	}
	f.take(s, buffer[:n], now, came)
}

// take understands what has come. mu is held.
func (f *fans) take(s *seat, in []byte, now, came int64) {
	if len(s.rest) > 0 {
		in = append(s.rest, in...)
	}
	for {
		op, payload, size := parse(in)
		if size == 0 {
			break
		}
		f.frame(s, op, payload, size, now, came)
		in = in[size:]
	}
	s.rest = append([]byte(nil), in...)
}

// stamp lets the system note when bytes come. mu is held.
func (f *fans) stamp() {
	for _, s := range f.byFile {
		if s != nil {
			_ = syscall.SetsockoptInt(s.fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
		}
	}
}

// receive reads what has come and, while a mark is looked for, says when it
// came, 0 if that is not known.
func (f *fans) receive(s *seat, buffer []byte) (n int, came int64, err error) {
	if len(f.mark) == 0 || s.round == f.round {
		n, err = syscall.Read(s.fd, buffer)
		return n, 0, err
	}
	var beside [64]byte
	n, size, _, _, err := syscall.Recvmsg(s.fd, buffer, beside[:], 0)
	if size < 32 || binary.NativeEndian.Uint32(beside[12:]) != syscall.SCM_TIMESTAMPNS { // a header of 16 bytes, and a timespec
		return n, 0, err
	}
	return n, int64(binary.NativeEndian.Uint64(beside[16:]))*1e9 + int64(binary.NativeEndian.Uint64(beside[24:])), err
}

var offered = []byte(`"offer":{"number":`)

func (f *fans) frame(s *seat, op byte, payload []byte, size int, now, came int64) {
	switch op {
	case 9:
		_, _ = syscall.Write(s.fd, []byte{0x8a, 0x80, 0, 0, 0, 0})
		return
	case 8:
		fmt.Fprintf(os.Stderr, "fans: a socket is closed with % x\n", payload)
		return
	}
	f.frames++
	f.bytes += int64(size)
	if at := bytes.Index(payload, offered); at >= 0 {
		number, _, _ := bytes.Cut(payload[at+len(offered):], []byte(","))
		fmt.Fprintln(f.out, "offer", string(number), strconv.FormatInt(now, 10))
	}
	if len(f.mark) > 0 && s.round != f.round && bytes.Contains(payload, f.mark) {
		if came == 0 {
			came = now // no earlier than it was written
		}
		s.round, f.wrote = f.round, max(f.wrote, came)
		if f.marks++; f.marks == f.open {
			fmt.Fprintln(f.out, "marked", f.wrote, time.Now().UnixNano())
		}
	}
}

// parse reads one frame of a server; its size is 0 if it has not come whole.
func parse(in []byte) (op byte, payload []byte, size int) {
	if len(in) < 2 {
		return 0, nil, 0
	}
	head, length := 2, int(in[1])
	if length == 126 {
		if len(in) < 4 {
			return 0, nil, 0
		}
		head, length = 4, int(binary.BigEndian.Uint16(in[2:]))
	}
	if len(in) < head+length {
		return 0, nil, 0
	}
	return in[0] & 0x0f, in[head : head+length], head + length
}

// cpuOf reads the clock of a process: /proc tells its time in ticks of 10 ms, of which a
// quick machine takes none for what a test has it do. Linux makes the number of the clock
// of the complement of the pid, with 2 for what the scheduler has measured.
func cpuOf(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(t.Nano()), nil
}
