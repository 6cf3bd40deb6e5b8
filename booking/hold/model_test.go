package hold_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// recorded stands for what Postgres says: a fixed answer.
type recorded inventory.Recorded

func (r recorded) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded(r), nil
}

const (
	seats = 37 // not a multiple of 8: the last byte of a bitmap is not full
	life  = 10 * time.Minute
	grace = 2 * time.Minute
)

// theater has three rows and, behind them, a floor of general admission. Seat 8 has
// a restricted view, 3 is a place for a wheelchair.
var (
	rows = []catalogue.Stretch{
		{Range: catalogue.Range{First: 9, Count: 8}},
		{Range: catalogue.Range{First: 0, Count: 3}},
		{Range: catalogue.Range{First: 4, Count: 4}, After: 1},
		{Range: catalogue.Range{First: 17, Count: 5}},
		{Range: catalogue.Range{First: 4, Count: 5}, Restricted: true},
	}
	floor = catalogue.Range{First: 22, Count: 15}
)

// model is the twin: what holds are, said with maps and loops.
type model struct {
	store *hold.Store
	stock *inventory.Store
	rdb   redis.UniversalClient
	id    ropeline.PerformanceID
	now   time.Time
	owner map[int]string // unit → hold, or "sold", or "withheld", or "pooled" for the returns list
	kept  map[int]bool   // units that a reserve withholds
	list  map[int]bool   // units that the returns list has when they come free
	holds map[string]*twin
	order []string // ids, for drawing one

	most  int            // units of a place, 0 for any number
	bound map[string]int // how many each place has that a limit counts
}

type twin struct {
	hold.Hold
	ends, kept, extended time.Time
	graced               bool
	place                string
	limited              bool
	captured             bool   // its attempt does not fail any more
	bought               string // the attempt that paid for it, though somebody took it for failed
	returned             map[int]bool
}

func TestHoldsBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			rdb: rdb, most: rapid.SampledFrom([]int{0, 0, 6}).Draw(t, "most of a place"),
			stock: inventory.New(rdb), id: ropeline.PerformanceID(uuid.NewString()),
			now: time.UnixMilli(1_800_000_000_000).UTC(), owner: map[int]string{}, kept: map[int]bool{}, list: map[int]bool{}, holds: map[string]*twin{}, bound: map[string]int{},
		}
		m.store = hold.NewAt(rdb, func() time.Time { return m.now })
		if _, err := m.stock.Rebuild(context.Background(), m.id, recorded{Units: seats}); err != nil {
			t.Fatal(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"hold units": m.holdUnits, "hold neighbors": m.holdRun, "hold any": m.holdAny, "hold several": m.holdMixed, "hold kept": m.holdKept, "repeat a hold": m.repeatHold,
			"extend": m.extend, "release": m.release, "pay": m.pay, "unpay": m.unpay, "sell": m.sell, "give back": m.giveBack,
			"sweep": m.sweep, "wait": m.wait, "rebuild": m.rebuild, "reserve": m.reserve,
			"begin a list": m.beginList, "offer": m.offer, "open the pool": m.open, "": m.check,
		})
	})
}

func (m *model) request(t *rapid.T) hold.Request {
	return hold.Request{
		ID: uuid.NewString(), Performance: m.id, Sale: "gala", PerPlace: m.most,
		Place:       ropeline.PlaceID(rapid.SampledFrom([]string{"p", "q"}).Draw(t, "place")),
		Session:     fmt.Sprintf("s%d", rapid.IntRange(0, 5).Draw(t, "session")),
		SessionEnds: m.now.Add(time.Duration(rapid.IntRange(-1, 30).Draw(t, "minutes left")) * time.Minute),
		Life:        life, Extensions: rapid.IntRange(0, 2).Draw(t, "extensions"),
	}
}

