package api

import (
	"context"
	"strings"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/internal/tenant"
)

func (s *server) routeDesk() error {
	return all(
		handle(s, "list-own-shops", s.listOwnShops),
		handle(s, "put-shop", s.putShop),
		handle(s, "put-product", s.putProduct),
		handle(s, "create-coupon", s.createCoupon),
		handle(s, "list-shop-coupons", s.listShopCoupons),
		handle(s, "get-shop-coupon", s.getShopCoupon),
		handle(s, "publish-coupon", s.publishCoupon),
		handle(s, "withdraw-coupon", s.withdrawCoupon),
		handle(s, "report-coupon", s.reportCoupon),
		handle(s, "list-coupon-queue", s.listCouponQueue),
		handle(s, "list-coupon-history", s.listCouponHistory),
		handle(s, "verify-coupon", s.verifyCoupon),
		handle(s, "redeem-coupon", s.redeemCoupon),
	)
}

// ErrDeskOnly refuses a key of the staff that is for something else.
var ErrDeskOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "vendor-required", Detail: "The desk of a shop is for its vendors, for organizers and for SREs."}

// deskOf returns who sits at the desk of a shop: a vendor of that shop, which is
// the name of their key up to its first dot, an organizer, whose shop it is if there is
// one (the guard has asked), or an SRE.
func deskOf(ctx context.Context, shop string) (string, error) {
	m, ok := ctx.Value(memberKey{}).(member)
	if !ok {
		return "", ropeline.ErrStaffRequired
	}
	if own := m.shop(); own != "" && own != shop {
		return "", coupon.ErrShop
	}
	return m.name, nil
}

// shop is the one that a vendor is of; of others it is empty: they look after several.
func (m member) shop() string {
	if m.is(roleSRE) || m.is(roleOrganizer) {
		return ""
	}
	own, _, _ := strings.Cut(m.name, ".")
	return own
}

// ErrEventNotGiven refuses a vendor who would lower, or sell, the tickets of an event that
// nobody has given to their shop.
var ErrEventNotGiven = &ropeline.Error{Kind: ropeline.Forbidden, Code: "event-not-given",
	Detail: "An SRE, or an organizer whose event it is, says first that this event is one of the shop's: in a product of it."}

// mayLower lets a vendor pass who has to do with an event, or with that of a performance. What
// coupons take off its tickets is its organizer's money, so no vendor says by themselves that
// it is theirs: once an SRE, or that organizer, has said so, in a product, they may.
func (s *server) mayLower(ctx context.Context, shop, event string, performance ropeline.PerformanceID) error {
	m := memberOf(ctx)
	switch {
	case m.is(roleSRE):
		return nil
	case m.is(roleOrganizer) && performance != "":
		return s.mine(ctx, m, "performances", string(performance))
	case m.is(roleOrganizer):
		return s.mine(ctx, m, "events", event)
	}
	has, err := s.coupons.HasEvent(ctx, shop, event, performance)
	if err == nil && !has {
		err = ErrEventNotGiven
	}
	return err
}

// AtShop names a shop in the path. It is exported because huma skips what is not.
type AtShop struct {
	Shop string `path:"shop"`
}

// AtCoupon names a coupon of a shop in the path.
type AtCoupon struct {
	AtShop
	ID string `path:"id" doc:"of the coupon"`
}

