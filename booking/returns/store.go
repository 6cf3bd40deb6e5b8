package returns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
)

const (
	// Window is how long an offer is good if its sale does not say otherwise.
	Window = 30 * time.Minute
	// most is how many may wait for a tier. Whoever is behind so many has no chance.
	most = 20_000
)

// What can be wrong with a place on the list.
var (
	ErrUnknown     = &ropeline.Error{Kind: ropeline.NotFound, Code: "returns-unknown", Detail: "There is no such place on a returns list."}
	ErrNotSoldOut  = &ropeline.Error{Kind: ropeline.Conflict, Code: "returns-not-sold-out", Detail: "This is not sold out: what is left, or in baskets and may come back, is sold in the line of the sale."}
	ErrJoined      = &ropeline.Error{Kind: ropeline.Conflict, Code: "returns-joined", Detail: "This e-mail address has a place on the returns list of this performance already. Use the link that you got then, or give that place up first."}
	ErrFull        = &ropeline.Error{Kind: ropeline.Conflict, Code: "returns-full", Detail: "So many wait for this already that there is no chance any more."}
	ErrOver        = &ropeline.Error{Kind: ropeline.Conflict, Code: "returns-closed", Detail: "The returns list is closed: the performance has begun."}
	ErrQuantity    = &ropeline.Error{Kind: ropeline.Invalid, Code: "returns-quantity-invalid"}
	ErrEmail       = &ropeline.Error{Kind: ropeline.Invalid, Code: "email-invalid", Detail: "This is not an e-mail address."}
	ErrKeyReused   = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-reused", Detail: "This Idempotency-Key was used for another request."}
	ErrOfferOver   = &ropeline.Error{Kind: ropeline.Gone, Code: "offer-over", Detail: "The time of this offer is over, and it has gone to the next on the list."}
	ErrBusy        = &ropeline.Error{Kind: ropeline.Conflict, Code: "returns-busy", Detail: "You are about to get an offer. Please try again in a moment.", RetryAfter: time.Second}
	ErrPassInvalid = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "pass-invalid", Detail: "This pass opens no offer."}
)

// Store keeps the list in Postgres, and makes its offers from what is free in Redis.
type Store struct {
	db        *pgxpool.Pool
	shows     *catalogue.Store
	stock     *inventory.Store
	holds     *hold.Store
	keys      Keys
	now       func() time.Time // nil: the database's own clock
	standings standings
}

// New returns a Store that goes by the database's clock. A Tender needs no keys.
func New(db *pgxpool.Pool, shows *catalogue.Store, stock *inventory.Store, holds *hold.Store, keys Keys) *Store {
	return &Store{db: db, shows: shows, stock: stock, holds: holds, keys: keys, standings: standings{known: map[queue]*standing{}}}
}

// At returns a Store that goes by a clock of the caller's.
func (s *Store) At(now func() time.Time) *Store {
	at := New(s.db, s.shows, s.stock, s.holds, s.keys)
	at.now = now
	return at
}

// Keys makes and checks the keys of places and offers.
func (s *Store) Keys() Keys { return s.keys }

// args adds the time to a statement's arguments.
func (s *Store) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["now"] = nil
	if s.now != nil {
		args["now"] = s.now()
	}
	return args
}

// clock is the time in every statement.
const clock = `coalesce(@now::timestamptz, now())`

func (s *Store) time() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// WindowOf is how long an offer of a sale is good.
func WindowOf(sale ropeline.Sale) time.Duration {
	if sale.ReturnsWindow > 0 {
		return sale.ReturnsWindow.Duration()
	}
	return Window
}

