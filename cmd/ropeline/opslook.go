package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ropeline/ropeline/queue"
)

type opsEdges struct {
	JSON bool `name:"json" help:"A JSON document a line."`
}

func (c *opsEdges) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Edges []json.RawMessage `json:"edges"`
	}
	if err := api.call(ctx, "GET", "/edges", nil, &doc); err != nil {
		return err
	}
	return rows(con.out, c.JSON, doc.Edges, "HOST\tEDGE\tSAID\tSTARTED\tSOCKETS\tAT MOST\tROOMS\tAWAY\tSHEDDING", func(e struct {
		queue.Report
		AgeMS int64 `json:"age_ms"`
	}) string {
		return fmt.Sprintf("%s\t%s\t%v ago\t%s\t%d\t%d\t%d\t%d\t%t", e.Host, e.Edge, time.Duration(e.AgeMS)*time.Millisecond,
			e.StartedAt.Format(time.RFC3339), e.Sockets, e.SocketsMost, e.Rooms, e.Away, e.Shedding)
	})
}

type opsHistory struct {
	Sale  string `arg:"" help:"Which sale."`
	After int64  `placeholder:"SECOND" help:"Only what is newer than this Unix second."`
	JSON  bool   `name:"json" help:"A JSON document a line."`
}

func (c *opsHistory) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Samples []json.RawMessage `json:"samples"`
	}
	if err := api.call(ctx, "GET", fmt.Sprintf("%s/history?after=%d", salePath(c.Sale), c.After), nil, &doc); err != nil {
		return err
	}
	return rows(con.out, c.JSON, doc.Samples, "AT\tWAITING\tOFFERED\tACTIVE\tCAP\tRATE\tOFFERS\tMISSED\tCLAIMED\tWAIT\tFREE\tHELD\tP95", func(s queue.Sample) string {
		return fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d/min\t%d\t%d\t%d\t%s\t%s\t%s\t%s", time.Unix(s.At, 0).UTC().Format(time.RFC3339),
			s.Waiting, s.Offered, s.Active, s.Cap, s.Rate, s.Offers, s.Missed, s.Claimed, known(s.Wait, "s"), known(s.Free, ""), known(s.Held, ""), known(s.Core.P95, "ms"))
	})
}

// known is a number and its unit, or that it is not known: -1.
func known(n int64, unit string) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n, unit)
}

// rows prints documents as a table, or as they are.
func rows[T any](out io.Writer, asJSON bool, docs []json.RawMessage, head string, row func(T) string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, head)
	}
	for _, doc := range docs {
		if asJSON {
			fmt.Fprintf(out, "%s\n", doc)
			continue
		}
		var t T
		if err := json.Unmarshal(doc, &t); err != nil {
			return fmt.Errorf("reading the edge's answer: %w", err)
		}
		fmt.Fprintln(table, row(t))
	}
	return table.Flush()
}

type opsBeacon struct {
	Sale   string `arg:"" help:"Which sale."`
	Value  string `arg:"" help:"The value: 64 hexadecimal digits."`
	Reason string `required:"" help:"Why; it goes into the audit."`
}

func (c *opsBeacon) Run(ctx context.Context, con console, api *opsClient) error {
	if err := api.call(ctx, "POST", salePath(c.Sale)+"/beacon", map[string]any{"value": c.Value, "reason": c.Reason}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.out, "entered; the draw goes on")
	return err
}
