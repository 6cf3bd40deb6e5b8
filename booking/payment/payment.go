// Package payment says what Ropeline asks of a payment provider: to reserve
// an amount, to take it, to let it go, to give it back, and to tell what it did.
//
// The one hard idea is that every call is named by our payment attempt and may
// be repeated: a provider that sees an attempt twice answers the second time
// what became of the first. An answer that was lost is asked for with Find
// before anything else is done. Callers hold no transaction and no pooled
// connection during a call.
//
// What a provider tells on its own accord (Event) is a hint: it may come twice,
// late, out of order, or before the answer to the call that caused it. So it
// says which payment to look at, and Find says how that stands.
//
// Package sandbox is the provider of development and tests, package stripe the
// one of Stripe; paymenttest is what both have to pass. Orders, holds and
// tickets are not known here, and card numbers never are.
package payment

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/ropeline/ropeline/booking"
)

// State says what the provider did with an attempt.
type State string

// The states of a payment at the provider. Captured, Voided and Declined are
// final: whoever is answered one of them knows that nothing is reserved, and
// that nobody can pay with this attempt any more. A payment that was Declined
// may be called Voided later, which says the same.
const (
	NeedsAction State = "needs_action" // the fan has to confirm at Payment.Action
	Authorized  State = "authorized"   // reserved on the fan's account
	Captured    State = "captured"     // taken
	Voided      State = "voided"       // let go, or lapsed; nothing was taken
	Declined    State = "declined"     // refused
)

// Charge asks for an amount.
type Charge struct {
	Attempt string // ours, made by booking.NewID; the idempotency key
	Amount  booking.Money
	Method  string // how to pay, a token of the provider's; see IsMethod
	Return  string // where the fan's browser comes back to; empty: what needs an action is declined
	Ref     string // Payment.Ref, once it is known: saves the provider a search; Find takes it alone
	Account string // the organizer's own account at the provider, who is paid; empty: ours
	Fee     int64  // of Amount, what the account leaves to us
}

// Payment is what the provider did with an attempt.
type Payment struct {
	Attempt   string
	Ref       string // the provider's own id
	State     State
	Amount    booking.Money
	Refunded  int64     // what of it was given back, minor units
	Action    string    // the page on which the fan confirms, if NeedsAction
	Card      string    // the same for the same card, and no number; empty if no card was asked yet
	CreatedAt time.Time // UTC, to the second
}

// Refund asks to give back of a captured payment.
type Refund struct {
	ID     string // ours; the idempotency key
	Amount booking.Money
	Fee    int64  // of Charge.Fee, what we give back to the account
	Cause  string // ours; Fee goes back once for each, however many refunds were tried for it; empty: ID
}

// FeeID names the return of the fee.
func (r Refund) FeeID() string { return cmp.Or(r.Cause, r.ID) }

// RefundState says how far a refund got.
type RefundState string

// The states of a refund. A refund that failed gave nothing back; another try
// needs an id of its own. One that was done may fail later: the fan's bank has sent
// it back, and the money is ours again.
const (
	RefundPending RefundState = "pending"
	RefundDone    RefundState = "done"
	RefundFailed  RefundState = "failed"
)

// Refunded is what became of a Refund, or of one that somebody made by hand at the
// provider.
type Refunded struct {
	Ref     string // the provider's own id
	ID      string // Refund.ID; empty: made by hand
	Payment string // Payment.Ref
	State   RefundState
	Amount  booking.Money
}

// What can be wrong. Every other error of a call leaves open what happened.
var (
	// ErrNone says that the provider has nothing of the attempt.
	ErrNone = errors.New("no payment for this attempt")
	// ErrMethodUnknown says that the provider has no such way to pay; nothing
	// was recorded.
	ErrMethodUnknown = errors.New("no such payment method")
	// ErrNotRefundable says that the payment was not captured, or that less is
	// left of it than the refund asks for; nothing was given back.
	ErrNotRefundable = errors.New("not that much to refund")
	// ErrAccountClosed says that the account cannot take payments; nothing was
	// recorded.
	ErrAccountClosed = errors.New("this account cannot take payments")
	// ErrNotAuthentic says that an event is not the provider's, or too old.
	ErrNotAuthentic = errors.New("not an authentic event")
	// ErrNotOurs says that an event is the provider's and none of our business.
	ErrNotOurs = errors.New("an event about something else")
)

