package edge

import (
	"net/http"
	"strings"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/passage"
)

// who says who may call a route.
type who string

const (
	public      who = "public"
	placeTicket who = "place ticket"
	staff       who = "staff"   // checked by the admission part
	proxied     who = "proxied" // checked by the booking core, route by route
	proxy       who = "proxy"   // one that stands in front of a shop
)

// route is one line of the table of everything an edge answers.
type route struct {
	method  string // "" takes any: an upstream decides
	pattern string
	who     who
	handle  handler
}

// routes is the whole public surface of an edge. What is not in it is a 404:
// nothing is forwarded blindly.
func (s *Server) routes() []route {
	const sale = salePath
	table := []route{
		{"GET", "/{$}", public, s.front},
		{"GET", "/search", public, s.page("index.html")},
		{"GET", "/events/{id}", public, s.page("index.html")},
		{"GET", "/performers/{id}", public, s.page("index.html")},
		{"GET", "/venues/{id}", public, s.page("index.html")},
		{"GET", "/tours/{id}", public, s.page("index.html")},
		{"GET", "/sales/{sale}", public, s.waitingPage},
		{"GET", "/sales/{sale}/draw", public, s.salePage("draw.html")},
		{"GET", "/sales/{sale}/receipt", public, s.salePage("receipt.html")},
		{"GET", "/sales/{sale}/ledger", public, s.salePage("ledger.html")},
		{"GET", "/sales/{sale}/shop", public, s.shopPage},
		{"GET", "/sales/{sale}/returns", public, s.salePage("returns.html")},
		{"GET", "/sales/{sale}/logo", public, s.showLogo},
		{"GET", "/returns/{id}", public, s.page("returns.html")},
		{"GET", "/orders/{id}", public, s.page("order.html")},
		{"GET", "/tickets/{id}", public, s.page("ticket.html")},
		{"GET", "/tickets/worker.js", public, s.worker(ticketFile)},
		{"GET", "/coupons", public, s.page("coupons.html")},
		{"GET", "/coupons/{id}", public, s.page("coupons.html")},
		{"GET", "/account", public, s.page("account.html")},
		{"GET", "/account/{part}", public, s.page("account.html")},
		{"GET", "/ops", public, s.page("ops.html")},
		{"GET", "/counter", public, s.page("counter.html")},
		{"GET", "/door", public, s.page("door.html")},
		{"GET", "/door.js", public, s.worker(doorFile)},
		{"GET", "/desk/sales", public, s.page("sales.html")},
		{"GET", "/desk/money", public, s.page("money.html")},
		{"GET", "/desk/coupons", public, s.page("offers.html")},
		{"GET", "/desk", public, s.page("desk.html")},
		{"GET", "/desk/setup", public, s.page("setup.html")},
		{"GET", "/desk/preview", public, s.page("preview.html")},
		{"GET", "/embed.js", public, s.embed},
		{"GET", "/desk/venues", public, s.page("venues.html")},
		{"GET", "/desk/team", public, s.page("team.html")},
		{"GET", "/desk/letters", public, s.page("letters.html")},
		{"GET", "/ropeline/{path...}", public, s.asset},

		{"GET", "/api/v1/sales", public, s.listSales},
		{"GET", sale, public, s.showSale},
		{"GET", sale + "/button", public, s.showButton},
		{"GET", sale + "/stock", public, s.showStock},
		{"GET", sale + "/terms", public, s.showTerms},
		{"GET", sale + "/draw/file", public, s.drawFile},
		{"GET", sale + "/draw/proof", placeTicket, s.drawProof},
		{"GET", sale + "/ledger", public, s.showLedger},
		{"GET", sale + "/ledger/file", public, s.ledgerFile},
		{"GET", sale + "/challenge", public, s.challenge},
		{"POST", sale + "/place", public, s.join},
		{"GET", sale + "/place", placeTicket, s.poll},
		{"GET", sale + "/place/live", placeTicket, s.live},
		{"GET", sale + "/place/receipt", placeTicket, s.placeReceipt},
		{"POST", sale + "/place/claim", placeTicket, s.claim},
		{"DELETE", sale + "/place", placeTicket, s.leave},
		{"POST", sale + "/place/party", placeTicket, s.invite},
		{"POST", sale + "/place/party/join", public, s.joinParty},
		{"GET", sale + "/plain", public, s.plain},
		{"POST", sale + "/plain", public, s.act},
		{"POST", sale + "/place/code", placeTicket, s.tryCode},
		{"POST", sale + "/place/handover", placeTicket, s.handOver},
		{"POST", sale + "/place/handover/exchange", public, s.exchange},
		{"POST", sale + "/place/letter", placeTicket, s.askLetter},
		{"DELETE", sale + "/place/letter", placeTicket, s.forgetLetter},
		{"POST", sale + "/session", placeTicket, s.renew},
		{"DELETE", sale + "/session", placeTicket, s.end},

		{"GET", "/api/v1/performances/{id}/availability/live", public, s.watchSeats},

		{"GET", domainPath, public, s.knownDomain},
		{"GET", "/.well-known/jwks.json", public, s.jwks},
		{"GET", "/.well-known/terms-jwks.json", public, s.document(s.config.TermsJWKS, "application/jwk-set+json", "public, max-age=60")},
		{"GET", "/openapi.json", public, s.document(s.config.OpenAPI, "application/json", "no-cache")},
		{"", passage.Verify, proxy, s.verify}, // Envoy asks with its client's method
		{"GET", "/healthz", public, s.healthz},
		{"GET", "/readyz", public, s.readyz},
	}
	for _, prefix := range []string{"events", "performances", "search", "suggest", "listing", "holds", "orders", "tickets", "transfers", "returns", "coupons", "shops", "categories", "event-categories", "performers", "tours", "venues", "pictures", "bags", "bag", "accounts", "me", "webhooks", "newsletters", "sandbox"} {
		table = append(table, subtree("/api/v1/"+prefix, proxied, forward(s.booking))...)
	}
	table = append(table, subtree(deskPath, proxied, forward(s.desk))...)
	files := forwardFiles(s.desk)
	for _, kind := range []string{"venues", "programs", "pictures", "sales"} {
		table = append(table, subtree(deskPath+"/"+kind, proxied, files)...)
	}
	return append(table, subtree("/api/v1/ops", staff, forward(s.ops))...)
}

