package returns_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

const (
	window = 10 * time.Minute
	gather = 2 * time.Minute
	places = 12 // of general admission, units 0 … 11 of the model's performance
)

// fatal is a testing.T, or one of rapid's.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// records stand for what Postgres says of orders: the model's.
type records struct{ m *model }

func (r records) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	recorded := inventory.Recorded{Units: places}
	for u, owner := range r.m.owner {
		if owner == "sold" {
			recorded.Sold = append(recorded.Sold, u)
		}
	}
	for _, p := range r.m.list {
		if p.paying {
			recorded.Open = append(recorded.Open, inventory.Attempt{ID: p.attempt, Hold: p.hold, Session: hold.Listed + p.hold, Units: p.units})
		}
	}
	return recorded, nil
}

// model is the twin of a list: a slice in the order of joining.
type model struct {
	db     *pgxpool.Pool
	rdb    redis.UniversalClient
	now    time.Time
	shows  *catalogue.Store
	stock  *inventory.Store
	holds  *hold.Store
	store  *returns.Store
	tender *returns.Tender
	show   *catalogue.Map

	owner map[int]string // unit → "sold", "pool", "offer …", "public …", or nothing: on sale
	since map[int]time.Time
	list  []*place
	fans  int

	offering *place // one is about to be made to it
}

type place struct {
	id, who    string
	quantity   int
	state      returns.State
	hold       string
	attempt    string
	units      []int
	expires    time.Time
	extensions int
	extended   time.Time
	paying     bool
}

// Whatever people do, and whenever a tender looks, or dies, or Redis forgets: units go
// to who stands in front and wants no more than there is, none to two, and each is on
// sale, offered, in the pool or sold.
func TestAListBehavesLikeTheModel(t *testing.T) {
	t.Parallel()
	db, rdb := devtest.Postgres(t), devtest.Redis(t)
	rapid.Check(t, func(t *rapid.T) {
		m := open(t, db, rdb)
		defer m.holds.Close()
		t.Repeat(map[string]func(*rapid.T){
			"join": m.join, "join again": m.again, "leave": m.leave, "cancel an order": m.cancel, "tend": m.tend, "claim": m.claim, "give back": m.release,
			"pay": m.pay, "fail to pay": m.unpay, "buy": m.buy, "buy what is on sale": m.public, "wait": m.wait, "die while offering": m.die,
			"Redis forgets": m.forget, "rebuild": func(t *rapid.T) { m.rebuild(t) }, "": m.check,
		})
	})
}

