package order

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
)

// Store keeps attempts, orders, tickets, buyers and the order ledger in
// Postgres. It satisfies inventory.Records.
type Store struct {
	db        *pgxpool.Pool
	catalogue *catalogue.Store
	written   atomic.Int64
}

var _ inventory.Records = (*Store)(nil)

// NewStore returns a Store.
func NewStore(db *pgxpool.Pool, c *catalogue.Store) *Store { return &Store{db: db, catalogue: c} }

// Written is how many orders were written since the start.
func (s *Store) Written() int64 { return s.written.Load() }

// errNotStarted says that the attempt had left the step Started before its
// order could be recorded.
var errNotStarted = errors.New("attempt is not started any more")

// record writes order, unpaid tickets and ledger in one transaction with the
// attempt's step from Started to Recorded. Tickets come in the order of their
// units, so that two orders that want the same ones wait for each other and do
// not deadlock.
func (s *Store) record(ctx context.Context, a Attempt, ref string, o Order) error {
	buyer, err := booking.NewID()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update attempts set state = 'recorded', provider_ref = $3, updated_at = now()
			where performance_id = $1 and id = $2 and state = 'started'`, a.Performance, a.ID, ref)
		if err != nil {
			return fmt.Errorf("recording attempt %s: %w", a.ID, err)
		}
		if tag.RowsAffected() == 0 {
			return errNotStarted
		}
		var b pgx.Batch
		b.Queue(`insert into buyers (id, email) values ($1, $2)`, buyer, o.Email)
		b.Queue(`
			insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency)
			values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)`,
			a.Performance, o.ID, a.Sale, a.Session, a.Place, a.ID, buyer, a.Amount.Amount, a.Amount.Currency)
		for _, t := range o.Tickets {
			b.Queue(`
				insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
				values ($1, $2, $3, $4, $5, $6, $7, $8, 'unpaid', $9)`,
				a.Performance, t.ID, o.ID, t.Unit, t.Tier, t.Label, t.Price.Amount, t.Price.Currency, t.Code)
		}
		for _, entry := range []string{"placed", "authorized"} {
			b.Queue(ledgerEntry, a.Performance, o.ID, entry, a.Amount.Amount, a.Amount.Currency)
		}
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return fmt.Errorf("recording order %s: %w", o.ID, err)
		}
		return nil
	})
	if err == nil {
		s.written.Add(1)
	}
	return err
}

const ledgerEntry = `insert into order_ledger (performance_id, order_id, entry, amount, currency) values ($1, $2, $3, $4, $5)`

// paid makes a recorded attempt's order paid and its tickets valid. It does
// nothing if that was done already.
func (s *Store) paid(ctx context.Context, a Attempt) error {
	return s.conclude(ctx, a, Captured, "", "paid", "valid", "captured")
}

// cancel takes back the order of a recorded attempt whose money cannot be
// captured any more; its units can be sold again.
func (s *Store) cancel(ctx context.Context, a Attempt) error {
	return s.conclude(ctx, a, Voiding, ErrDeclined.Code, "canceled", "canceled", "canceled")
}

func (s *Store) conclude(ctx context.Context, a Attempt, to Step, outcome, orderState, ticketState, entry string) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update attempts set state = $3, outcome = $4, updated_at = now()
			where performance_id = $1 and id = $2 and state = 'recorded'`, a.Performance, a.ID, to, outcome)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		var order string
		err = tx.QueryRow(ctx, `
			update orders set state = $3, updated_at = now()
			where performance_id = $1 and attempt_id = $2 and state = 'pending'
			returning id`, a.Performance, a.ID, orderState).Scan(&order)
		if err != nil {
			return err
		}
		var b pgx.Batch
		b.Queue(`
			update tickets set state = $3, updated_at = now()
			where performance_id = $1 and order_id = $2 and state = 'unpaid'`, a.Performance, order, ticketState)
		b.Queue(ledgerEntry, a.Performance, order, entry, a.Amount.Amount, a.Amount.Currency)
		return tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return away("making the order "+orderState+" of attempt", a.ID, err)
	}
	return nil
}

// Of reads the order that an attempt made.
func (s *Store) Of(ctx context.Context, a Attempt) (Order, error) {
	return s.order(ctx, `o.performance_id = $1 and o.attempt_id = $2`, a.Performance, a.ID)
}

// Order reads an order by its id alone, which looks into every partition.
func (s *Store) Order(ctx context.Context, id string) (Order, error) {
	return s.order(ctx, `o.id = $1`, id)
}

func (s *Store) order(ctx context.Context, where string, args ...any) (Order, error) {
	var o Order
	err := s.db.QueryRow(ctx, `
		select o.id, o.performance_id, o.sale_id, o.state, o.amount, o.currency, b.email, o.created_at
		from orders o join buyers b on b.id = o.buyer_id where `+where, args...,
	).Scan(&o.ID, &o.Performance, &o.Sale, &o.State, &o.Total.Amount, &o.Total.Currency, &o.Email, &o.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Order{}, ErrUnknown
	}
	if err != nil {
		return Order{}, away("reading order", fmt.Sprint(args[0]), err)
	}
	o.CreatedAt = o.CreatedAt.UTC()
	o.Tickets, err = s.tickets(ctx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID)
	return o, err
}

// Ticket reads a ticket by its id alone, which looks into every partition.
func (s *Store) Ticket(ctx context.Context, id string) (t Ticket, found bool, err error) {
	tickets, err := s.tickets(ctx, `id = $1`, id)
	if err != nil || len(tickets) == 0 {
		return Ticket{}, false, err
	}
	return tickets[0], true, nil
}

func (s *Store) tickets(ctx context.Context, where string, args ...any) ([]Ticket, error) {
	rows, err := s.db.Query(ctx, `
		select id, order_id, unit, label, tier_id, amount, currency, state, code
		from tickets where `+where+` order by unit`, args...)
	if err != nil {
		return nil, away("reading tickets of", fmt.Sprint(args[0]), err)
	}
	tickets, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Ticket, err error) {
		return t, r.Scan(&t.ID, &t.Order, &t.Unit, &t.Label, &t.Tier, &t.Price.Amount, &t.Price.Currency, &t.State, &t.Code)
	})
	if err != nil {
		return nil, away("reading tickets of", fmt.Sprint(args[0]), err)
	}
	return tickets, nil
}

// Recorded reads what Postgres knows about a performance's units at one
// instant.
func (s *Store) Recorded(ctx context.Context, id ropeline.PerformanceID) (inventory.Recorded, error) {
	p, err := s.catalogue.Performance(ctx, id)
	if err != nil {
		return inventory.Recorded{}, err
	}
	r := inventory.Recorded{Units: p.Map.Units}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, s.db, snapshot, func(tx pgx.Tx) error {
		var err error
		if r.Sold, err = units(ctx, tx, id, "valid"); err != nil {
			return err
		}
		if r.Unpaid, err = units(ctx, tx, id, "unpaid"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select id, hold_id, session_id, sale_id, units from attempts
			where performance_id = $1 and state in ('started', 'recorded', 'captured')`, id)
		if err != nil {
			return err
		}
		r.Open, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (a inventory.Attempt, err error) {
			return a, r.Scan(&a.ID, &a.Hold, &a.Session, &a.Sale, &a.Units)
		})
		return err
	})
	if err != nil {
		return inventory.Recorded{}, away("reading the sold units of", string(id), err)
	}
	return r, nil
}

func units(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID, state string) ([]int, error) {
	rows, err := tx.Query(ctx, `select unit from tickets where performance_id = $1 and state = $2`, id, state)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}