// claimed is what a claim of these units must come to; nil units: nothing fits.
func (m *model) claimed(t *rapid.T, r hold.Request, units []int, none error, got hold.Hold, err error) {
	for _, h := range m.holds {
		if h.Session == r.Session && h.Live() {
			if h.State == hold.Held && !h.Expires.After(m.now) {
				m.finish(h, hold.Expired)
				continue
			}
			expect(t, err, hold.ErrExists)
			return
		}
	}
	if !r.SessionEnds.After(m.now) {
		expect(t, err, hold.ErrSessionOver)
		return
	}
	if units == nil {
		expect(t, err, none)
		return
	}
	if m.most > 0 && m.bound[string(r.Place)]+len(units) > m.most {
		expect(t, err, hold.ErrLimit)
		return
	}
	if m.most > 0 {
		m.bound[string(r.Place)] += len(units)
	}
	expect(t, err, nil)
	h := &twin{limited: m.most > 0, place: string(r.Place), ends: r.SessionEnds, Hold: hold.Hold{
		ID: r.ID, Performance: m.id, Sale: r.Sale, Session: r.Session, Units: units, State: hold.Held,
		Expires: earlier(m.now.Add(life), r.SessionEnds), Extensions: r.Extensions,
	}}
	m.holds[r.ID], m.order = h, append(m.order, r.ID)
	for _, u := range units {
		m.owner[u] = r.ID
	}
	same(t, got, h.Hold)
}

// settleExpired does what the claim script does first: the caller's own hold
// that has run out is swept, so that its units are free again for the choice.
func (m *model) settleExpired(session string) {
	for _, h := range m.holds {
		if h.Session == session && h.State == hold.Held && !h.Expires.After(m.now) {
			m.finish(h, hold.Expired)
		}
	}
}

func (m *model) holdUnits(t *rapid.T) {
	r := m.request(t)
	units := rapid.SliceOfNDistinct(rapid.IntRange(0, seats-1), 1, 4, rapid.ID).Draw(t, "units")
	got, err := m.store.Units(context.Background(), r, units)
	m.settleExpired(r.Session)
	slices.Sort(units)
	for _, u := range units {
		if m.owner[u] != "" {
			units = nil
			break
		}
	}
	m.claimed(t, r, units, hold.ErrUnitsTaken, got, err)
}

// holdKept takes units that a reserve withholds, as the counter does, and one of the
// floor beside them.
func (m *model) holdKept(t *rapid.T) {
	r, n := m.request(t), rapid.IntRange(1, 4).Draw(t, "n")
	first := rapid.IntRange(0, seats-1).Draw(t, "first")
	ranges := []catalogue.Range{{First: first, Count: rapid.IntRange(1, seats-first).Draw(t, "count")}, {First: 0, Count: 2}}
	parts := []hold.Part{hold.Kept(n, ranges)}
	also := rapid.Bool().Draw(t, "and one of the floor")
	if also {
		parts = append(parts, hold.Among(1, floor))
	}
	got, err := m.store.Claim(context.Background(), r, parts...)
	m.settleExpired(r.Session)
	var units []int
	for _, of := range ranges {
		for u := of.First; u < of.First+of.Count && len(units) < n; u++ {
			if m.owner[u] == "withheld" && !slices.Contains(units, u) {
				units = append(units, u)
			}
		}
	}
	none := error(hold.ErrSoldOut)
	if len(units) < n {
		units = nil
		if ranges[0].Count+2 == n {
			none = hold.ErrUnitsTaken
		}
	}
	if also && units != nil {
		u := floor.First
		for u < floor.First+floor.Count && m.owner[u] != "" {
			u++
		}
		if units = append(units, u); u == floor.First+floor.Count {
			units = nil
		}
	}
	slices.Sort(units)
	m.claimed(t, r, units, none, got, err)
}

func (m *model) holdRun(t *rapid.T) {
	r, n := m.request(t), rapid.IntRange(1, 5).Draw(t, "n")
	got, err := m.store.Claim(context.Background(), r, hold.Beside(n, rows))
	m.settleExpired(r.Session)
	m.claimed(t, r, m.bestRun(n), hold.ErrSoldOut, got, err)
}

