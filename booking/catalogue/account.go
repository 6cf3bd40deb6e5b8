package catalogue

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Account is an organizer's own account at the payment provider: who has one is paid
// there, and leaves the platform's fee to us.
type Account struct {
	Name      string    `json:"name"`
	Provider  string    `json:"provider_account" doc:"the provider's id of it"`
	Charges   bool      `json:"charges" doc:"it can take payments, when the provider was last asked"`
	Reason    string    `json:"reason,omitempty" doc:"a word of the provider's why it cannot"`
	CheckedAt time.Time `json:"checked_at"`
}

// Refusals about accounts.
var (
	ErrAccountUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "account-unknown", Detail: "There is no payment account of this name."}
	ErrAccountInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "account-invalid", Detail: "The name of an account has 1 to 64 small letters, digits and hyphens; the provider's id of it must be given."}
	ErrAccountOther   = &ropeline.Error{Kind: ropeline.Conflict, Code: "account-exists", Detail: "This name, or this account of the provider's, is kept already, with another."}
	ErrAccountClosed  = &ropeline.Error{Kind: ropeline.Conflict, Code: "payments-suspended", Detail: "The organizer's payment account takes no payments at the moment. Nothing is charged."}
)

var accountName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

const accountColumns = `name, provider_account, charges, reason, checked_at`

func scanAccount(row pgx.CollectableRow) (a Account, err error) {
	err = row.Scan(&a.Name, &a.Provider, &a.Charges, &a.Reason, &a.CheckedAt)
	a.CheckedAt = a.CheckedAt.UTC()
	return a, err
}

func (s *Store) accounts(ctx context.Context, where string, args ...any) ([]Account, error) {
	rows, err := s.db.Query(ctx, `select `+accountColumns+` from payment_accounts where `+where, args...)
	if err != nil {
		return nil, storeError("reading payment accounts", err)
	}
	found, err := pgx.CollectRows(rows, scanAccount)
	return found, storeError("reading payment accounts", err)
}

// Accounts lists the accounts by their names.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	return s.accounts(ctx, `true order by name`)
}

// AccountPage is a page of those of an organization, or of all. What is no other's is the
// house's, which ctx has to see: it is nobody's staff's.
func (s *Store) AccountPage(ctx context.Context, organization string, p booking.Page) (page []Account, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !ropeline.SaleID(p.Cursor).Valid() { // both are slugs
		return nil, "", booking.ErrPage
	}
	list, err := s.accounts(ctx, `name > $1 and ($3 = '' or $3 = coalesce((select o.id::text from organizations o where o.account = payment_accounts.name order by o.id limit 1), $4)) order by name limit $2`,
		p.Cursor, size+1, organization, tenant.House)
	page, next = booking.Cut(list, size, func(a Account) string { return a.Name })
	return page, next, err
}

// Account reads an account as it stands now.
func (s *Store) Account(ctx context.Context, name string) (Account, error) {
	found, err := s.accounts(ctx, `name = $1`, name)
	if err == nil && len(found) == 0 {
		err = ErrAccountUnknown
	}
	if err != nil {
		return Account{}, err
	}
	return found[0], nil
}

// Payee is the account that is paid for a performance, as it stood within the last
// minute, or none. It is an error if it takes no payments.
func (s *Store) Payee(ctx context.Context, m *Map) (Account, error) {
	if m.Account == "" {
		return Account{}, nil
	}
	a, err := s.payees.get(ctx, m.Account)
	if err == nil && !a.Charges {
		err = ErrAccountClosed
	}
	return a, err
}

// Closed lists the accounts of a sale's performances that take no payments.
func (s *Store) Closed(ctx context.Context, sale ropeline.SaleID) ([]Account, error) {
	return s.accounts(ctx, `not charges and name in (
		select p.account from sale_performances sp join performances p on p.id = sp.performance_id where sp.sale_id = $1) order by name`, sale)
}

// KeepAccount keeps an account, or how one stands. Whose it is at the provider does not
// change: what was paid refers to it.
func (s *Store) KeepAccount(ctx context.Context, a Account) error {
	if !accountName.MatchString(a.Name) || a.Provider == "" || len(a.Provider) > 255 {
		return ErrAccountInvalid
	}
	tag, err := s.db.Exec(ctx, `
		insert into payment_accounts as a (name, provider_account, charges, reason) values ($1, $2, $3, $4)
		on conflict do nothing`, a.Name, a.Provider, a.Charges, a.Reason)
	if err != nil {
		return storeError("keeping payment account "+a.Name, err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	kept, err := s.Account(ctx, a.Name)
	if errors.Is(err, ErrAccountUnknown) || err == nil && kept.Provider != a.Provider {
		return ErrAccountOther
	}
	if err == nil {
		_, _, err = s.AccountStands(ctx, a.Provider, a.Charges, a.Reason)
	}
	return err
}

// AccountStands notes how an account stands, and reports whether it is known and
// whether that is news.
func (s *Store) AccountStands(ctx context.Context, provider string, charges bool, reason string) (known, news bool, err error) {
	err = s.db.QueryRow(ctx, `
		with before as (select charges, reason from payment_accounts where provider_account = $1 for update)
		update payment_accounts a set charges = $2, reason = $3, checked_at = now() from before
		where provider_account = $1
		returning (before.charges, before.reason) is distinct from ($2, $3)`, provider, charges, reason).Scan(&news)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, ropeline.ErrStoreAway.Because(fmt.Errorf("noting how account %.40q stands: %w", provider, err))
	}
	return true, news, nil
}
