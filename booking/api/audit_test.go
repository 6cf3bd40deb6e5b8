package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/notice"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

// What docs/api.md promises of every route is looked up in the document that is
// made of the code, and tried on a running core. Who adds a route meets these tests.

// operations are the routes as the document tells them.
func operations(t *testing.T) map[string]*huma.Operation {
	t.Helper()
	s := &server{log: slog.New(slog.DiscardHandler)}
	if _, err := s.app(); err != nil {
		t.Fatal(err)
	}
	all := map[string]*huma.Operation{}
	for _, r := range Routes {
		if all[r.ID] = registered(s.spec, r); all[r.ID] == nil {
			t.Fatalf("%s has no operation", r.ID)
		}
	}
	return all
}

func takes(op *huma.Operation, in, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == name })
}

// boundedLists are the lists in answers that need no pages, and why.
var boundedLists = map[string]string{
	"WordingList.letters":              "one of each kind in each language: six",
	"DoorCounts.zones":                 "as many as the rules have had",
	"DoorCounts.doors":                 "as many as the rules have had",
	"DoorCounts.minutes":               "120 at most",
	"DoorCounts.refused":               "one for each reason",
	"DoorSettings.doors":               "50 at most",
	"DoorTickets.tickets":              "20 at most",
	"Merged.answers":                   "100 at most",
	"Live.money":                       "one at most for each currency",
	"Live.tiers":                       "as many as the map has",
	"Live.points":                      "240 at most for each currency",
	"SoldShown.tickets":                "100 at most",
	"Crowd.ages":                       "seven bands, those of no age, and the others",
	"Crowd.countries":                  "as many as ISO 3166 has",
	"GuideStanding.performances":       "1,000 at most",
	"SumSettlement.performances":       "of one sale, or of one account: sums, of which none can be left out",
	"SumSettlement.totals":             "one for each currency",
	"BlockDetail.history":              "one block's: it is made, lifted or over",
	"BlockDetail.standings":            "a rung for each kind of pattern",
	"Map.tiers":                        "of one document: a venue has 100 categories at most, and 500 areas",
	"Map.rows":                         "of one document: at most 20,000, and numbers from end to end",
	"Availability.tiers":               "as many as the map has",
	"GuideShown.performances":          "1,000 at most",
	"GuideShown.performers":            "50 at most",
	"Clashes.clashes":                  "the nearest 20",
	"FoundListing.events":              "48 at most",
	"FoundListing.categories":          "an installation's own: some dozens",
	"Suggestions.suggestions":          "eight at most",
	"Readiness.items":                  "always the same eleven",
	"BagCoupon.history":                "one copy's: a few lines, 200 at most",
	"BagList.coupons":                  "where there is no cursor: of one order, which has 100 tickets at most",
	"Order.tickets":                    "100 at most",
	"Passes.tickets":                   "100 at most",
	"Handing.tickets":                  "100 at most",
	"MyTickets.tickets":                "100 at most",
	"Receipt.lines":                    "100 at most",
	"Receipt.refunds":                  "one at most for each ticket",
	"Receipt.exchanged_from":           "one at most: an order is made for one exchange",
	"Receipt.exchanged_to":             "one at most for each ticket",
	"ExchangeQuote.lines":              "100 at most",
	"Hold.lines":                       "100 at most",
	"PerformanceSettlement.currencies": "one at most for each currency",
	"VenueMap.sections":                "of one document of 32 MiB at most",
	"VenueMap.areas":                   "of one document of 32 MiB at most",
	"Program.performances":             "1,000 at most",
	"Reserve.ranges":                   "runs of neighbors in one map",
	"BulkRefund.refused":               "100 at most, of those that are left",
	"ShownStaff.places":                "200 at most, of one person",
	"SignInList.sign_ins":              "50 at most: the oldest end",
	"SignInProviders.providers":        "an installation's own: a few",
	"Identities.identities":            "one at most for each of those, 100 at most",
	"Export.identities":                "the same",
	"Export.sign_ins":                  "50 at most: the oldest end",
	"Export.performers":                "500 at most: nobody follows more",
	"Export.messages":                  "of 90 days",
	"SoldShown.marks":                  "one of each kind",
	"Export.newsletters":               "the same",
	"Export.posts":                     "one person's own, ten more a day at most",
	"Export.orders":                    "one person's own, which none may be missing of",
	"Export.tickets":                   "the same",
	"Export.events":                    "500 at most: nobody is told of more",
	"ReturnsLists.lists":               "one at most for each tier",
	"ShownCounterBody.reserves":        "1,000 at most",
	"GotTakingsBody.takings":           "one for each member of the box office, tender and currency",
}

