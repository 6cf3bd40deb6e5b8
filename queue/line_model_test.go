package queue

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// The model: the line as a slice and every rule of it in plain Go. The
// property test does random operations to both and compares every fan.

type fan struct {
	id      ropeline.PlaceID
	state   ropeline.PlaceState
	ordinal int64 // −1 before the draw
	number  int64 // of the offer
	claimBy int64 // ms
	slot    int64 // ms
	exp     int64 // s
	ends    int64 // s
	ended   bool  // by end, the slot is gone
}

type model struct {
	sale   ropeline.Sale
	now    int64 // us
	fans   []*fan
	line   []*fan // by ordinal
	cursor int
	last   int64 // offer number
	limits Limits
	paused bool
	drawn  bool
	bucket int64
	filled int64 // ms, when the bucket was
}

func (m *model) ms() int64  { return m.now / 1000 }
func (m *model) sec() int64 { return m.now / 1_000_000 }

func (m *model) running() bool {
	return m.drawn && !m.paused && m.ms() >= m.sale.OpensAt.UnixMilli() && m.ms() < m.sale.EndsAt.UnixMilli()
}

func (m *model) inUse() (n int64) {
	for _, f := range m.fans {
		if f.state == ropeline.PlaceOffered || f.slot > 0 {
			n++
		}
	}
	return n
}

func (m *model) join(f *fan) {
	m.fans = append(m.fans, f)
	f.state, f.ordinal = ropeline.PlaceCollected, -1
	if m.drawn {
		m.place(f)
	}
}

func (m *model) place(f *fan) {
	if f.state == ropeline.PlaceCollected {
		f.state = ropeline.PlaceWaiting
	}
	f.ordinal = int64(len(m.line))
	m.line = append(m.line, f)
}

// draw orders the lobby by score and appends who joined after its close.
func (m *model) draw(drawKey []byte, lobby map[ropeline.PlaceID]bool) {
	var drawn, late []*fan
	for _, f := range m.fans {
		switch {
		case lobby[f.id]:
			drawn = append(drawn, f)
		case f.state == ropeline.PlaceCollected || f.state == ropeline.PlaceLeft:
			late = append(late, f)
		}
	}
	slices.SortFunc(drawn, func(a, b *fan) int {
		return cmp.Or(cmp.Compare(LobbyScore(drawKey, a.id), LobbyScore(drawKey, b.id)), strings.Compare(string(a.id), string(b.id)))
	})
	m.drawn = true
	for _, f := range append(drawn, late...) {
		m.place(f)
	}
}

func (m *model) position(f *fan) (n int64) {
	for i := m.cursor; int64(i) < f.ordinal; i++ {
		if m.line[i].state != ropeline.PlaceLeft {
			n++
		}
	}
	return n
}

func (m *model) waiting() (n int64) {
	for _, f := range m.fans {
		if f.state == ropeline.PlaceWaiting {
			n++
		}
	}
	return n
}

// tick returns the places offered, in order.
func (m *model) tick() (offered []ropeline.PlaceID) {
	for _, f := range m.fans {
		if f.state == ropeline.PlaceOffered && f.claimBy <= m.ms() {
			f.state = ropeline.PlaceExpired
		}
		if f.slot > 0 && f.slot <= m.ms() {
			f.slot = 0
		}
	}
	if m.filled == 0 {
		m.filled = m.ms() // the bucket starts empty
	}
	room := int64(0)
	if m.running() {
		tick := TickInterval.Milliseconds()
		m.bucket = min(m.bucket+max(0, m.ms()-m.filled)*m.limits.Rate, 60000+2*tick*m.limits.Rate)
		room = min(m.limits.Cap-m.inUse(), m.bucket/60000)
	} else {
		m.bucket = 0
	}
	for ; int64(len(offered)) < room && m.cursor < len(m.line); m.cursor++ {
		f := m.line[m.cursor]
		if f.state == ropeline.PlaceLeft {
			continue
		}
		m.last++
		f.state, f.number, f.claimBy = ropeline.PlaceOffered, m.last, m.ms()+int64(m.sale.ClaimWindow)*1000
		offered = append(offered, f.id)
	}
	m.bucket, m.filled = m.bucket-int64(len(offered))*60000, m.ms()
	return offered
}

func (m *model) claim(f *fan) error {
	switch {
	case f.exp > 0 && (f.ended || f.slot <= m.ms()):
		return ErrSessionOver
	case f.exp > 0:
		return nil
	case f.state == ropeline.PlaceOffered && f.claimBy > m.ms():
		f.ends = m.sec() + int64(m.sale.SessionMax)
		f.exp = min(m.sec()+int64(m.sale.TokenLife), f.ends-margin)
		f.slot, f.state = (f.exp+margin)*1000, ropeline.PlaceActive
		return nil
	case f.number > 0 && f.state == ropeline.PlaceLeft:
		return ErrSessionOver
	case f.number > 0:
		return ErrOfferExpired
	}
	return ErrNoOffer
}

