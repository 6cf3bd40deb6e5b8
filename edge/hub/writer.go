package hub

import (
	"sync"
	"time"
)

// writer owns some of the sockets and gives each its turn: first whoever waits
// for something urgent, then in turns whoever has news and whoever is due.
type writer struct {
	hub  *Hub
	kick chan struct{} // holds one: the queues were empty and are not any more

	mu     sync.Mutex // guards what follows, and the notes of the sockets
	queues [2]queue   // by Priority
	open   int
	ending bool
	over   bool

	// Of the goroutine of run.
	told  bool // the sockets, of the end
	wheel wheel
	in    []byte // what was read
	body  []byte // what a teller tells
	out   []byte // frames to be written
}

// Priority says who is first when many sockets have something to tell.
type Priority int

// The priorities. Both go before what is only due.
const (
	First Priority = iota
	Soon
)

// note says why a socket gets a turn.
type note uint8

const (
	noteOpen  note = 1 << iota // it has been opened
	noteNews                   // its teller has something to say
	noteReady                  // its connection can be read, or written again
	noteLast                   // the end may stand behind what can be read
	noteQueue                  // noteQueue<<p: it is in the queue of p
)

func newWriter(h *Hub) *writer {
	return &writer{hub: h, kick: make(chan struct{}, 1)}
}

// queue is first in, first out. A socket is in it at most once, so it is no
// longer than there are sockets.
type queue struct {
	sockets []*Socket
	head    int
}

func (q *queue) push(s *Socket) { q.sockets = append(q.sockets, s) }

func (q *queue) pop() *Socket {
	if q.head == len(q.sockets) {
		return nil
	}
	s := q.sockets[q.head]
	q.sockets[q.head] = nil
	if q.head++; q.head == len(q.sockets) {
		q.sockets, q.head = q.sockets[:0], 0
	}
	return s
}

// leave leaves a note for a socket.
func (w *writer) leave(s *Socket, n note, p Priority) {
	w.mu.Lock()
	s.notes |= n
	queued := s.notes&(noteQueue<<p) != 0
	if !queued {
		s.notes |= noteQueue << p
		w.queues[p].push(s)
	}
	w.mu.Unlock()
	if !queued {
		w.stir()
	}
}

func (w *writer) stir() {
	select {
	case w.kick <- struct{}{}:
	default: // it is awake already
	}
}

// take returns the next socket of a queue and its notes, nil if it is empty.
func (w *writer) take(p Priority) (*Socket, note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.queues[p].pop()
	if s == nil {
		return nil, 0
	}
	n := s.notes
	s.notes &= (noteQueue<<First | noteQueue<<Soon) &^ (noteQueue << p)
	return s, n
}

// end lets all sockets end, and run with the last of them.
func (w *writer) end() {
	w.mu.Lock()
	w.ending = true
	w.mu.Unlock()
	w.stir()
}

// enter counts a socket in; not any more when the writer has ended.
func (w *writer) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.open++
	}
	return !w.over
}

func (w *writer) exit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open--
}

// state says whether the writer is to end and whether it has.
func (w *writer) state() (ending, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = w.ending && w.open == 0
	return w.ending, w.over
}

// run gives turns until the writer is to end and no socket is open.
func (w *writer) run() {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		if w.serve() {
			continue
		}
		ending, over := w.state()
		if over {
			return
		}
		if ending && !w.told {
			w.told = true
			now := w.hub.moment()
			w.wheel.all(func(s *Socket) { s.stop(now, w.hub.endings.Stopping) })
			continue
		}
		var due <-chan time.Time
		if wait, any := w.wheel.wait(w.hub.moment()); any {
			alarm.Reset(wait)
			due = alarm.C
		}
		select {
		case <-w.kick:
		case <-due:
		}
	}
}

// serve gives the next turns and reports whether there were any.
func (w *writer) serve() bool {
	now := w.hub.moment()
	if s, n := w.take(First); s != nil {
		s.turn(n, now)
		return true
	}
	news, n := w.take(Soon)
	if news != nil {
		news.turn(n, now)
	}
	due := w.wheel.pop(now)
	if due != nil {
		due.turn(0, now)
	}
	return news != nil || due != nil
}
