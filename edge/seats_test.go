package edge

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/edge/seats"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// stalls is a performance of 40 units on real Redis; no booking core runs.
type stalls struct {
	*rig
	id    ropeline.PerformanceID
	rdb   redis.UniversalClient
	stock *inventory.Store
	holds *hold.Store
	looks atomic.Int64
	away  atomic.Bool // nothing can be looked at
	path  string
}

type recorded inventory.Recorded

func (r recorded) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded(r), nil
}

func newStalls(t *testing.T, options ...option) *stalls {
	t.Helper()
	rdb := devtest.Redis(t)
	s := &stalls{rdb: rdb, id: ropeline.PerformanceID(uuid.NewString()), stock: inventory.New(rdb), holds: hold.New(rdb)}
	s.path = "/api/v1/performances/" + string(s.id) + "/availability/live"
	s.rig = newRigOn(t, rdb, append(options, func(c *Config, _ *ropeline.Sale) {
		c.seatPace = seats.Pace{Busy: 10 * time.Millisecond, Calm: 20 * time.Millisecond, Beat: 200 * time.Millisecond, Old: 50 * time.Millisecond, Idle: time.Minute}
		c.Seats = func(ctx context.Context, id ropeline.PerformanceID) (seats.Bits, error) {
			s.looks.Add(1)
			if s.away.Load() {
				return seats.Bits{}, errors.New("away")
			}
			b, err := s.stock.Bitmaps(ctx, id)
			return seats.Bits{Taken: b.Taken, Sold: b.Sold, Closed: b.Closed}, err
		}
	})...)
	s.build(recorded{Units: 40, Sold: []int{39}})
	return s
}

func (s *stalls) build(r recorded) {
	s.Helper()
	_, err := s.stock.Rebuild(s.Context(), s.id, r)
	must(s.TB, err)
}

func (s *stalls) hold(units ...int) hold.Hold {
	s.Helper()
	h, err := s.holds.Units(s.Context(), hold.Request{ID: uuid.NewString(), Performance: s.id, Sale: s.sale.ID, Session: uuid.NewString(),
		SessionEnds: time.Now().Add(time.Hour), Life: time.Hour}, units)
	must(s.TB, err)
	return h
}

// watcher is somebody who watches.
type watcher struct {
	*stalls
	conn  *websocket.Conn
	feed  string
	seq   int64
	units [40]byte
}

func (s *stalls) watch(query string) *watcher {
	s.Helper()
	conn, resp, err := s.dial(query)
	if err != nil {
		s.Fatalf("watching: %v (%v)", err, resp)
	}
	s.Cleanup(func() { _ = conn.CloseNow() })
	return &watcher{stalls: s, conn: conn}
}

func (s *stalls) dial(query string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	return websocket.Dial(ctx, s.url+s.path+query, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {s.url}}})
}

func (w *watcher) next() wire.Seats {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	_, frame, err := w.conn.Read(ctx)
	must(w.TB, err)
	var doc wire.Seats
	must(w.TB, json.Unmarshal(frame, &doc))
	if doc.Feed != "" {
		w.feed, w.units = doc.Feed, [40]byte{}
	} else if doc.Seq != w.seq && doc.Seq != w.seq+1 {
		w.Fatalf("after %d comes %s", w.seq, frame)
	}
	w.seq = doc.Seq
	unit := 0
	for rest := doc.Runs; len(rest) > 0; {
		run, n := binary.Uvarint(rest)
		rest = rest[n:]
		for range run >> 3 {
			if run&7 < 4 {
				w.units[unit] = byte(run & 7)
			}
			unit++
		}
	}
	return doc
}

// shows waits until the screen is as wanted, from unit 0 on.
func (w *watcher) shows(want ...byte) {
	w.Helper()
	for deadline := time.Now().Add(patience); !slices.Equal(w.units[:len(want)], want); {
		if time.Now().After(deadline) {
			w.Fatalf("it shows %v, want %v", w.units, want)
		}
		w.next()
	}
}

// What is held, given back, sold and kept off sale is on the screen of whoever
// watches, without a booking core, read once for all.
func TestWatchersSeeWhatBecomesOfSeats(t *testing.T) {
	t.Parallel()
	s := newStalls(t)
	mine := s.hold(1, 2)
	a := s.watch("")
	if first := a.next(); first.Feed == "" || first.Seq != 1 || time.Since(first.AsOf) > time.Minute || a.units[39] != 2 {
		t.Errorf("the first frame is %+v", first)
	}
	a.shows(0, 1, 1, 0)
	all := []*watcher{a}
	for range 20 {
		all = append(all, s.watch(""))
	}
	s.hold(5)
	must(t, s.holds.Release(t.Context(), s.id, mine.ID, mine.Session))
	for _, w := range all {
		w.shows(0, 0, 0, 0, 0, 1)
	}
	theirs := s.hold(0)
	_, err := s.holds.Pay(t.Context(), s.id, theirs.ID, theirs.Session, "a")
	must(t, err)
	must(t, s.holds.Sell(t.Context(), s.id, theirs.ID, "a", []int{0}))
	r := recorded{Units: 40, Sold: []int{0, 39}}
	r.Withheld = inventory.Withheld{Units: []int{3, 4}, By: "a reserve"}
	s.build(r)
	for _, w := range all {
		w.shows(2, 0, 0, 3, 3, 1)
	}
	beat := a.next()
	for beat.Runs != nil {
		beat = a.next()
	}
	if beat.Seq != a.seq || beat.Feed != "" || beat.Stale {
		t.Errorf("when nothing changes it says %+v", beat)
	}
	looks := s.looks.Load()
	for range 5 { // a beat is some looks
		a.next()
	}
	if n := s.looks.Load() - looks; n > 5*200/10*2 {
		t.Errorf("for 21 who watch it looked %d times in five beats", n)
	}

	s.away.Store(true)
	var stale wire.Seats
	for !stale.Stale {
		stale = a.next()
	}
	if stale.Runs != nil || stale.Seq != a.seq {
		t.Errorf("when it cannot look it says %+v", stale)
	}
	s.away.Store(false)
	for stale.Stale {
		stale = a.next()
	}

	s.wipe()
	for !stale.Stale { // a Redis that has lost all knows nothing: what was seen stays
		stale = a.next()
	}
	a.shows(2, 0, 0, 3, 3, 1)
	s.build(r)
	a.shows(2, 0, 0, 3, 3, 0)
}

