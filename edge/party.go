package edge

import (
	"context"
	"errors"
	"net/http"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var (
	errNoParties = &ropeline.Error{Kind: ropeline.Conflict, Code: "parties-off", Detail: "In this sale everybody stands in line alone."}
	errPartyOwn  = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-own-place",
		Detail: "You have a place of your own in this line. Joining the party gives it up for good: say that you agree."}
	errPartyTwo = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-member",
		Detail: "You are in another party already. Leave it first."}
	errPartyTurn = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-own-turn",
		Detail: "The turn of your own place has come. Take it, or leave it first."}
)

// invite answers with the code by which friends join the caller's place.
func (s *Server) invite(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	if err := ropeline.ReadJSON(w, r, &struct{}{}); err != nil {
		return err
	}
	doc, err := s.invitation(r, room, ticket)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

func (s *Server) invitation(r *http.Request, m *room, ticket queue.Ticket) (wire.Invite, error) {
	most := m.settings(r.Context(), s.store, s.now()).PartyMax
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	switch {
	case err != nil:
		return wire.Invite{}, err
	case most < 2:
		return wire.Invite{}, errNoParties
	case place.State.Final():
		return wire.Invite{}, queue.ErrPlaceUnknown
	case place.Party.Seat(ticket) == 0:
		return wire.Invite{}, queue.ErrParted
	}
	party := place.Party
	if party == "" {
		if party, err = s.store.OpenParty(r.Context(), m.id, ticket.Place); err != nil {
			return wire.Invite{}, err
		}
		m.line.Changed(ticket.Place)
	}
	code := s.store.Invite(m.id, ticket.Place)
	return wire.Invite{Code: code, URL: roomLink(r, m.id, partyFragment+code), Size: party.Size(), Max: most}, nil
}

// partyFragment is what stands before a party's code in its link.
const partyFragment = "party="

// joinParty gives a friend a seat in the party of a code. A friend needs no
// credential of a visitor: a party has one chance in the draw, whoever is in it.
func (s *Server) joinParty(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	var body wire.JoinParty
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	ticket, place, status, err := s.befriend(w, r, room, body)
	if err != nil {
		return err
	}
	return s.show(w, r, room, ticket, place, status)
}

// befriend returns the place that the caller shares already (200) or from now on
// (201).
func (s *Server) befriend(w http.ResponseWriter, r *http.Request, m *room, body wire.JoinParty) (queue.Ticket, queue.Place, int, error) {
	if body.Device != "" && !randomName.MatchString(body.Device) {
		return queue.Ticket{}, queue.Place{}, 0, ropeline.ErrBodyMalformed
	}
	id, err := s.store.ReadInvite(m.id, body.Code)
	if err != nil {
		return queue.Ticket{}, queue.Place{}, 0, err
	}
	own, had, err := s.ownPlace(w, r, m)
	if err != nil || own.Place == id {
		return own, had, http.StatusOK, err
	}
	if err := mayJoin(r.Context(), m); err != nil {
		return queue.Ticket{}, queue.Place{}, 0, err
	}
	if err := mayGiveUp(own, had, body.GiveUp); err != nil {
		return queue.Ticket{}, queue.Place{}, 0, err
	}
	ticket, err := s.takeSeat(r.Context(), m, id, body.Device)
	if err != nil {
		return queue.Ticket{}, queue.Place{}, 0, err
	}
	if own.Place != "" { // after the seat is there: who is refused keeps the place
		if _, _, err := s.store.LeaveAs(r.Context(), m.id, own); err != nil && !errors.Is(err, queue.ErrPlaceUnknown) {
			return queue.Ticket{}, queue.Place{}, 0, err
		}
		m.line.Left(own.Place)
		m.line.Changed(own.Place)
	}
	place, err := s.store.Find(r.Context(), m.id, id)
	return ticket, place, http.StatusCreated, err
}

// takeSeat makes the ticket of a new member.
func (s *Server) takeSeat(ctx context.Context, m *room, id ropeline.PlaceID, device string) (queue.Ticket, error) {
	most := m.settings(ctx, s.store, s.now()).PartyMax
	if most < 2 {
		return queue.Ticket{}, errNoParties
	}
	place, err := s.store.Find(ctx, m.id, id)
	if errors.Is(err, queue.ErrPlaceUnknown) || err == nil && (place.State == ropeline.PlaceLeft || place.State == ropeline.PlaceDone) {
		return queue.Ticket{}, queue.ErrPartyOver
	}
	if err != nil {
		return queue.Ticket{}, err
	}
	ticket := queue.Ticket{Sale: m.id, Lane: id.Lane(), Place: id, Member: queue.NewMember(id, device), Generation: place.Generation, Terms: m.terms()}
	if ticket.Party, err = s.store.JoinParty(ctx, m.id, ticket, most); err == nil {
		m.line.Changed(id)
	}
	return ticket, err
}

// ownPlace is the living place that the caller has a seat in; a ticket without a
// place means that there is none. Unlike held it changes nothing.
func (s *Server) ownPlace(w http.ResponseWriter, r *http.Request, m *room) (queue.Ticket, queue.Place, error) {
	ticket, err := s.ticket(w, r, m.id)
	if errors.Is(err, errTicketMissing) || errors.Is(err, queue.ErrTicketInvalid) {
		return queue.Ticket{}, queue.Place{}, nil // a damaged ticket is replaced
	}
	if err != nil {
		return queue.Ticket{}, queue.Place{}, err
	}
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	if errors.Is(err, queue.ErrPlaceUnknown) || err == nil && (place.State.Final() || place.Elsewhere || place.Party.Seat(ticket) == 0) {
		return queue.Ticket{}, queue.Place{}, nil // a copy that only watches gives up nothing
	}
	return ticket, place, err
}

// mayGiveUp refuses to give up by accident what cannot be had again.
func mayGiveUp(own queue.Ticket, had queue.Place, agreed bool) error {
	switch {
	case own.Place == "":
		return nil
	case had.State == ropeline.PlaceOffered || had.State == ropeline.PlaceActive:
		return errPartyTurn
	case had.Party.Size() > 1:
		return errPartyTwo
	case !agreed:
		return errPartyOwn
	}
	return nil
}

// seated adds who shares the place. Who is not a member any more has left it.
func seated(s wire.Status, v *queue.View, p queue.Place, t queue.Ticket) wire.Status {
	seat := p.Party.Seat(t)
	s.Terms = t.Terms
	switch {
	case seat == 0:
		gone := wire.Status{State: ropeline.PlaceLeft, Sale: s.Sale}
		if s.State == ropeline.PlaceActive || s.State == ropeline.PlaceDone {
			gone.State = ropeline.PlaceDone
		}
		return gone
	case p.Party != "":
		size := p.Party.Size()
		s.Party = &wire.Party{Size: size, You: seat, TooLarge: size > 1 && v.Cap > 0 && int64(size) > v.Cap && v.Mode != ropeline.ModePass}
	}
	return s
}

// partyLost reports whether a loss of the line, since the ticket was given, may
// have forgotten who shares the place.
func partyLost(v *queue.View, p queue.Place, t queue.Ticket) bool {
	forgotten := p.Party.Seat(t) == 0 || t.Party != "" && p.Party == ""
	return forgotten && v != nil && v.Losses > 0 && (t.Epoch != v.StandIn(p.ID).Epoch || !v.Drawn) && !p.State.Final()
}

func (s *Server) recallParty(ctx context.Context, m *room, t queue.Ticket) (queue.Place, error) {
	if err := s.store.RecallParty(ctx, m.id, t); err != nil {
		return queue.Place{}, err
	}
	m.line.Changed(t.Place)
	return s.store.Find(ctx, m.id, t.Place)
}
