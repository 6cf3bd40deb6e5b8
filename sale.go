package ropeline

import (
	"encoding/json"
	"fmt"
	"time"
)

// SaleID names a sale: a slug of 1 to 64 lower-case letters, digits and
// hyphens. It is part of Redis keys and cookie names, so nothing else may
// appear in it.
type SaleID string

// Valid reports whether the id is a slug.
func (id SaleID) Valid() bool { return slug(string(id)) }

// slug is a loop because each request at a gate asks: a regular expression takes
// a quarter of a microsecond.
func slug(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// PerformanceID names a performance: a UUID in its canonical text form.
type PerformanceID string

// PlaceID names one fan's entry in a line: 16 random bytes in unpadded
// base64url, 22 characters. In another lane than the main one a tilde and the
// lane's name follow, so that whoever has an id knows which line to ask.
type PlaceID string

// Phase says where a sale is in its life.
type Phase string

// The phases of a sale, in their order.
const (
	PhaseLobby   Phase = "lobby"   // entrants are collected, nobody has an ordinal
	PhaseDrawing Phase = "drawing" // the lobby is closed, its order is being drawn
	PhaseOpen    Phase = "open"    // the order is known; admission runs from OpensAt
	PhaseEnded   Phase = "ended"   // nobody joins or is admitted any more
)

// PlaceState says what has become of a place.
type PlaceState string

// The states of a place. Left, Expired and Done are final.
const (
	PlaceCollected PlaceState = "collected" // in the lobby, or joined while the draw runs
	PlaceWaiting   PlaceState = "waiting"
	PlacePassed    PlaceState = "passed"  // was away when its turn came; being here again in time brings it to the front
	PlaceOffered   PlaceState = "offered" // it is your turn: claim before ClaimBy
	PlaceActive    PlaceState = "active"  // claimed; holds an admission token
	PlaceDone      PlaceState = "done"    // the session is over
	PlaceLeft      PlaceState = "left"    // gave the place up
	PlaceExpired   PlaceState = "expired" // did not claim the offer in time
)

// Final reports whether nothing can become of a place any more by itself. A
// fan who missed a turn may still ask for it again.
func (s PlaceState) Final() bool { return s == PlaceLeft || s == PlaceExpired || s == PlaceDone }

// Seconds is a span of time in whole seconds, as JSON and Redis carry it.
type Seconds int64

// Duration converts to the standard library's unit.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Sale is the settings document of one sale: everything an edge or a
// controller must know to serve the line without asking Postgres.
type Sale struct {
	ID      SaleID `json:"id"`
	Version int64  `json:"version"` // the newest version wins; 1 or more
	Title   string `json:"title"`

	// SafetyNet makes it a room that is always open, without lobby and draw: nobody
	// waits until a limit is met, and then by arrival. lobby_closes_at is left
	// out, visitors, lanes and beacon too: it asks nothing of anybody. It cannot be
	// changed once the sale is published.
	SafetyNet bool `json:"safety_net,omitempty"`

	LobbyClosesAt time.Time `json:"lobby_closes_at"` // the draw starts; before OpensAt
	OpensAt       time.Time `json:"opens_at"`        // nobody is admitted earlier
	EndsAt        time.Time `json:"ends_at"`

	Performances []PerformanceID `json:"performances"`

	// Visitor says who may join, and who is one and the same.
	Visitor VisitorRule `json:"visitor,omitzero"`

	// Beacon goes into the draw; nil for none.
	Beacon *Beacon `json:"beacon,omitempty"`

	// Lanes are the lines beside the main one. Which there are cannot be changed
	// once the sale is published; their shares can.
	Lanes []Lane `json:"lanes,omitempty"`

	// Bypass are the rules by which somebody is let in past the line.
	Bypass []Bypass `json:"bypass,omitempty"`

	// Shards is over how many lines each lane is spread, each of which may be on
	// another node of a Redis Cluster: for sales too large for one. 0 means 1. It
	// cannot be changed once the sale is published.
	Shards int `json:"shards,omitempty"`

	// Cap and Rate are the values a new sale starts with. Live values are
	// tuned in Redis and outlive a new version of this document.
	Cap  int64 `json:"cap"`  // people offered or admitted at any instant
	Rate int64 `json:"rate"` // people offered per minute

	ClaimWindow    Seconds `json:"claim_window"`             // to claim an offer
	TokenLife      Seconds `json:"token_life"`               // of one admission token; at least MinTokenLife
	SessionMax     Seconds `json:"session_max"`              // from claim to the end, however often renewed
	Hold           Seconds `json:"hold"`                     // units stay reserved
	ReturnsWindow  Seconds `json:"returns_window,omitempty"` // to claim an offer of the returns list; 0 for the default, half an hour
	HoldExtensions int     `json:"hold_extensions"`          // how often a hold may be extended by Hold
	PaymentGrace   Seconds `json:"payment_grace,omitempty"`  // a hold stays with its fan for this long at least after a failed payment, the first time; 0 for the default, two minutes
	UnitsPerHold   int     `json:"units_per_hold"`
	UnitsPerPlace  int     `json:"units_per_place,omitempty"` // that one place, a person or a party, may hold and have bought in all; 0: any number
	TurnNotice     Seconds `json:"turn_notice,omitempty"`     // so long before a turn is expected at the earliest who asked is told; 0 for DefaultTurnNotice
	PartyMax       int     `json:"party_max,omitempty"`       // members of a party, who share one place; 0 or 1: no parties
}

// The cap counts a session until nobody would accept its last token any more,
// so these three are one contract between the line and every verifier.
const (
	// TokenLeeway is how long after its exp a verifier still accepts a token.
	TokenLeeway = time.Second
	// ClockSkew is how far apart the clocks of Redis and of a verifier may be.
	ClockSkew = 2 * time.Second
	// TokenMargin is how long past its exp a token may still be accepted
	// somewhere. A slot is counted for this long after its last token's exp,
	// and no token is issued whose exp is nearer than this to the end of its
	// session.
	TokenMargin = TokenLeeway + ClockSkew
)

// The shortest life of an admission token leaves two seconds to use it in
// beside TokenMargin; the longest bounds how long gates remember a session
// that ended early.
const (
	MinTokenLife Seconds = 5
	MaxTokenLife Seconds = 600
)

// How long before a turn who asked is told of it. Estimates of more than two hours ahead are
// guesses, and a letter takes a part of a minute.
const (
	MinTurnNotice     Seconds = 60
	DefaultTurnNotice Seconds = 600
	MaxTurnNotice     Seconds = 7200
)

// Notice is how long before a turn who asked is told of it.
func (s Sale) Notice() time.Duration {
	if s.TurnNotice == 0 {
		return DefaultTurnNotice.Duration()
	}
	return s.TurnNotice.Duration()
}

// Lines is over how many lines the sale is spread: so many shards a lane.
func (s Sale) Lines() int { return (1 + len(s.Lanes)) * max(1, s.Shards) }

// PaymentReserve is how long before the latest end of its session a hold runs out
// at the latest: as long as a payment may take that begins in its last second.
const PaymentReserve = 15 * time.Minute

// HoldsEnd is the time past which no hold of a session lives that ends at ends,
// unless it is being paid for. In a sale with short sessions it is the half of one
// before that.
func (s Sale) HoldsEnd(ends time.Time) time.Time {
	return ends.Add(-min(PaymentReserve, s.SessionMax.Duration()/2))
}

// Validate names the first setting that cannot be served.
func (s Sale) Validate() error {
	bad := func(field, why string) error {
		return &Error{Kind: Invalid, Code: "sale-invalid", Detail: fmt.Sprintf("sale %q: %s %s", s.ID, field, why)}
	}
	switch {
	case !s.ID.Valid():
		return bad("id", "must be a slug of lower-case letters, digits and hyphens")
	case s.Version < 1:
		return bad("version", "must be at least 1")
	case s.Title == "":
		return bad("title", "is missing")
	case s.SafetyNet && !s.LobbyClosesAt.IsZero() && !s.LobbyClosesAt.Equal(s.OpensAt):
		return bad("lobby_closes_at", "must be left out of a safety net, which has no lobby")
	case s.SafetyNet && s.Beacon != nil:
		return bad("beacon", "must be left out of a safety net, which draws nothing")
	case s.SafetyNet && len(s.Lanes) > 0:
		return bad("lanes", "must be left out of a safety net, which asks nothing of anybody")
	case s.SafetyNet && s.Visitor.Kind != "":
		return bad("visitor", "must be left out of a safety net, which asks nothing of anybody")
	case !s.SafetyNet && !s.LobbyClosesAt.Before(s.OpensAt):
		return bad("lobby_closes_at", "must lie before opens_at")
	case !s.OpensAt.Before(s.EndsAt):
		return bad("ends_at", "must lie after opens_at")
	case s.Shards < 0 || s.Shards > MaxShards:
		return bad("shards", fmt.Sprintf("must lie between 1 and %d", MaxShards))
	case s.Cap < 0 || s.Cap > MaxCap:
		return bad("cap", fmt.Sprintf("must lie between 0 and %d", MaxCap))
	case s.Rate < 0 || s.Rate > MaxRate:
		return bad("rate", fmt.Sprintf("must lie between 0 and %d", MaxRate))
	case s.ClaimWindow < 1 || s.ClaimWindow > MaxSpan:
		return bad("claim_window", fmt.Sprintf("must lie between 1 and %d seconds", MaxSpan))
	case s.TokenLife < MinTokenLife || s.TokenLife > MaxTokenLife:
		return bad("token_life", fmt.Sprintf("must lie between %d and %d seconds", MinTokenLife, MaxTokenLife))
	case s.SessionMax < s.TokenLife || s.SessionMax > MaxSpan:
		return bad("session_max", fmt.Sprintf("must be at least token_life, and %d seconds at most", MaxSpan))
	case s.Hold < 1 || s.Hold > MaxSpan:
		return bad("hold", fmt.Sprintf("must lie between 1 and %d seconds", MaxSpan))
	case s.HoldExtensions < 0 || s.HoldExtensions > MaxHoldExtensions:
		return bad("hold_extensions", fmt.Sprintf("must lie between 0 and %d", MaxHoldExtensions))
	case s.PaymentGrace < 0 || s.PaymentGrace > Seconds(PaymentReserve/time.Second):
		return bad("payment_grace", fmt.Sprintf("must lie between 0 and %d seconds", int(PaymentReserve.Seconds())))
	case s.ReturnsWindow < 0 || s.ReturnsWindow > MaxReturnsWindow:
		return bad("returns_window", fmt.Sprintf("must lie between 0 and %d seconds", MaxReturnsWindow))
	case s.UnitsPerHold < 1 || s.UnitsPerHold > MaxUnitsPerHold:
		return bad("units_per_hold", fmt.Sprintf("must lie between 1 and %d", MaxUnitsPerHold))
	case s.UnitsPerPlace < 0 || s.UnitsPerPlace > MaxUnitsPerPlace:
		return bad("units_per_place", fmt.Sprintf("must lie between 0 and %d", MaxUnitsPerPlace))
	case s.UnitsPerPlace > 0 && s.UnitsPerPlace < s.UnitsPerHold:
		return bad("units_per_place", "must not be less than units_per_hold")
	case s.TurnNotice != 0 && (s.TurnNotice < MinTurnNotice || s.TurnNotice > MaxTurnNotice):
		return bad("turn_notice", fmt.Sprintf("must lie between %d and %d seconds, or be left out for %d", MinTurnNotice, MaxTurnNotice, DefaultTurnNotice))
	case s.PartyMax < 0 || s.PartyMax > MaxParty:
		return bad("party_max", fmt.Sprintf("must lie between 0 and %d", MaxParty))
	case s.PartyMax > 1 && (s.Visitor.Kind == VisitorInvitation || s.Visitor.Kind == VisitorAccount): // a party's link lets in whoever has it
		return bad("party_max", "must be 0 in a sale for the invited, or for accounts, alone")
	}
	if field, why := s.Visitor.validate(); field != "" {
		return bad(field, why)
	}
	if field, why := s.validateLanes(); field != "" {
		return bad(field, why)
	}
	if field, why := s.validateBypass(); field != "" {
		return bad(field, why)
	}
	if s.Beacon != nil {
		if field, why := s.Beacon.validate(s.LobbyClosesAt, s.OpensAt); field != "" {
			return bad(field, why)
		}
	}
	return nil
}

// Bounds that keep arithmetic in scripts exact and one request's work small.
const (
	MaxCap           = 10_000_000
	MaxRate          = 10_000_000 // a minute
	MaxUnitsPerHold  = 100
	MaxUnitsPerPlace = 1000
	MaxReturnsWindow = 7 * 24 * 3600 // seconds
	MaxParty         = 10

	MaxHoldExtensions         = 1000
	MaxSpan           Seconds = 366 * 24 * 3600 // of any span of a sale: 292 years overflow a time.Duration
	MaxShards                 = 64              // a tick asks each of them
)

// ParseSale reads a settings document and validates it.
func ParseSale(doc []byte) (Sale, error) {
	var s Sale
	if err := json.Unmarshal(doc, &s); err != nil {
		return Sale{}, fmt.Errorf("reading sale document: %w", err)
	}
	return s, s.Validate()
}
