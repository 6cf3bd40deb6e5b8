package loadtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// sec makes moments readable.
func sec(s float64) Moment { return Moment(s * float64(time.Second)) }

// call is a request that was answered.
func call(sent, answered float64, status int) Call {
	return Call{Sent: sec(sent), Answered: sec(answered), Status: status}
}

// goodRun is a small run in which everything went well: two fans of the lobby
// and three later ones; the last one left.
func goodRun() Evidence {
	attempt := func(session, hold, key string, units []int, orders ...string) Attempt {
		return Attempt{Key: key, Session: session, Hold: hold, Units: units, Amount: 4500 * int64(len(units)), Currency: "EUR", Outcome: Confirmed, Orders: orders}
	}
	fans := []History{
		{Fan: 0, Join: call(1, 1.1, 201), Offer: 1, OfferedAt: sec(10),
			Shown: []Shown{{sec(6), 0, 0, "e"}}, Commitment: "c", DrawChecked: true,
			Sessions: []Session{{ID: "s0", First: sec(10), Expires: sec(16), End: call(12, 12.1, 204)}},
			Holds:    []Hold{{ID: "h0", Units: []int{0, 1}, Fate: Ordered}},
			Attempts: []Attempt{attempt("s0", "h0", "k0", []int{1, 0}, "o0", "o0")}},
		{Fan: 1, Join: call(1.2, 1.3, 201), Offer: 2, OfferedAt: sec(10),
			Shown: []Shown{{sec(6), 1, 0, "e"}, {sec(7), 1, 0, "e"}}, Commitment: "c", DrawChecked: true,
			Sessions: []Session{{ID: "s1", First: sec(10.1), Expires: sec(16)}},
			Holds:    []Hold{{ID: "h1", Units: []int{2}, Fate: Dropped}}},
		{Fan: 2, Late: true, Join: call(6, 6.1, 201), Offer: 3, OfferedAt: sec(12.2),
			Shown:    []Shown{{sec(6.1), 2, 0, "e"}, {sec(11), 0, 2, "e"}},
			Sessions: []Session{{ID: "s2", First: sec(12.3), Expires: sec(18)}},
			Attempts: []Attempt{{Key: "k2", Session: "s2", Units: []int{2}, Amount: 4500, Currency: "EUR", Outcome: Unknown}}},
		{Fan: 3, Late: true, Join: call(6.2, 6.3, 201), Offer: 4, OfferedAt: sec(16.5),
			Shown:    []Shown{{sec(6.3), 3, 0, "e"}, {sec(10), 2, 1, "e"}, {sec(12.5), 0, 3, "e"}},
			Sessions: []Session{{ID: "s3", First: sec(16.6), Expires: sec(22)}}},
		{Fan: 4, Late: true, Join: call(6.4, 6.5, 201), Shown: []Shown{{sec(6.5), 4, 0, "e"}},
			Leave: call(9, 9.1, 204), AfterLeaving: []ropeline.PlaceState{ropeline.PlaceLeft}},
		waitsLong(), away(),
	}
	fans = append(append(fans, friends()...), staysToTheEnd())
	var probes []Probe
	for _, where := range []string{"edge", "core"} {
		for _, kind := range probeKinds {
			probes = append(probes, Probe{Kind: kind, Where: where, What: "GET /api/v1/holds", Status: 401})
		}
	}
	return Evidence{
		Cap: 2, Core: true, Emptied: true, Fans: fans, Probes: probes, Faults: Faults{Answers: 50},
		HoldsOver: sec(30), SoldOutAt: sec(500),
		Shelf: &Shelf{At: sec(41), Taken: []bool{true, true, true, false}, Sold: []bool{true, true, true, false}},
		Books: &Books{Tickets: 3, Orders: []BookOrder{
			{ID: "o0", Session: "s0", Key: "k0", State: "paid", Amount: 9000, Currency: "EUR", Units: []int{0, 1}, Captures: 1, Captured: 9000},
			{ID: "o2", Session: "s2", Key: "k2", State: "paid", Amount: 4500, Currency: "EUR", Units: []int{2}, Captures: 1, Captured: 4500},
		}},
		Stock: &Inventory{Agrees: true, Units: 4},
	}
}

