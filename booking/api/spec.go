package api

import (
	"github.com/danielgtaylor/huma/v2"
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
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					schemes[Admission]: {Type: "http", Scheme: "bearer", BearerFormat: "JWT",
						Description: "The admission token. Browsers send it as the cookie ropeline_admission_{sale}, chosen by the header Ropeline-Sale."},
					schemes[Signed]: {Type: "apiKey", In: "header", Name: "Stripe-Signature",
						Description: "Time and HMAC-SHA256 of the body, with a secret that the provider and we share. The sandbox's header is Sandbox-Signature."},
					schemes[OrderLink]: {Type: "http", Scheme: "bearer", Description: "The key of the order."},
					schemes[Bag]:       {Type: "http", Scheme: "bearer", Description: "The key of the bag."},
					schemes[Desk]:      {Type: "http", Scheme: "bearer", Description: "The key of a member of staff: a vendor of the shop, the box office, or an SRE."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
}

// schemes names each access in the document.
var schemes = map[Access]string{Admission: "admission", OrderLink: "order", Signed: "signature", Bag: "bag", Desk: "staff", SRE: "staff", BoxOffice: "staff"}

// operation describes a route of the table.
func operation(r Route) huma.Operation {
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, DefaultStatus: r.Success,
		// The limit and the deadlines are Fiber's. Without -1 huma sets a read
		// deadline of its own on the connection and never takes it back.
		BodyReadTimeout: -1,
		// A signature is of the body as it came, and a form is no JSON.
		SkipValidateBody: r.Access == Signed || r.Access == Address,
		Responses: map[string]*huma.Response{"default": {
			Description: "A problem document",
			Content:     map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}},
	}
	if scheme, ok := schemes[r.Access]; ok {
		op.Security = []map[string][]string{{scheme: {}}}
	}
	return op
}
