package edge

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// schema is as much of a JSON schema as the document uses.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"`
	Enum       []string          `json:"enum"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
}

type described struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Security    []map[string]any
		Responses   map[string]struct {
			Ref     string `json:"$ref"`
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct {
		Schemas   map[string]schema
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
}

func readDescribed(t *testing.T, raw []byte) described {
	t.Helper()
	var d described
	must(t, json.Unmarshal(raw, &d))
	return d
}

// pagePaths are of pages and what they load, which no program asks for.
var pagePaths = []string{"/{$}", "/search", "/events", "/performers", "/venues", "/tours", "/sales", "/orders", "/tickets", "/returns", "/coupons", "/account", "/ops", "/counter", "/door", "/door.js", "/desk", "/embed.js", "/ropeline"}

func TestDocumentAndTableNameTheSameRoutes(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	doc := readDescribed(t, OpenAPI())
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", doc.OpenAPI)
	}
	table := map[string]who{}
	for _, rt := range g.server.routes() {
		page := slices.ContainsFunc(pagePaths, func(path string) bool { return rt.pattern == path || strings.HasPrefix(rt.pattern, path+"/") })
		if !page && (rt.who == public || rt.who == placeTicket || rt.who == proxy) { // the others' own documents describe them
			table[cmp.Or(rt.method, "GET")+" "+rt.pattern] = rt.who
		}
	}
	ids := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			name := strings.ToUpper(method) + " " + path
			who, served := table[name]
			if !served {
				t.Errorf("%s is described and not served", name)
			}
			if secured := len(op.Security) > 0; secured != (who == placeTicket) && op.OperationID != "join" { // a join may bring a ticket
				t.Errorf("%s: security %v, but it is for %s", name, op.Security, who)
			}
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s: operationId %q is empty or taken", name, op.OperationID)
			}
			ids[op.OperationID] = true
			delete(table, name)
		}
	}
	for name := range table {
		t.Errorf("%s is served and not described", name)
	}
}

// TestAnswersAreAsDescribed makes the main calls against a running edge and
// checks status, media type and schema of every answer.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	doc := readDescribed(t, OpenAPI())
	f, stranger := g.phone(), g.phone()
	check := func(by *fan, method, template string, status int, body string) reply {
		t.Helper()
		path := strings.ReplaceAll(template, "{sale}", string(g.sale.ID))
		r := wantStatus(t, by.do(method, path, body), status)
		doc.check(t, r, method, template)
		return r
	}
	const place = "/api/v1/sales/{sale}/place"
	check(f, "GET", "/api/v1/sales", 200, "")
	check(f, "GET", "/api/v1/sales/{sale}", 200, "")
	check(f, "GET", "/api/v1/sales/{sale}/ledger", 200, "")
	check(f, "GET", "/api/v1/sales/{sale}/ledger/file", 200, "")
	f.ticket = read[struct{ Ticket string }](t, check(f, "POST", place, 201, "")).Ticket
	check(f, "POST", place, 200, "{}")
	check(f, "POST", place, 400, "{")
	check(f, "POST", place, 413, `"`+strings.Repeat("a", ropeline.MaxBody)+`"`)
	check(f, "GET", place, 200, "")
	check(f, "GET", place+"/receipt", 200, "")
	check(stranger, "GET", place+"/receipt", 401, "")
	check(stranger, "GET", place, 401, "")
	check(f, "GET", place+"/live", 426, "")
	check(f, "GET", "/api/v1/performances/{id}/availability/live", 426, "")
	check(f, "POST", place+"/party", 409, "")
	check(stranger, "POST", place+"/party/join", 422, "{}")
	check(f, "GET", "/api/v1/sales/{sale}/plain", 200, "")
	check(f, "POST", "/api/v1/sales/{sale}/plain", 400, "")
	code := read[wire.Handover](t, check(f, "POST", place+"/handover", 201, ""))
	check(f, "POST", place+"/handover/exchange", 404, `{"code":"ABCDE-FGHJK"}`)
	f.ticket = read[struct{ Ticket string }](t, check(f, "POST", place+"/handover/exchange", 201, `{"code":"`+code.Code+`"}`)).Ticket
	check(f, "POST", place+"/handover/exchange", 410, `{"code":"`+code.Code+`"}`)
	check(f, "POST", place+"/letter", 422, `{"email":"nobody"}`)
	check(f, "POST", place+"/letter", 503, `{"email":"ada@example.org"}`) // nobody writes letters here
	check(f, "DELETE", place+"/letter", 204, "")
	check(f, "POST", place+"/code", 404, `{"code":"ANY-CODE"}`)
	check(f, "POST", place+"/code", 422, `{"code":"?"}`)
	check(f, "POST", place+"/claim", 409, "")
	g.admit(1)
	check(f, "GET", place, 200, "") // offered
	check(f, "POST", place+"/claim", 200, "")
	check(f, "GET", place, 200, "") // active
	check(f, "POST", "/api/v1/sales/{sale}/session", 200, "")
	check(f, "DELETE", "/api/v1/sales/{sale}/session", 204, "")
	check(f, "POST", "/api/v1/sales/{sale}/session", 410, "")
	check(f, "POST", place+"/claim", 410, "")
	check(f, "DELETE", place, 204, "")
	check(stranger, "DELETE", place, 401, "")
	check(f, "GET", "/.well-known/jwks.json", 200, "")
	check(f, "GET", "/.well-known/terms-jwks.json", 200, "")
	check(f, "GET", "/api/v1/sales/{sale}/terms", 404, "")
	g.post(1, 6)
	g.say(queue.Message{Texts: map[string]string{"en": "Welcome"}, Default: "en", Until: time.Now().Add(time.Hour)})
	g.until("the edge has the terms", func() bool { return f.do("GET", "terms", "").StatusCode == 200 })
	check(f, "GET", "/api/v1/sales/{sale}/terms", 200, "")
	check(f, "GET", "/api/v1/sales/{sale}/stock", 404, "")
	g.left(time.Now(), [2]int64{10, 10}, [2]int64{1, 0})
	g.until("the edge has the stock", func() bool { return f.do("GET", "stock", "").StatusCode == 200 })
	check(f, "GET", "/api/v1/sales/{sale}/stock", 200, "")
	check(f, "GET", "/api/v1/sales/{sale}", 200, "")
	f.ticket = ""
	check(f, "POST", place, 201, "")
	check(f, "GET", "/openapi.json", 200, "")
	check(f, "GET", "/healthz", 200, "")
	check(f, "GET", "/readyz", 200, "")
}

func (d described) check(t *testing.T, r reply, method, template string) {
	t.Helper()
	op, ok := d.Paths[template][strings.ToLower(method)]
	if !ok {
		t.Fatalf("%s %s is not described", method, template)
	}
	want, ok := op.Responses[strconv.Itoa(r.StatusCode)]
	if !ok {
		t.Fatalf("%s %s: status %d is not described", method, template, r.StatusCode)
	}
	content := want.Content
	if want.Ref != "" {
		content = d.Components.Responses[strings.TrimPrefix(want.Ref, "#/components/responses/")].Content
	}
	if len(content) == 0 {
		if len(r.body) != 0 {
			t.Errorf("%s %s: %d with a body that is not described: %s", method, template, r.StatusCode, r.body)
		}
		return
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	typed, ok := content[kind]
	if !ok {
		t.Fatalf("%s %s: %d as %q is not described", method, template, r.StatusCode, kind)
	}
	if strings.HasSuffix(kind, "json") {
		d.fits(t, method+" "+template, typed.Schema, read[any](t, r))
	}
}

// fits checks required fields, unknown fields, enums and types.
func (d described) fits(t *testing.T, at string, s schema, value any) {
	t.Helper()
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		resolved, ok := d.Components.Schemas[name]
		if !ok {
			t.Fatalf("%s: no schema %q", at, s.Ref)
		}
		d.fits(t, at, resolved, value)
		return
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				t.Errorf("%s: required %q is missing in %v", at, name, v)
			}
		}
		for name, field := range v {
			property, ok := s.Properties[name]
			if !ok && len(s.Properties) > 0 {
				t.Errorf("%s: %q is not described", at, name)
				continue
			}
			d.fits(t, at+"."+name, property, field)
		}
	case []any:
		for _, item := range v {
			if s.Items != nil {
				d.fits(t, at+"[]", *s.Items, item)
			}
		}
	case string:
		if s.Type != nil && s.Type != "string" {
			t.Errorf("%s: a string where %v is described", at, s.Type)
		}
		known := len(s.Enum) == 0
		for _, e := range s.Enum {
			known = known || e == v
		}
		if !known {
			t.Errorf("%s: %q is none of %v", at, v, s.Enum)
		}
	case float64:
		if s.Type != nil && s.Type != "integer" && s.Type != "number" {
			t.Errorf("%s: a number where %v is described", at, s.Type)
		}
	case bool:
		if s.Type != nil && s.Type != "boolean" {
			t.Errorf("%s: a boolean where %v is described", at, s.Type)
		}
	}
}

func TestMergedDocumentKeepsWhatEachDescribes(t *testing.T) {
	t.Parallel()
	booking := []byte(`{"openapi":"3.1.0","info":{"title":"Booking"},"tags":[{"name":"holds"}],
		"paths":{"/api/v1/holds":{"post":{"responses":{"201":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Session"}}}}}}},
		         "/api/v1/sales/{sale}":{"put":{"operationId":"x"}}},
		"components":{"schemas":{"Session":{"type":"string"},"Hold":{"type":"object"},"Wait":` + wait(t) + `}}}`)
	raw, err := MergeOpenAPI(OpenAPI(), booking)
	must(t, err)
	var doc struct {
		OpenAPI    string
		Info       struct{ Title string }
		Tags       []any
		Paths      map[string]map[string]any
		Components map[string]map[string]any
	}
	must(t, json.Unmarshal(raw, &doc))
	if doc.OpenAPI != "3.1.0" || doc.Info.Title != "Ropeline" || len(doc.Tags) != 5 {
		t.Errorf("merged head: %s %s, %d tags", doc.OpenAPI, doc.Info.Title, len(doc.Tags))
	}
	if len(doc.Paths["/api/v1/sales/{sale}"]) != 2 || doc.Paths["/api/v1/holds"]["post"] == nil || doc.Paths["/healthz"] == nil {
		t.Errorf("merged paths: %v", doc.Paths)
	}
	schemas := doc.Components["schemas"]
	if schemas["Session2"] == nil || schemas["Session"] == nil || schemas["Hold"] == nil || schemas["Wait2"] != nil || doc.Components["parameters"]["Sale"] == nil {
		t.Errorf("merged schemas: %v", schemas)
	}
	if !strings.Contains(string(raw), `"#/components/schemas/Session2"`) {
		t.Error("the renamed schema is not followed")
	}
	for name, docs := range map[string][][]byte{"twice": {OpenAPI(), OpenAPI()}, "none": {}, "damaged": {[]byte("{")}} {
		if _, err := MergeOpenAPI(docs...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// wait returns a schema as the edge's document has it.
func wait(t *testing.T) string {
	var doc apiDocument
	must(t, json.Unmarshal(OpenAPI(), &doc))
	text, err := json.Marshal(doc.Components["schemas"]["Wait"])
	must(t, err)
	return string(text)
}

func TestGivenDocumentIsServed(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.OpenAPI = []byte(`{"openapi":"3.1.0"}`) })
	if r := wantStatus(t, g.browser().do("GET", "/openapi.json", ""), http.StatusOK); string(r.body) != `{"openapi":"3.1.0"}` {
		t.Errorf("%s", r.body)
	}
}