// bestRun tries every choice in the order of preference: with a full view, then
// not, and each time those that leave nobody alone first.
func (m *model) bestRun(n int) []int {
	for _, restricted := range []bool{false, true} {
		var second []int
		for _, row := range rows {
			if row.Restricted != restricted {
				continue
			}
			first := row.First - row.Before
			all := row.Before + row.Count + row.After
			for at := row.First; at+n <= row.First+row.Count; at++ {
				run := []int{}
				for u := at; u < at+n && m.owner[u] == ""; u++ {
					run = append(run, u)
				}
				if len(run) < n {
					continue
				}
				if !m.alone(at-1, -1, first, all) && !m.alone(at+n, 1, first, all) {
					return run
				}
				if second == nil {
					second = run
				}
			}
		}
		if second != nil {
			return second
		}
	}
	return nil
}

// alone reports whether a free seat of the row would have nobody free on its
// other side.
func (m *model) alone(u, step, first, all int) bool {
	free := func(u int) bool { return u >= first && u < first+all && m.owner[u] == "" }
	return free(u) && !free(u+step)
}

// holdMixed wants seats, neighbors and places together.
func (m *model) holdMixed(t *rapid.T) {
	r := m.request(t)
	units := rapid.SliceOfNDistinct(rapid.IntRange(0, seats-1), 1, 2, rapid.ID).Draw(t, "units")
	n, places := rapid.IntRange(1, 3).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "places")
	got, err := m.store.Claim(context.Background(), r, hold.These(units), hold.Among(places, floor), hold.Beside(n, rows))
	m.settleExpired(r.Session)
	before, none, all := maps.Clone(m.owner), hold.ErrSoldOut, slices.Clone(units)
	for _, u := range units {
		if m.owner[u] != "" {
			none, all = hold.ErrUnitsTaken, nil
			break
		}
	}
	if all != nil {
		m.own(units, "these")
		if any := m.firstAny(places); any != nil {
			m.own(any, "these")
			if run := m.bestRun(n); run != nil {
				all = slices.Sorted(slices.Values(slices.Concat(units, any, run)))
			} else {
				all = nil
			}
		} else {
			all = nil
		}
	}
	m.owner = before
	m.claimed(t, r, all, none, got, err)
}

func (m *model) own(units []int, by string) {
	for _, u := range units {
		m.owner[u] = by
	}
}

func (m *model) firstAny(n int) (units []int) {
	for u := floor.First; u < floor.First+floor.Count && len(units) < n; u++ {
		if m.owner[u] == "" {
			units = append(units, u)
		}
	}
	if len(units) < n {
		return nil
	}
	return units
}

func (m *model) holdAny(t *rapid.T) {
	r, n := m.request(t), rapid.IntRange(1, 5).Draw(t, "n")
	got, err := m.store.Any(context.Background(), r, n, floor)
	m.settleExpired(r.Session)
	m.claimed(t, r, m.firstAny(n), hold.ErrSoldOut, got, err)
}

// pick draws a hold that was made, and mostly its own session.
func (m *model) pick(t *rapid.T) (*twin, string) {
	if len(m.order) == 0 {
		t.Skip("no hold yet")
	}
	h := m.holds[rapid.SampledFrom(m.order).Draw(t, "hold")]
	if rapid.IntRange(0, 9).Draw(t, "stranger") == 0 {
		return h, "a stranger"
	}
	return h, h.Session
}

func (m *model) repeatHold(t *rapid.T) {
	h, session := m.pick(t)
	got, err := m.store.Any(context.Background(), hold.Request{ID: h.ID, Performance: m.id, Sale: "gala",
		Session: session, SessionEnds: h.ends, Life: life}, 1, floor)
	switch {
	case session != h.Session:
		expect(t, err, hold.ErrUnknown)
	default:
		expect(t, err, h.Over())
		same(t, got, h.Hold)
	}
}

func (m *model) extend(t *rapid.T) {
	h, session := m.pick(t)
	got, err := m.store.Extend(context.Background(), m.id, h.ID, session, life)
	if session != h.Session {
		expect(t, err, hold.ErrUnknown)
		return
	}
	m.expireOne(h)
	switch {
	case h.State == hold.Paying:
		expect(t, err, hold.ErrPaying)
	case h.State != hold.Held:
		expect(t, err, h.Over())
	case !h.extended.IsZero() && m.now.Sub(h.extended) < 2*time.Second:
		expect(t, err, nil)
		same(t, got, h.Hold)
	case h.Extensions == 0 || !earlier(m.now.Add(life), h.ends).After(h.Expires):
		expect(t, err, hold.ErrNotExtendable)
	default:
		h.Expires, h.extended, h.Extensions = earlier(m.now.Add(life), h.ends), m.now, h.Extensions-1
		expect(t, err, nil)
		same(t, got, h.Hold)
	}
}