// Join puts somebody at the end of a tier's list, which begins with the first who joins
// after the tier was sold out. The same request with the same key has the same place,
// whatever has become of it.
func (s *Store) Join(ctx context.Context, id ropeline.PerformanceID, w Wish, key string) (Entry, error) {
	p, err := s.shows.Performance(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	w.Email = strings.TrimSpace(w.Email)
	tier, known := p.Map.Tier(w.Tier)
	w.Together = w.Together && tier.Kind == catalogue.Seated
	switch {
	case !booking.IsKey(key):
		return Entry{}, booking.ErrKey
	case !known:
		return Entry{}, catalogue.ErrUnitsUnknown
	case w.Quantity < 1 || w.Quantity > p.Sale.UnitsPerHold:
		e := *ErrQuantity
		e.Detail = fmt.Sprintf("Wait for 1 to %d tickets.", p.Sale.UnitsPerHold)
		return Entry{}, &e
	case !booking.IsEmail(w.Email):
		return Entry{}, ErrEmail
	case !s.time().Before(p.Map.StartsAt):
		return Entry{}, ErrOver
	}
	person := s.keys.person(w.Email)
	if e, found, err := s.joined(ctx, id, person, w, key); err != nil || found {
		return e, err
	}
	if err := s.mayJoin(ctx, p, tier, person, w.Quantity); err != nil {
		return Entry{}, err
	}
	return s.add(ctx, id, person, w, key)
}

// joined answers a person who has a place, or had one by this very request.
func (s *Store) joined(ctx context.Context, id ropeline.PerformanceID, person ropeline.PlaceID, w Wish, key string) (Entry, bool, error) {
	var entry string
	var sameKey, sameWish bool
	err := s.db.QueryRow(ctx, `select id, idempotency_key = $3, request_mac = $4 from returns_entries
		where performance_id = $1 and person = $2 and (idempotency_key = $3 or state in ('waiting', 'offering', 'offered', 'claimed'))
		order by idempotency_key = $3 desc limit 1`, id, person, key, s.keys.request(w)).Scan(&entry, &sameKey, &sameWish)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Entry{}, false, nil
	case err != nil:
		return Entry{}, false, away("looking for a place on the list of", string(id), err)
	case !sameKey:
		return Entry{}, true, ErrJoined
	case !sameWish:
		return Entry{}, true, ErrKeyReused
	}
	e, err := s.Entry(ctx, entry)
	return e, true, err
}

// mayJoin refuses whoever could buy what they want in the line of the sale, or would
// have more than the sale lets a person have.
func (s *Store) mayJoin(ctx context.Context, p catalogue.Performance, tier catalogue.Tier, person ropeline.PlaceID, quantity int) error {
	n, err := s.stock.Count(ctx, p.Map.ID, []inventory.Span{{First: tier.First, Count: tier.Count}})
	if err != nil {
		return err
	}
	listed, err := s.isListed(ctx, p.Map.ID, tier.ID)
	if err != nil {
		return err
	}
	free, held := int64(tier.Count)-n.Taken[0], n.Taken[0]-n.Sold[0]-n.Closed[0]
	if listed && free >= int64(quantity) {
		return ErrNotSoldOut
	}
	if !listed {
		later, err := s.shows.Later(ctx, p.Map.ID)
		if err != nil {
			return err
		}
		if free > 0 || held > 0 || later[tier.ID] > 0 {
			return ErrNotSoldOut
		}
	}
	if p.Sale.UnitsPerPlace == 0 {
		return nil
	}
	var had int
	err = s.db.QueryRow(ctx, `select units_of_place($1::text[]::uuid[], $2)`, p.Sale.Performances, person).Scan(&had)
	if err == nil && had+quantity > p.Sale.UnitsPerPlace {
		return hold.ErrLimit
	}
	return away("counting what a person has of", string(p.Map.ID), err)
}

func (s *Store) isListed(ctx context.Context, id ropeline.PerformanceID, tier string) (listed bool, err error) {
	err = s.db.QueryRow(ctx, `select exists (select from returns_tiers where performance_id = $1 and tier_id = $2)`, id, tier).Scan(&listed)
	return listed, away("asking for the list of", string(id), err)
}

// add writes the place down. Of two requests of one person that come at once, one is
// there first, and the other finds it.
func (s *Store) add(ctx context.Context, id ropeline.PerformanceID, person ropeline.PlaceID, w Wish, key string) (Entry, error) {
	entry, err := booking.NewID()
	if err != nil {
		return Entry{}, err
	}
	var added bool
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into returns_tiers (performance_id, tier_id) values ($1, $2) on conflict do nothing`, id, w.Tier); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			insert into returns_entries (performance_id, id, person, email, tier_id, quantity, together, idempotency_key, request_mac)
			select $1, $2, $3, $4, $5, $6, $7, $8, $9
			where $10 > (select count(*) from returns_entries where performance_id = $1 and tier_id = $5 and state = 'waiting')
			on conflict do nothing`, id, entry, person, w.Email, w.Tier, w.Quantity, w.Together, key, s.keys.request(w), most)
		added = tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return Entry{}, away("joining the list of", string(id), err)
	}
	if added {
		e, err := s.Entry(ctx, entry)
		if err == nil {
			s.standings.add(e)
		}
		return e, err
	}
	e, found, err := s.joined(ctx, id, person, w, key)
	if err == nil && !found {
		err = ErrFull
	}
	return e, err
}

// Entry reads a place; ErrUnknown if there is none of this id.
func (s *Store) Entry(ctx context.Context, id string) (Entry, error) {
	return s.one(ctx, `e.id = @is`, id)
}

// OfHold reads the place to which a hold was offered; ErrUnknown if there is none.
func (s *Store) OfHold(ctx context.Context, hold string) (Entry, error) {
	return s.one(ctx, `e.hold_id = @is`, hold)
}

