package coupon

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// State names the queue that a copy stands in.
type State string

// The states of a copy. Redeemed, Expired and Withdrawn are final, but for an
// order that is canceled: it gives its copy back.
const (
	Created   State = "created"   // made, shown to nobody
	Published State = "published" // to be claimed
	Claimed   State = "claimed"   // in somebody's bag
	Reserved  State = "reserved"  // for an order that is about to be paid
	Redeemed  State = "redeemed"
	Expired   State = "expired"
	Withdrawn State = "withdrawn" // by its shop
)

// States lists them in the order in which a copy goes through them.
var States = []State{Created, Published, Claimed, Reserved, Redeemed, Expired, Withdrawn}

// Terms are what a coupon is worth, to whom and how long. Amounts are in minor
// units of the currency.
type Terms struct {
	Product      string    `json:"product" doc:"id of the shop's product that it is for"`
	Title        string    `json:"title"`
	Percent      int64     `json:"percent,omitempty" doc:"so many percent off, rounded down to a whole minor unit; or amount"`
	Amount       int64     `json:"amount,omitempty" doc:"so much off; or percent"`
	AtMost       int64     `json:"at_most,omitempty" doc:"never more than this off"`
	Currency     string    `json:"currency" doc:"ISO 4217"`
	Price        int64     `json:"price,omitempty" doc:"what a copy costs; 0 is free. What costs something is sold in a drop"`
	MinSpend     int64     `json:"min_spend,omitempty" doc:"of an order, before the discount"`
	Shareable    bool      `json:"shareable,omitempty" doc:"whoever has the code may use it; else only the bag that has the coupon"`
	Stock        int       `json:"stock" doc:"how many copies there are"`
	PerPerson    int       `json:"per_person" doc:"how many copies one bag may get"`
	PublishFrom  time.Time `json:"publish_from" doc:"shown and claimed from then on, once it is published"`
	PublishUntil time.Time `json:"publish_until"`
	ExpiresAt    time.Time `json:"expires_at" doc:"of no use from then on"`
	UseWithin    int64     `json:"use_within,omitempty" doc:"seconds after its claim, if that is earlier than expires_at"`
}

// Coupon is what a shop offers.
type Coupon struct {
	ID string `json:"id"`
	Terms
	Shop        string    `json:"shop"`
	ShopName    string    `json:"shop_name"`
	ProductName string    `json:"product_name"`
	Category    string    `json:"category"`
	Event       string    `json:"event,omitempty" doc:"whose tickets it lowers; if there is none, it is for the shop's till"`
	State       State     `json:"state" enum:"created,published,expired,withdrawn"`
	Left        *int      `json:"left,omitempty" doc:"copies to be claimed; 1000 is so many or more"`
	Drop        *Drop     `json:"drop,omitempty" doc:"the tier whose units its copies are"`
	CreatedAt   time.Time `json:"created_at"`
}

// Drop is where a coupon is sold: copy n is unit First + n - 1 of a tier.
type Drop struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Tier        string                 `json:"tier"`
	First       int                    `json:"first"`
}

// Copy is one piece of a coupon.
type Copy struct {
	Coupon    Coupon    `json:"coupon"`
	Number    int       `json:"number"`
	State     State     `json:"state" enum:"claimed,reserved,redeemed,expired,withdrawn"`
	Since     time.Time `json:"since"`
	ExpiresAt time.Time `json:"expires_at"`
	Code      string    `json:"code,omitempty" doc:"only while it can be used"`

	Bag      string `json:"-"`
	Order    string `json:"-"`
	Hold     string `json:"-"`
	Discount int64  `json:"-"` // given, once it is redeemed
}

