package queue

import (
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/batch"
)

// Place is what is known of one fan's entry in a line.
type Place struct {
	ID       ropeline.PlaceID
	State    ropeline.PlaceState
	New      bool      // this join put it there
	Epoch    string    // in which Ordinal holds; "" before the draw
	Ordinal  int64     // rank in the line, −1 until there is an order
	Beside   bool      // put back after a loss: it stands before Ordinal, beside the line
	Back     bool      // was passed over or missed its turn, and stands before everybody now
	Party    Party     // who shares it
	Visitor  string    // whose it is, where the ticket said so; "" for anybody's
	ranks    *[]int64  // where its lane has several lines: how many of each stand before it, as lasting as Ordinal
	Score    string    // its order, an integer below 2^53; "" until there is an order
	MissedAt time.Time // passed over, or its turn not taken, then: it may return for a while; zero: it may not
	Offer    *Offer    // set from the offer on
	Session  *Session
	Pass     Pass // "" for none

	Generation int  // of the newest copy of its ticket, 0 if it never moved
	Elsewhere  bool // a newer copy than the asker's holds it
}

// Offer is somebody's turn.
type Offer struct {
	Number  int64 // rising through the sale, one per offer
	ClaimBy time.Time
	Beside  bool // it did not come by the order of the line: a return, or put back after a loss
}

// NewPlaceID makes a place id of 16 bytes from random.
func NewPlaceID(random io.Reader) (ropeline.PlaceID, error) {
	var raw [16]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("making a place id: %w", err)
	}
	return ropeline.PlaceID(base64.RawURLEncoding.EncodeToString(raw[:])), nil
}

//go:embed lua/join.lua
var joinSource string
var joinScript = newScript("join", joinSource)

// entry is one join.
type entry struct {
	place   ropeline.PlaceID
	visitor string
}

// Join puts a place into the line: into the lobby before its close, behind
// everybody after it. One visitor has one place: where visitor ("" for nobody in
// particular) has one that can still become something, that one is answered.
// Repeating a join with the same id changes nothing, so a join whose answer was
// lost is repeated. It fails with ropeline.ErrSaleUnknown, ErrSaleEnded,
// ErrSettling, ropeline.ErrStoreAway or batch.ErrFull.
func (s *Store) Join(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID, visitor string) (Place, error) {
	sh, err := s.shape(ctx, sale)
	if err != nil {
		return Place{}, err
	}
	l := lineID{sale, sh.lineOf(id)}
	home := l
	if visitor != "" && sh.laneOf(id) > 0 {
		home = sh.home(sale, visitor)
	}
	for range 2 {
		p, err := s.joinFrom(ctx, home, l, entry{id, visitor})
		if err != nil || p.New {
			return p, err
		}
		has, err := s.Find(ctx, sale, p.ID)
		over := errors.Is(err, ErrPlaceUnknown) || err == nil && has.State.Final()
		if p.ID == id || !over {
			return has, err
		}
		if err := s.forgetVisitor(ctx, home, visitor, p.ID); err != nil {
			return Place{}, err
		}
	}
	return Place{}, fmt.Errorf("join: the visitor's place ended twice")
}

// joinFrom joins a line; which place the visitor has is kept at home. Of a place in
// another lane that is said first, so a second attempt joins that very place: it may
// not have been joined yet.
func (s *Store) joinFrom(ctx context.Context, home, l lineID, e entry) (Place, error) {
	if home == l {
		return s.joiner(l).Do(ctx, e)
	}
	has, err := s.visit(ctx, home, e.visitor, e.place)
	if err != nil {
		return Place{}, err
	}
	if has.Lane() == ropeline.MainLane {
		return Place{ID: has}, nil
	}
	if l, err = s.lineOf(ctx, l.sale, has); err != nil {
		return Place{}, err
	}
	return s.joiner(l).Do(ctx, entry{place: has})
}

//go:embed lua/forget_visitor.lua
var forgetVisitorSource string
var forgetVisitorScript = newScript("forget visitor", forgetVisitorSource)

// forgetVisitor lets a visitor whose place is over join again.
func (s *Store) forgetVisitor(ctx context.Context, l lineID, visitor string, id ropeline.PlaceID) error {
	_, err := s.run(ctx, forgetVisitorScript, l.keys("visitors"), visitor, string(id))
	return err
}

