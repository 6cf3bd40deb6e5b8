package api

import (
	"context"
	"errors"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/wording"
)

func (s *server) routeTransfers() error {
	return all(
		handle(s, "offer-ticket", s.offerTicket),
		handle(s, "recall-ticket", s.recallTicket),
		handle(s, "put-ticket-name", s.putTicketName),
		handle(s, "get-handing", s.getHanding),
		handle(s, "accept-ticket", s.acceptTicket),
		handle(s, "refuse-ticket", s.refuseTicket),
		handle(s, "return-ticket", s.returnTicket),
	)
}

// TicketTransfer is a ticket that was offered to somebody, as who offered it sees it.
type TicketTransfer struct {
	ID        string              `json:"id"`
	Ticket    string              `json:"ticket"`
	State     order.TransferState `json:"state" enum:"offered,accepted,recalled,refused,over" doc:"over: nobody accepted it in time, or there is no such ticket any more"`
	Email     string              `json:"email,omitempty" doc:"of who is asked, or has it; forgotten once nothing came of it"`
	ExpiresAt time.Time           `json:"expires_at" doc:"until when it may be accepted"`
	At        time.Time           `json:"at"`
	ChangedAt time.Time           `json:"changed_at"`
}

func transferAnswer(t order.Transfer) TicketTransfer {
	return TicketTransfer{t.ID, t.Ticket, t.State, t.Email, t.Expires, t.At, t.Changed}
}

// TransferRequest says to whom a ticket is offered.
type TransferRequest struct {
	Email string `json:"email,omitempty" doc:"of who is to have it, and is written to"`
}

type offerTicket struct {
	ID   string `path:"id" doc:"of the ticket"`
	Body TransferRequest
}

type gotTransfer struct{ Body TicketTransfer }