// fan finds a history by the fan's number.
func (e *Evidence) fan(n int) *History {
	return &e.Fans[slices.IndexFunc(e.Fans, func(h History) bool { return h.Fan == n })]
}

// waitsLong saw a good estimate every 10 s. Neither its join nor its offer's
// number says anything of the order of the others.
func waitsLong() History {
	h := History{Fan: 5, Late: true, Join: call(0, 7.1, 201), Offer: -1, OfferedAt: sec(400), ClaimBy: sec(404)}
	for at := 10.0; at < 380; at += 10 {
		h.Waits = append(h.Waits, Estimate{At: sec(at), Low: sec((400 - at) * 0.8), High: sec((400 - at) * 1.2)})
	}
	h.Chances = []Told{{sec(10), wire.ChanceGood}}
	return h
}

// staysToTheEnd heard in time that everything is sold.
func staysToTheEnd() History {
	return History{Fan: 30, Late: true, Join: call(430, 430.1, 201), Stayed: true, Steady: true,
		Chances: []Told{{sec(440), wire.ChanceSlim}, {sec(501), wire.ChanceSoldOut}}}
}

// away was passed over and had the turn after all.
func away() History {
	return History{Fan: 6, Late: true, Join: call(7.2, 7.3, 201), Offer: 6, Beside: true, OfferedAt: sec(420), ClaimBy: sec(424),
		Naps: []Nap{{From: sec(10), To: sec(60), Grace: 3 * time.Minute, Passed: true}}}
}

// everything is what any run can have facts of. The others have evidence of their
// own, and tests.
func everything() []string {
	return Profile{Excuse: []string{InvShares, InvLanes, InvCodes, InvBypass, InvForeign, InvQuiet, InvAutomatic, InvNetRoom, InvNetOrder, InvNetRate}}.Promised()
}

func TestAGoodRunIsHeldThroughout(t *testing.T) {
	t.Parallel()
	verdicts := Judge(goodRun(), everything())
	for _, v := range verdicts {
		if slices.Contains(everything(), v.Name) && (v.State != Held || v.Facts == 0) {
			t.Errorf("%s: %s with %d facts: %v", v.Name, v.State, v.Facts, v.Examples)
		}
	}
	if !Passed(verdicts) {
		t.Error("a good run did not pass")
	}
}

