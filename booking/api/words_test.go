package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

// words are texts that mean something to SQL, to Lua, to Redis, to HTTP, to a file
// system, to a terminal or to a reader, as they stand between the quotes of JSON.
var words = []string{
	`'; drop table orders; --`, `' or '1'='1`, `]] redis.call('FLUSHALL') --[[`, `1'] or redis.call('FLUSHALL') --`,
	`*1\r\n$8\r\nFLUSHALL\r\n`, `*`, `\u0000`, `a\u0000b`, `%00`, "\xff\xfe", `\ud800`, `\u202egro.elpmaxe`, `\ufeff`,
	`../../../etc/passwd`, `\r\nSet-Cookie: a=b`, `<script>alert(1)</script>`, `${jndi:ldap://x}`, ` `, ``,
	`01939f4e-7a00-7000-8000-000000000001`, `🎫`, strings.Repeat("a", 300), strings.Repeat("ü", ropeline.MaxBody/2-600),
}

// numbers do not fit: into what is counted, into what is added up, or into anything.
var numbers = []string{`-1`, `0`, `2147483648`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `18446744073709551616`, `1e308`, `-1e999`, `1.5`, `"1"`, `true`, `{}`, `[]`, `null`}

// huge are those that fit nowhere; of these the answer says where they stand. Documents that
// are read whole have readers of their own.
var huge = []string{`9223372036854775808`, `18446744073709551616`, `-1e999`}

// schema is what the document says of a value.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"`
	Format     string            `json:"format"`
	Enum       []any             `json:"enum"`
	Items      *schema           `json:"items"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
}

func (s schema) is(kind string) bool {
	list, _ := s.Type.([]any)
	return s.Type == kind || slices.Contains(list, any(kind))
}

// outline is the OpenAPI document, as far as requests go.
type outline struct {
	Paths map[string]map[string]struct {
		ID         string `json:"operationId"`
		Parameters []struct {
			Name   string `json:"name"`
			In     string `json:"in"`
			Schema schema `json:"schema"`
		} `json:"parameters"`
		Body struct {
			Content map[string]struct {
				Schema schema `json:"schema"`
			} `json:"content"`
		} `json:"requestBody"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

func (d outline) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// field is a place of a request into which something can be written.
type field struct {
	path []string // through objects and lists, from the body
	text bool     // else it is a number
}

// fields lists every text and every number of a body.
func (d outline) fields(s schema, at []string) (found []field) {
	s = d.resolve(s)
	switch at = slices.Clone(at); {
	case s.is("string"):
		return []field{{at, true}}
	case s.is("integer"), s.is("number"):
		return []field{{at, false}}
	case s.is("array") && s.Items != nil:
		return d.fields(*s.Items, append(at, "[]"))
	}
	for name, p := range s.Properties {
		if name != "$schema" {
			found = append(found, d.fields(p, append(at, name))...)
		}
	}
	return found
}

