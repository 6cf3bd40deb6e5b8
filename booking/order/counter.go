package order

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Tender is how something is paid at the counter. Nobody checks it: the ledger says
// who took the money.
type Tender string

// The tenders.
const (
	Cash          Tender = "cash"
	Terminal      Tender = "terminal"      // a card terminal that we know nothing of
	Complimentary Tender = "complimentary" // nothing is to pay
)

// Errors of the counter.
var (
	ErrTender     = &ropeline.Error{Kind: ropeline.Invalid, Code: "tender-unknown", Detail: "At the counter one pays in cash, by terminal, or nothing (complimentary); money goes back in cash or by terminal."}
	ErrAtCounter  = &ropeline.Error{Kind: ropeline.Conflict, Code: "sold-at-counter", Detail: "This was sold at the box office: bring the tickets there, it gives the money back."}
	ErrForNothing = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-for-nothing", Detail: "What costs nothing needs no coupon: take it off first, so that its owner keeps it."}
	ErrNotCounter = &ropeline.Error{Kind: ropeline.Conflict, Code: "not-sold-at-counter", Detail: "This was not sold at the box office: the money goes back the way it came."}
)

// CounterSale is the wish of somebody at the box office to sell what they hold.
type CounterSale struct {
	Performance ropeline.PerformanceID
	Hold        string
	Key         string // the idempotency key
	Tender      Tender
	Email       string        // of the buyer; may be empty
	Total       booking.Money // what the buyer was told; zero: nothing was said
	Who         string        // Staff
}

// CounterSession is whose the counter's holds are: each is by itself, so that a
// member of staff may serve several people, and hand over to somebody else.
func CounterSession(hold string) string { return "counter-" + hold }

func (c CounterSale) validate() error {
	switch {
	case !booking.IsKey(c.Key):
		return ErrKeyMissing
	case !booking.IsID(c.Hold):
		return hold.ErrUnknown
	case c.Email != "" && !booking.IsEmail(c.Email):
		return ErrEmail
	case c.Tender != Cash && c.Tender != Terminal && c.Tender != Complimentary:
		return ErrTender
	}
	return nil
}

func (c CounterSale) mac(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("counter\x00" + c.Hold + "\x00" + c.Email + "\x00" + string(c.Tender)))
	return m.Sum(nil)
}

// fits refuses to give back at the counter what was not sold there, and otherwise
// what was: nobody would hand the money over.
func (c Cancel) fits(sold Tender) error {
	switch {
	case sold != "" && c.Tender == "":
		return ErrAtCounter
	case sold == "" && c.Tender != "":
		return ErrNotCounter
	case c.Tender != "" && c.Tender != Cash && c.Tender != Terminal:
		return ErrTender
	}
	return nil
}

// Sell sells a hold of the counter. It takes the steps of a purchase without those of
// a provider: an attempt is written, the hold does not run out any more, and then
// one statement writes order, valid tickets and what the ledger says. A repeat with
// the same key is answered with the same order.
func (d *Desk) Sell(ctx context.Context, c CounterSale) (Order, error) {
	if err := c.validate(); err != nil {
		return Order{}, err
	}
	p, err := d.catalogue.Performance(ctx, c.Performance)
	if err != nil {
		return Order{}, err
	}
	if a, found, err := d.sold(ctx, c); err != nil || found {
		return d.again(ctx, a, c, err)
	}
	h, err := d.holds.Get(ctx, c.Performance, c.Hold, CounterSession(c.Hold))
	if err == nil {
		err = h.Over()
	}
	if err != nil {
		return Order{}, err
	}
	a, o, err := d.planSale(ctx, p, h, c)
	if err != nil {
		return Order{}, err
	}
	if c.Total != (booking.Money{}) && c.Total != a.Amount {
		return Order{}, ErrPrice
	}
	started, err := d.store.startSale(ctx, a)
	if err != nil {
		return Order{}, err
	}
	if !started { // the same request came twice at once, or somebody else sells it
		a, found, err := d.sold(ctx, c)
		if err == nil && !found {
			err = d.store.refusal(ctx, a)
		}
		return d.again(ctx, a, c, err)
	}
	return d.handOver(ctx, a, o, c.Who)
}

