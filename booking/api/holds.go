package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
)

// What can be wrong with the wish for a hold.
var (
	ErrWrongSale       = &ropeline.Error{Kind: ropeline.Forbidden, Code: "wrong-sale", Detail: "Your admission is for another sale."}
	ErrTooManyUnits    = &ropeline.Error{Kind: ropeline.Invalid, Code: "too-many-units", Detail: "That is more than one person may hold."}
	ErrQuantityInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "quantity-invalid", Detail: "Name the places you want, each once, or a tier and how many: at least one."}
)

func (s *server) routeHolds() error {
	if err := handle(s, "create-hold", s.createHold); err != nil {
		return err
	}
	if err := handle(s, "list-holds", s.listHolds); err != nil {
		return err
	}
	if err := handle(s, "get-hold", s.getHold); err != nil {
		return err
	}
	if err := handle(s, "release-hold", s.releaseHold); err != nil {
		return err
	}
	return handle(s, "extend-hold", s.extendHold)
}

// Hold is a hold as its fan sees it.
type Hold struct {
	ID             string                 `json:"id"`
	Performance    ropeline.PerformanceID `json:"performance"`
	Sale           ropeline.SaleID        `json:"sale"`
	Units          []int                  `json:"units"`
	Lines          []catalogue.Line       `json:"lines"`
	Total          booking.Money          `json:"total" doc:"what is to pay"`
	Coupon         *HoldCoupon            `json:"coupon,omitempty"`
	ExpiresAt      time.Time              `json:"expires_at"`
	ExtensionsLeft int                    `json:"extensions_left"`
	State          hold.State             `json:"state" enum:"held,paying"`
}

// HoldCoupon is the coupon that lowers a hold. One that has come to its end
// takes nothing off, and has to be taken off before the hold is paid for.
type HoldCoupon struct {
	Coupon   string        `json:"coupon"`
	Number   int           `json:"number"`
	Title    string        `json:"title"`
	Discount booking.Money `json:"discount"`
	Problem  string        `json:"problem,omitempty" doc:"type of the problem that paying would be answered with"`
}

type holdAnswer struct{ Body Hold }

// HoldRequest names units, or a tier and how many of it.
type HoldRequest struct {
	Performance string `json:"performance"`
	Units       []int  `json:"units,omitempty" nullable:"false" doc:"exactly these, or nothing"`
	Tier        string `json:"tier,omitempty" doc:"neighbors of a seated tier, any places of a general one"`
	Quantity    int    `json:"quantity,omitempty" doc:"how many of the tier"`
}

type createHold struct{ Body HoldRequest }

func (s *server) createHold(ctx context.Context, in *createHold) (*holdAnswer, error) {
	fan, err := fan(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.Body.Performance))
	if err != nil {
		return nil, err
	}
	if p.Sale.ID != fan.Sale {
		return nil, ErrWrongSale
	}
	if !s.keeper.Built(p.Map.ID) {
		return nil, inventory.ErrNotReady
	}
	id, err := booking.NewID()
	if err != nil {
		return nil, err
	}
	h, err := s.claim(ctx, p, in.Body, hold.Request{
		ID: id, Performance: p.Map.ID, Sale: fan.Sale, Session: fan.Session, SessionEnds: p.Sale.HoldsEnd(fan.SessionEnds),
		Life: p.Sale.Hold.Duration(), Extensions: p.Sale.HoldExtensions,
	})
	if soldOut := errors.Is(err, hold.ErrSoldOut); s.counter != nil && (err == nil || soldOut) {
		s.counter.Stir(fan.Sale, soldOut)
	}
	if err != nil {
		return nil, err
	}
	return s.holdAnswer(ctx, h)
}