func open(t fatal, db *pgxpool.Pool, rdb redis.UniversalClient) *model {
	m := &model{db: db, rdb: rdb, now: time.Now().Truncate(time.Millisecond), owner: map[int]string{}, since: map[int]time.Time{}}
	clock := func() time.Time { return m.now }
	m.shows, m.stock, m.holds = catalogue.New(db, clock), inventory.New(rdb), hold.NewAt(rdb, clock)
	opens := m.now.UTC().Truncate(time.Second)
	sale, err := m.shows.Seed(context.Background(), catalogue.Plan{Venue: "Club", StartsAt: opens.Add(1000 * time.Hour), General: places, Sale: ropeline.Sale{
		ID: ropeline.SaleID("s" + strings.ReplaceAll(uuid.NewString(), "-", "")), Version: 1, Title: "Gala", LobbyClosesAt: opens.Add(-time.Hour), OpensAt: opens,
		EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60, ClaimWindow: 60, TokenLife: 60, SessionMax: 3600,
		Hold: 300, HoldExtensions: 1, UnitsPerHold: 4, ReturnsWindow: ropeline.Seconds(window.Seconds()),
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.shows.Performance(context.Background(), sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	m.show = p.Map
	m.store = returns.New(db, m.shows, m.stock, m.holds, returns.Keys("0123456789abcdef0123456789abcdef")).At(clock)
	m.tender = returns.NewTender(m.store, time.Second, gather, nil, slog.New(slog.DiscardHandler))
	for u := range places {
		m.owner[u] = "sold"
	}
	m.rebuild(t)
	return m
}

func (m *model) rebuild(t fatal) {
	if _, err := m.stock.Rebuild(context.Background(), m.show.ID, inventory.With(records{m}, nil, m.store)); err != nil {
		t.Fatal(err)
	}
}

func (m *model) wish(n int, who string) returns.Wish {
	return returns.Wish{Tier: m.show.Tiers[0].ID, Quantity: n, Email: who + "@example.org"}
}

func (m *model) free(u int) {
	m.owner[u], m.since[u] = "pool", m.now
	if len(m.list) == 0 {
		delete(m.owner, u)
	}
}

func (m *model) onSale() (n int) {
	for u := range places {
		if m.owner[u] == "" {
			n++
		}
	}
	return n
}

func (m *model) join(t *rapid.T) {
	n := rapid.IntRange(1, 3).Draw(t, "quantity")
	who := fmt.Sprintf("fan%d", m.fans)
	m.fans++
	e, err := m.store.Join(context.Background(), m.show.ID, m.wish(n, who), who)
	if first := len(m.list) == 0; first && m.unsold() || !first && m.onSale() >= n {
		expect(t, err, returns.ErrNotSoldOut)
		return
	}
	expect(t, err, nil)
	first := len(m.list) == 0
	m.list = append(m.list, &place{id: e.ID, who: who, quantity: n, state: returns.Waiting})
	if first {
		m.rebuild(t) // as the keeper does
	}
}

// unsold reports whether the first who joins could hope to buy in the line.
func (m *model) unsold() bool {
	for u := range places {
		if m.owner[u] != "sold" {
			return true
		}
	}
	return false
}

func (m *model) pick(t *rapid.T, states ...returns.State) *place {
	var some []*place
	for _, p := range m.list {
		if slices.Contains(states, p.state) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		t.Skip("nobody to do it")
	}
	return rapid.SampledFrom(some).Draw(t, "place")
}

var all = []returns.State{returns.Waiting, returns.Offered, returns.Claimed, returns.Bought, returns.Lapsed, returns.Left}

func live(s returns.State) bool {
	return s == returns.Waiting || s == returns.Offered || s == returns.Claimed
}

// again joins with the same request, with another wish, or with another key.
func (m *model) again(t *rapid.T) {
	p := m.pick(t, all...)
	ctx := context.Background()
	e, err := m.store.Join(ctx, m.show.ID, m.wish(p.quantity, strings.ToUpper(p.who[:1])+p.who[1:]), p.who)
	if !errors.Is(err, returns.ErrKeyReused) { // an address with other letters is the same person, but another request
		t.Fatalf("the same person in other letters: %v %v", e, err)
	}
	e, err = m.store.Join(ctx, m.show.ID, m.wish(p.quantity, p.who), p.who)
	if err != nil || e.ID != p.id {
		t.Fatalf("joining again: %v, %v; want the place %s", e.ID, err, p.id)
	}
	if live(p.state) {
		_, err = m.store.Join(ctx, m.show.ID, m.wish(1, p.who), "another")
		expect(t, err, returns.ErrJoined)
	}
}

func (m *model) leave(t *rapid.T) {
	p := m.pick(t, all...)
	err := m.store.Leave(context.Background(), p.id)
	switch {
	case p.state == returns.Waiting:
		p.state = returns.Left
	case p.state != returns.Offered && p.state != returns.Claimed:
	case p.paying:
		expect(t, err, hold.ErrPaying)
		return
	case p.attempt == "bought":
		expect(t, err, hold.ErrSold)
		return
	default:
		m.lose(p)
		p.state = returns.Left
	}
	expect(t, err, nil)
}

// lose puts the units of an offer back.
func (m *model) lose(p *place) {
	for _, u := range p.units {
		if m.owner[u] == "offer "+p.hold {
			m.free(u)
		}
	}
}

// cancel gives units back that were sold.
func (m *model) cancel(t *rapid.T) {
	var sold []int
	for u := range places {
		if m.owner[u] == "sold" {
			sold = append(sold, u)
		}
	}
	if len(sold) == 0 {
		t.Skip("nothing is sold")
	}
	units := rapid.SliceOfNDistinct(rapid.SampledFrom(sold), 1, min(3, len(sold)), rapid.ID).Draw(t, "units")
	if err := m.holds.Return(context.Background(), m.show.ID, uuid.NewString(), "", units); err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		m.free(u)
	}
}

// tend is what the product does, said with loops: what became of the offers; then, as
// long as there is one, the first who wants no more than there is; then what nobody wants.
func (m *model) tend(t *rapid.T) {
	m.sweep(t)
	if _, err := m.tender.Tend(context.Background(), m.show.ID); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.list {
		switch {
		case p.state != returns.Offered && p.state != returns.Claimed:
		case p.attempt == "bought":
			p.state = returns.Bought
		case p.attempt == "released":
			p.state = returns.Left
		case p.attempt == "expired":
			p.state = returns.Lapsed
		}
	}
	for m.offerNext(t) {
	}
	waits := slices.ContainsFunc(m.list, func(p *place) bool { return p.state == returns.Waiting })
	for u := range places {
		if m.owner[u] == "pool" && (!waits || m.now.Sub(m.since[u]) >= gather) {
			delete(m.owner, u)
		}
	}
}

func (m *model) pool() (units []int) {
	for u := range places {
		if m.owner[u] == "pool" {
			units = append(units, u)
		}
	}
	return units
}

func (m *model) offerNext(t *rapid.T) bool {
	pool, list := m.pool(), m.list
	if m.offering != nil { // it was begun
		list, m.offering = []*place{m.offering}, nil
	}
	for _, p := range list {
		if p.state != returns.Waiting || p.quantity > len(pool) {
			continue
		}
		e, err := m.store.Entry(context.Background(), p.id)
		if err != nil {
			t.Fatal(err)
		}
		p.state, p.hold, p.units, p.expires, p.extensions, p.extended = returns.Offered, e.Hold, pool[:p.quantity], m.now.Add(window), 2, time.Time{}
		for _, u := range p.units {
			m.owner[u] = "offer " + p.hold
		}
		return true
	}
	return false
}

// sweep ends the offers that have run out.
func (m *model) sweep(t *rapid.T) {
	if _, err := m.holds.Sweep(context.Background(), m.show.ID, 100); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.list {
		if (p.state == returns.Offered || p.state == returns.Claimed) && !p.paying && p.attempt == "" && !p.expires.After(m.now) {
			m.lose(p)
			p.attempt = "expired"
		}
	}
}

func (m *model) claim(t *rapid.T) {
	p := m.pick(t, all[1:]...)
	e, err := m.store.Entry(context.Background(), p.id)
	if err != nil {
		t.Fatal(err)
	}
	if e.Hold == "" {
		t.Skip("it was never offered anything")
	}
	// Claimed late, an offer has less left than a hold's life: so the claim makes it longer, once.
	if late := p.expires.Add(-time.Duration(rapid.IntRange(4, 240).Draw(t, "seconds left")) * time.Second); late.After(m.now) && rapid.Bool().Draw(t, "late") {
		m.now = late
		m.sweep(t)
	}
	m.claimOnce(t, p, e)
	m.now = m.now.Add(3 * time.Second) // longer than a repeat of an extension is taken for one
	m.sweep(t)
	m.claimOnce(t, p, e)
}

func (m *model) claimOnce(t *rapid.T, p *place, e returns.Entry) {
	h, err := m.store.Claim(context.Background(), e)
	switch {
	case p.paying:
		expect(t, err, nil)
	case p.attempt == "bought":
		expect(t, err, hold.ErrSold)
	case p.state != returns.Offered && p.state != returns.Claimed || p.attempt != "" || !p.expires.After(m.now):
		expect(t, err, returns.ErrOfferOver)
	default:
		expect(t, err, nil)
		p.state = returns.Claimed
		if longer := m.now.Add(5 * time.Minute); p.extensions == 2 && longer.After(p.expires) {
			p.expires, p.extensions = longer, 1
		}
		if !h.Expires.Equal(p.expires) || fmt.Sprint(h.Units) != fmt.Sprint(p.units) {
			t.Fatalf("claimed %v until %v, want %v until %v", h.Units, h.Expires, p.units, p.expires)
		}
	}
}

// mine picks an offer that is claimed, good and not being paid for.
func (m *model) mine(t *rapid.T, paying bool) *place {
	p := m.pick(t, returns.Claimed)
	if p.paying != paying || p.attempt != "" && !paying || !paying && !p.expires.After(m.now) {
		t.Skip("not now")
	}
	return p
}

func (m *model) release(t *rapid.T) {
	p := m.mine(t, false)
	if err := m.holds.Release(context.Background(), m.show.ID, p.hold, hold.Listed+p.hold); err != nil {
		t.Fatal(err)
	}
	m.lose(p)
	p.attempt = "released"
}

// note keeps what Postgres knows of the payment for an offer.
func (m *model) note(t fatal, p *place, state string) {
	_, err := m.db.Exec(context.Background(), `insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2, $3, $4, $5, '', $8, '', $6, 1, 'EUR', '', $7)
		on conflict on constraint attempts_pkey do update set state = excluded.state`,
		m.show.ID, p.attempt, p.hold, m.show.Sale, hold.Listed+p.hold, p.units, state, p.attempt)
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) pay(t *rapid.T) {
	p := m.mine(t, false)
	p.attempt, p.paying = uuid.NewString(), true
	m.note(t, p, "started")
	if _, err := m.holds.Pay(context.Background(), m.show.ID, p.hold, hold.Listed+p.hold, p.attempt); err != nil {
		t.Fatal(err)
	}
}

func (m *model) unpay(t *rapid.T) {
	p := m.mine(t, true)
	m.note(t, p, "closed")
	if err := m.holds.Unpay(context.Background(), m.show.ID, p.hold, p.attempt, 20*time.Minute); err != nil {
		t.Fatal(err)
	}
	h, err := m.holds.Get(context.Background(), m.show.ID, p.hold, hold.Listed+p.hold)
	if err != nil {
		t.Fatal(err)
	}
	p.attempt, p.paying, p.expires = "", false, h.Expires // see hold's own model
	if h.State == hold.Expired {
		m.lose(p)
		p.attempt = "expired"
	}
}

func (m *model) buy(t *rapid.T) {
	p := m.mine(t, true)
	m.note(t, p, "done")
	if err := m.holds.Sell(context.Background(), m.show.ID, p.hold, p.attempt, p.units); err != nil {
		t.Fatal(err)
	}
	p.attempt, p.paying = "bought", false
	for _, u := range p.units {
		m.owner[u] = "sold"
	}
}

// public buys what is on sale, which is never anything of the list.
func (m *model) public(t *rapid.T) {
	n := rapid.IntRange(1, 2).Draw(t, "n")
	h, err := m.holds.Any(context.Background(), hold.Request{ID: uuid.NewString(), Performance: m.show.ID, Sale: m.show.Sale, Session: uuid.NewString(),
		SessionEnds: m.now.Add(time.Hour), Life: time.Hour}, n, catalogue.Range{Count: places})
	if m.onSale() < n {
		expect(t, err, hold.ErrSoldOut)
		return
	}
	expect(t, err, nil)
	if _, err := m.holds.Pay(context.Background(), m.show.ID, h.ID, h.Session, "a"); err != nil {
		t.Fatal(err)
	}
	if err := m.holds.Sell(context.Background(), m.show.ID, h.ID, "a", h.Units); err != nil {
		t.Fatal(err)
	}
	for _, u := range h.Units {
		if m.owner[u] != "" {
			t.Fatalf("anybody got unit %d, which is %s", u, m.owner[u])
		}
		m.owner[u] = "sold"
	}
}

func (m *model) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 5*60_000).Draw(t, "ms")) * time.Millisecond)
}

