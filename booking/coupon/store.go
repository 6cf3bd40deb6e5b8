package coupon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/internal/batch"
)

// Store keeps shops, products, coupons and their copies in Postgres, and counts
// wrong codes in Redis. Of other parts' tables it reads attempts, tickets and
// performances, inside its own conditions, and writes none.
type Store struct {
	db    *pgxpool.Pool
	rdb   redis.UniversalClient
	holds Holds
	keys  Keys
	now   func() time.Time // nil: the database's own clock
	wait  *batch.Gatherer[string, bool]
}

// Holds tells how a hold stands.
type Holds interface {
	Get(ctx context.Context, id ropeline.PerformanceID, hold, session string) (hold.Hold, error)
}

// New returns a Store that goes by the database's clock. The keys are 32 bytes.
func New(db *pgxpool.Pool, rdb redis.UniversalClient, holds Holds, keys Keys) *Store {
	s := &Store{db: db, rdb: rdb, holds: holds, keys: keys}
	s.wait = batch.New(lookedAtMost, lookedBacklog, lookedPatience, s.look)
	return s
}

// Close waits for what is under way. Whoever comes later is served alone.
func (s *Store) Close() { s.wait.Close() }

// At returns a Store that goes by a clock of the caller's.
func (s *Store) At(now func() time.Time) *Store {
	at := *s
	at.now = now
	return &at
}

// Keys makes and checks keys of bags.
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

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// leftMost bounds what it costs to tell how many are left.
const leftMost = 1000

const couponColumns = `c.id, c.shop_id, s.name, c.product_id, p.name, p.category, coalesce(p.event_id::text, ''), c.title,
	coalesce(c.percent, 0), coalesce(c.amount, 0), c.at_most, c.currency, c.price, c.min_spend, c.shareable, c.stock, c.per_person,
	c.publish_from, c.publish_until, c.expires_at, coalesce(c.use_within, 0), c.created_at,
	case when c.state = 'published' and c.expires_at <= ` + clock + ` then 'expired' else c.state end,
	coalesce(c.performance_id::text, ''), coalesce(c.tier_id::text, ''), coalesce(c.first_unit, 0)`

const couponTables = ` from coupons c join shops s on s.id = c.shop_id join products p on p.shop_id = c.shop_id and p.id = c.product_id `

// targets are where a row's couponColumns go.
func (c *Coupon) targets(drop *Drop) []any {
	return []any{&c.ID, &c.Shop, &c.ShopName, &c.Product, &c.ProductName, &c.Category, &c.Event, &c.Title,
		&c.Percent, &c.Amount, &c.AtMost, &c.Currency, &c.Price, &c.MinSpend, &c.Shareable, &c.Stock, &c.PerPerson,
		&c.PublishFrom, &c.PublishUntil, &c.ExpiresAt, &c.UseWithin, &c.CreatedAt, &c.State,
		&drop.Performance, &drop.Tier, &drop.First}
}

// tidy makes a coupon that was read the one that was made.
func (c *Coupon) tidy(drop Drop) {
	for _, at := range []*time.Time{&c.PublishFrom, &c.PublishUntil, &c.ExpiresAt, &c.CreatedAt} {
		*at = at.UTC()
	}
	if c.AtMost == MaxAmount {
		c.AtMost = 0
	}
	if drop.Tier != "" {
		c.Drop = &drop
	}
}

// coupons reads coupons with what is left of each.
func (s *Store) coupons(ctx context.Context, q querier, where string, args pgx.NamedArgs) ([]Coupon, error) {
	args["left"] = leftMost
	rows, err := q.Query(ctx, `select `+couponColumns+`, (select count(*) from (
			select from coupon_copies k where k.coupon_id = c.id and k.state = 'published' limit @left) l)`+
		couponTables+where, s.args(args))
	if err != nil {
		return nil, away("reading coupons", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c Coupon, err error) {
		var drop Drop
		err = r.Scan(append(c.targets(&drop), &c.Left)...)
		c.tidy(drop)
		return c, err
	})
	if err != nil {
		return nil, away("reading coupons", err)
	}
	return list, nil
}

func (s *Store) coupon(ctx context.Context, q querier, id string) (Coupon, error) {
	if !booking.IsID(id) {
		return Coupon{}, ErrUnknown
	}
	list, err := s.coupons(ctx, q, `where c.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return Coupon{}, err
	}
	if len(list) == 0 {
		return Coupon{}, ErrUnknown
	}
	return list[0], nil
}

// held is a copy with what only this package needs.
type held struct {
	Copy
	turn        int
	performance ropeline.PerformanceID
	session     string
	key         string
	ended       bool // expires_at has passed
	noTicket    bool // the ticket that it was bought by is not valid
}

// ticketed says that a copy was not bought, or that its ticket is still valid.
const ticketed = `(k.ticket_id is null or exists (select from tickets t
	where t.performance_id = c.performance_id and t.id = k.ticket_id and t.state = 'valid'))`

// copies reads copies that somebody has or had.
func (s *Store) copies(ctx context.Context, q querier, where string, args pgx.NamedArgs) ([]held, error) {
	rows, err := q.Query(ctx, `select `+couponColumns+`, k.number, k.state, k.since, coalesce(k.expires_at, c.expires_at),
			coalesce(k.bag::text, ''), k.turn, coalesce(k.order_id::text, ''), coalesce(k.hold_id::text, ''), coalesce(k.discount, 0),
			coalesce(k.performance_id::text, ''), coalesce(k.session_id, ''), coalesce(k.used_key, ''),
			coalesce(k.expires_at, c.expires_at) <= `+clock+`, not `+ticketed+
		couponTables+`join coupon_copies k on k.coupon_id = c.id `+where, s.args(args))
	if err != nil {
		return nil, away("reading copies of coupons", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (h held, err error) {
		var drop Drop
		err = r.Scan(append(h.Coupon.targets(&drop), &h.Number, &h.State, &h.Since, &h.ExpiresAt, &h.Bag, &h.turn, &h.Order, &h.Hold,
			&h.Discount, &h.performance, &h.session, &h.key, &h.ended, &h.noTicket)...)
		h.Coupon.tidy(drop)
		h.Since, h.ExpiresAt = h.Since.UTC(), h.ExpiresAt.UTC()
		return s.shown(h), err
	})
	if err != nil {
		return nil, away("reading copies of coupons", err)
	}
	return list, nil
}

// shown calls a copy expired as soon as it is, whether or not it was moved, and
// gives it its code while it is of use.
func (s *Store) shown(h held) held {
	if h.ended && (h.State == Claimed || h.State == Reserved || h.State == Published) {
		h.State = Expired
	}
	if h.State == Claimed || h.State == Reserved {
		h.Code = s.keys.Code(h.Coupon.ID, h.Number, h.turn)
	}
	return h
}

// bare are copies without what only this package needs.
func bare(list []held) []Copy {
	copies := make([]Copy, len(list))
	for i, h := range list {
		copies[i] = h.Copy
	}
	return copies
}

func violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.ConstraintName == constraint
}

// away is what a store's error is told as, unless it is one of ours already.
func away(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*ropeline.Error](err); ok {
		return err
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
