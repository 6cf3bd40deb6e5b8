package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
)

func (s *server) routeCounter() error {
	return all(
		handle(s, "show-counter", s.showCounter),
		handle(s, "create-counter-hold", s.createCounterHold),
		handle(s, "get-counter-hold", s.getCounterHold),
		handle(s, "release-counter-hold", s.releaseCounterHold),
		handle(s, "set-counter-hold-coupon", s.setCounterHoldCoupon),
		handle(s, "remove-counter-hold-coupon", s.removeCounterHoldCoupon),
		handle(s, "sell-at-counter", s.sellAtCounter),
		handle(s, "get-takings", s.getTakings),
		handle(s, "get-counter-order", s.getCounterOrder),
		handle(s, "get-counter-receipt", s.getCounterReceipt),
		handle(s, "cancel-at-counter", s.cancelAtCounter),
	)
}

// ErrBoxOfficeOnly refuses a key of the staff that is for something else.
var ErrBoxOfficeOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "box-office-required", Detail: "The counter is for the box office and for SREs."}

// CounterReserve is what a reserve keeps that the counter may sell.
type CounterReserve struct {
	Name  string         `json:"name"`
	Kind  string         `json:"kind" enum:"guests,production,boxoffice"`
	Tiers []CounterKeeps `json:"tiers" nullable:"false"`
}

// CounterKeeps counts those of a tier.
type CounterKeeps struct {
	Tier  string `json:"tier"`
	Units int    `json:"units" doc:"that are not sold; the counter may hold some"`
}

type shownCounter struct {
	Body struct {
		Who      string           `json:"who" doc:"staff: and a name, as in the ledger"`
		Reserves []CounterReserve `json:"reserves" nullable:"false"`
	}
}

func (s *server) showCounter(ctx context.Context, in *performanceID) (*shownCounter, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	all, err := s.shows.Sellable(ctx, p.Map.ID)
	if err != nil {
		return nil, err
	}
	out := &shownCounter{}
	out.Body.Who, out.Body.Reserves = by(ctx), []CounterReserve{}
	for _, r := range all {
		kept, err := s.keptFor(ctx, p, r.Ranges)
		if err != nil {
			return nil, err
		}
		out.Body.Reserves = append(out.Body.Reserves, CounterReserve{r.Name, r.Kind, kept})
	}
	return out, nil
}

// keptFor counts what is not sold of some ranges, by tier.
func (s *server) keptFor(ctx context.Context, p catalogue.Performance, of []catalogue.Range) ([]CounterKeeps, error) {
	kept := []CounterKeeps{}
	for _, t := range p.Map.Tiers {
		var spans []inventory.Span
		for _, r := range among(of, t) {
			spans = append(spans, inventory.Span{First: r.First, Count: r.Count})
		}
		if len(spans) == 0 {
			continue
		}
		n, err := s.inventory.Count(ctx, p.Map.ID, spans)
		if err != nil {
			return nil, err
		}
		units := 0
		for i := range spans {
			units += spans[i].Count - int(n.Sold[i])
		}
		kept = append(kept, CounterKeeps{t.ID, units})
	}
	return kept, nil
}

// among are the parts of ranges that are a tier's.
func among(of []catalogue.Range, t catalogue.Tier) (parts []catalogue.Range) {
	for _, o := range of {
		first, end := max(o.First, t.First), min(o.First+o.Count, t.First+t.Count)
		if first < end {
			parts = append(parts, catalogue.Range{First: first, Count: end - first})
		}
	}
	return parts
}

// CounterHoldRequest names units, tiers and how many of each, or both.
type CounterHoldRequest struct {
	Units []int       `json:"units,omitempty" nullable:"false" doc:"exactly these"`
	Tiers []TierCount `json:"tiers,omitempty" nullable:"false" doc:"and so many of each of these tiers"`

	Reserve string `json:"reserve,omitempty" doc:"all of them from this reserve, for the box office, guests or the production; of a tier its lowest numbers"`
}

// counterParts are those of the reserve, or of what is on sale.
func (s *server) counterParts(ctx context.Context, w CounterHoldRequest, p catalogue.Performance) ([]hold.Part, error) {
	parts, err := HoldRequest{Units: w.Units, Tiers: w.Tiers}.parts(p)
	if err != nil || w.Reserve == "" {
		return parts, err
	}
	all, err := s.shows.Sellable(ctx, p.Map.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(r catalogue.Reserve) bool { return r.Name == w.Reserve })
	if i < 0 {
		return nil, catalogue.ErrReserveUnknown
	}
	of := all[i].Ranges
	within := func(r catalogue.Range) bool {
		return slices.ContainsFunc(of, func(o catalogue.Range) bool { return r.First >= o.First && r.First+r.Count <= o.First+o.Count })
	}
	parts = nil
	if len(w.Units) > 0 {
		var picked []catalogue.Range
		for _, u := range w.Units {
			if picked = append(picked, catalogue.Range{First: u, Count: 1}); !within(picked[len(picked)-1]) {
				return nil, hold.ErrUnitsTaken
			}
		}
		parts = append(parts, hold.Kept(len(picked), picked))
	}
	for _, t := range w.Tiers {
		tier, _ := p.Map.Tier(t.Tier)
		parts = append(parts, hold.Kept(t.Quantity, among(of, tier)))
	}
	return parts, nil
}

