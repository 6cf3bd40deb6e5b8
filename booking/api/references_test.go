package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// kept is every row that is kept, but for what we work out by ourselves, as a hash.
func (c *core) kept() map[string]bool {
	c.t.Helper()
	rows, err := c.db.Query(c.t.Context(), `select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
		and relname !~ '^(find_|insight_|goose|river_|sign_ins$|api_keys$|health|webhook_deliveries$|mails$|organizations$)'`)
	if err != nil {
		c.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		c.t.Fatal(err)
	}
	all := map[string]bool{}
	for _, table := range tables {
		rows, err := c.db.Query(c.t.Context(), `select md5(x::text) from `+pgx.Identifier{table}.Sanitize()+` x`)
		if err != nil {
			c.t.Fatal(err)
		}
		var hash string
		if _, err := pgx.ForEachRow(rows, []any{&hash}, func() error { all[table+" "+hash] = true; return nil }); err != nil {
			c.t.Fatal(err)
		}
	}
	return all
}

// put writes something at a place of a body, and makes the way there.
func put(body any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "[]" {
		list, _ := body.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		list = slices.Clone(list)
		list[0] = put(list[0], path[1:], value)
		return list
	}
	object := map[string]any{}
	if there, ok := body.(map[string]any); ok {
		for name, v := range there {
			object[name] = v
		}
	}
	object[path[0]] = put(object[path[0]], path[1:], value)
	return object
}

