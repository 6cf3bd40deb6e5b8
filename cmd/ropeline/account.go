package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/internal/dial"
)

type accountCommand struct {
	Connect accountConnect `cmd:"" help:"Keep an organizer's own account at the payment provider, so that programs can name it; or ask anew how it stands."`
	List    accountList    `cmd:"" help:"List the accounts, and whether they can take payments."`
}

type accountConnect struct {
	atCatalogue
	paymentFlags
	Name    string `arg:"" help:"What programs call it."`
	Account string `arg:"" help:"The provider's id of it, acct_… at Stripe."`
}

// Run asks the provider first: an account that does not let us work for it is not kept.
func (c *accountConnect) Run(ctx context.Context, con console) error {
	db, err := dial.Postgres(ctx, c.Postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := c.provider(db)
	if err != nil {
		return err
	}
	now, err := provider.Account(ctx, c.Account)
	if err != nil {
		return fmt.Errorf("asking how account %s stands: %w", c.Account, err)
	}
	a := catalogue.Account{Name: c.Name, Provider: c.Account, Charges: now.Charges, Reason: now.Reason}
	if err := catalogue.New(db, time.Now).KeepAccount(ctx, a); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "%s is %s, which %s\n", c.Name, c.Account, standing(a))
	return err
}

func standing(a catalogue.Account) string {
	if a.Charges {
		return "takes payments"
	}
	return "takes no payments: " + a.Reason
}

type accountList struct{ atCatalogue }

func (c *accountList) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		all, err := shows.Accounts(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tACCOUNT\tIT\tASKED")
		for _, a := range all {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", a.Name, a.Provider, standing(a), a.CheckedAt.Format(time.RFC3339))
		}
		return table.Flush()
	})
}
