package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/payment"
)

// Step says how far a payment attempt got; see the package's doc.
type Step string

// The steps of an attempt. Done and Closed are final, unless money comes late.
const (
	Started  Step = "started"
	Acting   Step = "acting"
	Recorded Step = "recorded"
	Captured Step = "captured"
	Done     Step = "done"
	Voiding  Step = "voiding"
	Closed   Step = "closed"
)

// Attempt is one attempt to pay for a hold.
type Attempt struct {
	ID          string
	Performance ropeline.PerformanceID
	Hold        string
	Sale        ropeline.SaleID
	Session     string
	Place       ropeline.PlaceID
	Key         string
	MAC         []byte
	Units       []int
	Amount      booking.Money
	Method      string
	Tender      Tender // how it is paid at the counter; empty: through the provider
	Account     string // the organizer's own at the provider, who is paid; empty: we are
	AccountFee  int64  // of Amount, what it leaves to us
	Ref         string // the provider's id of the payment, once the order is recorded
	Return      string // where the fan comes back to from the provider's page; not kept
	Action      string // that page, while Acting
	Step        Step
	Outcome     string // code of the error that a failed attempt was answered with
	From        string // the order whose tickets it exchanges; empty: it buys
	Payer       Payer  // written at its start and forgotten when there is an order; not read

	// PerPlace is how many units a place of the line may have of the sale, 0 for any
	// number, Card what the card may, once it is known, and Sold what performances that
	// is. They are not kept.
	PerPlace int
	Card     abuse.Allowance
	Sold     []ropeline.PerformanceID

	// Moved says that it was this very call that ended it, or confirmed it; not kept.
	Moved bool
}

// Payer is who is written to if an attempt does not go through.
type Payer struct {
	Email, Language string
	Person          string // whose account pays; empty: a guest
}

const attemptColumns = `performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac,
	units, amount, currency, method, tender, account, account_fee, provider_ref, action, state, outcome, coalesce(from_order::text, '')`

func scanAttempt(row pgx.CollectableRow) (a Attempt, err error) {
	return a, row.Scan(&a.Performance, &a.ID, &a.Hold, &a.Sale, &a.Session, &a.Place, &a.Key, &a.MAC,
		&a.Units, &a.Amount.Amount, &a.Amount.Currency, &a.Method, &a.Tender, &a.Account, &a.AccountFee, &a.Ref, &a.Action, &a.Step, &a.Outcome, &a.From)
}

// counted are the performances of which the units of a place, and of a card, count.
func (a Attempt) counted() []ropeline.PerformanceID {
	if len(a.Sold) == 0 {
		return []ropeline.PerformanceID{a.Performance}
	}
	return a.Sold
}

// charge is how the provider knows the attempt.
func (a Attempt) charge() payment.Charge {
	return payment.Charge{Attempt: a.ID, Amount: a.Amount, Method: a.Method, Return: a.Return, Ref: a.Ref, Account: a.Account, Fee: a.AccountFee}
}

// byKey finds what a session did with an idempotency key. The key is unique
// within a performance only: if two requests of a sale came with it at once,
// this is the one of the same content, or else the first.
func (s *Store) byKey(ctx context.Context, ids []ropeline.PerformanceID, session, key string, mac []byte) (Attempt, bool, error) {
	return s.attempt(ctx, `performance_id = any($1) and session_id = $2 and idempotency_key = $3
		order by request_mac = $4 desc, created_at limit 1`, ids, session, key, mac)
}

// open finds the attempt that keeps another one for the same hold from starting.
func (s *Store) open(ctx context.Context, id ropeline.PerformanceID, hold string) (Attempt, bool, error) {
	return s.attempt(ctx, `performance_id = $1 and hold_id = $2 and state in ('started', 'acting', 'recorded', 'captured', 'done')`, id, hold)
}

