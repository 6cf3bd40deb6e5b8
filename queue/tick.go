package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// State is a sale's waiting room at one moment: what every edge is told each
// tick, as JSON.
type State struct {
	Now        time.Time `json:"now"` // the line's clock
	Run        string    `json:"run"` // of the server: another one may have lost its last second
	LastOffer  int64     `json:"last_offer"`
	ClosesAt   time.Time `json:"closes_at"` // the lobby
	OpensAt    time.Time `json:"opens_at"`
	EndsAt     time.Time `json:"ends_at"`
	MaxInUse   int64     `json:"max_in_use"` // the most that offered + active ever was
	Ghosts     int64     `json:"ghosts"`     // slots that a loss of the store may have forgotten
	Missed     int64     `json:"missed"`     // offers that nobody claimed
	Claimed    int64     `json:"claimed"`    // offers that were
	Offered    int64     `json:"offered"`
	Active     int64     `json:"active"`
	LastExpiry time.Time `json:"last_expiry"` // when the last slot in use runs out
	PastAge    int64     `json:"past_age"`    // how long ago PastOffer was the last one, about 60 s; 0 unknown
	PastOffer  int64     `json:"past_offer"`
	Gauge      Gauge     `json:"gauge"`            // how fast the line moves
	Friends    int64     `json:"friends"`          // who were offered in parties, beside one of each
	Brought    int64     `json:"brought"`          // who ever stood in line in parties, beside one of each
	Posted     int64     `json:"posted,omitempty"` // the number of the board: higher when something was posted

	Limits
	Proof Proof `json:"proof"` // that the cap holds

	Term    int64  `json:"term"`               // the number of the lease that ticks, which rises
	AutoWhy string `json:"auto_why,omitempty"` // why the automatic mode changed the rate last

	// Stock is what can still be sold, nil where nobody says. A tick tells it only
	// when it has changed, and every few seconds; whoever follows keeps the last.
	Stock *ropeline.Stock `json:"stock,omitempty"`

	Lanes    []LaneState   `json:"lanes,omitempty"`    // where the sale has several, the main one first
	Bypassed []BypassState `json:"bypassed,omitempty"` // who was let past the line

	Stand
	Lines []Stand `json:"lines,omitempty"` // of each, where the sale has several; Stand is of all together then

	// Away says that the store cannot be reached: what else is told is of
	// before.
	Away bool `json:"-"`
}

// stands are the stands of all lines.
func (s State) stands() []Stand {
	if len(s.Lines) == 0 {
		return []Stand{s.Stand}
	}
	return s.Lines
}

// setStands is told how far each line has come.
func (s *State) setStands(stands []Stand) {
	s.Stand = combined(stands)
	if len(stands) > 1 {
		s.Lines = stands
	}
}

// LastMinute is how many offers were made in the last minute. Where nobody ticked a
// minute ago (up to 75 s), it is not known: then all are of a sale's first minute, and
// none is of an older one.
func (s State) LastMinute() int64 {
	if s.PastAge == 0 && s.Now.Sub(s.OpensAt) > 75*time.Second {
		return 0
	}
	return s.LastOffer - s.PastOffer
}

// Phase says where the sale was at Now.
func (s State) Phase() ropeline.Phase {
	switch {
	case !s.Now.Before(s.EndsAt):
		return ropeline.PhaseEnded
	case s.Drawn:
		return ropeline.PhaseOpen
	case s.Now.Before(s.ClosesAt):
		return ropeline.PhaseLobby
	}
	return ropeline.PhaseDrawing
}

// Paused reports whether nobody is let in because the sale's SRE says so.
func (s State) Paused() bool {
	return s.Mode == ropeline.ModePause || s.Mode == ropeline.ModeQueue || s.Mode == ropeline.ModeStop
}

// PlacesInside is how many places those share who are in, or have been offered a
// turn: as many as of all who were ever offered one. Slots are counted in people.
func (s State) PlacesInside() int64 {
	people := s.Offered + s.Active
	if s.Friends > 0 {
		people = (people*s.LastOffer + s.LastOffer + s.Friends - 1) / (s.LastOffer + s.Friends)
	}
	return people
}

// Waiting is how many people stand in the lobby or in the line.
func (s State) Waiting() int64 { return s.Stand.Waiting() }

