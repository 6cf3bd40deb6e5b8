package coupon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// NewBag makes a bag and its key. Nothing is written: a bag is there once
// something is in it.
func (s *Store) NewBag() (bag, key string, err error) {
	if bag, err = booking.NewID(); err != nil {
		return "", "", err
	}
	return bag, s.keys.BagKey(bag), nil
}

// errAgain says that another request of the same bag was faster.
var errAgain = errors.New("another request of this bag was faster")

// Claim puts a copy into a bag, unless it has had as many as one person may. The
// same key gets the same copy, and whoever asks a thousand times at once gets no
// more than whoever asks once. It reports whether the copy is new in the bag.
func (s *Store) Claim(ctx context.Context, coupon, bag, key string) (Copy, bool, error) {
	if !booking.IsKey(key) {
		return Copy{}, false, booking.ErrKey
	}
	if !booking.IsID(coupon) {
		return Copy{}, false, ErrUnknown
	}
	for range maxPerPerson + 2 { // in each round somebody of the same bag got one
		number, err := s.had(ctx, coupon, bag, key)
		if err != nil {
			return Copy{}, false, err
		}
		fresh := number == 0
		if fresh {
			number, err = s.claim(ctx, coupon, bag, key)
		}
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return Copy{}, false, away("claiming coupon "+coupon, err)
		}
		got, err := s.Copy(ctx, bag, coupon, number)
		if errors.Is(err, ErrUnknown) { // passed on since
			err = ErrLimit
		}
		return got, fresh, err
	}
	return Copy{}, false, ErrLimit
}

// got is what a key brought into a bag.
func (s *Store) got(ctx context.Context, coupon, bag, key string) (Copy, bool, error) {
	list, err := s.copies(ctx, s.db, `join coupon_claims m on m.coupon_id = c.id and m.number = k.number
		where c.id = @id and m.bag = @bag and m.key = @key`, pgx.NamedArgs{"id": coupon, "bag": bag, "key": key})
	if err != nil || len(list) == 0 {
		return Copy{}, false, err
	}
	if list[0].Bag != bag { // passed on since
		return Copy{}, false, ErrLimit
	}
	return list[0].Copy, true, nil
}

// had is the copy that a key brought into a bag, 0 if it brought none yet and the
// bag may have one.
func (s *Store) had(ctx context.Context, coupon, bag, key string) (number int, err error) {
	var state State
	var early, late, drop, limit bool
	err = s.db.QueryRow(ctx, `select coalesce((select number from coupon_claims where coupon_id = c.id and bag = @bag and key = @key), 0),
			c.state, c.publish_from > `+clock+`, c.publish_until <= `+clock+`, c.performance_id is not null,
			(select count(*) from coupon_claims where coupon_id = c.id and bag = @bag) >= c.per_person
		from coupons c where c.id = @id`, s.args(pgx.NamedArgs{"id": coupon, "bag": bag, "key": key}),
	).Scan(&number, &state, &early, &late, &drop, &limit)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, ErrUnknown
	case err != nil:
		return 0, away("reading coupon "+coupon, err)
	case number > 0:
		return number, nil
	case state == Created || early: // neither is shown to anybody
		return 0, ErrUnknown
	case state == Withdrawn:
		return 0, ErrWithdrawn
	case drop:
		return 0, ErrSold
	case late:
		return 0, ErrOver
	case limit:
		return 0, ErrLimit
	}
	return 0, nil
}

// claim takes the first copy of the queue that nobody else is just taking. The
// bag's turn is written first: who is too many waits for it and takes no copy.
func (s *Store) claim(ctx context.Context, coupon, bag, key string) (number int, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		err := s.turn(ctx, tx, coupon, bag, key, `c.state = 'published' and c.performance_id is null
			and c.publish_from <= `+clock+` and c.publish_until > `+clock)
		if err != nil {
			return err
		}
		var expires time.Time
		err = tx.QueryRow(ctx, `select k.number, least(c.expires_at, `+clock+` + make_interval(secs => c.use_within))
			from coupons c join coupon_copies k on k.coupon_id = c.id
			where c.id = @id and k.state = 'published'
			order by k.since, k.number limit 1 for update of k skip locked`, s.args(pgx.NamedArgs{"id": coupon})).Scan(&number, &expires)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNone
		}
		if err != nil {
			return err
		}
		return s.hand(ctx, tx, coupon, number, 1, bag, key, expires)
	})
	return number, err
}

// turn counts one more copy for a bag, or is errAgain.
func (s *Store) turn(ctx context.Context, tx pgx.Tx, coupon, bag, key, where string) error {
	tag, err := tx.Exec(ctx, `insert into coupon_claims (coupon_id, bag, nth, key, at)
		select c.id, @bag::uuid, count(m.nth) + 1, @key, `+clock+`
		from coupons c left join coupon_claims m on m.coupon_id = c.id and m.bag = @bag::uuid
		where c.id = @id and `+where+`
		group by c.id having count(m.nth) < c.per_person
		on conflict do nothing`, s.args(pgx.NamedArgs{"id": coupon, "bag": bag, "key": key}))
	if err == nil && tag.RowsAffected() == 0 {
		err = errAgain
	}
	return err
}

