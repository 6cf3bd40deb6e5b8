package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// An ear is one connection on which several lines hear of their ticks. An edge
// that follows 1,000 sales would hold 1,000 connections otherwise, 64 KB each,
// and ten such edges as many as a Redis allows at all.
//
// It forgives nothing: when it breaks, or one of its lines finds that it does not
// hear what there is, it ends for all of them. Each looks for itself then what it
// missed, and listens anew.
type ear struct {
	sub  *redis.PubSub
	done chan struct{} // closed when nothing is read any more

	mu       sync.Mutex            // guards what follows
	channels map[string][]*hearing // who hears what
	pending  map[string]int        // answers of the server that are still to come
	lines    int                   // how many listen
	err      error                 // it is over
}

// hearing is what one line hears.
type hearing struct {
	ear      *ear
	channels []string
	news     chan struct{} // holds one: there is something to take

	// Guarded by the ear's lock.
	missing  int // channels that the server has not confirmed
	messages []*redis.Message
	lost     bool // more came than was taken: something is missed
}

const (
	earLines  = 250    // of one ear
	heardMost = 20_000 // messages that wait for one line
)

// ears are the ears of a Store.
type ears struct {
	mu  sync.Mutex // guards the rest; held while an ear is subscribed, which waits for no answer
	all []*ear
}

var (
	errSilent = errors.New("nothing was heard")
	errMissed = errors.New("messages were missed")
	// errUnheard ends an ear of which nobody is left.
	errUnheard = errors.New("nobody listens")
)

// listen subscribes to channels and returns when the server has said so. On a
// cluster each line has an ear of its own: on the node of its sale, so that a node
// that hangs makes nobody else deaf.
func (s *Store) listen(ctx context.Context, wait time.Duration, channels ...string) (*hearing, error) {
	most := earLines
	if _, cluster := s.rdb.(*redis.ClusterClient); cluster {
		most = 1
	}
	h, err := s.ears.join(ctx, s.rdb, most, channels)
	if err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	if err := h.ready(ctx, wait); err != nil {
		h.distrust(err)
		h.close()
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	return h, nil
}

// join adds a line to an ear that has room, a new one if none has.
func (es *ears) join(ctx context.Context, rdb redis.UniversalClient, most int, channels []string) (*hearing, error) {
	es.mu.Lock()
	defer es.mu.Unlock()
	es.all = slices.DeleteFunc(es.all, (*ear).over)
	for _, e := range es.all {
		if h, err := e.add(ctx, most, channels); h != nil || err != nil {
			return h, err
		}
	}
	e := &ear{sub: rdb.Subscribe(ctx), done: make(chan struct{}), channels: map[string][]*hearing{}, pending: map[string]int{}}
	es.all = append(es.all, e)
	return e.add(ctx, most, channels)
}

// add subscribes for another line; nil if there is no room or the ear is over.
func (e *ear) add(ctx context.Context, most int, channels []string) (*hearing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil || e.lines >= most {
		return nil, nil
	}
	h := &hearing{ear: e, channels: channels, news: make(chan struct{}, 1), missing: len(channels)}
	first := e.lines == 0
	e.lines++
	var fresh []string // of which the server does not know yet
	for _, c := range channels {
		if len(e.channels[c]) == 0 {
			fresh = append(fresh, c)
			e.pending[c]++
		} else if e.pending[c] == 0 {
			h.missing--
		}
		e.channels[c] = append(e.channels[c], h)
	}
	if len(fresh) > 0 {
		if err := e.sub.Subscribe(context.WithoutCancel(ctx), fresh...); err != nil {
			e.end(err)
		}
	}
	if first {
		go e.run()
	}
	return h, nil
}

// run reads until the ear is over.
func (e *ear) run() {
	defer close(e.done)
	for {
		received, err := e.sub.ReceiveTimeout(context.Background(), 0)
		e.mu.Lock()
		if err != nil {
			e.end(err)
		}
		over := e.err != nil
		switch m := received.(type) {
		case *redis.Message:
			for _, h := range e.channels[m.Channel] {
				h.hear(m)
			}
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				e.confirm(m.Channel)
			}
		}
		e.mu.Unlock()
		if over {
			return
		}
	}
}

// confirm notes that the server tells a channel now. Who left and came back
// waits for the answer to the last question. The lock is held.
func (e *ear) confirm(channel string) {
	if e.pending[channel]--; e.pending[channel] > 0 {
		return
	}
	delete(e.pending, channel)
	for _, h := range e.channels[channel] {
		h.missing--
		h.stir()
	}
}

// end makes an ear be over, for all its lines. The lock is held.
func (e *ear) end(err error) {
	if e.err != nil {
		return
	}
	e.err = err
	_ = e.sub.Close() // ends the reading, too
	for _, hs := range e.channels {
		for _, h := range hs {
			h.stir()
		}
	}
}

func (e *ear) over() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err != nil
}

// hear keeps a message until it is taken. The ear's lock is held.
func (h *hearing) hear(m *redis.Message) {
	if len(h.messages) >= heardMost {
		h.lost = true
	} else {
		h.messages = append(h.messages, m)
	}
	h.stir()
}

func (h *hearing) stir() {
	select {
	case h.news <- struct{}{}:
	default: // it is to look already
	}
}

// ready waits until the server has confirmed all channels.
func (h *hearing) ready(ctx context.Context, wait time.Duration) error {
	return h.until(ctx, wait, func() bool { return h.missing == 0 })
}

// take returns the messages that came since, waiting for the first: errSilent if
// there was none for so long.
func (h *hearing) take(ctx context.Context, wait time.Duration) (messages []*redis.Message, err error) {
	err = h.until(ctx, wait, func() bool {
		messages, h.messages = h.messages, nil
		return len(messages) > 0
	})
	return messages, err
}

// until waits for a condition, which is asked under the ear's lock.
func (h *hearing) until(ctx context.Context, wait time.Duration, holds func() bool) error {
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		h.ear.mu.Lock()
		err, lost := h.ear.err, h.lost
		held := err == nil && !lost && holds()
		h.ear.mu.Unlock()
		switch {
		case err != nil:
			return err
		case lost:
			return errMissed
		case held:
			return nil
		}
		select {
		case <-h.news:
		case <-late.C:
			return errSilent
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// distrust ends the ear, for all its lines.
func (h *hearing) distrust(err error) {
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	h.ear.end(err)
}

// close ends the hearing; the last one of an ear ends it and waits for that.
func (h *hearing) close() {
	e := h.ear
	e.mu.Lock()
	var left []string
	for _, c := range h.channels {
		e.channels[c] = slices.DeleteFunc(e.channels[c], func(o *hearing) bool { return o == h })
		if len(e.channels[c]) == 0 {
			delete(e.channels, c)
			left = append(left, c)
		}
	}
	if e.lines--; e.lines == 0 {
		e.end(errUnheard)
	} else if e.err == nil && len(left) > 0 {
		if err := e.sub.Unsubscribe(context.Background(), left...); err != nil {
			e.end(err)
		}
	}
	last := e.lines == 0
	e.mu.Unlock()
	if last {
		<-e.done
	}
}
