package stripe

import (
	"context"
	"errors"
	"fmt"
	"time"

	stripego "github.com/stripe/stripe-go/v82"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// What our intents carry.
const (
	metaAttempt = "ropeline_attempt" // of a payment
	metaNothing = "ropeline_nothing" // the attempt that was looked for and not found
)

// keyLife is how long we rely on idempotency keys. Stripe may forget them after
// 24 hours, and search finds everything much sooner than this.
const keyLife = 12 * time.Hour

// aged reports whether the key of an attempt may have expired.
func (p *Provider) aged(attempt string) bool {
	at, ok := booking.MadeAt(attempt)
	return !ok || p.now().Sub(at) > keyLife
}

// create makes the intent of an attempt, or gets the answer that was given when
// it was made.
func (p *Provider) create(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	params := newIntent(c, metaAttempt)
	params.Confirm = stripego.Bool(true)
	params.PaymentMethod = stripego.String(c.Method)
	if c.Return == "" {
		params.ErrorOnRequiresAction = stripego.Bool(true)
	} else {
		params.ReturnURL = stripego.String(c.Return)
	}
	intent, err := p.api.V1PaymentIntents.Create(ctx, params)
	if err == nil {
		if intent.LastResponse.Header.Get("Idempotent-Replayed") == "true" { // how it was then, not how it is
			return p.read(ctx, c.Account, intent.ID)
		}
		return p.final(ctx, c.Account, intent)
	}
	switch e, _ := errors.AsType[*stripego.Error](err); {
	case e == nil:
		return payment.Payment{}, describe(err)
	case e.Type == stripego.ErrorTypeCard && e.PaymentIntent != nil:
		return p.final(ctx, c.Account, e.PaymentIntent)
	case e.Type == stripego.ErrorTypeCard:
		return payment.Payment{Attempt: c.Attempt, State: payment.Declined, Amount: c.Amount, CreatedAt: p.now().UTC().Truncate(time.Second)}, nil
	case e.Type == stripego.ErrorTypeInvalidRequest && e.Param == "payment_method":
		return payment.Payment{}, payment.ErrMethodUnknown
	case c.Account != "" && (e.Type == stripego.ErrorTypeInvalidRequest || isNoAccess(err)): // words differ: it is asked
		if account, asking := p.Account(ctx, c.Account); asking == nil && !account.Charges {
			return payment.Payment{}, fmt.Errorf("%w: %w", payment.ErrAccountClosed, describe(err))
		}
	}
	return payment.Payment{}, describe(err)
}

// newIntent is what all of our intents have in common. The key is the
// attempt's, whatever is asked with it.
func newIntent(c payment.Charge, meta string) *stripego.PaymentIntentCreateParams {
	amount, currency := toStripe(c.Amount)
	params := &stripego.PaymentIntentCreateParams{
		Amount: &amount, Currency: &currency,
		CaptureMethod:      stripego.String(string(stripego.PaymentIntentCaptureMethodManual)),
		PaymentMethodTypes: stripego.StringSlice([]string{"card"}), // wallets are cards, too
	}
	params.SetIdempotencyKey(c.Attempt)
	params.AddMetadata(meta, c.Attempt)
	params.AddExpand(latestCharge)
	on(&params.Params, c.Account)
	if c.Account != "" && c.Fee > 0 {
		fee, _ := toStripe(booking.Money{Amount: c.Fee, Currency: c.Amount.Currency})
		params.ApplicationFeeAmount = &fee
	}
	return params
}

// Find tells what became of an attempt. If nothing has, nothing will: an intent
// that nobody can pay takes its key (see the package's doc).
func (p *Provider) Find(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	switch {
	case c.Ref != "" && c.Attempt == "": // it may be nobody's we know: it is looked at only
		intent, err := p.retrieve(ctx, c.Account, c.Ref)
		if err != nil {
			return payment.Payment{}, err
		}
		return tell(intent)
	case c.Ref != "":
		return p.read(ctx, c.Account, c.Ref)
	}
	if !payment.IsMethod(c.Method) || !payable(c.Amount) { // was never sent
		return payment.Payment{}, payment.ErrNone
	}
	_, err := p.api.V1PaymentIntents.Create(ctx, newIntent(c, metaNothing))
	switch {
	case err == nil && !p.aged(c.Attempt):
		return payment.Payment{}, payment.ErrNone
	case err == nil: // the key is free, but the attempt may have had it before
		return p.search(ctx, c, payment.ErrNone)
	case !isKeyTaken(err):
		return payment.Payment{}, describe(err)
	case p.aged(c.Attempt): // a repeat could be the first one, if the key expires just now
		return p.search(ctx, c, nil)
	}
	found, err := p.create(ctx, c)
	if errors.Is(err, payment.ErrMethodUnknown) {
		return payment.Payment{}, payment.ErrNone
	}
	if err != nil && ctx.Err() == nil { // the answer that Stripe keeps may be an error, for all that happened
		return p.search(ctx, c, err)
	}
	return found, err
}

// search looks an attempt up among those that can be searched already. If it
// is not there, the answer is none.
func (p *Provider) search(ctx context.Context, c payment.Charge, none error) (payment.Payment, error) {
	attempt := c.Attempt
	if !booking.IsID(attempt) { // it becomes part of a query
		return payment.Payment{}, fmt.Errorf("stripe: attempt %.40q is not an id", attempt)
	}
	params := &stripego.PaymentIntentSearchParams{}
	if c.Account != "" {
		params.SetStripeAccount(c.Account)
	}
	params.Query = "metadata['" + metaAttempt + "']:'" + attempt + "'"
	for intent, err := range p.api.V1PaymentIntents.Search(ctx, params) {
		if err != nil {
			return payment.Payment{}, describe(err)
		}
		return p.read(ctx, c.Account, intent.ID) // search tells how it was a minute ago
	}
	if none == nil {
		none = fmt.Errorf("stripe: attempt %s has arrived, but cannot be found yet", attempt)
	}
	return payment.Payment{}, none
}
