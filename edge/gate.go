package edge

import (
	"errors"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
)

// Gate checks admission tokens for shops that are not ours. gate.Gate is one.
type Gate interface {
	Decide(rule gate.Rule, raw string) (*token.Claims, error)
}

// Sight knows whether a gate can tell sessions that go on from those that have
// ended. queue.Revocations has it.
type Sight interface {
	Ended(session string) (bool, error)
}

// entry is what the gate found out about a request that may pass.
type entry struct {
	claims token.Claims // empty where none are needed, or the gate failed open
	blind  bool         // it passes because the gate cannot see
	owed   bool         // the client came in just now, and has no token yet
}

// judge says whether a request may pass. It fails with what to answer, an error
// of the token's if it must go through the room.
func (s *Server) judge(p passage.Passage, h http.Header) (entry, error) {
	if p.Route == nil {
		return entry{}, nil // the room
	}
	if _, err := s.config.Sight.Ended(""); err != nil {
		if p.Route.Fail == passage.FailOpen {
			return entry{blind: true}, nil
		}
		return entry{}, err
	}
	if !p.Route.Token {
		return entry{}, nil
	}
	rule := gate.Rule{Sale: p.Host.Sale, Pass: true}
	var refused error
	for raw := range credentials(h, p.Host.Sale) {
		claims, err := s.config.Gate.Decide(rule, raw)
		if err == nil {
			return entry{claims: *claims}, nil
		}
		if !errors.Is(refused, ropeline.ErrRateLimited) { // which a second token that is none does not hide
			refused = err
		}
	}
	if errors.Is(refused, ropeline.ErrRateLimited) {
		s.limits.reached.WithLabelValues("session").Inc()
	}
	return entry{}, refused
}

// mostTokens is how many tokens of one request are looked at: a browser may send
// two cookies of one name, an app its own credential beside ours.
const mostTokens = 3

// credentials are what may be an admission token in a request: the sale's own
// cookie first, since an Authorization header is mostly the shop's business; ""
// where there is nothing of the kind.
func credentials(h http.Header, sale ropeline.SaleID) iter.Seq[string] {
	return func(yield func(string) bool) {
		found := 0
		for _, line := range h["Cookie"] {
			for raw := range token.Cookies(line, sale) {
				if found++; !yield(raw) || found == mostTokens {
					return
				}
			}
		}
		if bearer := ropeline.Bearer(h.Get("Authorization")); bearer != "" || found == 0 {
			yield(bearer)
		}
	}
}

// Headers that tell the upstream who is in, and a proxy what came of it.
const (
	headerSession = "X-Ropeline-Session"
	headerPlace   = "X-Ropeline-Place"
	headerSale    = "X-Ropeline-Sale"
	headerGate    = "X-Ropeline-Gate" // "blind": nobody was checked
	headerRoom    = "X-Ropeline-Room" // where a browser that opens a page is sent
)

// tell writes what an upstream may rely on. What there is nothing to say of is
// empty, not missing: Caddy would put a text of its own there.
func (e entry) tell(h http.Header, p passage.Passage) {
	said := []string{string(p.Host.Sale), e.claims.Session, string(e.claims.Place), ""}
	if e.blind {
		said[3] = "blind"
	}
	for i, name := range [...]string{headerSale, headerSession, headerPlace, headerGate} {
		h[name] = said[i : i+1 : i+1]
	}
}

var errProxyUntrusted = &ropeline.Error{Kind: ropeline.Forbidden, Code: "proxy-untrusted",
	Detail: "Only the proxies that this server was told of may ask this."}

// verify answers a proxy that asks whether its client's request may pass: 200
// with headers, or what is wrong. With ?answer=page the proxy hands our answer on
// as it is, and a browser that opens a page is sent to the room; else it gets 401
// and is told where the room is.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) error {
	if s.config.Routes == nil {
		return ropeline.ErrRouteUnknown
	}
	w.Header()["Cache-Control"] = noStore
	if from, ok := parseAddress(r.RemoteAddr); ok && !within(from, s.config.TrustedProxies) {
		return errProxyUntrusted
	}
	asked, err := passage.ReadForwarded(r.Header, r.Host)
	if err != nil {
		return err
	}
	p, err := s.config.Routes.DecideForwarded(asked)
	toll := s.tolls.at(p)
	if err != nil {
		toll.turned(err)
		return err
	}
	e, err := s.judge(p, r.Header)
	if err != nil {
		e, err = s.caught(w, r, p, err)
	}
	if err == nil {
		err = s.welcome(w, r, &e)
	}
	if err != nil {
		toll.turned(err)
		return s.refuse(w, r, p, asked.Method, err, r.URL.Query().Get("answer") == "page")
	}
	e.tell(w.Header(), p)
	s.prolong(w, r, e)
	toll.count(outPassed)
	w.WriteHeader(http.StatusOK)
	return nil
}

