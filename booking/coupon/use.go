package coupon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/internal/batch"
)

// find finds a copy by its code. Who brings wrong ones is soon not heard any more.
func (s *Store) find(ctx context.Context, who, code string) (held, error) {
	if err := s.guess(ctx, who); err != nil {
		return held{}, err
	}
	text, ok := ReadCode(code)
	if !ok {
		return held{}, ErrUnknown
	}
	list, err := s.copies(ctx, s.db, `where k.code_hash = @hash`, pgx.NamedArgs{"hash": s.keys.hash(text)})
	if err != nil {
		return held{}, err
	}
	if len(list) == 0 || !s.keys.same(text, list[0].Copy, list[0].turn) {
		return held{}, ErrUnknown
	}
	s.guessed(ctx, who)
	return list[0], nil
}

// Reserve lowers what a hold costs by a copy, and keeps the copy for it. The
// code is enough for a shareable one; a personal one is only for who brings the
// key of its bag. It may be repeated.
func (s *Store) Reserve(ctx context.Context, bag, code string, h hold.Hold, total booking.Money) (Copy, error) {
	k, err := s.find(ctx, h.Session, code)
	if err != nil {
		return Copy{}, err
	}
	if !k.Coupon.Shareable && k.Bag != bag {
		return Copy{}, ErrUnknown
	}
	who := bag
	if who == "" {
		who = h.Session
	}
	return s.keep(ctx, who, k, h, total)
}

// ReserveAtCounter is Reserve for a member of staff to whom a code is shown. As at a
// shop's till that is enough, for a personal copy too: only who has its bag can show it.
func (s *Store) ReserveAtCounter(ctx context.Context, who, code string, h hold.Hold, total booking.Money) (Copy, error) {
	k, err := s.find(ctx, who, code)
	if err != nil {
		return Copy{}, err
	}
	return s.keep(ctx, who, k, h, total)
}

// keep reserves a copy for a hold, also one whose hold before is over.
func (s *Store) keep(ctx context.Context, who string, k held, h hold.Hold, total booking.Money) (Copy, error) {
	for range 2 {
		if k.State == Reserved && k.Hold == h.ID {
			_, err := s.worth(ctx, k, h.Performance, total)
			return k.Copy, err
		}
		if k.State == Reserved { // of a hold that may be over
			_, err := s.lapse(ctx, k)
			if err != nil {
				return Copy{}, err
			}
			if k, err = s.again(ctx, k); err != nil {
				return Copy{}, err
			}
		}
		if err := over(k.State); err != nil {
			return Copy{}, err
		}
		if _, err := s.worth(ctx, k, h.Performance, total); err != nil {
			return Copy{}, err
		}
		reserved, err := s.reserve(ctx, k, who, h)
		if err != nil {
			return Copy{}, err
		}
		if k, err = s.again(ctx, k); err != nil || reserved {
			return k.Copy, err
		}
	}
	return Copy{}, ErrReserved
}

// reserve is false if the copy was not there any more.
func (s *Store) reserve(ctx context.Context, k held, who string, h hold.Hold) (bool, error) {
	tag, err := s.db.Exec(ctx, `update coupon_copies k set state = 'reserved', since = `+clock+`, mover = @who, performance_id = @performance,
			hold_id = @hold, session_id = @session, until = @until
		from coupons c where c.id = k.coupon_id and k.coupon_id = @id and k.number = @number and k.turn = @turn and k.state = 'claimed'
			and k.expires_at > `+clock+` and `+ticketed, s.args(pgx.NamedArgs{"who": who, "performance": h.Performance, "hold": h.ID,
		"session": h.Session, "until": h.Expires, "id": k.Coupon.ID, "number": k.Number, "turn": k.turn}))
	if violates(err, "coupon_copies_hold_once") {
		return false, ErrOne
	}
	return err == nil && tag.RowsAffected() == 1, away("reserving a copy of coupon "+k.Coupon.ID, err)
}

// again reads a copy afresh.
func (s *Store) again(ctx context.Context, k held) (held, error) {
	list, err := s.copies(ctx, s.db, `where c.id = @id and k.number = @number`, pgx.NamedArgs{"id": k.Coupon.ID, "number": k.Number})
	if err == nil && (len(list) == 0 || list[0].turn != k.turn) { // passed on meanwhile
		err = ErrUnknown
	}
	if err != nil {
		return held{}, err
	}
	return list[0], nil
}

// worth is what a copy takes off an order of a performance.
func (s *Store) worth(ctx context.Context, k held, performance ropeline.PerformanceID, total booking.Money) (booking.Money, error) {
	if k.noTicket {
		return booking.Money{}, ErrNoTicket
	}
	var here bool
	err := s.db.QueryRow(ctx, `select exists (select from performances where id = $1 and event_id = nullif($2, '')::uuid)`, performance, k.Coupon.Event).Scan(&here)
	if err != nil {
		return booking.Money{}, away("reading performance "+string(performance), err)
	}
	if !here {
		return booking.Money{}, ErrElsewhere
	}
	return k.Coupon.Discount(total)
}