// hand gives a copy to a bag, with a code that nobody had before, and notes it as
// what the key brought.
func (s *Store) hand(ctx context.Context, tx pgx.Tx, coupon string, number, turn int, bag, key string, expires time.Time) error {
	args := s.args(pgx.NamedArgs{"id": coupon, "number": number, "bag": bag, "who": bag, "key": key, "turn": turn,
		"hash": s.keys.hash(s.keys.Code(coupon, number, turn)), "expires": expires})
	var b pgx.Batch
	b.Queue(`update coupon_claims set number = @number where coupon_id = @id and bag = @bag and key = @key`, args)
	b.Queue(`update coupon_copies set state = 'claimed', since = `+clock+`, mover = @who, bag = @bag, turn = @turn,
			code_hash = @hash, expires_at = @expires
		where coupon_id = @id and number = @number`, args)
	return tx.SendBatch(ctx, &b).Close()
}

// Take puts a shareable copy into a bag for which somebody gave its code. The
// code is void then; the bag has another one.
func (s *Store) Take(ctx context.Context, bag, key, code string) (Copy, error) {
	if !booking.IsKey(key) {
		return Copy{}, booking.ErrKey
	}
	had, found, err := s.tookBefore(ctx, bag, key, code)
	if err != nil || found {
		return had, err
	}
	k, err := s.find(ctx, bag, code)
	switch {
	case err != nil:
		return Copy{}, err
	case k.Bag == bag:
		return k.Copy, nil
	case !k.Coupon.Shareable:
		return Copy{}, ErrUnknown // of another person, who would not have given it
	case over(k.State) != nil:
		return Copy{}, over(k.State)
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.turn(ctx, tx, k.Coupon.ID, bag, key, `true`); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `select from coupon_copies where coupon_id = @id and number = @number and turn = @turn and state = 'claimed' for update`,
			pgx.NamedArgs{"id": k.Coupon.ID, "number": k.Number, "turn": k.turn})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrUnknown // somebody else was faster, and the code is void
		}
		return s.hand(ctx, tx, k.Coupon.ID, k.Number, k.turn+1, bag, key, k.ExpiresAt)
	})
	if errors.Is(err, errAgain) {
		if had, found, err := s.got(ctx, k.Coupon.ID, bag, key); err != nil || found {
			return had, err
		}
		return Copy{}, ErrLimit
	}
	if err != nil {
		return Copy{}, away("taking coupon "+k.Coupon.ID, err)
	}
	return s.Copy(ctx, bag, k.Coupon.ID, k.Number)
}

// tookBefore is what a key and a code brought into a bag: the code is void since,
// so the copy is looked for by the key.
func (s *Store) tookBefore(ctx context.Context, bag, key, code string) (Copy, bool, error) {
	list, err := s.copies(ctx, s.db, `join coupon_claims m on m.coupon_id = c.id and m.number = k.number
		where k.bag = @bag and m.bag = @bag and m.key = @key and k.turn > 1`, pgx.NamedArgs{"bag": bag, "key": key})
	if err != nil {
		return Copy{}, false, err
	}
	text, _ := ReadCode(code)
	for _, k := range list {
		if s.keys.same(text, k.Copy, k.turn-1) {
			return k.Copy, true, nil
		}
	}
	return Copy{}, false, nil
}

// Bought is a ticket whose unit is a copy of a coupon.
type Bought struct {
	Ticket, Tier string
	Unit         int
}

// Deliver puts the copies that were bought with valid tickets of a performance
// into a bag, and returns those of them that are in it. It may be repeated. If there
// are none the error says why.
func (s *Store) Deliver(ctx context.Context, bag string, performance ropeline.PerformanceID, tickets []Bought) ([]Copy, error) {
	var ids []string
	for _, t := range tickets {
		if err := s.deliver(ctx, bag, performance, t); err != nil {
			return nil, away("delivering a coupon for ticket "+t.Ticket, err)
		}
		ids = append(ids, t.Ticket)
	}
	list, err := s.copies(ctx, s.db, `where k.bag = @bag and k.ticket_id = any(@tickets::uuid[]) and `+ticketed+` order by k.coupon_id, k.number`,
		pgx.NamedArgs{"bag": bag, "tickets": ids})
	if err == nil && len(list) == 0 {
		err = s.undelivered(ctx, performance, ids)
	}
	return bare(list), err
}