func (s *Store) joiner(l lineID) *joinGatherer {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.joins[l]
	if g == nil {
		g = batch.New(joinBatch, joinBacklog, joinTimeout, func(ctx context.Context, entries []entry) []batch.Result[Place] {
			return s.joinAll(ctx, l, entries)
		})
		if s.closed {
			g.Close()
		}
		s.joins[l] = g
	}
	return g
}

func (s *Store) joinAll(ctx context.Context, l lineID, entries []entry) []batch.Result[Place] {
	args := joinArguments(s.edge, entries)
	keys := append(l.keys("line", "order", "collected", "pending", "visitors", "edges"), l.presence()+s.edge, l.key("quit"))
	reply, err := s.runOn(ctx, l.sale, joinScript, keys, args...)
	if errors.Is(err, ropeline.ErrStoreAway) {
		// The answer may be lost and the places there: a fan who tries again
		// would get a second one, and a second chance in the draw.
		reply, err = s.runOn(ctx, l.sale, joinScript, keys, args...)
	}
	results := make([]batch.Result[Place], len(entries))
	answers, _ := reply.([]any)
	if err == nil && len(answers) == 4 && answers[0] == "run" {
		joinedRun(results, entries, answers)
		s.rankJoined(ctx, l.sale, results)
		return results
	}
	if err == nil && len(answers) != len(entries) {
		err = fmt.Errorf("join: %d answers to %d joins", len(answers), len(entries))
	}
	for i, e := range entries {
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].Value, results[i].Err = joined(e.place, answers[i])
	}
	s.rankJoined(ctx, l.sale, results)
	return results
}

// joinArguments are those of join.lua: visitors only if there is one.
func joinArguments(edge string, entries []entry) []any {
	var ids strings.Builder
	ids.Grow(len(entries) * 24) // an id of ours has 22 bytes
	visited := false
	for _, e := range entries {
		ids.WriteString(string(e.place))
		ids.WriteByte(' ')
		visited = visited || e.visitor != ""
	}
	args := []any{edge, ids.String()}
	if visited {
		for _, e := range entries {
			args = append(args, e.visitor)
		}
	}
	return args
}