// TakeOff takes the coupon off a session's hold: the copy is its bag's again. It
// stays while a payment is open.
func (s *Store) TakeOff(ctx context.Context, h hold.Hold) error {
	_, err := s.giveBack(ctx, `hold_id = @hold and session_id = @session`, pgx.NamedArgs{"hold": h.ID, "session": h.Session, "who": h.Session})
	return err
}

// giveBack ends reservations for which no payment is open. A copy that ended
// meanwhile leaves the hold, too. It is one statement: a payment that starts
// after it finds no coupon, one that started before keeps it.
func (s *Store) giveBack(ctx context.Context, where string, args pgx.NamedArgs) (int, error) {
	tag, err := s.db.Exec(ctx, `update coupon_copies k set since = case state when 'reserved' then `+clock+` else since end,
			state = case state when 'reserved' then 'claimed' else state end,
			mover = @who, performance_id = null, hold_id = null, session_id = null, until = null
		where `+where+` and state in ('reserved', 'expired', 'withdrawn')
			and not exists (select from attempts a where a.performance_id = k.performance_id and a.hold_id = k.hold_id
				and a.state not in ('done', 'voiding', 'closed'))`, s.args(args))
	return int(tag.RowsAffected()), away("giving copies of coupons back", err)
}

// Lowered is what a coupon takes off a hold.
type Lowered struct {
	Copy
	Discount booking.Money
}

// OfHold is the coupon that lowers a hold, if there is one. One that came to its
// end meanwhile is an error, until the fan takes it off: nobody pays more than
// they were told.
func (s *Store) OfHold(ctx context.Context, performance ropeline.PerformanceID, hold string, total booking.Money) (Lowered, bool, error) {
	if some, err := s.lowered(ctx, hold); err != nil || !some {
		return Lowered{}, false, err
	}
	list, err := s.copies(ctx, s.db, `where k.hold_id = @hold and k.performance_id = @performance`,
		pgx.NamedArgs{"hold": hold, "performance": performance})
	if err != nil || len(list) == 0 {
		return Lowered{}, false, err
	}
	k := list[0]
	if k.State != Reserved {
		return Lowered{Copy: k.Copy}, true, over(k.State)
	}
	off, err := s.worth(ctx, k, performance, total)
	return Lowered{Copy: k.Copy, Discount: off}, true, err
}

const (
	// lookedAtMost is how many holds are looked at together: each checkout asks, and few
	// holds have a coupon. One look for all costs hardly more than one for each.
	lookedAtMost   = 64
	lookedBacklog  = 8192
	lookedPatience = 5 * time.Second
)

// lowered reports whether a hold has a coupon, as the database has it when this is
// called or later.
func (s *Store) lowered(ctx context.Context, hold string) (bool, error) {
	if !booking.IsID(hold) { // one that is none would spoil the question of all others
		return false, nil
	}
	some, err := s.wait.Do(ctx, hold)
	if errors.Is(err, batch.ErrClosed) {
		r := s.look(ctx, []string{hold})[0]
		some, err = r.Value, r.Err
	}
	return some, away("looking for the coupon of hold "+hold, err)
}

// look looks which of some holds have a coupon.
func (s *Store) look(ctx context.Context, holds []string) []batch.Result[bool] {
	found := map[string]bool{}
	rows, err := s.db.Query(ctx, `select hold_id::text from coupon_copies where hold_id = any($1)`, holds)
	if err == nil {
		var hold string
		_, err = pgx.ForEachRow(rows, []any{&hold}, func() error { found[hold] = true; return nil })
	}
	results := make([]batch.Result[bool], len(holds))
	for i, hold := range holds {
		results[i] = batch.Result[bool]{Value: found[hold], Err: err}
	}
	return results
}

