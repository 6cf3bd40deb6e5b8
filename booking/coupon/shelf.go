package coupon

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Filter is what somebody looks for. Empty members do not matter.
type Filter struct {
	Shop, Category, Product string
	Performance             ropeline.PerformanceID // the drop in which it is sold
	State                   State                  // for the shop itself; else what can be claimed or bought now
}

// onShelf says that a coupon is given out now.
const onShelf = `c.state = 'published' and c.publish_from <= ` + clock + ` and c.publish_until > ` + clock

// public says that anybody may see a coupon, whatever became of it.
const public = `c.state <> 'created' and c.publish_from <= ` + clock

// Browse lists coupons that are given out now, the newest first. Of a drop it also
// lists what is over: whoever bought it has still to put it into a bag.
func (s *Store) Browse(ctx context.Context, f Filter, p booking.Page) ([]Coupon, string, error) {
	if f.Performance != "" {
		return s.list(ctx, public, f, p)
	}
	return s.list(ctx, onShelf, f, p)
}

// Catalog lists a shop's coupons in a state, or all of them, the newest first.
func (s *Store) Catalog(ctx context.Context, f Filter, p booking.Page) ([]Coupon, string, error) {
	return s.list(ctx, `(@state = '' or @state = case when c.state = 'published' and c.expires_at <= `+clock+` then 'expired' else c.state end)`, f, p)
}

