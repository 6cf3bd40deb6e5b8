package coupon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
)

// Shop is who offers coupons.
type Shop struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Product is what a shop's coupons are for.
type Product struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Category string `json:"category" doc:"a slug, by which people browse"`
	Event    string `json:"event,omitempty" doc:"the event whose tickets its coupons lower; without one they are for the shop's till"`
	Coupons  int    `json:"coupons" doc:"how many coupons there are for it, whatever their state"`
}

// PutShop makes a shop, or gives it another name.
func (s *Store) PutShop(ctx context.Context, shop Shop) error {
	if !slugShape.MatchString(shop.ID) {
		return ErrShop
	}
	if !plain(shop.Name) {
		return invalid("name must have 1 to %d characters that can be printed", maxText)
	}
	_, err := s.db.Exec(ctx, `insert into shops (id, name) values ($1, $2) on conflict (id) do update set name = excluded.name`, shop.ID, shop.Name)
	return away("writing shop "+shop.ID, err)
}

// PutProduct makes a product of a shop, or changes it.
func (s *Store) PutProduct(ctx context.Context, shop string, p Product) error {
	switch {
	case !slugShape.MatchString(p.ID):
		return ErrProduct
	case !slugShape.MatchString(p.Category):
		return invalid("category must be a slug of lower-case letters, digits and hyphens")
	case !plain(p.Name):
		return invalid("name must have 1 to %d characters that can be printed", maxText)
	case p.Event != "" && !booking.IsID(p.Event):
		return invalid("there is no such event")
	}
	_, err := s.db.Exec(ctx, `insert into products (shop_id, id, name, category, event_id) values ($1, $2, $3, $4, nullif($5, '')::uuid)
		on conflict (shop_id, id) do update set name = excluded.name, category = excluded.category, event_id = excluded.event_id`,
		shop, p.ID, p.Name, p.Category, p.Event)
	switch {
	case violates(err, "products_shop_fkey"):
		return ErrShop
	case violates(err, "products_event_fkey"):
		return invalid("there is no such event")
	}
	return away("writing product "+p.ID, err)
}

// HasEvent reports whether a shop has a product for an event, or for that of a performance.
func (s *Store) HasEvent(ctx context.Context, shop, event string, performance ropeline.PerformanceID) (has bool, err error) {
	err = s.db.QueryRow(ctx, `select exists (select from products p where p.shop_id = $1
			and (p.event_id = nullif($2, '')::uuid or p.event_id = (select event_id from performances where id = nullif($3, '')::uuid)))`,
		shop, event, string(performance)).Scan(&has)
	return has, away("reading the events of shop "+shop, err)
}

// Make makes a coupon and its copies, which nobody sees before it is published.
// The same request with the same key is answered with the same coupon.
func (s *Store) Make(ctx context.Context, shop, who, key string, t Terms) (Coupon, error) {
	if !booking.IsKey(key) {
		return Coupon{}, booking.ErrKey
	}
	t.PublishFrom, t.PublishUntil, t.ExpiresAt = t.PublishFrom.UTC(), t.PublishUntil.UTC(), t.ExpiresAt.UTC()
	if err := t.validate(); err != nil {
		return Coupon{}, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return Coupon{}, fmt.Errorf("writing the terms of a coupon: %w", err)
	}
	id, err := booking.NewID()
	if err != nil {
		return Coupon{}, err
	}
	mac := sha256.Sum256(text)
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error { return s.insert(ctx, tx, id, shop, who, key, mac[:], t) })
	switch {
	case violates(err, "coupons_made_once"):
		return s.madeBefore(ctx, shop, key, mac[:])
	case violates(err, "coupons_product_fkey"):
		return Coupon{}, ErrProduct
	case err != nil:
		return Coupon{}, away("making a coupon", err)
	}
	return s.coupon(ctx, s.db, id)
}

