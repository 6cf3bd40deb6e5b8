package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// Line follows the line of one sale for an edge: it keeps the newest View and
// wakes those who watch a place that was offered or changed. Run it once.
type Line struct {
	// Static after NewLine.
	store *Store
	sale  ropeline.SaleID
	log   *slog.Logger

	view  atomic.Pointer[View] // nil until the first snapshot
	ready chan struct{}        // closed after it

	// Owned by Run.
	offers int64 // the last offer number that watchers were told of

	mu      sync.Mutex // guards watches
	watches map[ropeline.PlaceID][]*Watch
}

// NewLine returns a Line that has no View until Run has read one.
func NewLine(store *Store, sale ropeline.SaleID, log *slog.Logger) *Line {
	return &Line{store: store, sale: sale, log: log.With("sale", sale), ready: make(chan struct{}), watches: map[ropeline.PlaceID][]*Watch{}}
}

// View returns the newest View, nil before the first.
func (l *Line) View() *View { return l.view.Load() }

// Ready is closed when there is a View.
func (l *Line) Ready() <-chan struct{} { return l.ready }

// A Watch tells when a place may have changed.
type Watch struct {
	place   ropeline.PlaceID
	changed chan struct{} // holds one: several changes wake once
}

// Changed receives when the place was offered or otherwise changed: ask Find.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Watch starts watching a place; Unwatch ends it. Ask Find after Watch, so
// that nothing falls between the two.
func (l *Line) Watch(place ropeline.PlaceID) *Watch {
	w := &Watch{place: place, changed: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watches[place] = append(l.watches[place], w)
	return w
}

// Unwatch ends a Watch.
func (l *Line) Unwatch(w *Watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.watches[w.place][:0]
	for _, other := range l.watches[w.place] {
		if other != w {
			kept = append(kept, other)
		}
	}
	if len(kept) == 0 {
		delete(l.watches, w.place)
		return
	}
	l.watches[w.place] = kept
}

func (l *Line) wake(place ropeline.PlaceID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.watches[place] {
		w.wake()
	}
}

func (l *Line) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, watches := range l.watches {
		for _, w := range watches {
			w.wake()
		}
	}
}

func (w *Watch) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // it is awake already
	}
}

const (
	lineSilence = 3 * time.Second        // without a message: look for ourselves
	lineRetry   = 500 * time.Millisecond // after an error
	offersRead  = 1000                   // at most in one call
)

// Run follows the line until ctx ends. While Redis is away the last View
// stays.
func (l *Line) Run(ctx context.Context) error {
	for {
		err := l.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ropeline.ErrSaleUnknown) {
			return err
		}
		l.log.Warn("following the line", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lineRetry):
		}
	}
}

// follow subscribes first and takes a snapshot then, so that no message is
// missed between the two.
func (l *Line) follow(ctx context.Context) error {
	ticks, changed := key(l.sale, "ticks"), key(l.sale, "changed")
	sub := l.store.rdb.Subscribe(ctx, ticks, changed)
	// A blocked read does not see ctx: closing the connection ends it.
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer func() {
		if stop() {
			sub.Close()
		}
	}()
	for range 2 {
		if _, err := sub.ReceiveTimeout(ctx, lineSilence); err != nil {
			return fmt.Errorf("subscribing: %w", err)
		}
	}
	if err := l.snapshot(ctx); err != nil {
		return err
	}
	l.wakeAll() // whatever was missed meanwhile
	for {
		received, err := sub.ReceiveTimeout(ctx, lineSilence)
		if silent, ok := errors.AsType[net.Error](err); ok && silent.Timeout() {
			err = l.snapshot(ctx)
		}
		if err != nil {
			return err
		}
		m, ok := received.(*redis.Message)
		switch {
		case !ok:
		case m.Channel == changed:
			l.wake(ropeline.PlaceID(m.Payload))
		default:
			if err := l.tick(ctx, m.Payload); err != nil {
				return err
			}
		}
	}
}

func (l *Line) tick(ctx context.Context, text string) error {
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("reading a tick: %w", err)
	}
	v := l.View()
	switch {
	case m.Seq <= v.Seq: // from before the snapshot, or from a slower controller
		return nil
	case m.Seq != v.Seq+1 || m.Epoch != v.Epoch:
		return l.snapshot(ctx)
	}
	return l.show(ctx, m.State, v.departed.with(m.Left))
}

func (l *Line) snapshot(ctx context.Context) error {
	state, raw, err := l.store.Snapshot(ctx, l.sale)
	if err != nil {
		return err
	}
	return l.show(ctx, state, newBitmap(raw))
}

// show makes a new View current and tells the watchers of new offers.
func (l *Line) show(ctx context.Context, s State, departed bitmap) error {
	old := l.view.Swap(newView(s, departed))
	if old != nil {
		close(old.superseded)
	} else {
		l.offers = s.LastOffer // watchers look for themselves after Watch
		close(l.ready)
	}
	if s.LastOffer < l.offers { // Redis lost its last second: numbers are given anew
		l.offers = s.LastOffer
		l.wakeAll()
	}
	for l.offers < s.LastOffer {
		if err := l.readOffers(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readOffers wakes the watchers of the offers after the last one known. Where
// the stream has been cut meanwhile, everybody looks for themselves.
func (l *Line) readOffers(ctx context.Context) error {
	from := "(" + strconv.FormatInt(l.offers, 10) + "-0"
	entries, err := l.store.rdb.XRangeN(ctx, key(l.sale, "offers"), from, "+", offersRead).Result()
	if err != nil {
		return storeError("reading offers", err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("reading offers: none after %d", l.offers)
	}
	for _, e := range entries {
		number, err := strconv.ParseInt(e.ID[:len(e.ID)-len("-0")], 10, 64)
		if err != nil {
			return fmt.Errorf("reading offers: entry %q: %w", e.ID, err)
		}
		if number != l.offers+1 {
			l.wakeAll()
		}
		l.offers = number
		place, _ := e.Values["place"].(string)
		l.wake(ropeline.PlaceID(place))
	}
	return nil
}