// byID finds an attempt of any performance, the newest of which come first: who
// only has its id is a provider that tells of a payment just made.
func (s *Store) byID(ctx context.Context, id string) (Attempt, bool, error) {
	if !booking.IsID(id) {
		return Attempt{}, false, nil
	}
	return s.attempt(ctx, `(performance_id, id) = (
		select a.performance_id, a.id from performances p join attempts a on a.performance_id = p.id and a.id = $1
		order by p.created_at desc limit 1)`, id)
}

// read reads an attempt afresh.
func (s *Store) read(ctx context.Context, a Attempt) (Attempt, error) {
	a, found, err := s.attempt(ctx, `performance_id = $1 and id = $2`, a.Performance, a.ID)
	if err == nil && !found {
		err = fmt.Errorf("reading attempt %s: it is gone", a.ID)
	}
	return a, err
}

func (s *Store) attempt(ctx context.Context, where string, args ...any) (Attempt, bool, error) {
	rows, err := s.db.Query(ctx, `select `+attemptColumns+` from attempts where `+where, args...)
	if err != nil {
		return Attempt{}, false, away("reading an attempt of", fmt.Sprint(args[min(1, len(args)-1)]), err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAttempt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Attempt{}, false, nil
	}
	if err != nil {
		return Attempt{}, false, away("reading an attempt of", fmt.Sprint(args[min(1, len(args)-1)]), err)
	}
	return a, true, nil
}

// among reads those of a performance's attempts that have one of the ids.
func (s *Store) among(ctx context.Context, id ropeline.PerformanceID, ids []string) (map[string]Attempt, error) {
	rows, err := s.db.Query(ctx, `select `+attemptColumns+` from attempts where performance_id = $1 and id = any($2)`, id, ids)
	if err != nil {
		return nil, away("reading attempts of", string(id), err)
	}
	attempts, err := pgx.CollectRows(rows, scanAttempt)
	if err != nil {
		return nil, away("reading attempts of", string(id), err)
	}
	found := make(map[string]Attempt, len(attempts))
	for _, a := range attempts {
		found[a.ID] = a
	}
	return found, nil
}

// move takes an attempt from one step to another if it is still there. While
// a transaction of unknown fate has the row, this waits for its end: so move
// is the judge of whether a lost commit took place.
func (s *Store) move(ctx context.Context, a Attempt, from, to Step, outcome string) (bool, error) {
	return move(ctx, s.db, a, from, to, outcome)
}

func move(ctx context.Context, db querier, a Attempt, from, to Step, outcome string) (bool, error) {
	moved, err := ids(ctx, db, `
		update attempts set state = $4, outcome = case when $5 = '' then outcome else $5 end, updated_at = now()
		where performance_id = $1 and id = $2 and state = $3
		returning id`, a.Performance, a.ID, from, to, outcome)
	if err != nil {
		return false, away("moving attempt", a.ID, err)
	}
	return len(moved) == 1, nil
}

// due takes open attempts that have not moved for a while, so that no other
// settler takes them for as long again. Those whose fan is at the bank come later:
// a webhook, or the fan, is expected to tell first, and each look is a call of the
// provider.
func (s *Store) due(ctx context.Context, idle time.Duration, limit int) ([]Attempt, error) {
	rows, err := s.db.Query(ctx, `
		update attempts a set updated_at = now()
		from (
			select performance_id as p, id as i from attempts
			where state in ('started', 'acting', 'recorded', 'captured', 'voiding')
				and updated_at <= now() - make_interval(secs => $1)
				and (state <> 'acting' or updated_at <= now() - make_interval(secs => 4 * $1))
			order by updated_at limit $2 for update skip locked
		) due
		where a.performance_id = due.p and a.id = due.i
		returning `+attemptColumns, idle.Seconds(), limit)
	if err != nil {
		return nil, away("taking", "open attempts", err)
	}
	attempts, err := pgx.CollectRows(rows, scanAttempt)
	if err != nil {
		return nil, away("taking", "open attempts", err)
	}
	return attempts, nil
}

func isUniqueViolation(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "23505"
}

func away(what, id string, err error) error {
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %s: %w", what, id, err))
}
