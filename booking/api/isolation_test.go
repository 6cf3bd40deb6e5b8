package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/internal/tenant"
)

// hired signs somebody in who has a second factor and roles in an organization.
func (c *core) hired(email, organization string, roles ...string) (who string) {
	c.t.Helper()
	who = c.member(email)
	var second Authenticator
	c.do(http.MethodPut, mePath+"/second-factor", who, c.json(m{"password": password})).is(http.StatusOK, &second)
	u, err := url.Parse(second.Address)
	if err != nil {
		c.t.Fatal(err)
	}
	// Of now: one of the period before is two periods old where a new one begins meanwhile.
	code, err := totp.GenerateCode(u.Query().Get("secret"), time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	c.do(http.MethodPost, mePath+"/second-factor/prove", who, c.json(m{"code": code})).is(http.StatusOK, nil)
	c.invited(who, email, organization, roles...)
	return who
}

// invited has whoever has an address invited, and takes the invitation.
func (c *core) invited(who, email, organization string, roles ...string) {
	c.t.Helper()
	c.do(http.MethodPost, organizationsPath+"/"+organization+"/invitations", "key-sre", c.json(m{"email": email, "roles": roles}), "Idempotency-Key", email+organization+strings.Join(roles, "")).is(http.StatusCreated, nil)
	c.do(http.MethodPost, mePath+"/invitations/accept", who, c.json(m{"token": c.link(email, "invited")})).is(http.StatusOK, nil)
}

// founded makes an organization.
func (c *core) founded(slug string) string {
	c.t.Helper()
	var o people.Organization
	c.do(http.MethodPost, organizationsPath, "key-sre", c.json(m{"slug": slug, "name": slug}), "Idempotency-Key", slug).is(http.StatusCreated, &o)
	return o.ID
}

// program is an API key for some scopes.
func (c *core) program(organization string, scopes ...string) (secret string) {
	c.t.Helper()
	var k NewKey
	c.do(http.MethodPost, organizationsPath+"/"+organization+"/keys", "key-sre", c.json(m{"name": "program", "scopes": scopes}), "Idempotency-Key", fmt.Sprint(organization, scopes[0], len(scopes))).is(http.StatusCreated, &k)
	return k.Secret
}

// rows is everything that is kept, table by table, as a hash: but for when somebody was
// seen last, and for what we work out by ourselves.
func (c *core) rows() map[string]string {
	c.t.Helper()
	rows, err := c.db.Query(c.t.Context(), `select c.relname, query_to_xml(format('select md5(string_agg(x::text, '''' order by x::text)) from %I x', c.relname), true, false, '')::text
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = current_schema() and c.relkind in ('r', 'p') and not c.relispartition and c.relname !~ '^(find_|insight_|goose|river_|sign_ins$|api_keys$|health|webhook_deliveries$|mails$)'`)
	if err != nil {
		c.t.Fatal(err)
	}
	all := map[string]string{}
	var table, hash string
	if _, err := pgx.ForEachRow(rows, []any{&table, &hash}, func() error { all[table] = hash; return nil }); err != nil {
		c.t.Fatal(err)
	}
	return all
}

// ownLists are routes of staff that name nothing of an organization's in their path, and
// why that is well: what another organization's staff get there is their own.
var ownLists = map[string]string{
	"list-venues": "theirs, and those that are open to everybody", "create-venue": "theirs from then on",
	"list-programs": "theirs", "list-accounts": "what pays them", "list-own-shops": "theirs", "list-plans": "everybody's", "get-plan": "everybody's",
	"list-own-events": "theirs", "create-event": "theirs from then on", "list-own-tours": "theirs", "create-tour": "theirs from then on",
	"list-own-performers": "everybody's, who may have them in their events", "get-own-performer": "everybody's", "create-performer": "theirs from then on",
	"create-picture": "theirs from then on", "list-changes": "theirs", "list-popularity": "theirs",
	"get-orders-csv": "of what the query names, which is tried", "get-accounting-csv": "of what the query names", "get-report-pdf": "of what the query names", "get-audience": "of what the query names", "get-audience-csv": "of what the query names",
	"get-wordings": "theirs", "get-wording": "theirs", "put-wording": "theirs from then on", "reset-wording": "theirs", "list-newsletters": "theirs", "create-newsletter": "theirs from then on", "list-own-posts": "theirs", "get-moderation": "theirs", "put-moderation": "theirs from then on", "preview-newsletter": "nothing is kept", "preview-wording": "nothing is kept",
	"get-staff": "who asks", "list-approvals": "what is said of their own events, and to who manages the venue of all",
}

// elsewhere are routes that no staff credential opens, and what they refuse it with.
var elsewhere = map[Access][]int{
	Admission: {http.StatusUnauthorized}, AdmissionOrPass: {http.StatusUnauthorized}, OrderLink: {http.StatusUnauthorized, http.StatusNotFound}, Bag: {http.StatusUnauthorized},
	ListKey: {http.StatusUnauthorized}, ClaimPass: {http.StatusUnauthorized}, Signed: {http.StatusBadRequest}, Address: {http.StatusNotFound},
}

// forEverybody are the routes that ask for no credential, and why.
var forEverybody = map[string]string{
	"list-events": "what is published", "get-event": "the same", "list-posts": "what is shown of it", "list-comments": "the same", "list-event-categories": "the same for all", "list-performers": "everybody's", "get-performer": "everybody's",
	"list-tours": "what is published", "get-tour": "the same", "list-places": "where published shows are", "get-place": "the same", "get-picture": "what is published shows them",
	"get-performance": "the map that is sold by", "get-payment": "how it is paid", "get-availability": "which seats are free",
	"search": "what is published", "suggest": "the same", "get-listing": "the same", "show-returns": "how many wait, and no names", "join-returns": "whoever waits gets a key of their own",
	"list-coupons": "what is given out", "get-coupon": "the same", "list-shops": "the same", "list-products": "the same", "list-categories": "the same", "create-bag": "an empty one, with a key of its own",
	"get-sign-in-providers": "where else one may sign in", "sign-up": "always the same answer", "confirm-address": "the letter's token counts", "confirm-move": "the same", "reset-password": "the same",
	"wish": "always the same answer", "forgot-password": "always the same answer", "sign-in": "the password counts", "sign-in-second": "the code counts", "sign-out": "of what is shown", "begin-outside-sign-in": "leads away", "end-outside-sign-in": "what was sealed for that browser counts",
}

// Whoever works for one organization finds nothing of another's, whatever they ask: every
// route of the OpenAPI document is called with the ids of the house by the staff of a
// rival, who may do everything there: with a key of the file, an API key of all scopes,
// and the sign-in of an account. A route that is new fails here until it is known what it
// has to refuse.
func TestTenantIsolation(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(c *core, _ *Config) {
		if _, err := c.db.Exec(t.Context(), `insert into payment_accounts (name, provider_account, charges) values ('house-account', 'acct_1', true)`); err != nil {
			t.Fatal(err)
		}
	})
	const secret = "Our own business"
	fan := c.fan()
	var bought, sold Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &bought)
	var held Hold
	c.do(http.MethodPost, c.counter("/holds"), "key-counter", c.json(m{"units": []int{40}}), "Idempotency-Key", "k").is(http.StatusCreated, &held)
	c.do(http.MethodPost, c.counter("/orders"), "key-counter", c.json(m{"hold": held.ID, "tender": "cash"}), "Idempotency-Key", "k").is(http.StatusCreated, &sold)
	var reserve Reserve
	c.organize(http.MethodPost, organizer+"/performances/"+string(c.show.ID)+"/reserves", c.json(m{"name": secret, "kind": "guests", "area": c.show.Tiers[3].Name, "places": 1}), "Idempotency-Key", "k").is(http.StatusCreated, &reserve)
	offered, guided := c.offer(m{"title": secret}), c.guideScene()
	for _, sql := range []string{`update events set title = $1`, `update venues set name = $1, about = $1, open = false`, `update tours set name = $1`, `update shops set name = $1`, `update products set name = $1`} {
		if _, err := c.db.Exec(t.Context(), sql, secret); err != nil {
			t.Fatal(err)
		}
	}
	said := c.says(guided.event, "waiting", secret)
	rival := c.founded("rival")
	var theirs, key people.Member
	c.organize(http.MethodPost, organizationsPath+"/"+tenant.House+"/invitations", c.json(m{"email": "secret@example.org", "roles": []string{"door"}}), "Idempotency-Key", "invite").is(http.StatusCreated, &theirs)
	c.organize(http.MethodPost, organizationsPath+"/"+tenant.House+"/keys", c.json(m{"name": secret, "scopes": []string{"events:read"}}), "Idempotency-Key", "key").is(http.StatusCreated, &key)
	strangers := map[string]string{
		"a key of the file": "key-rival", "a counter's key of the file": "key-rival-counter", "a vendor's key of the file": "key-rival-shop", "a door's key of the file": "key-rival-door",
		"an API key":                  c.program(rival, scopes...),
		"an organizer":                c.hired("organizer@example.org", rival, people.Organizer),
		"everything else":             c.hired("others@example.org", rival, people.Venue, people.BoxOffice, people.Door, people.Supervisor),
		"somebody of no organization": c.member(ada),
	}
	ids := strings.NewReplacer("{shop}", "opera", "{product}", "coffee", "{number}", "1", "{state}", "claimed", "{hold}", held.ID, "{event}", guided.event, "{notice}", guided.event, "{sale}", string(c.sale.ID),
		"{reserve}", reserve.ID, "{organization}", tenant.House, "{member}", theirs.ID, "{key}", key.ID, "{account}", "house-account", "{plan}", "free", "{batch}", "fans", "{scan}", held.ID, "{post}", said)
	words := map[string]string{"orders": bought.ID, "counter/orders": sold.ID, "events": guided.event, "performances": string(c.show.ID), "performers": guided.performer, "tours": guided.tour,
		"venues": guided.venue, "coupons": offered.ID, "tickets": bought.Tickets[0].ID, "holds": held.ID, "pictures": guided.picture}
	at := func(r Route) string {
		before, _, _ := strings.Cut(r.Path, "/{id}")
		id := words[before[strings.LastIndexByte(before, '/')+1:]]
		if strings.Contains(before, "/counter/") {
			id = words["counter/orders"]
		}
		if id == "" {
			id = held.ID
		}
		return ids.Replace(strings.ReplaceAll(r.Path, "{id}", id))
	}
	before := c.rows()
	unchanged := func(what string) {
		t.Helper()
		after := c.rows()
		for table, hash := range after {
			if before[table] != hash {
				t.Errorf("%s: %s is changed", what, table)
			}
		}
		before = after
	}
	refused := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}
	for _, r := range Routes {
		if open := r.Access == Public || r.Access == Doorstep; open != (forEverybody[r.ID] != "") {
			t.Errorf("nobody says why %s is for everybody, or it is not", r.ID)
		} else if open {
			continue
		}
		isStaff := rolesOf[r.Access].refusal != nil || r.Access == Crew
		for who, bearer := range strangers {
			queries := []string{""}
			if strings.HasPrefix(r.Path, exports) || r.ID == "get-audience" {
				queries = []string{"?performance=" + string(c.show.ID), "?event=" + guided.event, "?sale=" + string(c.sale.ID), "?account=house-account"}
			}
			for _, query := range queries {
				headers, body := []string{"Idempotency-Key", "k", "If-Match", `"1"`, "Sec-Fetch-Site", "same-origin"}, ""
				if r.Method != http.MethodGet {
					body = "{}"
				}
				a := c.do(r.Method, at(r)+query, bearer, body, headers...)
				what := fmt.Sprintf("%s, %s%s: %d %.200s", r.ID, who, query, a.Status, a.Body)
				want := refused
				switch {
				case r.Access == Account:
					if strings.HasPrefix(bearer, cookie) && r.ID != "get-my-order" {
						if strings.Contains(string(a.Body), secret) || strings.Contains(string(a.Body), bought.ID) {
							t.Errorf("%s: tells of another organization", what)
						}
						continue // their own account
					}
				case elsewhere[r.Access] != nil:
					want = elsewhere[r.Access]
				case !isStaff:
					t.Errorf("nobody says what %q refuses", r.Access)
				case query == "" && ownLists[r.ID] != "":
					want = nil
				}
				if want != nil && !slices.Contains(want, a.Status) {
					t.Errorf("%s, want one of %v", what, want)
				}
				for _, leak := range []string{secret, "house-account", "secret@example.org", "fan@example.org", bought.ID, sold.ID, reserve.ID, guided.event, guided.tour, guided.venue, string(c.show.ID)} {
					if strings.Contains(string(a.Body), leak) {
						t.Errorf("%s: tells %s", what, leak)
					}
				}
			}
		}
		if r.Access == Account {
			before = c.rows() // their own
		} else if r.Method != http.MethodGet {
			unchanged(r.ID)
		}
	}
	unchanged("reading")

	// What is written of another organization's in a body is as little there.
	for what, body := range map[string]m{"tour": {"title": "x", "tour": guided.tour}, "picture": {"title": "x", "picture": guided.picture}} {
		if a := c.do(http.MethodPost, eventsPath, "key-rival", c.json(body), "Idempotency-Key", what); a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusNotFound {
			t.Errorf("an event with the house's %s: %d %s", what, a.Status, a.Body)
		}
	}
	var own guide.KeptEvent
	c.do(http.MethodPost, eventsPath, "key-rival", c.json(m{"title": "Ours"}), "Idempotency-Key", "ours").is(http.StatusCreated, &own)
	c.do(http.MethodGet, eventsPath+"/"+own.ID, "key-olga", "").refused(http.StatusNotFound, "event-unknown")
	c.do(http.MethodGet, eventsPath+"/"+own.ID, "key-sre", "").is(http.StatusOK, nil)
	c.do(http.MethodGet, eventsPath+"/"+own.ID, strangers["an organizer"], "").is(http.StatusOK, nil)
	c.do(http.MethodGet, eventsPath, "key-lost", "").refused(http.StatusUnauthorized, "staff-required") // of an organization that there is not
}

