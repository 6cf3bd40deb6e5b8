// Package stripe is the payment provider Stripe: each attempt is a
// PaymentIntent that is confirmed when it is made and captured by hand. Cards
// are typed in on Stripe's own fields in the fan's browser, so that only a
// token (pm_…) ever comes here.
//
// The one hard idea is how to find an attempt whose answer was lost. Stripe's
// search is up to a minute behind, so that it finds nothing is no proof. But
// Stripe keeps the answer to each idempotency key for a day, and refuses the
// key to a request with other parameters. So Find asks for something harmless
// with the attempt's key (lookup.go): a refusal says that the attempt has
// arrived, and repeating it tells its answer; no refusal says that it has not,
// and from then on never will, because now the key is taken. Search is for
// attempts that are older than keys live.
//
// What could still be paid with is canceled before it is called Declined or
// Voided, since the fan's browser may have been given the means to confirm it.
// Capture and Void have no key of their own: what a PaymentIntent is says
// whether they happened, and a key would repeat an error for a day, too.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v82"

	"github.com/ropeline/ropeline/booking/payment"
)

// Config is what a Provider needs.
type Config struct {
	KeyFile    string           // with the secret or a restricted key, sk_… or rk_…
	SecretFile string           // with the webhook's signing secrets, whsec_…, one a line; empty: no event is authentic
	URL        string           // of the API; empty: Stripe's
	Now        func() time.Time // time.Now
	Transport  http.RoundTripper
}

// Provider is Stripe.
type Provider struct {
	api     *stripego.Client
	secrets []string
	now     func() time.Time
}

var (
	_ payment.Provider = (*Provider)(nil)
	_ payment.Books    = (*Provider)(nil)
	_ payment.Crier    = (*Provider)(nil)
)

// Open returns a Provider. It reads the files once and asks nobody anything.
func Open(c Config) (*Provider, error) {
	keys, err := lines(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading Stripe's key: %w", err)
	}
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "sk_") && !strings.HasPrefix(keys[0], "rk_") {
		return nil, fmt.Errorf("%s is not a secret key of Stripe's: one line that begins with sk_ or rk_", c.KeyFile)
	}
	p := &Provider{now: c.Now}
	if c.SecretFile != "" {
		if p.secrets, err = lines(c.SecretFile); err != nil {
			return nil, fmt.Errorf("reading the webhook's secrets: %w", err)
		}
	}
	for i, s := range p.secrets {
		if !strings.HasPrefix(s, "whsec_") {
			return nil, fmt.Errorf("%s: line %d does not begin with whsec_", c.SecretFile, i+1)
		}
	}
	transport := c.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 100 // as many as pay at once; the default of 2 would shake hands for each
		transport = t
	}
	// The caller's context says how long. No redirect is followed: the key goes
	// to nobody else.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	config := &stripego.BackendConfig{
		HTTPClient:        client,
		MaxNetworkRetries: stripego.Int64(0), // ours to repeat; the library sleeps without looking at the context
		EnableTelemetry:   stripego.Bool(false),
		LeveledLogger:     &stripego.LeveledLogger{Level: stripego.LevelNull}, // it would print to stderr
	}
	if c.URL != "" {
		config.URL = stripego.String(c.URL)
	}
	p.api = stripego.NewClient(keys[0], stripego.WithBackends(stripego.NewBackendsWithConfig(config)))
	return p, nil
}

// Secrets is how many secrets an event may be signed with.
func (p *Provider) Secrets() int { return len(p.secrets) }

// lines reads what is written on the lines of a file.
func lines(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text)), nil
}

// latestCharge is asked for with each intent: it says what was refunded.
const latestCharge = "latest_charge"

// Authorize makes and confirms a PaymentIntent.
func (p *Provider) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	if c.Ref != "" {
		return p.read(ctx, c.Account, c.Ref)
	}
	if !payment.IsMethod(c.Method) || !payable(c.Amount) {
		return payment.Payment{}, payment.ErrMethodUnknown
	}
	if p.aged(c.Attempt) { // its key may have expired, and would make a second payment
		found, err := p.Find(ctx, c)
		if errors.Is(err, payment.ErrNone) {
			err = fmt.Errorf("stripe: attempt %s is too old to begin with", c.Attempt)
		}
		return found, err
	}
	return p.create(ctx, c)
}

// Capture takes what was authorized.
func (p *Provider) Capture(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	id := c.Ref
	if id == "" {
		found, err := p.Find(ctx, c)
		if err != nil || found.State != payment.Authorized {
			return found, err
		}
		id = found.Ref
	}
	params := &stripego.PaymentIntentCaptureParams{}
	on(&params.Params, c.Account)
	params.AddExpand(latestCharge)
	intent, err := p.api.V1PaymentIntents.Capture(ctx, id, params)
	if isUnexpectedState(err) {
		return p.read(ctx, c.Account, id)
	}
	if err != nil {
		return payment.Payment{}, describe(err)
	}
	return p.final(ctx, c.Account, intent)
}

// Void cancels a PaymentIntent.
func (p *Provider) Void(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	id := c.Ref
	if id == "" {
		found, err := p.Find(ctx, c)
		if err != nil || found.State != payment.Authorized && found.State != payment.NeedsAction {
			return found, err
		}
		id = found.Ref
	}
	intent, err := p.cancel(ctx, c.Account, id)
	if err != nil {
		return payment.Payment{}, err
	}
	return tell(intent)
}

