package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"text/tabwriter"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

type opsPresets struct {
	List   opsPresetsList   `cmd:"" help:"Show them."`
	Apply  opsPresetsApply  `cmd:"" help:"Set a sale's limits as a preset has them."`
	Save   opsPresetsSave   `cmd:"" help:"Make a preset, or change one: a share of cap and rate as sales' documents have them, or limits."`
	Remove opsPresetsRemove `cmd:"" help:"Take a preset away. What was set by it stays."`
}

type preset struct {
	Name  string         `json:"name"`
	Note  string         `json:"note"`
	Share int64          `json:"share"`
	Set   queue.Settings `json:"set"`
}

func presetPath(name string) string { return "/presets/" + url.PathEscape(name) }

type opsPresetsList struct{}

func (c *opsPresetsList) Run(ctx context.Context, con console, api *opsClient) error {
	all, err := api.presets(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSHARE\tSETS\tNOTE")
	for _, p := range all {
		set, err := json.Marshal(p.Set)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%d%%\t%s\t%s\n", p.Name, p.Share, set, p.Note)
	}
	return table.Flush()
}

type opsPresetsApply struct {
	Sale string `arg:"" help:"Which sale."`
	Name string `arg:"" help:"Which preset."`
	opsWhy
}

func (c *opsPresetsApply) Run(ctx context.Context, con console, api *opsClient) error {
	live, err := api.sale(ctx, c.Sale)
	if err != nil {
		return err
	}
	return api.change(ctx, con.out, c.Sale, c.with(map[string]any{"preset": c.Name, "expect": live.seen([]string{"version"})}))
}

type opsPresetsSave struct {
	Name    string `arg:"" help:"Its name: lower-case letters, digits, dots and hyphens."`
	Note    string `help:"What it is for."`
	Percent int64  `help:"Of the cap and the rate that a sale's document has."`
	Mode    string `enum:",run,pause,drain,queue,pass,stop" default:"" help:"How to admit."`
	opsSettings
	Reason string `required:"" help:"Why; it goes into the audit."`
}

func (c *opsPresetsSave) Run(ctx context.Context, con console, api *opsClient) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	if c.Mode != "" {
		set.Mode = new(ropeline.Mode(c.Mode))
	}
	var kept preset
	body := map[string]any{"note": c.Note, "share": c.Percent, "set": set, "reason": c.Reason}
	if err := api.call(ctx, "PUT", presetPath(c.Name), body, &kept); err != nil {
		return err
	}
	text, err := json.Marshal(kept.Set)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "saved %s: share %d%%, sets %s\n", kept.Name, kept.Share, text)
	return err
}

type opsPresetsRemove struct {
	Name   string `arg:"" help:"Which preset."`
	Reason string `required:"" help:"Why; it goes into the audit."`
}

func (c *opsPresetsRemove) Run(ctx context.Context, con console, api *opsClient) error {
	if err := api.call(ctx, "POST", presetPath(c.Name)+"/remove", map[string]any{"reason": c.Reason}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.out, "removed")
	return err
}
