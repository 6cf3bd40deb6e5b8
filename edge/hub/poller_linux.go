package hub

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// poller watches the connections of all sockets with one epoll descriptor.
// Each is registered once, edge-triggered for everything: a socket reads and
// writes until it is told "not now", so nothing has to be armed again.
type poller struct {
	file *os.File // the epoll descriptor, watched by Go's own poller: waiting takes no thread
	raw  syscall.RawConn
	fd   int // the same; os.File.Fd would make it block

	closed atomic.Bool

	mu      sync.Mutex
	sockets []*Socket // by descriptor
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	p.raw, err = p.file.SyscallConn()
	return p, err
}

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
// close.
func (p *poller) run() error {
	events := make([]syscall.EpollEvent, 512)
	for {
		n, failed := 0, error(nil)
		err := p.raw.Read(func(fd uintptr) bool {
			n, failed = syscall.EpollWait(int(fd), events, 0)
			return n != 0
		})
		switch {
		case err != nil && p.closed.Load():
			return nil
		case err != nil:
			return err
		case failed != nil && failed != syscall.EINTR:
			return os.NewSyscallError("epoll_wait", failed)
		}
		p.tell(events[:max(n, 0)])
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

func (p *poller) close() error {
	p.closed.Store(true)
	return p.file.Close()
}

// watched is a connection that the poller watches. Its descriptor is used
// directly: only the socket's writer uses and closes it, so it cannot become
// another one on the way, and the way through net.Conn would cost a seventh of
// a frame (1.4 µs).
type watched struct {
	net.Conn
	fd     int
	poller *poller
}

func (w *watched) read(b []byte) (int, error) {
	n, err := once(syscall.Read, w.fd, b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (w *watched) write(b []byte) (n int, err error) {
	for n < len(b) && err == nil { // the second try says "not now", so that the poller will tell
		var some int
		some, err = once(syscall.Write, w.fd, b[n:])
		n += some
	}
	return n, err
}

func once(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		switch n, err := call(fd, b); err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, errAgain
		default:
			return max(n, 0), err
		}
	}
}

func (w *watched) close() error {
	w.poller.set(w.fd, nil)
	return w.Conn.Close()
}
