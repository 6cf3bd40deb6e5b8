package terms

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
)

// Change is one thing that is different. Each page says it in its own language:
// What is a field of the sheet, and From and To are as the sheet has them, an
// amount with its currency behind it, "" for what was or is not there.
type Change struct {
	What string `json:"what"`
	Of   string `json:"of,omitempty"` // the name of the tier or performance
	From string `json:"from"`
	To   string `json:"to"`
}

// String is for those who check a sheet on the command line.
func (c Change) String() string {
	text := c.What
	if c.Of != "" {
		text += " of " + c.Of
	}
	return fmt.Sprintf("%s: %q, now %q", text, c.From, c.To)
}

// compared collects changes.
type compared []Change

func (c *compared) see(what, of, from, to string) {
	if from != to {
		*c = append(*c, Change{What: what, Of: of, From: from, To: to})
	}
}

// changes returns what is different in b, in the order of the sheet.
func changes(a, b Content) []Change {
	var c compared
	c.see("title", "", a.Title, b.Title)
	c.see("lobby_closes_at", "", day(a.LobbyClosesAt), day(b.LobbyClosesAt))
	c.see("opens_at", "", day(a.OpensAt), day(b.OpensAt))
	c.see("ends_at", "", day(a.EndsAt), day(b.EndsAt))
	c.performances(a.Performances, b.Performances)
	c.see("units_per_hold", "", strconv.Itoa(a.UnitsPerHold), strconv.Itoa(b.UnitsPerHold))
	c.see("units_per_place", "", number(a.UnitsPerPlace), number(b.UnitsPerPlace))
	c.see("hold", "", span(a.Hold), span(b.Hold))
	c.see("hold_extensions", "", strconv.Itoa(a.HoldExtensions), strconv.Itoa(b.HoldExtensions))
	c.see("party_max", "", strconv.Itoa(a.PartyMax), strconv.Itoa(b.PartyMax))
	c.see("visitor", "", a.Visitor, b.Visitor)
	c.see("claim_window", "", span(a.ClaimWindow), span(b.ClaimWindow))
	c.see("session_max", "", span(a.SessionMax), span(b.SessionMax))
	c.see("draw", "", a.Draw, b.Draw)
	c.see("beacon", "", a.Beacon, b.Beacon)
	c.lanes(a.Lanes, b.Lanes)
	return c
}

func (c *compared) performances(a, b []Performance) {
	pairs(a, b, func(p Performance) string { return string(p.ID) }, func(was, is *Performance) {
		switch {
		case is == nil:
			c.see("performance", was.Title, day(was.StartsAt), "")
			return
		case was == nil:
			c.see("performance", is.Title, "", day(is.StartsAt))
			return
		}
		c.see("performance_title", was.Title, was.Title, is.Title)
		c.see("venue", is.Title, was.Venue, is.Venue)
		c.see("starts_at", is.Title, day(was.StartsAt), day(is.StartsAt))
		c.tiers(was.Tiers, is.Tiers)
	})
}

func (c *compared) tiers(a, b []Tier) {
	pairs(a, b, func(t Tier) string { return t.ID }, func(was, is *Tier) {
		switch {
		case is == nil:
			c.see("tier", was.Name, was.price(), "")
			return
		case was == nil:
			c.see("tier", is.Name, "", is.price())
			return
		}
		c.see("tier_name", was.Name, was.Name, is.Name)
		c.see("kind", is.Name, was.Kind, is.Kind)
		c.see("price", is.Name, was.price(), is.price())
		c.see("units", is.Name, strconv.Itoa(was.Units), strconv.Itoa(is.Units))
	})
}

func (c *compared) lanes(a, b []Lane) {
	pairs(a, b, func(l Lane) string { return l.Name }, func(was, is *Lane) {
		switch {
		case is == nil:
			c.see("lane", was.Title, strconv.Itoa(was.Share), "")
			return
		case was == nil:
			c.see("lane", is.Title, "", strconv.Itoa(is.Share))
			return
		}
		c.see("lane_title", was.Title, was.Title, is.Title)
		c.see("lane_share", is.Title, strconv.Itoa(was.Share), strconv.Itoa(is.Share))
		c.see("lane_entry", is.Title, was.Entry, is.Entry)
	})
}

// pairs calls f for each of a with its like in b, nil if there is none, and then
// for those that only b has.
func pairs[T any](a, b []T, id func(T) string, f func(was, is *T)) {
	there := make(map[string]*T, len(b))
	for i := range b {
		there[id(b[i])] = &b[i]
	}
	for i := range a {
		f(&a[i], there[id(a[i])])
		delete(there, id(a[i]))
	}
	for i := range b {
		if there[id(b[i])] != nil {
			f(nil, &b[i])
		}
	}
}

func (t Tier) price() string { return fmt.Sprintf("%d %s", t.Amount, t.Currency) }

func day(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func span(s ropeline.Seconds) string { return strconv.FormatInt(int64(s), 10) }

// number is a limit in words, nothing where there is none.
func number(most int) string {
	if most == 0 {
		return ""
	}
	return strconv.Itoa(most)
}