// TestABrokenRunIsNoticed changes one thing of the good run and wants exactly
// the invariants named to be broken.
func TestABrokenRunIsNoticed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Evidence)
		broken []string
	}{
		{"a third session while two live", func(e *Evidence) { e.Fans[3].Sessions[0].First, e.Fans[3].OfferedAt = sec(12.5), sec(12.4) }, []string{InvCap, InvCapOffered}},
		{"a session counts until its last token expires", func(e *Evidence) { e.Fans[1].Sessions[0].Expires = sec(17) }, []string{InvCap, InvCapOffered}},
		{"202 does not end a session", func(e *Evidence) { e.Fans[0].Sessions[0].End.Status = 202 }, []string{InvCap, InvCapOffered}},
		{"an offer while two sessions live", func(e *Evidence) { e.Fans[3].OfferedAt = sec(15.9) }, []string{InvCapOffered}},
		{"an offer that nobody claims takes a slot until it runs out", func(e *Evidence) {
			e.Fans[0].Sessions, e.Fans[0].ClaimBy, e.Fans[0].Attempts = nil, sec(14), nil
			e.Books.Orders = e.Books.Orders[1:]
		}, []string{InvCapOffered}},
		{"the answer ends a session, not the request", func(e *Evidence) { e.Fans[0].Sessions[0].End.Answered = sec(12.4) }, []string{InvCap, InvCapOffered}},
		{"a forged token opened the core", func(e *Evidence) { e.Probes[7].Status = 200 }, []string{InvGate}},
		{"a forged token reached the core's own checks", func(e *Evidence) { e.Probes[1].Status = 422 }, []string{InvGate}},
		{"a fan's ended token still worked", func(e *Evidence) {
			e.Fans[0].Probes = []Probe{{"ended", "edge", "POST /api/v1/holds", 409}}
		}, []string{InvGate}},
		{"two late fans swapped", func(e *Evidence) {
			e.Fans[2].Offer, e.Fans[3].Offer = 4, 3
			e.Fans[2].Shown, e.Fans[3].Shown = nil, nil
		}, []string{InvOrder}},
		{"a late fan before one of the lobby", func(e *Evidence) {
			e.Fans[1].Offer, e.Fans[2].Offer = 3, 2
			e.Fans[1].Shown, e.Fans[2].Shown = nil, nil
		}, []string{InvLobby}},
		{"a fan who stayed was passed over", func(e *Evidence) {
			e.Fans[2].Offer, e.Fans[2].Stayed, e.Fans[2].Sessions, e.Fans[2].Shown = 0, true, nil, nil
		}, []string{InvOrder, InvForgotten}},
		{"the last in line was forgotten", func(e *Evidence) {
			e.Fans[3].Offer, e.Fans[3].Stayed, e.Fans[3].Sessions = 0, true, nil
		}, []string{InvForgotten}},
		{"the cursor went over a fan who was there", func(e *Evidence) {
			e.fan(6).Offer, e.fan(6).Passed, e.fan(6).Naps, e.fan(6).Stayed = 0, true, nil, false
		}, []string{InvForgotten}},
		{"a place was lost", func(e *Evidence) {
			e.Fans[3].Offer, e.Fans[3].Gone, e.Fans[3].Sessions = 0, true, nil
		}, []string{InvForgotten}},
		{"more were offered than the position said", func(e *Evidence) { e.Fans[3].Shown[0].Position = 2 }, []string{InvPosition}},
		{"one who stayed was shown too little", func(e *Evidence) {
			e.Fans[3].Offer, e.Fans[3].Stayed, e.Fans[3].Sessions = 0, true, nil
			e.Fans[3].Shown[0].Position = 2
		}, []string{InvPosition, InvForgotten}},
		{"a position rose", func(e *Evidence) { e.Fans[1].Shown[1].Position = 2 }, []string{InvFalling}},
		{"one who had left was offered", func(e *Evidence) {
			e.Fans[4].AfterLeaving = append(e.Fans[4].AfterLeaving, ropeline.PlaceExpired)
		}, []string{InvLeavers}},
		{"after a loss the lobby has another order", func(e *Evidence) {
			e.Fans[0].Offer, e.Fans[1].Offer = 2, 1
			e.Fans[0].Shown, e.Fans[1].Shown = []Shown{{sec(6), 1, 0, "e"}}, []Shown{{sec(7), 2, 1, "e"}}
		}, []string{InvKept}},
		{"an offer was refused", func(e *Evidence) { e.fan(5).Refused = "409 no-offer" }, []string{InvHonored}},
		{"one was offered twice", func(e *Evidence) { e.Fans[2].Again = []int64{7} }, []string{InvOnce}},
		{"who came back in time found the place over", func(e *Evidence) {
			n := &e.fan(6).Naps[0]
			n.Over = true
		}, []string{InvReturns}},
		{"who came back in time was never offered", func(e *Evidence) {
			f := e.fan(6)
			f.Offer, f.Stayed = 0, true
		}, []string{InvReturns, InvForgotten}},
		{"estimates were far too low", func(e *Evidence) {
			for i := range e.fan(5).Waits {
				w := &e.fan(5).Waits[i]
				w.Low, w.High = w.Low/2, w.High/2
			}
		}, []string{InvEstimate}},
		{"ranges were too wide", func(e *Evidence) {
			for i := range e.fan(5).Waits {
				e.fan(5).Waits[i].Low /= 2
			}
		}, []string{InvEstimate}},
		{"somebody was not told of the sell-out", func(e *Evidence) { e.fan(30).Chances[1].At = sec(502.5) }, []string{InvSoldOut}},
		{"somebody was offered when everything was sold", func(e *Evidence) { e.fan(6).MadeAt = sec(503) }, []string{InvSoldOut}},
		{"who was told of a good chance got nothing", func(e *Evidence) { e.fan(5).End = "sold out" }, []string{InvOdds}},
		{"who was told of a slim chance got something", func(e *Evidence) { e.fan(5).Chances[0].Chance = wire.ChanceSlim }, []string{InvOdds}},
		{"friends were told of a good chance, and too few were left for them", func(e *Evidence) {
			for _, n := range []int{7, 8} {
				e.fan(n).Chances, e.fan(n).Left = []Told{{sec(20), wire.ChanceGood}}, 1
			}
		}, []string{InvOdds}},
		{"a fan who stayed was not told why", func(e *Evidence) { e.fan(30).Chances[1].Chance = wire.ChanceSlim }, []string{InvForgotten, InvSoldOut}},
		{"an estimate rose", func(e *Evidence) { e.fan(5).Waits[20].High += sec(300) }, []string{InvLonger, InvEstimate}},
		{"the draw is not right", func(e *Evidence) { e.Fans[1].DrawFault = "no" }, []string{InvDraw}},
		{"two fans got one number", func(e *Evidence) { e.Fans[3].Offer = 3; e.Fans[3].Shown = nil }, []string{InvNumbers}},
		{"Postgres has a unit twice", func(e *Evidence) { e.Books.Twice = []SoldTwice{{"p", 1, 2}} }, []string{InvUnits}},
		{"two fans hold tickets for one unit", func(e *Evidence) {
			e.Fans[2].Attempts[0] = Attempt{Key: "k2", Session: "s2", Units: []int{1}, Amount: 4500, Currency: "EUR", Outcome: Confirmed, Orders: []string{"o2"}}
			e.Books.Orders[1].Units = []int{1}
		}, []string{InvUnits}},
		{"a confirmed order is missing", func(e *Evidence) { e.Books.Orders = e.Books.Orders[1:] }, []string{InvConfirmed}},
		{"a confirmed order has one ticket of two", func(e *Evidence) { e.Books.Orders[0].Units = []int{0} }, []string{InvConfirmed}},
		{"a confirmed order has another amount", func(e *Evidence) {
			e.Books.Orders[0].Amount, e.Books.Orders[0].Captured = 4500, 4500
		}, []string{InvConfirmed}},
		{"nothing was captured", func(e *Evidence) { e.Books.Orders[0].Captures, e.Books.Orders[0].Captured = 0, 0 }, []string{InvConfirmed, InvAccounted}},
		{"too little was captured", func(e *Evidence) { e.Books.Orders[0].Captured = 1 }, []string{InvConfirmed, InvAccounted}},
		{"an order of a session that no fan had", func(e *Evidence) { e.Books.Orders[1].Session = "stranger" }, []string{InvAccounted}},
		{"a refused order was paid", func(e *Evidence) { e.Fans[2].Attempts[0].Outcome = Refused }, []string{InvAccounted}},
		{"an order was never settled", func(e *Evidence) { e.Books.Orders[1].State = "pending" }, []string{InvAccounted}},
		{"money without an order", func(e *Evidence) { e.Books.Strays = []StrayMoney{{"p", "a", 4500}} }, []string{InvAccounted}},
		{"an attempt left open", func(e *Evidence) { e.Books.Open = 1 }, []string{InvAccounted}},
		{"a ticket without an order", func(e *Evidence) { e.Books.Orphans = []string{"t"} }, []string{InvTickets}},
		{"a unit of an expired hold never came back", func(e *Evidence) { e.Shelf.Sold[2] = false }, []string{InvHolds}},
		{"a failed payment kept its units for longer than the fan's grace", func(e *Evidence) {
			e.Fans[2].Holds = []Hold{{ID: "h2", Units: []int{3}, Expires: sec(18), Fate: Ordered}}
			e.Fans[2].Attempts = append(e.Fans[2].Attempts, Attempt{Hold: "h2", Outcome: Refused, Last: sec(14)})
			e.Shelf.Taken[3], e.Shelf.At = true, sec(14)+paymentGrace+noticing+1
		}, []string{InvHolds}},
		{"a unit was lost otherwise", func(e *Evidence) { e.Shelf.Taken[3] = true }, []string{InvHolds}},
		{"the inventories differ", func(e *Evidence) { e.Stock.Agrees = false }, []string{InvInventory}},
		{"a repeated key made a second order", func(e *Evidence) { e.Fans[0].Attempts[0].Orders[1] = "o9" }, []string{InvRepeats}},
		{"an internal error", func(e *Evidence) { e.Faults.Internal = 1 }, []string{InvNoInternal}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := goodRun()
			c.change(&e)
			var broken []string
			verdicts := Judge(e, everything())
			for _, v := range verdicts {
				if v.State == Broken {
					broken = append(broken, v.Name)
				}
			}
			slices.Sort(broken)
			slices.Sort(c.broken)
			if !slices.Equal(broken, c.broken) {
				t.Errorf("broken: %v, want %v", broken, c.broken)
			}
			if Passed(verdicts) {
				t.Error("the run passed")
			}
		})
	}
}