// rankJoined ranks places that have joined an open line in its lane's others.
// Where that fails the place is there all the same; it is ranked when somebody
// asks for it.
func (s *Store) rankJoined(ctx context.Context, sale ropeline.SaleID, results []batch.Result[Place]) {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil || sh.shards == 1 {
		return
	}
	var fresh []*Place
	for i := range results {
		if p := &results[i].Value; p.State == ropeline.PlaceWaiting {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) > 0 {
		_ = s.rankAll(ctx, lines, sh, fresh)
	}
}

// joinedRun reads the answer to joins that are all new in the line.
func joinedRun(results []batch.Result[Place], entries []entry, answers []any) {
	r := reader{fields: answers[1:]}
	ordinal, score, epoch := r.integer(), r.integer(), r.text()
	err := r.failed("join")
	for i, e := range entries {
		results[i].Err = err
		results[i].Value = waitingPlace(e.place, ordinal+int64(i), strconv.FormatInt(score+int64(i), 10), epoch)
	}
}

// waitingPlace is a place that has just joined an open line.
func waitingPlace(id ropeline.PlaceID, ordinal int64, score, epoch string) Place {
	return Place{ID: id, New: true, State: ropeline.PlaceWaiting, Epoch: epoch, Ordinal: ordinal, Score: score}
}

// joined reads one answer of join.lua.
func joined(id ropeline.PlaceID, answer any) (Place, error) {
	text, _ := answer.(string)
	switch words := strings.Fields(text); {
	case text == "known":
		return Place{ID: id}, nil
	case text == "collected":
		return Place{ID: id, New: true, State: ropeline.PlaceCollected, Ordinal: -1}, nil
	case len(words) == 2 && words[0] == "pending":
		return Place{ID: id, New: true, State: ropeline.PlaceCollected, Ordinal: -1, Score: words[1]}, nil
	case len(words) == 2 && words[0] == "visitor":
		return Place{ID: ropeline.PlaceID(words[1])}, nil
	case len(words) == 4 && words[0] == "new":
		ordinal, err := strconv.ParseInt(words[1], 10, 64)
		return waitingPlace(id, ordinal, words[2], words[3]), err
	}
	return Place{}, fmt.Errorf("join: unexpected answer %q", text)
}

//go:embed lua/find.lua
var findSource string
var findScript = newScript("find", findSource)

//go:embed lua/turn.lua
var turnSource string
var turnScript = newScript("turn", turnSource)

// Find says what has become of a place, or ErrPlaceUnknown. It changes
// nothing.
func (s *Store) Find(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Place, error) {
	places, err := s.FindAll(ctx, sale, []ropeline.PlaceID{id})
	if errors.Is(err, ErrSettling) && len(places) == 1 && places[0].State != "" {
		return places[0], nil // a leave or a turn is known before the rest
	}
	if err != nil {
		return Place{}, err
	}
	if places[0].State == "" {
		return Place{}, ErrPlaceUnknown
	}
	return places[0], nil
}

// FindAll is Find for many places, at most a thousand, in two calls, or in two
// and two for each line where there are several. A place
// that is unknown has no State. While the line settles it returns ErrSettling
// unless each of them has left or had a turn, and what is known.
func (s *Store) FindAll(ctx context.Context, sale ropeline.SaleID, ids []ropeline.PlaceID) ([]Place, error) {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return nil, err
	}
	places := make([]Place, len(ids))
	spots := make([]spot, len(ids))
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
		places[i].ID, places[i].Ordinal = id, -1
	}
	err = onEach(lines, func(l lineID) error { return s.spots(ctx, l, sh, places, spots) })
	if err != nil {
		return nil, err
	}
	settling := s.rankFound(ctx, lines, sh, places, spots)
	if settling != nil && !errors.Is(settling, ErrSettling) {
		return nil, settling
	}
	// The turns after the spots: what moves between the two moves forward.
	reply, err := s.runOn(ctx, sale, turnScript, keysOf(sale, "offered", "active", "numbers", "sessions", "missed", "generations", "parties", "state", "limits", "passes", "bought"), args...)
	if err != nil {
		return nil, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	now := milli(r.integer())
	for i := range places {
		p := &places[i]
		p.turn(now, &r)
		p.Generation, p.Party, p.Pass = int(r.integer()), Party(r.text()), Pass(r.text())
		p.stand(spots[i])
		if spots[i].what == "settling" && p.State == "" {
			settling = ErrSettling
		}
	}
	if err := r.failed("turn"); err != nil {
		return nil, err
	}
	return places, settling
}

// spot is where find.lua says that a place stands, and since when the cursor is
// past it.
type spot struct {
	what   string
	passed int64
}

// spots looks up those of the places that are of this line.
func (s *Store) spots(ctx context.Context, l lineID, sh shape, places []Place, spots []spot) error {
	var mine []int
	var args []any
	for i := range places { // not a copy: other lines write theirs
		if id := places[i].ID; sh.lineOf(id) == l.number {
			mine, args = append(mine, i), append(args, string(id))
		}
	}
	if len(mine) == 0 {
		return nil
	}
	reply, err := s.runOn(ctx, l.sale, findScript,
		l.keys("line", "order", "collected", "pending", "departed", "quit", "comebacks", "late", "passed"), args...)
	if err != nil {
		return err
	}
	var r reader
	r.fields, _ = reply.([]any)
	epoch, _ := r.text(), r.integer()
	for _, i := range mine {
		p := &places[i]
		p.Epoch, spots[i].what = epoch, r.text()
		p.Ordinal, p.Score, spots[i].passed = r.integer(), r.text(), r.integer()
	}
	return r.failed("find")
}

// rankFound ranks the places that stand in a line in its lane's others.
func (s *Store) rankFound(ctx context.Context, lines []lineID, sh shape, places []Place, spots []spot) error {
	if sh.shards == 1 {
		return nil
	}
	var standing []*Place
	for i, what := range spots {
		switch what.what {
		case "line", "late", "comeback":
			standing = append(standing, &places[i])
		default:
			places[i].Epoch = ""
		}
	}
	return s.rankAll(ctx, lines, sh, standing)
}

