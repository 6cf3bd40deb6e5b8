package edge

import (
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var errEmail = &ropeline.Error{Kind: ropeline.Invalid, Code: "email-invalid", Status: http.StatusUnprocessableEntity,
	Detail: "This is no e-mail address: there is one as ada@example.org. Your place is kept."}

// mostLanguage bounds what a browser says that it reads.
const mostLanguage = 100

// askLetter keeps an address that is told when the caller's turn is near.
func (s *Server) askLetter(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	var body wire.AskLetter
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := s.keepAddress(r, room, ticket, body.Email); err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusCreated, wire.LetterAsked{Minutes: s.notice(r, room)})
}

// notice is how many minutes before the turn a letter comes, at least one.
func (s *Server) notice(r *http.Request, m *room) int {
	return int(m.settings(r.Context(), s.store, s.now()).Notice().Round(time.Minute) / time.Minute)
}

// keepAddress keeps it, with a link that carries the place: its code is made now, for
// whoever sends the letter has no place ticket, and good until the sale ends.
func (s *Server) keepAddress(r *http.Request, m *room, ticket queue.Ticket, email string) error {
	if !ropeline.IsEmail(email) {
		return errEmail
	}
	place, err := s.whereabouts(r.Context(), m, ticket, isPhone(r))
	if err != nil {
		return err
	}
	if place.State != ropeline.PlaceCollected && place.State != ropeline.PlaceWaiting {
		return queue.ErrTurnCame
	}
	if place.Score != "" {
		ticket.Score, ticket.Epoch = place.Score, place.Epoch
	}
	code, err := queue.NewMailCode(s.config.Rand)
	if err != nil {
		return err
	}
	left := m.settings(r.Context(), s.store, s.now()).EndsAt.Sub(s.now())
	if left <= 0 {
		return queue.ErrSaleEnded
	}
	lang := r.Header.Get("Accept-Language")
	to := queue.NearAddress{Email: email, Language: lang[:min(len(lang), mostLanguage)], Link: roomLink(r, m.id, "handover="+code.String())}
	// The code comes last: it takes the place of an earlier one, whose letter may be out.
	if err := s.store.AskNear(r.Context(), m.id, ticket.Place, to); err != nil {
		return err
	}
	if err := s.store.MailCode(r.Context(), m.id, ticket, code, left); err != nil {
		s.forgetAddress(r, m, ticket.Place)
		return err
	}
	return nil
}

// forgetLetter forgets the address.
func (s *Server) forgetLetter(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	if err := s.store.ForgetNear(r.Context(), room.id, ticket.Place); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forgetAddress forgets who is to be told of a place that is given up, or another's. If that
// fails it is forgotten when the place is looked at, or its letter has a link that is void.
func (s *Server) forgetAddress(r *http.Request, m *room, place ropeline.PlaceID) {
	if err := s.store.ForgetNear(r.Context(), m.id, place); err != nil {
		s.log.Debug("an address is kept until its place is looked at", "sale", m.id, "err", err)
	}
}

// plainLetter is askLetter by a form, and says what comes.
func (s *Server) plainLetter(w http.ResponseWriter, r *http.Request) error {
	room, view, err := s.plainView(r)
	if err != nil {
		return err
	}
	_, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	if err := s.keepAddress(r, room, ticket, r.PostForm.Get("email")); err != nil {
		return err
	}
	view.Scene, view.Minutes = "told", s.notice(r, room)
	return s.writePlain(w, http.StatusOK, view)
}