func (s *Store) insert(ctx context.Context, tx pgx.Tx, id, shop, who, key string, mac []byte, t Terms) error {
	_, err := tx.Exec(ctx, `
		insert into coupons (id, shop_id, product_id, title, percent, amount, at_most, currency, price, min_spend, shareable, stock,
			per_person, publish_from, publish_until, expires_at, use_within, made_key, made_mac, created_at)
		values (@id, @shop, @product, @title, nullif(@percent::int, 0), nullif(@amount::bigint, 0), @most, @currency, @price, @min, @shareable,
			@stock, @person, @from, @until, @expires, nullif(@within::int, 0), @key, @mac, `+clock+`)`, s.args(pgx.NamedArgs{
		"id": id, "shop": shop, "product": t.Product, "title": t.Title, "percent": t.Percent, "amount": t.Amount, "most": t.most(),
		"currency": t.Currency, "price": t.Price, "min": t.MinSpend, "shareable": t.Shareable, "stock": t.Stock, "person": t.PerPerson,
		"from": t.PublishFrom, "until": t.PublishUntil, "expires": t.ExpiresAt, "within": t.UseWithin, "key": key, "mac": mac}))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into coupon_copies (coupon_id, number, since, mover)
		select @id, n, `+clock+`, @who from generate_series(1, @stock::int) n`, s.args(pgx.NamedArgs{"id": id, "who": who, "stock": t.Stock}))
	if err != nil {
		return err
	}
	return s.note(ctx, tx, id, "created", who, "")
}

// madeBefore is what an idempotency key made.
func (s *Store) madeBefore(ctx context.Context, shop, key string, mac []byte) (Coupon, error) {
	var id string
	var made []byte
	err := s.db.QueryRow(ctx, `select id, made_mac from coupons where shop_id = $1 and made_key = $2`, shop, key).Scan(&id, &made)
	if err != nil {
		return Coupon{}, away("reading what a key made", err)
	}
	if !bytes.Equal(made, mac) {
		return Coupon{}, booking.ErrKeyReused
	}
	return s.coupon(ctx, s.db, id)
}

// note writes history of a coupon itself.
func (s *Store) note(ctx context.Context, tx pgx.Tx, id, entry, who, detail string) error {
	_, err := tx.Exec(ctx, `insert into coupon_history (coupon_id, entry, who, detail, at) values (@id, @entry, @who, @detail, `+clock+`)`,
		s.args(pgx.NamedArgs{"id": id, "entry": entry, "who": who, "detail": detail}))
	return err
}

// Tier is where a coupon is to be sold.
type Tier struct {
	Performance ropeline.PerformanceID
	catalogue.Tier
}

// sells checks that the units of a tier can be a coupon's copies.
func (t Tier) sells(c Coupon) error {
	bad := func(why string) error {
		e := *ErrTier
		e.Detail = "The tier cannot sell this coupon: " + why + "."
		return &e
	}
	switch {
	case t.Kind != catalogue.General:
		return bad("it has numbered seats")
	case t.Count != c.Stock:
		return bad(fmt.Sprintf("it has %d places and the coupon %d copies", t.Count, c.Stock))
	case t.Price.Amount != c.Price || t.Price.Currency != c.Currency:
		return bad("it has another price")
	}
	return nil
}

// Publish puts the copies up to be claimed, in the coupon's window, or to be sold
// as the units of a tier. It does nothing if that was done already.
func (s *Store) Publish(ctx context.Context, shop, id, who string, tier *Tier) (Coupon, error) {
	return s.change(ctx, shop, id, func(tx pgx.Tx, c Coupon) error {
		drop, err := dropOf(c, tier)
		if err != nil {
			return err
		}
		if c.State == Published && (c.Drop == nil) == (drop == nil) && (drop == nil || *drop == *c.Drop) {
			return nil
		}
		if c.State != Created {
			return ErrState
		}
		return s.publish(ctx, tx, c, who, drop)
	})
}

func dropOf(c Coupon, tier *Tier) (*Drop, error) {
	if tier == nil {
		if c.Price > 0 {
			e := *ErrTier
			e.Detail = "A coupon that costs something is sold: name the performance and the tier whose places are its copies."
			return nil, &e
		}
		return nil, nil
	}
	return &Drop{Performance: tier.Performance, Tier: tier.ID, First: tier.First}, tier.sells(c)
}

func (s *Store) publish(ctx context.Context, tx pgx.Tx, c Coupon, who string, drop *Drop) error {
	args := pgx.NamedArgs{"id": c.ID, "who": who, "performance": nil, "tier": nil, "first": nil}
	if drop != nil {
		args["performance"], args["tier"], args["first"] = drop.Performance, drop.Tier, drop.First
	}
	tag, err := tx.Exec(ctx, `update coupons set state = 'published', performance_id = @performance, tier_id = @tier, first_unit = @first
		where id = @id and publish_until > `+clock, s.args(args))
	if violates(err, "coupons_tier_once") {
		e := *ErrTier
		e.Detail = "The tier sells another coupon."
		return &e
	}
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrOver
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update coupon_copies set state = 'published', since = `+clock+`, mover = @who
		where coupon_id = @id and state = 'created'`, args)
	if err != nil {
		return err
	}
	return s.note(ctx, tx, c.ID, "published", who, "")
}

