package queue

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// setStock lets a booking core count, which may be late, and some places buy.
func (s *system) setStock(ctx contextT, t *rapid.T) {
	supports := rapid.SampledFrom([]int64{0, 1, 2, 3, 1000}).Draw(t, "supports")
	baskets := rapid.Int64Range(0, 2).Draw(t, "baskets")
	at := s.now - rapid.SampledFrom([]int64{0, 0, 2_000_000}).Draw(t, "late by (us)")
	stock := ropeline.Stock{At: time.UnixMicro(at).UTC(), Tiers: []ropeline.TierStock{{Tier: "floor", Units: 2000, Free: 2 * supports}}}
	if err := s.store.SetStock(ctx, s.sale.ID, stock, baskets, supports); err != nil {
		t.Fatal(err)
	}
	if known := s.stock; known != nil && known.at > at && known.at < s.now+5_000_000 {
		return
	}
	places := max(1, s.last)
	state, err := s.store.State(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.stock = &stockModel{at: at, supports: supports, engaged: baskets * (state.LastOffer + state.Friends) / places}
	if state.Stock == nil || state.Stock.Free() != stock.Free() || !state.Stock.At.Equal(stock.At) {
		t.Fatalf("the stock is %+v, want %+v", state.Stock, stock)
	}
}

// A stock reaches whoever follows, with a tick that tells it or, for an edge that
// has just started, with the snapshot; and it is not told five times a second.
func TestStockIsToldWhenItChanges(t *testing.T) {
	t.Parallel()
	now := time.UnixMicro(1_790_000_000_000_000)
	k := stocks{bySale: map[ropeline.SaleID]*knownStock{}}
	doc := func(free string, after time.Duration) string {
		return `{"at":"` + now.Add(after).UTC().Format(time.RFC3339Nano) + `","tiers":[{"tier":"floor","units":9,"free":` + free + `}],"basket":0,"conversion":0}`
	}
	for _, c := range []struct {
		doc  string
		told bool
	}{
		{"", false}, {doc("9", 0), true}, {doc("9", 0), false}, {doc("9", time.Second), false}, {doc("8", 2*time.Second), true},
		{doc("8", 6*time.Second), false}, {doc("8", 7*time.Second), true}, {doc("8", -time.Hour), true},
	} {
		stock, err := k.read("gala", c.doc)
		if err != nil {
			t.Fatal(err)
		}
		if news := k.news("gala", stock); (news != nil) != c.told {
			t.Errorf("%s told: %v, want %v", c.doc, news != nil, c.told)
		}
	}
	if _, err := k.read("gala", "{"); err == nil {
		t.Error("a broken document was read")
	}
}

// count tells the line what is left.
func (k *timed) count(free, baskets, supports int64) {
	k.Helper()
	stock := ropeline.Stock{At: k.now, Tiers: []ropeline.TierStock{{Tier: "floor", Units: 100, Free: free, Sold: 100 - free}}}
	if err := k.SetStock(k.Context(), k.sale.ID, stock, baskets, supports); err != nil {
		k.Fatal(err)
	}
}

// An edge that follows learns the stock with a tick, one that starts at once; and
// neither forgets it with the ticks that tell nothing of it.
func TestEveryEdgeKnowsTheStock(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	early := follow(t, store, sale.ID)
	at := time.Now().UTC()
	stock := ropeline.Stock{At: at, Tiers: []ropeline.TierStock{{Tier: "floor", Units: 9, Free: 4, Held: 3, Sold: 2}}, Basket: 2.5, Conversion: 0.25}
	if err := store.SetStock(t.Context(), sale.ID, stock, 1, 5); err != nil {
		t.Fatal(err)
	}
	tick(t, store, sale.ID)
	knows := func(v *View) bool {
		return v.Stock != nil && v.Stock.Free() == 4 && v.Stock.Basket == 2.5 && v.Stock.At.Equal(at)
	}
	seq := awaitView(t, early, knows).Seq
	if late := follow(t, store, sale.ID).View(); !knows(late) {
		t.Errorf("an edge that starts knows %+v", late.Stock)
	}
	tick(t, store, sale.ID)
	if v := awaitView(t, early, func(v *View) bool { return v.Seq > seq }); !knows(v) {
		t.Errorf("after a tick that told nothing of it the stock is %+v", v.Stock)
	}
}

// Twelve seats bring in no crowd: not more people than there is something for
// are in the shop without a basket, and whoever comes out of it lets in others.
func TestNoMoreComeInThanThereIsSomethingFor(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 100)
	var places []Place
	for range 20 {
		places = append(places, join(t, k.Store, k.sale.ID))
	}
	offered := func(want int64, why string) {
		t.Helper()
		k.tick()
		if s := k.tick(); s.Offered+s.Active != want {
			t.Fatalf("%s: %d are offered and %d in the shop, want %d together", why, s.Offered, s.Active, want)
		}
	}
	k.count(0, 0, 0)
	offered(0, "nothing is left")
	if w, ok := view(t, k.Store, k.sale.ID).Wait(0, 3); ok {
		t.Errorf("a wait of %+v is shown for what is sold out", w)
	}
	k.count(4, 0, 3)
	offered(3, "there is something for three")
	for _, p := range places[:3] {
		k.claim(Ticket{Place: p.ID})
	}
	k.count(4, 2, 3)
	offered(5, "two have a basket")
	// One with a basket buys: it needs none any more, and counts on as long as it is in the shop.
	for range 2 { // it may be said twice
		if err := k.Bought(t.Context(), k.sale.ID, places[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	k.count(4, 1, 3)
	offered(5, "one of those with a basket has bought")
	k.count(4, 2, 3)
	offered(6, "another has taken a basket")
}

// A party is not kept out for ever by the last units: it comes in on credit, as
// it does of the rate.
func TestAPartyIsOfferedTheLastUnits(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 100)
	p, behind := k.party(4), join(t, k.Store, k.sale.ID)
	k.count(1, 0, 1)
	k.tick()
	k.is(p, ropeline.PlaceOffered)
	k.is(behind, ropeline.PlaceWaiting)
}

// The newest count wins, but one of the future was made before the clock was set
// back.
func TestALateCountIsDropped(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 3)
	free := func(want int64) {
		t.Helper()
		if got := view(t, k.Store, k.sale.ID).Stock.Free(); got != want {
			t.Errorf("%d units are said to be free, want %d", got, want)
		}
	}
	k.count(7, 0, 7)
	k.now = k.now.Add(-time.Second)
	k.count(9, 0, 9)
	free(7)
	k.now = k.now.Add(-time.Hour)
	k.count(8, 0, 8)
	free(8)
	if err := k.SetStock(t.Context(), "no-such-sale", ropeline.Stock{At: k.now}, 0, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := k.rdb.Exists(t.Context(), key("no-such-sale", "stock")).Result(); err != nil || n != 0 {
		t.Errorf("the stock of a sale that is not published is kept: %d, %v", n, err)
	}
}

// The conversion is of those whose session is over or who bought.
func TestConversionIsOfThoseWhoAreDone(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 100)
	var places []Place
	for range 40 {
		places = append(places, join(t, k.Store, k.sale.ID))
	}
	converted := func(want float64) {
		t.Helper()
		if got, _, err := k.Conversion(t.Context(), k.sale.ID); err != nil || got != want {
			t.Fatalf("conversion %v, %v; want %v", got, err, want)
		}
	}
	if _, age, err := k.Conversion(t.Context(), k.sale.ID); err != nil || age >= 0 {
		t.Fatalf("a stock that nobody counted is %v old, %v", age, err)
	}
	for k.tick().LastOffer < 40 {
	}
	for i, p := range places {
		k.claim(Ticket{Place: p.ID})
		if i < 19 {
			if err := k.Bought(t.Context(), k.sale.ID, p.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	converted(0) // too few are done
	for _, p := range places[10:30] {
		if _, err := k.End(t.Context(), k.sale.ID, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	converted(19.0 / 30)
	k.count(1, 0, 1)
	k.now = k.now.Add(300 * time.Millisecond)
	if _, age, err := k.Conversion(t.Context(), k.sale.ID); err != nil || age != 300*time.Millisecond {
		t.Errorf("the stock is %v old, %v", age, err)
	}
}

// A party is one buyer, though it takes several slots: while all are inside, nobody
// is done.
func TestConversionCountsAPartyOnce(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 100)
	places := make([]Place, 30)
	for i := range places {
		places[i] = k.party(3)
	}
	state := k.tick()
	for ; state.LastOffer < 30; state = k.tick() {
	}
	if n := state.PlacesInside(); n != 30 || state.Offered != 90 {
		t.Errorf("%d slots are said to be of %d places, want 90 of 30", state.Offered, n)
	}
	for i, p := range places {
		k.claim(Ticket{Place: p.ID})
		if i%3 == 0 {
			if err := k.Bought(t.Context(), k.sale.ID, p.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if share, _, err := k.Conversion(t.Context(), k.sale.ID); err != nil || share != 0 {
		t.Errorf("conversion %v, %v: twenty are not done yet", share, err)
	}
	for i, p := range places {
		if i%3 == 1 {
			if _, err := k.End(t.Context(), k.sale.ID, p.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if share, _, err := k.Conversion(t.Context(), k.sale.ID); err != nil || share != 0.5 {
		t.Errorf("conversion %v, %v; want that of ten who bought and ten who went without", share, err)
	}
}
