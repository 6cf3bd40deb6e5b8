package hub

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pace holds the times of sockets.
type Pace struct {
	Ping  time.Duration // between two pings, and the longest wait for a pong
	Slow  time.Duration // a frame that took longer to be taken is the last one
	Cut   time.Duration // a frame that is not taken for so long is given up, and the socket with it
	Leave time.Duration // the longest wait for the answer to a close frame
}

// Endings are those that a hub decides by itself.
type Endings struct {
	Stopping   *Ending // the hub ends
	Slow       *Ending // frames are read too slowly
	Unexpected *Ending // something came that is no control frame
}

// Ending is how a socket ends: the code and reason of its close frame.
type Ending struct {
	Code   int
	Reason string
}

// Teller knows what a socket's client is to be told. Its methods are called by
// one goroutine at a time, and must not wait for anything.
type Teller interface {
	// Tell appends what the client should read now, nothing if there is nothing
	// new, and says in how long it wants to be asked again if no news comes
	// before. With an end the socket is closed after the message.
	Tell(body []byte) (message []byte, again time.Duration, end *Ending)
	// Gone is called once, after the last call of Tell.
	Gone()
}

// Hub holds open sockets.
type Hub struct {
	pace    Pace
	endings Endings
	now     func() time.Time
	made    time.Time
	writers []*writer
	poller  *poller        // nil where there is none
	pumps   sync.WaitGroup // of connections that no poller watches
	turn    atomic.Uint64  // counts sockets out to writers
}

// New makes a hub. Nothing is written before Run.
func New(pace Pace, endings Endings, now func() time.Time) (*Hub, error) {
	h := &Hub{pace: pace, endings: endings, now: now, made: now()}
	for range runtime.GOMAXPROCS(0) {
		h.writers = append(h.writers, newWriter(h))
	}
	var err error
	h.poller, err = newPoller()
	return h, err
}

// moment is the time now.
func (h *Hub) moment() moment { return h.now().Sub(h.made) }

// Run serves the sockets until ctx ends; then it closes them, takes no more,
// and returns when all have ended.
func (h *Hub) Run(ctx context.Context) error {
	var writing, polling sync.WaitGroup
	for _, w := range h.writers {
		writing.Go(w.run)
	}
	var failed error
	over := make(chan struct{})
	polling.Go(func() { failed = h.poller.run(over) })
	<-ctx.Done()
	for _, w := range h.writers {
		w.end()
	}
	writing.Wait()
	close(over)
	polling.Wait()
	h.pumps.Wait()
	return errors.Join(failed, h.poller.close())
}

// Socket makes a socket that is not open yet: it may be woken already.
func (h *Hub) Socket(t Teller) *Socket {
	w := h.writers[h.turn.Add(1)%uint64(len(h.writers))]
	return &Socket{teller: t, writer: w}
}

// watch lets the socket hear when its connection can be read or written.
func (h *Hub) watch(s *Socket, c net.Conn) conn {
	if h.poller != nil {
		if watched := h.poller.watch(s, c); watched != nil {
			return watched
		}
	}
	return pump(c, s, &h.pumps)
}

// Group is some sockets that are woken together.
type Group struct {
	mu      sync.Mutex
	sockets []*Socket
}

// Wake lets all sockets of the group look for something to tell.
func (g *Group) Wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sockets {
		s.Wake(Soon)
	}
}

// Len is how many sockets are open.
func (g *Group) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sockets)
}

func (g *Group) add(s *Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.at = len(g.sockets)
	g.sockets = append(g.sockets, s)
}

func (g *Group) remove(s *Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.sockets) - 1
	g.sockets[s.at], g.sockets[last].at = g.sockets[last], s.at
	g.sockets[last] = nil
	g.sockets = g.sockets[:last]
}