// turn sets what has come of the place's turn, if it had one.
func (p *Place) turn(now time.Time, r *reader) {
	number, claimBy, session, slot, missed := r.text(), milli(r.integer()), r.text(), milli(r.integer()), milli(r.integer())
	if number == "" {
		return
	}
	digits, how, _ := strings.Cut(number, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("not an offer's number: %q", number)
	}
	p.Offer = &Offer{Number: n, ClaimBy: claimBy, Beside: strings.HasPrefix(how, "beside") || strings.HasPrefix(how, "again")}
	switch {
	case slot.After(now) && strings.HasSuffix(session, " open"):
		p.State = ropeline.PlaceActive
		if p.Session, r.err = readSession(session, r.err); p.Session != nil {
			p.Session.Slot = slot
		}
	case claimBy.After(now):
		p.State = ropeline.PlaceOffered
	case session == "left":
		p.State = ropeline.PlaceLeft
	case session != "":
		p.State = ropeline.PlaceDone
	default:
		p.State = ropeline.PlaceExpired
		if how == "" || how == "beside" {
			p.MissedAt = missed
			if missed.IsZero() { // the next tick says so
				p.MissedAt = claimBy
			}
		}
	}
}

// stand sets where the place stands, for one that has had no turn or may have
// another.
func (p *Place) stand(s spot) {
	what, passed := s.what, s.passed
	switch {
	case what == "left" && p.State != ropeline.PlaceActive && p.State != ropeline.PlaceDone:
		p.State = ropeline.PlaceLeft
	case what == "comeback" && (p.State == "" || p.State == ropeline.PlaceExpired):
		p.State, p.Back, p.Ordinal, p.MissedAt = ropeline.PlaceWaiting, true, 0, time.Time{}
	case p.State != "" || what == "" || what == "settling":
	case what == "lobby":
		p.State = ropeline.PlaceCollected
	case what == "late":
		p.State, p.Beside = ropeline.PlaceWaiting, true
	case passed == 0:
		p.State = ropeline.PlaceWaiting
	default:
		p.State, p.MissedAt = ropeline.PlacePassed, milli(max(passed, 0))
	}
}

// ordered reports whether the place belongs into a line that has come to this
// score: whoever had a turn beside the line, behind that score, would stand
// among those who wait. Of a line that has not come anywhere nobody had a turn.
func (p Place) ordered(reached int64) bool {
	score, ok := scoreOf(p.Score)
	return p.Offer == nil || ok && reached > 0 && score <= reached
}

//go:embed lua/readmit.lua
var readmitSource string
var readmitScript = newScript("readmit", readmitSource)

//go:embed lua/comeback.lua
var comebackSource string
var comebackScript = newScript("comeback", comebackSource)

// Readmit puts a place that missed its turn before everybody, once and within
// the grace; it reports whether it stands there. One that came by a rule never stood in
// line, and has no score: it comes by the rule again.
func (s *Store) Readmit(ctx context.Context, sale ropeline.SaleID, t Ticket, grace time.Duration) (bool, error) {
	if t.Score == "" { // or the ticket is of the lobby
		p, err := s.Find(ctx, sale, t.Place)
		if errors.Is(err, ErrPlaceUnknown) || err == nil && p.Score == "" {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	reply, err := s.runOn(ctx, sale, readmitScript, keysOf(sale, "numbers", "sessions", "missed"), string(t.Place), grace.Milliseconds())
	if err != nil || reply != int64(1) {
		return false, err
	}
	return s.comeBack(ctx, sale, t, false)
}

// comeBack puts a place whose turn may be repeated before everybody.
func (s *Store) comeBack(ctx context.Context, sale ropeline.SaleID, t Ticket, anyhow bool) (bool, error) {
	l, err := s.lineOf(ctx, sale, t.Place)
	if err != nil {
		return false, err
	}
	keys := l.keys("line", "order", "comebacks", "departed", "quit")
	reply, err := s.runOn(ctx, sale, comebackScript, keys, string(t.Place), t.Score, flag(anyhow))
	if err != nil || reply != int64(1) {
		return false, err
	}
	s.announce(ctx, sale, t.Place)
	return true, nil
}

// announce wakes the edges where this place is watched. It only wakes: a lost
// message delays what a second tab shows until its next look.
func (s *Store) announce(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) {
	_ = s.rdb.Publish(ctx, key(sale, "changed"), string(id)).Err() // the change itself is stored: helper work may not fail it
}
