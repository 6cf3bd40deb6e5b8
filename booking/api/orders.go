package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/qr"
)

func (s *server) routeOrders() error {
	if err := handle(s, "get-payment", s.getPayment); err != nil {
		return err
	}
	if err := handle(s, "create-order", s.createOrder); err != nil {
		return err
	}
	if err := handle(s, "get-order", s.getOrder); err != nil {
		return err
	}
	return handle(s, "get-ticket", s.getTicket)
}

// Order is an order as its buyer sees it.
type Order struct {
	ID          string                 `json:"id"`
	Performance ropeline.PerformanceID `json:"performance"`
	Sale        ropeline.SaleID        `json:"sale"`
	State       order.State            `json:"state" enum:"paid,pending,canceled"`
	Total       booking.Money          `json:"total" doc:"what was, or is, to pay"`
	Discount    *booking.Money         `json:"discount,omitempty" doc:"what a coupon took off the prices of the tickets, or the counter"`
	Tender      order.Tender           `json:"tender,omitempty" enum:"cash,terminal,complimentary" doc:"how it was paid at the counter; left out: through the payment provider"`
	Email       string                 `json:"email"`
	CreatedAt   time.Time              `json:"created_at"`
	Key         string                 `json:"key,omitempty" doc:"opens the order's link; only in the answer to its making"`
	Action      string                 `json:"action,omitempty" doc:"the page on which the buyer has to confirm the payment first; it leads back to return_url, where the request is sent again with the same key"`
	Tickets     []Ticket               `json:"tickets"`
}

// Ticket is a ticket as its holder sees it. Code and picture are there only
// while it is valid.
type Ticket struct {
	ID    string       `json:"id"`
	Order string       `json:"order"`
	Unit  int          `json:"unit"`
	Label string       `json:"label"`
	Tier  string       `json:"tier"`
	State ticket.State `json:"state" enum:"valid,unpaid,blocked,void,canceled,given" doc:"blocked: the buyer's bank wants the money back; void: it has got it; given: it is somebody else's now"`
	Name  string       `json:"name,omitempty" doc:"that it bears"`
	Code  string       `json:"code,omitempty"`
	QR    string       `json:"qr,omitempty" doc:"the code as a QR code, SVG"`
}

// OrderRequest is a fan's wish to pay for a hold.
type OrderRequest struct {
	Hold       string         `json:"hold"`
	Email      string         `json:"email"`
	Method     string         `json:"payment_method,omitempty" doc:"a token of the payment provider's, never a card number; left out where nothing is to pay"`
	Total      *booking.Money `json:"total,omitempty" doc:"what the buyer was shown: if it is another by now nothing is charged (price-changed)"`
	Newsletter string         `json:"newsletter,omitempty" doc:"the words beside the box that the buyer ticked, 500 characters at most: they want the organizer's newsletter, and a letter asks them whether that is so"`
	Return     string         `json:"return_url,omitempty" doc:"where the buyer comes back to after confirming; without it, what has to be confirmed is declined"`
}

type createOrder struct {
	Key      string `header:"Idempotency-Key" doc:"required; the same key with the same body gets the same answer"`
	Language string `header:"Accept-Language" doc:"as a browser says it: letters about the order are in the one of it that there are texts in"`
	Body     OrderRequest
}

type createdOrder struct {
	Status int
	Body   Order
}

func (s *server) createOrder(ctx context.Context, in *createOrder) (*createdOrder, error) {
	fan, err := s.fanOr(ctx)
	if err != nil {
		return nil, err
	}
	person, err := s.whoBuys(ctx)
	if err != nil {
		return nil, err
	}
	wish := order.Request{
		Sale: fan.Sale, Place: fan.Place, Session: fan.Session, Key: in.Key,
		Hold: in.Body.Hold, Email: in.Body.Email, Method: in.Body.Method, Return: in.Body.Return, Person: person, Language: wording.Choose(in.Language),
		From: addressOf(ctx),
	}
	if in.Body.Total != nil {
		wish.Total = *in.Body.Total
	}
	if in.Body.Newsletter != "" {
		if err := newsletter.CheckWords(in.Body.Newsletter); err != nil {
			return nil, err
		}
	}
	o, err := s.desk.Checkout(ctx, wish)
	if err != nil {
		return nil, err
	}
	if in.Body.Newsletter != "" {
		s.wantsNewsletter(ctx, o, newsletter.Wish{Email: wish.Email, Person: person, Words: in.Body.Newsletter, Language: wish.Language})
	}
	if o.Action == "" {
		s.finder.Seen(string(o.Performance), find.Sold*float64(len(o.Tickets)))
		s.noteBuyer(ctx, fan.Sale, fan.Session, fan.Place)
	}
	body, err := orderAnswer(o)
	if err != nil {
		return nil, err
	}
	body.Key = s.links.Key(o.ID)
	status := http.StatusCreated
	if o.State == order.Pending {
		status = http.StatusAccepted
	}
	return &createdOrder{Status: status, Body: body}, nil
}

// noteBuyer tells the line that a session has bought: it needs no basket any more.
// What was sold stays sold if that cannot be told. Who bought what the returns list had
// is in no line.
func (s *server) noteBuyer(ctx context.Context, sale ropeline.SaleID, session string, place ropeline.PlaceID) {
	if s.line == nil || strings.HasPrefix(session, hold.Listed) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.line.Bought(ctx, sale, place); err != nil {
		s.log.Warn("a buyer is not counted", "sale", sale, "err", err)
	}
}

type orderID struct {
	ID string `path:"id" doc:"of the order"`
}

type gotOrder struct{ Body Order }

func (s *server) getOrder(ctx context.Context, in *orderID) (*gotOrder, error) {
	o, err := s.opened(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body, err := orderAnswer(o)
	return &gotOrder{Body: body}, err
}

type ticketID struct {
	ID string `path:"id" doc:"of the ticket"`
}

type gotTicket struct{ Body Ticket }

// getTicket answers alike for a ticket of another order and for none at all.
func (s *server) getTicket(ctx context.Context, in *ticketID) (*gotTicket, error) {
	by, err := s.holder(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	t, _, err := s.orders.Ticket(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body, err := ticketAnswer(t.Seen(by))
	return &gotTicket{Body: body}, err
}

func orderAnswer(o order.Order) (Order, error) {
	answer := Order{
		ID: o.ID, Performance: o.Performance, Sale: o.Sale, State: o.State, Total: o.Total,
		Tender: o.Tender, Email: o.Email, CreatedAt: o.CreatedAt, Action: o.Action, Tickets: make([]Ticket, len(o.Tickets)),
	}
	if o.Discount.Amount > 0 {
		answer.Discount = &o.Discount
	}
	for i, t := range o.Tickets {
		var err error
		if answer.Tickets[i], err = ticketAnswer(t); err != nil {
			return Order{}, err
		}
	}
	return answer, nil
}

func ticketAnswer(t order.Ticket) (Ticket, error) {
	answer := Ticket{ID: t.ID, Order: t.Order, Unit: t.Unit, Label: t.Label, Tier: t.Tier, State: t.State, Name: t.Name}
	if t.State != ticket.Valid {
		return answer, nil
	}
	picture, err := qr.SVG(t.Code)
	answer.Code, answer.QR = t.Code, picture
	return answer, err
}