// TestACheckThatSawNothingDoesNotPass takes the facts away one kind at a time.
func TestACheckThatSawNothingDoesNotPass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Evidence)
		blind  []string
	}{
		{"no cap known", func(e *Evidence) { e.Cap = 0 }, []string{InvCap, InvCapOffered}},
		{"nobody tried an expired token at the core", func(e *Evidence) {
			e.Probes = slices.DeleteFunc(e.Probes, func(p Probe) bool { return p.Kind == "expired" && p.Where == "core" })
		}, []string{InvGate}},
		{"every probe was told to come back later", func(e *Evidence) {
			for i := range e.Probes {
				e.Probes[i].Status = 429
			}
		}, []string{InvGate}},
		{"the run was cut off", func(e *Evidence) { e.Emptied = false }, []string{InvForgotten, InvReturns}},
		{"not everything was sold", func(e *Evidence) { e.SoldOutAt = 0; e.fan(30).Leave = call(9, 9.1, 204) }, []string{InvSoldOut}},
		{"nobody was told of chances", func(e *Evidence) { e.fan(5).Chances = nil; e.fan(30).Chances = e.fan(30).Chances[1:] }, []string{InvOdds}},
		{"nobody was shown an estimate", func(e *Evidence) { e.fan(5).Waits = nil }, []string{InvEstimate, InvLonger}},
		{"the limits changed after every estimate", func(e *Evidence) { e.Unforeseen = []Period{{sec(399), sec(399)}} }, []string{InvEstimate}},
		{"nobody was away for long", func(e *Evidence) { e.fan(6).Naps = nil }, []string{InvReturns}},
		{"nobody came with friends", func(e *Evidence) { e.fan(7).Party, e.fan(8).Party, e.fan(8).Offer = 0, 0, 8 }, []string{InvParty}},
		{"nobody checked the draw", func(e *Evidence) { e.Fans[0].DrawChecked, e.Fans[1].DrawChecked = false, false }, []string{InvDraw}},
		{"no audit", func(e *Evidence) { e.Books = nil }, []string{InvUnits, InvConfirmed, InvAccounted, InvTickets}},
		{"nobody looked at the shelf", func(e *Evidence) { e.Shelf = nil }, []string{InvHolds}},
		{"no hold was let go", func(e *Evidence) { e.Fans[1].Holds = nil }, []string{InvHolds}},
		{"no inventory check", func(e *Evidence) { e.Stock = nil }, []string{InvInventory}},
		{"an inventory check that compared nothing", func(e *Evidence) { e.Stock.Units = 0 }, []string{InvInventory}},
		{"nobody repeated an order", func(e *Evidence) { e.Fans[0].Attempts[0].Orders = []string{"o0"} }, []string{InvRepeats}},
		{"nobody came", func(e *Evidence) { *e = Evidence{} }, everything()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := goodRun()
			c.change(&e)
			verdicts := Judge(e, everything())
			for _, v := range verdicts {
				if blind := slices.Contains(c.blind, v.Name); slices.Contains(everything(), v.Name) && blind != (v.State == NotJudged) {
					t.Errorf("%s is %s", v.Name, v.State)
				}
			}
			if Passed(verdicts) {
				t.Error("the run passed")
			}
			if excused := Judge(e, without(everything(), c.blind)); !Passed(excused) {
				t.Error("the run did not pass although nothing of this was promised")
			}
		})
	}
}

