package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/terms"
)

// left tells what is left of two tiers, and ticks.
func (g *rig) left(at time.Time, free, held [2]int64) {
	g.Helper()
	stock := ropeline.Stock{At: at, Basket: 2, Conversion: 0.5}
	for i, name := range []string{"Stalls", "Balcony"} {
		stock.Tiers = append(stock.Tiers, ropeline.TierStock{Performance: g.sale.Performances[0], Tier: name, Name: name,
			Units: 1000, Free: free[i], Held: held[i], Sold: 1000 - free[i] - held[i]})
	}
	must(g, g.store.SetStock(g.Context(), g.sale.ID, stock, 0, stock.Free()))
	g.tick()
}

func TestEverybodyIsToldOfTheSellOutAtOnce(t *testing.T) {
	t.Parallel()
	// Sockets that look by themselves once an hour: they are woken.
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour }))
	g.draw()
	at := time.Now()
	g.left(at, [2]int64{500, 1000}, [2]int64{})
	f := g.phone()
	g.until("the edge knows the stock", func() bool { return read[wire.Sale](t, f.do("GET", "", "")).Status.Stock.Free == 1500 })
	f.join()
	b := f.open()
	first := b.next()
	if first.Odds == nil || first.Odds.Chance != wire.ChanceGood || !slices.Equal(first.Odds.Tiers, []wire.Chance{"good", "good"}) {
		t.Fatalf("with 1,500 left and nobody ahead: %+v", first.Odds)
	}
	tail := ropeline.Stock{At: at.Add(time.Microsecond), Basket: 2, Conversion: 0.5}
	for i, together := range []int64{1, 10} { // one may take six of this sale
		tail.Tiers = append(tail.Tiers, ropeline.TierStock{Performance: g.sale.Performances[0], Tier: []string{"Stalls", "Balcony"}[i], Name: "x", Units: 1000, Free: 40, Sold: 960, Together: together})
	}
	must(t, g.store.SetStock(t.Context(), g.sale.ID, tail, 0, 80))
	g.tick()
	g.until("a poll tells what is left side by side", func() bool { o := f.poll().Odds; return o != nil && slices.Equal(o.Together, []int64{1, 0}) })
	g.left(at.Add(time.Millisecond), [2]int64{0, 0}, [2]int64{7, 0})
	s := b.await("nothing is left", func(s wire.Status) bool { return s.Odds != nil && s.Odds.Chance == wire.ChanceReturns })
	if s.State != ropeline.PlaceWaiting || s.Sale.Stock != (wire.Stock{Units: 2000, Held: 7}) || !slices.Equal(s.Odds.Tiers, []wire.Chance{"returns", "sold-out"}) {
		t.Errorf("on the sell-out: %+v, %+v", s.Odds, s.Sale.Stock)
	}
	if s := f.poll(); s.Odds == nil || s.Odds.Chance != wire.ChanceReturns {
		t.Errorf("a poll says %+v", s.Odds)
	}
	// Within a second of that news the next waits for its turn, and comes then.
	g.left(at.Add(2*time.Millisecond), [2]int64{0, 0}, [2]int64{})
	g.until("it is over", func() bool { g.tick(); return f.poll().Odds.Chance == wire.ChanceSoldOut })
	stop := g.ticking()
	defer stop()
	b.await("it is over", func(s wire.Status) bool { return s.Odds != nil && s.Odds.Chance == wire.ChanceSoldOut })
}

// ticking ticks as a controller does, until it is stopped.
func (g *rig) ticking() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		every := time.NewTicker(50 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				if _, err := g.store.Tick(g.Context(), g.sale.ID, "controller", time.Minute); err != nil {
					g.Error(err)
				}
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func TestNobodyIsToldOddsOfAStockThatNobodyCounts(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut)
	g.draw()
	f := g.browser()
	f.join()
	wantProblem(t, f.do("GET", "stock", ""), http.StatusNotFound, "stock-unknown")
	if s := f.poll(); s.Odds != nil || s.Sale.Stock != (wire.Stock{}) {
		t.Errorf("without a stock: %+v, %+v", s.Odds, s.Sale.Stock)
	}
	g.left(time.Now().Add(-stockOld-time.Minute), [2]int64{1000, 1000}, [2]int64{})
	g.until("the edge has the old count", func() bool {
		room, err := g.server.rooms.known(g.sale.ID, time.Now())
		return err == nil && room.line.View().Stock != nil
	})
	wantProblem(t, f.do("GET", "stock", ""), http.StatusNotFound, "stock-unknown")
	if s := f.poll(); s.Odds != nil {
		t.Errorf("of a stock that was counted long ago: %+v", s.Odds)
	}
	g.left(time.Now(), [2]int64{1000, 0}, [2]int64{0, 3})
	g.until("the edge knows the stock", func() bool { return f.poll().Odds != nil })
	doc := read[ropeline.Stock](t, wantStatus(t, f.do("GET", "stock", ""), http.StatusOK))
	if len(doc.Tiers) != 2 || doc.Tiers[1].Held != 3 || doc.Conversion != 0.5 {
		t.Errorf("the stock is %+v", doc)
	}
}

