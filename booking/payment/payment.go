// Package payment says what Ropeline asks of a payment provider: to reserve
// an amount, to take it, to let it go, and to tell what it did.
//
// The one hard idea is that every call is named by our payment attempt and may
// be repeated: a provider that sees an attempt twice answers the second time
// what it did the first time. An answer that was lost is asked for with Find
// before anything else is done. Callers hold no transaction and no pooled
// connection during a call.
//
// Package sandbox is the provider of development and tests. Orders, holds and
// tickets are not known here.
package payment

import (
	"context"
	"errors"

	"github.com/ropeline/ropeline/booking"
)

// State says what the provider did with an attempt.
type State string

// The states of a payment at the provider. Captured, Voided and Declined are
// final.
const (
	Authorized State = "authorized" // reserved on the fan's account
	Captured   State = "captured"   // taken
	Voided     State = "voided"     // let go, nothing was taken
	Declined   State = "declined"   // refused
)

// Charge asks for an amount.
type Charge struct {
	Attempt string // ours; the idempotency key
	Amount  booking.Money
	Method  string // how to pay, a token of the provider's; never a card number
}

// Payment is what the provider did with an attempt.
type Payment struct {
	Ref    string // the provider's own id
	State  State
	Amount booking.Money
}

// ErrNone says that the provider has never heard of the attempt.
var ErrNone = errors.New("no payment for this attempt")

// ErrMethodUnknown says that the provider has no such way to pay; nothing was
// recorded.
var ErrMethodUnknown = errors.New("no such payment method")

// Provider is a payment provider. All methods take our attempt id and may be
// repeated. An error other than the two above leaves open what happened.
type Provider interface {
	// Authorize reserves the amount, or declines.
	Authorize(ctx context.Context, c Charge) (Payment, error)
	// Capture takes what was authorized. A payment that was voided or
	// declined meanwhile is answered as it is.
	Capture(ctx context.Context, attempt string) (Payment, error)
	// Void lets go of what was authorized and not captured.
	Void(ctx context.Context, attempt string) (Payment, error)
	// Find tells what became of an attempt, or ErrNone.
	Find(ctx context.Context, attempt string) (Payment, error)
}