// Waiting is how many people stand in a lane's part of the lobby or the line.
func (s Stand) Waiting() int64 {
	if !s.Drawn {
		return s.Collected
	}
	return s.Size - s.Cursor - s.Gone + s.Comebacks + s.Late
}

// message is what a tick publishes: the state and, for each line, the ordinals
// that departed since the message before.
type message struct {
	State
	Left [][]int64 `json:"left"`
}

//go:embed lua/begin.lua
var beginSource string
var beginScript = newScript("begin", beginSource)

//go:embed lua/offer.lua
var offerSource string
var offerScript = newScript("offer", offerSource)

// Ticked is what came of a tick.
type Ticked struct {
	State
	Leads bool // else another controller ticks the sale, and nothing was done
	More  bool // another tick at once has work

	Lease time.Duration // if another one leads: how long it does without ticking again

	Jumped time.Duration // so far the server's clock was set, which somebody should look after

	// Unsure says that the server may have lost changes of the limits: nobody is
	// offered before MendLimits has compared them with the book.
	Unsure bool
}

// Tick moves a sale's lines once if this controller leads: it ends what has run
// out, offers places to the next people who are there as far as the limits in
// Redis allow, and tells the edges. Each of its scripts is atomic and repeats
// no offer, so a tick that dies between two is made good by the next. While one
// of the lines cannot be asked, or is being put together again, nobody is
// offered: whoever stands there might be next.
func (s *Store) Tick(ctx context.Context, sale ropeline.SaleID, controller string, lease time.Duration) (Ticked, error) {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return Ticked{}, err
	}
	b, err := s.begin(ctx, sale, controller, lease)
	t := Ticked{Leads: b.leads, More: b.more, Jumped: b.jumped, Lease: b.lease, Unsure: b.unsure}
	if err != nil || !t.Leads {
		return t, err
	}
	fronts := make([]front, len(lines))
	next, fates := make([]laneFront, sh.laneCount()), make([]string, sh.laneCount())
	state := b.state
	if b.most > 0 {
		if err = s.next(ctx, lines, sh, fronts, next, b.most); err != nil {
			return Ticked{}, err
		}
		var made int64
		fates, made, state, err = s.offer(ctx, sale, controller, next)
		if errors.Is(err, errFenced) { // it slept, and another one leads
			return Ticked{}, nil
		}
		if err != nil {
			return Ticked{}, err
		}
		t.More = t.More || made >= s.most || b.cut && usedUp(next, fates) ||
			slices.ContainsFunc(next, func(f laneFront) bool { return f.more })
	}
	m := message{State: state}
	if err := s.moveOn(ctx, lines, sh, fronts, next, fates, &m); err != nil {
		return Ticked{}, err
	}
	if m.Gauge, err = s.gauge(ctx, sale, controller, m.State, b.jumped); err != nil {
		return Ticked{}, err
	}
	t.State = m.State
	if err := s.countWaits(ctx, m.State, sale, controller); err != nil {
		return Ticked{}, err
	}
	for _, left := range m.Left {
		t.More = t.More || len(left) == tickMost
	}
	return t, errors.Join(s.tell(ctx, sale, m), s.remindGates(ctx, sale, m.Limits, b.unsure))
}

// next reads the fronts of all lines and finds who is to be offered by each lane;
// nobody while a line settles, or has no order: a lane that is not there yet would
// lose its share.
func (s *Store) next(ctx context.Context, lines []lineID, sh shape, fronts []front, next []laneFront, most int64) error {
	err := onEach(lines, func(l lineID) (err error) {
		fronts[l.number], err = s.front(ctx, l, most, sh.shards > 1)
		if errors.Is(err, ErrSettling) {
			return s.settle(ctx, l)
		}
		return err
	})
	if err != nil {
		return err
	}
	for lane := range next {
		var ready bool
		if next[lane], ready = mergeFronts(of(sh, fronts, lane), most); !ready {
			clear(next)
			break
		}
	}
	return nil
}

// usedUp reports whether a lane came to the end of what was looked up of it, though
// others stand behind them: then those of all lanes may have stopped at its turn.
func usedUp(next []laneFront, fates []string) bool {
	for i, lane := range next {
		if n := len(fates[i]); lane.cut && n > 0 && fates[i][n-1] != staysInFront {
			return true
		}
	}
	return false
}