// Redeem uses up the copy of a hold in the transaction that writes its order. It
// fails if the copy is not that hold's any more, has expired or was withdrawn:
// then the order must not be written. The database gives it back if the order is
// canceled.
func (s *Store) Redeem(ctx context.Context, tx pgx.Tx, performance ropeline.PerformanceID, hold, order string, off booking.Money) error {
	args := pgx.NamedArgs{"hold": hold, "performance": performance, "order": order, "who": order, "discount": off.Amount}
	tag, err := tx.Exec(ctx, `update coupon_copies k set state = 'redeemed', since = `+clock+`, mover = @who, order_id = @order, discount = @discount
		from coupons c where c.id = k.coupon_id and k.hold_id = @hold and k.performance_id = @performance and k.state = 'reserved'
			and k.expires_at > `+clock+` and `+ticketed, s.args(args))
	if err != nil {
		return fmt.Errorf("redeeming the coupon of hold %s: %w", hold, err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	list, err := s.copies(ctx, tx, `where k.hold_id = @hold`, pgx.NamedArgs{"hold": hold})
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return ErrTakenOff
	case list[0].noTicket:
		return ErrNoTicket
	case list[0].State == Reserved: // since this transaction looked
		return ErrTakenOff
	}
	return over(list[0].State)
}

// TakeBack takes the copies that tickets bought from whoever has them, in the transaction
// that cancels the tickets: from then on they are of no use, and the next buyer's. With a
// copy that was used it fails, and the ticket must stay: nobody gets the money back of what
// they have had. Whoever uses a copy in this very moment waits, and finds it taken back, or
// is first.
func (s *Store) TakeBack(ctx context.Context, tx pgx.Tx, performance ropeline.PerformanceID, tickets []string) error {
	const bought = `coupons c, tickets t where c.performance_id = $1 and t.performance_id = $1 and t.id = any($2::uuid[])
		and c.tier_id = t.tier_id and k.coupon_id = c.id and k.number = t.unit - c.first_unit + 1 and k.ticket_id = t.id`
	// Another id, not only a lock: who waited looks at the row again, but not at the tickets.
	_, err := tx.Exec(ctx, `update coupon_copies k set ticket_id = '00000000-0000-0000-0000-000000000000' from `+bought+` and k.state <> 'redeemed'`, performance, tickets)
	var used bool
	if err == nil {
		err = tx.QueryRow(ctx, `select exists (select from coupon_copies k, `+bought+`)`, performance, tickets).Scan(&used)
	}
	if err == nil && used {
		err = ErrUsed
	}
	return err
}

// ErrTakenOff answers a payment whose coupon was taken off its hold meanwhile.
var ErrTakenOff = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-taken-off", Detail: "The coupon was taken off this order meanwhile. Nothing is charged: look at the new total and pay again."}

// Verify tells a shop what a code is good for, and changes nothing. A code of
// another shop is unknown.
func (s *Store) Verify(ctx context.Context, shop, who, code string) (Copy, error) {
	k, err := s.find(ctx, who, code)
	if err == nil && k.Coupon.Shop != shop {
		err = ErrUnknown
	}
	if err != nil {
		return Copy{}, err
	}
	k.Code = "" // the till has it
	if k.noTicket {
		return k.Copy, ErrNoTicket
	}
	return k.Copy, nil
}

// Spend uses a copy at the shop's till and tells what it takes off. The same key
// gets the same answer, and is refused with another code.
func (s *Store) Spend(ctx context.Context, shop, who, key, code string, total booking.Money) (Lowered, error) {
	if !booking.IsKey(key) {
		return Lowered{}, booking.ErrKey
	}
	k, err := s.find(ctx, who, code)
	if err == nil && k.Coupon.Shop != shop {
		err = ErrUnknown
	}
	if err != nil {
		return Lowered{}, err
	}
	off, err := k.Coupon.Discount(total)
	switch {
	case k.State == Redeemed && k.key == key: // a repeat
		if err != nil || off.Amount != k.Copy.Discount {
			return Lowered{}, booking.ErrKeyReused
		}
		return Lowered{Copy: k.Copy, Discount: off}, nil
	case over(k.State) != nil:
		return Lowered{}, over(k.State)
	case err != nil:
		return Lowered{}, err
	}
	if err := s.spend(ctx, k, who, key, off); err != nil {
		return Lowered{}, err
	}
	if k, err = s.again(ctx, k); err != nil {
		return Lowered{}, err
	}
	switch {
	case k.State == Redeemed && k.key == key:
		return Lowered{Copy: k.Copy, Discount: off}, nil
	case over(k.State) != nil: // another till, or an order, was faster
		return Lowered{}, over(k.State)
	}
	return Lowered{}, ErrNoTicket
}

func (s *Store) spend(ctx context.Context, k held, who, key string, off booking.Money) error {
	if k.noTicket {
		return ErrNoTicket
	}
	_, err := s.db.Exec(ctx, `update coupon_copies k set state = 'redeemed', since = `+clock+`, mover = @who, used_key = @key, used_shop = c.shop_id, discount = @discount
		from coupons c where c.id = k.coupon_id and k.coupon_id = @id and k.number = @number and k.turn = @turn and k.state = 'claimed'
			and k.expires_at > `+clock+` and `+ticketed, s.args(pgx.NamedArgs{"who": who, "key": key, "discount": off.Amount,
		"id": k.Coupon.ID, "number": k.Number, "turn": k.turn}))
	if violates(err, "coupon_copies_till_key_once") {
		return booking.ErrKeyReused
	}
	return away("redeeming a copy of coupon "+k.Coupon.ID, err)
}
