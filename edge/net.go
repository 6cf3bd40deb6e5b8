package edge

import (
	"crypto/rand"
	"net/http"
	"slices"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/queue"
)

// A safety net lets people in where they ask, as long as nobody has to wait:
// at the gate with the request itself, at the room with the join.

// caught lets a request that lacks a token through a quiet safety net: it goes on,
// and is owed a token. Where somebody waits, or the sale is no net, the
// refusal stands. A client that keeps no cookie takes a slot for a token's life
// with each request; the limit of joins of an address bounds that.
func (s *Server) caught(w http.ResponseWriter, r *http.Request, p passage.Passage, refused error) (entry, error) {
	if problem, _ := ropeline.ProblemOf(refused); problem.Status != http.StatusUnauthorized {
		return entry{}, refused
	}
	// A part of somebody else's page would take a slot each time: browsers drop the cookie.
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Dest") != "document" {
		return entry{}, refused
	}
	m, err := s.rooms.get(r.Context(), p.Host.Sale, s.now())
	if err != nil || !m.settings(r.Context(), s.store, s.now()).SafetyNet {
		return entry{}, refused
	}
	if err := mayJoin(r.Context(), m); err != nil {
		return entry{}, refused
	}
	if err := s.countJoin(w, r); err != nil {
		return entry{}, err
	}
	id, err := queue.NewPlaceID(rand.Reader)
	if err != nil {
		return entry{}, err
	}
	place, passed, err := s.store.Pass(r.Context(), m.id, id)
	if err != nil || !passed {
		return entry{}, refused // the room says what is the matter
	}
	return entry{claims: claimsOf(m.id, place), owed: true}, nil
}

// welcome gives a client the token that it is owed, as a cookie.
func (s *Server) welcome(w http.ResponseWriter, r *http.Request, e *entry) error {
	if !e.owed {
		return nil
	}
	e.owed = false
	raw, err := s.signer.Sign(e.claims)
	if err != nil {
		return err
	}
	s.setCookie(w, token.Cookie(e.claims.Sale), raw, s.tokenPath(r, e.claims.Sale), e.claims.SessionEnds)
	return nil
}

// countJoin counts a request that joins, though it was for something else.
func (s *Server) countJoin(w http.ResponseWriter, r *http.Request) error {
	return s.count(w, r, slices.DeleteFunc(s.boundsOf("POST "+salePath+"/place"), func(b bound) bool { return b.name != "joins" }))
}

// claimsOf is what the token of an admitted place says.
func claimsOf(sale ropeline.SaleID, p queue.Place) token.Claims {
	return token.Claims{Sale: sale, Place: p.ID, Session: p.Session.ID,
		IssuedAt: p.Session.IssuedAt, Expires: p.Session.ExpiresAt, SessionEnds: p.Session.EndsAt}
}

// takePlace gives a newcomer a place: behind everybody, or at once in the shop
// where a safety net is quiet. A browser gets its token with it then.
func (s *Server) takePlace(w http.ResponseWriter, r *http.Request, m *room, id ropeline.PlaceID, visitor string) (queue.Place, error) {
	if !m.settings(r.Context(), s.store, s.now()).SafetyNet {
		return s.store.Join(r.Context(), m.id, id, visitor)
	}
	place, passed, err := s.store.Pass(r.Context(), m.id, id)
	if err != nil {
		return queue.Place{}, err
	}
	if !passed {
		return s.store.Join(r.Context(), m.id, id, visitor)
	}
	if place.State == ropeline.PlaceActive && !isApp(r) {
		raw, err := s.signer.Sign(claimsOf(m.id, place))
		if err != nil {
			return queue.Place{}, err
		}
		s.setCookie(w, token.Cookie(m.id), raw, s.tokenPath(r, m.id), place.Session.EndsAt)
	}
	return place, nil
}
