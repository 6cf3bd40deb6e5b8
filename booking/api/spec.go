package api

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/picture"
)

// specification is huma's configuration: JSON only, and no pages of its own
// (its viewer would be loaded from a foreign server).
func specification() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "Ropeline booking", Version: "1",
				Description: "Holds, orders and tickets. Errors are RFC 9457 problem documents with a stable type."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					schemes[Admission]: {Type: "http", Scheme: "bearer", BearerFormat: "JWT",
						Description: "The admission token. Browsers send it as the cookie ropeline_admission_{sale}, chosen by the header Ropeline-Sale."},
					schemes[Signed]: {Type: "apiKey", In: "header", Name: "Stripe-Signature",
						Description: "Time and HMAC-SHA256 of the body, with a secret that the provider and we share. The sandbox's header is Sandbox-Signature."},
					schemes[OrderLink]: {Type: "http", Scheme: "bearer", Description: "The key of the order."},
					schemes[Bag]:       {Type: "http", Scheme: "bearer", Description: "The key of the bag."},
					schemes[ListKey]:   {Type: "http", Scheme: "bearer", Description: "The key of a place on a returns list."},
					schemes[ClaimPass]: {Type: "http", Scheme: "bearer", Description: "The pass of an offer of a returns list."},
					schemes[Account]:   {Type: "apiKey", In: "cookie", Name: ropeline.AccountCookie, Description: "Who is signed in."},
					schemes[Desk]:      {Type: "http", Scheme: "bearer", Description: "The key of a member of staff: a vendor of the shop, the box office, an organizer, or an SRE; or an API key of an organization (rlk_), for what its scopes say."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": bodies, "json": bodies},
		DefaultFormat: "application/json",
	}
}

// schemaName tells the seats of a venue from those of a performance, plans of organizers
// from those of deliveries, and what the guide tells and what is found from what is sold.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if strings.HasSuffix(t.PkgPath(), "/booking/venue") {
		name = "Venue" + name
	}
	if strings.HasSuffix(t.PkgPath(), "/booking/guide") {
		name = "Guide" + name
	}
	if strings.HasSuffix(t.PkgPath(), "/booking/plan") {
		name = "Platform" + name
	}
	if strings.HasSuffix(t.PkgPath(), "/booking/door") && name != "Door" {
		name = "Door" + name
	}
	if strings.HasSuffix(t.PkgPath(), "/booking/find") && name != "Found" {
		name = "Found" + name
	}
	return name
}

// schemes names each access in the document.
var schemes = map[Access]string{Admission: "admission", OrderLink: "order", Signed: "signature", Bag: "bag", Desk: "staff", SRE: "staff", BoxOffice: "staff", Door: "staff", Supervisor: "staff", Organizer: "staff", Venues: "staff", Team: "staff", Admin: "staff", Crew: "staff", Account: "account", ListKey: "place", ClaimPass: "pass"}

// operation describes a route of the table.
func operation(r Route) huma.Operation {
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, DefaultStatus: r.Success,
		// The limit and the deadlines are Fiber's. Without -1 huma sets a read
		// deadline of its own on the connection and never takes it back.
		BodyReadTimeout: -1,
		// A signature is of the body as it came, and a form is no JSON.
		SkipValidateBody: r.Access == Signed || r.Access == Address || documents[r.ID] != nil,
		Responses: map[string]*huma.Response{"default": {
			Description: "A problem document",
			Content:     map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}},
	}
	if r.ID == "put-logo" {
		op.MaxBodyBytes = catalogue.MaxLogoBytes + 1
	}
	if documents[r.ID] != nil {
		op.MaxBodyBytes = ropeline.MaxDocument
	}
	if r.ID == "create-picture" {
		op.MaxBodyBytes = picture.MaxBytes
	}
	if r.Access == AdmissionOrPass {
		op.Security = []map[string][]string{{schemes[Admission]: {}}, {schemes[ClaimPass]: {}}}
	}
	if scheme, ok := schemes[r.Access]; ok {
		op.Security = []map[string][]string{{scheme: {}}}
	}
	if scheme := schemes[r.Access]; scheme == schemes[Desk] && r.Access != Desk { // or who signed in to an account that works for somebody
		op.Security = append(op.Security, map[string][]string{schemes[Account]: {}})
	}
	return op
}

// also are the good answers of a route beside the one in the table: the same
// document, or none where it leads elsewhere.
var also = map[string][]int{
	"create-order":         {http.StatusAccepted},
	"put-door":             {http.StatusCreated},
	"put-program":          {http.StatusCreated},
	"put-plan":             {http.StatusCreated},
	"put-look":             {http.StatusCreated},
	"put-wording":          {http.StatusCreated},
	"put-moderation":       {http.StatusCreated},
	"put-draft":            {http.StatusCreated},
	"put-logo":             {http.StatusCreated},
	"claim-coupon":         {http.StatusOK},
	"show-sandbox-payment": {http.StatusSeeOther},
}

// media are the routes whose good answer is no JSON.
var media = map[string]string{"show-sandbox-payment": "text/html", "show-newsletter-step": "text/html", "take-newsletter-step": "text/html", "show-wish-step": "text/html", "take-wish-step": "text/html", "get-settlement-csv": "text/csv", "get-orders-csv": "text/csv", "get-accounting-csv": "text/csv", "get-report-pdf": "application/pdf", "get-tickets-pdf": "application/pdf", "get-calendar": "text/calendar",
	"get-picture": "image/jpeg", "get-logo": "image/jpeg"}

// limits are the headers by which every answer may say how much more is let
// through: the edge's, and where an admission token is needed the core's too.
var limits = map[string]*huma.Param{
	"RateLimit-Policy": {Description: `Limits that the request counts for, as draft-ietf-httpapi-ratelimit-headers has them: "requests";q=600;w=60`, Schema: &huma.Schema{Type: huma.TypeString}},
	"RateLimit":        {Description: `What is left of them, and for how many seconds: "requests";r=599;t=60`, Schema: &huma.Schema{Type: huma.TypeString}},
}

// describe completes what huma has written of a route that it registered.
func describe(op *huma.Operation, r Route) {
	good := op.Responses[strconv.Itoa(r.Success)]
	if kind, ok := media[r.ID]; ok {
		good.Content = map[string]*huma.MediaType{kind: {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	if r.Success >= http.StatusMultipleChoices {
		good.Content = nil // it leads elsewhere
	}
	for _, status := range also[r.ID] {
		other := &huma.Response{Description: http.StatusText(status), Headers: good.Headers}
		if status < http.StatusMultipleChoices {
			other.Content = good.Content
		}
		op.Responses[strconv.Itoa(status)] = other
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == "If-None-Match" && r.Method == http.MethodGet {
			p.Description = "ETags of what the caller has"
			op.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{
				Description: "The caller has it already", Headers: map[string]*huma.Param{"ETag": good.Headers["ETag"]}}
		}
	}
	refused := op.Responses["default"]
	op.Responses[strconv.Itoa(http.StatusTooManyRequests)] = &huma.Response{
		Description: "Too often: a problem document", Content: refused.Content,
		Headers: map[string]*huma.Param{"Retry-After": {Description: "seconds", Schema: &huma.Schema{Type: huma.TypeInteger}}},
	}
	for _, answer := range op.Responses {
		if answer.Headers == nil {
			answer.Headers = map[string]*huma.Param{}
		}
		for name, header := range limits {
			answer.Headers[name] = header
		}
	}
}

// registered is what huma knows of a route.
func registered(spec huma.API, r Route) *huma.Operation {
	item := spec.OpenAPI().Paths[r.Path]
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete}[r.Method]
}