// refuse answers a request that lacks a token: a browser that opens a page is
// led to the room, everybody else told where it is. Other errors it returns.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p passage.Passage, method string, err error, lead bool) error {
	if problem, _ := ropeline.ProblemOf(err); problem.Status != http.StatusUnauthorized {
		return err
	}
	opens := opensPage(method, r.Header)
	back := "/"
	if opens {
		back = p.Path.Target()
	}
	room := p.Host.Room(back)
	w.Header().Set("Location", room)
	if opens {
		w.Header().Set(headerRoom, room)
	}
	if opens && lead {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return err
}

// opensPage reports whether a browser asks for a page to show, not for a part of
// one.
func opensPage(method string, h http.Header) bool {
	if method != http.MethodGet {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(h.Get("Accept"), "text/html")
}

// addressed reports whether a request is for the edge itself: for one of its own
// hosts, or for the room on a shop's. What is for a shop it passes on.
func (s *Server) addressed(w http.ResponseWriter, r *http.Request) (ours bool, err error) {
	if r.URL.Path == passage.Verify { // on every host; proxies that ask name any or none
		return true, nil
	}
	if s.shop(r) == nil {
		err := s.hosted(r)
		return err == nil, err
	}
	p, err := s.config.Routes.Decide(r.Method, r.Host, r.RequestURI)
	if err != nil {
		s.tolls.at(p).turned(err)
		return false, err
	}
	if p.Route == nil {
		return true, nil
	}
	return false, s.pass(w, r, p)
}

// shop is the shop on whose host a request came, nil on our own.
func (s *Server) shop(r *http.Request) *passage.Host {
	if s.config.Routes == nil {
		return nil
	}
	return s.config.Routes.Shop(r.Host)
}

// tokenPath is where the admission cookie of a sale goes: on a shop's host all
// over it, on ours to the API.
func (s *Server) tokenPath(r *http.Request, sale ropeline.SaleID) string {
	if h := s.shop(r); h != nil && h.Sale == sale {
		return "/"
	}
	return admissionPath
}

// shopPage is our own shop; on another's host, the way to theirs.
func (s *Server) shopPage(w http.ResponseWriter, r *http.Request) error {
	if s.shop(r) == nil {
		return s.salePage("shop.html")(w, r)
	}
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// prolong gives a fan the next token in passing, when half of the old one's time
// is over: a shop that knows nothing of us does not ask for it. It is a help: what
// goes wrong is not the request's concern.
func (s *Server) prolong(w http.ResponseWriter, r *http.Request, e entry) {
	c := e.claims
	if c.Session == "" || s.now().Before(c.IssuedAt.Add(c.Expires.Sub(c.IssuedAt)/2)) || !c.Expires.Before(c.SessionEnds) {
		return
	}
	if !s.renewals.first(c.Session, s.now()) {
		return
	}
	session, err := s.store.Renew(r.Context(), c.Sale, c.Place)
	if err != nil || session.ID != c.Session {
		return
	}
	raw, err := s.signer.Sign(token.Claims{
		Sale: c.Sale, Place: c.Place, Session: session.ID,
		IssuedAt: session.IssuedAt, Expires: session.ExpiresAt, SessionEnds: session.EndsAt,
	})
	if err == nil {
		s.setCookie(w, token.Cookie(c.Sale), raw, "/", session.EndsAt)
	}
}

// checkRoutes refuses a table that the edge cannot serve.
func (c Config) checkRoutes() error {
	if c.Routes == nil {
		return nil
	}
	return c.Routes.CheckOwn(c.BookingURL)
}

// renewals remembers whose token was renewed a moment ago: the parts of one page
// are asked for at once.
type renewals struct {
	mu    sync.Mutex
	since time.Time
	done  map[string]struct{}
}

const renewedFor = 2 * time.Second

// first reports whether a session's token was not renewed just now.
func (n *renewals) first(session string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.done == nil || now.Sub(n.since) > renewedFor {
		n.since, n.done = now, map[string]struct{}{}
	}
	if _, done := n.done[session]; done {
		return false
	}
	n.done[session] = struct{}{}
	return true
}
