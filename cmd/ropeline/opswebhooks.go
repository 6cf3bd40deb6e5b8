package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/webhook"
)

type opsWebhooks struct {
	List       webhooksList       `cmd:"" help:"Show who is told, and whether they take it."`
	Add        webhooksAdd        `cmd:"" help:"Tell an address of what happens. Its secret is shown once."`
	Change     webhooksChange     `cmd:"" help:"Change what is sent, or where to."`
	On         webhooksSwitch     `cmd:"" help:"Switch an endpoint on; what it missed: redeliver."`
	Off        webhooksSwitch     `cmd:"" help:"Send nothing for now."`
	Rotate     webhooksRotate     `cmd:"" help:"Make a new secret; the old one is used beside it for a while."`
	Test       webhooksTest       `cmd:"" help:"Send an event that says nothing."`
	Deliveries webhooksDeliveries `cmd:"" help:"Show what was sent, the newest first."`
	Redeliver  webhooksRedeliver  `cmd:"" help:"Send an event again, or all that failed or was missed since a time."`
	Remove     webhooksRemove     `cmd:"" help:"Forget an endpoint, and what was still to be sent."`
}

const webhooksPath = "/webhooks"

// atEndpoint is a command on one endpoint.
type atEndpoint struct {
	ID string `arg:"" help:"The endpoint's id, as list shows it."`
}

func (e atEndpoint) path() string { return webhooksPath + "/" + url.PathEscape(e.ID) }

func (e atEndpoint) read(ctx context.Context, api *opsClient) (found webhook.Endpoint, err error) {
	return found, api.organizer(ctx, "GET", e.path(), nil, &found)
}

const endpointHead = "ID\tSTATE\tDUE\tFAILING SINCE\tURL\tKINDS\tDESCRIPTION"

func endpointRow(e webhook.Endpoint) string {
	since := "-"
	if e.FailingSince != nil {
		since = e.FailingSince.Format(time.RFC3339)
	}
	return fmt.Sprintf("%s\t%s\t%d\t%s\t%s\t%s\t%s", e.ID, e.State, e.Due, since, e.URL, strings.Join(e.Kinds, ","), e.Description)
}

type webhooksList struct {
	JSON bool `name:"json" help:"A JSON document a line."`
}

func (c *webhooksList) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Webhooks []json.RawMessage `json:"webhooks"`
	}
	if err := api.organizer(ctx, "GET", webhooksPath, nil, &doc); err != nil {
		return err
	}
	if len(doc.Webhooks) == 0 && !c.JSON {
		_, err := fmt.Fprintln(con.out, "nobody is told of anything")
		return err
	}
	return rows(con.out, c.JSON, doc.Webhooks, endpointHead, endpointRow)
}

type webhooksAdd struct {
	URL         string   `arg:"" help:"Where to: an https address."`
	Kind        []string `required:"" placeholder:"KIND" help:"What is sent, as order.paid; repeat it, or separate several by commas."`
	Description string   `help:"For the staff."`
}

func (c *webhooksAdd) Run(ctx context.Context, con console, client *opsClient) error {
	var made api.NewEndpoint
	plan := webhook.Plan{URL: c.URL, Kinds: c.Kind, Description: c.Description}
	if err := client.send(ctx, "POST", "/api/v1/organizer"+webhooksPath, uuid.NewString(), plan, &made); err != nil {
		return err
	}
	return newSecret(con.out, made)
}

func newSecret(out io.Writer, made api.NewEndpoint) error {
	_, err := fmt.Fprintf(out, "endpoint %s\nsecret   %s\nThe secret is not shown again.\n", made.ID, made.Secret)
	return err
}

type webhooksChange struct {
	atEndpoint
	URL         *string  `help:"Where to: an https address."`
	Kind        []string `placeholder:"KIND" help:"What is sent; all of it."`
	Description *string  `help:"For the staff."`
}

func (c *webhooksChange) Run(ctx context.Context, con console, api *opsClient) error {
	return c.change(ctx, con.out, api, func(p *webhook.Plan) {
		if c.URL != nil {
			p.URL = *c.URL
		}
		if c.Kind != nil {
			p.Kinds = c.Kind
		}
		if c.Description != nil {
			p.Description = *c.Description
		}
	})
}

