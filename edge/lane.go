package edge

import (
	"context"
	"net/http"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var (
	errLaneUnknown = &ropeline.Error{Kind: ropeline.Conflict, Code: "lane-unknown",
		Detail: "This is for a lane that the sale does not have, or that nobody comes into this way."}
	errLaneNone = &ropeline.Error{Kind: ropeline.Conflict, Code: "lane-none",
		Detail: "This leads to no lane, and the sale asks for something else of whoever joins."}
)

// laner is what a kind of visitor also is whose credentials may name a lane.
type laner interface {
	// Lane is the lane that a credential names, "" for none. Recognize has believed it.
	Lane(join wire.Join) string
}

// kindOf is the kind of visitor that is to recognize who joins: the sale's, or that
// of a credential which leads to a lane.
func kindOf(sale ropeline.Sale, brought wire.Join) ropeline.VisitorKind {
	switch {
	case len(sale.Lanes) == 0:
	case brought.Invitation != "":
		return ropeline.VisitorInvitation
	case brought.Token != "":
		return ropeline.VisitorAccount
	}
	return sale.Visitor.Kind
}

// laneOf is the lane that a credential leads to, "" for the main one.
func laneOf(sale ropeline.Sale, kind Visitors, of ropeline.VisitorKind, brought wire.Join) (string, error) {
	name := ""
	if l, ok := kind.(laner); ok {
		name = l.Lane(brought)
	}
	if name == "" || name == ropeline.MainLane {
		if of != sale.Visitor.Kind {
			return "", errLaneNone
		}
		return "", nil
	}
	if lane, ok := sale.Lane(name); !ok || !lane.Takes(ropeline.EntryInvitation) {
		return "", errLaneUnknown
	}
	return name, nil
}

// tryCode says where a code leads that a fan brings who waits and, once they have
// agreed, moves their place there.
func (s *Server) tryCode(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	var body wire.LaneCode
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	offer, moved, err := s.changeLane(r, room, ticket, body)
	switch {
	case err != nil:
		return err
	case moved == nil:
		return ropeline.WriteJSON(w, http.StatusOK, offer)
	}
	return s.show(w, r, room, moved.ticket, moved.place, http.StatusCreated)
}

// movedPlace is a place in its new lane, and its ticket.
type movedPlace struct {
	ticket queue.Ticket
	place  queue.Place
}

// changeLane looks at a code, and moves the place if its holder agrees. An answer
// that was lost is had again.
func (s *Server) changeLane(r *http.Request, m *room, ticket queue.Ticket, body wire.LaneCode) (wire.LaneOffer, *movedPlace, error) {
	none := wire.LaneOffer{}
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	if err != nil {
		return none, nil, err
	}
	by := queue.Redeemer{Place: ticket.Place, Address: limitKey(s.client(r)), Moves: place.Movable()}
	got, err := s.store.Redeem(r.Context(), m.id, by, body.Code, body.Confirm)
	if err != nil {
		return none, nil, err
	}
	if !body.Confirm && !got.Again {
		offer, err := s.laneOffer(r.Context(), m, got.Lane, place)
		return offer, nil, err
	}
	p, err := s.store.Move(r.Context(), m.id, ticket, got.Place)
	if err != nil {
		return none, nil, err
	}
	m.line.Left(ticket.Place)
	m.line.Changed(ticket.Place)
	return none, &movedPlace{queue.Ticket{Sale: m.id, Lane: got.Lane, Place: got.Place, Visitor: ticket.Visitor, Terms: ticket.Terms}, p}, nil
}

// laneOffer is what somebody is told before their place moves.
func (s *Server) laneOffer(ctx context.Context, m *room, name string, place queue.Place) (wire.LaneOffer, error) {
	view, err := m.view(ctx)
	if err != nil {
		return wire.LaneOffer{}, err
	}
	for i, lane := range lanesOf(m.settings(ctx, s.store, s.now()), view) {
		if lane.Name != name {
			continue
		}
		offer := wire.LaneOffer{Lane: lane, Lobby: view.Phase() == ropeline.PhaseLobby, Ahead: view.LaneStand(i).Waiting()}
		if place.State == ropeline.PlaceWaiting && place.Epoch == view.StandIn(place.ID).Epoch {
			now := view.Position(place)
			offer.Now = &now
		}
		return offer, nil
	}
	return wire.LaneOffer{}, errLaneUnknown
}

// joinByCode joins the lane of a code. Whoever has a place in another lane already,
// which a visitor may without a ticket of it, moves.
func (s *Server) joinByCode(r *http.Request, m *room, who *joiner, code string) (queue.Place, error) {
	by := queue.Redeemer{Place: who.place, Address: limitKey(s.client(r)), Joins: true, Moves: true}
	got, err := s.store.Redeem(r.Context(), m.id, by, code, true)
	if err != nil {
		return queue.Place{}, err
	}
	who.place = got.Place
	place, err := s.store.Join(r.Context(), m.id, who.place, who.visitor)
	if err != nil || place.ID == got.Place || !place.Movable() || who.may(place) != nil {
		return place, err
	}
	return s.store.Move(r.Context(), m.id, queue.Ticket{Sale: m.id, Place: place.ID, Visitor: who.visitor}, got.Place)
}
