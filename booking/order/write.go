package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
)

// afresh lets Postgres plan a statement for the tables as they are now: a plan
// that is kept from when they were empty would read all of them.
const afresh = pgx.QueryExecModeCacheDescribe

// column is one value of each row, for unnest.
func column[R, V any](rows []R, of func(R) V) []V {
	values := make([]V, len(rows))
	for i, r := range rows {
		values[i] = of(r)
	}
	return values
}

func attemptIDs(of []purchase) []string {
	return column(of, func(p purchase) string { return p.ID })
}

// querier is a pool, or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Begin(ctx context.Context) (pgx.Tx, error)
}

// ids runs a statement that returns attempts' ids.
func ids(ctx context.Context, db querier, sql string, args ...any) ([]string, error) {
	rows, err := db.Query(ctx, sql, append([]any{afresh}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Start writes a new attempt. It reports false if the key is used already, the
// hold is being paid for or was paid, its place would have too many units, or nothing of
// its performance is on sale any more.
func (s *Store) Start(ctx context.Context, a Attempt) (bool, error) {
	started, err := s.starting.do(ctx, purchase{Attempt: a})
	if err != nil || started {
		return started, err
	}
	// What is in the way may be this very attempt, of a commit whose answer was
	// lost.
	_, found, err := s.attempt(ctx, `performance_id = $1 and id = $2`, a.Performance, a.ID)
	return found, err
}

// refusal says why an attempt with a new key was not started.
func (s *Store) refusal(ctx context.Context, a Attempt) error {
	var onSale bool
	if err := s.db.QueryRow(ctx, `select coalesce(on_sale($1), false)`, a.Performance).Scan(&onSale); err != nil {
		return away("asking for", string(a.Performance), err)
	}
	if !onSale {
		return catalogue.ErrOffSale
	}
	_, paying, err := s.attempt(ctx, `performance_id = $1 and hold_id = $2 and state in ('started', 'acting', 'recorded', 'captured', 'done')`, a.Performance, a.Hold)
	switch {
	case err != nil:
		return err
	case a.PerPlace > 0 && !paying:
		return hold.ErrLimit
	}
	return hold.ErrPaying
}

// takeStart writes new attempts, without those that are in the way of another
// one and those with which a place of the line would have more than its sale lets
// it. Those of one session come in an order that is the same in each group, and so
// do the places that are counted: each is counted by one group at a time.
func (s *Store) takeStart(ctx context.Context, id ropeline.PerformanceID, of []purchase) ([]string, error) {
	ids, err := ids(ctx, s.db, `
		insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key,
			request_mac, units, amount, currency, method, account, account_fee, email, language, person_id, state)
		select $1, p.id, p.hold, p.sale, p.session, p.place, p.key, p.mac, p.units::integer[], p.amount, p.currency, p.method, p.account, p.fee, p.email, p.language, nullif(p.person, '')::uuid, 'started'
		from (
			select *, sum(cardinality(units::integer[])) over (partition by place order by session, hold, key) as together
			from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::text[], $10::bigint[],
				$11::text[], $12::text[], $13::integer[], $15::text[], $16::bigint[], $17::text[], $18::text[], $19::text[])
				as p (id, hold, sale, session, place, key, mac, units, amount, currency, method, most, account, fee, email, language, person)
		) p
		where on_sale($1) and case when p.most > 0 then p.together + units_of_place($14::uuid[], p.place) <= p.most else true end
		order by p.session, p.hold, p.key
		on conflict do nothing
		returning id`, id,
		attemptIDs(of),
		column(of, func(p purchase) string { return p.Hold }),
		column(of, func(p purchase) ropeline.SaleID { return p.Sale }),
		column(of, func(p purchase) string { return p.Session }),
		column(of, func(p purchase) ropeline.PlaceID { return p.Place }),
		column(of, func(p purchase) string { return p.Key }),
		column(of, func(p purchase) []byte { return p.MAC }),
		column(of, func(p purchase) string { return literal(p.Units) }),
		column(of, func(p purchase) int64 { return p.Amount.Amount }),
		column(of, func(p purchase) string { return p.Amount.Currency }),
		column(of, func(p purchase) string { return p.Method }),
		column(of, func(p purchase) int { return p.PerPlace }),
		of[0].counted(),
		column(of, func(p purchase) string { return p.Account }),
		column(of, func(p purchase) int64 { return p.AccountFee }),
		column(of, func(p purchase) string { return p.Payer.Email }),
		column(of, func(p purchase) string { return p.Payer.Language }),
		column(of, func(p purchase) string { return p.Payer.Person }))
	if err != nil {
		return nil, away("writing attempts of", string(id), err)
	}
	return ids, nil
}

// literal writes numbers as Postgres writes an array: unnest would take an
// array of arrays apart to the last number.
func literal(units []int) string {
	return "{" + strings.Trim(strings.ReplaceAll(fmt.Sprint(units), " ", ","), "[]") + "}"
}

// Record writes order, unpaid tickets and ledger in one transaction with the
// attempt's step from Started to Recorded, or to Acting if it has an Action, and
// lets the order know when that was. One that is not recorded may be written to
// later: it is of no use any more. What its card may not pay for is refused with
// abuse.ErrCardLimit.
func (s *Store) Record(ctx context.Context, a Attempt, o *Order) error {
	buyer, err := booking.NewID()
	if err != nil {
		return err
	}
	p := purchase{a, buyer, o}
	recorded, err := s.recording.do(ctx, p)
	if err == nil && !recorded && a.Card.Limits() {
		// Others of its group, that were refused themselves, may have been in its way.
		var ids []string
		ids, err = s.takeRecord(ctx, a.Performance, []purchase{p})
		recorded = len(ids) > 0
	}
	if err == nil && !recorded {
		err = errNotStarted
	}
	return s.unrecorded(ctx, a, err)
}

func (s *Store) takeRecord(ctx context.Context, id ropeline.PerformanceID, of []purchase) ([]string, error) {
	ids, err := record(ctx, s.db, id, of)
	s.written.Add(int64(len(ids)))
	return ids, err
}

// orderer is who wants the order of an attempt that has moved: staff may, in an exchange.
const orderer = `case when moved.from_order is null then 'buyer' else (select x.who from exchanges x where x.performance_id = $1 and x.attempt_id = moved.id) end`

// record writes the orders of those attempts that are started. Tickets come in the
// order of their units, so that two groups that want the same ones wait for each
// other and do not deadlock; before them come the cards, of which each is counted by one
// group at a time. Those with which a card would have more than it may are left out. An
// account that is erased at this moment is waited for: its order is a guest's then.
func record(ctx context.Context, db querier, id ropeline.PerformanceID, of []purchase) ([]string, error) {
	var tickets []Ticket
	for _, p := range of {
		for _, t := range p.order.Tickets {
			t.Order = p.order.ID
			tickets = append(tickets, t)
		}
	}
	rows, err := db.Query(ctx, `
		with asked as (
			select *, sum(units) over (partition by card order by id) as together
			from unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $15::text[], $16::bigint[], $17::bigint[],
				$18::text[], $19::bigint[], $20::float8[], $21::integer[], $23::text[], $24::text[])
				as p (id, ref, order_id, buyer_id, email, action, fee, total, card, most, life, units, person, language)
		), counted as materialized (
			select of_card, had from units_of_cards($22::uuid[], array(select card from asked where card <> '' and most > 0))
		), known as materialized (
			select id from people where id = any(array(select person::uuid from asked where person <> '')) and state = 'active' order by id for share
		), moved as (
			update attempts a set state = case p.action when '' then 'recorded' else 'acting' end,
				provider_ref = p.ref, action = p.action, email = '', language = '', person_id = null, updated_at = now()
			from asked p left join counted on of_card = p.card
			where a.performance_id = $1 and a.id = p.id and a.state = 'started'
				and (p.card = '' or p.most = 0 or p.together + coalesce(had, 0) <= p.most)
			returning a.id, a.state, a.sale_id, a.session_id, a.place_id, a.amount, a.currency, a.from_order, p.order_id, p.buyer_id, p.email, p.language, p.person, p.fee, p.total,
				p.card, p.most, p.life
		), buyer as (
			insert into buyers (id, email, language, person_id) select buyer_id, email, language, known.id from moved left join known on known.id::text = moved.person
		), placed as (
			insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, fee, currency, card, card_most, card_until)
			select $1, order_id, sale_id, session_id, place_id, id, buyer_id, 'pending', total, fee, currency,
				card, most, case when card <> '' then now() + make_interval(secs => life) end
			from moved
		), ticket as (
			insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
			select $1, t.id, t.order_id, t.unit, t.tier, t.label, t.amount, t.currency, 'unpaid', t.code
			from unnest($7::uuid[], $8::uuid[], $9::integer[], $10::uuid[], $11::text[], $12::bigint[], $13::text[], $14::text[])
				as t (id, order_id, unit, tier, label, amount, currency, code)
			where t.order_id in (select order_id from moved)
			order by t.unit
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency, who)
			select $1, order_id, e.entry, case e.n when 1 then total else amount end, currency, `+orderer+`
			from moved join (values (1, 'placed'), (2, 'authorized')) as e (n, entry) on e.n = 1 or moved.state = 'recorded'
			order by order_id, e.n
		)
		select id, now() from moved`, afresh, id,
		attemptIDs(of),
		column(of, func(p purchase) string { return p.Ref }),
		column(of, func(p purchase) string { return p.order.ID }),
		column(of, func(p purchase) string { return p.buyer }),
		column(of, func(p purchase) string { return p.order.Email }),
		column(tickets, func(t Ticket) string { return t.ID }),
		column(tickets, func(t Ticket) string { return t.Order }),
		column(tickets, func(t Ticket) int { return t.Unit }),
		column(tickets, func(t Ticket) string { return t.Tier }),
		column(tickets, func(t Ticket) string { return t.Label }),
		column(tickets, func(t Ticket) int64 { return t.Price.Amount }),
		column(tickets, func(t Ticket) string { return t.Price.Currency }),
		column(tickets, func(t Ticket) string { return t.Code }),
		column(of, func(p purchase) string { return p.Action }),
		column(of, func(p purchase) int64 { return p.order.Fee }),
		column(of, func(p purchase) int64 { return p.order.Total.Amount }), // the attempt's, but for an exchange
		column(of, func(p purchase) string { return p.Card.Card }),
		column(of, func(p purchase) int64 { return p.Card.Most }),
		column(of, func(p purchase) float64 { return p.Card.For.Seconds() }),
		column(of, func(p purchase) int { return len(p.Units) }),
		of[0].counted(),
		column(of, func(p purchase) string { return p.order.Person }),
		column(of, func(p purchase) string { return p.order.Language }))
	var recorded []string
	if err == nil {
		recorded, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (id string, err error) {
			var at time.Time
			err = row.Scan(&id, &at)
			if i := slices.IndexFunc(of, func(p purchase) bool { return p.ID == id }); i >= 0 {
				of[i].order.CreatedAt = at.UTC()
			}
			return id, err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("recording orders of %s: %w", id, err)
	}
	return recorded, nil
}

// Paid makes a recorded attempt's order paid and its tickets valid, and returns
// the attempt as it is then. It does nothing if that was done already.
func (s *Store) Paid(ctx context.Context, a Attempt) (Attempt, error) {
	captured, err := s.paying.do(ctx, purchase{Attempt: a})
	if err != nil {
		return a, err
	}
	if !captured {
		return s.read(ctx, a)
	}
	a.Step, a.Outcome = Captured, ""
	return a, nil
}

func (s *Store) takePaid(ctx context.Context, id ropeline.PerformanceID, of []purchase) ([]string, error) {
	return conclude(ctx, s.db, id, attemptIDs(of), paid)
}

// end is how the orders of attempts end.
type end struct {
	from, to      Step
	outcome       string
	order, ticket string // their states
	entry         string // of the ledger
}

var paid = end{Recorded, Captured, "", "paid", "valid", "captured"}

// canceled is the end of an order whose money cannot be had any more; its units
// can be sold again.
func canceled(from Step, outcome *ropeline.Error) end {
	return end{from, Voiding, outcome.Code, "canceled", "canceled", "canceled"}
}

// conclude ends the orders of attempts. Each has one that is pending: where there
// is none the ledger's entry has no order and is refused, and nothing is written.
func conclude(ctx context.Context, db querier, id ropeline.PerformanceID, attempts []string, e end) ([]string, error) {
	ids, err := ids(ctx, db, `
		with moved as (
			update attempts set state = $3, outcome = $4, action = '', updated_at = now()
			where performance_id = $1 and id = any($2::uuid[]) and state = $8
			returning id, amount, currency
		), ended as (
			update orders set state = $5, updated_at = now()
			from moved where performance_id = $1 and attempt_id = moved.id and state = 'pending'
			returning orders.id, attempt_id, fee, orders.amount as total
		), ticket as (
			update tickets set state = $6, updated_at = now()
			from ended where performance_id = $1 and order_id = ended.id and state = 'unpaid'
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency)
			select $1, ended.id, e.entry, case when e.n = 2 then fee when $7 = 'captured' then moved.amount else total end, moved.currency
			from moved left join ended on attempt_id = moved.id
			join (values (1, $7), (2, 'fee')) as e (n, entry) on e.n = 1 or $7 = 'captured' and fee > 0
			order by ended.id, e.n
		)
		select id from moved`, id, attempts, e.to, e.outcome, e.order, e.ticket, e.entry, e.from)
	if err != nil {
		return nil, away("making orders "+e.order+" of", string(id), err)
	}
	return ids, nil
}

// change changes an attempt, in one transaction with the event that it is the
// effect of. An event that was heard before changes nothing.
func (s *Store) change(ctx context.Context, a Attempt, e *payment.Event, do func(querier) error) error {
	if e == nil {
		return do(s.db)
	}
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		return s.changeIn(ctx, tx, a, *e, func() error { return do(tx) })
	})
}

func (s *Store) changeIn(ctx context.Context, tx pgx.Tx, a Attempt, e payment.Event, do func() error) error {
	tag, err := tx.Exec(ctx, `
		insert into payment_events (performance_id, id, attempt_id, about, at) values ($1, $2, $3, $4, $5)
		on conflict do nothing`, a.Performance, e.ID, a.ID, e.About, e.At)
	if err != nil {
		return away("noting an event about", a.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return errHeard
	}
	return do()
}

// errHeard says that an event has had its effect before.
var errHeard = errors.New("this event was heard before")

// heardOf notes an event that has no effect.
func (s *Store) heardOf(ctx context.Context, a Attempt, e *payment.Event) error {
	return s.change(ctx, a, e, func(querier) error { return nil })
}

// end ends the order of an attempt, and returns the attempt as it is then.
func (s *Store) end(ctx context.Context, a Attempt, e *payment.Event, end end) (Attempt, error) {
	var moved []string
	err := s.change(ctx, a, e, func(db querier) (err error) {
		moved, err = conclude(ctx, db, a.Performance, []string{a.ID}, end)
		return err
	})
	if err != nil {
		return a, err
	}
	now, err := s.read(ctx, a)
	now.Moved = len(moved) > 0
	return now, err
}

// Done closes the books of a captured attempt whose units Redis knows as sold.
func (s *Store) Done(ctx context.Context, a Attempt) error {
	_, err := s.closing.do(ctx, purchase{Attempt: a})
	return err
}

func (s *Store) takeDone(ctx context.Context, id ropeline.PerformanceID, of []purchase) ([]string, error) {
	ids, err := ids(ctx, s.db, `
		update attempts set state = 'done', updated_at = now()
		where performance_id = $1 and id = any($2::uuid[]) and state = 'captured'
		returning id`, id, attemptIDs(of))
	if err != nil {
		return nil, away("closing attempts of", string(id), err)
	}
	return ids, nil
}
