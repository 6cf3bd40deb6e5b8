package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/ticket"
)

func (s *server) routeTickets() error {
	return all(
		handle(s, "get-passes", s.getPasses),
		handle(s, "get-tickets-pdf", s.getTicketsPDF),
		handle(s, "get-calendar", s.getCalendar),
	)
}

// Passes are the tickets of an order as a phone shows them, with all that it needs to do so
// without a connection.
type Passes struct {
	Order     string         `json:"order"`
	Now       time.Time      `json:"now" doc:"by our clock: codes are made by it, and that of a phone may be wrong"`
	For       paper.Occasion `json:"for"`
	Tickets   []Pass         `json:"tickets"`
	GiveUntil *time.Time     `json:"give_until,omitempty" doc:"by the organizer's rules: until when tickets may be given to others; left out: they may not"`
	Offer     *Offer         `json:"offer,omitempty" doc:"of a transfer: how the holder got the ticket, or may get it"`
}

// Offer is a transfer as who is asked, or has the ticket by it, sees it.
type Offer struct {
	State     order.TransferState `json:"state" enum:"offered,accepted,recalled,refused,over" doc:"only of one that was accepted there is a ticket"`
	Giver     string              `json:"giver,omitempty" doc:"address of who gives it"`
	Label     string              `json:"label,omitempty"`
	Tier      string              `json:"tier,omitempty" doc:"its name"`
	Named     bool                `json:"named" doc:"whoever accepts says a name for the ticket"`
	ExpiresAt time.Time           `json:"expires_at" doc:"until when it may be accepted"`
}

// Pass is one of them. The key is there only while the ticket is valid.
type Pass struct {
	ID    string       `json:"id"`
	State ticket.State `json:"state" enum:"valid,unpaid,blocked,void,canceled,given" doc:"blocked: the buyer's bank wants the money back; void: it has got it; given: it is somebody else's now"`
	Label string       `json:"label"`
	Tier  string       `json:"tier" doc:"its name"`
	Issue int          `json:"issue" doc:"goes up with each holder: codes of the issue before open nothing"`
	KeyID string       `json:"key_id,omitempty" doc:"four hexadecimal digits, which are part of each code"`
	Key   *ticket.JWK  `json:"key,omitempty" doc:"signs the codes, one each 15 seconds; docs/tickets.md says how. A new one makes the old one worthless"`
	Name  string       `json:"name,omitempty" doc:"that the ticket bears"`
	Code  string       `json:"code,omitempty" doc:"the printed code, where the installation has no keys for phones"`
	Used  *PassUse     `json:"used,omitempty" doc:"when and where it opened a door first"`
}

// PassUse is what a holder is told of a scan.
type PassUse struct {
	At   time.Time `json:"at"`
	Door string    `json:"door"`
}

type heldID struct {
	ID string `path:"id" doc:"of the order, or of a transfer"`
}

type gotPasses struct{ Body Passes }

func (s *server) getPasses(ctx context.Context, in *heldID) (*gotPasses, error) {
	o, by, err := s.held(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	of, err := s.papers.Occasion(ctx, o.Performance)
	if err != nil {
		return nil, err
	}
	body := Passes{Order: o.ID, Now: s.now().UTC(), For: of, Tickets: make([]Pass, len(o.Tickets)), GiveUntil: unlessZero(of.GiveUntil())}
	uses, err := s.doors.Uses(ctx, o.Performance, o.ID)
	if err != nil {
		return nil, err
	}
	for i, t := range o.Tickets {
		if body.Tickets[i], err = s.pass(t, of.Tiers[t.Tier]); err != nil {
			return nil, err
		}
		if u, ok := uses[t.ID]; ok {
			body.Tickets[i].Used = &PassUse{u.At, u.Door}
		}
	}
	if by != nil {
		body.Offer, err = s.offer(ctx, *by, of)
	}
	return &gotPasses{body}, err
}

// offer says what somebody is offered.
func (s *server) offer(ctx context.Context, t order.Transfer, of paper.Occasion) (*Offer, error) {
	o := &Offer{State: t.State, Giver: t.Giver, Named: of.Names(), ExpiresAt: t.Expires}
	if t.State != order.Offered {
		return o, nil
	}
	k, _, err := s.orders.Ticket(ctx, t.Ticket)
	o.Label, o.Tier = k.Label, of.Tiers[k.Tier]
	return o, err
}

func (s *server) pass(t order.Ticket, tier string) (Pass, error) {
	p := Pass{ID: t.ID, State: t.State, Label: t.Label, Tier: tier, Issue: t.Issue, Name: t.Name}
	if t.State != ticket.Valid {
		return p, nil
	}
	if !s.tickets.Are() {
		p.Code = t.Code
		return p, nil
	}
	private, err := s.tickets.Private(t.ID, t.Issue, s.now())
	if err != nil {
		return p, err
	}
	key, err := private.JWK()
	p.KeyID, p.Key = private.KeyID().String(), &key
	return p, err
}

// opened reads the order that a request has the key of.
func (s *server) opened(ctx context.Context, id string) (order.Order, error) {
	if err := s.opens(ctx, id); err != nil {
		return order.Order{}, err
	}
	return s.orders.Order(ctx, id)
}

type getPaper struct {
	ID   string `path:"id" doc:"of the order, or of a transfer"`
	Have string `header:"If-None-Match"`
}

func (s *server) getTicketsPDF(ctx context.Context, in *getPaper) (*seen, error) {
	return s.paper(ctx, in, "application/pdf", s.papers.PDF)
}

func (s *server) getCalendar(ctx context.Context, in *getPaper) (*seen, error) {
	return s.paper(ctx, in, "text/calendar; charset=utf-8; method=PUBLISH", s.papers.Calendar)
}

// paper is made anew for each who asks, and no cache keeps it; who has it need not be sent
// it again.
func (s *server) paper(ctx context.Context, in *getPaper, kind string, write func(context.Context, order.Order) ([]byte, error)) (*seen, error) {
	o, _, err := s.held(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	file, err := write(ctx, o)
	if err != nil {
		return nil, err
	}
	answer := sight{etag: tagOf(file), text: file}.answer(in.Have, "no-store")
	answer.ContentType = kind
	return answer, nil
}
