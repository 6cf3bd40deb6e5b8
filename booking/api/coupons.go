package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/internal/qr"
)

func (s *server) routeCoupons() error {
	return all(
		handle(s, "list-coupons", s.listCoupons),
		handle(s, "get-coupon", s.getCoupon),
		handle(s, "list-shops", s.listShops),
		handle(s, "list-products", s.listProducts),
		handle(s, "list-categories", s.listCategories),
		handle(s, "create-bag", s.createBag),
		handle(s, "list-bag", s.listBag),
		handle(s, "claim-coupon", s.claimCoupon),
		handle(s, "take-coupon", s.takeCoupon),
		handle(s, "get-bag-coupon", s.getBagCoupon),
		handle(s, "collect-order", s.collectOrder),
		handle(s, "set-hold-coupon", s.setHoldCoupon),
		handle(s, "remove-hold-coupon", s.removeHoldCoupon),
	)
}

// all is the first of errors.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ErrBagKeyMissing and ErrBagKeyInvalid refuse a request that needs the key of a
// bag.
var (
	ErrBagKeyMissing = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "bag-key-missing", Detail: "Open this with the key of your bag."}
	ErrBagKeyInvalid = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "bag-key-invalid", Detail: "This key does not open a bag."}
)

type bagName struct{} // key of the bag whose key a request carries

// needBag lets who has the key of a bag pass.
func (s *server) needBag(c *fiber.Ctx) error {
	key := ropeline.Bearer(c.Get(fiber.HeaderAuthorization))
	if key == "" {
		return ErrBagKeyMissing
	}
	bag, ok := s.coupons.Keys().Bag(key)
	if !ok {
		return ErrBagKeyInvalid
	}
	c.Locals(bagName{}, bag)
	return c.Next()
}

// bagOf returns the bag that the guard found. Behind another guard it is that of
// nobody, in which nothing is.
func bagOf(ctx context.Context) string {
	bag, _ := ctx.Value(bagName{}).(string)
	return bag
}

// Page asks for a part of a list.
type Page struct {
	Cursor string `query:"cursor" doc:"next of the page before"`
	Limit  int    `query:"limit" doc:"1 to 200; 50 if left out"`
}

func (p Page) of() booking.Page { return booking.Page{Cursor: p.Cursor, Limit: p.Limit} }

// soon lets caches keep what they have for a moment, and show it for a minute more while
// they look anew.
const soon = "max-age=10, stale-while-revalidate=60"

// fresh is an answer that a cache may keep for a moment.
type fresh[Body any] struct {
	Status       int
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         *Body
}