// offerTicket needs no key against repeats: a ticket is offered to one at a time.
func (s *server) offerTicket(ctx context.Context, in *offerTicket) (*gotTransfer, error) {
	by, err := s.holder(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	t, err := s.desk.Offer(ctx, order.Giving{Ticket: in.ID, By: by, Email: in.Body.Email})
	return &gotTransfer{transferAnswer(t)}, err
}

func (s *server) recallTicket(ctx context.Context, in *ticketID) (*struct{}, error) {
	by, err := s.holder(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.desk.Recall(ctx, in.ID, by)
}

// NameRequest has the name that a ticket is to bear.
type NameRequest struct {
	Name string `json:"name,omitempty" doc:"1 to 100 characters, in one line"`
}

type putTicketName struct {
	ID   string `path:"id" doc:"of the ticket"`
	Body NameRequest
}

func (s *server) putTicketName(ctx context.Context, in *putTicketName) (*struct{}, error) {
	by, err := s.holder(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.desk.Rename(ctx, in.ID, by, in.Body.Name)
}

// holder is the order, or the transfer, whose key a request has, of those that a ticket was,
// or is, held by. A ticket of nobody's here is answered as none at all.
func (s *server) holder(ctx context.Context, id string) (string, error) {
	if !booking.IsID(id) {
		return "", order.ErrTicketUnknown
	}
	t, found, err := s.orders.Ticket(ctx, id)
	if err != nil {
		return "", err
	}
	if !found {
		return "", order.ErrTicketUnknown
	}
	holders, err := s.orders.Holders(ctx, t)
	if err != nil {
		return "", err
	}
	for _, by := range holders {
		if s.links.Opens(by, keyOf(ctx)) {
			return by, nil
		}
	}
	return "", order.ErrTicketUnknown
}

// Handing is what a holder may do with their tickets, and what they have done.
type Handing struct {
	GiveUntil   *time.Time     `json:"give_until,omitempty" doc:"until when tickets may be given to others; left out: they may not"`
	Names       bool           `json:"names" doc:"tickets bear names"`
	NameUntil   *time.Time     `json:"name_until,omitempty" doc:"until when a name may be changed; left out: once said it stays"`
	ReturnUntil *time.Time     `json:"return_until,omitempty" doc:"of a transfer: until when its ticket may be given back; left out: not at all"`
	Tickets     []HandedTicket `json:"tickets"`
}

// HandedTicket is one of them.
type HandedTicket struct {
	ID       string          `json:"id"`
	Name     string          `json:"name,omitempty" doc:"that it bears"`
	Times    *int            `json:"times,omitempty" doc:"how often more it may change hands; left out: as often as its holders like"`
	Transfer *TicketTransfer `json:"transfer,omitempty" doc:"the last one of this holder's"`
}

type gotHanding struct{ Body Handing }

func (s *server) getHanding(ctx context.Context, in *heldID) (*gotHanding, error) {
	o, by, err := s.held(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	h, err := s.desk.Handing(ctx, o)
	if err != nil {
		return nil, err
	}
	body := Handing{GiveUntil: unlessZero(h.Closes), Names: h.Names, NameUntil: unlessZero(h.NamesClose), Tickets: make([]HandedTicket, len(o.Tickets))}
	if by != nil {
		body.ReturnUntil = unlessZero(h.Closing)
	}
	for i, k := range o.Tickets {
		body.Tickets[i] = HandedTicket{ID: k.ID, Name: k.Name}
		if n, bounded := h.Times[k.ID]; bounded {
			body.Tickets[i].Times = &n
		}
		for _, t := range h.Transfers { // the newest first
			if t.Ticket == k.ID {
				one := transferAnswer(t)
				body.Tickets[i].Transfer = &one
				break
			}
		}
	}
	return &gotHanding{body}, nil
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// held reads what a key opens: an order, or the ticket of a transfer.
func (s *server) held(ctx context.Context, id string) (order.Order, *order.Transfer, error) {
	o, err := s.opened(ctx, id)
	if !errors.Is(err, order.ErrUnknown) {
		return o, nil, err
	}
	if s.opens(ctx, id) != nil {
		return o, nil, err
	}
	o, t, err := s.orders.Held(ctx, id)
	if errors.Is(err, order.ErrTransferUnknown) {
		err = order.ErrUnknown
	}
	return o, &t, err
}

type transferID struct {
	ID string `path:"id" doc:"of the transfer"`
}

// accepts reports whether the key of a request is that of a transfer.
func (s *server) accepts(ctx context.Context, id string) error {
	if s.opens(ctx, id) != nil {
		return order.ErrTransferUnknown
	}
	return nil
}

// AcceptRequest is what who accepts a ticket says.
type AcceptRequest struct {
	Name string `json:"name,omitempty" doc:"for the ticket, where tickets bear names"`
}

type acceptTicket struct {
	ID       string `path:"id" doc:"of the transfer"`
	Language string `header:"Accept-Language" doc:"as a browser says it: letters about the ticket are in the one of it that there are texts in"`
	Body     AcceptRequest
}

// acceptTicket is repeated without harm. Who is signed in has it in their account.
func (s *server) acceptTicket(ctx context.Context, in *acceptTicket) (*gotPasses, error) {
	if err := s.accepts(ctx, in.ID); err != nil {
		return nil, err
	}
	person, err := s.whoBuys(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.desk.Accept(ctx, in.ID, order.Acceptance{Name: in.Body.Name, Language: wording.Choose(in.Language), Person: person}); err != nil {
		return nil, err
	}
	return s.getPasses(ctx, &heldID{in.ID})
}

func (s *server) refuseTicket(ctx context.Context, in *transferID) (*struct{}, error) {
	if err := s.accepts(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, s.desk.Refuse(ctx, in.ID)
}

// returnTicket cancels the ticket for who has it by a transfer. What comes back goes to who
// paid for it.
func (s *server) returnTicket(ctx context.Context, in *transferID) (*gotPasses, error) {
	if err := s.accepts(ctx, in.ID); err != nil {
		return nil, err
	}
	t, err := s.orders.Transfer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if t.State != order.Accepted {
		return nil, order.ErrTransferOver
	}
	if _, err := s.desk.Cancel(ctx, order.Cancel{Order: t.Order, Tickets: []string{t.Ticket}, Who: order.Holder, Holder: t.ID}); err != nil {
		return nil, err
	}
	return s.getPasses(ctx, &heldID{in.ID})
}

const (
	myTicketsMost = 100
	exportMost    = 100_000 // nobody has got as many
)

// MyTicket is a ticket that somebody has given to whoever is signed in.
type MyTicket struct {
	ID          string    `json:"id" doc:"of the transfer"`
	Key         string    `json:"key,omitempty" doc:"opens its page"`
	Ticket      string    `json:"ticket"`
	Performance string    `json:"performance"`
	Event       string    `json:"event" doc:"its title"`
	Venue       string    `json:"venue" doc:"its name"`
	TimeZone    string    `json:"time_zone" doc:"of the venue, as Europe/Lisbon"`
	Label       string    `json:"label"`
	StartsAt    time.Time `json:"starts_at"`
	At          time.Time `json:"at" doc:"when it was accepted"`
	Good        bool      `json:"good" doc:"it is valid, and still theirs"`
}

// MyTickets are the last of them.
type MyTickets struct {
	Tickets []MyTicket `json:"tickets" doc:"the newest first, 100 at most"`
}

type gotMyTickets struct{ Body MyTickets }

func (s *server) getMyTickets(ctx context.Context, _ *struct{}) (*gotMyTickets, error) {
	list, err := s.given(ctx, me(ctx).Person, myTicketsMost)
	for i := range list {
		list[i].Key = s.links.Key(list[i].ID)
	}
	return &gotMyTickets{Body: MyTickets{list}}, err
}

// given lists the tickets that somebody has got from others.
func (s *server) given(ctx context.Context, person string, most int) ([]MyTicket, error) {
	got, err := s.orders.Got(ctx, person, most)
	list := make([]MyTicket, len(got))
	for i, t := range got {
		list[i] = MyTicket{t.ID, "", t.Ticket, string(t.Performance), t.Event, t.Venue, t.Zone, t.Label, t.Starts, t.At, t.Good}
	}
	return list, err
}