// handOver takes a started sale to its end.
func (d *Desk) handOver(ctx context.Context, a Attempt, o Order, who string) (Order, error) {
	// No session is told: there is none.
	if _, err := d.holds.Keeping(nil).Pay(ctx, a.Performance, a.Hold, a.Session, a.ID); err != nil {
		return d.fail(ctx, a, err, notAsked)
	}
	if err := d.recordSale(ctx, a, &o, who); err != nil {
		return d.fail(ctx, a, unwritten(err), notAsked) // which finds out if it was written after all
	}
	a.Step = Captured
	if _, err := d.forward(ctx, a); err != nil {
		d.log.Warn("what the counter sold is left to the settler", "attempt", a.ID, "err", err)
	}
	return o.paid(), nil
}

func (d *Desk) sold(ctx context.Context, c CounterSale) (Attempt, bool, error) {
	return d.store.byKey(ctx, []ropeline.PerformanceID{c.Performance}, CounterSession(c.Hold), c.Key, c.mac(d.key))
}

// again answers a request whose key is known.
func (d *Desk) again(ctx context.Context, a Attempt, c CounterSale, err error) (Order, error) {
	if err != nil {
		return Order{}, err
	}
	if !hmac.Equal(a.MAC, c.mac(d.key)) {
		return Order{}, ErrKeyReused
	}
	return d.answer(ctx, a)
}

// planSale draws up attempt and order; nothing is written yet.
func (d *Desk) planSale(ctx context.Context, p catalogue.Performance, h hold.Hold, c CounterSale) (Attempt, Order, error) {
	lines, total, err := p.Map.Lines(h.Units)
	if err != nil {
		return Attempt{}, Order{}, err
	}
	total, off, err := d.lower(ctx, h, total)
	if err != nil {
		return Attempt{}, Order{}, err
	}
	if c.Tender == Complimentary {
		if off.Amount > 0 {
			return Attempt{}, Order{}, ErrForNothing
		}
		off.Amount, total.Amount = total.Amount, 0
	}
	var ids [2]string
	for i := range ids {
		if ids[i], err = booking.NewID(); err != nil {
			return Attempt{}, Order{}, err
		}
	}
	a := Attempt{ID: ids[0], Performance: c.Performance, Hold: h.ID, Sale: p.Sale.ID, Session: h.Session, Key: c.Key, MAC: c.mac(d.key),
		Units: h.Units, Amount: total, Tender: c.Tender, Step: Started}
	o := Order{ID: ids[1], Performance: c.Performance, Sale: p.Sale.ID, State: Pending, Total: total, Discount: off,
		Fee: p.Map.Tariff.Fee(total.Amount), Tender: c.Tender, Email: c.Email}
	o.Tickets, err = d.tickets(o.ID, lines)
	return a, o, err
}

// startSale writes an attempt of the counter. It reports false if its key is used,
// its hold is being sold, or its performance is off sale.
func (s *Store) startSale(ctx context.Context, a Attempt) (bool, error) {
	tag, err := s.db.Exec(ctx, `
		insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key,
			request_mac, units, amount, currency, method, tender, state)
		select $1, $2, $3, $4, $5, '', $6, $7, $8::integer[], $9, $10, '', $11, 'started' where on_sale($1)
		on conflict do nothing`,
		a.Performance, a.ID, a.Hold, a.Sale, a.Session, a.Key, a.MAC, a.Units, a.Amount.Amount, a.Amount.Currency, a.Tender)
	if err != nil {
		return false, away("writing a sale of", string(a.Performance), err)
	}
	return tag.RowsAffected() == 1, nil
}

// recordSale writes an order of the counter; with a coupon the coupon is redeemed in the
// same transaction, and either may be refused.
func (d *Desk) recordSale(ctx context.Context, a Attempt, o *Order, who string) error {
	var err error
	if o.Discount.Amount == 0 || a.Tender == Complimentary {
		err = sell(ctx, d.store.db, a, o, who)
	} else {
		err = pgx.BeginFunc(ctx, d.store.db, func(tx pgx.Tx) error {
			if err := sell(ctx, tx, a, o, who); err != nil {
				return err
			}
			return d.coupons.Redeem(ctx, tx, a.Performance, a.Hold, o.ID, o.Discount)
		})
	}
	if err == nil {
		d.store.written.Add(1)
	}
	return err
}

