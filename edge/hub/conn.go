package hub

import (
	"errors"
	"net"
	"sync"
)

// conn is a connection that is never waited for. Its socket hears, by a
// noteReady, when something that was not possible is.
type conn interface {
	// read returns errAgain when nothing has come.
	read([]byte) (int, error)
	// write returns errAgain with what did not fit; the next call must begin with
	// the rest.
	write([]byte) (int, error)
	close() error
}

var errAgain = errors.New("hub: not now")

// pumped is a connection that no poller can watch: one without a descriptor,
// as of TLS or of a test's pipe, or any on a system without epoll. It costs a
// goroutine that reads, and one more while a frame is written.
type pumped struct {
	net.Conn
	socket *Socket
	pumps  *sync.WaitGroup
	taken  chan struct{} // what was read has been taken; closed with the connection

	mu      sync.Mutex // guards the rest
	in      []byte
	inErr   error
	writing bool
	wrote   bool // outN and outErr say how far the last write came
	outN    int
	outErr  error
}

func pump(c net.Conn, s *Socket, pumps *sync.WaitGroup) *pumped {
	p := &pumped{Conn: c, socket: s, pumps: pumps, taken: make(chan struct{}, 1)}
	pumps.Go(p.readOn)
	return p
}

// readOn reads piece by piece, the next one when the last has been taken.
func (p *pumped) readOn() {
	buffer := make([]byte, 512)
	for {
		n, err := p.Conn.Read(buffer)
		p.mu.Lock()
		p.in, p.inErr = buffer[:n], err
		p.mu.Unlock()
		p.socket.writer.leave(p.socket, noteReady, Soon)
		if err != nil {
			return
		}
		if _, open := <-p.taken; !open {
			return
		}
	}
}

func (p *pumped) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.in) == 0 {
		if p.inErr != nil {
			return 0, p.inErr
		}
		return 0, errAgain
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	switch {
	case len(p.in) > 0:
		return n, nil // which is all that b takes
	case p.inErr == nil:
		p.taken <- struct{}{} // there is room: the pump waits for it
	}
	return n, p.inErr
}

func (p *pumped) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.wrote:
		p.wrote = false
		return p.outN, p.outErr
	case !p.writing:
		p.writing = true
		frames := append([]byte(nil), b...)
		p.pumps.Go(func() { p.writeOut(frames) })
	}
	return 0, errAgain
}

func (p *pumped) writeOut(frames []byte) {
	n, err := p.Conn.Write(frames)
	p.mu.Lock()
	p.writing, p.wrote, p.outN, p.outErr = false, true, n, err
	p.mu.Unlock()
	p.socket.writer.leave(p.socket, noteReady, Soon)
}

func (p *pumped) close() error {
	err := p.Conn.Close()
	close(p.taken)
	return err
}
