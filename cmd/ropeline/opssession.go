package main

import (
	"context"
	"fmt"
	"net/url"
)

type opsRevoke struct {
	Sale    string `arg:"" help:"Which sale."`
	Session string `arg:"" help:"The session's id, sid in its token."`
	Reason  string `required:"" help:"Why; it goes into the audit."`
	Force   bool   `help:"Though it holds places, which go back on sale, or pays, which goes on."`
}

func (c *opsRevoke) Run(ctx context.Context, con console, api *opsClient) error {
	var came struct{ Acknowledged bool }
	path := salePath(c.Sale) + "/sessions/" + url.PathEscape(c.Session) + "/revoke"
	if err := api.call(ctx, "POST", path, map[string]any{"reason": c.Reason, "force": c.Force}, &came); err != nil {
		return err
	}
	word := "over; its slot is free when its last token has expired, or its payment is over"
	if came.Acknowledged {
		word = "over, and its slot is free"
	}
	_, err := fmt.Fprintf(con.out, "session %s is %s\n", c.Session, word)
	return err
}

type opsReentry struct {
	Sale    string `arg:"" help:"Which sale."`
	Session string `arg:"" help:"The id of the session that the shop failed, over or not."`
	Reason  string `required:"" help:"Why; it goes into the audit."`
}

func (c *opsReentry) Run(ctx context.Context, con console, api *opsClient) error {
	path := salePath(c.Sale) + "/sessions/" + url.PathEscape(c.Session) + "/reentry"
	if err := api.call(ctx, "POST", path, map[string]any{"reason": c.Reason}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(con.out, "the fan of session %s may come in again, once\n", c.Session)
	return err
}