// answerFresh leaves the body out if the caller has it already.
func answerFresh[Body any](have string, body Body) (*fresh[Body], error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	out := &fresh[Body]{Status: http.StatusOK, ETag: tagOf(text), CacheControl: soon, Body: &body}
	if names(have, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

type browse struct {
	Page
	Shop     string `query:"shop"`
	Category string `query:"category"`
	Product  string `query:"product"`

	Performance string `query:"performance" doc:"the drop whose places its copies are; then also what is not given out any more"`
	Have        string `header:"If-None-Match"`
}

// CouponList is a page of coupons.
type CouponList struct {
	Coupons []coupon.Coupon `json:"coupons"`
	Next    string          `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

func (s *server) listCoupons(ctx context.Context, in *browse) (*fresh[CouponList], error) {
	wanted := coupon.Filter{Shop: in.Shop, Category: in.Category, Product: in.Product, Performance: ropeline.PerformanceID(in.Performance)}
	list, next, err := s.coupons.Browse(ctx, wanted, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, CouponList{list, next})
}

type taggedCoupon struct {
	ID   string `path:"id" doc:"of the coupon"`
	Have string `header:"If-None-Match"`
}

func (s *server) getCoupon(ctx context.Context, in *taggedCoupon) (*fresh[coupon.Coupon], error) {
	c, err := s.coupons.Show(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, c)
}

type someShops struct {
	Page
	Have string `header:"If-None-Match"`
}

// ShopList is a page of shops.
type ShopList struct {
	Shops []coupon.Shop `json:"shops"`
	Next  string        `json:"next,omitempty"`
}

func (s *server) listShops(ctx context.Context, in *someShops) (*fresh[ShopList], error) {
	list, next, err := s.coupons.Shops(ctx, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, ShopList{list, next})
}

type someProducts struct {
	Page
	Shop string `path:"shop"`
	Have string `header:"If-None-Match"`
}

// ProductList is a page of a shop's products.
type ProductList struct {
	Products []coupon.Product `json:"products"`
	Next     string           `json:"next,omitempty"`
}

func (s *server) listProducts(ctx context.Context, in *someProducts) (*fresh[ProductList], error) {
	list, next, err := s.coupons.Products(ctx, in.Shop, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, ProductList{list, next})
}

type someCategories struct {
	Page
	Shop string `query:"shop"`
	Have string `header:"If-None-Match"`
}

// CategoryList is a page of categories.
type CategoryList struct {
	Categories []coupon.Category `json:"categories"`
	Next       string            `json:"next,omitempty"`
}

func (s *server) listCategories(ctx context.Context, in *someCategories) (*fresh[CategoryList], error) {
	list, next, err := s.coupons.Categories(ctx, in.Shop, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, CategoryList{list, next})
}

// BagKey is a new bag and what opens it.
type BagKey struct {
	Bag string `json:"bag"`
	Key string `json:"key" doc:"whoever has it has what is in the bag; it is shown once"`
}

type createdBag struct {
	CacheControl string `header:"Cache-Control"`
	Body         BagKey
}

func (s *server) createBag(context.Context, *struct{}) (*createdBag, error) {
	bag, key, err := s.coupons.NewBag()
	return &createdBag{CacheControl: "no-store", Body: BagKey{bag, key}}, err
}

// BagCoupon is a copy as whoever has it sees it.
type BagCoupon struct {
	coupon.Copy
	QR      string         `json:"qr,omitempty" doc:"the code as a QR code, SVG"`
	Bars    string         `json:"bars,omitempty" doc:"the code as a bar code (Code 128), SVG"`
	History []coupon.Entry `json:"history,omitempty"`
}

// BagList is a page of a bag.
type BagList struct {
	Coupons []BagCoupon `json:"coupons"`
	Next    string      `json:"next,omitempty"`
}

type bagList struct{ Body BagList }

func (s *server) listBag(ctx context.Context, in *Page) (*bagList, error) {
	list, next, err := s.coupons.Bag(ctx, bagOf(ctx), in.of())
	if err != nil {
		return nil, err
	}
	coupons, err := bagCoupons(list)
	return &bagList{Body: BagList{coupons, next}}, err
}

func bagCoupons(list []coupon.Copy) ([]BagCoupon, error) {
	coupons := make([]BagCoupon, len(list))
	for i, c := range list {
		coupons[i].Copy = c
		if c.Code == "" {
			continue
		}
		var err error
		if coupons[i].QR, err = qr.SVG(c.Code); err != nil {
			return nil, err
		}
		if coupons[i].Bars, err = qr.Bars(c.Code); err != nil {
			return nil, err
		}
	}
	return coupons, nil
}

type claimCoupon struct {
	ID  string `path:"id" doc:"of the coupon"`
	Key string `header:"Idempotency-Key" doc:"required; the same key gets the same copy"`
}

type gotCoupon struct {
	Status int
	Body   BagCoupon
}

func (s *server) claimCoupon(ctx context.Context, in *claimCoupon) (*gotCoupon, error) {
	c, fresh, err := s.coupons.Claim(ctx, in.ID, bagOf(ctx), in.Key)
	if err != nil {
		return nil, err
	}
	out, err := oneCoupon(c)
	if err == nil && !fresh {
		out.Status = http.StatusOK
	}
	return out, err
}

func oneCoupon(c coupon.Copy) (*gotCoupon, error) {
	list, err := bagCoupons([]coupon.Copy{c})
	if err != nil {
		return nil, err
	}
	return &gotCoupon{Status: http.StatusCreated, Body: list[0]}, nil
}

// Code is a coupon's code, as typed or scanned.
type Code struct {
	Code string `json:"code" maxLength:"64"`
}

type takeCoupon struct {
	Key  string `header:"Idempotency-Key" doc:"required; the same key and code get the same copy"`
	Body Code
}

func (s *server) takeCoupon(ctx context.Context, in *takeCoupon) (*gotCoupon, error) {
	c, err := s.coupons.Take(ctx, bagOf(ctx), in.Key, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return oneCoupon(c)
}

type copyID struct {
	ID     string `path:"id" doc:"of the coupon"`
	Number int    `path:"number" doc:"of the copy"`
}

func (s *server) getBagCoupon(ctx context.Context, in *copyID) (*gotCoupon, error) {
	c, err := s.coupons.Copy(ctx, bagOf(ctx), in.ID, in.Number)
	if err != nil {
		return nil, err
	}
	out, err := oneCoupon(c)
	if err != nil {
		return nil, err
	}
	out.Status = http.StatusOK
	out.Body.History, err = s.coupons.Past(ctx, bagOf(ctx), in.ID, in.Number)
	return out, err
}

// OrderOfCoupons names an order, and what opens it.
type OrderOfCoupons struct {
	Order string `json:"order"`
	Key   string `json:"key" doc:"of the order"`
}

type collectOrder struct{ Body OrderOfCoupons }

// collectOrder puts the coupons that an order bought into a bag.
func (s *server) collectOrder(ctx context.Context, in *collectOrder) (*bagList, error) {
	if !booking.IsID(in.Body.Order) || !s.links.Opens(in.Body.Order, in.Body.Key) {
		return nil, order.ErrUnknown
	}
	o, err := s.orders.Order(ctx, in.Body.Order)
	if err != nil {
		return nil, err
	}
	var bought []coupon.Bought
	for _, t := range o.Tickets {
		bought = append(bought, coupon.Bought{Ticket: t.ID, Tier: t.Tier, Unit: t.Unit})
	}
	list, err := s.coupons.Deliver(ctx, bagOf(ctx), o.Performance, bought)
	if err != nil {
		return nil, err
	}
	coupons, err := bagCoupons(list)
	return &bagList{Body: BagList{Coupons: coupons}}, err
}

type setHoldCoupon struct {
	ID   string `path:"id" doc:"of the hold"`
	Bag  string `header:"Ropeline-Bag" doc:"key of the bag that has the coupon; a shareable one needs none"`
	Body Code
}

func (s *server) setHoldCoupon(ctx context.Context, in *setHoldCoupon) (*holdAnswer, error) {
	bag := ""
	if in.Bag != "" {
		ok := false
		if bag, ok = s.coupons.Keys().Bag(in.Bag); !ok {
			return nil, ErrBagKeyInvalid
		}
	}
	h, total, err := s.unpaid(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := s.coupons.Reserve(ctx, bag, in.Body.Code, h, total); err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

func (s *server) removeHoldCoupon(ctx context.Context, in *holdID) (*holdAnswer, error) {
	h, _, err := s.unpaid(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.coupons.TakeOff(ctx, h); err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

// unpaid reads this session's hold while no payment for it is under way, and
// what it costs without a coupon.
func (s *server) unpaid(ctx context.Context, id string) (hold.Hold, booking.Money, error) {
	h, _, err := s.find(ctx, id)
	if err != nil {
		return h, booking.Money{}, err
	}
	return s.unpaidTotal(ctx, h)
}

func (s *server) unpaidTotal(ctx context.Context, h hold.Hold) (hold.Hold, booking.Money, error) {
	err := h.Over()
	if err == nil && h.State == hold.Paying {
		err = hold.ErrPaying
	}
	if err != nil {
		return h, booking.Money{}, err
	}
	p, err := s.shows.Performance(ctx, h.Performance)
	if err != nil {
		return h, booking.Money{}, err
	}
	_, total, err := p.Map.Lines(h.Units)
	return h, total, err
}

// loweredAnswer describes a hold with the coupon that lowers it, if one does.
func (s *server) loweredAnswer(ctx context.Context, h hold.Hold) (*holdAnswer, error) {
	out, err := s.holdAnswer(ctx, h)
	if err != nil {
		return nil, err
	}
	l, found, err := s.coupons.OfHold(ctx, h.Performance, h.ID, out.Body.Total)
	if !found {
		return out, err
	}
	out.Body.Coupon = &HoldCoupon{Coupon: l.Copy.Coupon.ID, Number: l.Number, Title: l.Copy.Coupon.Title,
		Discount: booking.Money{Amount: l.Discount.Amount, Currency: out.Body.Total.Currency}}
	if err != nil {
		problem, _ := ropeline.ProblemOf(err)
		if problem.Status >= http.StatusInternalServerError {
			return nil, err
		}
		out.Body.Coupon.Problem = problem.Type
		return out, nil
	}
	out.Body.Total.Amount -= l.Discount.Amount
	return out, nil
}
