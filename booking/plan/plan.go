// Package plan says what an organizer pays the platform, and what they get for it.
//
// A plan is a document: a price for each month or year, a fee for each sale, and
// entitlements. The one rule of entitlements is that what a plan does not name is not
// limited. So the plan of an installation that sells for itself is an empty one, and an
// entitlement that is added later takes nothing away from anybody.
//
// The package is arithmetic: which periods there are, what follows what, what is allowed. It
// reads nothing and writes nothing; package catalogue keeps plans and what was chosen.
package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/tariff"
)

// Free is the plan of whoever has chosen none, or whose time is over.
const Free = "free"

// Plan is a version of one. Its JSON is described in docs/plans.md.
type Plan struct {
	ID           string        `json:"id" doc:"a slug; free is what whoever has chosen none has"`
	Name         string        `json:"name" doc:"as organizers read it"`
	Price        booking.Money `json:"price,omitzero" doc:"of each period; nothing if left out"`
	Period       Period        `json:"period" enum:"month,year"`
	Fee          *Fee          `json:"fee,omitempty" doc:"the platform's, of each order; left out: programs say it in their tariff"`
	Entitlements Entitlements  `json:"entitlements"`
	Closed       bool          `json:"closed,omitempty" doc:"nobody new can choose it; whoever has it keeps it"`
}

// Fee is the platform's part of each order.
type Fee struct {
	Rate  int              `json:"rate,omitempty" doc:"part of the price, in basis points (250 is 2.5 %)"`
	Fixed map[string]int64 `json:"fixed,omitempty" doc:"added to that for each order, in minor units, by currency; if there are any, nothing is sold in other currencies"`
}

// Entitlements are what a plan allows. What is left out is not limited.
type Entitlements struct {
	Rooms     *int  `json:"rooms,omitempty" doc:"waiting rooms open at once: from when a sale is published until it ends"`
	Lanes     *int  `json:"lanes,omitempty" doc:"lanes of a sale, beside the main one"`
	Automatic *bool `json:"automatic,omitempty" doc:"the automatic mode"`
	OwnLook   *bool `json:"own_look,omitempty" doc:"pages in the organizer's own look"`
	APIKeys   *int  `json:"api_keys,omitempty" doc:"keys for the organizer's programs"`
	Exports   *bool `json:"exports,omitempty" doc:"settlements as files"`
}

// Refusals of a plan, and by a plan.
var (
	ErrInvalid   = &ropeline.Error{Kind: ropeline.Invalid, Code: "plan-invalid"}
	ErrCurrency  = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-currency"}
	ErrFee       = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-fee"}
	ErrRooms     = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-rooms"}
	ErrLanes     = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-lanes"}
	ErrAutomatic = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-automatic"}
	ErrExports   = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-exports"}
)