// change looks at an endpoint and replaces what is said of it.
func (e atEndpoint) change(ctx context.Context, out io.Writer, api *opsClient, how func(*webhook.Plan)) error {
	found, err := e.read(ctx, api)
	if err != nil {
		return err
	}
	plan := webhook.Plan{URL: found.URL, Kinds: found.Kinds, Description: found.Description, Off: found.State != webhook.On}
	how(&plan)
	var now webhook.Endpoint // an answer leaves out what is empty
	if err := api.organizer(ctx, "PUT", e.path(), plan, &now); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, strings.ReplaceAll(endpointRow(now), "\t", "  "))
	return err
}

type webhooksSwitch struct{ atEndpoint }

func (c *webhooksSwitch) Run(ctx context.Context, con console, api *opsClient, called modeCalled) error {
	return c.change(ctx, con.out, api, func(p *webhook.Plan) { p.Off = called == "off" })
}

type webhooksRotate struct {
	atEndpoint
	Keep time.Duration `default:"24h" help:"How long the old secret is used as well; a week at most."`
}

func (c *webhooksRotate) Run(ctx context.Context, con console, client *opsClient) error {
	found, err := c.read(ctx, client)
	if err != nil {
		return err
	}
	var made api.NewEndpoint
	err = client.organizer(ctx, "POST", c.path()+"/rotate", api.RotateRequest{Generation: found.Generation, Keep: int(c.Keep.Seconds())}, &made)
	if err != nil {
		return err
	}
	return newSecret(con.out, made)
}

type webhooksTest struct{ atEndpoint }

func (c *webhooksTest) Run(ctx context.Context, con console, api *opsClient) error {
	var sent struct {
		Event string `json:"event"`
	}
	if err := api.organizer(ctx, "POST", c.path()+"/test", struct{}{}, &sent); err != nil {
		return err
	}
	_, err := fmt.Fprintf(con.out, "event %s is sent within a second or two; deliveries shows what came of it\n", sent.Event)
	return err
}

type webhooksDeliveries struct {
	atEndpoint
	State  string `enum:",due,delivered,failed" default:"" help:"Only these: due, delivered or failed."`
	Before int64  `help:"Go on before this number."`
	JSON   bool   `name:"json" help:"A JSON document a line."`
}

func (c *webhooksDeliveries) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Deliveries []json.RawMessage `json:"deliveries"`
	}
	query := url.Values{}
	if c.State != "" {
		query.Set("state", c.State)
	}
	if c.Before > 0 {
		query.Set("before", fmt.Sprint(c.Before))
	}
	if err := api.organizer(ctx, "GET", c.path()+"/deliveries?"+query.Encode(), nil, &doc); err != nil {
		return err
	}
	return rows(con.out, c.JSON, doc.Deliveries, "NUMBER\tEVENT\tKIND\tSTATE\tTRIES\tSTATUS\tPROBLEM\tHAPPENED", func(d webhook.Delivery) string {
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s", d.Number, d.Event, d.Kind, d.State, d.Tries, d.Status, d.Problem, d.At.Format(time.RFC3339))
	})
}

type webhooksRedeliver struct {
	atEndpoint
	Event string    `arg:"" optional:"" help:"The event's id."`
	Since time.Time `placeholder:"TIME" help:"All that failed, or happened while it was switched off, since then, as 2026-11-26T10:00:00Z."`
}

func (c *webhooksRedeliver) Run(ctx context.Context, con console, client *opsClient) error {
	if (c.Event == "") == c.Since.IsZero() {
		return fmt.Errorf("give an event, or --since")
	}
	n := struct {
		Due int `json:"due"`
	}{1}
	var err error
	if c.Event != "" {
		err = client.organizer(ctx, "POST", c.path()+"/deliveries/"+url.PathEscape(c.Event)+"/redeliver", struct{}{}, nil)
	} else {
		err = client.organizer(ctx, "POST", c.path()+"/redeliver", api.RedeliverRequest{Since: c.Since}, &n)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "%d to be sent\n", n.Due)
	return err
}

type webhooksRemove struct{ atEndpoint }

func (c *webhooksRemove) Run(ctx context.Context, con console, api *opsClient) error {
	if err := api.organizer(ctx, "DELETE", c.path(), nil, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.out, "forgotten")
	return err
}
