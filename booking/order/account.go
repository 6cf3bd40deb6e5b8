package order

import (
	"context"
	"errors"
	"fmt"

	"github.com/ropeline/ropeline/booking/payment"
)

// hearAccount asks how an organizer's account stands that an event is about. That it
// stands as before is no news, however often it is told.
func (d *Desk) hearAccount(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	known, news, err := d.lookAt(ctx, e.Account)
	switch {
	case err != nil || !known:
		return Attempt{}, HeardNot, err
	case !news:
		return Attempt{}, HeardAgain, nil
	}
	return Attempt{}, HeardNow, nil
}

// lookAt asks how an account stands, and notes that.
func (s *steps) lookAt(ctx context.Context, account string) (known, news bool, err error) {
	call, cancel := context.WithTimeout(ctx, patience)
	now, err := s.provider.Account(call, account)
	cancel()
	if err != nil {
		return false, false, fmt.Errorf("asking how account %.40q stands: %w", account, err)
	}
	known, news, err = s.store.catalogue.AccountStands(ctx, account, now.Charges, now.Reason)
	if err == nil && news && !now.Charges {
		s.log.Error("an organizer's account takes no payments any more: nothing of its performances is sold", "account", account, "reason", now.Reason)
	}
	return known, news, err
}

// each compares with the list of our own account, and with those of organizers', of
// which one that is away keeps no other from it.
func (s *Settler) each(ctx context.Context, do func(account string) (int, error)) (seen int, err error) {
	seen, err = do("")
	accounts, listing := s.store.catalogue.Accounts(ctx)
	errs := []error{err, listing}
	for _, a := range accounts {
		if _, _, err := s.lookAt(ctx, a.Provider); err != nil {
			errs = append(errs, err)
			continue
		}
		n, err := do(a.Provider)
		seen += n
		errs = append(errs, err)
	}
	return seen, errors.Join(errs...)
}