// moveOn moves all lines past those that were offered, or step aside, and
// describes them. One
// that settles is helped on.
func (s *Store) moveOn(ctx context.Context, lines []lineID, sh shape, fronts []front, next []laneFront, fates []string, m *message) error {
	stands := make([]Stand, len(lines))
	m.Left = make([][]int64, len(lines))
	err := onEach(lines, func(l lineID) (err error) {
		lane := l.number / sh.shards
		stands[l.number], m.Left[l.number], err = s.advance(ctx, l, fronts[l.number].size, next[lane].next, fates[lane])
		if !errors.Is(err, ErrSettling) {
			return err
		}
		if stands[l.number], _, _, err = s.stand(ctx, l, false); err != nil {
			return err
		}
		return s.settle(ctx, l)
	})
	m.setStands(stands)
	return err
}

// begun is what came of the beginning of a tick.
type begun struct {
	leads, more bool
	unsure      bool          // as of Ticked
	lease       time.Duration // as of Ticked
	most        int64         // how many are to be looked up at the front
	cut         bool          // there is room for more than that
	state       State         // if that is 0: the tick of the capacity is over
	jumped      time.Duration // as of Ticked
}

// begin moves the sale's deadlines along first if its server's clock has jumped.
func (s *Store) begin(ctx context.Context, sale ropeline.SaleID, controller string, lease time.Duration) (begun, error) {
	var jumped time.Duration
	for range 3 { // a second time if the clock jumped, or the call was late
		moved, err := s.payClock(ctx, sale, controller, lease)
		if err != nil {
			return begun{}, err
		}
		jumped += moved
		b, done, err := s.tryBegin(ctx, sale, controller, lease)
		b.jumped = jumped
		if err != nil || done {
			return b, err
		}
	}
	return begun{}, fmt.Errorf("the clock of the server jumps again and again")
}