// sell makes a started attempt a sale: order, valid tickets and ledger, in one
// statement. errNotStarted if a settler took it for dead.
func sell(ctx context.Context, db querier, a Attempt, o *Order, who string) error {
	buyer, err := booking.NewID()
	if err != nil {
		return err
	}
	err = db.QueryRow(ctx, `
		with moved as (
			update attempts set state = 'captured', updated_at = now()
			where performance_id = $1 and id = $2 and state = 'started'
			returning id, sale_id, session_id, place_id, amount, currency, tender
		), buyer as (
			insert into buyers (id, email) select $3::uuid, $4 from moved
		), placed as (
			insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, fee, currency, tender)
			select $1, $5::uuid, sale_id, session_id, place_id, id, $3::uuid, 'paid', amount, $6::bigint, currency, tender from moved
		), ticket as (
			insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
			select $1, t.id, $5::uuid, t.unit, t.tier, t.label, t.amount, t.currency, 'valid', t.code
			from moved, unnest($7::uuid[], $8::integer[], $9::uuid[], $10::text[], $11::bigint[], $12::text[], $13::text[])
				as t (id, unit, tier, label, amount, currency, code)
			order by t.unit
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency, who, tender)
			select $1, $5::uuid, e.entry, case e.entry when 'fee' then $6 else amount end, currency, $14, case e.entry when 'captured' then tender else '' end
			from moved join (values (1, 'placed'), (2, 'captured'), (3, 'fee')) as e (n, entry) on e.n < 3 or $6 > 0
			order by e.n
		)
		select now() from moved`, afresh, a.Performance, a.ID, buyer, o.Email, o.ID, o.Fee,
		column(o.Tickets, func(t Ticket) string { return t.ID }),
		column(o.Tickets, func(t Ticket) int { return t.Unit }),
		column(o.Tickets, func(t Ticket) string { return t.Tier }),
		column(o.Tickets, func(t Ticket) string { return t.Label }),
		column(o.Tickets, func(t Ticket) int64 { return t.Price.Amount }),
		column(o.Tickets, func(t Ticket) string { return t.Price.Currency }),
		column(o.Tickets, func(t Ticket) string { return t.Code }), who).Scan(&o.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNotStarted
	}
	if err != nil {
		return fmt.Errorf("selling at the counter, attempt %s: %w", a.ID, err)
	}
	o.CreatedAt = o.CreatedAt.UTC()
	for i := range o.Tickets {
		o.Tickets[i].State = ticket.Valid
	}
	return nil
}

// Takings is what somebody took at the counter, in minor units of a currency.
type Takings struct {
	Who       string `json:"who" doc:"staff: and a name"`
	Tender    Tender `json:"tender" enum:"cash,terminal,complimentary"`
	Currency  string `json:"currency" doc:"ISO 4217"`
	Orders    int    `json:"orders" doc:"that were sold"`
	Taken     int64  `json:"taken"`
	GivenBack int64  `json:"given_back"`
	Till      int64  `json:"till" doc:"taken - given_back: what should be there"`
}

// Takings adds up what the counter took and gave back for a performance between two
// times, by whom and how: sums of the ledger.
func (s *Store) Takings(ctx context.Context, id ropeline.PerformanceID, from, to time.Time) ([]Takings, error) {
	rows, err := s.db.Query(ctx, `
		select who, tender, currency, count(*) filter (where entry = 'captured'),
			coalesce(sum(amount) filter (where entry = 'captured'), 0)::bigint, coalesce(sum(amount) filter (where entry = 'refunded'), 0)::bigint
		from order_ledger where performance_id = $1 and tender <> '' and at >= $2 and at < $3
		group by who, tender, currency order by who, tender, currency`, id, from, to)
	if err != nil {
		return nil, away("adding up the takings of", string(id), err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Takings, err error) {
		err = r.Scan(&t.Who, &t.Tender, &t.Currency, &t.Orders, &t.Taken, &t.GivenBack)
		t.Till = t.Taken - t.GivenBack
		return t, err
	})
	if err != nil {
		return nil, away("adding up the takings of", string(id), err)
	}
	return found, nil
}
