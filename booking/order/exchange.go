package order

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/tariff"
)

// Exchange is the wish to have other units instead of tickets of an order that is
// paid: as many, of a performance of the same sale.
//
// The new units are a hold that no session of the shop has, and what they cost more
// than the old tickets are worth is paid by an attempt, as any purchase (pay). From
// its start to its end the old tickets are bound to it. The statement that would
// make the new order paid is a transaction that gives the old tickets up, too
// (exchanged): so at any instant either they are valid or the new ones are.
type Exchange struct {
	Order   string
	Tickets []string
	Hold    string // see HoldExchange
	Key     string // the buyer's idempotency key
	Method  string
	Return  string
	Total   booking.Money // what the buyer was shown that is to pay; zero: nothing was said
	Back    int64         // what the buyer was shown that comes back: no less does
	Who     string
	Reason  string     // of staff
	NoFee   bool       // staff only: nothing is kept
	From    netip.Addr // the buyer's network address, as a Request's
}

// Refusals of an exchange.
var (
	ErrExchanging        = &ropeline.Error{Kind: ropeline.Conflict, Code: "exchange-running", Detail: "These tickets are being exchanged. Wait until that is over.", RetryAfter: 2 * time.Second}
	ErrExchangeClosed    = &ropeline.Error{Kind: ropeline.Conflict, Code: "exchange-closed", Detail: "By the rules of this performance its tickets cannot be exchanged, or not any more."}
	ErrExchangeCount     = &ropeline.Error{Kind: ropeline.Invalid, Code: "exchange-count", Detail: "Choose as many places as you give tickets for them."}
	ErrExchangeElsewhere = &ropeline.Error{Kind: ropeline.Invalid, Code: "exchange-elsewhere", Detail: "Tickets are exchanged for places of the same sale, and in the same currency."}
	ErrExchangeAccount   = &ropeline.Error{Kind: ropeline.Conflict, Code: "exchange-account", Detail: "Tickets that are paid to the organizer's own account cannot be exchanged: money does not move from one account to another. Cancel them and buy others."}
	ErrExchangeCoupon    = &ropeline.Error{Kind: ropeline.Conflict, Code: "exchange-coupon", Detail: "What bought a coupon is not exchanged: the coupon may have been used. It is canceled as long as it was not."}
	ErrTicketsGone       = &ropeline.Error{Kind: ropeline.Conflict, Code: "tickets-not-valid", Detail: "At least one of these tickets is not valid, or not any more. Nothing was exchanged."}
)

// Quote is what an exchange comes to, in minor units of Total's currency.
type Quote struct {
	Hold  hold.Hold
	Lines []catalogue.Line // the new tickets
	Total booking.Money    // what they cost
	Fee   int64            // what is kept of what was paid for the old ones
	Worth int64            // what is left of that
	ToPay int64            // Total less Worth, if that is more than nothing
	Back  int64            // Worth less Total, if that is
}

// exchangeSession stands for a session in holds and attempts. So an order has one
// live hold of a performance for an exchange, and its keys are its own.
func exchangeSession(order string) string { return "exchange-" + order }

