package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ropeline/ropeline"
)

// bound is one line of the table of what is limited.
type bound struct {
	rule
	key func(*Server, *http.Request) string // who shares it; "" is nobody, and not counted
	on  func(route string) bool             // method and pattern
}

// bounds is everything that is counted a minute, in the order in which it is: by
// whom, how often and on which routes. While Redis cannot count, those that
// Limits.Closed names refuse. Forms of the page without scripts are counted as
// the routes that they stand for. What a sale's own rules count, by network, is
// in visitors.go.
func (l Limits) bounds() []bound {
	table := []bound{
		{perMinute("requests", "from your address", l.Requests), byAddress, api},
		{perMinute("visitor", "of yours, in all your tabs and browsers together", l.Visitor), byVisitor, ofVisitors},
		{perMinute("key", "with this key", l.Key), byKey, ofStaff},
		{perMinute("joins", "from your address", l.Joins), byAddress, only("POST "+salePath+"/place", "POST "+salePath+"/place/party/join")},
		{perMinute("handovers", "from your address", l.Handovers), byAddress, only("POST "+salePath+"/place/handover", "POST "+salePath+"/place/handover/exchange", "POST "+salePath+"/place/letter")},
	}
	for i := range table {
		table[i].closed = slices.Contains(l.Closed, table[i].name)
	}
	return table
}

// defaultClosed are the limits that stand between a stranger and somebody's
// place: whoever guesses codes may not do so uncounted.
var defaultClosed = []string{"handovers"}

const (
	salePath  = "/api/v1/sales/{sale}"
	pollRoute = "GET " + salePath + "/place"
	staffPath = "/api/v1/ops"
	deskPath  = "/api/v1/organizer"
)

// api tells the routes that are counted at all: pages and what they load are
// not.
func api(route string) bool {
	_, path, ok := strings.Cut(route, " ")
	if !ok {
		path = route // any method
	}
	return strings.HasPrefix(path, "/api/")
}

func ofStaff(route string) bool {
	return strings.HasPrefix(route, staffPath) || strings.HasPrefix(route, deskPath)
}

// ofVisitors is the API but for polls: one that comes early is answered from
// memory, and a place has no others (see early).
func ofVisitors(route string) bool { return api(route) && !ofStaff(route) && route != pollRoute }

func only(routes ...string) func(string) bool {
	return func(route string) bool { return slices.Contains(routes, route) }
}

func byAddress(s *Server, r *http.Request) string { return limitKey(s.client(r)) }

// byVisitor is the place of a genuine ticket, on routes that are of no sale the
// credential. What is no ticket of ours names nobody, and a credential only who
// has it, so nobody can use up another's rate.
func byVisitor(s *Server, r *http.Request) string {
	sale := ropeline.SaleID(r.PathValue("sale"))
	if sale == "" {
		return hashed(credential(r, admissionCookie(r.Header)))
	}
	raw := rawTicket(r, sale)
	if raw == "" {
		return ""
	}
	ticket, err := s.store.ReadTicket(sale, raw)
	if err != nil {
		return ""
	}
	return string(sale) + ":" + string(ticket.Place)
}

// byKey is a key of the staff's API, or the sign-in of who works for somebody, whatever address it is used from.
func byKey(_ *Server, r *http.Request) string {
	if key := credential(r, ropeline.StaffCookie); key != "" {
		return hashed(key)
	}
	return hashed(credential(r, ropeline.AccountCookie))
}

func credential(r *http.Request, cookie string) string {
	if raw := bearer(r); raw != "" {
		return raw
	}
	c, err := r.Cookie(cookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// hashed keeps a secret out of Redis.
func hashed(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:16])
}

// boundsOf are those of a route.
func (s *Server) boundsOf(route string) (found []bound) {
	for _, b := range s.bounds {
		if b.on(route) && !b.unlimited() {
			found = append(found, b)
		}
	}
	return found
}

// count counts a request against bounds and fails with the first that it is too
// much for.
func (s *Server) count(w http.ResponseWriter, r *http.Request, bounds []bound) error {
	for _, b := range bounds {
		key := b.key(s, r)
		if key == "" {
			continue
		}
		if err := s.limits.take(r.Context(), w.Header(), b.rule, key); err != nil {
			return err
		}
	}
	return nil
}

// formRoutes are the routes that the buttons of the page without scripts stand
// for.
var formRoutes = map[string]string{
	"join":     "POST " + salePath + "/place",
	"claim":    "POST " + salePath + "/place/claim",
	"leave":    "DELETE " + salePath + "/place",
	"handover": "POST " + salePath + "/place/handover",
	"letter":   "POST " + salePath + "/place/letter",
	"exchange": "POST " + salePath + "/place/handover/exchange",
	"invite":   "POST " + salePath + "/place/party",
	"befriend": "POST " + salePath + "/place/party/join",
}

// countForm counts a form as what it stands for, besides what every form was
// counted for already.
func (s *Server) countForm(w http.ResponseWriter, r *http.Request, do string) error {
	every := s.boundsOf("POST " + salePath + "/plain")
	return s.count(w, r, slices.DeleteFunc(s.boundsOf(formRoutes[do]), func(b bound) bool {
		return slices.ContainsFunc(every, func(e bound) bool { return e.name == b.name })
	}))
}

// checkClosed names a limit of Limits.Closed that there is not.
func (l Limits) checkClosed() error {
	for _, name := range l.Closed {
		if !slices.ContainsFunc(l.bounds(), func(b bound) bool { return b.name == name }) {
			return fmt.Errorf("edge: Limits.Closed: there is no limit called %q", name)
		}
	}
	return nil
}
