package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ropeline/ropeline/admission"
)

type opsTermsShow struct {
	Sale string `arg:"" help:"Which sale."`
}

func (c *opsTermsShow) Run(ctx context.Context, con console, api *opsClient) error {
	state, err := api.terms(ctx, c.Sale)
	if err != nil {
		return err
	}
	if state.Version == 0 {
		_, err := fmt.Fprintln(con.out, "no version is published")
		return err
	}
	printTerms(con.out, state)
	for _, change := range state.Pending {
		fmt.Fprintf(con.out, "  not published yet: %s\n", change)
	}
	return nil
}

type opsTermsPublish struct {
	Sale   string `arg:"" help:"Which sale."`
	Reason string `required:"" help:"Why the terms have changed, as fans read it; it goes into the audit and the public ledger."`
}

func (c *opsTermsPublish) Run(ctx context.Context, con console, api *opsClient) error {
	state, err := api.terms(ctx, c.Sale)
	if err != nil {
		return err
	}
	body := map[string]any{"expect": state.Version, "reason": c.Reason}
	if err := api.call(ctx, "POST", salePath(c.Sale)+"/terms", body, &state); err != nil {
		return err
	}
	if !state.Fresh {
		fmt.Fprintln(con.out, "nothing has changed")
	}
	printTerms(con.out, state)
	return nil
}

func (c *opsClient) terms(ctx context.Context, sale string) (state admission.TermsState, err error) {
	return state, c.call(ctx, "GET", salePath(sale)+"/terms", nil, &state)
}

func printTerms(out io.Writer, state admission.TermsState) {
	fmt.Fprintf(out, "version %d of %s, hash %s\n", state.Version, state.At.Format(time.RFC3339), state.Hash)
	if state.Reason != "" {
		fmt.Fprintf(out, "changed because: %s\n", state.Reason)
	}
	for _, change := range state.Changes {
		fmt.Fprintf(out, "  %s\n", change)
	}
}