// fits reports whether a hold is what was asked for: its key may have been used for
// something else.
func (w CounterHoldRequest) fits(p catalogue.Performance, h hold.Hold) bool {
	want, have := map[string]int{}, map[string]int{}
	for _, t := range w.Tiers {
		want[t.Tier] += t.Quantity
	}
	for _, u := range w.Units {
		if !slices.Contains(h.Units, u) {
			return false
		}
		t, _ := p.Map.TierOf(u)
		want[t.ID]++
	}
	for _, u := range h.Units {
		t, _ := p.Map.TierOf(u)
		have[t.ID]++
	}
	for tier, n := range have {
		if want[tier] != n {
			return false
		}
	}
	return len(have) == len(want)
}

type createCounterHold struct {
	ID   string `path:"id" doc:"of the performance"`
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body is the same hold"`
	Body CounterHoldRequest
}

// createCounterHold is not bound by how many one person may have, nor by the line:
// units are marked in the same place as everybody's, so none is held twice.
func (s *server) createCounterHold(ctx context.Context, in *createCounterHold) (*holdAnswer, error) {
	if !booking.IsKey(in.Key) {
		return nil, order.ErrKeyMissing
	}
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	if !s.keeper.Built(p.Map.ID) {
		return nil, inventory.ErrNotReady
	}
	if !p.OnSale {
		return nil, catalogue.ErrOffSale
	}
	p.Sale.UnitsPerHold = ropeline.MaxUnitsPerHold
	parts, err := s.counterParts(ctx, in.Body, p)
	if err != nil {
		return nil, err
	}
	// By its id a repeat finds the hold, and by its session so does everybody at the counter.
	id := uuid.NewSHA1(uuid.MustParse(string(p.Map.ID)), []byte(by(ctx)+"\x00"+in.Key)).String()
	life := p.Sale.Hold.Duration()
	h, err := s.holds.Keeping(nil).Claim(ctx, hold.Request{ID: id, Performance: p.Map.ID, Sale: p.Sale.ID,
		Session: order.CounterSession(id), SessionEnds: s.now().Add(life + order.Grace), Life: life}, parts...)
	if soldOut := errors.Is(err, hold.ErrSoldOut); s.counter != nil && (err == nil || soldOut) {
		s.counter.Stir(p.Sale.ID, soldOut)
	}
	if err != nil {
		return nil, err
	}
	if !in.Body.fits(p, h) {
		return nil, order.ErrKeyReused
	}
	return s.loweredAnswer(ctx, h)
}

type counterHold struct {
	ID   string `path:"id" doc:"of the performance"`
	Hold string `path:"hold"`
}

func (s *server) getCounterHold(ctx context.Context, in *counterHold) (*holdAnswer, error) {
	h, err := s.atCounter(ctx, in)
	if err == nil {
		err = h.Over()
	}
	if err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

func (s *server) atCounter(ctx context.Context, in *counterHold) (hold.Hold, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return hold.Hold{}, err
	}
	if !booking.IsID(in.Hold) {
		return hold.Hold{}, hold.ErrUnknown
	}
	return s.holds.Get(ctx, p.Map.ID, in.Hold, order.CounterSession(in.Hold))
}

func (s *server) releaseCounterHold(ctx context.Context, in *counterHold) (*struct{}, error) {
	h, err := s.atCounter(ctx, in)
	if err != nil {
		return nil, err
	}
	return nil, s.holds.Keeping(nil).Release(ctx, h.Performance, h.ID, h.Session)
}

type setCounterHoldCoupon struct {
	ID   string `path:"id" doc:"of the performance"`
	Hold string `path:"hold"`
	Body Code
}

