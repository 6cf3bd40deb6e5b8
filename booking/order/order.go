package order

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/ticket"
)

// State says how far an order got.
type State string

// The states of an order.
const (
	Pending  State = "pending" // authorized and recorded, not captured yet
	Paid     State = "paid"
	Canceled State = "canceled" // the money could not be captured, or no ticket is left
)

// Order is what a fan bought.
type Order struct {
	ID          string
	Performance ropeline.PerformanceID
	Sale        ropeline.SaleID
	Place       ropeline.PlaceID // of the line, whose order it is
	State       State
	Total       booking.Money // to pay
	Discount    booking.Money // what a coupon took off the prices of the tickets, or the counter
	Fee         int64         // what of Total is the platform's, minor units
	Tender      Tender        // how it was paid at the counter; empty: through the provider
	Email       string        // may be empty if it was sold at the counter
	Language    string        // in which they are written to, as en; empty: nobody has said
	Person      string        // whose account it is of; empty: a guest's
	CreatedAt   time.Time
	Tickets     []Ticket
	Action      string // the provider's page on which the fan has to confirm first; empty if nothing is to be confirmed
}

// paid is the order when its money was captured, as it is read then.
func (o Order) paid() Order {
	o.Discount.Currency = o.Total.Currency
	o.State, o.Tickets = Paid, slices.Clone(o.Tickets)
	for i := range o.Tickets {
		o.Tickets[i].State = ticket.Valid
	}
	return o
}

// Ticket is one unit of an order.
type Ticket struct {
	ID    string
	Order string
	Unit  int
	Label string
	Tier  string
	Price booking.Money
	State ticket.State
	Code  string // the printed one
	Issue int    // of the codes on phones; 1 of a new ticket

	Holder string // the transfer by which its holder got it; empty: the buyer has it
	Name   string // whose name it bears; empty: nobody's
}

// HeldBy is the order, or the transfer, whose link opens a ticket.
func (t Ticket) HeldBy() string { return cmp.Or(t.Holder, t.Order) }

// Seen is a ticket as whoever has the link of an order, or of a transfer, may see it: one
// that is somebody else's by now has neither code nor name.
func (t Ticket) Seen(by string) Ticket {
	if t.HeldBy() == by {
		return t
	}
	t.Code, t.Issue, t.Name = "", 0, ""
	if t.State != ticket.Canceled {
		t.State = ticket.Given
	}
	return t
}

// Request is a fan's wish to pay for a hold.
type Request struct {
	Sale     ropeline.SaleID
	Place    ropeline.PlaceID
	Session  string
	Key      string // the fan's idempotency key
	Hold     string
	Email    string
	Language string        // which they read, as en; a repeat in another is the same request
	Person   string        // the account that buys; empty: a guest. A repeat by somebody else is the same request
	Method   string        // a token of the payment provider's; empty where nothing is to pay
	Total    booking.Money // what the fan was shown and agreed to; zero: nothing was said
	Return   string        // where the fan comes back to after confirming; empty: what has to be confirmed is declined
	From     netip.Addr    // the fan's address, if it is known; not kept
}

// What can be wrong with an order.
var (
	ErrUnknown     = &ropeline.Error{Kind: ropeline.NotFound, Code: "order-unknown", Detail: "There is no such order."}
	ErrKeyMissing  = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-missing", Detail: "Send an Idempotency-Key header of 1 to 128 letters, digits or punctuation, a new one for each new payment."}
	ErrKeyReused   = booking.ErrKeyReused
	ErrPrice       = &ropeline.Error{Kind: ropeline.Conflict, Code: "price-changed", Detail: "The price has changed since you saw it. Nothing is charged and your places are still held: look at the new price first."}
	ErrEmail       = &ropeline.Error{Kind: ropeline.Invalid, Code: "email-invalid", Detail: "This is not an e-mail address."}
	ErrMethod      = &ropeline.Error{Kind: ropeline.Invalid, Code: "payment-method-unknown", Detail: "There is no such way to pay. Your places are still held."}
	ErrReturn      = &ropeline.Error{Kind: ropeline.Invalid, Code: "return-url-invalid", Detail: "This is not an address that a browser can come back to: http or https, with a host, without a fragment, 1,000 bytes at most."}
	ErrDeclined    = &ropeline.Error{Kind: ropeline.Declined, Code: "payment-declined", Detail: "The payment was declined. Your places are still held: try another way to pay."}
	ErrUnavailable = &ropeline.Error{Kind: ropeline.Unavailable, Code: "payment-unavailable", Detail: "We could not reach the payment provider. Nothing is charged and your places are still held.", RetryAfter: 2 * time.Second}
	ErrFailed      = &ropeline.Error{Kind: ropeline.Conflict, Code: "payment-failed", Detail: "This payment did not go through and nothing is charged. Start a new one."}
)

// outcomes are the final errors a failed attempt may have been answered with;
// a repeat of the request gets the same one. One that says "try again later"
// is none of them: nothing more will come of this attempt, so its repeat is
// told ErrFailed, and the fan pays with a new key.
var outcomes = byCode(ErrMethod, ErrDeclined, ErrFailed, catalogue.ErrAccountClosed,
	hold.ErrUnitsTaken, hold.ErrExpired, hold.ErrReleased, hold.ErrSold, hold.ErrUnknown,
	ErrTicketsGone, coupon.ErrExpired, coupon.ErrWithdrawn, coupon.ErrUsed, coupon.ErrTakenOff, coupon.ErrNoTicket,
	abuse.ErrCardLimit, abuse.ErrBlockedCard)

func byCode(errs ...*ropeline.Error) map[string]*ropeline.Error {
	m := make(map[string]*ropeline.Error, len(errs))
	for _, e := range errs {
		m[e.Code] = e
	}
	return m
}

func (r Request) validate() error {
	switch {
	case !booking.IsKey(r.Key):
		return ErrKeyMissing
	case !booking.IsID(r.Hold):
		return hold.ErrUnknown
	case !booking.IsEmail(r.Email):
		return ErrEmail
	case r.Method != "" && !payment.IsMethod(r.Method):
		return ErrMethod
	case r.Return != "" && !isReturn(r.Return):
		return ErrReturn
	}
	return nil
}

// isReturn accepts an address of a page. Whose it is is not asked: the request is
// the fan's own, and nobody else is sent there.
func isReturn(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 1000 && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && !strings.Contains(s, "#")
}

// mac names the content of a request without keeping it: an idempotency key
// that comes back with another one is refused. It is keyed because an e-mail
// address could be guessed from a bare hash.
func (r Request) mac(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("request\x00" + r.Hold + "\x00" + r.Email + "\x00" + r.Method))
	if r.Return != "" {
		m.Write([]byte("\x00" + r.Return))
	}
	return m.Sum(nil)
}

// Links makes and checks the keys of order links: whoever has the key of an
// order may see it and its tickets.
type Links []byte

// Key returns an order's key.
func (l Links) Key(order string) string {
	return base64.RawURLEncoding.EncodeToString(l.sum(order))
}

// Opens reports whether key is the order's key. It compares texts: a decoder
// of base64 skips line breaks, so that many texts would open one order.
func (l Links) Opens(order, key string) bool {
	return hmac.Equal([]byte(key), []byte(l.Key(order)))
}

func (l Links) sum(order string) []byte {
	m := hmac.New(sha256.New, l)
	m.Write([]byte(order))
	return m.Sum(nil)
}
