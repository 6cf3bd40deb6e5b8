package queue

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// steered is what an SRE has set.
type steered struct {
	limits         struct{ Cap, Rate int64 }
	mode           ropeline.Mode
	reason         string // of the mode, as the public has it
	session        int64  // s
	claimWindow    int64
	capMin, capMax int64
	shares         []int64 // of the lanes
	stoppedAt      int64   // ms
	version        int64
}

// steering is how an SRE steers the model.
type steering struct {
	steered
	before    steered           // the last change
	stored    map[string]string // what the store had before it
	told      string            // up to which version the public was told then
	book      *limitShelf       // of all changes
	foundAt   int64             // ms, when the server was found to have started anew
	stretch   Proof
	lostSlots bool // by the server, and the edges have not put any back
	changes   int
}

func newSteering(sale ropeline.Sale) steering {
	s := steering{book: &limitShelf{}, steered: steered{mode: ropeline.ModeRun, session: int64(sale.SessionMax), claimWindow: int64(sale.ClaimWindow), capMax: ropeline.MaxCap, shares: []int64{int64(sale.MainShare())}}}
	for _, l := range sale.Lanes {
		s.shares = append(s.shares, int64(l.Share))
	}
	s.limits.Cap, s.limits.Rate = sale.Cap, sale.Rate
	return s
}

func (s *steering) standsStill() bool {
	return s.mode == ropeline.ModePause || s.mode == ropeline.ModeQueue || s.mode == ropeline.ModeStop
}

// turnTime is the clock of turns and slots, which a stop stops.
func (m *model) turnTime() int64 {
	if m.mode == ropeline.ModeStop {
		return m.stoppedAt
	}
	return m.ms()
}

// mostSlots is how many there are at all.
func (m *model) mostSlots() int64 {
	if m.mode == ropeline.ModePass {
		return math.MaxInt64
	}
	return m.limits.Cap
}

// keepTick is the end of a tick.
func (m *model) keepTick() {
	if m.filled = m.ms(); m.mode == ropeline.ModePass {
		m.bucket = 0
	}
	m.prove()
}

// prove keeps the proof of the cap.
func (m *model) prove() {
	if m.stretch.Since.IsZero() || m.stretch.Limit != m.limit() {
		m.beginStretch(m.inUse())
	}
	m.stretch.Most = max(m.stretch.Most, m.inUse())
}

func (m *model) beginStretch(inUse int64) {
	m.stretch = Proof{Limit: m.limit(), Since: micro(m.now), From: inUse, Most: inUse}
	if m.ms() < m.haunted {
		m.stretch.From += m.ghosts
	}
}

// limit is the one in force.
func (m *model) limit() int64 {
	if m.mode == ropeline.ModePass {
		return Unlimited
	}
	return m.limits.Cap
}

// compareProof wants the proof to say what the model has seen, and to hold.
func (s *system) compareProof(t *rapid.T, state State) {
	if state.Proof != s.stretch || !state.Proof.Holds() {
		t.Fatalf("the proof of the cap is %+v, want %+v that holds", state.Proof, s.stretch)
	}
	if state.Version != s.version || state.Mode != s.mode || int64(state.Session) != s.session || int64(state.Claim) != s.claimWindow || state.Reason != s.reason {
		t.Fatalf("the limits are %+v, want %+v", state.Limits, s.steering)
	}
}

