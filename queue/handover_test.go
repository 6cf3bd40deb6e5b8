package queue

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// clocked opens a line whose clock the test moves.
func clocked(t *testing.T) (*Store, ropeline.Sale, func(time.Duration)) {
	t.Helper()
	now := time.Date(2047, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("moves-%d", time.Now().UnixNano()), now.Add(-time.Minute))
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	if err := store.Draw(t.Context(), sale.ID); err != nil {
		t.Fatal(err)
	}
	return store, sale, func(d time.Duration) { now = now.Add(d) }
}

// code makes a code for the place of a ticket.
func code(t *testing.T, store *Store, ticket Ticket) Code {
	t.Helper()
	c, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.OfferCode(t.Context(), ticket.Sale, ticket, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACodeMovesAPlaceOnce(t *testing.T) {
	t.Parallel()
	store, sale, pass := clocked(t)
	ctx := t.Context()
	p := join(t, store, sale.ID)
	first := Ticket{Sale: sale.ID, Lane: MainLane, Place: p.ID, Visitor: "v", Score: p.Score, Epoch: p.Epoch}
	c := code(t, store, first)
	second, err := store.Exchange(ctx, sale.ID, c, "phone", "")
	want := first
	want.Generation = 1
	if err != nil || second != want {
		t.Fatalf("exchanged for %+v, %v; want %+v", second, err, want)
	}
	if again, err := store.Exchange(ctx, sale.ID, c, "phone", ""); err != nil || again != second {
		t.Errorf("the same device asks again: %+v, %v", again, err)
	}
	for _, device := range []string{"", "another"} {
		if _, err := store.Exchange(ctx, sale.ID, c, device, ""); !errors.Is(err, ErrCodeUsed) {
			t.Errorf("device %q uses the code, too: %v", device, err)
		}
	}
	if err := store.Hold(ctx, sale.ID, first); !errors.Is(err, ErrPlaceMoved) {
		t.Errorf("the first copy acts: %v", err)
	}
	if err := store.Hold(ctx, sale.ID, second); err != nil {
		t.Errorf("the newest copy acts: %v", err)
	}
	if found, err := store.Find(ctx, sale.ID, p.ID); err != nil || !found.SeenBy(first).Elsewhere || found.SeenBy(second).Elsewhere || found.State != ropeline.PlaceWaiting {
		t.Errorf("found %+v, %v", found, err)
	}
	fresh, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.OfferCode(ctx, sale.ID, first, fresh); !errors.Is(err, ErrPlaceMoved) {
		t.Errorf("the first copy makes a code: %v", err)
	}
	if _, err := store.Exchange(ctx, sale.ID, fresh, "", ""); !errors.Is(err, ErrCodeUnknown) {
		t.Errorf("a code that nobody made: %v", err)
	}

	// Back again: by a code of the device that holds it, to the first, which
	// has the place already.
	replaced, back := code(t, store, second), code(t, store, second)
	if _, err := store.Exchange(ctx, sale.ID, replaced, "", ""); !errors.Is(err, ErrCodeUnknown) {
		t.Errorf("a code that a newer one replaced: %v", err)
	}
	if _, err := store.Exchange(ctx, sale.ID, back, "", "another-place"); !errors.Is(err, ErrOwnPlace) {
		t.Errorf("a device that has another place: %v", err)
	}
	if got, err := store.Exchange(ctx, sale.ID, back, "", p.ID); err != nil || got.Generation != 2 {
		t.Errorf("back to the first device: %+v, %v", got, err)
	}

	third := second
	third.Generation = 2
	late := code(t, store, third)
	pass(CodeLife)
	if _, err := store.Exchange(ctx, sale.ID, late, "", ""); !errors.Is(err, ErrCodeLate) {
		t.Errorf("a code after two minutes: %v", err)
	}
}

func TestACodeEndsWithTheOffer(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	p := join(t, store, sale.ID)
	ticket := Ticket{Sale: sale.ID, Place: p.ID}
	c := code(t, store, ticket)
	admitUntil(t, store, sale.ID, p.ID)
	if _, err := store.Exchange(t.Context(), sale.ID, c, "", ""); !errors.Is(err, ErrTurnCame) {
		t.Errorf("the code after the offer: %v", err)
	}
	if _, err := store.OfferCode(t.Context(), sale.ID, ticket, c); !errors.Is(err, ErrTurnCame) {
		t.Errorf("a new code after the offer: %v", err)
	}
	if err := store.Hold(t.Context(), sale.ID, ticket); err != nil {
		t.Errorf("whoever kept the place cannot come in: %v", err)
	}
}

func TestOfManyDevicesWithOneCodeOneGetsThePlace(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	p := join(t, store, sale.ID)
	c := code(t, store, Ticket{Sale: sale.ID, Place: p.ID})
	const devices = 20
	errs := make([]error, devices)
	var all sync.WaitGroup
	for i := range devices {
		all.Go(func() { _, errs[i] = store.Exchange(t.Context(), sale.ID, c, fmt.Sprint("device ", i), "") })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrCodeUsed):
			t.Error(err)
		}
	}
	if found, err := store.Find(t.Context(), sale.ID, p.ID); won != 1 || err != nil || found.Generation != 1 {
		t.Errorf("%d devices got the place: %+v, %v", won, found, err)
	}
}

