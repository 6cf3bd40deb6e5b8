package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/payment"
)

const (
	// CompareEvery is how often our books are compared with the provider's.
	CompareEvery = 5 * time.Minute
	// overlap is how far back each comparison goes beyond where the last one
	// ended: a payment may change after it was made.
	overlap = time.Hour
	// settled is how old an attempt has to be before the provider must have heard
	// of it, and a payment before it is trouble: by then a request is over, and a
	// settler has looked.
	settled = 2 * time.Minute
	// disputesMost is how many of them are asked for at a time.
	disputesMost = 200
	// page is how many payments are compared at once.
	page = 500
	// comparePatience is how long one comparison may take.
	comparePatience = 4 * time.Minute
)

// Compare looks through the provider's lists of payments and through our attempts
// since the last time, account by account, and has what does not fit put right or
// written down for staff. Only one settler does it at a time. It reports how many
// payments it saw.
//
// Nothing is repeated at the provider before it was asked for the attempt: the list
// may be older than what has happened since.
func (s *Settler) Compare(ctx context.Context, every time.Duration) (seen int, err error) {
	if s.books == nil {
		return 0, nil
	}
	took := false
	seen, err = s.each(ctx, func(account string) (int, error) {
		from, now, due, err := s.store.takeComparison(ctx, account, every)
		if err != nil || !due {
			return 0, err
		}
		took = true
		return s.compare(ctx, account, from.Add(-overlap), now)
	})
	if took {
		err = errors.Join(err, s.recheck(ctx))
	}
	return seen, err
}

func (s *Settler) compare(ctx context.Context, account string, from, now time.Time) (int, error) {
	listed := map[string]bool{}
	var batch []payment.Payment
	for p, err := range s.books.Since(ctx, account, from) {
		if err != nil {
			return len(listed), fmt.Errorf("reading the provider's list: %w", err)
		}
		listed[p.Attempt] = true
		if batch = append(batch, p); len(batch) == page {
			if err := s.judge(ctx, account, batch, now); err != nil {
				return len(listed), err
			}
			batch = batch[:0]
		}
	}
	if err := s.judge(ctx, account, batch, now); err != nil {
		return len(listed), err
	}
	if err := s.missing(ctx, account, from.Add(s.young), now.Add(-s.young), listed); err != nil {
		return len(listed), err
	}
	if err := s.elsewhere(ctx, account, from); err != nil {
		return len(listed), err
	}
	return len(listed), s.store.compared(ctx, account, now)
}

// elsewhere goes through what banks and people at the provider have done since a time:
// a webhook may not have come.
func (s *Settler) elsewhere(ctx context.Context, account string, from time.Time) error {
	for d, err := range s.books.Disputes(ctx, account, from) {
		if err != nil {
			return fmt.Errorf("reading the provider's disputes: %w", err)
		}
		a, found, err := s.store.byID(ctx, d.Attempt)
		if err == nil && found && isOf(d, a, account) {
			err = s.disputed(ctx, a, nil, d)
		}
		if err != nil {
			s.log.Warn("a dispute is not in the books yet", "dispute", d.Ref, "err", err)
		}
	}
	paid := map[string]bool{}
	for r, err := range s.books.RefundsByHand(ctx, account, from) {
		if err != nil {
			return fmt.Errorf("reading the provider's refunds: %w", err)
		}
		paid[r.Payment] = true
	}
	for ref := range paid {
		a, found, err := s.payer(ctx, account, ref)
		if err == nil && found {
			err = s.byHand(ctx, a, nil)
		}
		if err != nil {
			s.log.Warn("a refund by hand is not in the books yet", "payment", ref, "err", err)
		}
	}
	return ctx.Err()
}