// HoldExchange holds what tickets may be exchanged for and says what that would come
// to. What the order held for an exchange before is given back: what it held of another
// performance only if the new wish is held, of the same one before that, since the new
// wish may be for some of it.
func (d *Desk) HoldExchange(ctx context.Context, x Exchange, to ropeline.PerformanceID, parts []hold.Part) (Quote, error) {
	g, err := d.give(ctx, &x)
	if err != nil {
		return Quote{}, err
	}
	p, err := d.catalogue.Performance(ctx, to)
	switch {
	case err != nil:
		return Quote{}, err
	case p.Sale.ID != g.order.Sale:
		return Quote{}, ErrExchangeElsewhere
	case !d.now().Before(p.Map.StartsAt):
		return Quote{}, ErrExchangeClosed
	case p.Map.Account != "":
		return Quote{}, ErrExchangeAccount
	}
	if hold.Units(parts) != len(g.Tickets) {
		return Quote{}, ErrExchangeCount
	}
	ids, err := d.catalogue.OnSale(ctx, p.Sale.ID)
	if err != nil {
		return Quote{}, err
	}
	if err := d.dropExchange(ctx, x.Order, to); err != nil {
		return Quote{}, err
	}
	id, err := booking.NewID()
	if err != nil {
		return Quote{}, err
	}
	wish := hold.Request{ID: id, Performance: to, Sale: p.Sale.ID, Session: exchangeSession(x.Order),
		SessionEnds: d.now().Add(time.Hour), Life: p.Sale.Hold.Duration()}
	if p.Sale.UnitsPerPlace > 0 { // counted, and as many as are given up: so there is no limit to keep
		wish.Place, wish.PerPlace = g.order.Place, math.MaxInt32
	}
	holds := d.holds.Keeping(nil)
	h, err := holds.Claim(ctx, wish, parts...)
	if err != nil {
		return Quote{}, err
	}
	q, err := g.quote(h, p)
	if err == nil {
		others := slices.DeleteFunc(slices.Clone(ids), func(id ropeline.PerformanceID) bool { return id == to })
		err = d.dropExchange(ctx, x.Order, others...)
	}
	if err != nil {
		return Quote{}, errors.Join(err, holds.Release(ctx, to, h.ID, h.Session))
	}
	return q, nil
}

// DropExchange gives back what an order holds for an exchange.
func (d *Desk) DropExchange(ctx context.Context, id string) error {
	o, err := d.store.Order(ctx, id)
	if err != nil {
		return err
	}
	ids, err := d.catalogue.OnSale(ctx, o.Sale)
	if err != nil {
		return err
	}
	return d.dropExchange(ctx, id, ids...)
}