// Every list of things is read in pages, or it is known why it cannot grow.
func TestNoListIsWithoutEnd(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	doc, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type  any `json:"type"`
					Items struct {
						Ref  string `json:"$ref"`
						Type any    `json:"type"`
					} `json:"items"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(doc, &spec); err != nil {
		t.Fatal(err)
	}
	for id, op := range operations(t) {
		paged := takes(op, "query", "cursor") && takes(op, "query", "limit")
		if strings.HasPrefix(id, "list-") && !paged {
			t.Errorf("%s takes no cursor and limit", id)
		}
		good := op.Responses[strconv.Itoa(op.DefaultStatus)].Content["application/json"]
		if good == nil || good.Schema.Ref == "" {
			continue
		}
		kind := good.Schema.Ref[strings.LastIndexByte(good.Schema.Ref, '/')+1:]
		schema := spec.Components.Schemas[kind]
		if _, ok := schema.Properties["next"]; paged && !ok {
			t.Errorf("%s is paged and does not say what comes next", id)
		}
		for name, property := range schema.Properties {
			if property.Items.Ref == "" || paged {
				continue
			}
			met[kind+"."+name] = true
			if boundedLists[kind+"."+name] == "" {
				t.Errorf("%s answers with a list, %s of %s, that has no pages, and nobody says why it cannot grow", id, name, kind)
			}
		}
	}
	for name := range boundedLists {
		if !met[name] {
			t.Errorf("%s is no list without pages", name)
		}
	}
}

// scene is a core with two of everything that is listed.
type scene struct {
	*core
	fan, bag string
	order    Order
	offer    coupon.Coupon
	endpoint string // for webhooks
	guide    guideScene
	team     string // the path of the house's
	ada      string // who is signed in, and has bought three times
	event    string // of the performance, whose holders have messages
	notice   string // that did not come to them
	post     string // that has comments
}

func newScene(t *testing.T) *scene {
	t.Helper()
	c := startWith(t, slog.New(slog.DiscardHandler), func(c *core, _ *Config) {
		_, other := c.seed(10, 0) // of the same sale
		if _, err := c.db.Exec(t.Context(), `update sale_performances set sale_id = $1 where performance_id = $2`, c.sale.ID, other.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := c.db.Exec(t.Context(), `update performances set tariff = '{"refund": {}, "exchange": {"before": 60}}'`); err != nil {
			t.Fatal(err)
		}
	})
	s := &scene{core: c, fan: c.fan(), bag: c.bag()}
	buyer := c.fan()
	c.pay(buyer, "k", c.hold(buyer, 0, 1).ID, sandbox.OK).is(http.StatusCreated, &s.order)
	for _, id := range c.performances() {
		c.built(id)
		c.do(http.MethodPost, "/api/v1/holds", s.fan, c.json(m{"performance": id, "units": []int{4}})).is(http.StatusCreated, nil)
	}
	s.ada = c.member(ada)
	for i := range 3 {
		who := c.fan()
		c.payAs(who, s.ada, fmt.Sprint("mine", i), c.hold(who, 10+i).ID).is(http.StatusCreated, nil)
	}
	s.newsletters()
	s.offer = c.offer(m{"per_person": 2})
	c.do(http.MethodPost, "/api/v1/coupons/"+c.offer(m{"per_person": 2}).ID+"/claim", s.bag, "", "Idempotency-Key", "k").is(http.StatusCreated, nil)
	for _, key := range []string{"a", "b"} {
		c.do(http.MethodPost, "/api/v1/coupons/"+s.offer.ID+"/claim", s.bag, "", "Idempotency-Key", key).is(http.StatusCreated, nil)
	}
	c.secondShop()
	c.laned()
	for _, name := range []string{"B", "A", "C"} {
		c.organize(http.MethodPost, salesPath+string(c.sale.ID)+"/codes", c.json(m{"name": strings.ToLower(name), "lane": "members", "count": 2}), "Idempotency-Key", "codes"+name).is(http.StatusCreated, nil)
		c.organize(http.MethodPost, organizer+"/performances/"+string(c.show.ID)+"/reserves",
			c.json(m{"name": name, "kind": "guests", "area": c.show.Tiers[3].Name, "places": 1}), "Idempotency-Key", name).is(http.StatusCreated, nil)
	}
	for i, tier := 0, c.show.Tiers[2]; i < 3; i++ {
		if i == 0 {
			c.sellOut(tier)
		}
		c.wait(tier, fmt.Sprint("fan", i), 1).is(http.StatusCreated, nil)
	}
	for range 3 { // as the settler leaves them that a provider refuses
		if _, err := c.db.Exec(t.Context(), `insert into cancellations (performance_id, id, order_id, attempt_id, place_id, units, amount, kept, currency, who, reason, state, refund_id)
			values ($1, $2, $3, $2, '', '{}', 100, 0, 'EUR', 'staff:ada', 'r', 'failed', $2)`, c.show.ID, uuid.Must(uuid.NewV7()), s.order.ID); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		c.do(http.MethodPost, blocks, "key-sre", c.json(m{"address": fmt.Sprint("203.0.113.", i), "for": 600, "reason": "a bot"}), "Idempotency-Key", fmt.Sprint("b", i)).is(http.StatusCreated, nil)
	}
	for i := range 3 {
		if _, err := c.db.Exec(t.Context(), `insert into payment_accounts (name, provider_account, charges) values ($1, $1, true)`, fmt.Sprint("opera-", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, plan := range []string{"small", "medium", "large"} { // each of which is better than the one before
		c.do(http.MethodPut, plansPath+"/"+plan, "key-sre", c.json(m{"id": plan, "name": plan, "period": "month", "entitlements": m{"rooms": i}}), "If-None-Match", "*").is(http.StatusCreated, nil)
		c.organize(http.MethodPut, organizer+"/accounts/opera-0/plan", c.json(m{"plan": plan})).is(http.StatusOK, nil)
	}
	for i := range 3 {
		var e NewEndpoint
		c.do(http.MethodPost, endpoints, "key-sre", c.json(m{"url": fmt.Sprint("https://example.org/", i), "kinds": []string{"order.paid"}}), "Idempotency-Key", fmt.Sprint("e", i)).is(http.StatusCreated, &e)
		s.endpoint = e.ID
	}
	for range 3 {
		c.do(http.MethodPost, endpoints+"/"+s.endpoint+"/test", "key-sre", "").is(http.StatusOK, nil)
	}
	s.guide, s.team = c.guideScene(), organizationsPath+"/"+tenant.House
	for _, name := range []string{"a", "b", "c"} {
		c.do(http.MethodPost, s.team+"/invitations", "key-olga", c.json(m{"email": name + "@example.org", "roles": []string{"door"}}), "Idempotency-Key", "i"+name).is(http.StatusCreated, nil)
		c.do(http.MethodPost, s.team+"/keys", "key-olga", c.json(m{"name": name, "scopes": []string{"events:read"}}), "Idempotency-Key", "k"+name).is(http.StatusCreated, nil)
		c.do(http.MethodPost, organizationsPath, "key-sre", c.json(m{"slug": name, "name": name}), "Idempotency-Key", "o"+name).is(http.StatusCreated, nil)
	}
	var in []m // four times with one ticket, by a scanner without a network
	for i := range 4 {
		in = append(in, m{"id": uuid.NewString(), "ticket": s.order.Tickets[0].ID, "door": door.Main, "passed": true, "at": time.Now().Add(time.Duration(i-9) * time.Second)})
	}
	c.do(http.MethodPost, c.door("/scans/merge"), "key-door", c.json(m{"device": "gate 1", "decisions": in})).is(http.StatusOK, nil)
	var bands PerformerList
	c.get("/api/v1/performers", "").is(http.StatusOK, &bands)
	for _, k := range bands.Performers {
		c.do(http.MethodPut, mePath+"/performers/"+k.ID, s.ada, "").is(http.StatusNoContent, nil)
	}
	for i := range 3 { // as webhooks leave them
		if _, err := c.db.Exec(t.Context(), `insert into order_disputes (performance_id, id, order_id, attempt_id, provider_ref, payment_ref, state, amount, withdrawn, reinstated, currency, fee, fee_returned, fee_currency, reason, opened_at)
			values ($1, $2, $3, $2, $4, 'p', $5, 100, 0, 0, 'EUR', 0, 0, 'EUR', 'r', now())`, c.show.ID, uuid.Must(uuid.NewV7()), s.order.ID, fmt.Sprint("d", i), []string{"open", "won", "open"}[i]); err != nil {
			t.Fatal(err)
		}
	}
	s.written()
	var n, shown int
	if err := c.db.QueryRow(t.Context(), `select count(distinct e.id) filter (where e.state = 'published'), count(distinct e.id) filter (where e.state <> 'draft')
		from events e join performances p on p.event_id = e.id`).Scan(&n, &shown); err != nil {
		t.Fatal(err)
	}
	c.search("", func(f find.Found) bool { return len(f.Entries) == n })
	c.listing(n)
	c.events(shown)
	return s
}

// written sends messages to holders, of which one comes to nobody.
func (s *scene) written() {
	c := s.core
	c.t.Helper()
	if err := c.db.QueryRow(c.t.Context(), `select event_id::text from performances where id = $1`, c.show.ID).Scan(&s.event); err != nil {
		c.t.Fatal(err)
	}
	other := c.fan()
	c.do(http.MethodPost, "/api/v1/orders", other, c.json(m{"hold": c.hold(other, 14).ID, "email": "grace@example.org", "payment_method": sandbox.OK}), "Idempotency-Key", "k").is(http.StatusCreated, nil)
	for i := range 3 {
		var n notice.Notice
		c.organize(http.MethodPost, eventsPath+"/"+s.event+"/notices", c.json(m{"subject": fmt.Sprint(i), "text": "x"}), "Idempotency-Key", fmt.Sprint("n", i)).is(http.StatusCreated, &n)
		s.notice = n.ID
	}
	s.posts()
	if _, err := c.db.Exec(c.t.Context(), `insert into mails (id, state, give_up_at) select gen_random_uuid(), 'failed', now() from generate_series(1, 3)`); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.db.Exec(c.t.Context(), `update notice_recipients set state = 'failed', mail_id = gen_random_uuid() where notice_id = $1`, s.notice); err != nil {
		c.t.Fatal(err)
	}
}

// newsletters are two that were sent, and two that Ada has asked for.
func (s *scene) newsletters() {
	s.t.Helper()
	c := s.core
	for _, sql := range []string{`insert into inbox (id, person_id, sealed) select gen_random_uuid(), id, '\x01' from people, generate_series(1, 3)`, `insert into organizations (id, slug, name) values ('00000000-0000-7000-8000-0000000000aa', 'others', 'Others')`,
		`insert into newsletter_consents (id, organization_id, email, person_id, state, place, words, language, given_at) select gen_random_uuid(), o.id, 'ada@example.org', p.id, 'given', 'account', 'W', 'en', now() from organizations o, people p where o.slug = 'others' or o.id = '00000000-0000-7000-8000-000000000001'`} {
		if _, err := c.db.Exec(c.t.Context(), sql); err != nil {
			c.t.Fatal(err)
		}
	}
	for i := range 2 {
		c.organize(http.MethodPost, newslettersPath, c.json(m{"subject": fmt.Sprint(i), "text": "x"}), "Idempotency-Key", fmt.Sprint("newsletter", i)).is(http.StatusCreated, nil)
	}
}

// posts are two reviews of people who were there, and questions of Ada's: two that are shown,
// one of them with two comments, and two that wait.
func (s *scene) posts() {
	s.t.Helper()
	c := s.core
	write := func(kind, parent, state, who string) (id string) {
		err := c.db.QueryRow(c.t.Context(), `insert into posts (id, organization_id, event_id, parent_id, kind, person_id, name, stars, body, state)
			select gen_random_uuid(), e.organization_id, e.id, nullif($2, '')::uuid, $3, coalesce(nullif($5, '')::uuid, p.id), 'Ada', case when $3 = 'review' then 4 end, 'It was good.', $4
			from events e, people p where e.id = $1 and p.state = 'active' order by p.created_at limit 1 returning id::text`, s.event, parent, kind, state, who).Scan(&id)
		if err != nil {
			c.t.Fatal(err)
		}
		return id
	}
	for range 2 {
		var other string
		if err := c.db.QueryRow(c.t.Context(), `insert into people (id, email_mac, wrapped, sealed, password) values (gen_random_uuid(), gen_random_uuid()::text::bytea, '', '', 'x') returning id::text`).Scan(&other); err != nil {
			c.t.Fatal(err)
		}
		write("review", "", "shown", other)
		write("question", "", "waiting", "")
		s.post = write("question", "", "shown", "")
	}
	for range 2 {
		write("comment", s.post, "shown", "")
	}
}

func (c *core) performances() (ids []ropeline.PerformanceID) {
	c.t.Helper()
	ids, err := catalogue.New(c.db, time.Now).Performances(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return ids
}

// secondShop offers a coupon in another shop.
func (c *core) secondShop() {
	c.t.Helper()
	const cinema = "/api/v1/organizer/shops/cinema"
	c.do(http.MethodPut, cinema, "key-tom", c.json(m{"name": "Cinema"})).is(http.StatusOK, nil)
	c.do(http.MethodPut, cinema+"/products/popcorn", "key-tom", c.json(m{"name": "Popcorn", "category": "snacks"})).is(http.StatusOK, nil)
	now := time.Now().UTC()
	var made coupon.Coupon
	c.do(http.MethodPost, cinema+"/coupons", "key-tom", c.json(m{"product": "popcorn", "title": "Free", "percent": 100, "currency": "EUR", "stock": 1, "per_person": 1,
		"publish_from": now.Add(-time.Hour), "publish_until": now.Add(time.Hour), "expires_at": now.Add(2 * time.Hour)}), "Idempotency-Key", "k").is(http.StatusCreated, &made)
	c.do(http.MethodPost, cinema+"/coupons/"+made.ID+"/publish", "key-tom", "{}").is(http.StatusOK, nil)
}

// lists are where a scene has two at least of what a route lists, and by whose key.
func (s *scene) lists() map[string][2]string {
	return map[string][2]string{
		"list-events":             {"/api/v1/events", ""},
		"search":                  {"/api/v1/search", ""},
		"list-holds":              {"/api/v1/holds", s.fan},
		"list-coupons":            {"/api/v1/coupons", ""},
		"list-shops":              {"/api/v1/shops", ""},
		"list-categories":         {"/api/v1/categories", ""},
		"list-products":           {"/api/v1/shops/opera/products", ""},
		"list-my-orders":          {mePath + "/orders", s.ada},
		"list-followed":           {mePath + "/performers", s.ada},
		"list-bag":                {"/api/v1/bag", s.bag},
		"list-own-shops":          {organizer + "/shops", "key-olga"},
		"list-shop-coupons":       {opera + "/coupons", "key-rosa"},
		"list-coupon-queue":       {opera + "/coupons/" + s.offer.ID + "/queues/claimed", "key-rosa"},
		"list-coupon-history":     {opera + "/coupons/" + s.offer.ID + "/history", "key-rosa"},
		"get-order-ledger":        {organizerAPI + "/orders/" + s.order.ID + "/ledger", "key-sre"},
		"list-failed-refunds":     {organizerAPI + "/refunds", "key-sre"},
		"list-blocks":             {blocks, "key-sre"},
		"list-dead-letters":       {deadLetters, "key-sre"},
		"list-accounts":           {organizerAPI + "/accounts", "key-sre"},
		"list-webhooks":           {endpoints, "key-sre"},
		"list-webhook-deliveries": {endpoints + "/" + s.endpoint + "/deliveries", "key-sre"},
		"list-disputes":           {organizerAPI + "/disputes", "key-sre"},
		"list-venues":             {venuesPath, "key-olga"},
		"list-programs":           {programsPath, "key-olga"},
		"list-reserves":           {organizer + "/performances/" + string(s.show.ID) + "/reserves", "key-olga"},
		"list-returns":            {organizer + "/performances/" + string(s.show.ID) + "/returns", "key-sre"},
		"list-returns-history":    {organizer + "/performances/" + string(s.show.ID) + "/returns/history", "key-sre"},
		"list-sold-orders":        {organizer + "/performances/" + string(s.show.ID) + "/orders", "key-olga"},
		"list-double-entries":     {s.door("/doubles"), "key-door"},
		"list-notices":            {eventsPath + "/" + s.event + "/notices", "key-olga"},
		"list-notice-failures":    {eventsPath + "/" + s.event + "/notices/" + s.notice + "/failures", "key-olga"},
		"list-newsletters":        {newslettersPath, "key-olga"},
		"list-posts":              {"/api/v1/events/" + s.event + "/posts", ""},
		"list-comments":           {"/api/v1/events/" + s.event + "/posts/" + s.post + "/comments", ""},
		"list-my-posts":           {mePath + "/posts", s.ada},
		"list-own-posts":          {ownPostsPath, "key-olga"},
		"list-my-messages":        {mePath + "/messages", s.ada},
		"list-my-newsletters":     {mePath + "/newsletters", s.ada},
		"list-popularity":         {organizer + "/popularity", "key-olga"},
		"list-changes":            {organizer + "/changes", "key-olga"},
		"list-plans":              {plansPath, "key-olga"},
		"list-event-categories":   {"/api/v1/event-categories", ""},
		"list-performers":         {"/api/v1/performers", ""},
		"list-tours":              {"/api/v1/tours", ""},
		"list-places":             {"/api/v1/venues", ""},
		"list-own-events":         {eventsPath, "key-olga"},
		"list-own-performers":     {performersPath, "key-olga"},
		"list-own-tours":          {toursPath, "key-olga"},
		"list-calendar":           {venuesPath + "/" + s.guide.venue + "/calendar", "key-olga"},
		"list-approvals":          {venuesPath + "/" + s.guide.venue + "/approvals", "key-olga"},
		"list-organizations":      {organizationsPath, "key-sre"},
		"list-members":            {s.team + "/members", "key-olga"},
		"list-api-keys":           {s.team + "/keys", "key-olga"},
		"list-codes":              {salesPath + string(s.sale.ID) + "/codes", "key-olga"},
		"list-plan-periods":       {organizer + "/accounts/opera-0/plan/periods", "key-olga"},
	}
}

// Every list is the same one by one as it is at once, and takes no cursor or limit
// that makes no sense.
func TestEveryListIsReadByItsCursor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	lists := s.lists()
	for id, op := range operations(t) {
		if !takes(op, "query", "cursor") {
			continue
		}
		t.Run(id, func(t *testing.T) {
			c := *s.core
			c.t = t
			where, ok := lists[id]
			if !ok {
				t.Fatal("the audit does not know where to find two of these")
			}
			read := func(query string) (items []string, next string) {
				var page map[string]json.RawMessage
				c.get(where[0]+query, where[1]).is(http.StatusOK, &page)
				for name, value := range page {
					if value[0] != '[' {
						continue
					}
					var list []json.RawMessage
					if err := json.Unmarshal(value, &list); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					for _, item := range list {
						items = append(items, string(item))
					}
				}
				if raw, ok := page["next"]; ok {
					if err := json.Unmarshal(raw, &next); err != nil {
						t.Fatal(err)
					}
				}
				return items, next
			}
			whole, next := read("")
			if len(whole) < 2 || next != "" {
				t.Fatalf("there are %d, and %q comes next: want two at least, and nothing", len(whole), next)
			}
			var single []string
			for cursor := ""; ; {
				items, next := read("?limit=1&cursor=" + url.QueryEscape(cursor))
				if single = append(single, items...); next == "" || len(single) > len(whole) {
					break
				}
				if len(items) != 1 || next == cursor {
					t.Fatalf("a page of one has %d, and %q after %q", len(items), next, cursor)
				}
				cursor = next
			}
			if fmt.Sprint(single) != fmt.Sprint(whole) {
				t.Errorf("one by one\n%s\nat once\n%s", single, whole)
			}
			for _, query := range []string{"limit=-1", "limit=201", "cursor=%27%3B--", "cursor=" + strings.Repeat("9", 70)} {
				c.get(where[0]+"?"+query, where[1]).refused(http.StatusUnprocessableEntity, "page-invalid")
			}
			// A number that a column of Postgres has not is none of a failing store: it was once,
			// for the deliveries of a webhook.
			for _, number := range []string{"2147483648", "9223372036854775807"} {
				if a := c.get(where[0]+"?cursor="+number, where[1]); a.Status != http.StatusOK && a.Status != http.StatusUnprocessableEntity {
					t.Errorf("behind %s: %d %s", number, a.Status, a.Body)
				}
			}
		})
	}
}

// Whatever anybody may read can be kept, and asked for again for next to nothing;
// nothing else is kept anywhere.
func TestEveryPublicAnswerIsTagged(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	paths := map[string]string{
		"get-performance":  "/api/v1/performances/" + string(s.show.ID),
		"get-availability": "/api/v1/performances/" + string(s.show.ID) + "/availability",
		"get-payment":      "/api/v1/performances/" + string(s.show.ID) + "/payment",
		"show-returns":     "/api/v1/performances/" + string(s.show.ID) + "/returns",
		"get-coupon":       "/api/v1/coupons/" + s.offer.ID,
		"suggest":          "/api/v1/suggest?q=gala",
		"get-listing":      "/api/v1/listing",
		"get-event":        "/api/v1/events/" + s.offer.Event,
		"get-performer":    "/api/v1/performers/" + s.guide.performer,
		"get-tour":         "/api/v1/tours/" + s.guide.tour,
		"get-place":        "/api/v1/venues/" + s.guide.venue,
		"get-picture":      "/api/v1/pictures/" + s.guide.picture + "?width=100",

		"get-sign-in-providers": "/api/v1/accounts/providers",
	}
	for id, where := range s.lists() {
		paths[id] = where[0]
	}
	ops := operations(t)
	for _, r := range Routes {
		if r.Access != Public || r.Method != http.MethodGet {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			c := *s.core
			c.t = t
			op := ops[r.ID]
			if !takes(op, "header", "If-None-Match") || op.Responses["304"] == nil || op.Responses["200"].Headers["ETag"] == nil || op.Responses["200"].Headers["Cache-Control"] == nil {
				t.Error("the document tells nothing of ETag, Cache-Control, If-None-Match or 304")
			}
			path := paths[r.ID]
			if path == "" {
				t.Fatal("the audit does not know where to find it")
			}
			first := c.get(path, "")
			first.is(http.StatusOK, nil)
			tag := first.Header.Get("ETag")
			if !strings.HasPrefix(tag, `"`) || !strings.HasPrefix(first.Header.Get("Cache-Control"), "max-age=") {
				t.Fatalf("ETag %s, Cache-Control %s", tag, first.Header.Get("Cache-Control"))
			}
			for _, have := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
				again := c.get(path, "", "If-None-Match", have)
				if again.Status != http.StatusNotModified || len(again.Body) > 0 || again.Header.Get("ETag") != tag || again.Header.Get("Cache-Control") == "" {
					t.Errorf("having %s: %d %v %s", have, again.Status, again.Header, again.Body)
				}
			}
			c.get(path, "", "If-None-Match", `"other"`).is(http.StatusOK, nil)
		})
	}
}

