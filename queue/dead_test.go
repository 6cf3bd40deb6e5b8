package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// An edge dies with 15,000 people, and nobody takes them back. They count as
// present for a minute, so that they can come back elsewhere; then the line goes
// over all of them at once to those who are here. Who returns within the grace
// goes before everybody, and phones may take longer.
func TestTheLineGoesOverAnEdgeThatDiedWithMany(t *testing.T) {
	t.Parallel()
	now := time.Date(2044, 1, 1, 0, 0, 0, 0, time.UTC)
	rdb := devtest.Redis(t)
	dying, living := New(rdb, testKeys).WithClock(func() time.Time { return now }), New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(dying.Close)
	t.Cleanup(living.Close)
	sale := testSale(fmt.Sprintf("dead-%d", time.Now().UnixNano()), now.Add(-time.Minute))
	sale.Cap, sale.Rate = 100, 60_000
	if err := errors.Join(dying.PublishSale(t.Context(), sale), dying.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	living.see(sale.ID, shape{shards: 1})
	crowd := func(store *Store, name string, n int) (places []Place) {
		var ids []ropeline.PlaceID
		for i := range n {
			ids = append(ids, ropeline.PlaceID(fmt.Sprintf("%s-%05d", name, i)))
		}
		for chunk := range slices.Chunk(ids, joinBatch) {
			for _, r := range store.joinAll(t.Context(), lineID{sale.ID, 0}, entries(chunk)) {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				places = append(places, r.Value)
			}
		}
		return places
	}
	gone := crowd(dying, "gone", 15_000)
	here := crowd(living, "here", 60)
	ticks := func(span time.Duration) (last Ticked) { // the dead edge beats no more
		for end := now.Add(span); now.Before(end); now = now.Add(TickInterval) {
			last = tick(t, living, sale.ID)
		}
		return last
	}

	if s := ticks(50 * time.Second); s.Cursor == 0 || s.Cursor >= 15_000 {
		t.Fatalf("after 50 s the line has come to %d: it stands still, or went over people who may come back", s.Cursor)
	}
	// Those who were offered in vain hold their slots until the claim window ends.
	if s := ticks(11*time.Second + sale.ClaimWindow.Duration()); s.Cursor != 15_060 {
		t.Fatalf("the line has come to %d, want 15060: it does not go over those who died", s.Cursor)
	}
	for _, p := range here {
		if is, err := living.Find(t.Context(), sale.ID, p.ID); err != nil || is.Offer == nil {
			t.Fatalf("%s was here all the time and is %+v, %v", p.ID, is, err)
		}
	}

	back := func(p Place, grace time.Duration) ropeline.PlaceState {
		t.Helper()
		state, err := living.State(t.Context(), sale.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := living.attend(t.Context(), lineID{sale.ID, 0}, state.Epoch, true, nil, nil, []returning{{p.ID, grace}}); err != nil {
			t.Fatal(err)
		}
		ticks(time.Second)
		is, err := living.Find(t.Context(), sale.ID, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return is.State
	}
	if state := back(gone[14_000], Grace); state != ropeline.PlaceOffered {
		t.Errorf("who came back at once is %s, want offered", state)
	}
	now = now.Add(Grace)
	if state := back(gone[14_001], Grace); state != ropeline.PlacePassed {
		t.Errorf("who came back after the grace is %s, want passed", state)
	}
	if state := back(gone[14_002], GracePhone); state != ropeline.PlaceOffered {
		t.Errorf("whose phone came back after three minutes is %s, want offered", state)
	}
	now = now.Add(GracePhone)
	if state := back(gone[14_003], GracePhone); state != ropeline.PlacePassed {
		t.Errorf("whose phone came back after its grace is %s, want passed", state)
	}
}

// A fan comes back with another edge than before, which takes the place back to
// the front; the old edge, where nobody is any more, took it off again, and the
// fan was shown as next and never offered.
func TestAnEdgeTakesNobodyOffWhoIsWithAnother(t *testing.T) {
	t.Parallel()
	old, sale, rdb := open(t, func(s *ropeline.Sale) { s.Cap = 1 })
	other := New(rdb, testKeys)
	t.Cleanup(other.Close)
	first, second := join(t, old, sale.ID), join(t, old, sale.ID)
	state, err := old.State(t.Context(), sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	went := []told{{first.ID, first.Ordinal}}
	if err := old.attend(t.Context(), lineID{sale.ID, 0}, state.Epoch, true, nil, went, nil); err != nil {
		t.Fatal(err)
	}
	admitUntil(t, old, sale.ID, second.ID)
	back := []returning{{first.ID, Grace}}
	places := []ropeline.PlaceID{first.ID}
	err = errors.Join(
		old.keepBack(t.Context(), sale.ID, places),
		other.attend(t.Context(), lineID{sale.ID, 0}, state.Epoch, true, nil, nil, back),
		old.away(t.Context(), sale.ID, places),
	)
	if err != nil {
		t.Fatal(err)
	}
	if is, err := other.Find(t.Context(), sale.ID, first.ID); err != nil || !is.Back {
		t.Errorf("the edge that the fan left took the place off: %+v, %v", is, err)
	}
	// The old edge may be faster than the new one, where the fan is shown as next
	// already.
	third := New(rdb, testKeys)
	t.Cleanup(third.Close)
	if err := errors.Join(other.away(t.Context(), sale.ID, places), third.keepBack(t.Context(), sale.ID, places)); err != nil {
		t.Fatal(err)
	}
	if is, err := third.Find(t.Context(), sale.ID, first.ID); err != nil || !is.Back {
		t.Errorf("the third edge could not keep the place: %+v, %v", is, err)
	}
	other = third
	if err := other.away(t.Context(), sale.ID, places); err != nil {
		t.Fatal(err)
	}
	if is, err := other.Find(t.Context(), sale.ID, first.ID); err != nil || is.Back || is.State != ropeline.PlacePassed {
		t.Errorf("who has gone from everywhere still goes before everybody: %+v, %v", is, err)
	}
}
