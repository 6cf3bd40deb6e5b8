package hub

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// poller watches the connections of all sockets with one epoll descriptor.
// Each is registered once, edge-triggered for everything: a socket reads and
// writes until it is told "not now", so nothing has to be armed again.
//
// It looks pollStep after pollStep and is not woken: nothing that a client says
// is urgent, and to be woken for each pong costs more than to read it.
type poller struct {
	file *os.File // the epoll descriptor, not watched by Go's own poller
	fd   int      // the same

	mu      sync.Mutex
	sockets []*Socket // by descriptor
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}, nil
}

const pollStep = 20 * time.Millisecond

const edgeTriggered = 1 << 31 // syscall.EPOLLET is negative, and does not fit the field

// watch returns nil for a connection without a descriptor.
func (p *poller) watch(s *Socket, c net.Conn) conn {
	described, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := described.SyscallConn()
	if err != nil {
		return nil
	}
	w := &watched{Conn: c, poller: p}
	if err := raw.Control(func(fd uintptr) { w.fd = int(fd) }); err != nil {
		return nil
	}
	p.set(w.fd, s)
	err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, w.fd, &syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edgeTriggered, Fd: int32(w.fd),
	})
	if err != nil {
		p.set(w.fd, nil)
		return nil
	}
	return w
}

func (p *poller) set(fd int, s *Socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.sockets) <= fd {
		p.sockets = append(p.sockets, nil)
	}
	p.sockets[fd] = s
}

// run leaves a note for each socket whose connection has become ready, until
// over is closed.
func (p *poller) run(over <-chan struct{}) error {
	events := make([]syscall.EpollEvent, 512)
	step := time.NewTicker(pollStep)
	defer step.Stop()
	for {
		select {
		case <-over:
			return nil
		case <-step.C:
		}
		for n := len(events); n == len(events); {
			var err error
			if n, err = syscall.EpollWait(p.fd, events, 0); err != nil && err != syscall.EINTR {
				return os.NewSyscallError("epoll_wait", err)
			}
			p.tell(events[:max(n, 0)])
		}
	}
}

// tell may hit the next socket of a descriptor that was closed meanwhile: a
// note too many does no harm.
func (p *poller) tell(events []syscall.EpollEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		if s := p.sockets[e.Fd]; s != nil {
			n := noteReady
			if e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
				n |= noteLast
			}
			s.writer.leave(s, n, Soon)
		}
	}
}

// close follows run.
func (p *poller) close() error { return p.file.Close() }

// watched is a connection that the poller watches. Its descriptor is used
// directly: only the socket's writer uses and closes it, so it cannot become
// another one on the way, and the way through net.Conn would cost a seventh of
// a frame (1.4 µs). The scheduler is not told of calls that never wait, either.
type watched struct {
	net.Conn
	fd     int
	poller *poller
}

func (w *watched) read(b []byte) (int, error) {
	n, err := once(syscall.SYS_READ, w.fd, b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (w *watched) write(b []byte) (n int, err error) {
	for n < len(b) && err == nil { // the second try says "not now", so that the poller will tell
		var some int
		some, err = once(syscall.SYS_WRITE, w.fd, b[n:])
		n += some
	}
	return n, err
}

// once reads into b or writes from it, which has at least one byte.
func once(call uintptr, fd int, b []byte) (int, error) {
	for {
		switch n, _, err := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))); err {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, errAgain
		default:
			return 0, err
		}
	}
}

func (w *watched) close() error {
	w.poller.set(w.fd, nil)
	return w.Conn.Close()
}