// belongings are what a fan has of a sale: the credentials, and what they open.
type belongings struct {
	*core
	token, bag string
	hold       Hold
	order      Order
	waits      Return
	offer      ReturnsOffer
}

// belongs buys, holds and waits at a small sale of its own, which an organization has.
func (c *core) belongs(organization string) *belongings {
	c.t.Helper()
	own := *c
	own.sale, own.show = c.seed(8, 4)
	c.built(own.show.ID)
	for _, sql := range []string{`update sales set organization_id = $1 where id = $2`, `update performances set organization_id = $1 where id in (select performance_id from sale_performances where sale_id = $2)`,
		`update events set organization_id = $1 where id in (select p.event_id from performances p join sale_performances s on s.performance_id = p.id where s.sale_id = $2)`} {
		if _, err := c.db.Exec(c.t.Context(), sql, organization, own.sale.ID); err != nil {
			c.t.Fatal(err)
		}
	}
	floor := own.show.Tiers[slices.IndexFunc(own.show.Tiers, func(t catalogue.Tier) bool { return t.First+t.Count == own.show.Units })]
	b := &belongings{core: &own, token: own.fan(), bag: own.bag()}
	b.hold = own.hold(b.token, 0)
	b.order = own.sellOut(floor)[0]
	own.wait(floor, "ada", 1).is(http.StatusCreated, &b.waits)
	own.listed()
	own.do(http.MethodPost, "/api/v1/organizer/orders/"+b.order.ID+"/cancel", "key-sre", own.json(m{"reason": "a test", "tickets": []string{b.order.Tickets[0].ID}})).is(http.StatusOK, nil)
	own.tend()
	now := own.placeOf(b.waits)
	if now.Offer == nil {
		c.t.Fatalf("nothing is offered: %+v", now)
	}
	b.offer = *now.Offer
	own.do(http.MethodPost, "/api/v1/returns/"+b.waits.ID+"/claim", b.offer.Pass, "").is(http.StatusCreated, nil)
	return b
}

