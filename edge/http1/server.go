package http1

import (
	"bufio"
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline/edge/tcp"
)

// Server serves plain requests itself and lets HTTP answer the others. HTTP's
// handler, times, bounds, log and ConnState are those of both.
type Server struct {
	HTTP *http.Server

	handler http.Handler
	base    context.Context // of all requests; it ends with Close
	cut     context.CancelFunc
	others  *others
	closing atomic.Bool
	date    atomic.Pointer[date]
	running sync.WaitGroup // connections, and HTTP

	mu    sync.Mutex // guards what follows
	ln    net.Listener
	conns map[*conn]struct{}
}

// New returns a Server. All of hs's times must be set.
func New(hs *http.Server) *Server {
	s := &Server{HTTP: hs, handler: hs.Handler, conns: map[*conn]struct{}{}, others: newOthers()}
	s.base, s.cut = context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, hs))
	hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // what came next would not be looked at
		s.handler.ServeHTTP(w, r)
	})
	if state := hs.ConnState; state != nil {
		hs.ConnState = func(c net.Conn, now http.ConnState) {
			if h, ok := c.(*handed); ok {
				c = h.Conn
			}
			state(c, now)
		}
	}
	return s
}

// Serve answers on ln until Shutdown or Close; http.ErrServerClosed says that it
// was one of them. Connections may be under way then still.
func (s *Server) Serve(ln net.Listener) error {
	s.others.address = ln.Addr()
	s.mu.Lock()
	s.ln = ln
	s.mu.Unlock()
	s.running.Go(func() { _ = s.HTTP.Serve(s.others) })
	for pause := time.Duration(0); ; {
		nc, err := ln.Accept()
		switch temporary, ok := err.(interface{ Temporary() bool }); {
		case err == nil:
			pause = 0
			s.begin(nc)
		case s.closing.Load():
			return http.ErrServerClosed
		case ok && temporary.Temporary(): // as net/http: out of descriptors, mostly
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		default:
			return err
		}
	}
}

func (s *Server) begin(nc net.Conn) {
	c := &conn{Conn: tcp.New(nc), server: s, remote: nc.RemoteAddr().String(), buf: make([]byte, usualBuffer), header: http.Header{}}
	c.out = bufio.NewWriterSize(c.Conn, usualBuffer)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.running.Go(c.run)
}

// left says that a connection is none of this server's any more.
func (s *Server) left(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Shutdown takes no more connections, ends those without a request and waits for
// the requests under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(func(c *conn) {
		if c.idle.Load() {
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}
	})
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.running.Wait()
	}()
	err := s.HTTP.Shutdown(ctx)
	select {
	case <-over:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends everything at once, and waits for the handlers.
func (s *Server) Close() error {
	s.cut()
	s.stop(func(c *conn) { _ = c.Conn.Close() })
	err := s.HTTP.Close()
	s.running.Wait()
	return err
}

func (s *Server) stop(each func(*conn)) {
	s.closing.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil {
		_ = s.ln.Close()
	}
	for c := range s.conns {
		each(c)
	}
}

func (s *Server) logf(format string, args ...any) {
	if l := s.HTTP.ErrorLog; l != nil {
		l.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// date is the header of that name, of one second.
type date struct {
	second int64
	text   string
}

func (s *Server) today(now time.Time) string {
	d := s.date.Load()
	if second := now.Unix(); d == nil || d.second != second {
		d = &date{second: second, text: now.UTC().Format(http.TimeFormat)}
		s.date.Store(d)
	}
	return d.text
}
