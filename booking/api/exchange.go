package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
)

func exchanges(of []order.Exchanged) []ReceiptExchange {
	list := make([]ReceiptExchange, len(of))
	for i, x := range of {
		list[i] = ReceiptExchange{Order: x.Order, Amount: x.Amount, At: x.At}
	}
	return list
}

// ExchangeWish says which tickets are to be exchanged, and for what.
type ExchangeWish struct {
	Tickets []string    `json:"tickets,omitempty" maxItems:"100" doc:"their ids"`
	For     HoldRequest `json:"for,omitempty" doc:"as many places, of a performance of the same sale"`
}

// ExchangeQuote is what an exchange comes to. Amounts are minor units of currency.
type ExchangeQuote struct {
	Hold        string                 `json:"hold"`
	ExpiresAt   time.Time              `json:"expires_at" doc:"of the hold"`
	Performance ropeline.PerformanceID `json:"performance"`
	Lines       []catalogue.Line       `json:"lines" doc:"what is held"`
	Currency    string                 `json:"currency"`
	Digits      int                    `json:"digits" doc:"how many of an amount's digits stand behind the point"`
	Price       int64                  `json:"price" doc:"of what is held"`
	Fee         int64                  `json:"fee" doc:"what is kept for the exchange, of what was paid for the tickets"`
	Worth       int64                  `json:"worth" doc:"what is left of that"`
	ToPay       int64                  `json:"to_pay" doc:"price less worth, if that is more than nothing"`
	Refund      int64                  `json:"refund" doc:"worth less price, if that is more than nothing"`
}

type holdExchange struct {
	ID   string `path:"id" doc:"of the order"`
	Body ExchangeWish
}

type gotQuote struct{ Body ExchangeQuote }

func (s *server) holdExchange(ctx context.Context, in *holdExchange) (*gotQuote, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.quote(ctx, order.Exchange{Order: in.ID, Who: order.Buyer}, in.Body)
}

// StaffExchangeWish is an ExchangeWish of staff.
type StaffExchangeWish struct {
	ExchangeWish
	NoFee bool `json:"no_fee,omitempty" doc:"nothing is kept, whatever the rules say"`
}

type staffHoldExchange struct {
	ID   string `path:"id" doc:"of the order"`
	Body StaffExchangeWish
}

func (s *server) staffHoldExchange(ctx context.Context, in *staffHoldExchange) (*gotQuote, error) {
	if !booking.IsID(in.ID) {
		return nil, order.ErrUnknown
	}
	return s.quote(ctx, order.Exchange{Order: in.ID, Who: by(ctx), NoFee: in.Body.NoFee}, in.Body.ExchangeWish)
}

func (s *server) quote(ctx context.Context, x order.Exchange, wish ExchangeWish) (*gotQuote, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(wish.For.Performance))
	if err != nil {
		return nil, err
	}
	if !s.keeper.Built(p.Map.ID) {
		return nil, inventory.ErrNotReady
	}
	if !p.OnSale {
		return nil, catalogue.ErrOffSale
	}
	parts, err := wish.For.parts(p)
	if err != nil {
		return nil, err
	}
	x.Tickets = wish.Tickets
	q, err := s.desk.HoldExchange(ctx, x, p.Map.ID, parts)
	if err != nil {
		return nil, err
	}
	return &gotQuote{Body: ExchangeQuote{Hold: q.Hold.ID, ExpiresAt: q.Hold.Expires, Performance: q.Hold.Performance, Lines: q.Lines,
		Currency: q.Total.Currency, Digits: tariff.Digits(q.Total.Currency), Price: q.Total.Amount, Fee: q.Fee, Worth: q.Worth, ToPay: q.ToPay, Refund: q.Back}}, nil
}

func (s *server) dropExchange(ctx context.Context, in *orderID) (*struct{}, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, s.desk.DropExchange(ctx, in.ID)
}

// ExchangeRequest is the wish to give tickets up for what is held.
type ExchangeRequest struct {
	Hold    string         `json:"hold,omitempty" doc:"of the quote"`
	Tickets []string       `json:"tickets,omitempty" maxItems:"100" doc:"the same as in the quote"`
	Method  string         `json:"payment_method,omitempty" doc:"a token of the payment provider's, never a card number; left out where nothing is to pay"`
	Total   *booking.Money `json:"total,omitempty" doc:"what the buyer was shown that is to pay: if it is another by now nothing is charged (price-changed)"`
	Back    int64          `json:"refund,omitempty" minimum:"0" doc:"what the buyer was shown that comes back, in minor units: if it is less by now nothing is exchanged (refund-changed)"`
	Return  string         `json:"return_url,omitempty" doc:"where the buyer comes back to after confirming; without it, what has to be confirmed is declined"`
}

func (r ExchangeRequest) of(id, key, who string) order.Exchange {
	x := order.Exchange{Order: id, Tickets: r.Tickets, Hold: r.Hold, Key: key, Method: r.Method, Return: r.Return, Back: r.Back, Who: who}
	if r.Total != nil {
		x.Total = *r.Total
	}
	return x
}

type exchangeTickets struct {
	ID   string `path:"id" doc:"of the order"`
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body gets the same answer"`
	Body ExchangeRequest
}

// exchangeTickets answers with the new order, and its key.
func (s *server) exchangeTickets(ctx context.Context, in *exchangeTickets) (*createdOrder, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	x := in.Body.of(in.ID, in.Key, order.Buyer)
	x.From = addressOf(ctx)
	return s.exchange(ctx, x)
}

// StaffExchangeRequest is an ExchangeRequest of staff.
type StaffExchangeRequest struct {
	ExchangeRequest
	NoFee  bool   `json:"no_fee,omitempty" doc:"as in the quote"`
	Reason string `json:"reason" doc:"1 to 200 characters; no personal data"`
}

type staffExchangeTickets struct {
	ID   string `path:"id" doc:"of the order"`
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body gets the same answer"`
	Body StaffExchangeRequest
}

func (s *server) staffExchangeTickets(ctx context.Context, in *staffExchangeTickets) (*createdOrder, error) {
	if err := checkStaff(in.ID, in.Body.Reason); err != nil {
		return nil, err
	}
	x := in.Body.of(in.ID, in.Key, by(ctx))
	x.NoFee, x.Reason = in.Body.NoFee, in.Body.Reason
	return s.exchange(ctx, x)
}

func (s *server) exchange(ctx context.Context, x order.Exchange) (*createdOrder, error) {
	o, err := s.desk.Exchange(ctx, x)
	if err != nil {
		return nil, err
	}
	body, err := orderAnswer(o)
	if err != nil {
		return nil, err
	}
	body.Key = s.links.Key(o.ID)
	if x.Who != order.Buyer { // who finds it on the page of the old one
		body.Key, body.Email = "", ""
		for i := range body.Tickets {
			body.Tickets[i].Code, body.Tickets[i].QR = "", ""
		}
	}
	status := http.StatusCreated
	if o.State == order.Pending {
		status = http.StatusAccepted
	}
	return &createdOrder{Status: status, Body: body}, nil
}