// die leaves an offer as a tender does that is killed: before its hold is there, or after,
// and before that is written down. It may have been so for longer than the offer is good:
// who was never told of it does not lose a place by that.
func (m *model) die(t *rapid.T) {
	pool := m.pool()
	i := slices.IndexFunc(m.list, func(p *place) bool { return p.state == returns.Waiting && p.quantity <= len(pool) })
	if i < 0 {
		t.Skip("nobody is next")
	}
	ctx, id := context.Background(), uuid.NewString()
	m.offering = m.list[i]
	if _, err := m.db.Exec(ctx, `update returns_entries set state = 'offering', hold_id = $2 where id = $1`, m.offering.id, id); err != nil {
		t.Fatal(err)
	}
	expect(t, m.store.Leave(ctx, m.offering.id), returns.ErrBusy)
	if rapid.Bool().Draw(t, "the hold was made") {
		_, err := m.holds.Offer(ctx, hold.Request{ID: id, Performance: m.show.ID, Sale: m.show.Sale, Session: hold.Listed + id,
			SessionEnds: m.now.Add(10 * time.Hour), Life: window, Extensions: 2}, hold.Among(m.offering.quantity, catalogue.Range{Count: places}))
		expect(t, err, nil)
		if rapid.Bool().Draw(t, "and ran out") {
			m.now = m.now.Add(window)
			for _, u := range pool[:m.offering.quantity] {
				m.since[u] = m.now
			}
			m.offering = nil // nobody was told: it waits again, and whoever is before it may be next
		}
	}
	m.tend(t)
}