// Provider is a payment provider. All calls may be repeated.
type Provider interface {
	// Authorize reserves the amount, or declines. An attempt for which Find
	// said ErrNone may be refused with an error: so a slow call reserves
	// nothing after somebody found nothing.
	Authorize(ctx context.Context, c Charge) (Payment, error)
	// Capture takes what was authorized. A payment in another state is answered
	// as it is.
	Capture(ctx context.Context, c Charge) (Payment, error)
	// Void lets go of what was authorized, or still needs an action. A payment
	// in another state is answered as it is.
	Void(ctx context.Context, c Charge) (Payment, error)
	// Find tells what became of an attempt, or ErrNone.
	Find(ctx context.Context, c Charge) (Payment, error)
	// Refund gives back of a captured payment, once for each Refund.ID.
	Refund(ctx context.Context, c Charge, r Refund) (Refunded, error)
	// Refunds lists all that was given back of a payment, ours and what was made by
	// hand.
	Refunds(ctx context.Context, c Charge) ([]Refunded, error)
	// Account tells whether an organizer's own account can take payments.
	Account(ctx context.Context, id string) (Account, error)
	// Dispute tells how a dispute of an account's stands now, by the provider's own
	// id of it.
	Dispute(ctx context.Context, account, ref string) (Dispute, error)
}

// Books are a provider's own records of an account (see Charge.Account), to compare
// ours with.
type Books interface {
	// Since yields the payments of our attempts that the provider made at or
	// after a time, in no order that counts. It ends with the first error.
	Since(ctx context.Context, account string, from time.Time) iter.Seq2[Payment, error]
	// Disputes yields those that were opened at or after a time, likewise. One that
	// is about no attempt of ours has none.
	Disputes(ctx context.Context, account string, from time.Time) iter.Seq2[Dispute, error]
	// RefundsByHand yields the refunds without a Refund.ID of ours that were made at
	// or after a time, likewise, whatever payment they are of.
	RefundsByHand(ctx context.Context, account string, from time.Time) iter.Seq2[Refunded, error]
}

// Crier is a provider that tells by webhook what has changed.
type Crier interface {
	// Event reads a webhook request. It is ErrNotAuthentic or ErrNotOurs, or
	// the request has to be sent again.
	Event(header http.Header, body []byte) (Event, error)
}

// About says what an event is about.
type About string

// What events are about.
const (
	AboutPayment About = "payment" // it has changed: ask Find
	AboutRefund  About = "refund"  // it has changed: repeat Refund; one that was made by hand: ask Refunds
	AboutDispute About = "dispute" // the fan's bank wants the money back: ask Dispute
	AboutAccount About = "account" // it may, or may not any more, take payments: ask Account
)

// Event is what a provider told by webhook.
type Event struct {
	ID      string // the provider's, the same however often the event is sent
	Account string // whose it is, see Charge.Account
	About   About
	Ref     string    // of the payment
	Attempt string    // of the payment; empty if the provider knows its own id only
	State   State     // of the payment when this was sent, if it said so: saves a call of Find, and moves nothing by itself
	Refund  string    // Refund.ID, of an event about one; empty: made by hand
	Dispute string    // Dispute.Ref, of an event about one
	At      time.Time // UTC
}

// DisputeState says how far a dispute got.
type DisputeState string

// The states of a dispute. Won and Lost are final.
const (
	DisputeAsked DisputeState = "asked" // the bank asks; no money has moved
	DisputeOpen  DisputeState = "open"  // the money is gone for now
	DisputeWon   DisputeState = "won"
	DisputeLost  DisputeState = "lost"
)

// Over reports whether nothing more will be decided.
func (s DisputeState) Over() bool { return s == DisputeWon || s == DisputeLost }

// Dispute is how one stands: the fan's bank wants the money of a payment back. What
// was moved for it only ever grows. Amounts are in minor units of Amount's currency.
type Dispute struct {
	Ref         string // the provider's own id
	Payment     string // Payment.Ref
	Attempt     string // of the payment; empty: none of ours
	State       DisputeState
	Amount      booking.Money
	Reason      string    // a word of the provider's
	Withdrawn   int64     // what the provider took back from us for it
	Reinstated  int64     // and gave to us again
	Fee         Fee       // what the provider charges for it
	EvidenceDue time.Time // until when we may answer, UTC; zero: we may not, or not any more
	OpenedAt    time.Time // UTC
}

// Account is how an organizer's own account at the provider stands.
type Account struct {
	ID      string // the provider's own
	Charges bool   // it can take payments
	Reason  string // a word of the provider's why it cannot
}

// Fee is what a provider charges, in the currency of our account there.
type Fee struct {
	Taken, Returned int64 // minor units
	Currency        string
}

// IsMethod reports whether s may be a provider's token for a way to pay, such
// as pm_1PgaftB7WZ01zgkWm3waTcFp: a word, an underscore, letters and digits.
// What looks like a card number is none, so that none is kept or sent on by
// mistake: card numbers are the shortest at 12 digits.
func IsMethod(s string) bool {
	if len(s) > 64 {
		return false
	}
	word, digits := 0, 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			digits = 0
		case r == '_' && i > 0: // does not end a run of digits: 4242_4242_4242_4242
			word = max(word, i)
		default:
			return false
		}
		if digits >= 12 || word == 0 && digits > 0 {
			return false
		}
	}
	return word > 0
}