// What can be wrong with coupons.
var (
	ErrUnknown     = &ropeline.Error{Kind: ropeline.NotFound, Code: "coupon-unknown", Detail: "There is no such coupon, or it is not yours."}
	ErrInvalid     = &ropeline.Error{Kind: ropeline.Invalid, Code: "coupon-invalid"}
	ErrNone        = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-none-left", Detail: "All of these coupons are taken."}
	ErrLimit       = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-limit", Detail: "You have had as many of these coupons as one person may."}
	ErrOver        = &ropeline.Error{Kind: ropeline.Gone, Code: "coupon-over", Detail: "This coupon is not given out any more."}
	ErrSold        = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-sold", Detail: "This coupon is given out in a sale: hold a place of its tier there."}
	ErrExpired     = &ropeline.Error{Kind: ropeline.Gone, Code: "coupon-expired", Detail: "This coupon has expired."}
	ErrWithdrawn   = &ropeline.Error{Kind: ropeline.Gone, Code: "coupon-withdrawn", Detail: "The shop has withdrawn this coupon."}
	ErrUsed        = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-used", Detail: "This coupon was used already."}
	ErrReserved    = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-reserved", Detail: "This coupon is being used for another order."}
	ErrOne         = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-one", Detail: "An order takes one coupon. Take the other one off first."}
	ErrElsewhere   = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-elsewhere", Detail: "This coupon is not for what you are buying."}
	ErrMinimum     = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-minimum", Detail: "This order is too small for the coupon."}
	ErrNoTicket    = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-no-ticket", Detail: "The ticket by which this coupon was bought is not valid any more."}
	ErrGuesses     = &ropeline.Error{Kind: ropeline.Limited, Code: "coupon-guesses", Detail: "Too many wrong codes. Please wait."}
	ErrShop        = &ropeline.Error{Kind: ropeline.NotFound, Code: "shop-unknown", Detail: "There is no such shop, or it is not yours."}
	ErrProduct     = &ropeline.Error{Kind: ropeline.NotFound, Code: "product-unknown", Detail: "The shop has no such product."}
	ErrState       = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-state", Detail: "The coupon is not in a state for that."}
	ErrTier        = &ropeline.Error{Kind: ropeline.Invalid, Code: "coupon-tier"}
	ErrNothingHere = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-no-order", Detail: "The order has no coupons, or they are not paid yet."}
	ErrCollected   = &ropeline.Error{Kind: ropeline.Conflict, Code: "coupon-collected", Detail: "The coupons of this order are in another bag already."}
)

// over is the error of a copy that cannot be used, by its state; nil while it can.
func over(s State) error {
	switch s {
	case Redeemed:
		return ErrUsed
	case Expired:
		return ErrExpired
	case Withdrawn:
		return ErrWithdrawn
	case Reserved:
		return ErrReserved
	case Created, Published: // nobody's
		return ErrUnknown
	}
	return nil
}

const (
	// MaxAmount bounds every amount, so that no sum can overflow: a discount is
	// no larger, and a coupon has at most MaxStock copies.
	MaxAmount    = 1_000_000_000_000
	MaxStock     = 100_000 // as many as a drop has units
	maxPerPerson = 100
	maxText      = 200
	maxUseWithin = 10 * 366 * 24 * 3600
)

var (
	slugShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

	currencyShape = regexp.MustCompile(`^[A-Z]{3}$`)
)

func invalid(format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...) + "."
	return &e
}

// validate names the first member that cannot be.
func (t Terms) validate() error {
	amounts := []struct {
		name        string
		value, from int64
	}{{"amount", t.Amount, 0}, {"at_most", t.AtMost, 0}, {"price", t.Price, 0}, {"min_spend", t.MinSpend, 0}}
	for _, a := range amounts {
		if a.value < a.from || a.value > MaxAmount {
			return invalid("%s must lie between %d and %d", a.name, a.from, int64(MaxAmount))
		}
	}
	switch {
	case !slugShape.MatchString(t.Product):
		return ErrProduct
	case !plain(t.Title):
		return invalid("title must have 1 to %d characters that can be printed", maxText)
	case (t.Percent == 0) == (t.Amount == 0):
		return invalid("there must be either percent or amount")
	case t.Percent < 0 || t.Percent > 100:
		return invalid("percent must lie between 1 and 100")
	case !currencyShape.MatchString(t.Currency):
		return invalid("currency must be three capital letters, as EUR")
	case t.Stock < 1 || t.Stock > MaxStock:
		return invalid("stock must lie between 1 and %d", MaxStock)
	case t.PerPerson < 1 || t.PerPerson > maxPerPerson:
		return invalid("per_person must lie between 1 and %d", maxPerPerson)
	case t.UseWithin < 0 || t.UseWithin > maxUseWithin:
		return invalid("use_within must lie between 1 second and ten years")
	}
	return t.validTimes()
}

// validTimes keeps years in which every clock of ours can count.
func (t Terms) validTimes() error {
	for name, at := range map[string]time.Time{"publish_from": t.PublishFrom, "publish_until": t.PublishUntil, "expires_at": t.ExpiresAt} {
		if !booking.IsTime(at) {
			return invalid("%s must lie between the years 2000 and 2200", name)
		}
	}
	if !t.PublishFrom.Before(t.PublishUntil) || t.PublishUntil.After(t.ExpiresAt) {
		return invalid("publish_from must lie before publish_until, and that not after expires_at")
	}
	return nil
}

// plain reports whether a text can be kept, and shown in a line.
func plain(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxText && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) })
}
