package main

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe"
)

// paymentFlags say who takes the money. The booking core and its worker have to
// be told the same.
type paymentFlags struct {
	StripeKey string `placeholder:"FILE" help:"File with Stripe's secret key; without it payments go to a sandbox, which takes no money."`
}

func (f paymentFlags) provider(db *pgxpool.Pool) (payment.Provider, error) {
	if f.StripeKey == "" {
		return sandbox.New(db), nil
	}
	return stripe.Open(stripe.Config{KeyFile: f.StripeKey, Now: time.Now})
}