// What Redis forgets of who holds a place, an edge that serves it tells again.
func TestAnEdgeVouchesForWhoHoldsAPlace(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	ctx := t.Context()
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	if err := line.snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	p := join(t, store, sale.ID)
	old := Ticket{Sale: sale.ID, Place: p.ID}
	woken := 0
	watching := line.Attend(old, p, false, func(ropeline.PlaceState) { woken++ })
	held, err := store.Exchange(ctx, sale.ID, code(t, store, old), "", "")
	if err != nil {
		t.Fatal(err)
	}
	line.guests.suspect(p.ID)
	if err := line.round(ctx); err != nil || !watching.Place().Elsewhere || woken == 0 {
		t.Fatalf("after the move the old copy sees %+v, %v", watching.Place(), err)
	}
	if line.guests.byPlace[p.ID].present(store.time()) {
		t.Error("a place that is only watched counts as present: its turn would be missed")
	}
	holding := line.Attend(held, p, false, func(ropeline.PlaceState) {})
	if holding.Place().Elsewhere || !line.guests.byPlace[p.ID].present(store.time()) {
		t.Errorf("the new device sees %+v, and is not present", holding.Place())
	}

	if err := rdb.Del(ctx, key(sale.ID, "generations")).Err(); err != nil {
		t.Fatal(err)
	}
	line.guests.suspect(p.ID) // as after any loss
	if err := line.round(ctx); err != nil || !watching.Place().Elsewhere {
		t.Errorf("after the loss the old copy sees %+v, %v", watching.Place(), err)
	}
	if err := store.Hold(ctx, sale.ID, old); !errors.Is(err, ErrPlaceMoved) {
		t.Errorf("after the loss the old copy acts: %v", err)
	}

	// Without an edge that knows, the newest ticket itself tells.
	if err := rdb.Del(ctx, key(sale.ID, "generations")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Hold(ctx, sale.ID, old), store.Hold(ctx, sale.ID, held)); err != nil {
		t.Fatal(err)
	}
	if err := store.Hold(ctx, sale.ID, old); !errors.Is(err, ErrPlaceMoved) {
		t.Errorf("after the newest copy was heard of, the old one acts: %v", err)
	}
}

// FuzzCode: what is read is one of ours, and reads the same again however it
// is written.
func FuzzCode(f *testing.F) {
	for _, seed := range []string{"", "ABCDE-FGH1J", "abcde fgh1j", "OIL-0000000", "ABCDEFGH1JK", "ÅBCDEFGHJK", "U123456789", "GEFGH1JAJBGCFGE-FGH1J", "-----------", strings.Repeat("0", 99)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		c, err := ParseCode(typed)
		if err != nil {
			if !errors.Is(err, ErrCodeUnknown) || c != "" {
				t.Fatalf("%q: %q, %v", typed, c, err)
			}
			return
		}
		if len(c) != codeLength && len(c) != mailLength || strings.Trim(string(c), codeLetters) != "" {
			t.Fatalf("%q was read as %q", typed, c)
		}
		for _, text := range []string{string(c), c.String(), strings.ToLower(c.String())} {
			if again, err := ParseCode(text); err != nil || again != c {
				t.Fatalf("%q of %q: %q, %v", text, typed, again, err)
			}
		}
	})
}

func TestCodesAreRandom(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	letters := map[rune]int{}
	for range 1000 {
		c, err := NewCode(rand.Reader)
		if err != nil || seen[c] {
			t.Fatalf("code %q, %v", c, err)
		}
		if again, err := ParseCode(c.String()); err != nil || again != c {
			t.Fatalf("%q reads as %q, %v", c, again, err)
		}
		seen[c] = true
		for _, l := range c {
			letters[l]++
		}
	}
	for _, l := range codeLetters { // 312 expected, standard deviation 17
		if n := letters[l]; n < 200 || n > 430 {
			t.Errorf("%c comes %d times in 10,000", l, n)
		}
	}
	if _, err := NewCode(strings.NewReader("short")); err == nil {
		t.Error("a code out of too few random bytes")
	}
}
