package edge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// ticketKept is how long after a sale's end a browser keeps its place ticket,
// so that the page can still say what became of the place.
const ticketKept = 24 * time.Hour

// join gives the caller a place. Whoever brings a ticket of a place that can
// still become something keeps that place; a place that is over does not stop
// its holder from joining again, at the tail.
func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	var brought wire.Join
	if err := ropeline.ReadJSON(w, r, &brought); err != nil {
		return err
	}
	ticket, place, status, err := s.enter(w, r, room, brought)
	if err != nil {
		return err
	}
	return s.show(w, r, room, ticket, place, status)
}

// enter returns the place that the caller has (200) or was given now (201).
func (s *Server) enter(w http.ResponseWriter, r *http.Request, m *room, brought wire.Join) (queue.Ticket, queue.Place, int, error) {
	ticket, place, err := s.held(w, r, m)
	if err != nil || ticket.Place != "" {
		return ticket, place, http.StatusOK, err
	}
	if brought.Bypass != "" {
		ticket, place, err = s.bypass(r, m, brought)
	} else {
		ticket, place, err = s.newPlace(w, r, m, brought)
	}
	return ticket, place, http.StatusCreated, err
}

// held returns the living place that the caller has already; a ticket without
// a place means that there is none.
func (s *Server) held(w http.ResponseWriter, r *http.Request, m *room) (queue.Ticket, queue.Place, error) {
	ticket, err := s.ticket(w, r, m.id)
	if errors.Is(err, errTicketMissing) {
		return queue.Ticket{}, queue.Place{}, nil
	}
	if err != nil {
		return queue.Ticket{}, queue.Place{}, err
	}
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	if err == nil && place.State == ropeline.PlaceExpired {
		place, err = s.readmit(r, m, ticket, place)
	}
	if err == nil && (place.State == ropeline.PlaceDone || place.State == ropeline.PlaceExpired) {
		place, err = s.reenter(r, m, ticket, place)
	}
	if errors.Is(err, queue.ErrPlaceUnknown) || err == nil && (place.State.Final() || place.Party.Seat(ticket) == 0) {
		return queue.Ticket{}, queue.Place{}, nil
	}
	return ticket, place, err
}

// readmit gives a fan who missed the turn, and asks for a place again in time,
// the front of the line once more.
func (s *Server) readmit(r *http.Request, m *room, ticket queue.Ticket, place queue.Place) (queue.Place, error) {
	if err := s.store.Hold(r.Context(), m.id, ticket); err != nil {
		if errors.Is(err, queue.ErrPlaceMoved) {
			return place, nil // it returns when its holder asks
		}
		return place, err
	}
	again, err := s.store.Readmit(r.Context(), m.id, ticket, queue.GraceOf(isPhone(r)))
	if err != nil || !again {
		return place, err
	}
	return s.store.Find(r.Context(), m.id, place.ID)
}

// whereabouts says where a place stands: from memory if this edge serves it,
// else from the store; from its ticket while the store cannot tell.
func (s *Server) whereabouts(ctx context.Context, m *room, ticket queue.Ticket, phone bool) (queue.Place, error) {
	place, err := s.lookUp(ctx, m, ticket, phone)
	if err == nil && partyLost(m.line.View(), place, ticket) {
		place, err = s.recallParty(ctx, m, ticket)
	}
	return place.SeenBy(ticket), err
}

func (s *Server) lookUp(ctx context.Context, m *room, ticket queue.Ticket, phone bool) (queue.Place, error) {
	// What is known may be a moment too old to tell of a friend who joined elsewhere.
	if place, ok := m.line.Known(ticket.Place); ok && place.Party.Seat(ticket) > 0 {
		return place, nil
	}
	place, err := s.store.Find(ctx, m.id, ticket.Place)
	view := m.line.View()
	switch {
	case view == nil:
	case errors.Is(err, queue.ErrSettling), errors.Is(err, ropeline.ErrStoreAway),
		// The line was lost since this ticket was given: the place is put back
		// because its fan is here again.
		errors.Is(err, queue.ErrPlaceUnknown) && view.Losses > 0 && (ticket.Epoch != view.StandIn(ticket.Place).Epoch || !view.Drawn):
		return m.line.Recall(ticket, phone), nil
	}
	return place, err
}

