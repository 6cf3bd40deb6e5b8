package abuse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/ropeline/ropeline"
)

// Policy says what is too much. Its zero value is for nobody: nothing is too much.
type Policy struct {
	Holds    Ladders `json:"holds"`
	Payments Ladders `json:"payments"`
	Points   Points  `json:"points"`
	Limits   Limits  `json:"limits"`
	// Uncounted are addresses for which nothing is counted: our own, and networks
	// that are known to stand for thousands of people.
	Uncounted []netip.Prefix   `json:"uncounted"`
	Keep      ropeline.Seconds `json:"keep"` // how long after its end it is known whom a block was for
}

// Ladders are the ladders of one kind of points.
type Ladders struct {
	HalfLife ropeline.Seconds `json:"half_life"` // in which points halve
	Place    Ladder           `json:"place"`
	Address  Ladder           `json:"address"`
	Card     Ladder           `json:"card"`
}

// Ladder says from where on somebody waits, and when they are blocked.
type Ladder struct {
	Slow        float64          `json:"slow"`         // points, rounded, from which on each costs a wait; 0: never
	FirstWait   ropeline.Seconds `json:"first_wait"`   // each is twice as long as the one before
	LongestWait ropeline.Seconds `json:"longest_wait"` // but for this
	Waits       int              `json:"waits"`        // after so many a block; 0: never
	Forgive     ropeline.Seconds `json:"forgive"`      // in which one wait is forgotten
	Block       ropeline.Seconds `json:"block"`        // how long a block lasts
}

// Points are what things cost.
type Points struct {
	Hold        float64 `json:"hold"`         // of holds; taken back when it is bought
	Declined    float64 `json:"declined"`     // of payments, as are the following
	Small       float64 `json:"small"`        // besides, if it was for no more than SmallAmount
	SmallAmount int64   `json:"small_amount"` // minor units
	Card        float64 `json:"card"`         // each card beyond the first Cards of a place
	Cards       int     `json:"cards"`
}

// Limits are what nobody may do more often, whatever came of it. 0: any number.
type Limits struct {
	PlaceAttempts   int64            `json:"place_attempts"` // payments begun in AttemptsIn
	AddressAttempts int64            `json:"address_attempts"`
	CardAttempts    int64            `json:"card_attempts"`
	AttemptsIn      ropeline.Seconds `json:"attempts_in"`
	AddressTickets  int64            `json:"address_tickets"` // of a sale, bought in TicketsIn
	CardTickets     int64            `json:"card_tickets"`    // counted with the orders, see Allowance
	TicketsIn       ropeline.Seconds `json:"tickets_in"`
}

// Default is the policy where there is no other. docs/abuse.md says why.
func Default() Policy {
	return Policy{
		Holds: Ladders{
			HalfLife: 600,
			Place:    Ladder{Slow: 8, FirstWait: 10, LongestWait: 300, Waits: 6, Forgive: 3600, Block: 3600},
			Address:  Ladder{Slow: 800, FirstWait: 2, LongestWait: 15, Waits: 100, Forgive: 60, Block: 600},
		},
		Payments: Ladders{
			HalfLife: 1800,
			Place:    Ladder{Slow: 5, FirstWait: 10, LongestWait: 600, Waits: 5, Forgive: 3600, Block: 24 * 3600},
			Address:  Ladder{Slow: 100, FirstWait: 2, LongestWait: 30, Waits: 60, Forgive: 120, Block: 3600},
			Card:     Ladder{Slow: 3, FirstWait: 30, LongestWait: 600, Waits: 3, Forgive: 3600, Block: 24 * 3600},
		},
		Points: Points{Hold: 1, Declined: 1, Small: 1, SmallAmount: 300, Card: 1, Cards: 3},
		Limits: Limits{PlaceAttempts: 30, AddressAttempts: 3000, CardAttempts: 15, AttemptsIn: 3600,
			AddressTickets: 3000, CardTickets: 40, TicketsIn: 24 * 3600},
		Uncounted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Keep:      30 * 24 * 3600,
	}
}

// Load reads a policy from a file of JSON. What it leaves out is as in Default; an
// empty name is Default.
func Load(file string) (Policy, error) {
	if file == "" {
		return Default(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return Policy{}, fmt.Errorf("reading the policy on abuse: %w", err)
	}
	p, err := Parse(text)
	if err != nil {
		return Policy{}, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// Parse reads a policy. A name that there is not is an error.
func Parse(text []byte) (Policy, error) {
	p := Default()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("a policy on abuse: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, errors.New("a policy on abuse: there is more behind the document")
	}
	return p, p.validate()
}

// longest is what no time of a policy exceeds: numbers stay exact in Redis.
const longest = ropeline.Seconds(366 * 24 * 3600)

func (p Policy) validate() error {
	errs := []error{
		p.Holds.validate("holds"), p.Payments.validate("payments"),
		within("keep", p.Keep, 0), within("limits.attempts_in", p.Limits.AttemptsIn, 1), within("limits.tickets_in", p.Limits.TicketsIn, 1),
	}
	if p.Holds.Card != (Ladder{}) {
		errs = append(errs, errors.New("holds.card: a hold knows no card"))
	}
	for name, points := range map[string]float64{"hold": p.Points.Hold, "declined": p.Points.Declined, "small": p.Points.Small, "card": p.Points.Card} {
		if !(points >= 0 && points <= 1000) {
			errs = append(errs, fmt.Errorf("points.%s: 0 to 1000", name))
		}
	}
	l := p.Limits
	for _, n := range []int64{l.PlaceAttempts, l.AddressAttempts, l.CardAttempts, l.AddressTickets, l.CardTickets, p.Points.SmallAmount, int64(p.Points.Cards)} {
		if n < 0 {
			errs = append(errs, errors.New("limits and points: no number is negative"))
			break
		}
	}
	return errors.Join(errs...)
}

func (l Ladders) validate(name string) error {
	return errors.Join(within(name+".half_life", l.HalfLife, 1),
		l.Place.validate(name+".place"), l.Address.validate(name+".address"), l.Card.validate(name+".card"))
}

func (l Ladder) validate(name string) error {
	if l.Slow == 0 {
		return nil
	}
	errs := []error{within(name+".first_wait", l.FirstWait, 1), within(name+".longest_wait", l.LongestWait, l.FirstWait),
		within(name+".forgive", l.Forgive, 1), within(name+".block", l.Block, 1)}
	if !(l.Slow >= 1 && l.Slow <= 1e6) {
		errs = append(errs, fmt.Errorf("%s.slow: 1 to 1000000, or 0 for never", name))
	}
	if l.Waits < 0 || l.Waits > 1000 {
		errs = append(errs, fmt.Errorf("%s.waits: 0 to 1000", name))
	}
	return errors.Join(errs...)
}

func within(name string, s, least ropeline.Seconds) error {
	if s < least || s > longest {
		return fmt.Errorf("%s: %d to %d seconds", name, least, longest)
	}
	return nil
}

// ladders are those of a signal.
func (p Policy) ladders(s Signal) Ladders {
	if s == Holds {
		return p.Holds
	}
	return p.Payments
}

// of is the ladder of a kind.
func (l Ladders) of(k Kind) Ladder {
	switch k {
	case Place:
		return l.Place
	case Address:
		return l.Address
	}
	return l.Card
}

// life is how long a state is worth keeping once nothing happens: ten halvings
// leave a thousandth, and waits are forgotten one by one.
func (l Ladders) life(k Kind) time.Duration {
	r := l.of(k)
	return max(10*l.HalfLife.Duration(), time.Duration(r.Waits+1)*r.Forgive.Duration())
}
