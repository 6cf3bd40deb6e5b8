package seats

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is what a viewer has on its screen: it reads frames by the words of
// wire.Seats alone.
type screen struct {
	feed  string
	seq   int64
	units []byte
	stale bool
	asOf  time.Time
}

func (s *screen) read(t interface{ Fatalf(string, ...any) }, frame []byte, size int) {
	var doc wire.Seats
	if err := json.Unmarshal(frame, &doc); err != nil {
		t.Fatalf("frame %q: %v", frame, err)
	}
	switch {
	case doc.Feed != "":
		s.feed, s.units = doc.Feed, make([]byte, size)
	case s.feed == "":
		t.Fatalf("the first frame is not of all units: %s", frame)
	case doc.Seq == s.seq && len(doc.Runs) > 0, doc.Seq != s.seq && doc.Seq != s.seq+1:
		t.Fatalf("after number %d comes %s", s.seq, frame)
	}
	s.seq, s.stale, s.asOf = doc.Seq, doc.Stale, doc.AsOf
	unit := 0
	for rest := doc.Runs; len(rest) > 0; {
		run, n := binary.Uvarint(rest)
		if n <= 0 || run>>3 == 0 {
			t.Fatalf("runs %x", doc.Runs)
		}
		rest = rest[n:]
		for range run >> 3 {
			if run&7 != same {
				s.units[unit] = byte(run & 7)
			}
			unit++
		}
	}
	if unit > size {
		t.Fatalf("runs of %d units, there are %d", unit, size)
	}
}

// truth is what the units are, one by one.
func truth(b Bits) []byte {
	units := make([]byte, b.units())
	for u := range units {
		mask, i := byte(1)<<(7-u%8), u/8
		switch {
		case b.Taken[i]&mask == 0:
		case i < len(b.Sold) && b.Sold[i]&mask != 0:
			units[u] = 2
		case i < len(b.Closed) && b.Closed[i]&mask != 0:
			units[u] = 3
		default:
			units[u] = 1
		}
	}
	return units
}

// Whatever becomes of the units, however seldom a viewer reads, and whenever it goes
// and comes back: when it has read all there is, it has the truth on its screen.
func TestEveryScreenComesToTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := time.Unix(1_800_000_000, 0).UTC()
		pace := Pace{Beat: 10 * time.Second, Old: 3 * time.Second, Busy: 1, Calm: 1}
		f := &Feed{pace: pace, now: func() time.Time { return clock }}
		size := rapid.IntRange(1, 6).Draw(t, "bytes")
		bits := func() Bits {
			b := Bits{Taken: make([]byte, size), Sold: make([]byte, size)}
			if rapid.Bool().Draw(t, "reserves") {
				b.Closed = make([]byte, size)
			}
			for i := range size {
				b.Taken[i] = rapid.SampledFrom([]byte{0, 0, 0xff, 0x0f, 0x5a, 1}).Draw(t, "taken")
				b.Sold[i] = b.Taken[i] & rapid.SampledFrom([]byte{0, 0xff, 0x18}).Draw(t, "sold")
				if b.Closed != nil {
					b.Closed[i] = b.Taken[i] &^ b.Sold[i] & rapid.SampledFrom([]byte{0, 0xff, 0x42}).Draw(t, "closed")
				}
			}
			return b
		}
		take := func(b Bits) {
			if _, err := f.take(b, clock); err != nil {
				t.Fatal(err)
			}
		}
		now := bits()
		take(now)
		type fan struct {
			screen
			v *Viewer
		}
		fans := []*fan{{}, {}, {}}
		for _, a := range fans {
			f.enter()
			a.v = &Viewer{feed: f}
		}
		tell := func(a *fan) bool {
			frame, again, err := a.v.Tell(nil)
			if err != nil || again < 0 || again > pace.Beat {
				t.Fatalf("told again in %v, %v", again, err)
			}
			if len(frame) > 0 {
				a.read(t, frame, 8*size)
			}
			return len(frame) > 0
		}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 1, 1, kept - 1, kept, kept + 1}).Draw(t, "times") {
					now = bits()
					take(now)
				}
			},
			"another size": func(t *rapid.T) {
				size = rapid.IntRange(1, 6).Draw(t, "bytes")
				now = bits()
				take(now)
			},
			"nothing": func(*rapid.T) { take(now) },
			"wait":    func(t *rapid.T) { clock = clock.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "s")) * time.Second) },
			"miss":    func(*rapid.T) { f.miss(clock) },
			"read one": func(t *rapid.T) {
				tell(fans[rapid.IntRange(0, 2).Draw(t, "fan")])
			},
			"go and come back": func(t *rapid.T) {
				a := fans[rapid.IntRange(0, 2).Draw(t, "fan")]
				a.v.Leave()
				f.enter()
				if rapid.Bool().Draw(t, "with what it had") && a.feed != "" {
					a.v = &Viewer{feed: f, name: a.feed, seq: a.seq}
				} else {
					a.screen, a.v = screen{}, &Viewer{feed: f}
				}
			},
			"read all": func(t *rapid.T) {
				a := fans[rapid.IntRange(0, 2).Draw(t, "fan")]
				for n := 0; tell(a); n++ {
					if n > kept+1 {
						t.Fatal("it is told for ever")
					}
				}
				if want := truth(now); !slices.Equal(a.units, want) || a.stale != f.stale {
					t.Fatalf("on the screen %v, stale %v\n it is        %v, stale %v", a.units, a.stale, want, f.stale)
				}
				if f.seen.Sub(a.asOf) > pace.Beat {
					t.Fatalf("the screen says %v, and it is from %v", a.asOf, f.seen)
				}
			},
		})
	})
}

