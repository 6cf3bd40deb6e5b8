package hold_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// sessions remember what they are told, and may all be over.
type sessions struct {
	told []string
	over error
}

func (s *sessions) Keep(_ context.Context, _ ropeline.SaleID, session, h string, until time.Time, pays bool) error {
	if s.over != nil {
		return s.over
	}
	s.told = append(s.told, fmt.Sprintf("keep %s for %d s, pays %v", session, int(time.Until(until).Round(time.Second).Seconds()), pays))
	return nil
}

func (s *sessions) LetGo(_ context.Context, _ ropeline.SaleID, session, h string) error {
	s.told = append(s.told, "let go "+session)
	return nil
}

func TestASessionIsKeptForAsLongAsItsHoldLives(t *testing.T) {
	t.Parallel()
	rdb, told := devtest.Redis(t), &sessions{}
	s, stock, id := hold.New(rdb).Keeping(told), inventory.New(rdb), ropeline.PerformanceID(uuid.NewString())
	if _, err := stock.Rebuild(t.Context(), id, recorded{Units: 10}); err != nil {
		t.Fatal(err)
	}
	wish := func() hold.Request {
		return hold.Request{ID: uuid.NewString(), Performance: id, Sale: "gala", Session: "s1", SessionEnds: time.Now().Add(time.Hour),
			Life: 10 * time.Second, Extensions: 1}
	}
	all := catalogue.Range{First: 0, Count: 10}
	h, err := s.Any(t.Context(), wish(), 2, all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pay(t.Context(), id, h.ID, "s1", "a1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Unpay(t.Context(), id, h.ID, "a1", 20*time.Second); err != nil { // the card was declined
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), id, h.ID, "s1"); err != nil {
		t.Fatal(err)
	}
	want := []string{"keep s1 for 10 s, pays false", "keep s1 for 900 s, pays true", "keep s1 for 20 s, pays false", "let go s1"}
	if !slices.Equal(told.told, want) {
		t.Errorf("the session was told %q, want %q", told.told, want)
	}

	// A session that is over gets no hold: what was claimed goes back at once.
	told.over = hold.ErrSessionOver
	if _, err := s.Any(t.Context(), wish(), 10, all); !errors.Is(err, hold.ErrSessionOver) {
		t.Errorf("a hold of a session that is over: %v", err)
	}
	told.over = nil
	h, err = s.Any(t.Context(), wish(), 10, all)
	if err != nil {
		t.Fatalf("the units of the refused hold: %v", err)
	}

	// A session that was ended gives back what it held, unless it pays.
	if _, err := s.Pay(t.Context(), id, h.ID, "s1", "a2"); err != nil {
		t.Fatal(err)
	}
	if err := s.EndOf(t.Context(), []ropeline.PerformanceID{id}, "s1"); err != nil {
		t.Fatal(err)
	}
	if h, err := s.Get(t.Context(), id, h.ID, "s1"); err != nil || h.State != hold.Paying {
		t.Errorf("a payment of a session that ended: %+v, %v", h, err)
	}
	if err := s.Unpay(t.Context(), id, h.ID, "a2", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	for range 2 { // told again
		if err := s.EndOf(t.Context(), []ropeline.PerformanceID{id}, "s1"); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := s.Get(t.Context(), id, h.ID, "s1"); err != nil || h.State != hold.Released {
		t.Errorf("a hold of a session that ended: %+v, %v", h, err)
	}
}
