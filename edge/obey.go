package edge

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/ropeline/ropeline/admission/token"
)

// sessionHeader is how an upstream says what becomes of the session of the request
// that it answers.
const sessionHeader = "Ropeline-Session"

// wish is what it asked for.
type wish struct {
	end     bool
	reentry bool // it failed the fan, who may come in again
}

// wishOf takes the header out of an answer and reads it: "end", "reentry".
func wishOf(h http.Header) (w wish) {
	switch strings.ToLower(strings.TrimSpace(h.Get(sessionHeader))) {
	case "end":
		w.end = true
	case "reentry":
		w.reentry = true
	}
	h.Del(sessionHeader)
	return w
}

// obey does what an upstream of ours says of the session of the request that it
// answers.
func (s *Server) obey(r *http.Response) {
	says := wishOf(r.Header)
	if !says.end && !says.reentry {
		return
	}
	c, ok := s.admitted(r.Request, s.now())
	if ok && says.reentry {
		s.owe(c)
	}
	if ok && says.end {
		s.endOf(c)
	}
}

// admitted is the admission token that a request carries and that was good then,
// if it has one.
func (s *Server) admitted(r *http.Request, at time.Time) (token.Claims, bool) {
	if s.config.JWKS == nil {
		return token.Claims{}, false
	}
	keys, err := token.ParseKeySet(s.config.JWKS()) // seldom: 70 us with the check
	if err != nil {
		return token.Claims{}, false
	}
	c, err := token.NewVerifier(keys, func() time.Time { return at }).Verify(token.Raw(token.Header(r.Header)))
	if err != nil {
		return token.Claims{}, false
	}
	return *c, true
}

// endOf ends the session of a token, and no other that its place may have by now.
// The answer does not wait for the gates to hear of it.
func (s *Server) endOf(c token.Claims) {
	ctx := context.Background()
	s.ending.Go(func() {
		if _, err := s.store.EndThis(ctx, c.Sale, c.Place, c.Session); err != nil {
			s.log.Warn("an upstream ended a session, which did not work; it ends when its token does", "sale", c.Sale, "session", c.Session, "err", err)
			return
		}
		if room, err := s.rooms.known(c.Sale, s.now()); err == nil && room != nil {
			room.line.Changed(c.Place)
		}
	})
}