func (s *Store) deliver(ctx context.Context, bag string, performance ropeline.PerformanceID, t Bought) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var coupon string
		var number, turn int
		var expires time.Time
		// A copy whose ticket was canceled is its next buyer's, if it was not used: also one
		// that came to its end in the bag before, if the coupon itself has not.
		err := tx.QueryRow(ctx, `select c.id, k.number, k.turn + 1, least(c.expires_at, `+clock+` + make_interval(secs => c.use_within))
			from coupons c join coupon_copies k on k.coupon_id = c.id
			where c.performance_id = @performance and c.tier_id = @tier and k.number = @unit - c.first_unit + 1 and c.expires_at > `+clock+`
				and (k.state = 'published' or k.state in ('claimed', 'expired') and k.ticket_id <> @ticket)
				and exists (select from tickets t where t.performance_id = @performance and t.id = @ticket and t.unit = @unit and t.state = 'valid')
			for update of k`, s.args(pgx.NamedArgs{"performance": performance, "tier": t.Tier, "unit": t.Unit, "ticket": t.Ticket}),
		).Scan(&coupon, &number, &turn, &expires)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update coupon_copies set ticket_id = $3, performance_id = null, hold_id = null, session_id = null, until = null where coupon_id = $1 and number = $2`, coupon, number, t.Ticket)
		if err != nil {
			return err
		}
		return s.hand(ctx, tx, coupon, number, turn, bag, "", expires)
	})
}

// undelivered is why a bag has none of the copies that tickets bought.
func (s *Store) undelivered(ctx context.Context, performance ropeline.PerformanceID, tickets []string) error {
	var copied State
	var unpaid, valid, had bool
	err := s.db.QueryRow(ctx, `select case when c.expires_at <= `+clock+` then 'expired' else k.state end,
			t.state = 'unpaid', t.state = 'valid', coalesce(k.ticket_id = t.id, false)
		from tickets t join coupons c on c.performance_id = t.performance_id and c.tier_id = t.tier_id
			join coupon_copies k on k.coupon_id = c.id and k.number = t.unit - c.first_unit + 1
		where t.performance_id = @performance and t.id = any(@tickets::uuid[])
		order by t.state = 'valid' desc, k.number limit 1`, s.args(pgx.NamedArgs{"performance": performance, "tickets": tickets})).Scan(&copied, &unpaid, &valid, &had)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNothingHere
	case err != nil:
		return away("reading why nothing was delivered", err)
	case unpaid:
		return ErrNothingHere
	case !valid:
		return ErrNoTicket
	case had:
		return ErrCollected
	case over(copied) != nil:
		return over(copied)
	}
	return ErrNothingHere
}

// Bag lists what is in a bag, the newest coupon first.
func (s *Store) Bag(ctx context.Context, bag string, p booking.Page) ([]Copy, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	coupon, number := "", 0
	if p.Cursor != "" {
		if len(p.Cursor) < 38 || !booking.IsID(p.Cursor[:36]) {
			return nil, "", booking.ErrPage
		}
		coupon = p.Cursor[:36]
		if number, err = strconv.Atoi(p.Cursor[37:]); err != nil || number < 1 || number > MaxStock {
			return nil, "", booking.ErrPage
		}
	}
	list, err := s.copies(ctx, s.db, `where k.bag = @bag and (@coupon = '' or (k.coupon_id, k.number) < (nullif(@coupon, '')::uuid, @number::int))
		order by k.coupon_id desc, k.number desc limit @size`, pgx.NamedArgs{"bag": bag, "coupon": coupon, "number": number, "size": size + 1})
	if err != nil {
		return nil, "", err
	}
	list, next := booking.Cut(list, size, func(h held) string { return fmt.Sprintf("%s.%d", h.Coupon.ID, h.Number) })
	return bare(list), next, nil
}

// Copy reads a copy of a bag; another person's is unknown.
func (s *Store) Copy(ctx context.Context, bag, coupon string, number int) (Copy, error) {
	if !booking.IsID(coupon) || number < 1 || number > MaxStock {
		return Copy{}, ErrUnknown
	}
	list, err := s.copies(ctx, s.db, `where k.bag = @bag and c.id = @id and k.number = @number`,
		pgx.NamedArgs{"bag": bag, "id": coupon, "number": number})
	if err != nil {
		return Copy{}, err
	}
	if len(list) == 0 {
		return Copy{}, ErrUnknown
	}
	return list[0].Copy, nil
}

// Past is the history of a copy that is in a bag. Whose it was before is not told, nor what
// they wanted to buy with it.
func (s *Store) Past(ctx context.Context, bag, coupon string, number int) ([]Entry, error) {
	if _, err := s.Copy(ctx, bag, coupon, number); err != nil {
		return nil, err
	}
	entries, _, err := s.history(ctx, coupon, number, booking.Page{Limit: booking.PageMost})
	before := false // it came into this bag
	for i, e := range slices.Backward(entries) {
		if before {
			entries[i].Detail = ""
		}
		if e.Who == bag {
			entries[i].Who = "you"
			before = before || e.Entry == "claimed" || e.Entry == "passed_on"
		} else if booking.IsID(e.Who) {
			entries[i].Who = ""
		}
	}
	return entries, err
}
