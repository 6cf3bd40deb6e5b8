package stripe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	stripego "github.com/stripe/stripe-go/v82"

	"github.com/ropeline/ropeline/booking/payment"
)

// metaRefund names our refund at Stripe.
const metaRefund = "ropeline_refund"

// Refund gives back of a captured payment, and then of its fee. It looks for its own id
// first: the idempotency key alone would give back once more when it has expired.
func (p *Provider) Refund(ctx context.Context, c payment.Charge, r payment.Refund) (payment.Refunded, error) {
	now, err := p.Find(ctx, c)
	if err != nil {
		return payment.Refunded{}, err
	}
	done, ok, err := p.refunded(ctx, c, now.Ref, r.ID)
	if err == nil && !ok {
		done, err = p.refund(ctx, c, r, now)
	}
	if err == nil && c.Account != "" && r.Fee > 0 && done.State != payment.RefundFailed {
		err = p.returnFee(ctx, c, now.Ref, r)
	}
	if err != nil {
		return payment.Refunded{}, err
	}
	return done, nil
}

func (p *Provider) refund(ctx context.Context, c payment.Charge, r payment.Refund, now payment.Payment) (payment.Refunded, error) {
	if now.State != payment.Captured || r.Amount.Currency != now.Amount.Currency || !payable(r.Amount) ||
		r.Amount.Amount > now.Amount.Amount-now.Refunded {
		return payment.Refunded{}, payment.ErrNotRefundable
	}
	amount, _ := toStripe(r.Amount)
	params := &stripego.RefundCreateParams{PaymentIntent: &now.Ref, Amount: &amount}
	on(&params.Params, c.Account)
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
func (p *Provider) refunded(ctx context.Context, c payment.Charge, intent, id string) (payment.Refunded, bool, error) {
	c.Ref = intent
	all, err := p.Refunds(ctx, c)
	i := slices.IndexFunc(all, func(r payment.Refunded) bool { return r.ID == id })
	if err != nil || i < 0 {
		return payment.Refunded{}, false, err
	}
	return all[i], true, nil
}

// Refunds lists those of an intent.
func (p *Provider) Refunds(ctx context.Context, c payment.Charge) ([]payment.Refunded, error) {
	if c.Ref == "" { // declined before there was one
		return nil, nil
	}
	params := &stripego.RefundListParams{PaymentIntent: &c.Ref}
	onList(&params.ListParams, c.Account)
	params.Limit = stripego.Int64(100)
	var all []payment.Refunded
	for refund, err := range p.api.V1Refunds.List(ctx, params) {
		if err != nil {
			return nil, describe(err)
		}
		all = append(all, tellRefund(refund))
	}
	return all, nil
}

// RefundsByHand lists those since a time that carry no id of ours.
func (p *Provider) RefundsByHand(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Refunded, error] {
	return func(yield func(payment.Refunded, error) bool) {
		params := &stripego.RefundListParams{CreatedRange: &stripego.RangeQueryParams{GreaterThanOrEqual: from.Unix()}}
		onList(&params.ListParams, account)
		params.Limit = stripego.Int64(100)
		for refund, err := range p.api.V1Refunds.List(ctx, params) {
			if err != nil {
				yield(payment.Refunded{}, describe(err))
				return
			}
			if t := tellRefund(refund); t.ID == "" && t.Payment != "" && !yield(t, nil) {
				return
			}
		}
	}
}

func tellRefund(r *stripego.Refund) payment.Refunded {
	t := payment.Refunded{Ref: r.ID, ID: r.Metadata[metaRefund], State: payment.RefundPending, Amount: fromStripe(r.Amount, string(r.Currency))}
	if r.PaymentIntent != nil {
		t.Payment = r.PaymentIntent.ID
	}
	switch r.Status {
	case stripego.RefundStatusSucceeded:
		t.State = payment.RefundDone
	case stripego.RefundStatusFailed, stripego.RefundStatusCanceled:
		t.State = payment.RefundFailed
	}
	return t
}