// forget is a Redis that lost everything; what is being paid for comes back from Postgres,
// and so do offers, for the time that was written down.
func (m *model) loseRedis(t fatal) {
	keys, err := m.rdb.Keys(context.Background(), "ropeline:{"+string(m.show.ID)+"}:*").Result()
	if err == nil {
		err = m.rdb.Del(context.Background(), keys...).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) forget(t *rapid.T) {
	m.tend(t)
	m.loseRedis(t)
	if _, err := m.tender.Tend(context.Background(), m.show.ID); err != nil && !errors.Is(err, inventory.ErrNotReady) {
		t.Fatal(err)
	}
	before := time.Now().Truncate(time.Millisecond)
	m.rebuild(t)
	if len(m.list) > 0 { // what was on sale comes to the list, too
		for u := range places {
			if m.owner[u] == "" || m.owner[u] == "pool" {
				m.owner[u] = "pool"
			}
		}
		m.learn(t, before)
	}
	for _, p := range m.list {
		if p.state != returns.Offered && p.state != returns.Claimed || p.paying {
			continue
		}
		e, err := m.store.Entry(context.Background(), p.id)
		if err != nil {
			t.Fatal(err)
		}
		if p.expires, p.extensions = e.Expires, 2; !e.Expires.After(m.now) {
			m.lose(p)
			p.attempt = "expired"
		}
	}
	m.tend(t)
}

// learn reads since when units are in the pool: a rebuild goes by Redis's own clock, and
// a millisecond decides whether they are gathered for long enough.
func (m *model) learn(t *rapid.T, before time.Time) {
	pool, err := m.stock.Pool(context.Background(), m.show.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pool {
		if after := time.Now(); p.Since.Before(before) || p.Since.After(after) {
			t.Fatalf("unit %d is in the pool since %v, and the rebuild was from %v to %v", p.Unit, p.Since, before, after)
		}
		m.since[p.Unit] = p.Since
	}
}

// check compares each place and each unit.
func (m *model) check(t *rapid.T) {
	ctx := context.Background()
	page, err := m.store.Page(ctx, m.show.ID, 0, 10_000)
	if err != nil || len(page) != len(m.list) {
		t.Fatalf("%d places, want %d, %v", len(page), len(m.list), err)
	}
	offered := map[int]string{}
	for i, e := range page {
		p := m.list[i]
		if e.ID != p.id || e.State != p.state {
			t.Fatalf("place %d is %s, want %s %s", i, e.State, p.who, p.state)
		}
		if e.State != returns.Offered && e.State != returns.Claimed {
			continue
		}
		if fmt.Sprint(slices.Sorted(slices.Values(e.Units))) != fmt.Sprint(p.units) {
			t.Fatalf("place %d is offered %v, want %v", i, e.Units, p.units)
		}
		for _, u := range e.Units {
			if m.owner[u] == "offer "+e.Hold && offered[u] != "" {
				t.Fatalf("unit %d is offered to two", u)
			}
			offered[u] = e.ID
		}
	}
	snap, err := m.stock.Snapshot(ctx, m.show.ID)
	if err != nil {
		t.Fatal(err)
	}
	held := map[int]string{}
	for _, h := range snap.Holds {
		for _, u := range h.Units {
			held[u] = "offer " + h.ID
		}
	}
	for u := range places {
		got := held[u]
		switch {
		case snap.Sold.Has(u):
			got = "sold"
		case slices.Contains(snap.Pool, u):
			got = "pool"
		}
		if got != m.owner[u] && !(strings.HasPrefix(got, "offer ") && m.ran(got)) || (got != "") != snap.Taken.Has(u) {
			t.Fatalf("unit %d is %q, taken %v, want %q; of %v", u, got, snap.Taken.Has(u), m.owner[u], slices.SortedFunc(maps.Keys(m.owner), cmp.Compare))
		}
	}
}

// ran reports whether an offer has run out and is not swept yet.
func (m *model) ran(owner string) bool {
	return slices.ContainsFunc(m.list, func(p *place) bool { return "offer "+p.hold == owner && !p.paying && !p.expires.After(m.now) })
}

func expect(t *rapid.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("answered %v, want %v", got, want)
	}
}
