package passage

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// Fail says what a route does while the gate cannot see (Redis is away).
type Fail string

// The ways to fail. Somebody must have chosen one for each route.
const (
	FailOpen   Fail = "open"   // everybody passes, token or not
	FailClosed Fail = "closed" // nobody passes
)

// Table is what a gate protects. It does not change once it is read.
type Table struct {
	Rooms []string // hosts of the edge itself, for its own pages
	Hosts []*Host

	byName map[string]*Host
}

// Host is one shop: a name, or several, in front of one upstream.
type Host struct {
	Names       []string
	Upstream    *url.URL        // nil: only forward-auth asks for it
	CA          string          // file of certificates that an https upstream's is checked by, "": the system's
	Sale        ropeline.SaleID // whose tokens open it
	Connections int             // to the upstream, at once
	Routes      []*Route
}

// Route is one rule: the first that a request fits decides.
type Route struct {
	Line    int      // in the file
	Name    string   // its methods, and the first of its paths
	Methods []string // empty: all of them
	Token   bool     // needs one
	Fail    Fail
	Body    int64         // bytes of a request's body at most; -1: any
	Timeout time.Duration // until the answer's header, and the longest silence after it

	patterns []pattern
}

// Errors of a decision.
var (
	ErrHostUnknown = &ropeline.Error{Kind: ropeline.Invalid, Code: "host-unknown", Status: http.StatusBadRequest,
		Detail: "This server does not know the host that was asked for."}
	ErrRouteClosed = &ropeline.Error{Kind: ropeline.Forbidden, Code: "route-closed",
		Detail: "Nothing at this address may be reached from outside."}
)

// methods that may pass at all: TRACE shows headers, CONNECT is a tunnel.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// Passage is what was decided of a request: whose it is, by which rule, and how
// its path is forwarded. A Passage without a Route is the room's.
type Passage struct {
	Host  *Host
	Route *Route
	Path  Path
}

// Decide finds the rule for a request. host is as in the Host header, target as
// on the request line. It fails with ErrHostUnknown, ErrPathInvalid or
// ErrRouteClosed; the shop is told with the last two.
func (t *Table) Decide(method, host, target string) (Passage, error) {
	shop := t.Shop(host)
	if shop == nil {
		return Passage{}, ErrHostUnknown
	}
	path, err := ReadPath(target)
	if err != nil {
		return Passage{Host: shop}, err
	}
	if shop.reserved(path.Plain) {
		return Passage{Host: shop, Path: path}, nil
	}
	route := shop.route(method, path.key)
	if route == nil {
		return Passage{Host: shop, Path: path}, ErrRouteClosed
	}
	return Passage{Host: shop, Route: route, Path: path}, nil
}

// route returns the first route that fits. A request whose path meets a route
// that needs a token, but not its methods, does not fall to a later one that
// needs none: who protects GET /cart alone has not meant POST to be free.
func (h *Host) route(method, key string) *Route {
	guarded := false
	for _, r := range h.Routes {
		if !slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.fits(key) }) {
			continue
		}
		switch {
		case !r.takes(method):
			guarded = guarded || r.Token
		case guarded && !r.Token:
			return nil
		default:
			return r
		}
	}
	return nil
}

func (r *Route) takes(method string) bool {
	if len(r.Methods) == 0 {
		return slices.Contains(methods, method)
	}
	return slices.Contains(r.Methods, method)
}

// RoomFiles is where the room's scripts and styles are, on every host.
const RoomFiles = "/ropeline/"

// Verify is where a proxy asks.
const Verify = "/gate/verify"

// reserved reports whether a path is the waiting room's on the shop's own host.
// There it needs no third-party cookies, and no other address to be remembered.
func (h *Host) reserved(path string) bool {
	if strings.HasPrefix(path, RoomFiles) || path == Verify {
		return true
	}
	for _, root := range []string{"/sales/", "/api/v1/sales/"} {
		if below, ok := strings.CutPrefix(path, root+string(h.Sale)); ok && (below == "" || below[0] == '/') {
			return true
		}
	}
	return false
}

// Room is the address of the waiting room that leads back to a path of the shop.
func (h *Host) Room(back string) string {
	return "/sales/" + string(h.Sale) + "?back=" + url.QueryEscape(back)
}

// Shop returns the shop of a host name, nil if there is none.
func (t *Table) Shop(host string) *Host {
	if h := t.byName[host]; h != nil {
		return h // as most browsers write it
	}
	name, ok := readHost(host)
	if !ok {
		return nil
	}
	return t.byName[name]
}

// CheckOwn refuses routes that would let people write to the booking core while
// nobody can tell who was admitted.
func (t *Table) CheckOwn(booking *url.URL) error {
	for _, h := range t.Hosts {
		if h.Upstream == nil || !strings.EqualFold(h.Upstream.Host, booking.Host) {
			continue
		}
		for _, r := range h.Routes {
			writes := len(r.Methods) == 0 || slices.ContainsFunc(r.Methods, func(m string) bool { return m != "GET" && m != "HEAD" })
			if r.Fail == FailOpen && writes {
				return fmt.Errorf("line %d: fail: open is not for writes to the booking core: say closed, or methods: [GET, HEAD]", r.Line)
			}
		}
	}
	return nil
}

// IsRoom reports whether a host is the edge's own.
func (t *Table) IsRoom(host string) bool {
	name, ok := readHost(host)
	return ok && slices.Contains(t.Rooms, name)
}

// readHost returns the name of a Host header: no port, no dot at the end, lower
// case. It refuses what is no host, a user's name before it among that.
func readHost(host string) (name string, ok bool) {
	name = host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if port, err := strconv.ParseUint(host[i+1:], 10, 16); err != nil || port == 0 {
			return "", false
		}
		name = host[:i]
	}
	if inside, found := strings.CutPrefix(name, "["); found {
		inside, found = strings.CutSuffix(inside, "]")
		ip := net.ParseIP(inside)
		return "[" + ip.String() + "]", found && ip != nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > 253 || strings.HasSuffix(name, ".") || strings.HasPrefix(name, ".") {
		return "", false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return "", false
		}
	}
	return name, true
}
