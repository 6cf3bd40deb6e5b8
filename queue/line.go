package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// Line follows the line of one sale for an edge. It keeps the newest View and
// the places of the fans that the edge serves (its guests): it looks them up
// when they may have changed, tells Redis who of them is present, and puts them
// back when Redis has lost them. Run it once.
type Line struct {
	// Static after NewLine.
	store *Store
	sale  ropeline.SaleID
	log   *slog.Logger

	born time.Time // monotonic

	view  atomic.Pointer[View] // nil until the first snapshot
	heard atomic.Int64         // ns after born, when the line was heard of last
	ready chan struct{}        // closed after it
	kick  chan struct{}        // holds one: guests are to be looked at

	showing sync.Mutex // held by whoever makes a new View
	offers  int64      // the last offer number that guests were told of
	limits  Limits     // the newest that were seen
	posted  *Board     // what was read last

	guests guests

	// Owned by tend.
	charter charter // what is written back if Redis loses the sale
	settled bool    // what the edge knows has been registered with a settling line
}

// NewLine returns a Line that has no View until Run has read one.
func NewLine(store *Store, sale ropeline.SaleID, log *slog.Logger) *Line {
	return &Line{
		store: store, sale: sale, log: log.With("sale", sale), born: time.Now(), ready: make(chan struct{}), kick: make(chan struct{}, 1),
		guests: newGuests(guestsMost), posted: &Board{},
	}
}

// View returns the newest View, nil before the first.
func (l *Line) View() *View { return l.view.Load() }

// HeardAge is how long ago the line was heard of last.
func (l *Line) HeardAge() time.Duration { return time.Since(l.born) - time.Duration(l.heard.Load()) }

// Guests is how many places this edge serves.
func (l *Line) Guests() int {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	return len(l.guests.byPlace)
}

// Ready is closed when there is a View.
func (l *Line) Ready() <-chan struct{} { return l.ready }

const (
	lineSilence  = 3 * time.Second        // without a message: look for ourselves
	lineUnderWay = time.Second            // a message of what was found may take so long
	lineRetry    = 500 * time.Millisecond // after an error
	offersRead   = 100                    // entries at most in one call, each of up to offerMost offers
)

// Run follows the line until ctx ends. While Redis is away the last View
// stays, marked as Away.
func (l *Line) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var tending sync.WaitGroup
	tending.Go(func() { l.tend(ctx) })
	defer tending.Wait()
	defer stop()
	for {
		err := l.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ropeline.ErrSaleUnknown) {
			return err
		}
		l.log.Warn("following the line", "err", err)
		l.missing(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lineRetry):
		}
	}
}

// errDeaf means that there were ticks of which nothing was heard: the node that
// should tell hangs, or is cut off from the others. Another one may tell.
var errDeaf = errors.New("ticks are not heard")

// missing shows that the line cannot be seen: because it is being put together
// again, or because Redis does not answer.
func (l *Line) missing(err error) {
	l.showing.Lock()
	defer l.showing.Unlock()
	v := l.View()
	settling := errors.Is(err, ErrSettling)
	if v == nil || v.Settling == settling && v.Away == !settling {
		return
	}
	s := v.State
	s.Settling, s.Away = settling, !settling
	next := newView(s, v.departed, v.late)
	next.Board = v.Board
	l.swap(next)
}

// follow subscribes first and takes a snapshot then, so that no message is
// missed between the two.
func (l *Line) follow(ctx context.Context) error {
	ticks, changed := key(l.sale, "ticks"), key(l.sale, "changed")
	hearing, err := l.store.listen(ctx, lineSilence, ticks, changed)
	if err != nil {
		return err
	}
	defer hearing.close()
	if err := l.snapshot(ctx); err != nil {
		return err
	}
	l.guests.suspectAll() // whatever was missed meanwhile
	l.awake()
	for {
		heard, err := hearing.take(ctx, lineSilence)
		if errors.Is(err, errSilent) {
			heard, err = l.doubt(ctx, hearing)
		}
		if err != nil {
			return err
		}
		for _, m := range heard {
			if err := l.hear(ctx, m, changed); err != nil {
				return err
			}
		}
	}
}

// doubt looks for itself after a silence. If there was a tick, it may have come just
// now: then it is heard of in a moment, or else this line is deaf. (A controller
// that was late with 1,000 sales made an edge take down its ears over and over.)
func (l *Line) doubt(ctx context.Context, hearing *hearing) ([]*redis.Message, error) {
	before := l.View().Seq
	if err := l.snapshot(ctx); err != nil || l.View().Seq <= before {
		return nil, err
	}
	heard, err := hearing.take(ctx, lineUnderWay)
	if errors.Is(err, errSilent) {
		err = errDeaf
		hearing.distrust(err)
	}
	return heard, err
}

func (l *Line) hear(ctx context.Context, m *redis.Message, changed string) error {
	if m.Channel != changed {
		return l.tick(ctx, m.Payload)
	}
	if l.guests.suspect(ropeline.PlaceID(m.Payload)) {
		l.awake()
	}
	return nil
}

