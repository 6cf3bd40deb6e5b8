package edge

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/qr"
	"github.com/ropeline/ropeline/queue"
)

// holder is caller for what only the newest copy of a place's ticket may do:
// everything but looking.
func (s *Server) holder(w http.ResponseWriter, r *http.Request) (*room, queue.Ticket, error) {
	room, ticket, err := s.caller(w, r)
	if err == nil {
		err = s.store.Hold(r.Context(), room.id, ticket)
	}
	return room, ticket, err
}

// handOver answers with a code that moves the place to another device.
func (s *Server) handOver(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.caller(w, r)
	if err != nil {
		return err
	}
	if err := ropeline.ReadJSON(w, r, &struct{}{}); err != nil {
		return err
	}
	doc, err := s.offerCode(w, r, room, ticket)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusCreated, doc)
}

func (s *Server) offerCode(w http.ResponseWriter, r *http.Request, m *room, ticket queue.Ticket) (wire.Handover, error) {
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	if err != nil {
		return wire.Handover{}, err
	}
	if place.State.Final() {
		return wire.Handover{}, queue.ErrTurnCame
	}
	code, err := queue.NewCode(s.config.Rand)
	if err != nil {
		return wire.Handover{}, err
	}
	if place.Score != "" {
		ticket.Score, ticket.Epoch = place.Score, place.Epoch
	}
	until, err := s.store.OfferCode(r.Context(), m.id, ticket, code)
	if err != nil {
		return wire.Handover{}, err
	}
	link := roomLink(r, m.id, "handover="+code.String())
	picture, err := qr.SVG(link)
	return wire.Handover{Code: code.String(), URL: link, QR: picture, ExpiresAt: until}, err
}

// roomLink is the address of the waiting room that another browser opens. A code
// is in the fragment, which no browser sends to a server and no log keeps.
func roomLink(r *http.Request, sale ropeline.SaleID, fragment string) string {
	scheme := "https"
	if from, err := url.Parse(r.Header.Get("Origin")); err == nil && strings.EqualFold(from.Host, r.Host) {
		scheme = from.Scheme // plain HTTP on a developer's machine
	}
	return (&url.URL{Scheme: scheme, Host: r.Host, Path: "/sales/" + string(sale), Fragment: fragment}).String()
}

// randomName is what a device calls itself or an attempt to join: so random that
// nobody else can ask for what was answered to it.
var randomName = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// exchange gives the place of a code to the device that brings it.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	var body wire.Exchange
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Device != "" && !randomName.MatchString(body.Device) {
		return ropeline.ErrBodyMalformed
	}
	ticket, err := s.takeOver(w, r, room, body)
	if err != nil {
		return err
	}
	place, err := s.store.Find(r.Context(), room.id, ticket.Place)
	if err != nil {
		return err
	}
	return s.show(w, r, room, ticket, place, http.StatusCreated)
}

func (s *Server) takeOver(w http.ResponseWriter, r *http.Request, m *room, body wire.Exchange) (queue.Ticket, error) {
	code, err := queue.ParseCode(body.Code)
	if err != nil {
		return queue.Ticket{}, err
	}
	own, err := s.livingPlace(w, r, m)
	if err != nil {
		return queue.Ticket{}, err
	}
	ticket, err := s.store.Exchange(r.Context(), m.id, code, body.Device, own)
	if err != nil {
		return queue.Ticket{}, err
	}
	m.line.Changed(ticket.Place)
	s.forgetAddress(r, m, ticket.Place) // who held it is told nothing any more
	return ticket, nil
}

// livingPlace is the place that the caller has and that can still become
// something, "" if there is none.
func (s *Server) livingPlace(w http.ResponseWriter, r *http.Request, m *room) (ropeline.PlaceID, error) {
	ticket, err := s.ticket(w, r, m.id)
	if errors.Is(err, errTicketMissing) || errors.Is(err, queue.ErrTicketInvalid) {
		return "", nil // a damaged ticket is replaced
	}
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	switch {
	case errors.Is(err, queue.ErrPlaceUnknown):
		return "", nil
	case err != nil || place.State.Final():
		return "", err
	}
	return ticket.Place, nil
}