func (m *model) release(t *rapid.T) {
	h, session := m.pick(t)
	err := m.store.Release(context.Background(), m.id, h.ID, session)
	switch {
	case session != h.Session:
		expect(t, err, hold.ErrUnknown)
	case h.State == hold.Paying:
		expect(t, err, hold.ErrPaying)
	case h.State == hold.Sold:
		expect(t, err, hold.ErrSold)
	default:
		expect(t, err, nil)
		if h.State == hold.Held {
			m.finish(h, hold.Released)
		}
	}
}

func (m *model) pay(t *rapid.T) {
	h, session := m.pick(t)
	attempt := cmp.Or(h.bought, h.ID+rapid.SampledFrom([]string{"a1", "a2"}).Draw(t, "attempt"))
	got, err := m.store.Pay(context.Background(), m.id, h.ID, session, attempt)
	if session != h.Session {
		expect(t, err, hold.ErrUnknown)
		return
	}
	m.expireOne(h)
	switch {
	case h.State == hold.Paying && h.Attempt != attempt:
		expect(t, err, hold.ErrPaying)
	case h.State == hold.Held:
		h.State, h.Attempt, h.kept, h.Expires = hold.Paying, attempt, h.Expires, m.now.Add(inventory.PaymentLife)
		fallthrough
	default:
		expect(t, err, h.Over())
		same(t, got, h.Hold)
	}
}

func (m *model) unpay(t *rapid.T) {
	h, _ := m.pick(t)
	attempt := h.ID + rapid.SampledFrom([]string{"a1", "a2"}).Draw(t, "attempt")
	if h.captured {
		t.Skip("it was paid")
	}
	expect(t, m.store.Unpay(context.Background(), m.id, h.ID, attempt, grace), nil)
	if h.State != hold.Paying || h.Attempt != attempt {
		return
	}
	deadline := h.kept
	if more := m.now.Add(grace); !h.graced && more.After(deadline) {
		deadline = more
	}
	h.graced = true
	if deadline = earlier(deadline, h.ends); !deadline.After(m.now) {
		m.finish(h, hold.Expired)
		return
	}
	h.State, h.Attempt, h.Expires = hold.Held, "", deadline
	if rapid.Bool().Draw(t, "by mistake") {
		h.bought = attempt
	}
}

// sell is only called for what Postgres has sold: a paying hold's units, those of one
// whose attempt was taken for failed by mistake, or once more for one that was sold before.
func (m *model) sell(t *rapid.T) {
	h, _ := m.pick(t)
	if h.State != hold.Paying && h.State != hold.Sold && (h.State != hold.Held || h.bought == "") {
		t.Skip("nothing was paid")
	}
	h.Attempt = cmp.Or(h.Attempt, h.bought)
	expect(t, m.store.Sell(context.Background(), m.id, h.ID, h.Attempt, h.Units), nil)
	if h.Live() {
		m.finish(h, hold.Sold)
	}
	for _, u := range h.Units {
		if !h.returned[u] {
			m.owner[u] = "sold"
		}
	}
}

// giveBack cancels units of what was paid, some of them again, whether Redis knows
// of the sale or not yet.
func (m *model) giveBack(t *rapid.T) {
	h, _ := m.pick(t)
	if h.State != hold.Paying && h.State != hold.Sold {
		t.Skip("nothing was paid")
	}
	units := rapid.SliceOfNDistinct(rapid.SampledFrom(h.Units), 1, len(h.Units), rapid.ID).Draw(t, "canceled")
	expect(t, m.store.Return(context.Background(), m.id, h.Attempt, ropeline.PlaceID(h.place), units), nil)
	if h.captured = true; h.returned == nil {
		h.returned = map[int]bool{}
	}
	for _, u := range units {
		if !h.returned[u] && h.State == hold.Sold {
			m.free(u)
		}
		if !h.returned[u] && h.limited {
			m.bound[h.place]--
		}
		h.returned[u] = true
	}
}