var errLineClosed = &ropeline.Error{Kind: ropeline.Conflict, Code: "line-closed",
	Detail: "Nobody can join this line any more. Whoever is in it keeps their place."}

// mayJoin refuses whoever comes to a line that is being drained.
func mayJoin(ctx context.Context, m *room) error {
	view, err := m.view(ctx)
	if err == nil && view.Mode == ropeline.ModeDrain {
		return errLineClosed
	}
	return err
}

// newPlace joins the line for whoever the sale's rule makes the caller.
func (s *Server) newPlace(w http.ResponseWriter, r *http.Request, m *room, brought wire.Join) (queue.Ticket, queue.Place, error) {
	if err := mayJoin(r.Context(), m); err != nil {
		return queue.Ticket{}, queue.Place{}, err
	}
	who, err := s.recognize(w, r, m, brought)
	if err != nil {
		return queue.Ticket{}, queue.Place{}, err
	}
	var place queue.Place
	if brought.Code != "" {
		place, err = s.joinByCode(r, m, &who, brought.Code)
	} else {
		place, err = s.takePlace(w, r, m, who.place, who.visitor)
	}
	if err == nil {
		err = who.may(place)
	}
	if err == nil && place.New {
		s.metrics.joins.WithLabelValues(string(m.id)).Inc()
	}
	return queue.Ticket{Sale: m.id, Lane: place.ID.Lane(), Place: place.ID, Visitor: who.visitor, Terms: m.terms()}, place, err
}

// poll answers where the place stands and when to ask again.
func (s *Server) poll(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.caller(w, r)
	if err != nil {
		return err
	}
	place, err := s.whereabouts(r.Context(), room, ticket, isPhone(r))
	if err != nil {
		return err
	}
	return s.show(w, r, room, ticket, place, http.StatusOK)
}

// caller returns the room and the place ticket of a request.
func (s *Server) caller(w http.ResponseWriter, r *http.Request) (*room, queue.Ticket, error) {
	room, err := s.room(r)
	if err != nil {
		return nil, queue.Ticket{}, err
	}
	ticket, err := s.ticket(w, r, room.id)
	return room, ticket, err
}

// show answers with the status of a place.
func (s *Server) show(w http.ResponseWriter, r *http.Request, m *room, ticket queue.Ticket, place queue.Place, code int) error {
	status, view, err := s.answer(w, r, m, ticket, place, code)
	if err != nil {
		return err
	}
	body, _ := bodies.Get().(*[]byte)
	if body == nil {
		body = new([]byte)
	}
	defer bodies.Put(body)
	*body = append(m.encode((*body)[:0], view, status), '\n')
	ropeline.SendJSON(w, code, *body)
	return nil
}

var bodies sync.Pool // of *[]byte, for statuses

// answer makes the status of a place as the newest view sees it and, where the
// place's order became known or changed, a new ticket, which browsers get as a
// cookie.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, m *room, ticket queue.Ticket, place queue.Place, code int) (wire.Status, *queue.View, error) {
	view, err := m.view(r.Context())
	if err != nil {
		return wire.Status{}, nil, err
	}
	phone := isPhone(r)
	status := seated(statusOf(m.id, view, place, phone), view, place, ticket)
	status = m.weigh(view, place.ID, status)
	status.Message = m.message(view, r.Header.Get("Accept-Language"))
	status.Sale = m.explain(view, r.Header.Get("Accept-Language"), status.Sale)
	if !status.State.Final() {
		every := time.Duration(nextContact(status)) * time.Second
		every = m.line.Visit(ticket, place, phone, s.now(), every)
		status.NextContact = int((every + time.Second - 1) / time.Second)
	}
	renewed := ticket
	renewed.Party = place.Party
	if place.Score != "" {
		renewed.Score, renewed.Epoch = place.Score, place.Epoch
	}
	switch {
	case isApp(r):
		if status.Ticket, err = s.store.SignTicket(renewed); err != nil {
			return wire.Status{}, nil, err
		}
	case code == http.StatusCreated || renewed != ticket && bearer(r) == "":
		raw, err := s.store.SignTicket(renewed)
		if err != nil {
			return wire.Status{}, nil, err
		}
		w.Header().Add("Set-Cookie", m.placeCookie(m.settings(r.Context(), s.store, s.now()).EndsAt, raw))
	}
	if status.NextContact > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(status.NextContact))
	}
	return status, view, nil
}