// setCounterHoldCoupon takes a code that is typed or scanned: who shows it has it.
func (s *server) setCounterHoldCoupon(ctx context.Context, in *setCounterHoldCoupon) (*holdAnswer, error) {
	h, total, err := s.unsoldAtCounter(ctx, &counterHold{in.ID, in.Hold})
	if err != nil {
		return nil, err
	}
	if _, err := s.coupons.ReserveAtCounter(ctx, by(ctx), in.Body.Code, h, total); err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

func (s *server) removeCounterHoldCoupon(ctx context.Context, in *counterHold) (*holdAnswer, error) {
	h, _, err := s.unsoldAtCounter(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.coupons.TakeOff(ctx, h); err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

func (s *server) unsoldAtCounter(ctx context.Context, in *counterHold) (hold.Hold, booking.Money, error) {
	h, err := s.atCounter(ctx, in)
	if err != nil {
		return h, booking.Money{}, err
	}
	return s.unpaidTotal(ctx, h)
}

// CounterOrderRequest says how a hold of the counter is paid.
type CounterOrderRequest struct {
	Hold   string         `json:"hold"`
	Tender order.Tender   `json:"tender" enum:"cash,terminal,complimentary" doc:"terminal is a card terminal of the box office's: it is written down, nothing is charged"`
	Email  string         `json:"email,omitempty" doc:"of the buyer, if they want to be told"`
	Total  *booking.Money `json:"total,omitempty" doc:"what the buyer was told: if it is another by now nothing is sold (price-changed)"`
}

type sellAtCounter struct {
	ID   string `path:"id" doc:"of the performance"`
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body gets the same answer"`
	Body CounterOrderRequest
}

type counterOrder struct{ Body Order }

func (s *server) sellAtCounter(ctx context.Context, in *sellAtCounter) (*counterOrder, error) {
	sale := order.CounterSale{Performance: ropeline.PerformanceID(in.ID), Hold: in.Body.Hold, Key: in.Key,
		Tender: in.Body.Tender, Email: in.Body.Email, Who: by(ctx)}
	if in.Body.Total != nil {
		sale.Total = *in.Body.Total
	}
	o, err := s.desk.Sell(ctx, sale)
	if err != nil {
		return nil, err
	}
	body, err := orderAnswer(o)
	body.Key = s.links.Key(o.ID)
	return &counterOrder{Body: body}, err
}

// soldAtCounter reads an order of the counter's: those of others are none of its
// business.
func (s *server) soldAtCounter(ctx context.Context, id string) (order.Order, error) {
	if !booking.IsID(id) {
		return order.Order{}, order.ErrUnknown
	}
	o, err := s.orders.Order(ctx, id)
	if err == nil && o.Tender == "" {
		err = order.ErrUnknown
	}
	return o, err
}

func (s *server) getCounterOrder(ctx context.Context, in *orderID) (*counterOrder, error) {
	o, err := s.soldAtCounter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body, err := orderAnswer(o)
	return &counterOrder{Body: body}, err
}

func (s *server) getCounterReceipt(ctx context.Context, in *orderID) (*gotReceipt, error) {
	if _, err := s.soldAtCounter(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.receipt(ctx, in.ID)
}

// CounterCancelRequest says which tickets to cancel, why, and how the money goes back.
type CounterCancelRequest struct {
	Tickets []string     `json:"tickets,omitempty" maxItems:"100" doc:"their ids; left out: all of the order"`
	Reason  string       `json:"reason" doc:"1 to 200 characters; no personal data"`
	Full    bool         `json:"full,omitempty" doc:"all that was paid goes back, whatever the rules keep"`
	Tender  order.Tender `json:"tender,omitempty" enum:"cash,terminal" doc:"how it goes back; cash if left out"`
}

type cancelAtCounter struct {
	ID   string `path:"id" doc:"of the order"`
	Body CounterCancelRequest
}

func (s *server) cancelAtCounter(ctx context.Context, in *cancelAtCounter) (*gotReceipt, error) {
	if err := checkStaff(in.ID, in.Body.Reason); err != nil {
		return nil, err
	}
	tender := in.Body.Tender
	if tender == "" {
		tender = order.Cash
	}
	_, err := s.desk.Cancel(ctx, order.Cancel{Order: in.ID, Tickets: in.Body.Tickets, Who: by(ctx), Reason: strings.TrimSpace(in.Body.Reason), Full: in.Body.Full, Tender: tender})
	if err != nil {
		return nil, err
	}
	return s.receipt(ctx, in.ID)
}

type performanceID struct {
	ID string `path:"id" doc:"of the performance"`
}

type takings struct {
	ID   string    `path:"id" doc:"of the performance"`
	From time.Time `query:"from" doc:"left out: from the beginning"`
	To   time.Time `query:"to" doc:"until before then; left out: until now"`
}

type gotTakings struct {
	Body struct {
		Performance ropeline.PerformanceID `json:"performance"`
		Takings     []order.Takings        `json:"takings" doc:"one for each who, tender and currency; none if nothing was sold"`
	}
}

func (s *server) getTakings(ctx context.Context, in *takings) (*gotTakings, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	to := in.To
	if to.IsZero() {
		to = s.now().Add(time.Hour) // the clock of Postgres may be before ours
	}
	out := &gotTakings{}
	out.Body.Performance = p.Map.ID
	out.Body.Takings, err = s.orders.Takings(ctx, p.Map.ID, in.From, to)
	return out, err
}