func (s *Store) one(ctx context.Context, where, is string) (Entry, error) {
	list, err := s.list(ctx, `where `+where+` limit 1`, pgx.NamedArgs{"is": is})
	if err != nil {
		return Entry{}, err
	}
	if len(list) == 0 {
		return Entry{}, ErrUnknown
	}
	return list[0], nil
}

func (s *Store) list(ctx context.Context, rest string, args pgx.NamedArgs) ([]Entry, error) {
	rows, err := s.db.Query(ctx, `select `+columns+` from returns_entries e `+rest, s.args(args))
	if err != nil {
		return nil, away("reading places of a", "list", err)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, away("reading places of a", "list", err)
}

// Leave gives a place up, with what is offered to it. What is being paid for stays, and
// what is over already is left alone.
func (s *Store) Leave(ctx context.Context, id string) error {
	e, err := s.Entry(ctx, id)
	if err != nil {
		return err
	}
	switch e.State {
	case Waiting:
		left, err := s.move(ctx, e, Left)
		if err == nil && !left {
			err = ErrBusy
		}
		return err
	case Offering:
		return ErrBusy
	case Offered, Claimed:
		// One that Redis has lost, or that has run out, is no reason to stay.
		err := s.holds.Release(ctx, e.Performance, e.Hold, e.Session())
		if err != nil && !errors.Is(err, hold.ErrUnknown) {
			return err
		}
		_, err = s.move(ctx, e, Left)
		return err
	}
	return nil
}

// Claim turns an offer into a hold that is paid for as any other, and starts its time
// afresh if that gives the fan more. Claiming again changes nothing.
func (s *Store) Claim(ctx context.Context, e Entry) (hold.Hold, error) {
	if e.State == Bought { // Redis may have forgotten its hold
		return hold.Hold{}, hold.ErrSold
	}
	h, err := s.holds.Get(ctx, e.Performance, e.Hold, e.Session())
	if errors.Is(err, hold.ErrUnknown) || err == nil && !h.Live() && h.State != hold.Sold {
		return hold.Hold{}, ErrOfferOver
	}
	if err == nil {
		err = h.Over()
	}
	if err != nil || h.State == hold.Paying {
		return h, err
	}
	p, err := s.shows.Performance(ctx, e.Performance)
	if err != nil {
		return hold.Hold{}, err
	}
	if e.State == Offered {
		claimed, err := s.claimed(ctx, e, p.Sale.Hold.Duration())
		if err != nil {
			return hold.Hold{}, err
		}
		if !claimed {
			if e, err = s.Entry(ctx, e.ID); err != nil {
				return hold.Hold{}, err
			}
		}
	}
	if e.State != Offered && e.State != Claimed {
		return hold.Hold{}, ErrOfferOver
	}
	if h.Extensions <= p.Sale.HoldExtensions { // the one that an offer has for this is used
		return h, nil
	}
	longer, err := s.holds.Extend(ctx, e.Performance, e.Hold, e.Session(), p.Sale.Hold.Duration())
	switch {
	case errors.Is(err, hold.ErrNotExtendable): // more than that is left
		return h, nil
	case errors.Is(err, hold.ErrExpired):
		return hold.Hold{}, ErrOfferOver
	}
	return longer, err
}

// claimed notes that an offer is claimed; false if it was before, or is over.
func (s *Store) claimed(ctx context.Context, e Entry, life time.Duration) (bool, error) {
	tag, err := s.db.Exec(ctx, `update returns_entries set state = 'claimed', expires_at = greatest(expires_at, `+clock+` + @life::interval), updated_at = now()
		where performance_id = @show and id = @id and state = 'offered' and hold_id = @hold`,
		s.args(pgx.NamedArgs{"show": e.Performance, "id": e.ID, "hold": e.Hold, "life": life}))
	return err == nil && tag.RowsAffected() == 1, away("claiming the offer of", e.ID, err)
}

// move takes a place from the state in which it was read to another, if it is still
// there; with its hold, which a place that waits again gives up, and without its address when it
// is over.
func (s *Store) move(ctx context.Context, e Entry, to State) (bool, error) {
	tag, err := s.db.Exec(ctx, `update returns_entries set state = @to::text, updated_at = now(),
			hold_id = case when @to = 'waiting' then null else hold_id end,
			units = case when @to = 'waiting' then null else units end,
			expires_at = case when @to = 'waiting' then null else expires_at end,
			email = case when @to in ('waiting', 'claimed') then email else '' end
		where performance_id = @show and id = @id and state = @from and hold_id is not distinct from nullif(@hold, '')::uuid`,
		pgx.NamedArgs{"show": e.Performance, "id": e.ID, "hold": e.Hold, "from": e.State, "to": to})
	return err == nil && tag.RowsAffected() == 1, away("moving the place", e.ID, err)
}

func away(what, id string, err error) error {
	if err == nil {
		return nil
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %s: %w", what, id, err))
}
