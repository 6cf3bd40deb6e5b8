package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/admission"
	bookingapi "github.com/ropeline/ropeline/booking/api"
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
	List     opsTroubles `cmd:"" default:"withargs" help:"Show payments that did not come together with their tickets (the default)."`
	Disputes opsDisputes `cmd:"" help:"Show orders whose buyers' banks want the money back."`
	Release  opsRelease  `cmd:"" help:"Put the places of a dispute that was lost on sale again."`
}

type opsTroubles struct {
	JSON bool `name:"json" help:"A JSON document a line."`
}

func (c *opsTroubles) Run(ctx context.Context, con console, api *opsClient) error {
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

type opsDisputes struct {
	JSON bool `name:"json" help:"A JSON document a line."`
}

func (c *opsDisputes) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Disputes []json.RawMessage `json:"disputes"`
	}
	if err := api.organizer(ctx, "GET", "/disputes", nil, &doc); err != nil {
		return err
	}
	if len(doc.Disputes) == 0 && !c.JSON {
		_, err := fmt.Fprintln(con.out, "no order is in dispute")
		return err
	}
	return rows(con.out, c.JSON, doc.Disputes, "DISPUTE\tSTATE\tAMOUNT\tREASON\tSALE\tORDER\tAT THE PROVIDER\tANSWER BY\tVOID TICKETS", func(d bookingapi.Dispute) string {
		due := "-"
		if d.EvidenceDue != nil {
			due = d.EvidenceDue.Format(time.RFC3339)
		}
		return fmt.Sprintf("%s\t%s\t%d %s\t%s\t%s\t%s\t%s\t%s\t%d", d.ID, d.State, d.Amount.Amount, d.Amount.Currency, d.Reason, d.Sale, d.Order, d.Ref, due, d.Void)
	})
}

type opsRelease struct {
	Dispute string `arg:"" help:"Its id, as ropeline ops payments disputes shows it."`
	Reason  string `required:"" help:"Why; no personal data."`
}

func (c *opsRelease) Run(ctx context.Context, con console, api *opsClient) error {
	var d bookingapi.Dispute
	if err := api.organizer(ctx, "POST", "/disputes/"+url.PathEscape(c.Dispute)+"/release", bookingapi.ReleaseRequest{Reason: c.Reason}, &d); err != nil {
		return err
	}
	_, err := fmt.Fprintf(con.out, "the places of order %s are for sale again\n", d.Order)
	return err
}
