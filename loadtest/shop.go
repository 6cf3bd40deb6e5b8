package loadtest

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// shop does the errand of an admitted fan.
func (f *fan) shop(ctx context.Context) {
	if f.Renews && !f.byGate() {
		f.renew(ctx)
	}
	if f.hall.abroad != nil {
		f.visit(ctx)
		return
	}
	if f.h.Guest || f.Errand == Browse || f.Errand == Stroll { // friends have one basket, which the first of them fills
		f.browse(ctx)
		f.h.End = "only looked"
		return
	}
	held, ok := f.pick(ctx)
	if !ok || !f.pauseALittle(ctx) {
		return
	}
	switch f.Errand {
	case Drop:
		f.h.End = "let the hold expire"
	case Give:
		f.giveBack(ctx, held)
	default:
		f.buy(ctx, held)
	}
}

// browse asks what is on sale.
func (f *fan) browse(ctx context.Context) (availability, bool) {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodGet, path: "/api/v1/performances/" + f.hall.plan.ID + "/availability"})
	var now availability
	return now, a.ok() && a.decode(&now) == nil
}

// holdRequest asks for units by number, or for any of a tier.
type holdRequest struct {
	Performance string `json:"performance"`
	Units       []int  `json:"units,omitempty"`
	Tier        string `json:"tier,omitempty"`
	Quantity    int    `json:"quantity,omitempty"`
}

// pick tries a few times to get units, also some that come back from others.
func (f *fan) pick(ctx context.Context) (heldUnits, bool) {
	f.h.End = "sold out"
	for range 4 {
		now, ok := f.browse(ctx)
		if !ok || !f.pauseALittle(ctx) {
			f.h.End = "no availability"
			return heldUnits{}, false
		}
		want, ok := f.covet(now)
		if !ok {
			want, ok = f.choose(now)
		}
		if !ok { // others' holds may come back
			if !f.pauseALittle(ctx) {
				return heldUnits{}, false
			}
			continue
		}
		held, code := f.hold(ctx, want)
		switch code {
		case "":
			return held, true
		case "units-taken", "sold-out", "lost":
		case "hold-exists": // of a request whose answer was lost: it runs out
			f.h.End = "hold exists"
			return heldUnits{}, false
		default:
			f.h.End = "hold refused: " + code
			return heldUnits{}, false
		}
	}
	return heldUnits{}, false
}

// covet asks once for seats that somebody else has: that must be refused.
func (f *fan) covet(now availability) (holdRequest, bool) {
	shelf, err := now.shelf(f.hall.plan.units())
	if !f.Covets || err != nil {
		return holdRequest{}, false
	}
	f.Covets = false
	for u, taken := range shelf.Taken {
		if taken {
			return holdRequest{Performance: f.hall.plan.ID, Units: []int{u}}, true
		}
	}
	return holdRequest{}, false
}

// choose says what to ask for, given what is free: the fan's own wish, else
// whatever is left.
func (f *fan) choose(now availability) (holdRequest, bool) {
	plan := f.hall.plan
	quantity := min(max(f.Quantity, f.h.Size), f.hall.about.UnitsPerHold)
	want := holdRequest{Performance: plan.ID}
	if shelf, err := now.shelf(plan.units()); err == nil && f.Ask == AskSeats {
		if want.Units = plan.neighbors(f.rng, shelf.Taken, quantity); want.Units != nil {
			return want, true
		}
	}
	kinds := []string{"general", "seated"}
	if f.Ask == AskBest {
		kinds = []string{"seated", "general"}
	}
	for _, kind := range kinds {
		for _, free := range now.Tiers {
			if t, ok := plan.tier(free.ID); ok && t.Kind == kind && free.Free > 0 {
				want.Tier, want.Quantity = t.ID, min(quantity, free.Free)
				if kind == "seated" && free.Free < 4*quantity {
					want.Quantity = 1 // hardly two beside each other are left
				}
				return want, true
			}
		}
	}
	return want, false
}

// hold asks for units; "" is success, "lost" no answer: then units may be held
// that nobody knows of, until they run out.
func (f *fan) hold(ctx context.Context, want holdRequest) (heldUnits, string) {
	if !f.fresh(ctx) {
		return heldUnits{}, "session-over"
	}
	a := f.do(ctx, request{method: http.MethodPost, path: "/api/v1/holds", bearer: f.token, body: want})
	if a.Status == 0 {
		return heldUnits{}, "lost"
	}
	if a.unavailable() {
		sleep(ctx, max(a.RetryAfter, 300*time.Millisecond))
		return heldUnits{}, "lost"
	}
	var held heldUnits
	if !a.ok() {
		return held, code(a)
	}
	if a.decode(&held) != nil || len(held.Units) == 0 {
		return held, "answer-unreadable"
	}
	f.meter.took(spanHold, a.Answered-a.Sent)
	f.h.Holds = append(f.h.Holds, Hold{ID: held.ID, Units: held.Units, Granted: a.Answered, Expires: f.clock.at(held.ExpiresAt), Fate: Dropped})
	return held, ""
}

// code is what a refusal says, or its status where it says nothing.
func code(a answer) string {
	if a.Code != "" {
		return a.Code
	}
	return fmt.Sprintf("status %d", a.Status)
}

// fresh renews a token that is about to expire.
func (f *fan) fresh(ctx context.Context) bool {
	return time.Until(f.exp) > time.Second || f.renew(ctx)
}

// giveBack releases a hold.
func (f *fan) giveBack(ctx context.Context, held heldUnits) {
	f.h.End = "gave the hold back"
	f.release(ctx, held)
}

