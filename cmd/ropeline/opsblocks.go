package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/api"
)

type opsBlocks struct {
	List opsBlocksList `cmd:"" help:"Show blocks, the newest first."`
	Show opsBlocksShow `cmd:"" help:"Show a block, who did what about it, and where its subject stands now."`
	Add  opsBlocksAdd  `cmd:"" help:"Block a place or an address."`
	Lift opsBlocksLift `cmd:"" help:"End a block, and forget what led to it."`
}

const blocksPath = "/blocks" // of the organizer

type opsBlocksList struct {
	State   string `enum:",active,lifted,over" default:"active" help:"Only those: active, lifted or over; empty for all."`
	Place   string `help:"Only those of this place."`
	Address string `help:"Only those of this address."`
	Cursor  string `help:"Go on behind this page."`
	Limit   int    `default:"50" help:"How many; 200 at most."`
	JSON    bool   `name:"json" help:"A JSON document a line."`
}

func (c *opsBlocksList) Run(ctx context.Context, con console, client *opsClient) error {
	ask := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{"state": c.State, "place": c.Place, "address": c.Address, "cursor": c.Cursor} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	var page struct {
		Blocks []json.RawMessage `json:"blocks"`
		Next   string            `json:"next"`
	}
	if err := client.organizer(ctx, "GET", blocksPath+"?"+ask.Encode(), nil, &page); err != nil {
		return err
	}
	if len(page.Blocks) == 0 && !c.JSON {
		_, err := fmt.Fprintln(con.out, "there are none")
		return err
	}
	err := rows(con.out, c.JSON, page.Blocks, "SINCE\tUNTIL\tSTATE\tFOR\tWHAT\tSUBJECT\tSALE\tBY\tREASON\tID", func(b abuse.Block) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", b.Created.Format(time.RFC3339), b.Until.Format(time.RFC3339),
			b.State, b.Signal, b.Kind, b.Subject, b.Sale, b.By, b.Reason, b.ID)
	})
	if err != nil || page.Next == "" || c.JSON {
		return err
	}
	_, err = fmt.Fprintf(con.out, "older ones: --cursor %s\n", page.Next)
	return err
}

type opsBlocksShow struct {
	ID   string `arg:"" help:"Which block: the reference that its person was given."`
	JSON bool   `name:"json" help:"As JSON."`
}

func (c *opsBlocksShow) Run(ctx context.Context, con console, client *opsClient) error {
	var raw json.RawMessage
	if err := client.organizer(ctx, "GET", blocksPath+"/"+url.PathEscape(c.ID), nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(con.out, "%s\n", raw)
		return err
	}
	var b api.BlockDetail
	if err := json.Unmarshal(raw, &b); err != nil {
		return fmt.Errorf("reading a block: %w", err)
	}
	fmt.Fprintf(con.out, "%s %s %s for %s, until %s: %s\n", b.State, b.Kind, b.Subject, b.Signal, b.Until.Format(time.RFC3339), b.Reason)
	for _, s := range b.Standings {
		fmt.Fprintf(con.out, "%s: %.1f points, %d waits, %d s to wait\n", s.Signal, s.Score, s.Waits, s.Left)
	}
	table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	for _, e := range b.History {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.At.Format(time.RFC3339), e.Entry, e.Who, e.Reason)
	}
	return table.Flush()
}

type opsBlocksAdd struct {
	Place   string        `xor:"whom" required:"" help:"A place of the line."`
	Address string        `xor:"whom" required:"" help:"An IPv4 address, or one of an IPv6 network of /64. Others may share it."`
	For     time.Duration `default:"1h" help:"How long; a minute to 366 days."`
	Reason  string        `required:"" help:"Why; it goes into the audit. No personal data."`
}

func (c *opsBlocksAdd) Run(ctx context.Context, con console, client *opsClient) error {
	var b abuse.Block
	body := map[string]any{"for": int64(c.For.Seconds()), "reason": c.Reason}
	if c.Place != "" {
		body["place"] = c.Place
	} else {
		body["address"] = c.Address
	}
	if err := client.send(ctx, "POST", "/api/v1/organizer"+blocksPath, uuid.NewString(), body, &b); err != nil {
		return err
	}
	_, err := fmt.Fprintf(con.out, "blocked until %s\nid %s\n", b.Until.Format(time.RFC3339), b.ID)
	return err
}

type opsBlocksLift struct {
	ID     string `arg:"" help:"Which block."`
	Reason string `required:"" help:"Why; it goes into the audit. No personal data."`
	Erase  bool   `help:"Forget whom it was for as well."`
}

func (c *opsBlocksLift) Run(ctx context.Context, con console, client *opsClient) error {
	var b abuse.Block
	if err := client.organizer(ctx, "POST", blocksPath+"/"+url.PathEscape(c.ID)+"/lift", map[string]any{"reason": c.Reason, "erase": c.Erase}, &b); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.out, b.State)
	return err
}
