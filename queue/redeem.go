package queue

import (
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
)

// How many wrong codes somebody may bring in a minute. Where an address or a sale
// has had more, a place has one a minute still: an attacker who fills what all
// share cannot lock anybody out.
const (
	triesOfPlace   = 5
	triesOfAddress = 30
	triesOfSale    = 5000
)

// Redeemed is what a code leads to.
type Redeemed struct {
	Lane  string
	Place ropeline.PlaceID // in that lane
	Again bool             // this place has taken a use of it before
	Tries int              // left this minute, where it leads nowhere
}

// Redeemer is who brings a code.
type Redeemer struct {
	Place   ropeline.PlaceID // their place, or the one that their join would get
	Address string
	Joins   bool // there is no place yet: what the address may try is all there is
	Moves   bool // the place can move to another lane
}

//go:embed lua/redeem.lua
var redeemSource string
var redeemScript = newScript("redeem", redeemSource)

// Redeem looks at a code and, if take, takes a use of it for the place: once,
// however often that is repeated. Then Move, or a join, goes to the lane. It needs
// code and place key. What comes with an error says how many tries are left.
func (s *Store) Redeem(ctx context.Context, sale ropeline.SaleID, by Redeemer, code string, take bool) (Redeemed, error) {
	hash, err := s.hashCode(sale, code)
	if err != nil {
		return Redeemed{}, err
	}
	floor := 1
	if by.Joins {
		floor = 0
	}
	reply, err := s.runOn(ctx, sale, redeemScript, keysOf(sale, "codes", "code-batches", "code-uses", "redeemed", "code-tries", "state", "code-unkept"),
		hash, string(by.Place), by.Address, flag(take), triesOfPlace, triesOfAddress, triesOfSale, floor, flag(by.Moves), by.Place.Lane())
	if err != nil {
		return Redeemed{}, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	what, lane, left, rest, batch := r.text(), r.text(), r.integer(), r.integer(), r.text()
	if err := r.failed("redeem"); err != nil {
		return Redeemed{}, err
	}
	if what == "ok" && take {
		s.usedCode(sale, CodeUse{Place: by.Place, Hash: hash, Batch: batch})
	}
	if what == "ok" || what == "again" {
		return Redeemed{Lane: lane, Place: s.placeIn(sale, by.Place, lane), Again: what == "again"}, nil
	}
	return Redeemed{Tries: int(left)}, refusal(what, left, time.Duration(rest)*time.Second)
}

// refusal says why a code leads nowhere, and when there are tries again.
func refusal(what string, left int64, rest time.Duration) error {
	refused := map[string]*ropeline.Error{
		"unknown": ErrCodeWrong, "revoked": ErrCodeRevoked, "early": ErrCodeEarly, "late": ErrCodeOver, "spent": ErrCodeSpent,
		"wait": ErrCodeTries, "away": ErrCodesUnavailable, "here": ErrLaneHere, "fixed": ErrLaneFixed,
	}[what]
	if refused == nil {
		return fmt.Errorf("redeem: unexpected answer %q", what)
	}
	told := *refused
	switch what {
	case "wait":
		told.RetryAfter = rest
	case "away":
		told.RetryAfter = codesBack
	case "here", "fixed":
	default:
		told.Detail += fmt.Sprintf(" Tries left in this minute: %d.", left)
	}
	return &told
}

// placeIn is the place that somebody gets in a lane by a code: the same one for
// each attempt, so that an answer that was lost loses nothing.
func (s *Store) placeIn(sale ropeline.SaleID, place ropeline.PlaceID, lane string) ropeline.PlaceID {
	raw := sign(s.keys.Place, fmt.Sprintf("lane\n%s\n%s\n%s", sale, place, lane))
	return ropeline.PlaceID(base64.RawURLEncoding.EncodeToString(raw[:16])).In(lane)
}

// Move moves whoever holds a ticket to a place in another lane: into its draw
// while the lobby is open, else to its tail. The new place is there before the old
// one is given up, and every step can be repeated.
func (s *Store) Move(ctx context.Context, sale ropeline.SaleID, t Ticket, to ropeline.PlaceID) (Place, error) {
	p, err := s.Join(ctx, sale, to, "")
	if err != nil {
		return Place{}, err
	}
	if t.Visitor != "" {
		sh, err := s.shape(ctx, sale)
		if err != nil {
			return Place{}, err
		}
		if _, err := s.run(ctx, visitScript, sh.home(sale, t.Visitor).keys("visitors"), t.Visitor, string(to), string(t.Place)); err != nil {
			return Place{}, err
		}
	}
	if _, err := s.Leave(ctx, sale, t.Place); err != nil && !errors.Is(err, ErrPlaceUnknown) {
		return Place{}, err
	}
	p.Visitor = t.Visitor
	return p, nil
}

// Movable reports whether a place can move to another lane: it waits, and nobody
// shares it.
func (p Place) Movable() bool {
	waits := p.State == ropeline.PlaceCollected || p.State == ropeline.PlaceWaiting && !p.Back && !p.Beside
	return waits && p.Party.Size() == 1
}