// Where nobody buys everybody gets something, whatever was said of the chances.
func TestOddsAreNotJudgedWhereNobodyBuys(t *testing.T) {
	t.Parallel()
	e := goodRun()
	for i := range e.Fans {
		e.Fans[i].Attempts = nil
	}
	for _, v := range Judge(e, everything()) {
		if v.Name == InvOdds && v.State != NotJudged {
			t.Errorf("odds are %s", v.State)
		}
	}
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// What a fan cannot know must not be held against the servers.
func TestWhatIsNotKnownIsNotJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Evidence)
	}{
		{"joins that overlapped may be in either order", func(e *Evidence) {
			e.Fans[3].Join.Sent = sec(6.05)
			e.Fans[2].Offer, e.Fans[3].Offer = 4, 3
			e.Fans[2].Shown, e.Fans[3].Shown = nil, nil
		}},
		{"who missed the turn between two polls was not forgotten", func(e *Evidence) {
			e.Fans[3].Offer, e.Fans[3].Passed, e.Fans[3].Sessions = 0, true, nil
		}},
		{"a session whose end was asked for may have ended at once", func(e *Evidence) {
			e.Fans[0].Sessions[0].End = Call{Sent: sec(12)}
		}},
		{"an expired session makes room at that moment", func(e *Evidence) { e.Fans[3].Sessions[0].First, e.Fans[3].OfferedAt = sec(16), sec(16) }},
		{"a session may have ended with the lost answer to an earlier try", func(e *Evidence) {
			e.Fans[0].Sessions[0].End = Call{Sent: sec(14), Answered: sec(14.1), Status: 204, Lost: sec(12)}
		}},
		{"an offer that its fan gave up makes room", func(e *Evidence) {
			e.Fans[0].Sessions, e.Fans[0].ClaimBy, e.Fans[0].Attempts = nil, sec(14), nil
			e.Fans[0].Leave = call(11, 11.1, 204)
			e.Books.Orders = e.Books.Orders[1:]
		}},
		{"a failed payment leaves its units to the fan for a while", func(e *Evidence) {
			e.Fans[2].Holds = []Hold{{ID: "h2", Units: []int{3}, Expires: sec(18), Fate: Ordered}}
			e.Fans[2].Attempts = append(e.Fans[2].Attempts, Attempt{Hold: "h2", Outcome: Refused, Last: sec(14)})
			e.Shelf.Taken[3], e.Shelf.At = true, sec(14)+paymentGrace
		}},
		{"a pause is not waiting", func(e *Evidence) {
			e.Pauses = []Period{{sec(390), sec(500)}}
			e.fan(5).OfferedAt, e.fan(5).ClaimBy = sec(510), sec(514)
		}},
		{"an estimate may rise for a reason", func(e *Evidence) {
			w := e.fan(5).Waits
			w[0].Low, w[0].High, w[1].Longer = w[0].Low-sec(60), w[0].High-sec(60), "limits"
		}},
		{"who was away for longer than the grace may be over", func(e *Evidence) {
			e.fan(6).Naps = append([]Nap{{From: sec(10), To: sec(300), Grace: 3 * time.Minute, Passed: true, Over: true}}, e.fan(6).Naps...)
		}},
		{"a new epoch may show a higher position", func(e *Evidence) { e.Fans[1].Shown[1] = Shown{sec(7), 2, 0, "f"} }},
		{"an order of unknown outcome may not exist", func(e *Evidence) { e.Books.Orders = e.Books.Orders[:1] }},
		{"a canceled order takes nothing", func(e *Evidence) {
			e.Books.Orders[1] = BookOrder{ID: "o2", Session: "s2", Key: "k2", State: "canceled", Amount: 4500, Currency: "EUR"}
		}},
		{"a place whose holder left in the lobby may be unknown", func(e *Evidence) { e.Fans[4].Late = false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := goodRun()
			c.change(&e)
			for _, v := range Judge(e, everything()) {
				if v.State == Broken {
					t.Errorf("%s is %s: %s", v.Name, v.State, strings.Join(v.Examples, "; "))
				}
			}
		})
	}
}
