package seats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/hub"
	"github.com/ropeline/ropeline/edge/wire"
)

// Reader looks at the units of a performance. It fails if they are not known now.
type Reader func(context.Context, ropeline.PerformanceID) (Bits, error)

// Pace says how often a feed looks and tells.
type Pace struct {
	Busy time.Duration // between two looks while something changes, and so between two frames
	Calm time.Duration // when nothing has changed for a while, or it cannot look
	Beat time.Duration // a viewer hears so often at least that nothing has changed
	Old  time.Duration // a picture of which it is said that it is old
	Idle time.Duration // without viewers; then the feed ends
}

// Usual are four frames a second at most.
var Usual = Pace{Busy: 250 * time.Millisecond, Calm: time.Second, Beat: 10 * time.Second, Old: 3 * time.Second, Idle: 15 * time.Second}

// patience is how long one look may take.
const patience = 2 * time.Second

// kept is how many changes a feed keeps for viewers who are behind: a quarter of a
// minute of them.
const kept = 64

// Feed is a performance as its viewers see it.
type Feed struct {
	// Viewers are woken when there is something new.
	Viewers hub.Group

	id   ropeline.PerformanceID
	read Reader
	pace Pace
	now  func() time.Time

	ready  chan struct{} // closed after the first look
	failed error         // of the first look, once ready

	mu      sync.Mutex // guards the rest
	name    string     // of what seq counts
	seq     int64
	bits    Bits
	seen    time.Time // when it looked
	moved   time.Time // when it saw seq
	stale   bool
	whole   []byte // runs of all bits; nil: nobody has asked
	changes [kept][]byte
	oldest  int64 // seq of the first that is kept
	viewers int
	empty   time.Time // since when there are none
}

// take takes in a look and reports whether there is something to tell.
func (f *Feed) take(b Bits, at time.Time) (news bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news = f.stale
	f.seen, f.stale = at, false
	if f.name == "" || len(b.Taken) != len(f.bits.Taken) {
		f.name, f.seq, f.moved, f.oldest, f.whole, f.bits = rand.Text(), 1, at, 2, nil, b
		return true, nil
	}
	runs := b.runs(&f.bits)
	if len(runs) == 0 {
		return news, nil
	}
	frame, err := json.Marshal(wire.Seats{Seq: f.seq + 1, AsOf: at, Runs: runs})
	if err != nil {
		return news, err
	}
	f.seq, f.moved = f.seq+1, at
	f.changes[f.seq%kept], f.whole, f.bits = frame, nil, b
	f.oldest = max(f.oldest, f.seq-kept+1)
	return true, nil
}

// miss notes that it could not look and reports whether there is something to tell.
func (f *Feed) miss(at time.Time) (news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	news = !f.stale && at.Sub(f.seen) >= f.pace.Old
	f.stale = f.stale || news
	return news
}

// look looks once.
func (f *Feed) look(ctx context.Context) (news bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := f.read(ctx, f.id)
	if err != nil {
		return f.miss(f.now()), err
	}
	return f.take(b, f.now().UTC().Truncate(time.Millisecond))
}

// run looks again and again, until ctx ends or it is over.
func (f *Feed) run(ctx context.Context, over func() bool) {
	wait := f.pace.Busy
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if over() {
			return
		}
		news, err := f.look(ctx)
		switch {
		case err != nil:
			wait = f.pace.Calm
		case news:
			wait = f.pace.Busy
		default:
			wait = min(2*wait, f.pace.Calm)
		}
		if news {
			f.Viewers.Wake()
		}
		timer.Reset(wait)
	}
}

func (f *Feed) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.viewers++
}

// idle reports whether nobody has watched for a while.
func (f *Feed) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.viewers == 0 && f.now().Sub(f.empty) >= f.pace.Idle
}

// picture is what all units are. mu is held.
func (f *Feed) picture() wire.Seats {
	if f.whole == nil {
		f.whole = f.bits.runs(nil)
	}
	return wire.Seats{Feed: f.name, Seq: f.seq, AsOf: f.seen, Stale: f.stale, Runs: f.whole}
}

// Viewer is somebody who watches a feed. It belongs to one goroutine at a time.
type Viewer struct {
	feed  *Feed
	name  string // of what seq counts
	seq   int64  // of the last frame it was told
	told  time.Time
	stale bool
}

// Leave ends the viewer.
func (v *Viewer) Leave() {
	f := v.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.viewers--; f.viewers == 0 {
		f.empty = f.now()
	}
}

// Tell appends the next frame that the viewer should read, nothing if there is none,
// and says in how long it should be asked again if nobody wakes it before.
func (v *Viewer) Tell(body []byte) (frame []byte, again time.Duration, err error) {
	f := v.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	switch next := v.seq + 1; {
	case v.name != f.name || v.seq > f.seq || next < f.oldest:
		frame, err = appendJSON(body, f.picture())
		v.name, v.seq, v.told, v.stale = f.name, f.seq, f.seen, f.stale
	case v.seq < f.seq:
		frame = append(body, f.changes[next%kept]...)
		v.seq, v.told, v.stale = next, f.moved, false
	case v.stale != f.stale || f.seen.Sub(v.told) >= f.pace.Beat:
		frame, err = appendJSON(body, wire.Seats{Seq: f.seq, AsOf: f.seen, Stale: f.stale})
		v.told, v.stale = f.seen, f.stale
	default:
		return nil, f.pace.Beat - f.seen.Sub(v.told), nil
	}
	if v.seq < f.seq || v.stale != f.stale {
		return frame, 0, err // and the next one at once
	}
	return frame, max(0, f.pace.Beat-f.seen.Sub(v.told)), err
}

func appendJSON(body []byte, frame wire.Seats) ([]byte, error) {
	text, err := json.Marshal(frame)
	if err != nil {
		return nil, fmt.Errorf("writing a frame of seats: %w", err)
	}
	return append(body, text...), nil
}