// keyless are the POSTs that create something and take no Idempotency-Key, and why.
var keyless = map[string]string{
	"claim-return": "an offer is one hold, and its pass the key to it",
	"create-bag":   "nothing is written: a bag is there once something is in it, and its key is a secret that no header should make",
}

// Whoever does not know what came of a request sends it again.
func TestEveryPostThatCreatesTakesAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	for _, r := range Routes {
		op := operations(t)[r.ID]
		if r.Method == http.MethodPost && r.Success == http.StatusCreated && !takes(op, "header", "Idempotency-Key") && keyless[r.ID] == "" {
			t.Errorf("%s creates something and takes no Idempotency-Key", r.ID)
		}
	}
	s := newScene(t)
	claimed := s.offer.ID
	now := time.Now().UTC()
	terms := m{"product": "coffee", "title": "A fifth off", "percent": 20, "currency": "EUR", "stock": 5, "per_person": 1,
		"publish_from": now, "publish_until": now.Add(time.Hour), "expires_at": now.Add(2 * time.Hour)}
	more := maps.Clone(terms)
	more["stock"] = 6
	c := s.core
	var sold Hold
	c.do(http.MethodPost, c.counter("/holds"), "key-counter", c.json(m{"units": []int{42}}), "Idempotency-Key", "k").is(http.StatusCreated, &sold)
	hall, guests := operaHouse(t), m{"name": "D", "kind": "guests", "area": s.show.Tiers[3].Name, "places": 1}
	giver := s.core.bag()
	var gift BagCoupon
	s.do(http.MethodPost, "/api/v1/coupons/"+claimed+"/claim", giver, "", "Idempotency-Key", "gift").is(http.StatusCreated, &gift)
	fan, buyer, bag := s.core.fan(), s.core.fan(), s.core.bag()
	hold, performance := s.hold(buyer, 20), s.show.ID
	swap := func(units ...int) (Order, m) { // an order, and what its exchange for another place is asked with
		var o Order
		var q ExchangeQuote
		who := s.core.fan()
		s.core.pay(who, "swap", s.core.hold(who, units[0]).ID, sandbox.OK).is(http.StatusCreated, &o)
		tickets := []string{o.Tickets[0].ID}
		s.do(http.MethodPut, "/api/v1/orders/"+o.ID+"/exchange/hold", o.Key, s.core.json(m{"tickets": tickets, "for": m{"performance": performance, "units": units[1:]}})).is(http.StatusOK, &q)
		return o, m{"hold": q.Hold, "tickets": tickets, "payment_method": sandbox.OK, "reason": "a broken seat"}
	}
	otherwise := func(body m) m {
		o := maps.Clone(body)
		o["payment_method"] = sandbox.Slow
		return o
	}
	mine, swapMine := swap(50, 51)
	theirs, swapTheirs := swap(52, 53)
	swapMine2 := otherwise(swapMine)
	delete(swapMine, "reason")
	delete(swapMine2, "reason")
	cases := map[string]struct {
		path, bearer string
		body, other  any // of another request with the same key; nil: there is none
		without      string
		reused       string
	}{
		"create-hold": {"/api/v1/holds", fan, m{"performance": performance, "units": []int{30}}, m{"performance": performance, "units": []int{31}}, "hold-exists", "hold-exists"},
		"create-order": {"/api/v1/orders", buyer, m{"hold": hold.ID, "email": "fan@example.org", "payment_method": sandbox.OK},
			m{"hold": hold.ID, "email": "other@example.org", "payment_method": sandbox.OK}, "idempotency-key-missing", "idempotency-key-reused"},
		"join-returns": {"/api/v1/performances/" + string(performance) + "/returns", "", m{"tier": s.show.Tiers[2].ID, "quantity": 1, "email": "fan@example.org"},
			m{"tier": s.show.Tiers[2].ID, "quantity": 2, "email": "fan@example.org"}, "idempotency-key-missing", "idempotency-key-reused"},
		"exchange-tickets":       {"/api/v1/orders/" + mine.ID + "/exchange", mine.Key, swapMine, swapMine2, "idempotency-key-missing", "idempotency-key-reused"},
		"staff-exchange-tickets": {organizer + "/orders/" + theirs.ID + "/exchange", "key-sre", swapTheirs, otherwise(swapTheirs), "idempotency-key-missing", "idempotency-key-reused"},
		"claim-coupon":           {"/api/v1/coupons/" + claimed + "/claim", bag, nil, nil, "idempotency-key-missing", ""},
		"take-coupon":            {"/api/v1/bag/coupons", bag, m{"code": gift.Code}, nil, "idempotency-key-missing", ""},
		"create-counter-hold":    {c.counter("/holds"), "key-counter", m{"units": []int{40}}, m{"units": []int{41}}, "idempotency-key-missing", "idempotency-key-reused"},
		"sell-at-counter":        {c.counter("/orders"), "key-counter", m{"hold": sold.ID, "tender": "cash"}, m{"hold": sold.ID, "tender": "terminal"}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-block":           {blocks, "key-sre", m{"address": "203.0.113.9", "for": 600, "reason": "a bot"}, m{"address": "203.0.113.9", "for": 601, "reason": "a bot"}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-webhook":         {endpoints, "key-sre", m{"url": "https://example.org/hook", "kinds": []string{"order.paid"}}, m{"url": "https://example.org/other", "kinds": []string{"order.paid"}}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-venue":           {venuesPath, "key-olga", json.RawMessage(hall), json.RawMessage(strings.Replace(hall, "200", "201", 1)), "idempotency-key-missing", "idempotency-key-reused"},
		"create-event":           {eventsPath, "key-olga", m{"title": "Gala"}, m{"title": "Ball"}, "idempotency-key-missing", "idempotency-key-reused"},
		"copy-event":             {eventsPath + "/" + s.guide.event + "/copy", "key-olga", nil, nil, "idempotency-key-missing", ""},
		"create-performer":       {performersPath, "key-olga", m{"name": "A band"}, m{"name": "A choir"}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-tour":            {toursPath, "key-olga", m{"name": "A tour"}, m{"name": "Another"}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-organization":    {organizationsPath, "key-sre", m{"slug": "opera", "name": "Opera"}, m{"slug": "opera", "name": "Other"}, "idempotency-key-missing", "idempotency-key-reused"},
		"invite-member":          {s.team + "/invitations", "key-olga", m{"email": "d@example.org", "roles": []string{"door"}}, m{"email": "d@example.org", "roles": []string{"venue"}}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-api-key":         {s.team + "/keys", "key-olga", m{"name": "till", "scopes": []string{"counter:write"}}, m{"name": "till", "scopes": []string{"counter:read"}}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-codes":           {salesPath + string(s.sale.ID) + "/codes", "key-olga", m{"name": "fans", "lane": "members", "count": 2}, m{"name": "fans", "lane": "members", "count": 3}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-picture":         {picturesPath, "key-olga", drawing(t, 101), drawing(t, 102), "idempotency-key-missing", "idempotency-key-reused"},
		"create-notice":          {eventsPath + "/" + s.event + "/notices", "key-olga", m{"subject": "Rain", "text": "Bring a coat."}, m{"subject": "Rain", "text": "Bring a hat."}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-newsletter":      {newslettersPath, "key-olga", m{"subject": "A season", "text": "Come."}, m{"subject": "A season", "text": "Come and see."}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-post":            {mePath + "/posts", s.ada, m{"kind": "question", "event": s.event, "name": "Ada", "text": "Why?"}, m{"kind": "question", "event": s.event, "name": "Ada", "text": "When?"}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-reserve":         {organizer + "/performances/" + string(s.show.ID) + "/reserves", "key-olga", guests, m{"name": "D", "kind": "blocked", "area": s.show.Tiers[3].Name, "places": 1}, "idempotency-key-missing", "idempotency-key-reused"},
		"create-coupon":          {opera + "/coupons", "key-rosa", terms, more, "idempotency-key-missing", "idempotency-key-reused"},
	}
	for _, r := range Routes {
		if r.Method != http.MethodPost || r.Success != http.StatusCreated || keyless[r.ID] != "" {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			c := *s.core
			c.t = t
			k, ok := cases[r.ID]
			if !ok {
				t.Fatal("the audit does not know how to create one")
			}
			send := func(body any, headers ...string) answer {
				text := ""
				if file, ok := body.(string); ok {
					text = file
				} else if body != nil {
					text = c.json(body)
				}
				return c.do(http.MethodPost, k.path, k.bearer, text, headers...)
			}
			first := send(k.body, "Idempotency-Key", r.ID)
			first.is(http.StatusCreated, nil)
			again := send(k.body, "Idempotency-Key", r.ID)
			if again.Status != http.StatusCreated && again.Status != http.StatusOK || string(again.Body) != string(first.Body) {
				t.Errorf("first %d %s\nagain %d %s", first.Status, first.Body, again.Status, again.Body)
			}
			if k.other != nil {
				a := send(k.other, "Idempotency-Key", r.ID)
				if !strings.Contains(string(a.Body), k.reused) || a.Status < http.StatusBadRequest {
					t.Errorf("another request with the same key: %d %s, want %s", a.Status, a.Body, k.reused)
				}
			}
			if a := send(k.body); !strings.Contains(string(a.Body), k.without) || a.Status < http.StatusBadRequest {
				t.Errorf("without a key: %d %s, want %s", a.Status, a.Body, k.without)
			}
			for _, evil := range []string{strings.Repeat("k", 129), "ключ", "a b"} {
				send(k.body, "Idempotency-Key", evil).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
			}
		})
	}
}

// Behind an admission token each session has so many requests a minute, is told
// how many are left, and is refused beyond them with when to come again.
func TestSessionsAreToldTheirLimit(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(_ *core, config *Config) { config.Gate = config.Gate.WithRate(2, time.Now) })
	for _, r := range Routes {
		if r.Access != Admission {
			continue
		}
		fan := c.fan()
		path := strings.ReplaceAll(r.Path, "{id}", uuid.NewString())
		for left := 1; left >= -1; left-- {
			a := c.do(r.Method, path, fan, "{}")
			if a.Header.Get("RateLimit-Policy") != `"session";q=2;w=60` || !strings.HasPrefix(a.Header.Get("RateLimit"), fmt.Sprintf(`"session";r=%d;t=`, max(left, 0))) {
				t.Errorf("%s with %d left: %d %v", r.ID, left, a.Status, a.Header)
			}
			if left >= 0 {
				if a.Status == http.StatusTooManyRequests {
					t.Errorf("%s is refused with %d left", r.ID, left)
				}
				continue
			}
			a.names(http.StatusTooManyRequests, "rate-limited", "in your session") // whatever its addresses
			if wait, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
				t.Errorf("%s: Retry-After %q", r.ID, a.Header.Get("Retry-After"))
			}
		}
	}
	for _, op := range operations(t) {
		refused := op.Responses["429"]
		if refused == nil || refused.Content[problemType] == nil || refused.Headers["Retry-After"] == nil || refused.Headers["RateLimit"] == nil || refused.Headers["RateLimit-Policy"] == nil {
			t.Errorf("%s does not tell of 429", op.OperationID)
		}
	}
}