func (l *Line) tick(ctx context.Context, text string) error {
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("reading a tick: %w", err)
	}
	v := l.View()
	again := m.Run != v.Run || m.Epoch != v.Epoch || m.Settling != v.Settling || v.Away
	switch {
	case m.Seq <= v.Seq && !again: // from before the snapshot, or from a slower controller
		return nil
	case again || !m.follows(v):
		return l.snapshot(ctx)
	}
	if m.Stock == nil { // as before
		m.Stock = v.Stock
	}
	departed := make([]bitmap, len(v.departed))
	for i, b := range v.departed {
		departed[i] = b.with(m.Left[i])
	}
	l.showing.Lock()
	defer l.showing.Unlock()
	return l.show(ctx, newView(m.State, departed, v.late))
}

// follows reports whether a message tells all that has changed since a view.
func (m message) follows(v *View) bool {
	before, now := v.stands(), m.stands()
	if len(now) != len(before) || len(m.Left) != len(before) {
		return false
	}
	for i, s := range now {
		if s.Seq != before[i].Seq+1 || s.LateSeq != before[i].LateSeq {
			return false
		}
	}
	return true
}

func (l *Line) snapshot(ctx context.Context) error {
	l.showing.Lock()
	defer l.showing.Unlock()
	view, err := l.store.Snapshot(ctx, l.sale)
	if err != nil {
		return err
	}
	return l.show(ctx, view)
}

// swap makes a View current. showing is held.
func (l *Line) swap(v *View) (old *View) {
	if old = l.view.Swap(v); old != nil {
		close(old.superseded)
	}
	return old
}

// show makes a new View current and tells the guests of new offers. showing is
// held.
func (l *Line) show(ctx context.Context, v *View) error {
	if err := l.board(ctx, v); err != nil {
		return err
	}
	l.heard.Store(int64(time.Since(l.born)))
	if l.View() == nil {
		l.guests.mu.Lock()
		l.guests.shape = v.shape
		l.guests.mu.Unlock()
	}
	old := l.swap(v)
	if old == nil {
		l.offers = v.LastOffer // guests look for themselves when they come
		close(l.ready)
	}
	resumed := old != nil && old.Mode == ropeline.ModeStop && v.Mode != ropeline.ModeStop // which moves all deadlines along
	if resumed || old != nil && old.Run != v.Run {                                        // the server of the capacity may have lost turns
		l.guests.suspectAll()
	}
	if old == nil || old.Epoch != v.Epoch || old.Settling != v.Settling || old.Run != v.Run || resumed {
		l.awake()
	}
	l.remindLimits(ctx, v)
	if v.LastOffer < l.offers { // Redis lost its last second: numbers are given anew
		l.offers = v.LastOffer
		l.guests.suspectAll()
		l.awake()
	}
	for l.offers < v.LastOffer {
		if err := l.readOffers(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// remindLimits keeps the newest limits that were seen, and writes them back where
// the store has older ones: it has lost a change. showing is held.
func (l *Line) remindLimits(ctx context.Context, v *View) {
	if v.Version < l.limits.Version {
		if err := l.store.recallLimits(ctx, l.sale, l.limits); err != nil {
			l.log.Warn("writing limits back that the store has lost", "err", err)
			return // and the next view is another chance
		}
	}
	l.limits = v.Limits
}

// readOffers tells the guests of the offers after the last one known. Where the
// stream has been cut or lost meanwhile, everybody is looked up.
func (l *Line) readOffers(ctx context.Context, v *View) error {
	from := "(" + strconv.FormatInt(l.offers, 10) + "-0"
	entries, err := l.store.rdb.XRangeN(ctx, key(l.sale, "offers"), from, "+", offersRead).Result()
	if err != nil {
		return storeError("reading offers", err)
	}
	if len(entries) == 0 {
		l.offers = v.LastOffer
		l.guests.suspectAll()
		l.awake()
		return nil
	}
	for _, e := range entries {
		told, err := readOffer(e)
		if err != nil {
			return err
		}
		if told.first != l.offers+1 {
			l.guests.suspectAll()
			l.awake()
		}
		for i, place := range told.places {
			l.offers = told.first + int64(i)
			l.guests.offer(ropeline.PlaceID(place), Offer{Number: l.offers, ClaimBy: told.by, Beside: kind(told.kinds[i:i+1]) != inLine})
		}
	}
	return nil
}

// toldOffers are offers that were made at once.
type toldOffers struct {
	first  int64 // number of the first
	places []string
	kinds  string // a letter each
	by     time.Time
}

// readOffer reads what tell_offers in prelude.lua writes.
func readOffer(e redis.XMessage) (toldOffers, error) {
	last, err := strconv.ParseInt(strings.TrimSuffix(e.ID, "-0"), 10, 64)
	places, _ := e.Values["places"].(string)
	kinds, _ := e.Values["kinds"].(string)
	by, _ := e.Values["by"].(string)
	ms, malformed := strconv.ParseInt(by, 10, 64)
	told := toldOffers{places: strings.Fields(places), kinds: kinds, by: milli(ms)}
	if err = errors.Join(err, malformed); err != nil || len(told.places) == 0 || len(told.places) != len(kinds) {
		return told, fmt.Errorf("reading offers: entry %q of %d places and kinds %q by %q: %w", e.ID, len(told.places), kinds, by, err)
	}
	told.first = last - int64(len(told.places)) + 1
	return told, nil
}

// awake lets tend look at the guests at once.
func (l *Line) awake() {
	select {
	case l.kick <- struct{}{}:
	default: // it is awake already
	}
}
