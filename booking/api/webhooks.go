package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
)

// What can be wrong with an event. A provider sends one again that was not
// answered with 200.
var (
	ErrWebhookForged     = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-signature-invalid", Status: http.StatusBadRequest, Detail: "This has no signature of the provider's, or one that is too old."}
	ErrProviderAway      = &ropeline.Error{Kind: ropeline.Unavailable, Code: "provider-away", RetryAfter: 10 * time.Second, Detail: "We could not take this in, because the payment provider does not answer us. Please send it again."}
	ErrWebhookUnreadable = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-unreadable", Status: http.StatusBadRequest, Detail: "The provider has signed this, but we cannot read it."}
)

type cry struct {
	Stripe  string `header:"Stripe-Signature"`
	Sandbox string `header:"Sandbox-Signature"`
	RawBody []byte `contentType:"application/json"`
}

type told struct {
	Body struct {
		Result string `json:"result" enum:"done,again,unknown,foreign,late" doc:"done; it came before; about nothing that we have; none of our business; too old to be told from one that came before"`
	}
}

func (s *server) routeWebhooks() error {
	for _, name := range []string{"stripe", "sandbox"} {
		if err := handle(s, "hear-"+name, func(ctx context.Context, in *cry) (*told, error) { return s.hear(ctx, name, in) }); err != nil {
			return err
		}
	}
	return nil
}

// hear takes in an event. Who we have no business with has no such path here.
func (s *server) hear(ctx context.Context, name string, in *cry) (*told, error) {
	crier, ok := s.criers[name]
	if !ok {
		return nil, ropeline.ErrRouteUnknown
	}
	result, err := s.hearFrom(ctx, crier, in)
	s.metrics.webhooks.WithLabelValues(name, result).Inc()
	if err != nil {
		return nil, err
	}
	out := &told{}
	out.Body.Result = result
	return out, nil
}

func (s *server) hearFrom(ctx context.Context, crier payment.Crier, in *cry) (result string, err error) {
	e, err := crier.Event(http.Header{"Stripe-Signature": {in.Stripe}, "Sandbox-Signature": {in.Sandbox}}, in.RawBody)
	switch {
	case errors.Is(err, payment.ErrNotAuthentic):
		return "forged", ErrWebhookForged.Because(err)
	case errors.Is(err, payment.ErrNotOurs):
		return "foreign", nil
	case err != nil:
		s.log.Error("an event that a payment provider has signed cannot be read", "err", err)
		return "failed", ErrWebhookUnreadable.Because(err)
	}
	a, heard, err := s.desk.Hear(ctx, e)
	if _, known := errors.AsType[*ropeline.Error](err); err != nil && !known {
		err = ErrProviderAway.Because(err)
	}
	if err != nil {
		return "failed", err
	}
	if e.About == payment.AboutDispute && heard == order.HeardNow {
		s.log.Warn("a buyer's bank wants the money of an order; see to it at the provider", "payment", e.Ref, "dispute", e.Dispute)
	}
	if heard == order.HeardNow && (a.Step == order.Captured || a.Step == order.Done) {
		s.noteBuyer(ctx, a.Sale, a.Session, a.Place)
	}
	return string(heard), nil
}

func (s *server) routeSandbox() error {
	if err := handle(s, "show-sandbox-payment", s.showSandboxPayment); err != nil {
		return err
	}
	return handle(s, "confirm-sandbox-payment", s.confirmSandboxPayment)
}

type attemptID struct {
	ID string `path:"id" doc:"of the payment attempt"`
}

type sandboxPage struct {
	Status   int
	Type     string `header:"Content-Type"`
	Policy   string `header:"Content-Security-Policy"`
	Location string `header:"Location"`
	Body     []byte
}

// showSandboxPayment asks what a bank would ask.
func (s *server) showSandboxPayment(ctx context.Context, in *attemptID) (*sandboxPage, error) {
	if s.sandbox == nil || !booking.IsID(in.ID) {
		return nil, ropeline.ErrRouteUnknown
	}
	html, back, err := s.sandbox.Page(ctx, in.ID)
	switch {
	case errors.Is(err, payment.ErrNone):
		return nil, ropeline.ErrRouteUnknown
	case err != nil:
		return nil, ropeline.ErrStoreAway.Because(err)
	case html == nil:
		return &sandboxPage{Status: http.StatusSeeOther, Location: back}, nil
	}
	return &sandboxPage{Status: http.StatusOK, Type: "text/html; charset=utf-8", Body: html,
		Policy: "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"}, nil
}

type confirmation struct {
	ID      string `path:"id" doc:"of the payment attempt"`
	RawBody []byte `contentType:"application/x-www-form-urlencoded"`
}

// confirmSandboxPayment is the answer to the page, which leads back to the shop.
func (s *server) confirmSandboxPayment(ctx context.Context, in *confirmation) (*sandboxPage, error) {
	form, err := url.ParseQuery(string(in.RawBody))
	if err != nil {
		return nil, ropeline.ErrBodyMalformed.Because(err)
	}
	page, err := s.showSandboxPayment(ctx, &attemptID{in.ID})
	if err != nil || page.Status == http.StatusSeeOther {
		return page, err
	}
	back, err := s.sandbox.Answer(ctx, in.ID, form.Get("confirm") == "yes")
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(err)
	}
	return &sandboxPage{Status: http.StatusSeeOther, Location: back}, nil
}