// dropExchange gives back what an order holds of some performances.
func (d *Desk) dropExchange(ctx context.Context, order string, of ...ropeline.PerformanceID) error {
	for _, id := range of {
		h, live, err := d.holds.Of(ctx, id, exchangeSession(order))
		if err == nil && live {
			err = d.holds.Keeping(nil).Release(ctx, id, h.ID, h.Session)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Exchange gives tickets up for what HoldExchange holds and returns the new order.
// The same request with the same key gets the same answer, as at Checkout.
func (d *Desk) Exchange(ctx context.Context, x Exchange) (Order, error) {
	if err := x.validate(); err != nil {
		return Order{}, err
	}
	o, err := d.store.Order(ctx, x.Order)
	if err != nil {
		return Order{}, err
	}
	ids, err := d.catalogue.OnSale(ctx, o.Sale)
	if err != nil {
		return Order{}, err
	}
	session, mac := exchangeSession(o.ID), x.mac(d.key)
	if a, found, err := d.store.byKey(ctx, ids, session, x.Key, mac); err != nil || found {
		return d.repeat(ctx, a, x.request(), mac, err)
	}
	h, err := d.holds.Find(ctx, ids, x.Hold, session)
	if err == nil {
		err = h.Over()
	}
	if err != nil {
		return Order{}, err
	}
	if h.State == hold.Paying {
		a, _, err := d.store.open(ctx, h.Performance, h.ID)
		if err == nil {
			err = d.giveUp(ctx, a, x.request())
		}
		if err != nil {
			return Order{}, err
		}
	}
	a, n, g, err := d.planExchange(ctx, x, h)
	if err != nil {
		return Order{}, err
	}
	a.MAC = mac
	if x.Total != (booking.Money{}) && x.Total != a.Amount {
		return Order{}, ErrPrice
	}
	if max(0, g.plan.Amount.Amount-n.Total.Amount) < x.Back {
		return Order{}, ErrRefundLess
	}
	var trial *abuse.Trial
	if x.Who == Buyer {
		if trial, err = d.begin(ctx, x.request(), a); err != nil {
			return Order{}, err
		}
	}
	started, err := d.store.startExchange(ctx, a, g)
	if err != nil || !started {
		trial.End(ctx, abuse.Undone)
	}
	if err != nil {
		return Order{}, err
	}
	if !started { // the same request came twice at once, or the hold is being paid for
		same, found, err := d.store.byKey(ctx, ids, session, x.Key, mac)
		if err == nil && !found {
			err = d.store.refusal(ctx, a)
		}
		return d.repeat(ctx, same, x.request(), mac, err)
	}
	return d.pay(ctx, a, n, trial)
}

// request is as much of an exchange as a guard looks at.
func (x Exchange) request() Request { return Request{From: x.From} }

func (x Exchange) validate() error {
	switch {
	case !booking.IsKey(x.Key):
		return ErrKeyMissing
	case !booking.IsID(x.Hold):
		return hold.ErrUnknown
	case x.Method != "" && !payment.IsMethod(x.Method):
		return ErrMethod
	case x.Return != "" && !isReturn(x.Return):
		return ErrReturn
	}
	return nil
}

// mac names the content of a request, as that of a Request does.
func (x Exchange) mac(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("exchange\x00" + x.Hold + "\x00" + strings.Join(slices.Sorted(slices.Values(x.Tickets)), ",") +
		"\x00" + x.Method + "\x00" + x.Return + "\x00" + x.Who + fmt.Sprint(x.NoFee)))
	return m.Sum(nil)
}

// giving is what an exchange gives up.
type giving struct {
	Exchange
	order locked
	rules tariff.Tariff // of the order's performance
	plan  canceling     // its amount is what the tickets are worth
}

// give reads an order and draws up what giving tickets up comes to. It is judged
// again when the payment starts.
func (d *Desk) give(ctx context.Context, x *Exchange) (g giving, err error) {
	x.Tickets = slices.Compact(slices.Sorted(slices.Values(x.Tickets)))
	o, err := d.store.Order(ctx, x.Order)
	if err != nil {
		return g, err
	}
	p, err := d.catalogue.Performance(ctx, o.Performance)
	if err != nil {
		return g, err
	}
	if p.Map.Account != "" {
		return g, ErrExchangeAccount
	}
	if x.Who == Buyer && !d.now().Before(p.Map.Tariff.ExchangeCloses(p.Map.StartsAt)) {
		return g, ErrExchangeClosed
	}
	err = pgx.BeginFunc(ctx, d.store.db, func(tx pgx.Tx) error {
		l, err := lock(ctx, tx, o)
		if err == nil {
			g, err = x.give(l, p.Map.Tariff)
		}
		if err == nil {
			err = noCoupons(ctx, tx, l, x.Tickets)
		}
		return err
	})
	if err != nil {
		return g, ours("looking at the tickets of", o.ID, err)
	}
	return g, nil
}

// noCoupons refuses tickets that bought coupons in a drop.
func noCoupons(ctx context.Context, tx pgx.Tx, o locked, tickets []string) error {
	var some bool
	err := tx.QueryRow(ctx, `select exists (select from tickets t join coupons c on c.performance_id = t.performance_id and c.tier_id = t.tier_id
		where t.performance_id = $1 and t.id = any($2::uuid[]))`, o.Performance, tickets).Scan(&some)
	if err == nil && some {
		err = ErrExchangeCoupon
	}
	return err
}

// give draws up what becomes of the tickets of an order that is locked.
func (x Exchange) give(o locked, rules tariff.Tariff) (giving, error) {
	picked, err := o.pick(x.Tickets)
	if err != nil {
		return giving{}, err
	}
	if len(picked) == 0 || len(picked) != len(x.Tickets) {
		return giving{}, ErrTicketsGone
	}
	if o.Tender != "" {
		return giving{}, ErrAtCounter
	}
	for _, i := range picked {
		if o.Tickets[i].Holder != "" { // whose money is not theirs
			return giving{}, ErrGiven
		}
	}
	swap := rules.Exchange
	if x.NoFee {
		swap.Fee = 0
	}
	plan, err := draw(o, Cancel{Who: x.Who, Reason: x.Reason}, rules, picked, swap.Swap)
	return giving{Exchange: x, order: o, rules: rules, plan: plan}, err
}

// quote says what the tickets that are given up, and a hold of a performance, come to.
func (g giving) quote(h hold.Hold, p catalogue.Performance) (Quote, error) {
	lines, total, err := p.Map.Lines(h.Units)
	switch {
	case err != nil:
		return Quote{}, err
	case len(h.Units) != len(g.Tickets):
		return Quote{}, ErrExchangeCount
	case total.Currency != g.plan.Amount.Currency:
		return Quote{}, ErrExchangeElsewhere
	}
	worth := g.plan.Amount.Amount
	return Quote{Hold: h, Lines: lines, Total: total, Fee: g.plan.Kept, Worth: worth,
		ToPay: max(0, total.Amount-worth), Back: max(0, worth-total.Amount)}, nil
}

// planExchange draws up attempt and new order; nothing is written yet.
func (d *Desk) planExchange(ctx context.Context, x Exchange, h hold.Hold) (a Attempt, o Order, g giving, err error) {
	if g, err = d.give(ctx, &x); err != nil {
		return a, o, g, err
	}
	p, err := d.catalogue.Performance(ctx, h.Performance)
	if err != nil {
		return a, o, g, err
	}
	q, err := g.quote(h, p)
	if err != nil {
		return a, o, g, err
	}
	if q.ToPay > 0 && x.Method == "" {
		return a, o, g, ErrMethod
	}
	old := g.order.Order
	a = Attempt{Performance: h.Performance, Hold: h.ID, Sale: h.Sale, Session: h.Session, Place: old.Place, Key: x.Key, Units: h.Units,
		Amount: booking.Money{Amount: q.ToPay, Currency: q.Total.Currency}, Method: x.Method, Return: x.Return, Step: Started, From: old.ID,
		Sold: p.Sale.Performances}
	o = Order{Performance: h.Performance, Sale: h.Sale, Place: old.Place, State: Pending, Total: q.Total,
		Discount: booking.Money{Currency: q.Total.Currency}, Fee: p.Map.Tariff.Fee(q.Total.Amount), Email: old.Email, Language: old.Language, Person: old.Person}
	for _, id := range []*string{&a.ID, &o.ID} {
		if *id, err = booking.NewID(); err != nil {
			return a, o, g, err
		}
	}
	o.Tickets, err = d.tickets(o.ID, q.Lines)
	return a, o, g, err
}

// startExchange writes an attempt and what it gives up, if that can still be given. It
// reports false as Start does.
func (s *Store) startExchange(ctx context.Context, a Attempt, g giving) (started bool, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		started = false
		l, err := lock(ctx, tx, g.order.Order)
		if err != nil {
			return err
		}
		if _, err := g.Exchange.give(l, g.rules); err != nil { // canceled, or exchanged, since
			return err
		}
		if err := noCoupons(ctx, tx, l, g.Tickets); err != nil {
			return err
		}
		new, err := ids(ctx, tx, `
			insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac,
				units, amount, currency, method, state, from_order)
			select $1, $2, $3, $4, $5, $6, $7, $8, $9::integer[], $10, $11, $12, 'started', $13::uuid where on_sale($1)
			on conflict do nothing returning id`,
			a.Performance, a.ID, a.Hold, a.Sale, a.Session, a.Place, a.Key, a.MAC, a.Units, a.Amount.Amount, a.Amount.Currency, a.Method, a.From)
		if err != nil || len(new) == 0 {
			return err
		}
		started = true
		_, err = tx.Exec(ctx, `
			insert into exchanges (performance_id, attempt_id, from_performance, from_order, tickets, no_fee, who, reason)
			values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			a.Performance, a.ID, l.Performance, l.ID, g.Tickets, g.NoFee, g.Who, g.Reason)
		return err
	})
	if err != nil {
		return false, ours("starting the exchange of", a.From, err)
	}
	return started, nil
}

// exchange is the last step of an exchange whose money was captured. If the tickets
// it gives up are not valid, which only something else than this package can bring
// about, the new order is canceled and its money goes back (late).
func (s *steps) exchange(ctx context.Context, a Attempt, e *payment.Event) (Attempt, error) {
	done, err := s.store.exchanged(ctx, a, e)
	if errors.Is(err, ErrTicketsGone) || errors.Is(err, ErrDisputed) || errors.Is(err, ErrDisputeLost) {
		s.log.Error("exchange undone: what it gives up is not valid", "attempt", a.ID, "order", a.From)
		return s.store.end(ctx, a, e, canceled(Recorded, ErrTicketsGone))
	}
	if err != nil {
		return a, err
	}
	s.followAll(ctx, done)
	return s.store.read(ctx, a)
}

// exchanged makes the new order of an exchange paid, and gives up the old tickets, in
// one transaction. It does nothing if that was done already.
func (s *Store) exchanged(ctx context.Context, a Attempt, e *payment.Event) (done []Cancellation, err error) {
	x, err := s.exchangeOf(ctx, a)
	if err != nil {
		return nil, err
	}
	old, err := s.Order(ctx, x.Order)
	if err != nil {
		return nil, err
	}
	p, err := s.catalogue.Performance(ctx, old.Performance)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, a, e, func(db querier) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			done = nil
			l, err := lock(ctx, tx, old)
			if err != nil {
				return err
			}
			if moved, err := conclude(ctx, tx, a.Performance, []string{a.ID}, paid); err != nil || len(moved) == 0 {
				return err
			}
			l.bound = nil // by this very attempt
			g, err := x.give(l, p.Map.Tariff)
			if err == nil {
				done, err = g.handOver(ctx, tx, a)
			}
			return err
		})
	})
	if err != nil && !errors.Is(err, errHeard) {
		return nil, ours("exchanging tickets of", x.Order, err)
	}
	return done, err
}

// exchangeOf reads what an attempt gives up.
func (s *Store) exchangeOf(ctx context.Context, a Attempt) (x Exchange, err error) {
	err = s.db.QueryRow(ctx, `select from_order, tickets, no_fee, who, reason from exchanges where performance_id = $1 and attempt_id = $2`,
		a.Performance, a.ID).Scan(&x.Order, &x.Tickets, &x.NoFee, &x.Who, &x.Reason)
	if err != nil {
		return x, away("reading the exchange of", a.ID, err)
	}
	return x, nil
}

// handOver cancels the tickets that are given up. What they are worth pays for the
// new order as far as its attempt does not; the rest goes back. The new tickets count
// for the card that bought the old ones.
func (g giving) handOver(ctx context.Context, tx pgx.Tx, a Attempt) ([]Cancellation, error) {
	var id string
	var total int64
	if err := tx.QueryRow(ctx, `
		update orders n set card = o.card, card_most = o.card_most, card_until = o.card_until from orders o
		where n.performance_id = $1 and n.attempt_id = $2 and o.performance_id = $3 and o.id = $4
		returning n.id, n.amount`, a.Performance, a.ID, g.order.Performance, g.order.ID).Scan(&id, &total); err != nil {
		return nil, err
	}
	moves := total - a.Amount.Amount
	left, err := purses(ctx, tx, g.order)
	if err != nil {
		return nil, err
	}
	took, err := take(left, moves)
	if err != nil {
		return nil, err
	}
	if g.plan.Amount.Amount -= moves; g.plan.Amount.Amount < 0 {
		return nil, fmt.Errorf("order %s takes %d more than order %s is worth", id, -g.plan.Amount.Amount, g.order.ID)
	}
	var b pgx.Batch
	for _, t := range took {
		b.Queue(`insert into order_funds (performance_id, order_id, payment_performance, attempt_id, from_order, amount) values ($1, $2, $3, $4, $5, $6)`,
			a.Performance, id, t.performance, t.attempt, g.order.ID, t.left)
	}
	if moves > 0 {
		g.plan.entries = append(g.plan.entries, entry{name: "exchanged_out", amount: moves})
		if err := write(ctx, tx, Order{ID: id, Performance: a.Performance, Total: a.Amount}, g.Who, []entry{{name: "exchanged_in", amount: moves}}); err != nil {
			return nil, err
		}
	}
	if b.Len() > 0 {
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return nil, err
		}
	}
	plan, err := g.plan.from(left)
	if err != nil {
		return nil, err
	}
	return plan.all(), plan.write(ctx, tx)
}

// purse is what an order has of a payment.
type purse struct {
	performance ropeline.PerformanceID
	attempt     string
	left        int64
}

// purses are what a paid order still has of its own payment, and of those that came
// with an exchange: the first made first.
func purses(ctx context.Context, tx pgx.Tx, o locked) ([]purse, error) {
	rows, err := tx.Query(ctx, `
		select performance, attempt, sum(amount)::bigint from (
			select performance_id performance, id attempt, amount from attempts where performance_id = $1 and id = $3
			union all select payment_performance, attempt_id, amount from order_funds where performance_id = $1 and order_id = $2
			union all select coalesce(payment_performance, performance_id), attempt_id, -amount from cancellations where performance_id = $1 and order_id = $2
			union all select payment_performance, attempt_id, -amount from order_funds where from_order = $2
		) p group by performance, attempt having sum(amount) > 0 order by attempt`, o.Performance, o.ID, o.attempt)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (p purse, err error) {
		return p, r.Scan(&p.performance, &p.attempt, &p.left)
	})
}

// take takes an amount out of purses, from the first on, and says how much of each.
func take(from []purse, amount int64) (took []purse, err error) {
	for i := range from {
		if n := min(amount, from[i].left); n > 0 {
			took = append(took, purse{from[i].performance, from[i].attempt, n})
			from[i].left -= n
			amount -= n
		}
	}
	if amount > 0 {
		return nil, fmt.Errorf("%d more is to go back, or on, than its payments have left", amount)
	}
	return took, nil
}

// Exchanged is an exchange that took place, and what of an order's money it moved.
type Exchanged struct {
	Order  string // the other one
	Amount int64
	At     time.Time
}

// exchanges lists with which orders an order has exchanged tickets: from those that
// it was made for, and to those that were made for it.
func (s *Store) exchanges(ctx context.Context, o Order) (from, to []Exchanged, err error) {
	if from, err = s.exchangesWhere(ctx, `n.performance_id = $1 and n.id = $2`, `x.from_order`, o.Performance, o.ID); err == nil {
		to, err = s.exchangesWhere(ctx, `x.from_order = $1`, `n.id`, o.ID)
	}
	if err != nil {
		return nil, nil, away("reading the exchanges of", o.ID, err)
	}
	return from, to, nil
}

func (s *Store) exchangesWhere(ctx context.Context, where, other string, args ...any) ([]Exchanged, error) {
	rows, err := s.db.Query(ctx, `
		select `+other+`, (select coalesce(sum(amount), 0)::bigint from order_funds f where f.performance_id = n.performance_id and f.order_id = n.id), n.created_at
		from exchanges x
		join attempts a on a.performance_id = x.performance_id and a.id = x.attempt_id and a.state in ('captured', 'done')
		join orders n on n.performance_id = x.performance_id and n.attempt_id = x.attempt_id
		where `+where+` order by n.created_at, n.id`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (x Exchanged, err error) {
		err = r.Scan(&x.Order, &x.Amount, &x.At)
		x.At = x.At.UTC()
		return x, err
	})
}
