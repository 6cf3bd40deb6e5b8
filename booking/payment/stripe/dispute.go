package stripe

import (
	"context"
	"errors"
	"iter"
	"time"

	stripego "github.com/stripe/stripe-go/v82"

	"github.com/ropeline/ropeline/booking/payment"
)

// Dispute asks how a dispute stands. What money it moved is on its balance
// transactions, whatever webhooks say and in whatever order.
func (p *Provider) Dispute(ctx context.Context, account, ref string) (payment.Dispute, error) {
	params := &stripego.DisputeRetrieveParams{}
	on(&params.Params, account)
	params.AddExpand("payment_intent") // it says whose it is
	d, err := p.api.V1Disputes.Retrieve(ctx, ref, params)
	if err != nil {
		return payment.Dispute{}, describe(err)
	}
	return tellDispute(d)
}

// Disputes lists those that were opened since a time.
func (p *Provider) Disputes(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Dispute, error] {
	return func(yield func(payment.Dispute, error) bool) {
		params := &stripego.DisputeListParams{CreatedRange: &stripego.RangeQueryParams{GreaterThanOrEqual: from.Unix()}}
		params.Limit = stripego.Int64(100)
		onList(&params.ListParams, account)
		params.AddExpand("data.payment_intent")
		for d, err := range p.api.V1Disputes.List(ctx, params) {
			if err != nil {
				yield(payment.Dispute{}, describe(err))
				return
			}
			if d.PaymentIntent == nil {
				continue
			}
			if t, err := tellDispute(d); !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// tellDispute puts a dispute into our words. A balance transaction is in the
// account's own currency: which way it goes counts, and its fee.
func tellDispute(d *stripego.Dispute) (payment.Dispute, error) {
	t := payment.Dispute{Ref: d.ID, State: disputeState(string(d.Status)), Amount: fromStripe(d.Amount, string(d.Currency)),
		Reason: string(d.Reason), OpenedAt: time.Unix(d.Created, 0).UTC()}
	if d.PaymentIntent == nil {
		return payment.Dispute{}, errors.New("stripe: dispute " + d.ID + " is of no payment intent")
	}
	t.Payment, t.Attempt = d.PaymentIntent.ID, d.PaymentIntent.Metadata[metaAttempt]
	if e := d.EvidenceDetails; e != nil && e.DueBy > 0 && !t.State.Over() {
		t.EvidenceDue = time.Unix(e.DueBy, 0).UTC()
	}
	for _, b := range d.BalanceTransactions {
		fee := fromStripe(b.Fee, string(b.Currency))
		t.Fee.Currency = fee.Currency
		if fee.Amount > 0 {
			t.Fee.Taken += fee.Amount
		} else {
			t.Fee.Returned -= fee.Amount
		}
		switch {
		case b.Amount < 0:
			t.Withdrawn += t.Amount.Amount
		case b.Amount > 0:
			t.Reinstated += t.Amount.Amount
		}
	}
	return t, nil
}

// disputeState puts Stripe's word into ours. A word that is new to us is taken
// for an open dispute: somebody has to look at it.
func disputeState(status string) payment.DisputeState {
	switch status {
	case "warning_needs_response", "warning_under_review":
		return payment.DisputeAsked
	case "won", "warning_closed", "prevented": // what prevented one is a refund, and comes as such
		return payment.DisputeWon
	case "lost":
		return payment.DisputeLost
	}
	return payment.DisputeOpen
}