// What the body of a request names of another organization's is not there: each text of each
// body that staff send, as the OpenAPI document has them, becomes the id of a thing of the
// house's, of each where it refers to something by its name and of two elsewhere, sent by a rival's staff about what is their own. The answer is the one for an id
// that nobody has, and nothing of the house's is changed. Fields that are known to name
// something are tried with the rival's own as well, which has to be taken.
func TestNoBodyReachesAnotherOrganization(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(c *core, _ *Config) {
		if _, err := c.db.Exec(t.Context(), `insert into payment_accounts (name, provider_account, charges) values ('house-account', 'acct_1', true)`); err != nil {
			t.Fatal(err)
		}
	})
	const secret = "Our own business"
	fan := c.fan()
	var bought Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &bought)
	var held Hold
	c.do(http.MethodPost, c.counter("/holds"), "key-counter", c.json(m{"units": []int{40}}), "Idempotency-Key", "k").is(http.StatusCreated, &held)
	offered, guided, theirs := c.offer(m{"title": secret}), c.guideScene(), c.venue()
	for _, sql := range []string{`update events set title = $1`, `update venues set name = $1, open = false`, `update tours set name = $1`} {
		if _, err := c.db.Exec(t.Context(), sql, secret); err != nil {
			t.Fatal(err)
		}
	}
	rival := c.founded("rival")
	before := c.kept()

	// What the rival has.
	made := func(path string, body any) string {
		text, ok := body.(string)
		if !ok {
			text = c.json(body)
		}
		var k struct{ ID string }
		c.do(http.MethodPost, path, "key-rival", text, "Idempotency-Key", fmt.Sprintf("own-%d-%d", len(path), len(text))).is(http.StatusCreated, &k)
		return k.ID
	}
	venue := made(venuesPath, m{"format": "ropeline-venue/1", "name": "Barn", "categories": []string{"Floor"}, "areas": []m{{"name": "Floor", "category": "Floor", "places": 100}}})
	tour, performer, picture := made(toursPath, m{"name": "Ours"}), made(performersPath, m{"name": "We"}), made(picturesPath, drawing(t, 130))
	event := made(eventsPath, m{"title": "Our night"})
	var program struct{ Sale ropeline.Sale }
	c.do(http.MethodPut, programsPath+"/rival-night", "key-rival", c.json(m{"event_id": event, "currency": "EUR",
		"performances": []m{{"venue": venue, "starts_at": "2037-05-01T18:00:00Z", "prices": m{"Floor": 1000}}},
		"sale": m{"id": "rival-night", "title": "Our night", "lobby_closes_at": "2037-01-10T08:59:55Z", "opens_at": "2037-01-10T09:00:00Z", "ends_at": "2037-05-01T16:00:00Z",
			"cap": 500, "rate": 1200, "claim_window": 60, "token_life": 60, "session_max": 1800, "hold": 600, "units_per_hold": 6}}), "If-None-Match", "*").is(http.StatusCreated, &program)
	show := program.Sale.Performances[0]
	c.do(http.MethodPut, eventsPath+"/"+event+"/state?reason=ready", "key-rival", `{"state":"published"}`, "If-Match", c.do(http.MethodGet, eventsPath+"/"+event, "key-rival", "").Header.Get("ETag")).is(http.StatusOK, nil)
	c.built(show)
	atCounter := func(n int) string {
		var h Hold
		c.do(http.MethodPost, organizer+"/performances/"+string(show)+"/counter/holds", "key-rival-counter", c.json(m{"units": []int{n}}), "Idempotency-Key", fmt.Sprintf("counter-%d", n)).is(http.StatusCreated, &h)
		return h.ID
	}
	own := map[string]string{"create-event tour": tour, "create-event picture": picture, "create-event performers.[]": performer, "put-event tour": tour, "put-event picture": picture,
		"create-performer picture": picture, "put-performer picture": picture, "create-tour picture": picture, "put-tour picture": picture, "put-venue-details picture": picture,
		"put-program event_id": event, "put-program performances.[].venue": venue, "sell-at-counter hold": atCounter(50)}
	ids := strings.NewReplacer("/events/{id}", "/events/"+event, "/tours/{id}", "/tours/"+tour, "/performers/{id}", "/performers/"+performer, "/venues/{id}", "/venues/"+venue,
		"/performances/{id}", "/performances/"+string(show), "{sale}", "rival-night", "{organization}", rival, "{shop}", "opera", "{event}", event, "{hold}", atCounter(51), "{account}", "nobodys", "{plan}", "free")
	house := map[string]string{"an event": guided.event, "a tour": guided.tour, "a venue": theirs, "a picture": guided.picture, "a performance": string(c.show.ID), "a sale": string(c.sale.ID),
		"an order": bought.ID, "a ticket": bought.Tickets[0].ID, "a hold": held.ID, "a coupon": offered.ID, "an account": "house-account"}

	text, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc outline
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"title": `"x"`, "reason": `"rain"`, "category": `"music"`, "currency": `"EUR"`, "units": "[60]", "tender": `"cash"`, "roles": `["door"]`, "scopes": `["events:read"]`, "email": `"x@example.org"`, "state": `"published"`}
	kinds := slices.Sorted(maps.Keys(house))
	refers := regexp.MustCompile(`[ .](event_id|venue|tour|picture|performers\.\[\]|performance|hold|tickets\.\[\]|sale|account|coupon|order|id)$`)
	tried, taken := 0, map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			r, _ := route(op.ID)
			request, has := op.Body.Content["application/json"]
			if _, staff := rolesOf[r.Access]; !has || !staff || r.Access == SRE || r.Access == Admin || r.Access == Crew || strings.Contains(path, "{reserve}") || strings.Contains(path, "{member}") || strings.Contains(path, "{id}") && ids.Replace(path) == path {
				continue
			}
			bearer := map[Access]string{BoxOffice: "key-rival-counter", Door: "key-rival-door", Desk: "key-rival-shop"}[r.Access]
			if bearer == "" {
				bearer = "key-rival"
			}
			at := ids.Replace(path)
			ask := func(place []string, value any) answer {
				headers := []string{"Idempotency-Key", uuid.NewString()}
				var base any
				if err := json.Unmarshal([]byte(doc.body(request.Schema, "", good, nil, "")), &base); err != nil {
					t.Fatalf("%s: %v", op.ID, err)
				}
				if method == "put" {
					now := c.do(http.MethodGet, at, bearer, "")
					if tag := now.Header.Get("ETag"); now.Status == http.StatusOK && tag != "" {
						headers = append(headers, "If-Match", tag)
						var kept map[string]any
						if err := json.Unmarshal(now.Body, &kept); err != nil {
							t.Fatalf("%s: %v", op.ID, err)
						}
						object := base.(map[string]any)
						for name := range doc.resolve(request.Schema).Properties { // what is told of it is more than can be put
							if v, ok := kept[name]; ok && op.ID != "set-event-state" {
								object[name] = v
							}
						}
					} else {
						headers = append(headers, "If-None-Match", "*")
					}
				}
				if op.ID == "put-program" {
					sale := base.(map[string]any)["sale"].(map[string]any)
					delete(sale, "version")
					delete(sale, "performances")
				}
				return c.do(strings.ToUpper(method), at+"?reason=because", bearer, c.json(put(base, place, value)), headers...)
			}
			for _, f := range doc.fields(request.Schema, nil) {
				if !f.text || f.path[len(f.path)-1] == "code" { // which is a secret, and guessed a few times only
					continue
				}
				name := op.ID + " " + strings.Join(f.path, ".")
				if id, ok := own[name]; ok {
					if a := ask(f.path, id); a.Status >= http.StatusBadRequest {
						t.Errorf("%s: their own is refused: %d %s", name, a.Status, a.Body)
					}
					taken[name] = true
				}
				nobodys := map[bool]answer{true: ask(f.path, uuid.NewString()), false: ask(f.path, "nobody-has-this")}
				chosen := kinds
				if !refers.MatchString(name) {
					at := len(name) % len(kinds)
					chosen = []string{kinds[at], kinds[(at+len(kinds)/2)%len(kinds)]}
				}
				for _, what := range chosen {
					id := house[what]
					a, want := ask(f.path, id), nobodys[uuid.Validate(id) == nil]
					tried++
					if refused := a.Status >= http.StatusBadRequest; refused != (want.Status >= http.StatusBadRequest) || refused && kindOf(a) != kindOf(want) {
						t.Errorf("%s with %s of the house's: %d %s\nwith one that nobody has: %d %s", name, what, a.Status, a.Body, want.Status, want.Body)
					}
					if strings.Contains(string(a.Body), secret) {
						t.Errorf("%s with %s: tells of another organization: %s", name, what, a.Body)
					}
				}
			}
		}
	}
	for name := range own {
		if !taken[name] {
			t.Errorf("there is no field %s any more", name)
		}
	}
	after := c.kept()
	for row := range before {
		if !after[row] {
			t.Errorf("changed: %s", row)
		}
	}
	t.Logf("%d references", tried)
	if tried < 250 {
		t.Errorf("tried %d references only", tried)
	}
}

// kindOf is the type of a problem.
func kindOf(a answer) string {
	var p ropeline.Problem
	if err := json.Unmarshal(a.Body, &p); err != nil {
		return string(a.Body)
	}
	return p.Type
}