func (m *model) sweep(t *rapid.T) {
	n, err := m.store.Sweep(context.Background(), m.id, 100)
	expect(t, err, nil)
	for _, h := range m.holds {
		if h.State == hold.Held && !h.Expires.After(m.now) {
			m.finish(h, hold.Expired)
			n--
		}
	}
	if n != 0 {
		t.Fatalf("the sweeper ended %d more than had run out", n)
	}
}

func (m *model) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 5*60_000).Draw(t, "ms")) * time.Millisecond)
}

// reserve withholds other units than before. What of them is held stays with its
// fan until it comes back; what is not withheld any more is free at once.
func (m *model) reserve(t *rapid.T) {
	m.kept = map[int]bool{}
	for _, u := range rapid.SliceOfNDistinct(rapid.IntRange(0, seats-1), 0, 10, rapid.ID).Draw(t, "reserved") {
		m.kept[u] = true
	}
	for u := range seats {
		switch {
		case m.owner[u] == "withheld" && !m.kept[u]:
			m.free(u)
		case (m.owner[u] == "" || m.owner[u] == "pooled") && m.kept[u]:
			m.owner[u] = "withheld"
		}
	}
	m.rebuild(t)
}

// rebuild may run at any time. Postgres knows a part of what Redis has sold:
// the mark of a sale may be younger than what was read.
func (m *model) rebuild(t *rapid.T) {
	r := recorded{Units: seats}
	for u, owner := range m.owner {
		if owner == "sold" && rapid.Bool().Draw(t, "read before the sale") {
			r.Sold = append(r.Sold, u)
		}
	}
	for _, h := range m.holds {
		if h.State == hold.Paying {
			r.Open = append(r.Open, inventory.Attempt{ID: h.Attempt, Hold: h.ID, Session: h.Session, Units: h.Units})
		}
	}
	r.Withheld.Units, r.Listed.Units = slices.Collect(maps.Keys(m.kept)), slices.Collect(maps.Keys(m.list))
	restored, err := m.stock.Rebuild(context.Background(), m.id, r)
	if err != nil || restored != 0 {
		t.Fatalf("rebuild restored %d holds, %v; none was lost", restored, err)
	}
}