// recheck asks once more how open disputes stand, and for payments that did not fit:
// somebody may have put them right by hand.
func (s *Settler) recheck(ctx context.Context) error {
	undecided, err := disputes(ctx, s.store.db, `d.state in ('asked', 'open') order by d.updated_at limit $1`, disputesMost)
	if err != nil {
		return err
	}
	for _, d := range undecided {
		if err := s.reask(ctx, d); err != nil {
			s.log.Warn("cannot tell how a dispute stands", "dispute", d.Ref, "err", err)
		}
	}
	open, err := troubles(ctx, s.store.db, `kind in ('unknown', 'unpaid') and state = 'open' order by updated_at limit $1`, TroublesMost)
	if err != nil {
		return err
	}
	for _, t := range open {
		call, cancel := context.WithTimeout(ctx, patience)
		p, err := s.provider.Find(call, payment.Charge{Attempt: t.Attempt, Amount: t.Amount, Ref: t.Ref, Account: t.Account})
		cancel()
		if err != nil { // it stays as it is
			continue
		}
		taken := p.State == payment.Captured && p.Refunded < p.Amount.Amount
		if t.Kind == Unpaid && !taken || t.Kind == Unknown && (taken || p.State == payment.Authorized) {
			continue
		}
		t.State = Gone
		if err := s.store.note(ctx, s.store.db, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settler) reask(ctx context.Context, d Dispute) error {
	call, cancel := context.WithTimeout(ctx, patience)
	now, err := s.provider.Dispute(call, d.Account, d.Ref)
	cancel()
	if err != nil {
		return err
	}
	a, err := s.store.read(ctx, Attempt{ID: d.Attempt, Performance: d.Performance})
	if err != nil {
		return err
	}
	return s.disputed(ctx, a, nil, now)
}

// judge compares some of the provider's payments with our attempts. What cannot be
// put right now is tried again by a settler, and found again by the next comparison.
func (s *Settler) judge(ctx context.Context, account string, payments []payment.Payment, now time.Time) error {
	attempts, err := s.store.those(ctx, payments)
	if err != nil {
		return err
	}
	for _, p := range payments {
		if now.Sub(p.CreatedAt) < s.young {
			continue
		}
		a := attempts[p.Attempt]
		if a.Account != account { // whoever has the account can write anything there
			a = Attempt{Account: account}
		}
		if err := s.judgeOne(ctx, p, a); err != nil {
			s.log.Warn("a payment does not fit its attempt", "attempt", p.Attempt, "payment", p.State, "err", err)
		}
	}
	return ctx.Err()
}

func (s *Settler) judgeOne(ctx context.Context, p payment.Payment, a Attempt) error {
	taken := p.State == payment.Captured && p.Refunded < p.Amount.Amount
	if a.Tender != "" { // what the counter sells is no payment of the provider's
		a.Step = ""
	}
	switch a.Step {
	case "": // none is ours
		if taken || p.State == payment.Authorized {
			return s.store.note(ctx, s.store.db, troubleOf(a, p, Unknown))
		}
	case Voiding, Closed:
		if taken || p.State == payment.Authorized || p.State == payment.NeedsAction {
			return s.recall(ctx, a)
		}
	case Captured, Done:
		if p.State != payment.Captured {
			return s.doubt(ctx, a)
		}
		if p.Amount != a.Amount {
			return s.store.note(ctx, s.store.db, troubleOf(a, p, Amount))
		}
	}
	return nil
}

// recall opens a failed attempt again for which the provider has money.
func (s *Settler) recall(ctx context.Context, a Attempt) error {
	a, err := s.reopen(ctx, a)
	if err != nil {
		return err
	}
	return s.back(ctx, a)
}

// doubt asks the provider for the payment of an attempt whose tickets are valid,
// and has staff know if there is no money.
func (s *Settler) doubt(ctx context.Context, a Attempt) error {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := s.provider.Find(call, a.charge())
	switch {
	case errors.Is(err, payment.ErrNone):
		p = payment.Payment{Attempt: a.ID, Ref: a.Ref, Amount: a.Amount}
	case err != nil:
		return fmt.Errorf("asking for the payment of attempt %s: %w", a.ID, err)
	case p.State == payment.Captured:
		return nil
	}
	t := troubleOf(a, p, Unpaid)
	t.Amount = a.Amount
	return s.store.note(ctx, s.store.db, t)
}

// missing doubts those of our paid attempts that the provider did not list.
func (s *Settler) missing(ctx context.Context, account string, from, to time.Time, listed map[string]bool) error {
	after := firstID(from)
	for {
		attempts, err := s.store.paidBetween(ctx, account, after, firstID(to))
		if err != nil {
			return err
		}
		for _, a := range attempts {
			if listed[a.ID] || a.Amount.Amount == 0 || a.Tender != "" { // nobody was asked for nothing, nor for what the counter took
				continue
			}
			if err := s.doubt(ctx, a); err != nil { // of another provider's, it may be
				s.log.Warn("cannot tell whether an order is paid", "attempt", a.ID, "err", err)
			}
		}
		if len(attempts) < page {
			return nil
		}
		after = attempts[len(attempts)-1].ID
	}
}

// firstID is what no id that booking.NewID makes from a time on is less than.
func firstID(t time.Time) string {
	var id uuid.UUID
	ms := t.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[8] = 0x70, 0x80
	return id.String()
}

// takeComparison reports whether nobody has compared for a while, so that no other
// settler does it now, and up to when it was done.
func (s *Store) takeComparison(ctx context.Context, account string, every time.Duration) (until, now time.Time, due bool, err error) {
	if _, err := s.db.Exec(ctx, `insert into payment_comparison (account, until, taken_at) values ($1, now(), '-infinity') on conflict do nothing`, account); err != nil {
		return until, now, false, away("noting", "an account to compare with", err)
	}
	err = s.db.QueryRow(ctx, `
		update payment_comparison set taken_at = now() where account = $2 and taken_at <= now() - make_interval(secs => $1)
		returning until, now()`, every.Seconds(), account).Scan(&until, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return until, now, false, nil
	}
	if err != nil {
		return until, now, false, away("taking", "the comparison with the provider", err)
	}
	return until, now, true, nil
}

func (s *Store) compared(ctx context.Context, account string, until time.Time) error {
	if _, err := s.db.Exec(ctx, `update payment_comparison set until = greatest(until, $1) where account = $2`, until, account); err != nil {
		return away("noting", "the comparison with the provider", err)
	}
	return nil
}

// those reads the attempts of payments, of any performance. Ids say when they were
// made, and a batch is of one time: so each performance is read from its first to
// its last.
func (s *Store) those(ctx context.Context, payments []payment.Payment) (map[string]Attempt, error) {
	ids := make([]string, 0, len(payments))
	for _, p := range payments {
		if _, err := uuid.Parse(p.Attempt); err == nil {
			ids = append(ids, p.Attempt)
		}
	}
	found := make(map[string]Attempt, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	attempts, err := s.across(ctx, `a.id between $1 and $2 and a.id = any($3)`, slices.Min(ids), slices.Max(ids), ids)
	if err != nil {
		return nil, err
	}
	for _, a := range attempts {
		found[a.ID] = a
	}
	return found, nil
}

// paidBetween reads attempts that are paid, with ids after one and before another.
func (s *Store) paidBetween(ctx context.Context, account, after, before string) ([]Attempt, error) {
	return s.across(ctx, `a.id > $1 and a.id < $2 and a.state in ('captured', 'done') and a.account = $4 order by a.id limit $3`, after, before, page, account)
}

func (s *Store) across(ctx context.Context, where string, args ...any) ([]Attempt, error) {
	rows, err := s.db.Query(ctx, `
		select `+attemptColumns+` from attempts a where a.performance_id in (select p.id from performances p) and `+where,
		append([]any{afresh}, args...)...)
	if err != nil {
		return nil, away("comparing", "attempts", err)
	}
	attempts, err := pgx.CollectRows(rows, scanAttempt)
	if err != nil {
		return nil, away("comparing", "attempts", err)
	}
	return attempts, nil
}

// troubled counts the troubles about which somebody has to do something.
func (s *Store) troubled(ctx context.Context) (map[TroubleKind]int, error) {
	rows, err := s.db.Query(ctx, `
		select kind, count(*) from payment_troubles where state in ('open', 'failed') group by kind
		union all select 'refund', count(*) from cancellations where state = 'failed'
		union all select 'dispute', count(*) from order_disputes where state in ('asked', 'open')`)
	if err != nil {
		return nil, away("counting", "payments in trouble", err)
	}
	counts := map[TroubleKind]int{}
	var kind TroubleKind
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&kind, &n}, func() error { counts[kind] = n; return nil }); err != nil {
		return nil, away("counting", "payments in trouble", err)
	}
	return counts, nil
}
