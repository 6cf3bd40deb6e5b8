package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/booking/order"
)

// paymentList shows the booking core's payments in trouble to the staff's API.
type paymentList struct{ db *pgxpool.Pool }

func (l paymentList) Troubles(ctx context.Context) ([]admission.PaymentTrouble, error) {
	found, err := order.Troubles(ctx, l.db)
	if err != nil {
		return nil, err
	}
	list := make([]admission.PaymentTrouble, len(found))
	for i, t := range found {
		list[i] = admission.PaymentTrouble{Kind: string(t.Kind), State: string(t.State), Sale: t.Sale, Performance: t.Performance,
			Attempt: t.Attempt, Payment: t.Ref, Amount: admission.PaymentAmount(t.Amount), At: t.At, ChangedAt: t.Changed}
	}
	return list, nil
}

type opsPayments struct {
	JSON bool `name:"json" help:"A JSON document a line."`
}

func (c *opsPayments) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Payments []json.RawMessage `json:"payments"`
	}
	if err := api.call(ctx, "GET", "/payments", nil, &doc); err != nil {
		return err
	}
	if len(doc.Payments) == 0 && !c.JSON {
		_, err := fmt.Fprintln(con.out, "no payment is in trouble")
		return err
	}
	return rows(con.out, c.JSON, doc.Payments, "KIND\tSTATE\tAMOUNT\tSALE\tATTEMPT\tPAYMENT\tSINCE\tCHANGED", func(p admission.PaymentTrouble) string {
		return fmt.Sprintf("%s\t%s\t%d %s\t%s\t%s\t%s\t%s\t%s", p.Kind, p.State, p.Amount.Amount, p.Amount.Currency, p.Sale, p.Attempt, p.Payment,
			p.At.Format(time.RFC3339), p.ChangedAt.Format(time.RFC3339))
	})
}
