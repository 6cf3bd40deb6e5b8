package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/catalogue"
)

type gotAccounts struct {
	Body struct {
		Accounts []catalogue.Account `json:"accounts" doc:"by their names"`
	}
}

func (s *server) listAccounts(ctx context.Context, _ *struct{}) (*gotAccounts, error) {
	found, err := s.shows.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	out := &gotAccounts{}
	out.Body.Accounts = append([]catalogue.Account{}, found...)
	return out, nil
}
