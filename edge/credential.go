package edge

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var errTicketMissing = &ropeline.Error{
	Kind: ropeline.Unauthenticated, Code: "place-ticket-missing", Detail: "You have no place in this line yet: join it first.",
}

// bearer returns the request's bearer credential, "" without one.
func bearer(r *http.Request) string { return ropeline.Bearer(r.Header.Get("Authorization")) }

// isApp reports whether the client wants its credentials in the body rather
// than as cookies.
func isApp(r *http.Request) bool { return r.Header.Get(wire.AppHeader) == "1" }

// isPhone reports whether the client puts sleeping pages away, as phones do:
// its place is waited for longer.
func isPhone(r *http.Request) bool {
	return r.Header.Get("Sec-Ch-Ua-Mobile") == "?1" || strings.Contains(r.UserAgent(), "Mobi")
}

// ticket reads the place ticket of a request: errTicketMissing without one,
// queue.ErrTicketInvalid if it is not one of ours for this sale.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request, sale ropeline.SaleID) (queue.Ticket, error) {
	raw := rawTicket(r, sale)
	if raw == "" {
		return queue.Ticket{}, errTicketMissing
	}
	t, err := s.store.ReadTicket(sale, raw)
	if err != nil && bearer(r) == "" {
		// Scripts cannot remove an HttpOnly cookie: unless we do, a browser
		// with a damaged one could never join again.
		s.dropCookie(w, wire.PlaceCookie(sale), placePath(sale))
	}
	return t, err
}

// rawTicket returns what a request brings as its place ticket, "" for nothing.
func rawTicket(r *http.Request, sale ropeline.SaleID) string {
	if raw := bearer(r); raw != "" {
		return raw
	}
	cookie, err := r.Cookie(wire.PlaceCookie(sale))
	if err != nil {
		return ""
	}
	return cookie.Value
}

func placePath(sale ropeline.SaleID) string { return "/api/v1/sales/" + string(sale) }

const admissionPath = "/api/v1"

func (s *Server) setCookie(w http.ResponseWriter, name, value, path string, until time.Time) {
	http.SetCookie(w, cookie(name, value, path, until))
}

func cookie(name, value, path string, until time.Time) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: path, Expires: until,
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	}
}

// placeCookies is what the cookies of all places of a sale have in common: to
// write one anew costs more than to sign the ticket in it.
type placeCookies struct {
	ends       time.Time // the sale
	head, tail string
}

// placeCookie is the cookie of a place ticket, as setCookie would write it.
func (m *room) placeCookie(ends time.Time, ticket string) string {
	c := m.cookies.Load()
	if c == nil || !c.ends.Equal(ends) {
		const here = "ticket"
		text := cookie(wire.PlaceCookie(m.id), here, placePath(m.id), ends.Add(ticketKept)).String()
		c = &placeCookies{ends: ends}
		c.head, c.tail, _ = strings.Cut(text, "="+here)
		c.head += "="
		m.cookies.Store(c)
	}
	return c.head + ticket + c.tail
}

func (s *Server) dropCookie(w http.ResponseWriter, name, path string) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Path: path, MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
}

// checkSocketOrigin is ropeline.CheckOrigin for WebSockets, whose handshake is a GET
// that any page may start.
func checkSocketOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil // not a browser
	}
	if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
		return ropeline.ErrOriginMismatch
	}
	return nil
}
