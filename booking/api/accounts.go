package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/catalogue"
)

type gotAccounts struct {
	Body struct {
		Accounts []catalogue.Account `json:"accounts" doc:"by their names"`
		Next     string              `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	}
}

func (s *server) listAccounts(ctx context.Context, in *Page) (*gotAccounts, error) {
	found, next, err := s.shows.AccountPage(ctx, memberOf(ctx).organization, in.of())
	if err != nil {
		return nil, err
	}
	out := &gotAccounts{}
	out.Body.Next = next
	out.Body.Accounts = append([]catalogue.Account{}, found...)
	return out, nil
}
