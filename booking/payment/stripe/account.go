package stripe

import (
	"context"
	"errors"
	"fmt"

	stripego "github.com/stripe/stripe-go/v82"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// Charges are direct (https://docs.stripe.com/connect/direct-charges): each request
// about an organizer's payment is made on the organizer's connected account, and
// application_fee_amount is ours. So the organizer is who sells, whose name is on the
// card's statement, and whom refunds and disputes cost; nobody holds money that is
// another's. Only the fee is an object of our own account.

// revoked is why we may not work for an account any more.
const revoked = "access_revoked"

// Account asks whether an account can take payments.
func (p *Provider) Account(ctx context.Context, id string) (payment.Account, error) {
	account, err := p.api.V1Accounts.GetByID(ctx, id, nil)
	if isNoAccess(err) {
		return payment.Account{ID: id, Reason: revoked}, nil
	}
	if err != nil {
		return payment.Account{}, describe(err)
	}
	t := payment.Account{ID: account.ID, Charges: account.ChargesEnabled}
	if r := account.Requirements; r != nil && !t.Charges {
		t.Reason = string(r.DisabledReason)
	}
	return t, nil
}

// returnFee gives back of the fee of a payment, once for each cause of a refund. As with refunds
// it looks for its own id first: an idempotency key is not kept for ever.
func (p *Provider) returnFee(ctx context.Context, c payment.Charge, intent string, r payment.Refund) error {
	of, err := p.retrieve(ctx, c.Account, intent)
	if err != nil {
		return err
	}
	if of.LatestCharge == nil || of.LatestCharge.ApplicationFee == nil {
		return errors.New("stripe: payment " + intent + " has no fee to give back of")
	}
	fee := of.LatestCharge.ApplicationFee.ID
	listed := &stripego.FeeRefundListParams{ID: &fee}
	listed.Limit = stripego.Int64(100)
	for given, err := range p.api.V1FeeRefunds.List(ctx, listed) {
		if err != nil {
			return fmt.Errorf("looking for the fee of refund %s: %w", r.ID, describe(err))
		}
		if given.Metadata[metaRefund] == r.FeeID() {
			return nil
		}
	}
	amount, _ := toStripe(booking.Money{Amount: r.Fee, Currency: r.Amount.Currency})
	params := &stripego.FeeRefundCreateParams{ID: &fee, Amount: &amount}
	params.SetIdempotencyKey("fee-" + r.FeeID())
	params.AddMetadata(metaRefund, r.FeeID())
	if _, err := p.api.V1FeeRefunds.Create(ctx, params); err != nil {
		return fmt.Errorf("giving the fee of refund %s back: %w", r.ID, describe(err))
	}
	return nil
}