// OwnShopList is a page of shops.
type OwnShopList struct {
	Shops []coupon.Shop `json:"shops"`
	Next  string        `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type ownShops struct{ Body OwnShopList }

func (s *server) listOwnShops(ctx context.Context, in *Page) (*ownShops, error) {
	m := memberOf(ctx)
	list, next, err := s.coupons.OwnShops(ctx, m.organization, m.shop(), in.of())
	return &ownShops{Body: OwnShopList{list, next}}, err
}

// ShopRequest names a shop.
type ShopRequest struct {
	Name string `json:"name"`
}

type putShop struct {
	AtShop
	Body ShopRequest
}

type shopAnswer struct{ Body coupon.Shop }

func (s *server) putShop(ctx context.Context, in *putShop) (*shopAnswer, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	shop := coupon.Shop{ID: in.Shop, Name: in.Body.Name}
	ctx = tenant.With(ctx, memberOf(ctx).organization) // whose a new one is
	return &shopAnswer{Body: shop}, s.coupons.PutShop(ctx, shop)
}

// ProductRequest says what a product is.
type ProductRequest struct {
	Name     string `json:"name"`
	Category string `json:"category" doc:"a slug"`
	Event    string `json:"event,omitempty" doc:"the event whose tickets its coupons lower; an SRE or its organizer says so first, for one product of the shop"`
}

type putProduct struct {
	AtShop
	Product string `path:"product"`
	Body    ProductRequest
}

// ProductAnswer is a product as it was written.
type ProductAnswer struct {
	ID string `json:"id"`
	ProductRequest
}

type productAnswer struct{ Body ProductAnswer }

func (s *server) putProduct(ctx context.Context, in *putProduct) (*productAnswer, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	if booking.IsID(in.Body.Event) {
		if err := s.mayLower(ctx, in.Shop, in.Body.Event, ""); err != nil {
			return nil, err
		}
	}
	err := s.coupons.PutProduct(ctx, in.Shop, coupon.Product{ID: in.Product, Name: in.Body.Name, Category: in.Body.Category, Event: in.Body.Event})
	return &productAnswer{Body: ProductAnswer{in.Product, in.Body}}, err
}

type createCoupon struct {
	AtShop
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body makes one coupon"`
	Body coupon.Terms
}

type couponAnswer struct{ Body coupon.Coupon }

