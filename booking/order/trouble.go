package order

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// TroubleKind says why staff should know of a payment.
type TroubleKind string

// The kinds of trouble.
const (
	Late    TroubleKind = "late"    // money came for an attempt that had failed
	Unknown TroubleKind = "unknown" // money for an attempt that is not in our books
	Unpaid  TroubleKind = "unpaid"  // valid tickets whose money the provider does not have
	Amount  TroubleKind = "amount"  // the provider has another amount than the order

	// RefundRefused is counted with them, and listed by FailedRefunds.
	RefundRefused TroubleKind = "refund"
	// Disputed is, too, for as long as it is not decided: see Disputes.
	Disputed TroubleKind = "dispute"
)

// TroubleState says what became of it.
type TroubleState string

// The states of trouble. Of these somebody has to do something about Open, which
// for Late is the settler, and Failed.
const (
	Open      TroubleState = "open"
	Reseated  TroubleState = "reseated"  // the order got its units after all
	LetGo     TroubleState = "let_go"    // the amount was reserved only, and is not any more
	Refunding TroubleState = "refunding" // the provider gives it back
	GivenBack TroubleState = "refunded"
	Failed    TroubleState = "failed" // it could not be given back
	Gone      TroubleState = "gone"   // it was so when we compared, and is not any more
)

// Trouble is a payment that staff should know of.
type Trouble struct {
	Attempt     string
	Kind        TroubleKind
	State       TroubleState
	Performance ropeline.PerformanceID // empty if we have no such attempt
	Sale        ropeline.SaleID
	Account     string // whose it is at the provider; empty: ours
	Ref         string // the provider's id of the payment
	Amount      booking.Money
	Refund      string // our id of the refund, if there is one
	At, Changed time.Time
}

func troubleOf(a Attempt, p payment.Payment, kind TroubleKind) Trouble {
	return Trouble{Attempt: p.Attempt, Kind: kind, State: Open, Performance: a.Performance, Sale: a.Sale, Account: a.Account, Ref: p.Ref, Amount: p.Amount}
}

// note writes down how a trouble stands. That it is open says nothing new of one
// that is known. What was refunded is in the order's ledger, too, and so is that it came
// back.
func (s *Store) note(ctx context.Context, db querier, t Trouble) error {
	rows, err := db.Query(ctx, `
		with before as (
			select state from payment_troubles where attempt_id = $1 and kind = $2
		), noted as (
			insert into payment_troubles as t (attempt_id, kind, state, performance_id, sale_id, provider_ref, amount, currency, refund_id, account)
			values ($1, $2, $3, nullif($4, '')::uuid, $5, $6, $7, $8, nullif($9, '')::uuid, $10)
			on conflict (attempt_id, kind) do update
				set state = excluded.state, amount = excluded.amount, refund_id = coalesce(excluded.refund_id, t.refund_id), updated_at = now()
				where excluded.state <> 'open' and t.state <> excluded.state
			returning state
		)
		insert into order_ledger (performance_id, order_id, entry, amount, currency)
		select o.performance_id, o.id, e.entry, $7, $8
		from noted join orders o on o.performance_id = nullif($4, '')::uuid and o.attempt_id = $1
		cross join (values (1, 'captured'), (2, 'refunded'), (3, 'refund_returned')) as e (n, entry)
		where case e.n
			when 1 then noted.state = 'refunded'
				and not exists (select from order_ledger l where l.performance_id = o.performance_id and l.order_id = o.id and l.entry = 'captured')
			when 2 then noted.state = 'refunded'
			else noted.state = 'failed' and exists (select from before where state = 'refunded') end
		order by e.n`, t.Attempt, t.Kind, t.State, string(t.Performance), t.Sale, t.Ref, t.Amount.Amount, t.Amount.Currency, t.Refund, t.Account)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return away("noting the trouble of", t.Attempt, err)
	}
	if t.State != Open {
		s.counts.troubles.WithLabelValues(string(t.Kind), string(t.State)).Inc()
	}
	return nil
}

const troubleColumns = `attempt_id, kind, state, coalesce(performance_id::text, ''), sale_id, account, provider_ref, amount, currency,
	coalesce(refund_id::text, ''), created_at, updated_at`

func scanTrouble(row pgx.CollectableRow) (t Trouble, err error) {
	err = row.Scan(&t.Attempt, &t.Kind, &t.State, &t.Performance, &t.Sale, &t.Account, &t.Ref, &t.Amount.Amount, &t.Amount.Currency,
		&t.Refund, &t.At, &t.Changed)
	t.At, t.Changed = t.At.UTC(), t.Changed.UTC()
	return t, err
}

// TroublesMost bounds what Troubles returns.
const TroublesMost = 200

// Troubles lists the payments that staff should know of: first those about which
// somebody has to do something, then the others, the newest first.
func Troubles(ctx context.Context, db *pgxpool.Pool) ([]Trouble, error) {
	return troubles(ctx, db, `true order by state not in ('open', 'failed'), created_at desc limit $1`, TroublesMost)
}

func troubles(ctx context.Context, db querier, where string, args ...any) ([]Trouble, error) {
	rows, err := db.Query(ctx, `select `+troubleColumns+` from payment_troubles where `+where, args...)
	if err != nil {
		return nil, away("listing", "payments in trouble", err)
	}
	found, err := pgx.CollectRows(rows, scanTrouble)
	if err != nil {
		return nil, away("listing", "payments in trouble", err)
	}
	return found, nil
}