// release gives the fan's last hold back. One that is being paid for stays.
func (f *fan) release(ctx context.Context, held heldUnits) {
	if !f.fresh(ctx) {
		return
	}
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodDelete, path: "/api/v1/holds/" + held.ID, bearer: f.token})
	if a.ok() {
		last := &f.h.Holds[len(f.h.Holds)-1]
		last.Fate, last.Released = Released, a.Answered
	}
}

// orderRequest pays for a hold.
type orderRequest struct {
	Hold   string `json:"hold"`
	Email  string `json:"email"`
	Method string `json:"payment_method"`
}

// buy pays, with a declined card first if that is the errand.
func (f *fan) buy(ctx context.Context, held heldUnits) {
	f.h.Holds[len(f.h.Holds)-1].Fate = Ordered
	methods := []string{"sandbox_ok"}
	switch f.Errand {
	case BuyTwice:
		methods = []string{"sandbox_declined", "sandbox_ok"}
	case BuySlow:
		methods = []string{"sandbox_slow"}
	}
	for _, method := range methods {
		if f.order(ctx, held, method) == Confirmed {
			return
		}
	}
	f.release(ctx, held) // a failed payment would keep it from others for minutes
}

// order asks for an order under a key of its own until it knows what became of
// it, and notes every answer.
func (f *fan) order(ctx context.Context, held heldUnits, method string) Outcome {
	key := fmt.Sprintf("fan-%d-%x", f.h.Fan, f.rng.Uint64())
	f.h.Attempts = append(f.h.Attempts, Attempt{Key: key, Session: f.session().ID, Hold: held.ID, Units: held.Units,
		Amount: held.Total.Amount, Currency: held.Total.Currency, Outcome: Unknown})
	at := &f.h.Attempts[len(f.h.Attempts)-1]
	email := fmt.Sprintf("fan%d@example.org", f.h.Fan)
	ask := request{method: http.MethodPost, path: "/api/v1/orders", key: key, body: orderRequest{held.ID, email, method}}
	if f.Impatient {
		f.ask(ctx, ask, at, time.Duration(1+f.rng.IntN(40))*time.Millisecond)
	}
	for try := 0; try < tries && at.Outcome == Unknown && ctx.Err() == nil; try++ {
		f.ask(ctx, ask, at, patience)
	}
	if at.Outcome == Confirmed && f.Repeats {
		f.ask(ctx, ask, at, patience)
	}
	f.h.End = string(at.Outcome) + " order"
	return at.Outcome
}

// ask sends the order once and notes what its answer says.
func (f *fan) ask(ctx context.Context, ask request, at *Attempt, limit time.Duration) {
	if !f.fresh(ctx) {
		sleep(ctx, 300*time.Millisecond)
		return
	}
	ask.bearer = f.token
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a := f.do(limited, ask)
	at.Last = f.clock.since()
	var o placedOrder
	switch {
	case a.Status == http.StatusCreated && a.decode(&o) == nil && o.State == "paid":
		f.confirmed(at, o, a)
		return
	case at.Outcome == Confirmed: // a repeat whose answer says nothing new
		return
	case a.Status == http.StatusPaymentRequired, a.Status == http.StatusUnprocessableEntity,
		a.Code == "hold-expired", a.Code == "hold-unknown":
		at.Outcome = Refused
		return
	}
	// Lost, limited, still being worked on, or the session is over: what was
	// asked for may still come about.
	sleep(ctx, max(a.RetryAfter, 100*time.Millisecond+time.Duration(f.rng.Int64N(int64(300*time.Millisecond)))))
}

// confirmed notes an order that the fan has in hand.
func (f *fan) confirmed(at *Attempt, o placedOrder, a answer) {
	if at.Outcome != Confirmed {
		at.ConfirmedAt = a.Answered
		if f.Errand != BuySlow { // that one waits for its card
			at.Took = a.Answered - a.Sent
			f.meter.took(spanOrder, at.Took)
		}
		at.Units = at.Units[:0:0]
		for _, t := range o.Tickets {
			at.Units = append(at.Units, t.Unit)
		}
		at.Amount, at.Currency = o.Total.Amount, o.Total.Currency
	}
	at.Outcome = Confirmed
	at.Orders = append(at.Orders, o.ID)
}

// knock tries a token that must not open any more, at every gate there is.
func (f *fan) knock(ctx context.Context, kind string) {
	c := *f.client
	if f.hall.about.SafetyNet { // which takes whoever has no good token on the shop's host for a newcomer
		c.target = f.hall.rooms
	}
	f.h.Probes = append(f.h.Probes, knockAll(ctx, &c, f.hall.plan, kind, f.token)...)
}

// knockAll asks every protected thing with one token.
func knockAll(ctx context.Context, c *client, plan *seating, kind, token string) []Probe {
	asks := []request{
		{method: http.MethodGet, path: "/api/v1/holds"},
		{method: http.MethodPost, path: "/api/v1/holds", body: holdRequest{Performance: plan.ID, Units: []int{plan.units() - 1}}},
		{method: http.MethodPost, path: "/api/v1/orders", key: "probe", body: orderRequest{"01939f4e-7a00-7000-8000-000000000001", "probe@example.org", "sandbox_ok"}},
	}
	var probes []Probe
	for _, core := range []bool{false, true} {
		where := "edge"
		if core {
			where = "core"
			if c.target.now.Load().Core == "" {
				break
			}
		}
		for _, ask := range asks {
			ask.core, ask.bearer = core, token
			a := c.do(ctx, ask)
			probes = append(probes, Probe{Kind: kind, Where: where, What: ask.method + " " + ask.path, Status: a.Status})
		}
	}
	return probes
}
