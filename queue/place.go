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
	ID      ropeline.PlaceID
	State   ropeline.PlaceState
	New     bool   // this join put it there
	Epoch   string // in which Ordinal holds; "" before the draw
	Ordinal int64  // rank in the line, −1 until there is an order
	Score   string // its order, an integer below 2^53; "" until there is an order
	Offer   *Offer // set from the offer on
	Session *Session
}

// Offer is somebody's turn.
type Offer struct {
	Number  int64 // rising through the sale, one per offer
	ClaimBy time.Time
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

// Join puts a place into the line: into the lobby before its close, behind
// everybody after it. Repeating it with the same id changes nothing, so a join
// whose answer was lost is repeated. It fails with ropeline.ErrSaleUnknown,
// ErrSaleEnded, ropeline.ErrStoreAway or batch.ErrFull.
func (s *Store) Join(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Place, error) {
	p, err := s.joiner(sale).Do(ctx, id)
	if err != nil || p.New {
		return p, err
	}
	return s.Find(ctx, sale, id)
}

func (s *Store) joiner(sale ropeline.SaleID) *joinGatherer {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.joins[sale]
	if g == nil {
		g = batch.New(joinBatch, joinBacklog, joinTimeout, func(ctx context.Context, ids []ropeline.PlaceID) []batch.Result[Place] {
			return s.joinAll(ctx, sale, ids)
		})
		if s.closed {
			g.Close()
		}
		s.joins[sale] = g
	}
	return g
}

func (s *Store) joinAll(ctx context.Context, sale ropeline.SaleID, ids []ropeline.PlaceID) []batch.Result[Place] {
	results := make([]batch.Result[Place], len(ids))
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	keys := []string{key(sale, "state"), key(sale, "order"), key(sale, "collected"), key(sale, "pending")}
	reply, err := s.run(ctx, joinScript, keys, args...)
	if errors.Is(err, ropeline.ErrStoreAway) {
		// The answer may be lost and the places there: a fan who tries again
		// would get a second one, and a second chance in the draw.
		reply, err = s.run(ctx, joinScript, keys, args...)
	}
	answers, _ := reply.([]any)
	for i, id := range ids {
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].Value, results[i].Err = joined(id, answers[i])
	}
	return results
}

// joined reads one answer of join.lua.
func joined(id ropeline.PlaceID, answer any) (Place, error) {
	text, _ := answer.(string)
	switch words := strings.Fields(text); {
	case text == "known":
		return Place{ID: id}, nil
	case text == "collected":
		return Place{ID: id, New: true, State: ropeline.PlaceCollected, Ordinal: -1}, nil
	case len(words) == 3 && words[0] == "new":
		ordinal, err := strconv.ParseInt(words[1], 10, 64)
		return Place{ID: id, New: true, State: ropeline.PlaceWaiting, Ordinal: ordinal, Score: words[2]}, err
	}
	return Place{}, fmt.Errorf("join: unexpected answer %q", text)
}

//go:embed lua/find.lua
var findSource string
var findScript = newScript("find", findSource)

// Find says what has become of a place, or ErrPlaceUnknown. It changes
// nothing.
func (s *Store) Find(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Place, error) {
	keys := []string{key(sale, "state"), key(sale, "order"), key(sale, "collected"), key(sale, "pending"), key(sale, "departed"),
		key(sale, "offered"), key(sale, "active"), key(sale, "numbers"), key(sale, "sessions"), key(sale, "quit")}
	reply, err := s.run(ctx, findScript, keys, string(id))
	if err != nil {
		return Place{}, err
	}
	f, _ := reply.([]any)
	if len(f) == 0 {
		return Place{}, ErrPlaceUnknown
	}
	r := reader{fields: f}
	p := Place{ID: id, State: ropeline.PlaceState(r.text()), Epoch: r.text(), Ordinal: r.integer(), Score: r.text()}
	number, claimBy, session := r.integer(), r.integer(), r.text()
	if number > 0 {
		p.Offer = &Offer{Number: number, ClaimBy: milli(claimBy)}
	}
	if p.State == ropeline.PlaceActive {
		p.Session, r.err = readSession(session, r.err)
	}
	return p, r.failed("find")
}

//go:embed lua/leave.lua
var leaveSource string
var leaveScript = newScript("leave", leaveSource)

// Leave gives a place up for ever: a waiting fan departs, an offer's slot is
// free at once, a session is ended as End does. It reports whether every gate
// acknowledged the end of a session (true where there was none). Leaving twice
// is no error; an unknown place is ErrPlaceUnknown.
func (s *Store) Leave(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (acknowledged bool, err error) {
	keys := []string{key(sale, "state"), key(sale, "order"), key(sale, "collected"), key(sale, "departed"), key(sale, "left"),
		key(sale, "offered"), key(sale, "sessions"), key(sale, "quit"), key(sale, "pending"), key(sale, "numbers"), key(sale, "active")}
	reply, err := s.run(ctx, leaveScript, keys, string(id))
	if err != nil {
		return false, err
	}
	switch reply {
	case "active":
		return s.End(ctx, sale, id)
	case "unknown":
		return false, ErrPlaceUnknown
	case "left":
		s.announce(ctx, sale, id)
	}
	return true, nil
}

// announce wakes the edges where this place is watched. It only wakes: a lost
// message delays what a second tab shows until its next look.
func (s *Store) announce(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) {
	_ = s.rdb.Publish(ctx, key(sale, "changed"), string(id)).Err() // the change itself is stored: helper work may not fail it
}