// body is a good body but for what stands at a place; what may be left out is, unless
// it is on the way there or has a plus.
func (d outline) body(s schema, name string, good map[string]string, at []string, value string) string {
	s = d.resolve(s)
	on := func(step string) []string {
		if len(at) > 0 && at[0] == step {
			return at[1:]
		}
		return nil
	}
	switch known, ok := good[name]; {
	case at != nil && len(at) == 0:
		return value
	case at == nil && ok:
		return known
	case s.is("array"):
		return "[" + d.body(*s.Items, name, good, on("[]"), value) + "]"
	case s.is("object") || s.Properties != nil:
		var members []string
		for field, p := range s.Properties {
			below := on(field)
			if below != nil || slices.Contains(s.Required, field) || good["+"+field] != "" {
				members = append(members, fmt.Sprintf("%q:%s", field, d.body(p, field, good, below, value)))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	case len(s.Enum) > 0:
		text, _ := json.Marshal(s.Enum[0])
		return string(text)
	case s.Format == "date-time":
		return `"2030-01-01T00:00:00Z"`
	case s.is("string"):
		return `"x"`
	case s.is("boolean"):
		return "true"
	}
	return "1"
}

// books is everything that a refused request must leave as it was: how many rows
// there are, which units are taken, and what is paid.
func (c *core) books() string {
	c.t.Helper()
	var rows string
	err := c.db.QueryRow(c.t.Context(), `select concat_ws(' ',
		(select count(*) from attempts), (select string_agg(state, ',' order by id) from orders), (select string_agg(state, ',' order by id) from tickets),
		(select count(*) from order_ledger), (select count(*) from cancellations), (select count(*) from buyers), (select count(*) from payment_events),
		(select count(*) from sandbox_payments), (select count(*) from coupons), (select string_agg(state, ',' order by coupon_id, number) from coupon_copies),
		(select count(*) from coupon_claims), (select count(*) from coupon_history), (select string_agg(id || name, ',' order by id) from shops),
		(select string_agg(id || name || category, ',' order by id) from products), (select count(*) from performances), (select count(*) from tiers),
		(select count(*) from sales), (select count(*) from venues), (select count(*) from plans), (select count(*) from plan_periods), (select string_agg(account || plan || next, ',' order by account) from subscriptions),
		(select string_agg(concat(id, version, password), ',' order by id) from people where state = 'active'), (select count(*) from second_factors where confirmed_at is not null),
		(select count(*) from notices), (select count(*) from notice_recipients), (select count(*) from newsletters), (select string_agg(concat(state, name, body, answer), ',' order by id) from posts where state <> 'gone'), (select count(*) from review_settings), (select count(*) from newsletter_consents where state <> 'withdrawn'), (select count(*) from organizations), (select count(*) from memberships), (select count(*) from invitations), (select count(*) from api_keys where revoked_at is null))`).Scan(&rows)
	if err != nil {
		c.t.Fatal(err)
	}
	snap, err := inventory.New(c.rdb).Snapshot(c.t.Context(), c.show.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	return rows + c.json(snap)
}

// Every text of every request of the core is replaced by each of the words, and every
// number by each of the numbers, one at a time, in a request that is good otherwise: in
// paths, queries, headers and bodies, as the OpenAPI document has them, so that a new
// route or field is tried by itself. The answer is a good one or a problem document,
// never a fault of ours, and what is refused changes nothing. A place meets every third
// word, another place others; with ROPELINE_TEST_WORDS=all each meets all of them, which
// takes three times as long.
func TestNoTextOfARequestDoesHarm(t *testing.T) {
	t.Parallel()
	c := start(t)
	text, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc outline
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	offered, bag := c.offer(m{}), c.bag()
	if _, err := c.db.Exec(t.Context(), `insert into payment_accounts (name, provider_account, charges) values ('house', 'acct_1', true)`); err != nil {
		t.Fatal(err)
	}
	buyer := c.fan()
	var bought Order
	c.pay(buyer, "k", c.hold(buyer, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &bought)
	claims := c.claims()
	claims.Expires = claims.SessionEnds // a slow machine takes its time
	fan := c.sign(claims, jwt.SigningMethodEdDSA, c.key)
	held := c.hold(fan, 3)
	quote := func(s string) string { return fmt.Sprintf("%q", s) }
	good := map[string]string{"performance": quote(string(c.show.ID)), "hold": quote(held.ID), "email": `"fan@example.org"`, "payment_method": quote(sandbox.Declined),
		"tier": quote(c.show.Tiers[3].ID), "product": `"tickets"`, "currency": `"EUR"`, "percent": "20", "+percent": "needed", "code": `"ABCD-EFGH"`, "reason": `"rain"`, "category": `"drinks"`,
		"document": `{"typed":1}`, "order": quote(bought.ID), "key": quote(bought.Key), "stock": "2", "per_person": "1", "roles": `["door"]`, "scopes": `["events:read"]`,
		"publish_from": quote(time.Now().UTC().Format(time.RFC3339)), "publish_until": quote(time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
		"expires_at": quote(time.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339))}
	names := map[string]string{"hold": held.ID, "shop": "opera", "product": "coffee", "number": "1", "state": "claimed", "plan": "x", "account": "house", "organization": tenant.House, "member": bought.ID, "key": bought.ID, "notice": bought.ID, "batch": "fans", "scan": held.ID, "door": "x", "consent": bought.ID, "step": "leave", "message": bought.ID}
	ada := c.member(ada)
	if _, err := c.db.Exec(t.Context(), `update buyers set person_id = (select id from people) where id = (select buyer_id from orders where id = $1)`, bought.ID); err != nil {
		t.Fatal(err)
	}
	tried, heard, last := 0, map[int]int{}, c.books() // answers by status
	for path, methods := range doc.Paths {
		for method, op := range methods {
			r, ok := route(op.ID)
			if !ok {
				t.Fatalf("%s is not in the table", op.ID)
			}
			for name, id := range map[string]string{"/orders/": bought.ID, "/events/": offered.Event, "/coupons/": offered.ID, "/performances/": string(c.show.ID), "/tickets/": bought.Tickets[0].ID, "/holds/": held.ID} {
				if strings.Contains(path, name) {
					names["id"] = id
				}
			}
			keys := c.api.server.returns.Keys()
			bearer := map[Access]string{Admission: fan, AdmissionOrPass: fan, ListKey: keys.Place(names["id"]), ClaimPass: keys.Pass(names["id"]), OrderLink: bought.Key, Bag: bag, Desk: "key-wim", SRE: "key-sre", BoxOffice: "key-counter", Door: "key-door", Supervisor: "key-super", Organizer: "key-olga", Venues: "key-olga", Team: "key-olga", Admin: "key-sre", Crew: "key-olga", Account: ada}[r.Access]
			if bearer == "" && !slices.Contains([]Access{Public, Doorstep, Signed, Address}, r.Access) {
				t.Errorf("%s: nobody says who may call it: %q", r.ID, r.Access)
			}
			good["for"], good["+for"] = "600", ""
			if strings.HasSuffix(op.ID, "hold-exchange") {
				good["for"], good["+for"] = c.json(m{"performance": c.show.ID, "tier": c.show.Tiers[3].ID, "quantity": 2}), "needed"
			}
			// ask sends a request with something in one of its places.
			ask := func(where, name, value, body string) {
				at, query, headers := path, url.Values{}, []string{"Idempotency-Key", uuid.NewString(), "Sandbox-Signature", "t=1,v1=00", "Stripe-Signature", "t=1,v1=00"}
				for n, v := range names {
					if where == "path" && n == name {
						v = value
					}
					at = strings.ReplaceAll(at, "{"+n+"}", url.PathEscape(v))
				}
				switch where {
				case "query":
					query.Set(name, value)
				case "header":
					headers = append(headers, name, value)
				}
				for _, who := range []string{claims.Session, bag[:36], "opera.wim"} { // whose wrong codes are counted
					if err := c.rdb.Del(t.Context(), "ropeline:coupon:guesses:"+who).Err(); err != nil {
						t.Fatal(err)
					}
				}
				if r.Access == Account || r.Access == Doorstep || r.Access == Team {
					c.forgive("*")
				}
				before := last
				a, sent := c.try(strings.ToUpper(method), at+"?"+query.Encode(), bearer, body, headers...)
				if !sent {
					return
				}
				tried++
				heard[a.Status]++
				what := fmt.Sprintf("%s, %s %s %.60q", op.ID, where, name, value)
				if a.Status >= http.StatusBadRequest {
					var p ropeline.Problem
					if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.Status || !strings.HasPrefix(p.Type, ropeline.ProblemType) {
						t.Errorf("%s: answered %d with no problem document: %.300s", what, a.Status, a.Body)
					}
				}
				if documents[op.ID] == nil && slices.Contains(huge, value) && (a.Status == http.StatusBadRequest || a.Status == http.StatusUnprocessableEntity) {
					if !strings.Contains(string(a.Body), strings.ReplaceAll("body."+name, ".[]", "[0]")) {
						t.Errorf("%s: answered %.300s, which names no field", what, a.Body)
					}
				}
				if a.Status >= http.StatusInternalServerError {
					t.Errorf("%s: %d %s", what, a.Status, a.Body)
				}
				declined := a.Status == http.StatusPaymentRequired // which is written
				last = c.books()
				if after := last; after != before && (method == "get" || a.Status >= http.StatusBadRequest && !declined) {
					t.Errorf("%s: answered %d %.200s and changed\n%s\nto\n%s", what, a.Status, a.Body, before, after)
				}
			}
			request, has := op.Body.Content["application/json"]
			whole := ""
			if has {
				whole = doc.body(request.Schema, "", good, nil, "")
			}
			for _, p := range op.Parameters {
				for _, word := range some(words, op.ID+p.In+p.Name) {
					var value string
					if json.Unmarshal([]byte(`"`+word+`"`), &value) != nil || strings.Contains(word, "\xff") {
						value = word
					}
					if len(value) > 4000 {
						value = value[:4000]
					}
					if p.In != "path" || value != "" {
						ask(p.In, p.Name, value, whole)
					}
				}
			}
			if !has {
				continue
			}
			for _, f := range doc.fields(request.Schema, nil) {
				place := op.ID + strings.Join(f.path, ".")
				values := some(numbers, place)
				if f.text {
					values = nil
					for _, w := range some(words, place) {
						values = append(values, `"`+w+`"`)
					}
				}
				for _, value := range values {
					ask("body", strings.Join(f.path, "."), value, doc.body(request.Schema, "", good, f.path, value))
				}
			}
			if r.Access != Public && r.Access != Doorstep && bearer != "" { // a gigabyte is refused before it is read
				path := path
				for n, v := range names {
					path = strings.ReplaceAll(path, "{"+n+"}", v)
				}
				c.announce(strings.ToUpper(method), path, bearer, 1<<30).refused(http.StatusRequestEntityTooLarge, "body-too-large")
			}
		}
	}
	t.Logf("%d requests, by answer: %v", tried, heard)
	if tried < 1000 || heard[http.StatusOK]+heard[http.StatusCreated] < tried/20 || heard[http.StatusTooManyRequests] > 0 {
		t.Errorf("%d requests, by answer: %v: they did not come to what they try", tried, heard)
	}
	var now Order
	c.get("/api/v1/orders/"+bought.ID, bought.Key).is(http.StatusOK, &now)
	if now.State != "paid" && now.State != "canceled" { // an SRE may have canceled it for a strange reason
		t.Errorf("the order is %s", now.State)
	}
	c.inventory()
}

// some are those of the values that a place meets.
func some(values []string, place string) (chosen []string) {
	if os.Getenv("ROPELINE_TEST_WORDS") == "all" {
		return values
	}
	h := fnv.New32a()
	h.Write([]byte(place))
	for i := int(h.Sum32() % 3); i < len(values); i += 3 {
		chosen = append(chosen, values[i])
	}
	return chosen
}

// try sends a request, if it is one that can be sent.
func (c *core) try(method, path, bearer, body string, headers ...string) (answer, bool) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, false
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	authorize(req, bearer)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if problem, ok := errors.AsType[*url.Error](err); ok && strings.Contains(problem.Error(), "invalid header field value") {
		return answer{}, false // net/http sends no such header
	}
	return c.read(res, err), true
}
