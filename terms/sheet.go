// Package terms is the terms sheet of a sale: what is sold at which price, and
// by which rules, as one signed document that everybody can keep.
//
// The one hard idea is that a sheet is never changed. A change makes the next
// version, which names its reason, what is different and the hash of the sheet
// before it; so whoever holds the sheet they joined under can show what it
// said, and that nothing was slipped in between.
//
// The package writes, compares and verifies sheets. It cannot sign (package
// admission does), and does not know where they are kept.
package terms

import (
	"bytes"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// Format names the form of a sheet.
const Format = "ropeline-terms 1"

// Sheet is one version of the terms of a sale.
type Sheet struct {
	Format   string          `json:"format"`
	Sale     ropeline.SaleID `json:"sale"`
	Version  int             `json:"version"`            // 1, 2, 3 …
	At       time.Time       `json:"at"`                 // when it was published, whole seconds
	Reason   string          `json:"reason,omitempty"`   // of the change; none in version 1
	Previous string          `json:"previous,omitempty"` // the hash of the version before
	Changes  []Change        `json:"changes,omitempty"`  // against it

	Content
}

// Content is what the terms are. Spans of time are seconds, amounts are in minor
// units of their currency.
type Content struct {
	Title         string        `json:"title"`
	LobbyClosesAt time.Time     `json:"lobby_closes_at"`
	OpensAt       time.Time     `json:"opens_at"`
	EndsAt        time.Time     `json:"ends_at"`
	Performances  []Performance `json:"performances"`

	UnitsPerHold   int              `json:"units_per_hold"`            // that one person may hold at once
	UnitsPerPlace  int              `json:"units_per_place,omitempty"` // that one place may have in all; 0: any number
	Hold           ropeline.Seconds `json:"hold"`
	HoldExtensions int              `json:"hold_extensions"`
	PartyMax       int              `json:"party_max"` // friends who may share a place; 0: none
	Visitor        string           `json:"visitor"`   // whom the sale gives one place each
	ClaimWindow    ropeline.Seconds `json:"claim_window"`
	SessionMax     ropeline.Seconds `json:"session_max"`
	Draw           string           `json:"draw"`   // how the order of the line is made: by lot, or by arrival
	Beacon         string           `json:"beacon"` // what goes into the draw from outside; "none"
	Lanes          []Lane           `json:"lanes,omitempty"`
}

// Lane is a line beside the main one, and its share of 100 turns.
type Lane struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Share int    `json:"share"`
	Entry string `json:"entry"` // how one comes in
}

// Performance is one date of a show, with its tiers in the order of their units.
type Performance struct {
	ID       ropeline.PerformanceID `json:"id"`
	Title    string                 `json:"title"`
	Venue    string                 `json:"venue"`
	StartsAt time.Time              `json:"starts_at"`
	Tiers    []Tier                 `json:"tiers"`
}

// Tier is a price and how many units cost it.
type Tier struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Units    int    `json:"units"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// ByLot is how every lobby is ordered; ByArrival is the order of a safety net,
// which has no lobby.
const (
	ByLot     = "lot"
	ByArrival = "arrival"
)

// Of returns what the settings of a sale say of its terms; its performances are
// the catalogue's.
func Of(s ropeline.Sale, performances []Performance) Content {
	visitor, beacon := string(s.Visitor.Kind), "none"
	if visitor == "" {
		visitor = "anybody"
	}
	if s.Beacon != nil {
		beacon = s.Beacon.Rule()
	}
	party := s.PartyMax
	if party < 2 {
		party = 0
	}
	closes, order := s.LobbyClosesAt, ByLot
	if s.SafetyNet {
		closes, order = s.OpensAt, ByArrival
	}
	var lanes []Lane
	for _, l := range s.Lanes {
		ways := make([]string, len(l.Entry))
		for i, way := range l.Entry {
			ways[i] = string(way)
		}
		lanes = append(lanes, Lane{l.Name, l.Title, l.Share, strings.Join(ways, ", ")})
	}
	return Content{
		Title: s.Title, LobbyClosesAt: closes.UTC(), OpensAt: s.OpensAt.UTC(), EndsAt: s.EndsAt.UTC(),
		Performances: performances, UnitsPerHold: s.UnitsPerHold, UnitsPerPlace: s.UnitsPerPlace, Hold: s.Hold, HoldExtensions: s.HoldExtensions,
		PartyMax: party, Visitor: visitor, ClaimWindow: s.ClaimWindow, SessionMax: s.SessionMax, Draw: order, Beacon: beacon, Lanes: lanes,
	}
}

// First is the first version of a sale's terms.
func First(sale ropeline.SaleID, c Content, at time.Time) Sheet {
	return Sheet{Format: Format, Sale: sale, Version: 1, At: at.UTC().Truncate(time.Second), Content: c}
}

// Next is the version after this one, with what is different in it; ok is false
// if nothing is.
func (s Sheet) Next(c Content, at time.Time, reason string) (next Sheet, ok bool, err error) {
	old, err := Canonical(s.Content)
	if err != nil {
		return Sheet{}, false, err
	}
	fresh, err := Canonical(c)
	if err != nil || bytes.Equal(old, fresh) {
		return s, false, err
	}
	hash, err := s.Hash()
	if err != nil {
		return Sheet{}, false, err
	}
	return Sheet{
		Format: Format, Sale: s.Sale, Version: s.Version + 1, At: at.UTC().Truncate(time.Second), Reason: reason,
		Previous: hash, Changes: changes(s.Content, c), Content: c,
	}, true, nil
}