// Friends who share a place have one position and one basket, and want a ticket
// each: what they are told follows their number, whoever is alone is told the rest.
func TestFriendsAreToldOfTheChancesOfAllOfThem(t *testing.T) {
	t.Parallel()
	g := newRig(t, forFriends, shut, withPages)
	host, friend, third, alone := g.browser(), g.browser(), g.browser(), g.browser()
	host.join()
	code := host.invite().Code
	live := host.open()
	told := func(f *fan, chance wire.Chance, tiers ...wire.Chance) {
		t.Helper()
		if o := f.poll().Odds; o == nil || o.Chance != chance || !slices.Equal(o.Tiers, tiers) {
			t.Errorf("told of %+v, want %q, %q", o, chance, tiers)
		}
	}
	at := time.Now()
	g.left(at, [2]int64{2, 1}, [2]int64{})
	g.until("the edge knows the stock", func() bool { return host.poll().Odds != nil })
	told(host, "good", "good", "good") // nobody has followed yet
	friend.becomes(code)
	live.await("one of the tiers has too few for two", func(s wire.Status) bool {
		return s.Odds != nil && slices.Equal(s.Odds.Tiers, []wire.Chance{"good", "slim"})
	})
	third.becomes(code)
	told(third, "good", "slim", "slim") // in the lobby

	g.draw()
	alone.join()
	g.until("all stand in line", func() bool { return host.poll().Position != nil && alone.poll().Position != nil })
	told(host, "good", "slim", "slim")
	told(alone, "good", "good", "even") // behind them
	if page := friend.page("waiting"); !strings.Contains(page, "There is a good chance of tickets for all 3 of you.") {
		t.Errorf("the page without scripts says\n%s", page)
	}
	g.left(at.Add(time.Millisecond), [2]int64{1, 1}, [2]int64{})
	live.await("there are too few", func(s wire.Status) bool { return s.Odds != nil && s.Odds.Chance == wire.ChanceSlim })
	wantStatus(t, third.do("DELETE", "place", ""), http.StatusNoContent)
	live.await("two are enough for two", func(s wire.Status) bool { return s.Odds != nil && s.Odds.Chance == wire.ChanceGood })
	told(friend, "good", "slim", "slim")
	g.left(at.Add(2*time.Millisecond), [2]int64{0, 0}, [2]int64{})
	live.await("all is sold", func(s wire.Status) bool { return s.Odds != nil && s.Odds.Chance == wire.ChanceSoldOut })
}

// The page without scripts tells the same.
func TestThePlainPageTellsOfOddsTermsMessagesAndTheSellOut(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages, opened, shut)
	g.draw()
	g.post(1, 6)
	g.left(time.Now(), [2]int64{500, 1000}, [2]int64{})
	f := g.browser()
	g.until("the edge knows both", func() bool {
		s := read[wire.Sale](t, f.do("GET", "", "")).Status
		return s.Terms == 1 && s.Stock.Free > 0
	})
	f.join()
	shows := func(texts ...string) {
		t.Helper()
		page := f.page("waiting")
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("the page does not say %q:\n%s", text, page)
			}
		}
	}
	shows("There is a good chance", "At most 6 at once", "The signed sheet")
	g.post(2, 4)
	g.say(queue.Message{Texts: map[string]string{"en": "Doors at <8>"}, Default: "en"})
	g.left(time.Now(), [2]int64{0, 0}, [2]int64{0, 3})
	g.until("the edge knows both", func() bool {
		s := f.poll()
		return s.Sale.Terms == 2 && s.Message != nil && s.Odds.Chance == wire.ChanceReturns
	})
	shows("Doors at &lt;8&gt;", "Sold out for now", "3 in baskets and payments", "The terms have changed since you joined", "It was decided", "Tickets at once: 6 before, 4 now", "At most 4 at once", "Leave the line")
	g.left(time.Now(), [2]int64{0, 0}, [2]int64{0, 0})
	g.until("it is over", func() bool { return f.poll().Odds.Chance == wire.ChanceSoldOut })
	shows("Everything is sold")
}

func TestChangesAreSaidInWords(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]terms.Change{
		"The price of Stalls: 75.00 EUR before, 1,080.00 EUR now":           {What: "price", Of: "Stalls", From: "7500 EUR", To: "108000 EUR"},
		"Tickets for Standing: new, 4,500 JPY":                              {What: "tier", Of: "Standing", To: "4500 JPY"},
		"Tickets for Balcony: taken away":                                   {What: "tier", Of: "Balcony", From: "1500 KWD"},
		"Time to pay: 10 minutes before, 90 seconds now":                    {What: "hold", From: "600", To: "90"},
		"The opening: Tuesday, 1 December 2026, 18:00 UTC before, soon now": {What: "opens_at", From: "2026-12-01T18:00:00Z", To: "soon"},
		"something: a before, b now":                                        {What: "something", From: "a", To: "b"},
	} {
		if got := changeText(c); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}

// While a batch is to come, nobody hears that all is sold.
func TestSoldOutIsNotSaidWhileMoreIsReleased(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for want, tier := range map[wire.Chance]ropeline.TierStock{
		"":                 {Units: 9, Free: 1, Later: 3},
		wire.ChanceReturns: {Units: 9, Sold: 6, Later: 3},
		wire.ChanceSoldOut: {Units: 9, Sold: 6}, // three are blocked
	} {
		v := &queue.View{State: queue.State{Now: now, Stock: &ropeline.Stock{At: now, Tiers: []ropeline.TierStock{tier}}}}
		if got := soldOut(v); got != want {
			t.Errorf("of %+v it says %q, want %q", tier, got, want)
		}
	}
}