// close ends a failed attempt for which the provider keeps no money. Its late
// money may have been let go by somebody who died before saying so.
func (s *Store) close(ctx context.Context, a Attempt) error {
	_, err := ids(ctx, s.db, `
		with moved as (
			update attempts set state = 'closed', updated_at = now()
			where performance_id = $1 and id = $2 and state = 'voiding'
			returning id
		), noted as (
			update payment_troubles set state = 'let_go', updated_at = now()
			where attempt_id = $2 and kind = 'late' and state = 'open' and exists (select 1 from moved)
		)
		select id from moved`, a.Performance, a.ID)
	if err != nil {
		return away("closing attempt", a.ID, err)
	}
	return nil
}

// hasOrder reports whether an attempt has an order, which is canceled, and whether
// it costs as much as its tickets.
func (s *Store) hasOrder(ctx context.Context, a Attempt) (has, full bool, err error) {
	err = s.db.QueryRow(ctx, `
		select count(o.id) > 0, coalesce(sum(t.amount) = $3, false)
		from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
		where o.performance_id = $1 and o.attempt_id = $2`, a.Performance, a.ID, a.Amount.Amount).Scan(&has, &full)
	if err != nil {
		return false, false, away("looking for the order of", a.ID, err)
	}
	return has, full, nil
}

// renounce makes sure that the order of a failed attempt is not revived any more, before
// its late money goes back, by giving the refund its id, and returns the attempt as it is:
// somebody who was faster may have revived it.
func (s *Store) renounce(ctx context.Context, a Attempt) (now Attempt, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if now, err = seized(ctx, tx, a); err != nil || now.Step != Voiding {
			return err
		}
		_, err := tx.Exec(ctx, `update payment_troubles set refund_id = $2 where attempt_id = $1 and kind = 'late'`, a.ID, refundOf(a))
		return err
	})
	if err != nil {
		return a, away("giving up the order of attempt", a.ID, err)
	}
	return now, nil
}

// seized reads an attempt afresh, and keeps others from moving it until the transaction
// ends. It is a statement of its own: the next one sees what was written until it had the lock.
func seized(ctx context.Context, tx pgx.Tx, a Attempt) (Attempt, error) {
	rows, err := tx.Query(ctx, `select `+attemptColumns+` from attempts where performance_id = $1 and id = $2 for update`, a.Performance, a.ID)
	if err != nil {
		return a, err
	}
	return pgx.CollectExactlyOneRow(rows, scanAttempt)
}

// revive makes the canceled order of an attempt a pending one again, and reports
// whether it did. The index tickets_unit_once refuses what somebody else has; it stays
// canceled where its place of the line, or its card, would have more than it may, and
// where its money goes back already (renounce).
func (s *Store) revive(ctx context.Context, a Attempt) (bool, error) {
	p, err := s.catalogue.Performance(ctx, a.Performance)
	if err != nil {
		return false, err
	}
	a.PerPlace, a.Sold = p.Sale.UnitsPerPlace, p.Sale.Performances
	var revived []string
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := seized(ctx, tx, a); err != nil {
			return err
		}
		revived, err = s.revived(ctx, tx, a)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("reviving the order of attempt %s: %w", a.ID, err)
	}
	if len(revived) > 0 {
		s.counts.troubles.WithLabelValues(string(Late), string(Reseated)).Inc()
	}
	return len(revived) > 0, nil
}

func (s *Store) revived(ctx context.Context, tx pgx.Tx, a Attempt) ([]string, error) {
	return ids(ctx, tx, `
		with moved as (
			update attempts set state = 'recorded', outcome = '', hold_id = $3, provider_ref = $4, updated_at = now()
			where performance_id = $1 and id = $2 and state = 'voiding'
				and not exists (select from payment_troubles where attempt_id = $2 and kind = 'late' and refund_id is not null)
				and case when $5::int > 0 then units_of_place($6::uuid[], place_id) + cardinality(units) <= $5 else true end
				and coalesce((
					select cardinality(attempts.units) + coalesce((select had from units_of_cards($6::uuid[], array[o.card])), 0) <= o.card_most
					from orders o where o.performance_id = $1 and o.attempt_id = $2 and o.card_most > 0), true)
			returning id, amount, currency
		), revived as (
			update orders set state = 'pending', updated_at = now()
			from moved where performance_id = $1 and attempt_id = moved.id and orders.state = 'canceled'
			returning orders.id
		), ticket as (
			update tickets set state = 'unpaid', updated_at = now()
			from revived where performance_id = $1 and order_id = revived.id and tickets.state = 'canceled'
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency)
			select $1, revived.id, e.entry, moved.amount, moved.currency
			from moved left join revived on true cross join (values (1, 'placed'), (2, 'authorized')) as e (n, entry)
			order by e.n
		), noted as (
			update payment_troubles set state = 'reseated', updated_at = now() where attempt_id = $2 and kind = 'late'
		)
		select id from moved`, a.Performance, a.ID, a.Hold, a.Ref, a.PerPlace, a.counted())
}