// claim checks what is wanted against the map and the sale and claims it.
func (s *server) claim(ctx context.Context, p catalogue.Performance, want HoldRequest, r hold.Request) (hold.Hold, error) {
	byUnit := want.Units != nil
	if byUnit == (want.Tier != "" || want.Quantity != 0) { // both or neither
		return hold.Hold{}, ErrQuantityInvalid
	}
	n := want.Quantity
	if byUnit {
		n = len(want.Units)
	}
	if n < 1 {
		return hold.Hold{}, ErrQuantityInvalid
	}
	if n > p.Sale.UnitsPerHold {
		e := *ErrTooManyUnits
		e.Detail = fmt.Sprintf("One person may hold %d places at most.", p.Sale.UnitsPerHold)
		return hold.Hold{}, &e
	}
	if byUnit {
		units := slices.Sorted(slices.Values(want.Units))
		if len(slices.Compact(slices.Clone(units))) != n {
			return hold.Hold{}, ErrQuantityInvalid
		}
		if _, _, err := p.Map.Lines(units); err != nil {
			return hold.Hold{}, err
		}
		return s.holds.Units(ctx, r, units)
	}
	tier, ok := p.Map.Tier(want.Tier)
	if !ok {
		return hold.Hold{}, catalogue.ErrUnitsUnknown
	}
	if tier.Kind == catalogue.Seated {
		return s.holds.Run(ctx, r, n, p.Map.BestRows(tier.ID))
	}
	return s.holds.Any(ctx, r, n, catalogue.Range{First: tier.First, Count: tier.Count})
}

type holdList struct {
	Body struct {
		Holds []Hold `json:"holds"`
	}
}

func (s *server) listHolds(ctx context.Context, _ *struct{}) (*holdList, error) {
	fan, err := fan(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.shows.OnSale(ctx, fan.Sale)
	if err != nil {
		return nil, err
	}
	out := &holdList{}
	out.Body.Holds = []Hold{}
	for _, id := range ids {
		h, found, err := s.holds.Of(ctx, id, fan.Session)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		a, err := s.loweredAnswer(ctx, h)
		if err != nil {
			return nil, err
		}
		out.Body.Holds = append(out.Body.Holds, a.Body)
	}
	return out, nil
}

type holdID struct {
	ID string `path:"id" doc:"of the hold"`
}

// find reads this session's hold of an id, and the performance it is of.
func (s *server) find(ctx context.Context, id string) (hold.Hold, token.Claims, error) {
	fan, err := fan(ctx)
	if err != nil {
		return hold.Hold{}, fan, err
	}
	if !booking.IsID(id) {
		return hold.Hold{}, fan, hold.ErrUnknown
	}
	ids, err := s.shows.OnSale(ctx, fan.Sale)
	if err != nil {
		return hold.Hold{}, fan, err
	}
	h, err := s.holds.Find(ctx, ids, id, fan.Session)
	return h, fan, err
}

func (s *server) getHold(ctx context.Context, in *holdID) (*holdAnswer, error) {
	h, _, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := h.Over(); err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

func (s *server) releaseHold(ctx context.Context, in *holdID) (*struct{}, error) {
	h, fan, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.holds.Release(ctx, h.Performance, h.ID, fan.Session); err != nil {
		return nil, err
	}
	if err := s.coupons.TakeOff(ctx, h); err != nil { // the sweeper does it later
		s.log.Warn("a coupon stays reserved for a while", "hold", h.ID, "err", err)
	}
	return nil, nil
}

func (s *server) extendHold(ctx context.Context, in *holdID) (*holdAnswer, error) {
	h, fan, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.shows.Performance(ctx, h.Performance)
	if err != nil {
		return nil, err
	}
	h, err = s.holds.Extend(ctx, h.Performance, h.ID, fan.Session, p.Sale.Hold.Duration())
	if err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

// holdAnswer describes a hold without a coupon, as a new one is.
func (s *server) holdAnswer(ctx context.Context, h hold.Hold) (*holdAnswer, error) {
	p, err := s.shows.Performance(ctx, h.Performance)
	if err != nil {
		return nil, err
	}
	lines, total, err := p.Map.Lines(h.Units)
	if err != nil {
		return nil, err
	}
	return &holdAnswer{Body: Hold{
		ID: h.ID, Performance: h.Performance, Sale: h.Sale, Units: h.Units, Lines: lines, Total: total,
		ExpiresAt: h.Expires, ExtensionsLeft: h.Extensions, State: h.State,
	}}, nil
}

// fan returns whose request this is. The guard has checked the token; a
// handler of a route without that guard gets an error, not a zero fan.
func fan(ctx context.Context) (token.Claims, error) {
	claims, ok := fibergate.Claims(ctx)
	if !ok {
		return token.Claims{}, token.ErrMissing
	}
	return claims, nil
}