// check compares every bit and every live hold.
func (m *model) check(t *rapid.T) {
	snap, err := m.stock.Snapshot(context.Background(), m.id)
	if err != nil {
		t.Fatal(err)
	}
	for u := range seats {
		if snap.Taken.Has(u) != (m.owner[u] != "") || snap.Sold.Has(u) != (m.owner[u] == "sold") {
			t.Fatalf("unit %d: taken %v, sold %v; its owner is %q", u, snap.Taken.Has(u), snap.Sold.Has(u), m.owner[u])
		}
	}
	for u := range seats {
		if slices.Contains(snap.Pool, u) != (m.owner[u] == "pooled") {
			t.Fatalf("the pool is %v; the owner of %d is %q", snap.Pool, u, m.owner[u])
		}
	}
	places, err := m.rdb.HGetAll(context.Background(), inventory.KeysOf(m.id).Places()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for place, n := range m.bound {
		if want := fmt.Sprint(n); n > 0 && places[place] != want || n == 0 && places[place] != "" {
			t.Fatalf("place %s has %q units, want %s", place, places[place], want)
		}
	}
	live := map[string]hold.State{}
	for _, h := range m.holds {
		if h.Live() {
			live[h.ID] = h.State
		}
	}
	for _, h := range snap.Holds {
		if string(live[h.ID]) != h.State {
			t.Fatalf("hold %s is %s in Redis, %q in the model", h.ID, h.State, live[h.ID])
		}
		delete(live, h.ID)
	}
	if len(live) > 0 {
		t.Fatalf("holds without a deadline: %v", live)
	}
}

func (m *model) finish(h *twin, state hold.State) {
	for _, u := range h.Units {
		if m.owner[u] == h.ID {
			m.free(u)
		}
	}
	h.State = state
	if h.limited && state != hold.Sold {
		m.bound[h.place] -= len(h.Units)
	}
}

// free is what becomes of a unit that nobody has any more.
func (m *model) free(u int) {
	switch delete(m.owner, u); {
	case m.kept[u]:
		m.owner[u] = "withheld"
	case m.list[u]:
		m.owner[u] = "pooled"
	}
}

// beginList lists more units, as when a tier is sold out, or none. What is on sale stays
// on sale; what comes free from then on does not go there.
func (m *model) beginList(t *rapid.T) {
	more := rapid.SliceOfNDistinct(rapid.IntRange(0, seats-1), 0, 15, rapid.ID).Draw(t, "listed")
	for _, u := range more {
		m.list[u] = true
	}
	if len(more) == 0 {
		m.list = map[int]bool{}
	}
	for u := range seats {
		if m.owner[u] == "pooled" && !m.list[u] {
			delete(m.owner, u)
		}
	}
	m.rebuild(t)
}

// offer holds units of the pool, and never others.
func (m *model) offer(t *rapid.T) {
	r := hold.Request{ID: uuid.NewString(), Performance: m.id, Sale: "gala", SessionEnds: m.now.Add(time.Hour), Life: life, Extensions: 1}
	r.Session = hold.Listed + r.ID
	n := rapid.IntRange(1, 3).Draw(t, "n")
	kind := rapid.IntRange(0, 2).Draw(t, "kind")
	var wanted []int
	if kind == 2 {
		wanted = rapid.SliceOfNDistinct(rapid.IntRange(0, seats-1), n, n, rapid.ID).Draw(t, "units") // may give up: nothing is changed yet
	}
	var pool []int
	before := maps.Clone(m.owner)
	for u := range seats {
		if m.owner[u] == "pooled" {
			pool = append(pool, u)
			delete(m.owner, u)
		} else {
			m.owner[u] = "not the list's"
		}
	}
	var part hold.Part
	var units []int
	none := hold.ErrSoldOut
	switch kind {
	case 0:
		part, units = hold.Among(n, floor), m.firstAny(n)
	case 1:
		part, units = hold.Beside(n, rows), m.bestRun(n)
	default: // one that Redis had lost is made again
		part, none = hold.These(wanted), hold.ErrUnitsTaken
		if !slices.ContainsFunc(wanted, func(u int) bool { return !slices.Contains(pool, u) }) {
			slices.Sort(wanted)
			units = wanted
		}
	}
	m.owner = before
	got, err := m.store.Offer(context.Background(), r, part)
	if units == nil {
		expect(t, err, none)
		return
	}
	expect(t, err, nil)
	h := &twin{ends: r.SessionEnds, Hold: hold.Hold{ID: r.ID, Performance: m.id, Sale: r.Sale, Session: r.Session, Units: units,
		State: hold.Held, Expires: m.now.Add(life), Extensions: 1}}
	m.holds[r.ID], m.order = h, append(m.order, r.ID)
	m.own(units, r.ID)
	same(t, got, h.Hold)
}

// open puts what is in the pool on sale, and nothing else.
func (m *model) open(t *rapid.T) {
	some := rapid.SliceOfNDistinct(rapid.IntRange(0, seats-1), 1, 20, rapid.ID).Draw(t, "unwanted")
	n, err := m.stock.Unpool(context.Background(), m.id, some)
	expect(t, err, nil)
	for _, u := range some {
		if m.owner[u] == "pooled" {
			delete(m.owner, u)
			n--
		}
	}
	if n != 0 {
		t.Fatalf("%d units more were put on sale than lay in the pool", n)
	}
}

func (m *model) expireOne(h *twin) {
	if h.State == hold.Held && !h.Expires.After(m.now) {
		m.finish(h, hold.Expired)
	}
}

func expect(t *rapid.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("answered %v, want %v", got, want)
	}
}

func same(t *rapid.T, got, want hold.Hold) {
	t.Helper()
	if got.Over() != nil {
		return // the record of a hold that is over keeps old details
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("hold\n%+v, want\n%+v", got, want)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
