package hold_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
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

// theater has three rows and, behind them, a floor of general admission.
var (
	rows  = []catalogue.Range{{First: 9, Count: 8}, {First: 0, Count: 9}, {First: 17, Count: 5}}
	floor = catalogue.Range{First: 22, Count: 15}
)

// model is the twin: what holds are, said with maps and loops.
type model struct {
	store *hold.Store
	stock *inventory.Store
	id    ropeline.PerformanceID
	now   time.Time
	owner map[int]string // unit → hold, or "sold", or "withheld"
	kept  map[int]bool   // units that a reserve withholds
	holds map[string]*twin
	order []string // ids, for drawing one
}

type twin struct {
	hold.Hold
	ends, kept, extended time.Time
	graced               bool
}

func TestHoldsBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			stock: inventory.New(rdb), id: ropeline.PerformanceID(uuid.NewString()),
			now: time.UnixMilli(1_800_000_000_000).UTC(), owner: map[int]string{}, kept: map[int]bool{}, holds: map[string]*twin{},
		}
		m.store = hold.NewAt(rdb, func() time.Time { return m.now })
		if _, err := m.stock.Rebuild(context.Background(), m.id, recorded{Units: seats}); err != nil {
			t.Fatal(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"hold units": m.holdUnits, "hold neighbors": m.holdRun, "hold any": m.holdAny, "repeat a hold": m.repeatHold,
			"extend": m.extend, "release": m.release, "pay": m.pay, "unpay": m.unpay, "sell": m.sell,
			"sweep": m.sweep, "wait": m.wait, "rebuild": m.rebuild, "reserve": m.reserve, "": m.check,
		})
	})
}

func (m *model) request(t *rapid.T) hold.Request {
	return hold.Request{
		ID: uuid.NewString(), Performance: m.id, Sale: "gala",
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
	expect(t, err, nil)
	h := &twin{ends: r.SessionEnds, Hold: hold.Hold{
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

func (m *model) holdRun(t *rapid.T) {
	r, n := m.request(t), rapid.IntRange(1, 5).Draw(t, "n")
	got, err := m.store.Run(context.Background(), r, n, rows)
	m.settleExpired(r.Session)
	m.claimed(t, r, m.firstRun(n), hold.ErrSoldOut, got, err)
}

func (m *model) firstRun(n int) []int {
	for _, row := range rows {
		for first := row.First; first+n <= row.First+row.Count; first++ {
			run := []int{}
			for u := first; u < first+n && m.owner[u] == ""; u++ {
				run = append(run, u)
			}
			if len(run) == n {
				return run
			}
		}
	}
	return nil
}

func (m *model) holdAny(t *rapid.T) {
	r, n := m.request(t), rapid.IntRange(1, 5).Draw(t, "n")
	got, err := m.store.Any(context.Background(), r, n, floor)
	m.settleExpired(r.Session)
	var units []int
	for u := floor.First; u < floor.First+floor.Count && len(units) < n; u++ {
		if m.owner[u] == "" {
			units = append(units, u)
		}
	}
	if len(units) < n {
		units = nil
	}
	m.claimed(t, r, units, hold.ErrSoldOut, got, err)
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
	attempt := rapid.SampledFrom([]string{"a1", "a2"}).Draw(t, "attempt")
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
	attempt := rapid.SampledFrom([]string{"a1", "a2"}).Draw(t, "attempt")
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
}

// sell is only called for what Postgres has sold: a paying hold's units, or
// once more for one that was sold before.
func (m *model) sell(t *rapid.T) {
	h, _ := m.pick(t)
	if h.State != hold.Paying && h.State != hold.Sold {
		t.Skip("nothing was paid")
	}
	expect(t, m.store.Sell(context.Background(), m.id, h.ID, h.Attempt, h.Units), nil)
	h.State = hold.Sold
	for _, u := range h.Units {
		m.owner[u] = "sold"
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
			delete(m.owner, u)
		case m.owner[u] == "" && m.kept[u]:
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
	r.Withheld.Units = slices.Collect(maps.Keys(m.kept))
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
			delete(m.owner, u)
			if m.kept[u] {
				m.owner[u] = "withheld"
			}
		}
	}
	h.State = state
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