// subtree is a path and everything below it.
func subtree(path string, who who, h handler) []route {
	return []route{{"", path, who, h}, {"", path + "/", who, h}}
}

func (s *Server) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range s.routes() {
		mux.Handle(strings.TrimSpace(rt.method+" "+rt.pattern), s.bounded(rt, s.guarded(rt)))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, s.unknown(w, r)) })
	// Without this the mux would redirect to /ropeline/, in HTML.
	mux.HandleFunc("/ropeline", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, ropeline.ErrRouteUnknown) })
	return mux
}

// guarded is a route's handler behind what all routes of the API share.
func (s *Server) guarded(rt route) http.Handler {
	name := strings.TrimSpace(rt.method + " " + rt.pattern)
	api, bounds := api(name), s.boundsOf(name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := error(nil)
		if api {
			err = s.admit(w, r, bounds)
		}
		if err == nil {
			err = rt.handle(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// admit checks where a request comes from and counts it: what another site made
// a browser send uses up nothing of the one who looks at it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, bounds []bound) error {
	if len(bounds) > 0 && s.early(r) {
		return nil
	}
	if err := ropeline.CheckOrigin(r.Method, r.Host, r.Header.Get); err != nil {
		return err
	}
	return s.count(w, r, bounds)
}

// early reports whether a request is a poll that comes before its time and can
// be answered from memory: it is not counted, so that Redis hears nothing of it.
func (s *Server) early(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	id := ropeline.SaleID(r.PathValue("sale"))
	if r.URL.Path != placePath(id)+"/place" {
		return false
	}
	room, err := s.rooms.known(id, s.now())
	if err != nil || room == nil {
		return false
	}
	ticket, err := s.store.ReadTicket(id, rawTicket(r, id))
	return err == nil && room.line.Early(ticket.Place, s.now())
}

// unknown tells an address that does not exist from one that does not take
// the method.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		other := *r
		other.Method = method
		if _, pattern := s.mux.Handler(&other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return ropeline.ErrRouteUnknown
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return ropeline.ErrMethodUnknown
}