func detailed(e *ropeline.Error, format string, args ...any) error {
	c := *e
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

const (
	maxCount = 1_000_000 // of anything: more is no limit
	maxName  = 100       // characters
)

var (
	slug     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// Parse reads a plan and refuses members that it does not know.
func Parse(text []byte) (Plan, error) {
	var p Plan
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Plan{}, detailed(ErrInvalid, "It cannot be read: %v.", err)
	}
	if d.More() {
		return Plan{}, detailed(ErrInvalid, "Something follows its end.")
	}
	return p, p.Validate()
}

// Validate names the first field that is wrong.
func (p Plan) Validate() error {
	bad := func(field, why string) error { return detailed(ErrInvalid, "%s %s.", field, why) }
	amount := func(a int64) bool { return a >= 0 && a <= tariff.MaxAmount }
	switch {
	case !slug.MatchString(p.ID):
		return bad("id", "must have 1 to 64 small letters, digits and hyphens")
	case strings.TrimSpace(p.Name) == "" || !plain(p.Name) || utf8.RuneCountInString(p.Name) > maxName:
		return bad("name", fmt.Sprintf("must have 1 to %d characters that can be printed", maxName))
	case !amount(p.Price.Amount):
		return bad("price.amount", fmt.Sprintf("must lie between 0 and %d", int64(tariff.MaxAmount)))
	case !currency.MatchString(p.Price.Currency) && p.Price != (booking.Money{}):
		return bad("price.currency", "must be three capital letters, as EUR")
	case p.ID == Free && p.Price.Amount != 0:
		return bad("price.amount", "must be nothing: nobody chooses the free plan")
	case p.Period != Month && p.Period != Year:
		return bad("period", "must be month or year")
	}
	if p.Fee != nil {
		if p.Fee.Rate < 0 || p.Fee.Rate > 10_000 {
			return bad("fee.rate", "must be basis points from 0 to 10000")
		}
		for _, c := range slices.Sorted(maps.Keys(p.Fee.Fixed)) {
			switch {
			case !currency.MatchString(c):
				return bad(fmt.Sprintf("fee.fixed: %.20q", c), "must be three capital letters, as EUR")
			case !amount(p.Fee.Fixed[c]):
				return bad("fee.fixed."+c, fmt.Sprintf("must lie between 0 and %d", int64(tariff.MaxAmount)))
			}
		}
	}
	for _, e := range p.Entitlements.counts() {
		if e.most != nil && (*e.most < 0 || *e.most > maxCount) {
			return bad("entitlements."+e.name, fmt.Sprintf("must lie between 0 and %d; leave it out for any number", maxCount))
		}
	}
	return nil
}

func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// count is an entitlement to so many of something.
type count struct {
	name string
	most *int
}

func (e Entitlements) counts() []count {
	return []count{{"rooms", e.Rooms}, {"lanes", e.Lanes}, {"api_keys", e.APIKeys}}
}

func (e Entitlements) switches() []*bool { return []*bool{e.Automatic, e.OwnLook, e.Exports} }

// Cover reports whether they allow whatever others do.
func (e Entitlements) Cover(o Entitlements) bool {
	for i, c := range e.counts() {
		if other := o.counts()[i].most; c.most != nil && (other == nil || *other > *c.most) {
			return false
		}
	}
	for i, s := range e.switches() {
		if other := o.switches()[i]; s != nil && !*s && (other == nil || *other) {
			return false
		}
	}
	return true
}

// On puts the plan's fee into the tariff of a program: it may leave the fee out, or
// say the same.
func (p Plan) On(t tariff.Tariff, currency string) (tariff.Tariff, error) {
	if p.Fee == nil {
		return t, nil
	}
	fixed, ok := p.Fee.Fixed[currency]
	if !ok && len(p.Fee.Fixed) > 0 {
		return t, detailed(ErrCurrency, "The plan %q has no fee in %.10q; it sells in %s.", p.Name, currency, strings.Join(slices.Sorted(maps.Keys(p.Fee.Fixed)), ", "))
	}
	if (t.FeeRate != 0 || t.FeeFixed != 0) && (t.FeeRate != p.Fee.Rate || t.FeeFixed != fixed) {
		return t, detailed(ErrFee, "The fee is that of the plan %q: fee_rate %d and fee_fixed %d. Leave both out of the tariff.", p.Name, p.Fee.Rate, fixed)
	}
	t.FeeRate, t.FeeFixed = p.Fee.Rate, fixed
	return t, nil
}

// Room says whether one more waiting room may be opened beside so many.
func (p Plan) Room(open int) error {
	if most := p.Entitlements.Rooms; most != nil && open >= *most {
		return detailed(ErrRooms, "The plan %q allows so many waiting rooms open at once: %d. Open are: %d. Nothing was changed.", p.Name, *most, open)
	}
	return nil
}

// Lanes says whether a sale may have so many lanes beside its main one.
func (p Plan) Lanes(n int) error {
	if most := p.Entitlements.Lanes; most != nil && n > *most {
		return detailed(ErrLanes, "The plan %q allows so many lanes beside the main one: %d. The sale has: %d. Nothing was changed.", p.Name, *most, n)
	}
	return nil
}

// Automatic says whether a sale may be steered by the automatic mode.
func (p Plan) Automatic() error {
	return has(p.Entitlements.Automatic, ErrAutomatic, "The plan %q does not have the automatic mode. Nothing was changed.", p.Name)
}

// Exports says whether settlements may be read as files.
func (p Plan) Exports() error {
	return has(p.Entitlements.Exports, ErrExports, "The plan %q has no exports. What they would say is in the settlement.", p.Name)
}

func has(allowed *bool, refusal *ropeline.Error, format, name string) error {
	if allowed != nil && !*allowed {
		return detailed(refusal, format, name)
	}
	return nil
}