func (s *server) createCoupon(ctx context.Context, in *createCoupon) (*couponAnswer, error) {
	who, err := deskOf(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	c, err := s.coupons.Make(ctx, in.Shop, who, in.Key, in.Body)
	return &couponAnswer{Body: c}, err
}

type listShopCoupons struct {
	AtShop
	Page
	State    coupon.State `query:"state" enum:"created,published,expired,withdrawn"`
	Category string       `query:"category"`
	Product  string       `query:"product"`
}

type couponList struct{ Body CouponList }

func (s *server) listShopCoupons(ctx context.Context, in *listShopCoupons) (*couponList, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	list, next, err := s.coupons.Catalog(ctx, coupon.Filter{Shop: in.Shop, Category: in.Category, Product: in.Product, State: in.State}, in.of())
	return &couponList{Body: CouponList{list, next}}, err
}

func (s *server) getShopCoupon(ctx context.Context, in *AtCoupon) (*couponAnswer, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	c, err := s.coupons.OfShop(ctx, in.Shop, in.ID)
	return &couponAnswer{Body: c}, err
}

// PublishRequest says where a coupon is sold, if it is.
type PublishRequest struct {
	Performance ropeline.PerformanceID `json:"performance,omitempty"`
	Tier        string                 `json:"tier,omitempty" doc:"of the performance, with as many places as the coupon has copies, at its price"`
}

type publishCoupon struct {
	AtCoupon
	Body PublishRequest
}

func (s *server) publishCoupon(ctx context.Context, in *publishCoupon) (*couponAnswer, error) {
	who, err := deskOf(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	var tier *coupon.Tier
	if in.Body != (PublishRequest{}) {
		p, err := s.shows.Performance(ctx, in.Body.Performance)
		if err != nil {
			return nil, err
		}
		t, ok := p.Map.Tier(in.Body.Tier)
		if !ok {
			return nil, catalogue.ErrUnitsUnknown
		}
		if err := s.mayLower(ctx, in.Shop, "", p.Map.ID); err != nil {
			return nil, err
		}
		tier = &coupon.Tier{Performance: p.Map.ID, Tier: t}
	}
	c, err := s.coupons.Publish(ctx, in.Shop, in.ID, who, tier)
	return &couponAnswer{Body: c}, err
}

// WithdrawRequest says why.
type WithdrawRequest struct {
	Reason string `json:"reason"`
}

type withdrawCoupon struct {
	AtCoupon
	Body WithdrawRequest
}

func (s *server) withdrawCoupon(ctx context.Context, in *withdrawCoupon) (*couponAnswer, error) {
	who, err := deskOf(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	c, err := s.coupons.Withdraw(ctx, in.Shop, in.ID, who, in.Body.Reason)
	return &couponAnswer{Body: c}, err
}

type reportAnswer struct{ Body coupon.Report }

func (s *server) reportCoupon(ctx context.Context, in *AtCoupon) (*reportAnswer, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	r, err := s.coupons.Report(ctx, in.Shop, in.ID)
	return &reportAnswer{Body: r}, err
}

type listCouponQueue struct {
	AtCoupon
	Page
	State coupon.State `path:"state" enum:"created,published,claimed,reserved,redeemed,expired,withdrawn"`
}

// QueueList is a page of the copies in a state.
type QueueList struct {
	Copies []coupon.Standing `json:"copies"`
	Next   string            `json:"next,omitempty"`
}

type queueList struct{ Body QueueList }

func (s *server) listCouponQueue(ctx context.Context, in *listCouponQueue) (*queueList, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	list, next, err := s.coupons.Queue(ctx, in.Shop, in.ID, in.State, in.of())
	return &queueList{Body: QueueList{list, next}}, err
}

type listCouponHistory struct {
	AtCoupon
	Page
	Number int `query:"number" minimum:"1" doc:"of a copy; left out: of all"`
}

// HistoryList is a page of history.
type HistoryList struct {
	History []coupon.Entry `json:"history"`
	Next    string         `json:"next,omitempty"`
}

type historyList struct{ Body HistoryList }

func (s *server) listCouponHistory(ctx context.Context, in *listCouponHistory) (*historyList, error) {
	if _, err := deskOf(ctx, in.Shop); err != nil {
		return nil, err
	}
	list, next, err := s.coupons.History(ctx, in.Shop, in.ID, in.Number, in.of())
	return &historyList{Body: HistoryList{list, next}}, err
}

type verifyCoupon struct {
	AtShop
	Body Code
}

type copyAnswer struct{ Body coupon.Copy }

// verifyCoupon looks at a code and changes nothing.
func (s *server) verifyCoupon(ctx context.Context, in *verifyCoupon) (*copyAnswer, error) {
	who, err := deskOf(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	c, err := s.coupons.Verify(ctx, in.Shop, who, in.Body.Code)
	return &copyAnswer{Body: c}, err
}

// Spending is what somebody pays for with a coupon at a shop's till.
type Spending struct {
	Code  string        `json:"code" maxLength:"64"`
	Total booking.Money `json:"total" doc:"before the discount"`
}

type redeemCoupon struct {
	AtShop
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body uses one copy"`
	Body Spending
}

// Spent is a copy that was used at a till.
type Spent struct {
	Coupon   coupon.Copy   `json:"coupon"`
	Discount booking.Money `json:"discount"`
	ToPay    booking.Money `json:"to_pay"`
}

type spentAnswer struct{ Body Spent }

func (s *server) redeemCoupon(ctx context.Context, in *redeemCoupon) (*spentAnswer, error) {
	who, err := deskOf(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	l, err := s.coupons.Spend(ctx, in.Shop, who, in.Key, in.Body.Code, in.Body.Total)
	if err != nil {
		return nil, err
	}
	toPay := booking.Money{Amount: in.Body.Total.Amount - l.Discount.Amount, Currency: l.Discount.Currency}
	return &spentAnswer{Body: Spent{l.Copy, l.Discount, toPay}}, nil
}
