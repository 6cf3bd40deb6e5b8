package edge

import (
	"net/http"
	"net/netip"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/visitor"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var (
	errVisitorKind = &ropeline.Error{Kind: ropeline.Internal, Code: "visitor-kind-unknown",
		Detail: "This server does not know whom the sale gives a place."}
	errNoChallenge = &ropeline.Error{Kind: ropeline.Conflict, Code: "no-challenge",
		Detail: "This sale has nothing to solve: join it."}
	errScriptNeeded = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "script-needed",
		Detail: "This sale gives one place to each browser, and your browser can only show that it is one with JavaScript. Please switch it on."}
	errProofSpent = &ropeline.Error{Kind: ropeline.Conflict, Code: "attempt-spent",
		Detail: "This has brought a place already, and that place is over. Join anew."}
	errPlaceElsewhere = &ropeline.Error{Kind: ropeline.Conflict, Code: "place-elsewhere",
		Detail: "Somebody has joined with this already. If it was you, go on where you joined, or move the place here from there."}
)

// joiner is whoever joins, as the line knows them.
type joiner struct {
	kind    ropeline.VisitorKind
	visitor string           // "" for anybody
	place   ropeline.PlaceID // that this attempt gets
}

// recognize asks the sale's rule who it is that joins.
func (s *Server) recognize(w http.ResponseWriter, r *http.Request, m *room, brought wire.Join) (joiner, error) {
	sale := m.settings(r.Context(), s.store, s.now())
	rule := sale.Visitor
	of := kindOf(sale, brought)
	if of == ropeline.VisitorAnybody {
		return s.anybody(sale, brought.Attempt)
	}
	kind := s.config.Visitors[of]
	if kind == nil {
		return joiner{}, errVisitorKind
	}
	if brought.Plain && of == ropeline.VisitorBrowser {
		return s.plainBrowser(w, r, sale, brought.Attempt)
	}
	who, attempt, err := kind.Recognize(sale, brought)
	if err != nil {
		return joiner{}, err
	}
	lane, err := laneOf(sale, kind, of, brought)
	if err != nil {
		return joiner{}, err
	}
	// After the proof is checked: what does not hold may not use up the neighbors' places.
	if of != ropeline.VisitorBrowser {
		return s.joiner(sale, of, who, attempt, lane)
	}
	if err := s.takeNetwork(r, w.Header(), sale, "network", rule.PerNetwork); err != nil {
		return joiner{}, err
	}
	return s.joiner(sale, of, who, attempt, lane)
}

// anybody gets a place for each attempt, and one for an attempt that is repeated:
// whoever names it is the same, so the name must be one that nobody can guess.
func (s *Server) anybody(sale ropeline.Sale, attempt string) (joiner, error) {
	switch {
	case attempt == "":
		place, err := queue.NewPlaceID(s.config.Rand)
		return joiner{place: place}, err
	case !randomName.MatchString(attempt):
		return joiner{}, ropeline.ErrBodyMalformed
	}
	return joiner{place: s.store.PlaceOf(sale.ID, s.store.VisitorOf(sale.ID, sale.Visitor.Kind, attempt), attempt, 1)}, nil
}

// plainBrowser takes a browser without scripts, which cannot do the work, for a
// visitor by its cookie alone: as many of a network as the sale allows.
func (s *Server) plainBrowser(w http.ResponseWriter, r *http.Request, sale ropeline.Sale, attempt string) (joiner, error) {
	if sale.Visitor.WithoutProof == 0 {
		return joiner{}, errScriptNeeded
	}
	if err := s.takeNetwork(r, w.Header(), sale, "plain", sale.Visitor.WithoutProof); err != nil {
		return joiner{}, err
	}
	id, err := s.browserID(w, r, sale)
	if err != nil {
		return joiner{}, err
	}
	if attempt != "" {
		attempt = "plain " + attempt // never that of a proof
	}
	return s.joiner(sale, sale.Visitor.Kind, visitor.NameOf(id), attempt, "")
}

func (s *Server) joiner(sale ropeline.Sale, kind ropeline.VisitorKind, who, attempt, lane string) (joiner, error) {
	j := joiner{kind: kind, visitor: s.store.VisitorOf(sale.ID, kind, who)}
	if attempt == "" {
		var err error
		if attempt, err = visitor.NewID(s.config.Rand); err != nil {
			return joiner{}, err
		}
	}
	j.place = s.store.PlaceOf(sale.ID, j.visitor, attempt, max(1, sale.Shards)).In(lane)
	return j, nil
}

// may reports whether the caller may have the place that the visitor has. Only
// the browser itself knows the secret that makes it a visitor; an invitation may
// have been passed on.
func (j joiner) may(place queue.Place) error {
	switch {
	case place.New:
		return nil
	case place.ID == j.place && place.State.Final():
		return errProofSpent
	case place.ID != j.place && j.visitor != "" && j.kind != ropeline.VisitorBrowser:
		return errPlaceElsewhere
	}
	return nil
}

// takeNetwork counts a place for the caller's network.
func (s *Server) takeNetwork(r *http.Request, h http.Header, sale ropeline.Sale, name string, most int64) error {
	if sale.Visitor.Kind != ropeline.VisitorBrowser {
		return nil
	}
	return s.limits.take(r.Context(), h, perMinute(name, "from your network", most), string(sale.ID)+":"+networkOf(s.client(r)))
}

// networkOf is the IPv4 /24 or the IPv6 /64 of an address.
func networkOf(a netip.Addr) string {
	if !a.Is4() {
		return limitKey(a)
	}
	p, err := a.Prefix(24)
	if err != nil { // cannot be: every IPv4 address has a /24
		return a.String()
	}
	return p.String()
}

// challenge answers with what the caller's browser has to solve, and gives it the
// cookie by which it is known again.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	sale := room.settings(r.Context(), s.store, s.now())
	kind, ok := s.config.Visitors[sale.Visitor.Kind].(challenger)
	if !ok {
		return errNoChallenge
	}
	id, err := s.browserID(w, r, sale)
	if err != nil {
		return err
	}
	doc, err := kind.Challenge(sale, id)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

// browserID returns the secret that the browser is known by, made if need be. An
// app without cookies is a new browser with each challenge, and has done the work
// for it.
func (s *Server) browserID(w http.ResponseWriter, r *http.Request, sale ropeline.Sale) (string, error) {
	name := wire.BrowserCookie(sale.ID)
	if c, err := r.Cookie(name); err == nil && visitor.ValidID(c.Value) {
		return c.Value, nil
	}
	id, err := visitor.NewID(s.config.Rand)
	if err == nil && !isApp(r) {
		s.setCookie(w, name, id, placePath(sale.ID), sale.EndsAt.Add(ticketKept))
	}
	return id, err
}