// holds looks that all of it still opens what it is for.
func (b *belongings) holds() {
	b.t.Helper()
	b.get("/api/v1/holds/"+b.hold.ID, b.token).is(http.StatusOK, nil)
	b.get("/api/v1/orders/"+b.order.ID, b.order.Key).is(http.StatusOK, nil)
	b.get("/api/v1/bag", b.bag).is(http.StatusOK, nil)
	b.get("/api/v1/returns/"+b.waits.ID, b.waits.Key).is(http.StatusOK, nil)
	b.get("/api/v1/holds/"+b.offer.Hold, b.offer.Pass).is(http.StatusOK, nil)
}

// ownAnswers are routes that name nothing and answer with what is whose credential it is, and
// those that are about what is given out to everybody.
var ownAnswers = map[string]string{"list-holds": "of the session", "list-bag": "of the bag", "claim-coupon": "given out to everybody"}

// What lets a fan of one organization's sale in opens nothing of another's: every route is
// called with ids of the house and a token, an order's key, a bag, a place on a list and an
// offer that are good at a rival's. All of it is as it was then.
func TestWhatAFanHasOpensNothingElse(t *testing.T) {
	t.Parallel()
	c := start(t)
	house, rival := c.belongs(tenant.House), c.belongs(c.founded("rival"))
	offered := c.offer(m{})
	c.do(http.MethodPost, "/api/v1/coupons/"+offered.ID+"/claim", house.bag, "{}", "Idempotency-Key", "k").is(http.StatusCreated, nil)
	shown := map[string]string{"a token": rival.token, "an order's key": rival.order.Key, "a bag": rival.bag, "a place on a list": rival.waits.Key, "a pass": rival.offer.Pass}
	bodies := map[string]string{
		"create-hold": c.json(m{"performance": house.show.ID, "units": []int{3}}), "create-order": c.json(m{"hold": house.hold.ID, "email": "x@example.org", "payment_method": sandbox.OK}),
		"set-hold-coupon": `{"code":"ABCD-EFGH"}`, "collect-order": c.json(m{"order": house.order.ID, "key": rival.order.Key}), "take-coupon": `{"code":"ABCD-EFGH"}`,
		"put-reminder":  `{"days":2}`,
		"hold-exchange": c.json(m{"tickets": []string{house.order.Tickets[1].ID}, "for": m{"performance": house.show.ID, "units": []int{3}}}), "exchange-tickets": c.json(m{"hold": house.hold.ID, "tickets": []string{house.order.Tickets[1].ID}}),
	}
	before, refused := c.rows(), []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}
	unchanged := func(what string) {
		t.Helper()
		after := c.rows()
		for table, hash := range after {
			if before[table] != hash {
				t.Errorf("%s: %s is changed", what, table)
			}
		}
		before = after
	}
	for _, r := range Routes {
		if r.Access == Public || r.Access == Doorstep {
			continue // TestTenantIsolation says why
		}
		id := house.hold.ID
		for word, of := range map[string]string{"/orders/{id}": house.order.ID, "/tickets/{id}": house.order.Tickets[1].ID, "/returns/{id}": house.waits.ID, "/coupons/{id}": offered.ID, "/performances/{id}": string(house.show.ID)} {
			if strings.Contains(r.Path, word) {
				id = of
			}
		}
		path := strings.NewReplacer("{id}", id, "{shop}", "opera", "{product}", "tickets", "{number}", "1", "{state}", "claimed", "{hold}", house.hold.ID, "{sale}", string(house.sale.ID), "{organization}", tenant.House).Replace(r.Path)
		for what, credential := range shown {
			body := bodies[r.ID]
			if body == "" && r.Method != http.MethodGet {
				body = "{}"
			}
			a := c.do(r.Method, path, credential, body, "Idempotency-Key", "k", "If-Match", `"1"`)
			if !slices.Contains(refused, a.Status) && (ownAnswers[r.ID] == "" || a.Status >= 300) && (r.Access != Signed || a.Status != http.StatusBadRequest) {
				t.Errorf("%s with %s: %d %.200s", r.ID, what, a.Status, a.Body)
			}
			for _, leak := range []string{house.hold.ID, house.order.ID, house.order.Key, house.waits.ID, house.offer.Hold, string(house.sale.ID), "fan@example.org", "ada@example.org"} {
				if strings.Contains(string(a.Body), leak) {
					t.Errorf("%s with %s tells %s", r.ID, what, leak)
				}
			}
		}
		if ownAnswers[r.ID] != "" {
			before = c.rows()
		} else if r.Method != http.MethodGet && elsewhere[r.Access] != nil {
			unchanged(r.ID)
		}
	}
	unchanged("what staff and accounts do")
	house.holds()
	rival.holds()
}