// tryBegin does nothing, and is not done, if the clock is not where it should be.
func (s *Store) tryBegin(ctx context.Context, sale ropeline.SaleID, controller string, lease time.Duration) (b begun, done bool, err error) {
	keys := keysOf(sale, "leader", "state", "limits", "offered", "active", "missed", "parties", "pace", "stock")
	asked := s.stopwatch()
	earliest, latest := s.clockBetween(sale, asked)
	reply, err := s.runOn(ctx, sale, beginScript, keys, controller, lease.Milliseconds(), TickInterval.Milliseconds(), tickMost,
		ropeline.TokenMargin.Milliseconds(), earliest, latest, flag(s.limitBook != nil))
	if err != nil {
		return b, false, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	leads, now, room, more, parties, described, unsure := r.integer(), r.integer(), r.integer(), r.integer(), r.integer(), r.next(), r.integer()
	if err := r.failed("begin"); err != nil {
		return b, false, err
	}
	s.sawClock(sale, time.UnixMicro(now), asked, s.stopwatch())
	if leads == 0 {
		b.lease = time.Duration(room) * time.Millisecond
		return b, true, nil
	}
	b.leads, b.more, b.most, b.unsure = leads == 1, more == 1, room, unsure == 1
	if room > 0 && parties == 1 {
		b.most = 2*room + partiesAside // some may be parties that do not fit, whom others go past
	}
	b.cut, b.most = b.most > s.most, min(b.most, s.most)
	if b.leads && room == 0 {
		b.state, err = s.readState(sale, described)
	}
	return b, leads >= 0, err
}

// offer returns what became of each of the lanes' fronts, and how many were
// offered by this call.
func (s *Store) offer(ctx context.Context, sale ropeline.SaleID, controller string, next []laneFront) (fates []string, made int64, state State, err error) {
	args := []any{controller, TickInterval.Milliseconds(), s.most, len(next)}
	var kinds strings.Builder
	var places []any
	for _, lane := range next {
		args = append(args, len(lane.next), flag(lane.cut))
		for _, c := range lane.next {
			places = append(places, c.place)
			kinds.WriteString(string(c.kind))
		}
	}
	args = append(append(args, kinds.String()), places...)
	keys := keysOf(sale, "leader", "state", "limits", "offered", "active", "numbers", "sessions", "offers", "pace", "missed", "parties", "stock", "standing")
	reply, err := s.runOn(ctx, sale, offerScript, keys, args...)
	if err != nil {
		return nil, 0, State{}, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 3 {
		return nil, 0, State{}, fmt.Errorf("offer: unexpected reply of %d fields", len(fields))
	}
	letters, _ := fields[0].(string)
	made, _ = fields[1].(int64)
	fates = make([]string, len(next))
	for i, lane := range next {
		n := len(lane.next)
		if len(letters) < n {
			return nil, 0, State{}, fmt.Errorf("offer: %d fates too few", n-len(letters))
		}
		fates[i], letters = letters[:n], letters[n:]
	}
	state, err = s.readState(sale, fields[2])
	return fates, made, state, err
}

func (s *Store) tell(ctx context.Context, sale ropeline.SaleID, m message) error {
	m.Stock = s.stocks.news(sale, m.Stock)
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing a tick: %w", err)
	}
	return storeError("publishing a tick", s.rdb.Publish(ctx, key(sale, "ticks"), text).Err())
}

//go:embed lua/snapshot.lua
var snapshotSource string
var snapshotScript = newScript("snapshot", snapshotSource)

// State returns a sale's waiting room as it is. It changes nothing.
func (s *Store) State(ctx context.Context, sale ropeline.SaleID) (State, error) {
	v, err := s.snapshot(ctx, sale, false)
	if err != nil {
		return State{}, err
	}
	return v.State, nil
}

// Snapshot returns a sale's waiting room as it is, with all that positions are
// computed from. It changes nothing.
func (s *Store) Snapshot(ctx context.Context, sale ropeline.SaleID) (*View, error) {
	return s.snapshot(ctx, sale, true)
}

// snapshot reads the lines first: of two numbers that are not of one moment the
// older cursor goes with the newer last offer, so that for a moment a position
// may count somebody who was offered just now, and never counts one too few.
func (s *Store) snapshot(ctx context.Context, sale ropeline.SaleID, whole bool) (*View, error) {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return nil, err
	}
	stands, departed, late := make([]Stand, len(lines)), make([]bitmap, len(lines)), make([][]int64, len(lines))
	err = onEach(lines, func(l lineID) error {
		stand, raw, scores, err := s.stand(ctx, l, whole)
		stands[l.number], departed[l.number], late[l.number] = stand, newBitmap(raw), scores
		return err
	})
	if err != nil {
		return nil, err
	}
	reply, err := s.runOn(ctx, sale, snapshotScript, keysOf(sale, "state", "limits", "offered", "active", "pace", "stock"))
	if err != nil {
		return nil, err
	}
	state, err := s.readState(sale, reply)
	if err != nil {
		return nil, err
	}
	if state.EndsAt.IsZero() {
		return nil, s.lost(sale, ropeline.ErrSaleUnknown)
	}
	state.setStands(stands)
	scores := make([][]int64, sh.laneCount())
	for lane := range scores {
		scores[lane] = slices.Concat(of(sh, late, lane)...)
		slices.Sort(scores[lane])
	}
	return newView(state, departed, scores), nil
}

// readState reads what describe in prelude.lua returns.
func (s *Store) readState(sale ropeline.SaleID, reply any) (State, error) {
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	state := State{
		Now: time.UnixMicro(r.integer()).UTC(), Run: r.text(), LastOffer: r.integer(),
		ClosesAt: milli(r.integer()), OpensAt: milli(r.integer()), EndsAt: milli(r.integer()), MaxInUse: r.integer(),
		Ghosts: r.integer(), Missed: r.integer(), Claimed: r.integer(),
		Offered: r.integer(), Active: r.integer(), LastExpiry: milli(r.integer()),
		PastAge: r.integer(), PastOffer: r.integer(),
	}
	gauge, err := readGauge(r.text())
	state.Gauge, state.Friends, state.Brought, state.Posted = gauge, r.integer(), r.integer(), r.integer()
	state.Proof = Proof{Limit: r.integer(), Since: micro(r.integer()), From: r.integer(), Most: r.integer()}
	state.Limits = readLimits(&r)
	stock, unread := s.stocks.read(sale, r.text())
	state.Stock, state.Term, state.AutoWhy = stock, r.integer(), r.text()
	lanes, lanesErr := readLanes(r.text(), r.text())
	if len(lanes) > 0 {
		state.Lanes = lanes
	}
	bypassed, bypassErr := readBypass(r.text())
	state.Bypassed = bypassed
	return state, errors.Join(r.failed("state of a sale"), err, unread, lanesErr, bypassErr)
}