func (m *model) renew(f *fan) error {
	if f.exp == 0 || f.ended || f.slot <= m.ms() {
		return ErrSessionOver
	}
	exp := max(f.exp, min(m.sec()+int64(m.sale.TokenLife), f.ends-margin))
	if exp <= m.sec() {
		return ErrSessionOver
	}
	f.exp, f.slot = exp, (exp+margin)*1000
	return nil
}

func (m *model) leave(f *fan) error {
	switch {
	case f.state == ropeline.PlaceCollected && m.now < m.sale.LobbyClosesAt.UnixMicro():
		m.fans = slices.DeleteFunc(m.fans, func(o *fan) bool { return o == f })
		return nil
	case f.state == ropeline.PlaceCollected || f.state == ropeline.PlaceWaiting || f.state == ropeline.PlaceOffered:
		f.state = ropeline.PlaceLeft
	case f.exp > 0 && !f.ended && f.slot > 0:
		m.end(f)
	}
	return nil
}

func (m *model) end(f *fan) {
	if f.exp > 0 && f.slot > 0 {
		f.ended, f.slot = true, 0
	}
}

// shown is the state that Find answers now.
func (m *model) shown(f *fan) ropeline.PlaceState {
	switch {
	case f.state == ropeline.PlaceOffered && f.claimBy <= m.ms():
		return ropeline.PlaceExpired
	case f.state == ropeline.PlaceActive && (f.ended || f.slot <= m.ms()):
		return ropeline.PlaceDone
	}
	return f.state
}

// system is both of them.
type system struct {
	model
	store *Store
	key   []byte // of the draw
	lobby map[ropeline.PlaceID]bool
	seen  map[ropeline.PlaceID]int64 // the last position shown, which never rises
	count int
	t     *rapid.T
}

// pick returns anybody, or somebody in one of these states if there is one:
// uniformly random fans would hardly ever be the few that are offered.
func (s *system) pick(t *rapid.T, states ...ropeline.PlaceState) *fan {
	from := slices.DeleteFunc(slices.Clone(s.fans), func(f *fan) bool { return !slices.Contains(states, f.state) })
	if len(from) == 0 || rapid.IntRange(0, 4).Draw(t, "anybody") == 0 {
		from = s.fans
	}
	if len(from) == 0 {
		t.Skip("nobody is there")
	}
	return rapid.SampledFrom(from).Draw(t, "fan")
}

func same(t *rapid.T, doing string, got, want error) {
	if !errors.Is(got, want) {
		t.Fatalf("%s: %v, want %v", doing, got, want)
	}
}

func (s *system) actions(ctx contextT) map[string]func(*rapid.T) {
	id := s.sale.ID
	return map[string]func(*rapid.T){
		"join": func(t *rapid.T) {
			for range rapid.IntRange(1, 5).Draw(t, "people") {
				s.count++
				f := &fan{id: ropeline.PlaceID(fmt.Sprintf("fan-%04d", s.count))}
				if s.now < s.sale.LobbyClosesAt.UnixMicro() {
					s.lobby[f.id] = true
				}
				p, err := s.store.Join(ctx, id, f.id)
				if err != nil || !p.New {
					t.Fatalf("join: %+v, %v", p, err)
				}
				s.join(f)
				if p.Ordinal != f.ordinal {
					t.Fatalf("join answered ordinal %d, want %d", p.Ordinal, f.ordinal)
				}
			}
		},
		"rejoin": func(t *rapid.T) {
			if p, err := s.store.Join(ctx, id, s.pick(t).id); err != nil || p.New {
				t.Fatalf("joining again: %+v, %v", p, err)
			}
		},
		"leave": func(t *rapid.T) {
			f := s.pick(t)
			_, err := s.store.Leave(ctx, id, f.id)
			same(t, "leave", err, s.leave(f))
		},
		"claim": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceOffered)
			got, err := s.store.Claim(ctx, id, f.id)
			same(t, "claim of a place "+string(f.state), err, s.claim(f))
			if err == nil && (got.ExpiresAt.Unix() != f.exp || got.EndsAt.Unix() != f.ends) {
				t.Fatalf("claim: %+v, want exp %d and end %d", got, f.exp, f.ends)
			}
		},
		"renew": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceActive)
			got, err := s.store.Renew(ctx, id, f.id)
			same(t, "renew", err, s.renew(f))
			if err == nil && got.ExpiresAt.Unix() != f.exp {
				t.Fatalf("renew: %+v, want exp %d", got, f.exp)
			}
		},
		"end": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceActive)
			if acknowledged, err := s.store.End(ctx, id, f.id); err != nil || !acknowledged {
				t.Fatalf("end: %v, %v", acknowledged, err)
			}
			s.end(f)
		},
		"wait": func(t *rapid.T) {
			s.now += rapid.OneOf(rapid.Int64Range(1, 400_000), rapid.Int64Range(400_000, 8_000_000)).Draw(t, "us")
		},
		"draw": func(t *rapid.T) {
			if s.drawn || s.now < s.sale.LobbyClosesAt.UnixMicro() {
				t.Skip("not now")
			}
			s.drawBoth(ctx, t)
		},
		"tick": func(t *rapid.T) { s.compareTick(ctx, t) },
		"tick twice": func(t *rapid.T) {
			s.now += TickInterval.Microseconds()
			s.compareTick(ctx, t)
			s.compareTick(ctx, t) // a second controller
		},
		"set limits": func(t *rapid.T) {
			to := Limits{Cap: rapid.Int64Range(0, 6).Draw(t, "cap"), Rate: rapid.SampledFrom([]int64{0, 30, 600, 60_000}).Draw(t, "rate")}
			same(t, "stale limits", s.store.SetLimits(ctx, id, Limits{Cap: s.limits.Cap + 1, Rate: s.limits.Rate}, to), ErrLimitsChanged)
			if err := s.store.SetLimits(ctx, id, s.limits, to); err != nil {
				t.Fatal(err)
			}
			s.limits = to
		},
		"pause": func(t *rapid.T) {
			s.paused = !s.paused
			if err := s.store.SetPaused(ctx, id, s.paused, "because"); err != nil {
				t.Fatal(err)
			}
		},
		"": func(t *rapid.T) { s.compare(ctx, t) },
	}
}

