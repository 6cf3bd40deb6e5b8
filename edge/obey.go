package edge

import (
	"context"
	"net/http"
	"strings"

	"github.com/ropeline/ropeline/admission/token"
)

// endHeader is how an upstream says that the session of the request that it
// answers is over.
const endHeader = "Ropeline-Session"

// wantsEnd takes the header out of an answer, and reports what it asked for.
func wantsEnd(h http.Header) bool {
	ends := strings.EqualFold(strings.TrimSpace(h.Get(endHeader)), "end")
	h.Del(endHeader)
	return ends
}

// obey does what an upstream of ours says of the session of the request that it
// answers.
func (s *Server) obey(r *http.Response) {
	if !wantsEnd(r.Header) {
		return
	}
	if c, ok := s.admitted(r.Request); ok {
		s.endOf(c)
	}
}

// admitted is the good admission token that a request carries, if it does.
func (s *Server) admitted(r *http.Request) (token.Claims, bool) {
	if s.config.JWKS == nil {
		return token.Claims{}, false
	}
	keys, err := token.ParseKeySet(s.config.JWKS()) // seldom: 70 us with the check
	if err != nil {
		return token.Claims{}, false
	}
	c, err := token.NewVerifier(keys, s.now).Verify(token.Raw(token.Header(r.Header)))
	return c, err == nil
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