// steer changes limits on both sides.
func (s *system) steer(ctx contextT, t *rapid.T, to Settings, public map[string]string) {
	s.changes++
	stored, err := s.rdb.HGetAll(ctx, key(s.sale.ID, "limits")).Result()
	if err != nil {
		t.Fatal(err)
	}
	s.before, s.stored = s.steered, stored
	if s.told, err = s.rdb.HGet(ctx, key(s.sale.ID, "state"), "limits_told").Result(); err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	before := s.version
	change := Change{ID: fmt.Sprint("change-", s.changes), Set: to, Expect: Settings{Version: &before}, By: "sre", Reason: "because", Public: public}
	if s.ms()-s.foundAt < 1000 { // edges might know of another one
		if _, err := s.store.steer(ctx, s.sale.ID, change, false); !errors.Is(err, ErrSettling) {
			t.Fatalf("steering a server that took over just now: %v", err)
		}
		s.now += 1_000_000
	}
	done, err := s.store.Steer(ctx, s.sale.ID, change)
	if err != nil {
		t.Fatalf("steering to %+v: %v", to, err)
	}
	s.book.add(*done.Kept)
	s.apply(to)
	if to.Mode != nil {
		s.reason = "because"
		if public != nil {
			s.reason = public["en"]
		}
		if *to.Mode == ropeline.ModeRun {
			s.reason = ""
		}
	}
	// It was done once, and another one comes too late.
	_, again := s.store.Steer(ctx, s.sale.ID, change)
	change.ID += " another"
	if _, late := s.store.Steer(ctx, s.sale.ID, change); again != nil || !errors.Is(late, ErrLimitsChanged) {
		t.Fatalf("a change that is repeated: %v; one that expects what was before: %v", again, late)
	}
}

func (s *system) apply(to Settings) {
	s.version++
	if to.Cap != nil {
		s.limits.Cap = *to.Cap
	}
	if to.Rate != nil {
		s.limits.Rate = *to.Rate
	}
	if to.Session != nil {
		s.session = int64(*to.Session)
	}
	if to.Claim != nil {
		s.claimWindow = int64(*to.Claim)
	}
	if to.MinCap != nil {
		s.capMin, s.capMax = *to.MinCap, *to.MaxCap
	}
	if to.Shares != nil {
		s.shares = []int64{100}
		for _, l := range s.sale.Lanes {
			s.shares = append(s.shares, to.Shares[l.Name])
			s.shares[0] -= to.Shares[l.Name]
		}
		clear(s.leads)
	}
	if to.Mode != nil {
		s.enter(*to.Mode)
	}
	s.prove()
}

func (s *system) enter(mode ropeline.Mode) {
	switch by := s.ms() - s.stoppedAt; {
	case mode == ropeline.ModeStop && s.mode != ropeline.ModeStop:
		s.stoppedAt = s.ms()
	case mode != ropeline.ModeStop && s.mode == ropeline.ModeStop:
		for _, f := range s.fans {
			if f.state == ropeline.PlaceOffered {
				f.claimBy += by
			}
			move := func(until int64) int64 { return max(until, min(until+by, f.ends*1000)) }
			if f.slot > 0 {
				f.slot = move(f.slot)
			}
			for i := range f.more {
				if f.state == ropeline.PlaceActive {
					f.more[i] = move(f.more[i])
				} else {
					f.more[i] += by
				}
			}
		}
	}
	s.mode = mode
}

