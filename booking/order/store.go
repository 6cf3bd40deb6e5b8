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
// Postgres. It satisfies inventory.Records. What a purchase writes on its way
// is written in groups with that of others.
type Store struct {
	// Static after NewStore.
	db                                   *pgxpool.Pool
	catalogue                            *catalogue.Store
	starting, recording, paying, closing *group
	counts                               groupMetrics

	written atomic.Int64
}

var _ inventory.Records = (*Store)(nil)

// NewStore returns a Store. Whoever sells with it closes it.
func NewStore(db *pgxpool.Pool, c *catalogue.Store) *Store {
	s := &Store{db: db, catalogue: c, counts: newGroupMetrics()}
	s.starting = newGroup(s.takeStart, s.counts)
	s.starting.shed = true // nothing has happened yet: the fan may come again
	s.recording = newGroup(s.takeRecord, s.counts)
	s.paying = newGroup(s.takePaid, s.counts)
	s.closing = newGroup(s.takeDone, s.counts)
	return s
}

func (s *Store) groups() []*group {
	return []*group{s.starting, s.recording, s.paying, s.closing}
}

// Close waits for the groups that are under way. Whoever comes later writes
// alone.
func (s *Store) Close() {
	for _, g := range s.groups() {
		g.wait.Close()
	}
}

// Written is how many orders were written since the start.
func (s *Store) Written() int64 { return s.written.Load() }

// errNotStarted says that the attempt had left the step Started before its
// order could be recorded.
var errNotStarted = errors.New("attempt is not started any more")

// Of reads the order that an attempt made.
func (s *Store) Of(ctx context.Context, a Attempt) (Order, error) {
	return s.order(ctx, `o.performance_id = $1 and o.attempt_id = $2`, a.Performance, a.ID)
}

// Order reads an order by its id alone, which looks into every partition. Its tickets are
// as its buyer sees them.
func (s *Store) Order(ctx context.Context, id string) (Order, error) {
	return s.order(ctx, `o.id = $1`, id)
}

func (s *Store) order(ctx context.Context, where string, args ...any) (Order, error) {
	var o Order
	err := s.db.QueryRow(ctx, `
		select o.id, o.performance_id, o.sale_id, o.place_id, o.state, o.amount, o.fee, o.currency, o.tender, b.email, b.language, coalesce(b.person_id::text, ''), o.created_at
		from orders o join buyers b on b.id = o.buyer_id where `+where, args...,
	).Scan(&o.ID, &o.Performance, &o.Sale, &o.Place, &o.State, &o.Total.Amount, &o.Fee, &o.Total.Currency, &o.Tender, &o.Email, &o.Language, &o.Person, &o.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Order{}, ErrUnknown
	}
	if err != nil {
		return Order{}, away("reading order", fmt.Sprint(args[0]), err)
	}
	o.CreatedAt = o.CreatedAt.UTC()
	o.Tickets, err = s.tickets(ctx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID)
	o.Discount = booking.Money{Amount: -o.Total.Amount, Currency: o.Total.Currency}
	for i, t := range o.Tickets {
		o.Discount.Amount += t.Price.Amount
		o.Tickets[i] = t.Seen(o.ID)
	}
	return o, err
}

// Ticket reads a ticket by its id alone, which looks into every partition. It is as its
// holder sees it.
func (s *Store) Ticket(ctx context.Context, id string) (t Ticket, found bool, err error) {
	tickets, err := s.tickets(ctx, `id = $1`, id)
	if err != nil || len(tickets) == 0 {
		return Ticket{}, false, err
	}
	return tickets[0], true, nil
}

func (s *Store) tickets(ctx context.Context, where string, args ...any) ([]Ticket, error) {
	return ticketsOf(ctx, s.db, where, args...)
}

func ticketsOf(ctx context.Context, db querier, where string, args ...any) ([]Ticket, error) {
	rows, err := db.Query(ctx, `
		select id, order_id, unit, label, tier_id, amount, currency, state, code, issue, coalesce(holder::text, ''), name
		from tickets where `+where+` order by unit`, args...)
	if err != nil {
		return nil, away("reading tickets of", fmt.Sprint(args[0]), err)
	}
	tickets, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Ticket, err error) {
		return t, r.Scan(&t.ID, &t.Order, &t.Unit, &t.Label, &t.Tier, &t.Price.Amount, &t.Price.Currency, &t.State, &t.Code, &t.Issue, &t.Holder, &t.Name)
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
		if r.Sold, err = units(ctx, tx, id, "valid", "blocked", "void"); err != nil {
			return err
		}
		if r.Unpaid, err = units(ctx, tx, id, "unpaid"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select id, hold_id, session_id, sale_id, place_id, units from attempts
			where performance_id = $1 and state in ('started', 'acting', 'recorded', 'captured')
			order by state = 'started', created_at desc`, id)
		if err != nil {
			return err
		}
		r.Open, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (a inventory.Attempt, err error) {
			return a, r.Scan(&a.ID, &a.Hold, &a.Session, &a.Sale, &a.Place, &a.Units)
		})
		if err == nil && p.Sale.UnitsPerPlace > 0 {
			r.Bought, err = bought(ctx, tx, id)
		}
		return err
	})
	if err != nil {
		return inventory.Recorded{}, away("reading the sold units of", string(id), err)
	}
	return r, nil
}

// bought are the paid units of each place of the line.
func bought(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID) (map[ropeline.PlaceID]int, error) {
	rows, err := tx.Query(ctx, `
		select o.place_id, count(*) from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
		where o.performance_id = $1 and t.state in ('valid', 'blocked', 'void') group by o.place_id`, id)
	if err != nil {
		return nil, err
	}
	counts := map[ropeline.PlaceID]int{}
	var place ropeline.PlaceID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&place, &n}, func() error {
		counts[place] = n
		return nil
	})
	return counts, err
}

func units(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID, states ...string) ([]int, error) {
	rows, err := tx.Query(ctx, `select unit from tickets where performance_id = $1 and state = any($2)`, id, states)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}