// A house of 20,000 seats is some kilobytes, and what changes in it some bytes.
func TestFramesAreSmall(t *testing.T) {
	t.Parallel()
	const units = 20_000
	b := Bits{Taken: make([]byte, units/8), Sold: make([]byte, units/8)}
	for i := range b.Taken {
		b.Taken[i], b.Sold[i] = 0b0111_0110, 0b0110_0010 // the worst that people do: alike seats are few
	}
	whole := len(b.runs(nil))
	after := Bits{Taken: slices.Clone(b.Taken), Sold: b.Sold}
	for seat := range 100 {
		after.Taken[seat*25] ^= 0x80
	}
	changed := len(after.runs(&b))
	empty := len(Bits{Taken: make([]byte, units/8)}.runs(nil))
	if whole > 15_100 || changed > 400 || empty != 0 {
		t.Errorf("%d bytes for all, %d for 100 seats in 100 rows, %d while all are free", whole, changed, empty)
	}
}

// source is a Reader that counts.
type source struct {
	mu    sync.Mutex
	bits  Bits
	err   error
	looks atomic.Int64
	again chan struct{} // it has looked
}

func (s *source) read(context.Context, ropeline.PerformanceID) (Bits, error) {
	s.looks.Add(1)
	select {
	case s.again <- struct{}{}:
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bits, s.err
}

func (s *source) set(b Bits, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bits, s.err = b, err
}

// However many come at once, one looks; what nobody watches is forgotten, and what
// cannot be looked at is not kept.
func TestOneReaderForAllViewers(t *testing.T) {
	t.Parallel()
	src := &source{again: make(chan struct{})}
	src.set(Bits{Taken: []byte{1}}, nil)
	quick := Pace{Busy: time.Millisecond, Calm: time.Millisecond, Beat: time.Hour, Old: time.Hour}
	slow := quick
	slow.Busy, slow.Calm = time.Hour, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	feeds := New(src.read, slow, 1, time.Now)
	if _, _, err := feeds.Watch(ctx, "a", "", 0); !errors.Is(err, errOver) {
		t.Errorf("before it runs: %v", err)
	}
	feeds.Open(ctx)
	viewers := make(chan *Viewer, 100)
	var all sync.WaitGroup
	for range cap(viewers) {
		all.Go(func() {
			_, v, err := feeds.Watch(ctx, "a", "", 0)
			if err != nil {
				t.Error(err)
				return
			}
			viewers <- v
		})
	}
	all.Wait()
	if n := src.looks.Load(); n != 1 || feeds.Len() != 1 {
		t.Errorf("for 100 viewers it looked %d times in %d feeds", n, feeds.Len())
	}
	if _, _, err := feeds.Watch(ctx, "b", "", 0); !errors.Is(err, errFull) {
		t.Errorf("one more performance: %v, want edge-full", err)
	}
	cancel()
	feeds.Wait()
	if _, _, err := feeds.Watch(t.Context(), "a", "", 0); !errors.Is(err, errOver) {
		t.Errorf("after the end: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	feeds = New(src.read, quick, 1, time.Now)
	feeds.Open(ctx)
	src.set(Bits{}, errors.New("not now"))
	if _, _, err := feeds.Watch(ctx, "a", "", 0); !errors.Is(err, ErrUnknown) || feeds.Len() != 0 {
		t.Errorf("of what cannot be looked at: %v, and %d feeds", err, feeds.Len())
	}
	src.set(Bits{Taken: []byte{1}}, nil)
	for range 50 { // the feed ends between them, or goes on
		_, v, err := feeds.Watch(ctx, "a", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // it is followed
			select {
			case <-src.again:
			case <-time.After(10 * time.Second):
				t.Fatal("nobody looks for a viewer who is there")
			}
		}
		v.Leave()
	}
	feeds.Wait() // nobody watches
	if feeds.Len() != 0 {
		t.Error("a feed that has ended is kept")
	}
}