// loseChange lets the server that takes over not have heard of the last change, and
// returns what brings it back: edges, if they are not slow, and whoever leads from the
// book, in any order. That of a stop would be lost together with the deadlines that it
// moved.
func (s *system) loseChange(ctx contextT, t *rapid.T, known State) (recall func()) {
	now, lost := s.steered, false
	if s.stored != nil && s.mode != ropeline.ModeStop && s.before.mode != ropeline.ModeStop {
		lost = rapid.Bool().Draw(t, "the last change is lost")
	}
	if lost {
		limits, state := key(s.sale.ID, "limits"), key(s.sale.ID, "state")
		err := errors.Join(s.rdb.Del(ctx, limits).Err(), s.rdb.HSet(ctx, limits, s.stored).Err(), s.rdb.HSet(ctx, state, "limits_told", s.told).Err())
		if s.told == "" {
			err = errors.Join(err, s.rdb.HDel(ctx, state, "limits_told").Err())
		}
		if err != nil {
			t.Fatal(err)
		}
		s.steered = s.before
		if !slices.Equal(now.shares, s.before.shares) {
			clear(s.leads)
			if err := s.rdb.HDel(ctx, state, "leads").Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func() {
		first := rapid.Bool().Draw(t, "the book is asked first")
		if first {
			s.mend(ctx, t)
		}
		if lost && rapid.Bool().Draw(t, "edges know of the change") {
			for _, store := range s.stores {
				if err := store.recallLimits(ctx, s.sale.ID, known.Limits); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !first {
			s.mend(ctx, t)
		}
		if !slices.Equal(now.shares, s.steered.shares) {
			clear(s.leads)
		}
		s.steered = now
	}
}

// mend compares the limits with the book, which is due.
func (s *system) mend(ctx contextT, t *rapid.T) {
	done, err := s.store.MendLimits(ctx, s.sale.ID)
	again, errAgain := s.stores[1].MendLimits(ctx, s.sale.ID)
	if !done || again || err != nil || errAgain != nil {
		t.Fatalf("comparing the limits with the book: %v, %v; once more: %v, %v", done, err, again, errAgain)
	}
}

// steerAnyhow sets some of the limits, within the bounds or not.
func (s *system) steerAnyhow(ctx contextT, t *rapid.T) {
	var to Settings
	slots := rapid.Int64Range(0, 6).Draw(t, "cap")
	what := rapid.IntRange(0, 5)
	if len(s.sale.Lanes) > 0 {
		what = rapid.IntRange(-2, 5)
	}
	switch what.Draw(t, "what") {
	case -2, -1:
		to.Shares = map[string]int64{}
		for _, l := range s.sale.Lanes {
			to.Shares[l.Name] = rapid.Int64Range(1, 45).Draw(t, "share of "+l.Name)
		}
	case 0:
		to.Session = new(ropeline.Seconds(rapid.Int64Range(5, 40).Draw(t, "session")))
	case 1:
		to.Claim = new(ropeline.Seconds(rapid.Int64Range(1, 10).Draw(t, "claim")))
	case 2:
		to.MinCap = new(rapid.Int64Range(0, 2).Draw(t, "least cap"))
		to.MaxCap = new(rapid.Int64Range(3, 7).Draw(t, "most cap"))
	case 3:
		to.Cap = &slots
	default:
		to.Cap, to.Rate = &slots, new(rapid.SampledFrom([]int64{0, 30, 600, 60_000}).Draw(t, "rate"))
	}
	is, least, most := s.limits.Cap, s.capMin, s.capMax
	if to.Cap != nil {
		is = *to.Cap
	}
	if to.MinCap != nil {
		least, most = *to.MinCap, *to.MaxCap
	}
	if (to.Cap != nil || to.MinCap != nil) && (is < least || is > most) {
		_, err := s.store.Steer(ctx, s.sale.ID, Change{Set: to, Reason: "because"})
		same(t, "passing the bounds", err, ErrOutOfBounds)
		return
	}
	s.steer(ctx, t, to, nil)
}

func (s *system) changeMode(ctx contextT, t *rapid.T) {
	modes := []ropeline.Mode{ropeline.ModeRun, ropeline.ModePause, ropeline.ModeDrain, ropeline.ModeQueue, ropeline.ModePass, ropeline.ModeStop}
	if s.mode != ropeline.ModeRun && rapid.Bool().Draw(t, "goes on") {
		modes = modes[:1]
	}
	var public map[string]string
	if rapid.Bool().Draw(t, "with public words") {
		public = map[string]string{"de": fmt.Sprint("Pause ", s.changes), "en": fmt.Sprint("a pause ", s.changes)}
	}
	s.steer(ctx, t, Settings{Mode: new(rapid.SampledFrom(modes).Draw(t, "mode"))}, public)
	if b, err := s.store.Board(ctx, s.sale.ID); err != nil || public != nil && (b.Pause == nil || b.Pause.Texts["de"] != public["de"]) {
		t.Fatalf("the board has %+v, %v, want %v", b, err, public)
	}
}