// wipe lets Redis lose all that it knows of the units.
func (s *stalls) wipe() {
	s.Helper()
	keys, err := s.rdb.Keys(s.Context(), "ropeline:{"+string(s.id)+"}*").Result()
	must(s.TB, err)
	must(s.TB, s.rdb.Del(s.Context(), keys...).Err())
}

// Whoever comes back goes on from where it was, or gets all anew; what makes no sense
// is refused.
func TestWatchersComeBack(t *testing.T) {
	t.Parallel()
	s := newStalls(t)
	a := s.watch("")
	a.next()
	must(t, a.conn.CloseNow())
	s.hold(7)
	again := s.watch(fmt.Sprintf("?feed=%s&seq=%d", a.feed, a.seq))
	again.units, again.seq = a.units, a.seq
	for again.units[7] != 1 {
		if doc := again.next(); doc.Feed != "" {
			t.Errorf("it is shown all anew: %+v", doc)
		}
	}
	for _, query := range []string{"?feed=" + a.feed + "&seq=99", "?feed=another&seq=1", "?feed=" + a.feed + "&seq=9223372036854775807"} {
		if doc := s.watch(query).next(); doc.Feed != a.feed || len(doc.Runs) == 0 {
			t.Errorf("%s is answered %+v, want all", query, doc)
		}
	}
	f := s.browser()
	for _, query := range []string{"?seq=1", "?feed=x", "?feed=x&seq=0", "?feed=x&seq=1e3", "?feed=&seq=1", "?feed=x&seq=9223372036854775808", "?feed=" + random(t) + "&seq=-1"} {
		if _, resp, err := s.dial(query); err == nil || resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %v", query, resp)
		}
	}
	wantProblem(t, f.do("GET", s.path, ""), http.StatusUpgradeRequired, "upgrade-required")
	for _, id := range []string{uuid.NewString(), "x", "}:taken", "%7D%3Ataken", "*"} {
		s.path = "/api/v1/performances/" + id + "/availability/live"
		want := http.StatusNotFound
		if len(id) == 36 {
			want = http.StatusServiceUnavailable
		}
		if _, resp, err := s.dial(""); err == nil || resp.StatusCode != want {
			t.Errorf("%s: %v, want %d", id, resp, want)
		}
	}
	if n := s.server.feeds.Len(); n != 1 {
		t.Errorf("%d feeds are kept, of one performance that there is", n)
	}
}

// Who watches counts among the sockets of an edge and of an address, and is told to
// come back when the edge goes.
func TestWatchersAreCountedAndSentAway(t *testing.T) {
	t.Parallel()
	s := newStalls(t, func(c *Config, _ *ropeline.Sale) { c.Limits.PerAddress = 2 })
	open := func(n int64) func() bool {
		return func() bool { open, _ := s.server.sockets.count(); return int64(open) == n }
	}
	a := s.watch("")
	a.next()
	s.until("it is no connection besides sockets any more", open(1)) // the rig has one, and there may be two
	b := s.watch("")
	b.next()
	s.until("nor this one", open(2))
	ended := func(w *watcher) websocket.StatusCode {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for {
			if _, _, err := w.conn.Read(ctx); err != nil {
				return websocket.CloseStatus(err)
			}
		}
	}
	if code := ended(s.watch("")); code != wire.CloseOverload {
		t.Errorf("the third of an address: closed with %d, want %d", code, wire.CloseOverload)
	}
	must(t, b.conn.Close(websocket.StatusNormalClosure, ""))
	s.until("its end is counted", open(1))
	c := s.watch("")
	c.next()
	must(t, c.conn.Write(t.Context(), websocket.MessageText, []byte("hello")))
	if code := ended(c); code != wire.CloseInvalid {
		t.Errorf("who speaks: closed with %d, want %d", code, wire.CloseInvalid)
	}
	s.stop()
	if code := ended(a); code != wire.CloseRestart {
		t.Errorf("at the end: closed with %d, want %d", code, wire.CloseRestart)
	}
}