func (s *Store) list(ctx context.Context, where string, f Filter, p booking.Page) ([]Coupon, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !booking.IsID(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	for _, slug := range []string{f.Shop, f.Category, f.Product} {
		if slug != "" && !slugShape.MatchString(slug) {
			return []Coupon{}, "", nil
		}
	}
	if f.Performance != "" && !booking.IsID(string(f.Performance)) {
		return []Coupon{}, "", nil
	}
	list, err := s.coupons(ctx, s.db, `where `+where+` and (@shop = '' or c.shop_id = @shop) and (@category = '' or p.category = @category)
		and (@product = '' or c.product_id = @product) and (@performance = '' or c.performance_id = nullif(@performance, '')::uuid) and (@cursor = '' or c.id < nullif(@cursor, '')::uuid)
		order by c.id desc limit @size`, pgx.NamedArgs{
		"shop": f.Shop, "category": f.Category, "product": f.Product, "performance": string(f.Performance), "state": string(f.State), "cursor": p.Cursor, "size": size + 1})
	if err != nil {
		return nil, "", err
	}
	list, next := booking.Cut(list, size, func(c Coupon) string { return c.ID })
	return list, next, nil
}

// Show reads a coupon as anybody may see it: once it is published and its window
// has begun, whatever became of it.
func (s *Store) Show(ctx context.Context, id string) (Coupon, error) {
	if !booking.IsID(id) {
		return Coupon{}, ErrUnknown
	}
	list, err := s.coupons(ctx, s.db, `where c.id = @id and `+public, pgx.NamedArgs{"id": id})
	if err != nil {
		return Coupon{}, err
	}
	if len(list) == 0 {
		return Coupon{}, ErrUnknown
	}
	return list[0], nil
}

// Shops lists shops by their ids.
func (s *Store) Shops(ctx context.Context, p booking.Page) ([]Shop, string, error) {
	return s.OwnShops(ctx, "", "", p)
}

// OwnShops lists those of an organization, or the one of them that is named; empty: all.
func (s *Store) OwnShops(ctx context.Context, organization, only string, p booking.Page) ([]Shop, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !slugShape.MatchString(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	rows, err := s.db.Query(ctx, `select id, name from shops where id > $1 and ($3 = '' or organization_id = nullif($3, '')::uuid) and ($4 = '' or id = $4) order by id limit $2`, p.Cursor, size+1, organization, only)
	if err != nil {
		return nil, "", away("listing shops", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Shop])
	if err != nil {
		return nil, "", away("listing shops", err)
	}
	list, next := booking.Cut(list, size, func(s Shop) string { return s.ID })
	return list, next, nil
}

// Category is a kind of product for which coupons are given out.
type Category struct {
	Category string `json:"category" doc:"a slug"`
	Coupons  int    `json:"coupons" doc:"how many are given out now"`
}

// Categories lists the categories of what can be claimed or bought now, of one shop or of all.
func (s *Store) Categories(ctx context.Context, shop string, p booking.Page) ([]Category, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !slugShape.MatchString(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	if shop != "" && !slugShape.MatchString(shop) {
		return []Category{}, "", nil
	}
	rows, err := s.db.Query(ctx, `select p.category, count(*)`+couponTables+`where `+onShelf+`
			and (@shop = '' or c.shop_id = @shop) and p.category > @cursor
		group by p.category order by p.category limit @size`, s.args(pgx.NamedArgs{"shop": shop, "cursor": p.Cursor, "size": size + 1}))
	if err != nil {
		return nil, "", away("listing categories", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Category])
	if err != nil {
		return nil, "", away("listing categories", err)
	}
	list, next := booking.Cut(list, size, func(c Category) string { return c.Category })
	return list, next, nil
}

// Products lists what a shop has coupons for, by their ids.
func (s *Store) Products(ctx context.Context, shop string, p booking.Page) ([]Product, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !slugShape.MatchString(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	if !slugShape.MatchString(shop) {
		return nil, "", ErrShop
	}
	rows, err := s.db.Query(ctx, `select p.id, p.name, p.category, coalesce(p.event_id::text, ''),
			(select count(*) from coupons c where c.shop_id = p.shop_id and c.product_id = p.id)
		from products p where p.shop_id = $1 and p.id > $2 order by p.id limit $3`, shop, p.Cursor, size+1)
	if err != nil {
		return nil, "", away("listing products of "+shop, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Product])
	if err != nil {
		return nil, "", away("listing products of "+shop, err)
	}
	list, next := booking.Cut(list, size, func(p Product) string { return p.ID })
	return list, next, nil
}

// Standing is a copy in a queue, as its shop sees it: whose it is stays unknown.
type Standing struct {
	Number int       `json:"number"`
	Since  time.Time `json:"since"`
}

// Queue lists the copies in the queue of a state, who came first in front.
func (s *Store) Queue(ctx context.Context, shop, id string, state State, p booking.Page) ([]Standing, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	since, number, err := readPlace(p.Cursor)
	if err != nil {
		return nil, "", err
	}
	if _, err := s.OfShop(ctx, shop, id); err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select number, since from coupon_copies
		where coupon_id = $1 and state = $2 and (since, number) > ($3, $4) order by since, number limit $5`, id, state, since, number, size+1)
	if err != nil {
		return nil, "", away("reading a queue of coupon "+id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Standing])
	if err != nil {
		return nil, "", away("reading a queue of coupon "+id, err)
	}
	for i := range list {
		list[i].Since = list[i].Since.UTC()
	}
	list, next := booking.Cut(list, size, func(s Standing) string {
		return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(s.Since.UnixMicro(), 10) + "." + strconv.Itoa(s.Number)))
	})
	return list, next, nil
}

// readPlace reads a cursor of a queue: where in it the page before ended.
func readPlace(cursor string) (time.Time, int, error) {
	if cursor == "" {
		return time.Time{}, 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return time.Time{}, 0, booking.ErrPage
	}
	at, number, _ := strings.Cut(string(text), ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil || micros < 0 || micros > time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() {
		return time.Time{}, 0, booking.ErrPage
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return time.Time{}, 0, booking.ErrPage
	}
	return time.UnixMicro(micros).UTC(), int(n), nil
}

// Entry is a line of history.
type Entry struct {
	Entry  string    `json:"entry" enum:"created,published,withdrawn,claimed,passed_on,reserved,returned,redeemed,expired"`
	Number int       `json:"number,omitempty" doc:"of the copy; left out: the coupon itself"`
	Who    string    `json:"who,omitempty"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`

	id int64
}

// History lists what happened to a shop's coupon and its copies, or to one of
// them (number), the oldest first. Whose bag it was is not told.
func (s *Store) History(ctx context.Context, shop, id string, number int, p booking.Page) ([]Entry, string, error) {
	if _, err := s.OfShop(ctx, shop, id); err != nil {
		return nil, "", err
	}
	entries, next, err := s.history(ctx, id, number, p)
	for i, e := range entries {
		if booking.IsID(e.Who) { // a bag, or an order
			entries[i].Who, entries[i].Detail = "", ""
		}
	}
	return entries, next, err
}

func (s *Store) history(ctx context.Context, id string, number int, p booking.Page) ([]Entry, string, error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after := int64(0)
	if p.Cursor != "" {
		if after, err = strconv.ParseInt(p.Cursor, 10, 64); err != nil || after < 0 {
			return nil, "", booking.ErrPage
		}
	}
	rows, err := s.db.Query(ctx, `select entry, coalesce(number, 0), who, detail, at, id from coupon_history
		where coupon_id = $1 and ($2::bigint = 0 or number = $2) and id > $3 order by id limit $4`, id, number, after, size+1)
	if err != nil {
		return nil, "", away("reading the history of coupon "+id, err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e Entry, err error) {
		err = r.Scan(&e.Entry, &e.Number, &e.Who, &e.Detail, &e.At, &e.id)
		e.At = e.At.UTC()
		return e, err
	})
	if err != nil {
		return nil, "", away("reading the history of coupon "+id, err)
	}
	list, next := booking.Cut(list, size, func(e Entry) string { return strconv.FormatInt(e.id, 10) })
	return list, next, nil
}
