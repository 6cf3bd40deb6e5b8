package api

import (
	"context"
	"errors"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
)

// Payment is how a performance is paid for: what a page needs to get a token from the
// provider, in the provider's own fields. Nothing of it is secret.
type Payment struct {
	Provider string `json:"provider" enum:"sandbox,stripe" doc:"the sandbox has test cards only"`
	Key      string `json:"publishable_key,omitempty" doc:"of the provider's fields for cards; left out: cards are typed in elsewhere"`
	Account  string `json:"account,omitempty" doc:"the organizer's own account at the provider, for which the token has to be"`
}

func (s *server) getPayment(ctx context.Context, in *tagged) (*fresh[Payment], error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	if s.sandbox != nil {
		return answerFresh(in.Have, Payment{Provider: "sandbox"})
	}
	payee, err := s.shows.Payee(ctx, p.Map)
	if err != nil && !errors.Is(err, catalogue.ErrAccountClosed) { // who pays is told that
		return nil, err
	}
	return answerFresh(in.Have, Payment{Provider: "stripe", Key: s.fields, Account: payee.Provider})
}