func (s *system) drawBoth(ctx contextT, t *rapid.T) {
	if err := s.store.Draw(ctx, s.sale.ID); err != nil {
		t.Fatal(err)
	}
	s.draw(s.key, s.lobby)
}

func (s *system) compareTick(ctx contextT, t *rapid.T) {
	before := s.inUse()
	state, _, err := s.store.Tick(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.tick()
	if state.LastOffer != s.last {
		t.Fatalf("tick offered up to %d, want %d (cursor %d of %d)", state.LastOffer, s.last, s.cursor, len(s.line))
	}
	if inUse := state.Offered + state.Active; inUse > max(s.limits.Cap, before) {
		t.Fatalf("%d in use with a cap of %d", inUse, s.limits.Cap)
	}
}

// compare looks at every fan on both sides.
func (s *system) compare(ctx contextT, t *rapid.T) {
	state, raw, err := s.store.Snapshot(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	view := newView(state, newBitmap(raw))
	if waiting := s.waiting(); s.drawn && view.Waiting() != waiting {
		t.Fatalf("%d are said to wait, want %d", view.Waiting(), waiting)
	}
	for _, f := range s.fans {
		p, err := s.store.Find(ctx, s.sale.ID, f.id)
		if err != nil {
			t.Fatalf("find %s: %v", f.id, err)
		}
		if p.State != s.shown(f) || p.Ordinal != f.ordinal {
			t.Fatalf("%s is %s at ordinal %d, want %s at %d", f.id, p.State, p.Ordinal, s.shown(f), f.ordinal)
		}
		if number := offerNumber(p); number != f.number {
			t.Fatalf("%s has offer %d, want %d", f.id, number, f.number)
		}
		if f.state != ropeline.PlaceWaiting {
			continue
		}
		position := view.Position(p.Ordinal)
		if position != s.position(f) {
			t.Fatalf("%s at ordinal %d is shown %d ahead, want %d", f.id, p.Ordinal, position, s.position(f))
		}
		if shown, ok := s.seen[f.id]; ok && position > shown {
			t.Fatalf("%s: the position rose from %d to %d", f.id, shown, position)
		}
		s.seen[f.id] = position
	}
}

func offerNumber(p Place) int64 {
	if p.Offer == nil {
		return 0
	}
	return p.Offer.Number
}

func TestTheLineDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		ctx := t.Context()
		// Far from today, so that living gates of other tests are not waited for.
		start := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
		s := &system{lobby: map[ropeline.PlaceID]bool{}, seen: map[ropeline.PlaceID]int64{}, t: t}
		s.sale = testSale(fmt.Sprintf("model-%d-%d", time.Now().UnixNano(), runs), start)
		s.now, s.limits = start.UnixMicro(), Limits{s.sale.Cap, s.sale.Rate}
		s.store = New(rdb, testKeys).WithClock(func() time.Time { return time.UnixMicro(s.now) })
		defer s.store.Close()
		if err := s.store.PublishSale(ctx, s.sale); err != nil {
			t.Fatal(err)
		}
		sealed, err := rdb.Get(ctx, key(s.sale.ID, "seed")).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		seed, err := s.store.openSeed(s.sale.ID, sealed)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(seed)
		s.key = sum[:]
		actions := s.actions(ctx)
		if rapid.IntRange(0, 3).Draw(t, "open at once") > 0 {
			for range 3 {
				actions["join"](t)
			}
			s.now = s.sale.LobbyClosesAt.UnixMicro()
			actions["join"](t)
			if rapid.Bool().Draw(t, "somebody leaves during the draw") {
				actions["leave"](t)
			}
			s.drawBoth(ctx, t)
			s.now = s.sale.OpensAt.UnixMicro()
			s.compareTick(ctx, t)
		}
		t.Repeat(actions)
	})
}
