package returns_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// queue joins so many people, who want one place each.
func queue(t *testing.T, m *model, n int) (places []returns.Entry) {
	t.Helper()
	for i := range n {
		who := fmt.Sprint("fan", i)
		e, err := m.store.Join(t.Context(), m.show.ID, m.wish(1, who), who)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, e)
	}
	m.list = []*place{{}} // somebody is on it: what comes free is the list's
	m.rebuild(t)
	return places
}

func (m *model) comesBack(t *testing.T, units ...int) {
	t.Helper()
	if err := m.holds.Return(t.Context(), m.show.ID, uuid.NewString(), "", units); err != nil {
		t.Fatal(err)
	}
}

// Many tenders at once are as one: who stands in front is offered, each a unit of their
// own, and nobody who stands behind.
func TestManyTendersOfferInOrder(t *testing.T) {
	t.Parallel()
	m := open(t, devtest.Postgres(t), devtest.Redis(t))
	defer m.holds.Close()
	places := queue(t, m, 9)
	m.comesBack(t, 0, 3, 5, 7, 9, 11)
	var tending sync.WaitGroup
	for range 5 {
		tending.Go(func() {
			tender := returns.NewTender(m.store, time.Second, time.Hour, nil, slog.New(slog.DiscardHandler))
			for range 4 {
				if _, err := tender.Tend(t.Context(), m.show.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	tending.Wait()
	owner := map[int]string{}
	for i, p := range places {
		e, err := m.store.Entry(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]returns.State{true: returns.Offered, false: returns.Waiting}[i < 6]; e.State != want {
			t.Errorf("place %d is %s, want %s", i, e.State, want)
		}
		for _, u := range e.Units {
			if owner[u] != "" {
				t.Errorf("unit %d is offered to two", u)
			}
			owner[u] = e.ID
		}
	}
	for u := range places[:6] {
		delete(m.owner, []int{0, 3, 5, 7, 9, 11}[u]) // nobody bought them
	}
	r, err := m.stock.Check(t.Context(), m.show.ID, inventory.With(records{m}, nil, m.store))
	if err != nil || len(owner) != 6 || r.Held != 6 || !r.OK() {
		t.Errorf("%d units are offered, the inventory is %+v, %v", len(owner), r, err)
	}
}

// A tender that slept between two steps, while another one found nothing for the same
// place, does not keep what it gets when it wakes.
func TestATenderThatSleptKeepsNothing(t *testing.T) {
	t.Parallel()
	m := open(t, devtest.Postgres(t), devtest.Redis(t))
	defer m.holds.Close()
	first := queue(t, m, 1)[0]
	id := uuid.NewString()
	if _, err := m.db.Exec(t.Context(), `update returns_entries set state = 'offering', hold_id = $2 where id = $1`, first.ID, id); err != nil {
		t.Fatal(err)
	}
	slept, err := m.store.Entry(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.tender.Tend(t.Context(), m.show.ID); err != nil { // nothing came back: the place waits again
		t.Fatal(err)
	}
	m.comesBack(t, 4)
	if err := m.tender.Offer(t.Context(), slept); err != nil {
		t.Fatal(err)
	}
	if h, err := m.holds.Get(t.Context(), m.show.ID, id, hold.Listed+id); err != nil || h.State != hold.Released {
		t.Errorf("the hold that it made is %s, %v", h.State, err)
	}
	if _, err := m.tender.Tend(t.Context(), m.show.ID); err != nil {
		t.Fatal(err)
	}
	if now, err := m.store.Entry(t.Context(), first.ID); err != nil || now.State != returns.Offered || now.Hold == id || fmt.Sprint(now.Units) != "[4]" {
		t.Errorf("in the end the place is %+v, %v", now, err)
	}
}

// Redis is lost while an offer is being paid for, whose own time is over: before the
// inventory was made again, its place was once called lapsed.
func TestAPaymentDecidesOfAnOfferThatRedisHasLost(t *testing.T) {
	t.Parallel()
	m := open(t, devtest.Postgres(t), devtest.Redis(t))
	defer m.holds.Close()
	first := queue(t, m, 1)[0]
	m.comesBack(t, 4)
	if _, err := m.tender.Tend(t.Context(), m.show.ID); err != nil {
		t.Fatal(err)
	}
	e, err := m.store.Entry(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.store.Claim(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	p := &place{hold: e.Hold, attempt: uuid.NewString(), units: e.Units}
	m.note(t, p, "started")
	if _, err := m.holds.Pay(t.Context(), m.show.ID, p.hold, e.Session(), p.attempt); err != nil {
		t.Fatal(err)
	}
	m.now = e.Expires.Add(10 * time.Minute)
	m.loseRedis(t)
	for _, step := range []struct {
		payment string
		want    returns.State
	}{{"started", returns.Claimed}, {"closed", returns.Lapsed}} {
		m.note(t, p, step.payment)
		if _, err := m.tender.Tend(t.Context(), m.show.ID); err != nil && !errors.Is(err, inventory.ErrNotReady) {
			t.Fatal(err)
		}
		if now, err := m.store.Entry(t.Context(), first.ID); err != nil || now.State != step.want {
			t.Errorf("with its payment %s the place is %s, want %s; %v", step.payment, now.State, step.want, err)
		}
	}
}

// The list closes when the performance begins: nobody joins, and who waits is told.
func TestTheListClosesWhenThePerformanceBegins(t *testing.T) {
	t.Parallel()
	m := open(t, devtest.Postgres(t), devtest.Redis(t))
	defer m.holds.Close()
	first := queue(t, m, 1)[0]
	m.now = m.now.Add(1000 * time.Hour)
	m.comesBack(t, 4)
	if _, err := m.tender.Tend(t.Context(), m.show.ID); err != nil {
		t.Fatal(err)
	}
	if now, err := m.store.Entry(t.Context(), first.ID); err != nil || now.State != returns.Closed || now.Email != "" {
		t.Errorf("the place is %+v, %v", now, err)
	}
	if _, err := m.store.Join(t.Context(), m.show.ID, m.wish(1, "late"), "late"); err == nil {
		t.Error("somebody joined a list that is closed")
	}
	if pool, err := m.stock.Pool(context.Background(), m.show.ID); err != nil || len(pool) != 0 {
		t.Errorf("the pool is %v, %v", pool, err)
	}
}

func FuzzAKeyOpensOnlyWhatItIsOf(f *testing.F) {
	keys := returns.Keys("0123456789abcdef0123456789abcdef")
	id := uuid.NewString()
	for _, s := range []string{"", ".", id, id + ".", keys.Pass(id), keys.Place(id), keys.Pass(id) + "\n", strings.ToUpper(keys.Pass(id)), "a.b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if hold, ok := keys.ReadPass(text); ok && (text != keys.Pass(hold) || !returns.IsPass(text)) {
			t.Errorf("%q opens the hold %q", text, hold)
		}
		if place, ok := keys.ReadPlace(text); ok && text != keys.Place(place) {
			t.Errorf("%q opens the place %q", text, place)
		}
	})
}
