package api

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Every route of the table is called with nothing, and with everything that
// looks like a credential and is none. A public one answers, the others
// refuse, on the core's own listener, without any edge before it.
func TestEveryRouteRefusesEverybodyElse(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 1)
	var o Order
	c.pay(fan, "k", h.ID, sandbox.OK).is(http.StatusCreated, &o)
	ids := map[string]string{"get-order": o.ID, "get-ticket": o.Tickets[0].ID, "get-receipt": o.ID, "get-passes": o.ID, "get-tickets-pdf": o.ID, "get-calendar": o.ID, "cancel-order": o.ID, "get-reminder": o.ID, "put-reminder": o.ID,
		"get-performance": string(c.show.ID), "get-availability": string(c.show.ID), "get-payment": string(c.show.ID)}
	for _, r := range Routes {
		if strings.Contains(r.Path, "/performances/{id}/returns") {
			ids[r.ID] = string(c.show.ID)
		}
	}
	offer := c.offer(m{})
	ids["get-event"], ids["list-posts"], ids["list-comments"] = offer.Event, offer.Event, offer.Event
	said := c.says(offer.Event, "shown", "It was good.")
	scene := c.guideScene()
	ids["get-performer"], ids["get-tour"], ids["get-place"], ids["get-picture"] = scene.performer, scene.tour, scene.venue, scene.picture
	for _, r := range Routes {
		if strings.Contains(r.Path, "/coupons/{id}") {
			ids[r.ID] = offer.ID
		}
	}
	_, bag, err := c.api.server.coupons.NewBag()
	if err != nil {
		t.Fatal(err)
	}

	grace := c.member("grace@example.org")
	for _, r := range Routes {
		t.Run(r.ID, func(t *testing.T) {
			c := *c
			c.t = t
			id := ids[r.ID]
			if id == "" {
				id = c.hold(c.fan(), 10+slices.Index(Routes, r)).ID
			}
			others := strings.NewReplacer("{shop}", "opera", "{product}", "coffee", "{number}", "1", "{state}", "claimed", "{hold}", h.ID, "{event}", h.ID, "{notice}", h.ID, "{sale}", "gala", "{reserve}", h.ID, "{organization}", tenant.House, "{member}", h.ID, "{key}", h.ID, "{batch}", "fans", "{scan}", h.ID, "{consent}", h.ID, "{step}", "leave", "{message}", h.ID, "{post}", said)
			path := others.Replace(strings.ReplaceAll(r.Path, "{id}", id))
			body := ""
			if r.Method == http.MethodPost || r.Method == http.MethodPut {
				body = `{}`
			}
			if r.ID == "put-reminder" { // which would be refused for what is missing, whoever asks
				body = `{"days": 2}`
			}
			call := func(bearer string, headers ...string) answer {
				a := c.do(r.Method, path, bearer, body, headers...)
				if stored := a.Header.Get("Cache-Control") != "no-store"; stored != (r.Access == Public && r.Method == http.MethodGet) {
					t.Errorf("%d with Cache-Control %q", a.Status, a.Header.Get("Cache-Control"))
				}
				return a
			}
			mine := ""
			if r.Access == Account {
				mine = c.member(ada)
			}
			call(map[Access]string{Admission: fan, AdmissionOrPass: fan, ListKey: c.api.server.returns.Keys().Place(id), ClaimPass: c.api.server.returns.Keys().Pass(id), OrderLink: o.Key, Bag: bag, Desk: "key-rosa", SRE: "key-sre", BoxOffice: "key-counter", Door: "key-door", Supervisor: "key-super", Organizer: "key-olga", Venues: "key-olga", Team: "key-olga", Admin: "key-sre", Crew: "key-shop", Account: mine}[r.Access]) // whatever comes of it
			switch r.Access {
			case Public:
				if a := call(""); a.Status != r.Success && (r.ID != "join-returns" || a.Status != http.StatusUnprocessableEntity) { // what is missing is said
					t.Errorf("a public route answered %d: %s", a.Status, a.Body)
				}
			case Doorstep:
				call("") // it says what is missing, or that all is well
				if r.Method != http.MethodGet {
					call("", "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
				}
			case Account:
				over := c.member(ada)
				c.do(http.MethodPost, "/api/v1/accounts/sign-out", over, "{}").is(http.StatusNoContent, nil)
				for _, forged := range []string{"", fan, o.Key, bag, "key-sre", over, cookie + "x", cookie, grace + "x", cookie + o.Key} {
					call(forged).refused(http.StatusUnauthorized, "signed-out")
				}
				if r.Method != http.MethodGet {
					call(grace, "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
				}
			case ListKey:
				call("").refused(http.StatusUnauthorized, "returns-key-missing")
				key, other := c.api.server.returns.Keys().Place(id), c.api.server.returns.Keys().Place(uuid.NewString())
				for _, forged := range []string{fan, o.Key, bag, "x", id, id + ".", key + "=", key[:len(key)-1], strings.ToUpper(key), other, c.api.server.returns.Keys().Pass(id),
					returns.Keys(make([]byte, 32)).Place(id)} {
					call(forged).refused(http.StatusUnauthorized, "returns-key-invalid")
				}
				if a := call(key); a.Status != http.StatusNotFound {
					t.Errorf("a key of no place answered %d: %s", a.Status, a.Body)
				}
			case ClaimPass:
				call("").refused(http.StatusUnauthorized, "pass-missing")
				c.badPasses(id, fan, func(forged string) { call(forged).refused(http.StatusUnauthorized, "pass-invalid") })
			case Admission, AdmissionOrPass:
				if r.Access == AdmissionOrPass {
					c.badPasses(id, fan, func(forged string) {
						if returns.IsPass(forged) {
							call(forged).refused(http.StatusUnauthorized, "pass-invalid")
						}
					})
				}
				for name, forged := range c.forgedTokens() {
					code := "token-invalid"
					switch name {
					case "none":
						code = "token-missing"
					case "expired":
						code = "token-expired"
					case "ended early":
						code = "token-revoked"
					}
					a := call(forged)
					a.refused(http.StatusUnauthorized, code)
					if forged != "" {
						cookie := token.Cookie(c.sale.ID) + "=" + forged
						call("", "Cookie", cookie, "Ropeline-Sale", string(c.sale.ID), "Sec-Fetch-Site", "same-origin").refused(http.StatusUnauthorized, code)
						call("", "Cookie", cookie, "Sec-Fetch-Site", "same-origin").refused(http.StatusUnauthorized, "token-missing")
					}
				}
			case OrderLink:
				call("").refused(http.StatusUnauthorized, "order-key-missing")
				call("", "Authorization", o.Key).refused(http.StatusUnauthorized, "order-key-missing")
				last := "A" // the last of a key stands for four bits: A is right once in 16
				if strings.HasSuffix(o.Key, last) {
					last = "E"
				}
				for _, forged := range []string{fan, "x", o.Key + "=", o.Key[:42]} {
					call(forged).refused(http.StatusUnauthorized, "order-key-invalid")
				}
				unknown := "order-unknown"
				if strings.Contains(r.Path, "/transfers/") {
					unknown = "transfer-unknown"
				}
				if strings.Contains(r.Path, "/tickets/") {
					unknown = "ticket-unknown"
				}
				// An order of another person is answered as one that there is not.
				for _, others := range []string{order.Links(make([]byte, 32)).Key(o.ID), c.api.server.links.Key(uuid.NewString()), o.Key[:42] + last} {
					call(others).refused(http.StatusNotFound, unknown)
				}
				path = strings.ReplaceAll(r.Path, "{id}", uuid.NewString())
				call(o.Key).refused(http.StatusNotFound, unknown)
			case Signed:
				for _, signature := range []string{"", "t=1,v1=00", fan} {
					call("", "Stripe-Signature", signature, "Sandbox-Signature", signature).refused(http.StatusBadRequest, "webhook-signature-invalid")
				}
			case Address:
				call("").refused(http.StatusNotFound, "route-unknown") // of a hold, which is no payment's
				path = strings.ReplaceAll(r.Path, "{id}", "x")
				call("").refused(http.StatusNotFound, "route-unknown")
			case Bag:
				call("").refused(http.StatusUnauthorized, "bag-key-missing")
				call("", "Authorization", bag).refused(http.StatusUnauthorized, "bag-key-missing")
				for _, forged := range []string{fan, o.Key, "x", bag + "=", bag[:len(bag)-1], strings.ToUpper(bag), uuid.NewString() + bag[36:]} {
					call(forged).refused(http.StatusUnauthorized, "bag-key-invalid")
				}
			case Desk:
				for _, forged := range []string{"", fan, o.Key, bag, "key-ros"} {
					call(forged).refused(http.StatusUnauthorized, "staff-required")
				}
				call("key-shop").refused(http.StatusForbidden, "vendor-required")
				if a := call("key-tom"); strings.Contains(r.Path, "{shop}") && a.Status != http.StatusUnprocessableEntity { // what is wrong with the body is said first
					a.refused(http.StatusNotFound, "shop-unknown")
				}
			case SRE:
				for _, forged := range []string{"", fan, o.Key, bag, "key-sr"} {
					call(forged).refused(http.StatusUnauthorized, "staff-required")
				}
				for _, other := range []string{"key-rosa", "key-shop", "key-counter"} {
					call(other).refused(http.StatusForbidden, "sre-required")
				}
			case Crew:
				for _, forged := range []string{"", fan, o.Key, bag, "key-olg", grace} {
					if a := call(forged); forged != grace || a.Status != http.StatusOK { // who is nobody of the staff hears that
						a.refused(http.StatusUnauthorized, "staff-required")
					}
				}
			case Admin:
				for _, forged := range []string{"", fan, o.Key, bag, "key-sr"} {
					call(forged).refused(http.StatusUnauthorized, "staff-required")
				}
				for _, other := range []string{"key-rosa", "key-shop", "key-counter", "key-olga", grace} {
					call(other).refused(http.StatusForbidden, "admin-required")
				}
			case Organizer, Venues, Team:
				for _, forged := range []string{"", fan, o.Key, bag, "key-olg"} {
					call(forged).refused(http.StatusUnauthorized, "staff-required")
				}
				for _, other := range []string{"key-rosa", "key-shop", "key-counter"} {
					call(other).refused(http.StatusForbidden, "organizer-required")
				}
			case BoxOffice:
				for _, forged := range []string{"", fan, o.Key, bag, "key-counte"} {
					call(forged).refused(http.StatusUnauthorized, "staff-required")
				}
				for _, other := range []string{"key-rosa", "key-shop"} {
					call(other).refused(http.StatusForbidden, "box-office-required")
				}
			case Door, Supervisor:
				for _, forged := range []string{"", fan, o.Key, bag, "key-doo"} {
					call(forged).refused(http.StatusUnauthorized, "staff-required")
				}
				others, code := []string{"key-rosa", "key-shop", "key-counter"}, "door-required"
				if r.Access == Supervisor {
					others, code = append(others, "key-door"), "supervisor-required"
				}
				for _, other := range others {
					call(other).refused(http.StatusForbidden, code)
				}
			default:
				t.Errorf("nobody says who may call it: %q", r.Access)
			}
		})
	}
}

// badPasses look like passes and must not open anything: the last one is good, and of no
// offer.
func (c *core) badPasses(hold, token string, try func(string)) {
	keys := c.api.server.returns.Keys()
	pass := keys.Pass(hold)
	for _, forged := range []string{token, "x", hold + ".", pass + "=", pass[:len(pass)-1], strings.ToUpper(pass), uuid.NewString() + pass[36:], keys.Place(hold),
		returns.Keys(make([]byte, 32)).Pass(hold), pass} {
		try(forged)
	}
}

// forgedTokens look like admission tokens and must not open anything.
func (c *core) forgedTokens() map[string]string {
	c.t.Helper()
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	expired, over := c.claims(), c.claims()
	expired.IssuedAt, expired.Expires = time.Now().Add(-time.Hour), time.Now().Add(-2*ropeline.TokenMargin)
	c.ended.end(over.Session)
	good := c.fan()
	parts := strings.Split(good, ".")
	return map[string]string{
		"none":         "",
		"nonsense":     "abc",
		"cut":          good[:len(good)-4],
		"no signature": parts[0] + "." + parts[1] + ".",
		"other claims": parts[0] + "." + strings.Split(c.fan(), ".")[1] + "." + parts[2],
		"stranger":     c.sign(c.claims(), jwt.SigningMethodEdDSA, stranger),
		"alg none":     c.sign(c.claims(), jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"alg HS256":    c.sign(c.claims(), jwt.SigningMethodHS256, []byte(c.key.Public().(ed25519.PublicKey))),
		"expired":      c.sign(expired, jwt.SigningMethodEdDSA, c.key),
		"ended early":  c.sign(over, jwt.SigningMethodEdDSA, c.key),
	}
}

// The table is complete: the OpenAPI document has its routes and no others.
func TestOpenAPIHasTheRoutesOfTheTable(t *testing.T) {
	t.Parallel()
	doc, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			ID        string                `json:"operationId"`
			Security  []map[string][]string `json:"security"`
			Responses map[string]struct {
				Content map[string]any `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(doc, &spec); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, p := range spec.Paths {
		operations += len(p)
	}
	if operations != len(Routes) || spec.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s with %d operations, want 3.1.0 with %d", spec.OpenAPI, operations, len(Routes))
	}
	for _, r := range Routes {
		op := spec.Paths[r.Path][strings.ToLower(r.Method)]
		if op.ID != r.ID {
			t.Errorf("%s %s is %q, want %q", r.Method, r.Path, op.ID, r.ID)
		}
		if (len(op.Security) == 0) != (r.Access == Public || r.Access == Doorstep || r.Access == Address) {
			t.Errorf("%s: security %v, access %s", r.ID, op.Security, r.Access)
		}
		if _, ok := op.Responses["default"].Content[problemType]; !ok {
			t.Errorf("%s does not say how it refuses", r.ID)
		}
	}
	for _, schema := range []string{"Problem", "Hold", "HoldRequest", "Order", "OrderRequest", "Ticket", "Map", "Availability"} {
		if spec.Components.Schemas[schema] == nil {
			t.Errorf("no schema %s", schema)
		}
	}
}

// Deny by default: a handler that somebody registers without a line in the
// table is not reachable.
func TestRouteOutsideTheTableIsClosed(t *testing.T) {
	t.Parallel()
	s := &server{log: slog.New(slog.DiscardHandler)}
	app, err := s.app()
	if err != nil {
		t.Fatal(err)
	}
	called := false
	huma.Register(s.spec, huma.Operation{OperationID: "leak", Method: http.MethodGet, Path: "/api/v1/leak"},
		func(context.Context, *struct{}) (*struct{}, error) { called = true; return nil, nil })
	res, err := app.Test(httptest.NewRequest(http.MethodGet, "/api/v1/leak", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if called || res.StatusCode != http.StatusNotFound {
		t.Errorf("a route outside the table answered %d, called %v", res.StatusCode, called)
	}
	if err := handle(s, "leak", func(context.Context, *struct{}) (*struct{}, error) { return nil, nil }); err == nil {
		t.Error("handle took a route that is not in the table")
	}
}

// plain is a listener that does not say that it was closed, only that it failed.
type plain struct{ net.Listener }

func (p plain) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		err = errors.New("it failed")
	}
	return conn, err
}

// A core that is told to stop before it came to serve stops all the same.
func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Postgres: devtest.Postgres(t), Redis: devtest.Redis(t), OrderKey: make([]byte, 32), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Serve(ctx, plain{ln}); err != nil {
		t.Errorf("the core ended with %v", err)
	}
	if _, err := New(Config{OrderKey: []byte("short")}); err == nil {
		t.Error("a short order key was taken")
	}
}