// Each route of staff says what an API key needs for it, and what names something of an
// organization's in its path is known, so that the guard can ask whose it is.
func TestEveryRouteOfStaffIsGuarded(t *testing.T) {
	t.Parallel()
	within := []string{"{reserve}", "{hold}", "{member}", "{key}", "{organization}", "{plan}", "{notice}", "{batch}", "{letter}", "{language}", "{scan}"} // of what stands before it, or looked at by its handler, or everybody's
	for _, r := range Routes {
		if r.Access != Organizer && r.Access != Venues && r.Access != BoxOffice && r.Access != Door && r.Access != Supervisor && r.Access != Team {
			continue
		}
		if scope := scopeOf(r); r.Access != Team && r.Access != Supervisor && (strings.HasPrefix(scope, ":") || scope == "") {
			t.Errorf("no API key can be for %s", r.ID)
		}
		known := things(r)
		for _, word := range strings.Split(r.Path, "/") {
			name := strings.Trim(word, "{}")
			readable := r.Method == http.MethodGet && (strings.Contains(r.Path, "/venues/{id}") || strings.Contains(r.Path, "/performers/{id}")) // Postgres hides what is not everybody's
			if name != word && known[name] == "" && !slices.Contains(within, word) && !readable && !(r.ID == "approve-seating" && word == "{event}") {
				t.Errorf("%s: nobody asks whose %s is", r.ID, word)
			}
		}
	}
	want := []string{"changes:read", "counter:read", "counter:write", "door:read", "door:write", "events:read", "events:write", "orders:read", "orders:write", "sales:read", "sales:write", "venues:read", "venues:write"}
	if !slices.Equal(scopes, want) {
		t.Errorf("the scopes are %q, want %q as docs/people.md says", scopes, want)
	}
}
