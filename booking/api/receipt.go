package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Receipt is what an order cost, ticket by ticket, and what went back. All amounts
// are minor units of its currency.
type Receipt struct {
	Order       string                 `json:"order"`
	Performance ropeline.PerformanceID `json:"performance"`
	Title       string                 `json:"title"`
	Venue       string                 `json:"venue"`
	StartsAt    time.Time              `json:"starts_at"`
	CreatedAt   time.Time              `json:"created_at"`
	State       order.State            `json:"state" enum:"paid,pending,canceled"`
	Tender      order.Tender           `json:"tender,omitempty" enum:"cash,terminal,complimentary" doc:"how it was paid at the counter; left out: through the payment provider"`
	Currency    string                 `json:"currency" doc:"ISO 4217"`
	Digits      int                    `json:"digits" doc:"how many of an amount's digits stand behind the point: 2 of EUR, 0 of JPY, 3 of KWD"`
	Lines       []ReceiptLine          `json:"lines"`
	Discount    int64                  `json:"discount,omitempty" doc:"what a coupon took off the prices, or the counter"`
	Total       int64                  `json:"total" doc:"what was, or is, to pay: the sum of what each ticket cost"`
	Net         int64                  `json:"net" doc:"total without tax"`
	Tax         int64                  `json:"tax" doc:"in total: the sum of the tickets' tax"`
	TaxRate     int                    `json:"tax_rate" doc:"in basis points, 1900 is 19 %"`
	Fee         int64                  `json:"fee" doc:"in total: the platform's"`
	Refunds     []ReceiptRefund        `json:"refunds"`
	CancelUntil *time.Time             `json:"cancel_until,omitempty" doc:"until when the buyer may cancel; left out: not at all"`

	ExchangedFrom []ReceiptExchange `json:"exchanged_from" doc:"orders whose tickets were given up for this one, and what of total came from them"`
	ExchangedTo   []ReceiptExchange `json:"exchanged_to" doc:"orders for which tickets of this one were given up"`
	ExchangeUntil *time.Time        `json:"exchange_until,omitempty" doc:"until when the buyer may exchange tickets; left out: not at all"`
}

// ReceiptLine is a ticket on a receipt.
type ReceiptLine struct {
	Ticket string       `json:"ticket"`
	Label  string       `json:"label"`
	State  ticket.State `json:"state" enum:"valid,unpaid,blocked,void,canceled,given" doc:"blocked: the buyer's bank wants the money back; void: it has got it; given: it is somebody else's now"`
	Price  int64        `json:"price"`
	Paid   int64        `json:"paid" doc:"price less its part of the discount"`
	Tax    int64        `json:"tax" doc:"in what was paid"`
	Fee    int64        `json:"fee" doc:"in what was paid"`
	Refund int64        `json:"refund" doc:"what the buyer gets back who cancels it now; of several the sum, at least"`
}

// ReceiptRefund is what went back, or is on its way.
type ReceiptRefund struct {
	ID      string            `json:"id"`
	Amount  int64             `json:"amount"`
	Kept    int64             `json:"kept" doc:"of what was paid for the canceled tickets"`
	State   order.RefundState `json:"state" enum:"refunding,refunded,failed"`
	At      time.Time         `json:"at"`
	Changed time.Time         `json:"changed_at"`
}

// ReceiptExchange is an exchange of tickets with another order.
type ReceiptExchange struct {
	Order  string    `json:"order"`
	Key    string    `json:"key,omitempty" doc:"opens that order's link; not for staff"`
	Amount int64     `json:"amount" doc:"what of the price of the tickets that were given up pays for the others"`
	At     time.Time `json:"at"`
}

type gotReceipt struct{ Body Receipt }

func (s *server) getReceipt(ctx context.Context, in *orderID) (*gotReceipt, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.buyersReceipt(ctx, in.ID)
}

// buyersReceipt has the keys of the orders that are exchanged with one whose key the
// request has: they are the same buyer's.
func (s *server) buyersReceipt(ctx context.Context, id string) (*gotReceipt, error) {
	r, err := s.receipt(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, list := range [][]ReceiptExchange{r.Body.ExchangedFrom, r.Body.ExchangedTo} {
		for i := range list {
			list[i].Key = s.links.Key(list[i].Order)
		}
	}
	return r, nil
}

// opens reports whether the key of a request is that of an order.
func (s *server) opens(ctx context.Context, id string) error {
	if !booking.IsID(id) || !s.links.Opens(id, keyOf(ctx)) {
		return order.ErrUnknown // whether there is one is nobody else's business
	}
	return nil
}

func (s *server) receipt(ctx context.Context, id string) (*gotReceipt, error) {
	r, err := s.desk.Receipt(ctx, id)
	if err != nil {
		return nil, err
	}
	o, show := r.Order, r.Show
	body := Receipt{Order: o.ID, Performance: o.Performance, Title: show.Title, Venue: show.Venue, StartsAt: show.StartsAt,
		CreatedAt: o.CreatedAt, State: o.State, Tender: o.Tender, Currency: o.Total.Currency, Digits: tariff.Digits(o.Total.Currency),
		Lines: make([]ReceiptLine, len(o.Tickets)), Discount: o.Discount.Amount, Total: o.Total.Amount,
		TaxRate: show.Tariff.TaxRate, Fee: o.Fee, Refunds: make([]ReceiptRefund, len(r.Cancellations))}
	for i, t := range o.Tickets {
		part := r.Parts[i]
		body.Lines[i] = ReceiptLine{Ticket: t.ID, Label: t.Label, State: t.State, Price: t.Price.Amount,
			Paid: part.Paid, Tax: part.Tax, Fee: part.Fee, Refund: r.Back[i]}
		body.Tax += part.Tax
	}
	body.Net = body.Total - body.Tax
	for i, c := range r.Cancellations {
		body.Refunds[i] = ReceiptRefund{ID: c.ID, Amount: c.Amount.Amount, Kept: c.Kept, State: c.State, At: c.At, Changed: c.Changed}
	}
	if !r.Closes.IsZero() {
		body.CancelUntil = &r.Closes
	}
	if !r.ExchangeCloses.IsZero() {
		body.ExchangeUntil = &r.ExchangeCloses
	}
	body.ExchangedFrom, body.ExchangedTo = exchanges(r.From), exchanges(r.To)
	return &gotReceipt{Body: body}, nil
}

// CancelRequest says which tickets to cancel.
type CancelRequest struct {
	Tickets []string `json:"tickets,omitempty" maxItems:"100" doc:"their ids; left out: all of the order"`
	Refund  *int64   `json:"refund,omitempty" minimum:"0" doc:"what the buyer was shown that comes back, in minor units: if it is less by now nothing is canceled (refund-changed)"`
}

type cancelOrder struct {
	ID   string `path:"id" doc:"of the order"`
	Body CancelRequest
}

// cancelOrder needs no key against repeats: a ticket is canceled once.
func (s *server) cancelOrder(ctx context.Context, in *cancelOrder) (*gotReceipt, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	if _, err := s.desk.Cancel(ctx, order.Cancel{Order: in.ID, Tickets: in.Body.Tickets, Who: order.Buyer, Shown: in.Body.Refund}); err != nil {
		return nil, err
	}
	return s.buyersReceipt(ctx, in.ID)
}
