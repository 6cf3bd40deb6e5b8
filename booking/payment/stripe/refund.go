package stripe

import (
	"context"
	"errors"
	"fmt"

	stripego "github.com/stripe/stripe-go/v82"

	"github.com/ropeline/ropeline/booking/payment"
)

// metaRefund names our refund at Stripe.
const metaRefund = "ropeline_refund"

// Refund gives back of a captured payment. It looks for its own id first: the
// idempotency key alone would give back once more when it has expired.
func (p *Provider) Refund(ctx context.Context, c payment.Charge, r payment.Refund) (payment.Refunded, error) {
	now, err := p.Find(ctx, c)
	if err != nil {
		return payment.Refunded{}, err
	}
	if found, ok, err := p.refunded(ctx, now.Ref, r.ID); err != nil || ok {
		return found, err
	}
	if now.State != payment.Captured || r.Amount.Currency != now.Amount.Currency || !payable(r.Amount) ||
		r.Amount.Amount > now.Amount.Amount-now.Refunded {
		return payment.Refunded{}, payment.ErrNotRefundable
	}
	amount, _ := toStripe(r.Amount)
	params := &stripego.RefundCreateParams{PaymentIntent: &now.Ref, Amount: &amount}
	params.SetIdempotencyKey("refund-" + r.ID)
	params.AddMetadata(metaRefund, r.ID)
	refund, err := p.api.V1Refunds.Create(ctx, params)
	if e, _ := errors.AsType[*stripego.Error](err); e != nil && e.Type == stripego.ErrorTypeInvalidRequest && !isBusy(err) {
		// Somebody else's refund was quicker, or the payment is in dispute.
		return payment.Refunded{}, fmt.Errorf("%w: %w", payment.ErrNotRefundable, describe(err))
	}
	if err != nil {
		return payment.Refunded{}, describe(err)
	}
	return tellRefund(refund), nil
}

// refunded looks for a refund of ours among those of an intent.
func (p *Provider) refunded(ctx context.Context, intent, id string) (payment.Refunded, bool, error) {
	if intent == "" { // declined before there was one
		return payment.Refunded{}, false, nil
	}
	params := &stripego.RefundListParams{PaymentIntent: &intent}
	params.Limit = stripego.Int64(100)
	for refund, err := range p.api.V1Refunds.List(ctx, params) {
		if err != nil {
			return payment.Refunded{}, false, describe(err)
		}
		if refund.Metadata[metaRefund] == id {
			return tellRefund(refund), true, nil
		}
	}
	return payment.Refunded{}, false, nil
}

func tellRefund(r *stripego.Refund) payment.Refunded {
	t := payment.Refunded{Ref: r.ID, State: payment.RefundPending, Amount: fromStripe(r.Amount, string(r.Currency))}
	switch r.Status {
	case stripego.RefundStatusSucceeded:
		t.State = payment.RefundDone
	case stripego.RefundStatusFailed, stripego.RefundStatusCanceled:
		t.State = payment.RefundFailed
	}
	return t
}