// cancel cancels an intent, or reads it if it cannot be canceled.
func (p *Provider) cancel(ctx context.Context, account, id string) (*stripego.PaymentIntent, error) {
	params := &stripego.PaymentIntentCancelParams{CancellationReason: stripego.String("abandoned")}
	on(&params.Params, account)
	params.AddExpand(latestCharge)
	intent, err := p.api.V1PaymentIntents.Cancel(ctx, id, params)
	if isUnexpectedState(err) {
		return p.retrieve(ctx, account, id)
	}
	if err != nil {
		return nil, describe(err)
	}
	return intent, nil
}

// on has a request be about an organizer's own account, and not about ours.
func on(params *stripego.Params, account string) {
	if account != "" {
		params.SetStripeAccount(account)
	}
}

func onList(params *stripego.ListParams, account string) {
	if account != "" {
		params.SetStripeAccount(account)
	}
}

func (p *Provider) retrieve(ctx context.Context, account, id string) (*stripego.PaymentIntent, error) {
	params := &stripego.PaymentIntentRetrieveParams{}
	on(&params.Params, account)
	params.AddExpand(latestCharge)
	intent, err := p.api.V1PaymentIntents.Retrieve(ctx, id, params)
	if err != nil {
		return nil, describe(err)
	}
	return intent, nil
}

// read tells how an intent stands now. One that is not there is an error, not
// ErrNone: somebody has recorded it, so this is another account's key.
func (p *Provider) read(ctx context.Context, account, id string) (payment.Payment, error) {
	intent, err := p.retrieve(ctx, account, id)
	if err != nil {
		return payment.Payment{}, err
	}
	return p.final(ctx, account, intent)
}

// final tells of an intent, and sees to it first that one which was declined
// cannot be paid any more.
func (p *Provider) final(ctx context.Context, account string, intent *stripego.PaymentIntent) (payment.Payment, error) {
	switch intent.Status {
	case stripego.PaymentIntentStatusRequiresPaymentMethod, stripego.PaymentIntentStatusRequiresConfirmation:
	default:
		return tell(intent)
	}
	canceled, err := p.cancel(ctx, account, intent.ID)
	if err != nil {
		return payment.Payment{}, err
	}
	told, err := tell(canceled)
	if err == nil && told.State == payment.Voided && intent.LastPaymentError != nil {
		told.State = payment.Declined
	}
	return told, err
}

// errUnderWay says that Stripe is not done with an intent.
var errUnderWay = errors.New("stripe: the payment is under way")

// tell puts an intent into our words.
func tell(intent *stripego.PaymentIntent) (payment.Payment, error) {
	t := payment.Payment{
		Attempt: intent.Metadata[metaAttempt], Ref: intent.ID, CreatedAt: time.Unix(intent.Created, 0).UTC(),
		Amount: fromStripe(intent.Amount, string(intent.Currency)),
	}
	if ch := intent.LatestCharge; ch != nil && ch.PaymentMethodDetails != nil && ch.PaymentMethodDetails.Card != nil {
		t.Card = ch.PaymentMethodDetails.Card.Fingerprint
	}
	switch intent.Status {
	case stripego.PaymentIntentStatusRequiresCapture:
		t.State = payment.Authorized
	case stripego.PaymentIntentStatusSucceeded:
		t.State = payment.Captured
		// Of a canceled one the charge says that all of it was refunded.
		if intent.LatestCharge != nil {
			t.Refunded = fromStripe(intent.LatestCharge.AmountRefunded, string(intent.Currency)).Amount
		}
	case stripego.PaymentIntentStatusCanceled:
		t.State = payment.Voided
	case stripego.PaymentIntentStatusRequiresAction:
		t.State = payment.NeedsAction
		if next := intent.NextAction; next != nil && next.RedirectToURL != nil {
			t.Action = next.RedirectToURL.URL
		}
	default:
		return payment.Payment{}, fmt.Errorf("%w: %s is %s", errUnderWay, intent.ID, intent.Status)
	}
	return t, nil
}

// Since lists the PaymentIntents that carry an attempt of ours. One that Stripe
// is not done with is said to need an action: nothing is reserved yet.
func (p *Provider) Since(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Payment, error] {
	return func(yield func(payment.Payment, error) bool) {
		params := &stripego.PaymentIntentListParams{CreatedRange: &stripego.RangeQueryParams{GreaterThanOrEqual: from.Unix()}}
		params.Limit = stripego.Int64(100) // the most there is
		onList(&params.ListParams, account)
		params.AddExpand("data." + latestCharge)
		for intent, err := range p.api.V1PaymentIntents.List(ctx, params) {
			if err != nil {
				yield(payment.Payment{}, describe(err))
				return
			}
			if intent.Metadata[metaAttempt] == "" {
				continue
			}
			t, err := tell(intent)
			if err != nil {
				t = payment.Payment{Attempt: intent.Metadata[metaAttempt], Ref: intent.ID, State: payment.NeedsAction,
					Amount: fromStripe(intent.Amount, string(intent.Currency)), CreatedAt: time.Unix(intent.Created, 0).UTC()}
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}
