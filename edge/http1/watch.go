package http1

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// watch is the context of a request. It ends with the request, or when the client
// goes away while somebody waits for that: a moment after somebody asked for Done a
// goroutine starts that reads. It cannot while the body is read, and waits for its end.
type watch struct {
	context.Context // the server's
	c               *conn

	mu   sync.Mutex      // guards what follows
	own  context.Context // a cancelCtx, made by Done: most never ask
	end  context.CancelFunc
	over bool
}

func (w *watch) Done() <-chan struct{} {
	w.c.mayGo(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.own == nil {
		w.own, w.end = context.WithCancel(w.Context)
		if w.over {
			w.end()
		}
	}
	return w.own.Done()
}

// Err is Canceled when the request is over.
func (w *watch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return context.Canceled
	}
	return w.Context.Err()
}

// Value lets package context find that this is one of its own: it asks for Done
// before, and derives without a goroutine then.
func (w *watch) Value(key any) any {
	w.mu.Lock()
	own := w.own
	w.mu.Unlock()
	if own != nil {
		return own.Value(key)
	}
	return w.Context.Value(key)
}

func (w *watch) cancel() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over = true; w.end != nil {
		w.end()
	}
}

// moment is longer than most requests take that ask for Done, for a call to Redis say.
// To start and stop the goroutine costs more than such a call.
const moment = 20 * time.Millisecond

// watching is the part of a connection that Done starts. Its lock guards it.
type watching struct {
	mu      sync.Mutex
	whole   bool          // the body was read
	asked   *watch        // by whom, nil: nobody
	later   *time.Timer   // of who asked
	due     bool          // their moment is over
	stopped chan struct{} // closed when the goroutine is over, nil: none
}

// mayGo starts watching for a request in a moment, as soon as its body was read.
func (c *conn) mayGo(w *watch) {
	k := &c.watching
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked != nil || c.request != w {
		return
	}
	k.asked = w
	k.later = time.AfterFunc(moment, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.asked == w { // else it is over
			k.due = true
			c.start()
		}
	})
}

// whole says that the body was read.
func (c *conn) whole() {
	c.watching.mu.Lock()
	defer c.watching.mu.Unlock()
	c.watching.whole = true
	c.start()
}

// start is called with the lock.
func (c *conn) start() {
	k := &c.watching
	if !k.due || !k.whole || k.stopped != nil || c.from < c.to {
		return // with more of the client's at hand, it has not gone
	}
	c.from, c.to = 0, 0
	_ = c.SetReadDeadline(time.Time{})
	stopped, w := make(chan struct{}), k.asked
	k.stopped = stopped
	go func() {
		defer close(stopped)
		n, err := c.Conn.Read(c.buf[:1]) // of the next request, if anything
		c.to = n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			w.cancel()
		}
	}()
}

// unwatch ends what start began. Nothing is started for this request any more.
func (c *conn) unwatch() {
	k := &c.watching
	k.mu.Lock()
	stopped := k.stopped
	if k.later != nil {
		k.later.Stop()
	}
	k.whole, k.asked, k.later, k.due, k.stopped, c.request = false, nil, nil, false, nil, nil
	k.mu.Unlock()
	if stopped != nil {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		<-stopped
	}
}