// claim takes the offer. Repeating it, in a second tab or because the answer
// was lost, gives the same token.
func (s *Server) claim(w http.ResponseWriter, r *http.Request) error {
	return s.giveToken(w, r, s.store.ClaimAs)
}

// renew gives the session its next token.
func (s *Server) renew(w http.ResponseWriter, r *http.Request) error {
	return s.giveToken(w, r, s.store.RenewAs)
}

func (s *Server) giveToken(w http.ResponseWriter, r *http.Request,
	get func(context.Context, ropeline.SaleID, queue.Ticket) (queue.Session, error)) error {
	if err := ropeline.ReadJSON(w, r, &struct{}{}); err != nil {
		return err
	}
	admitted, err := s.admission(w, r, get)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, admitted)
}

// admission gets a session and signs its token, which browsers get as a cookie.
func (s *Server) admission(w http.ResponseWriter, r *http.Request,
	get func(context.Context, ropeline.SaleID, queue.Ticket) (queue.Session, error)) (wire.Admission, error) {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return wire.Admission{}, err
	}
	session, err := get(r.Context(), room.id, ticket)
	if err != nil {
		return wire.Admission{}, err
	}
	room.line.Changed(ticket.Place)
	raw, err := s.signer.Sign(token.Claims{
		Sale: room.id, Place: ticket.Place, Session: session.ID,
		IssuedAt: session.IssuedAt, Expires: session.ExpiresAt, SessionEnds: session.EndsAt,
	})
	if err != nil {
		return wire.Admission{}, err
	}
	if !isApp(r) {
		s.setCookie(w, token.Cookie(room.id), raw, s.tokenPath(r, room.id), session.EndsAt)
	}
	return wire.Admission{Token: raw, ExpiresAt: session.ExpiresAt, Session: wire.Session{ID: session.ID, EndsAt: session.EndsAt}}, nil
}

// leave gives the place up for ever, whatever it has become; if it had a
// session, 204 and 202 mean what they do for end. A member leaves the party, and
// the others keep the place.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) error {
	acknowledged, err := s.depart(w, r)
	if err != nil {
		return err
	}
	w.WriteHeader(ended(acknowledged))
	return nil
}

func (s *Server) depart(w http.ResponseWriter, r *http.Request) (acknowledged bool, err error) {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return false, err
	}
	given, acknowledged, err := s.store.LeaveAs(r.Context(), room.id, ticket)
	if err != nil {
		return false, err
	}
	if given {
		room.line.Left(ticket.Place)
		s.forgetAddress(r, room, ticket.Place)
	}
	room.line.Changed(ticket.Place)
	if !isApp(r) {
		s.dropCookie(w, wire.PlaceCookie(room.id), placePath(room.id))
		s.dropCookie(w, token.Cookie(room.id), s.tokenPath(r, room.id))
	}
	return acknowledged, nil
}

// ended is 204 when everything is over, 202 when a gate has not acknowledged
// the end of the session yet.
func ended(acknowledged bool) int {
	if acknowledged {
		return http.StatusNoContent
	}
	return http.StatusAccepted
}

// end ends the session: 204 when the slot is free, 202 when some gate has not
// acknowledged it, and the slot frees when the last token has expired.
func (s *Server) end(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	acknowledged, err := s.store.EndAs(r.Context(), room.id, ticket)
	if err != nil {
		return err
	}
	room.line.Changed(ticket.Place)
	if !isApp(r) {
		s.dropCookie(w, token.Cookie(room.id), s.tokenPath(r, room.id))
	}
	w.WriteHeader(ended(acknowledged))
	return nil
}