// Withdraw takes a coupon back, with a reason: nobody can claim it any more, and
// what is in bags is of no use, unless it was paid for: that stays good.
func (s *Store) Withdraw(ctx context.Context, shop, id, who, reason string) (Coupon, error) {
	if !plain(reason) {
		return Coupon{}, invalid("reason must have 1 to %d characters that can be printed", maxText)
	}
	return s.change(ctx, shop, id, func(tx pgx.Tx, c Coupon) error {
		if c.State == Withdrawn {
			return nil
		}
		if c.State == Expired {
			return ErrState
		}
		args := pgx.NamedArgs{"id": id, "who": who}
		if _, err := tx.Exec(ctx, `update coupons set state = 'withdrawn' where id = @id`, args); err != nil {
			return err
		}
		if c.Price == 0 {
			_, err := tx.Exec(ctx, `update coupon_copies set state = 'withdrawn', since = `+clock+`, mover = @who
				where coupon_id = @id and state in ('created', 'published', 'claimed', 'reserved')
					and (expires_at is null or expires_at > `+clock+`)`, s.args(args)) // what has expired is, swept or not
			if err != nil {
				return err
			}
		}
		return s.note(ctx, tx, id, "withdrawn", who, reason)
	})
}

// change changes a shop's coupon, one change after the other.
func (s *Store) change(ctx context.Context, shop, id string, do func(pgx.Tx, Coupon) error) (Coupon, error) {
	if !booking.IsID(id) {
		return Coupon{}, ErrUnknown
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select from coupons where id = $1 for update`, id); err != nil {
			return err
		}
		c, err := s.ofShop(ctx, tx, shop, id)
		if err != nil {
			return err
		}
		return do(tx, c)
	})
	if err != nil {
		return Coupon{}, away("changing coupon "+id, err)
	}
	return s.coupon(ctx, s.db, id)
}

// ofShop reads a coupon; another shop's is unknown.
func (s *Store) ofShop(ctx context.Context, q querier, shop, id string) (Coupon, error) {
	c, err := s.coupon(ctx, q, id)
	if err == nil && c.Shop != shop {
		err = ErrUnknown
	}
	return c, err
}

// OfShop reads a shop's coupon, whatever its state.
func (s *Store) OfShop(ctx context.Context, shop, id string) (Coupon, error) {
	return s.ofShop(ctx, s.db, shop, id)
}

// Report is what has become of a coupon's copies.
type Report struct {
	Coupon   Coupon        `json:"coupon"`
	Queues   map[State]int `json:"queues" doc:"how many copies stand in the queue of each state"`
	Bags     int           `json:"bags" doc:"how many people have or had one"`
	Sold     booking.Money `json:"sold" doc:"what copies cost that were bought and delivered, and whose tickets were not canceled"`
	Discount booking.Money `json:"discount" doc:"what was taken off for those that were redeemed"`
	AsOf     time.Time     `json:"as_of"`
}

// Report counts the queues at one instant: they always add up to the stock.
func (s *Store) Report(ctx context.Context, shop, id string) (Report, error) {
	c, err := s.OfShop(ctx, shop, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Coupon: c, Queues: map[State]int{}, Sold: booking.Money{Currency: c.Currency}, Discount: booking.Money{Currency: c.Currency}}
	for _, state := range States {
		r.Queues[state] = 0
	}
	var n int
	var off int64
	var state State
	// What a ticket cost is in it: the price of its tier may be another one by now.
	rows, err := s.db.Query(ctx, `select state, count(*), coalesce(sum(discount), 0)::bigint, `+clock+`,
			(select count(distinct bag) from coupon_copies where coupon_id = @id),
			(select coalesce(sum(t.amount), 0)::bigint from coupons c join coupon_copies b on b.coupon_id = c.id
				join tickets t on t.performance_id = c.performance_id and t.id = b.ticket_id where c.id = @id and t.state in ('valid', 'blocked'))
		from coupon_copies where coupon_id = @id group by state`, s.args(pgx.NamedArgs{"id": id}))
	if err != nil {
		return Report{}, away("counting coupon "+id, err)
	}
	_, err = pgx.ForEachRow(rows, []any{&state, &n, &off, &r.AsOf, &r.Bags, &r.Sold.Amount}, func() error {
		r.Queues[state] = n
		r.Discount.Amount += off
		return nil
	})
	r.AsOf = r.AsOf.UTC()
	return r, away("counting coupon "+id, err)
}
