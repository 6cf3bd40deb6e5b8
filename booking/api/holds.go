package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/returns"
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
	ExpiresAt      time.Time              `json:"expires_at" doc:"of a hold that is being paid for: until when the buyer may confirm at the bank. It stays theirs until it is known what came of that"`
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

type createHold struct {
	Key  string `header:"Idempotency-Key" doc:"the same key with the same body gets the same hold; without one a request that is sent again is answered with hold-exists"`
	Body HoldRequest
}

// id is of the hold that a session's key stands for, and a new one without a key.
// The script that holds units takes the same id for the same request.
func (in *createHold) id(session string) (string, error) {
	if in.Key == "" {
		return booking.NewID()
	}
	if !booking.IsKey(in.Key) {
		return "", booking.ErrKey
	}
	body, err := json.Marshal(in.Body)
	if err != nil {
		return "", err
	}
	return uuid.NewHash(sha256.New(), uuid.Nil, slices.Concat([]byte(session+"\n"+in.Key+"\n"), body), 8).String(), nil
}

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
	if !p.OnSale {
		return nil, catalogue.ErrOffSale
	}
	if _, err := s.shows.Payee(ctx, p.Map); err != nil { // who could not pay holds nothing back from others
		return nil, err
	}
	held, err := s.abuse.Hold(ctx, abuse.Who{Sale: fan.Sale, Place: fan.Place, Address: addressOf(ctx)})
	if err != nil {
		return nil, err
	}
	id, err := in.id(fan.Session)
	if err != nil {
		return nil, err
	}
	parts, err := in.Body.parts(p)
	if err != nil {
		return nil, err
	}
	h, err := s.holds.Claim(ctx, hold.Request{
		ID: id, Performance: p.Map.ID, Sale: fan.Sale, Session: fan.Session, SessionEnds: p.Sale.HoldsEnd(fan.SessionEnds),
		Life: p.Sale.Hold.Duration(), Extensions: p.Sale.HoldExtensions,
		Place: fan.Place, PerPlace: p.Sale.UnitsPerPlace, Others: others(p),
	}, parts...)
	if soldOut := errors.Is(err, hold.ErrSoldOut); s.counter != nil && (err == nil || soldOut) {
		s.counter.Stir(fan.Sale, soldOut)
	}
	if err != nil {
		return nil, err
	}
	held()
	s.finder.Seen(string(p.Map.ID), find.Held)
	s.counts.Hold(p.Map.ID)
	return s.holdAnswer(ctx, h)
}

type holdList struct {
	Body struct {
		Holds []Hold `json:"holds"`
		Next  string `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	}
}

// listHolds has a hold of each performance at most, in the order of their ids.
func (s *server) listHolds(ctx context.Context, in *Page) (*holdList, error) {
	fan, err := s.fanOr(ctx)
	if err != nil {
		return nil, err
	}
	size, err := in.of().Size()
	if err != nil {
		return nil, err
	}
	if _, err := in.of().After(); err != nil {
		return nil, err
	}
	ids, err := s.shows.OnSale(ctx, fan.Sale)
	if err != nil {
		return nil, err
	}
	out := &holdList{}
	out.Body.Holds = []Hold{}
	for _, id := range ids {
		if string(id) <= in.Cursor {
			continue
		}
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
		if len(out.Body.Holds) > size {
			break
		}
	}
	out.Body.Holds, out.Body.Next = booking.Cut(out.Body.Holds, size, func(h Hold) string { return string(h.Performance) })
	return out, nil
}

type holdID struct {
	ID string `path:"id" doc:"of the hold"`
}

// find reads this session's hold of an id, and the performance it is of.
func (s *server) find(ctx context.Context, id string) (hold.Hold, token.Claims, error) {
	fan, err := s.fanOr(ctx)
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

// holdAnswer describes a hold without a coupon, as a new one is. One that is being paid
// for has the deadline that its payment has: how long Redis keeps it at least, which is
// longer, is nothing that its fan could use.
func (s *server) holdAnswer(ctx context.Context, h hold.Hold) (*holdAnswer, error) {
	p, err := s.shows.Performance(ctx, h.Performance)
	if err != nil {
		return nil, err
	}
	lines, total, err := p.Map.Lines(h.Units)
	if err != nil {
		return nil, err
	}
	if by, ok := order.ConfirmBy(h.Attempt); ok && h.State == hold.Paying {
		h.Expires = by.UTC()
	}
	return &holdAnswer{Body: Hold{
		ID: h.ID, Performance: h.Performance, Sale: h.Sale, Units: h.Units, Lines: lines, Total: total,
		ExpiresAt: h.Expires, ExtensionsLeft: h.Extensions, State: h.State,
	}}, nil
}

// fanOr is fan, or who has claimed an offer of a returns list.
func (s *server) fanOr(ctx context.Context) (token.Claims, error) {
	if e, ok := ctx.Value(offered{}).(returns.Entry); ok {
		return s.guest(ctx, e)
	}
	return fan(ctx)
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
