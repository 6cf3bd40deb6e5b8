package stripe

import (
	"errors"
	"fmt"
	"net/http"

	stripego "github.com/stripe/stripe-go/v82"
)

// describe says what is known of an error. The library's own text is the whole
// answer with the client secret of the payment in it, which is for no log.
func describe(err error) error {
	e, ok := errors.AsType[*stripego.Error](err)
	if !ok {
		return fmt.Errorf("stripe: %w", err)
	}
	return fmt.Errorf("stripe: %d %s %s (request %s): %s", e.HTTPStatusCode, e.Type, e.Code, e.RequestID, e.Msg)
}

// isNoAccess says that an account does not let us work for it, or is none.
func isNoAccess(err error) bool {
	e, ok := errors.AsType[*stripego.Error](err)
	return ok && (e.HTTPStatusCode == http.StatusForbidden || e.Code == stripego.ErrorCodeAccountInvalid)
}

// isUnexpectedState says that an intent is not in a state for what was asked.
func isUnexpectedState(err error) bool {
	e, ok := errors.AsType[*stripego.Error](err)
	return ok && e.Code == stripego.ErrorCodePaymentIntentUnexpectedState
}

// isBusy says that a request with the same key is being worked on.
func isBusy(err error) bool {
	e, ok := errors.AsType[*stripego.Error](err)
	return ok && e.Code == stripego.ErrorCodeIdempotencyKeyInUse
}

// isKeyTaken says that the key was used with other parameters.
func isKeyTaken(err error) bool {
	e, ok := errors.AsType[*stripego.Error](err)
	return ok && e.Type == stripego.ErrorTypeIdempotency && !isBusy(err)
}
