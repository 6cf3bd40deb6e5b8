package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

type opsMessage struct {
	Sale    string            `arg:"" help:"Which sale."`
	Text    map[string]string `placeholder:"LANG=TEXT" mapsep:"none" help:"What everybody who waits is told, in a language (BCP 47). Repeat it for each. Without any, what they are told is shown."`
	Default string            `placeholder:"LANG" help:"The language of whoever reads none of them; needed where there are several."`
	For     time.Duration     `placeholder:"SPAN" help:"For so long; else until it is replaced."`
	Clear   bool              `help:"Take the message away."`
	Reason  string            `help:"Why; it goes into the audit, and into the public ledger. A change needs one."`
}

// said is the message as the staff's API has it.
type said struct {
	Number  int64             `json:"number"`
	Texts   map[string]string `json:"texts"`
	Default string            `json:"default"`
	Until   *time.Time        `json:"until,omitempty"`
}

func (c *opsMessage) Run(ctx context.Context, con console, api *opsClient) error {
	path := salePath(c.Sale) + "/message"
	var now said
	if err := api.call(ctx, "GET", path, nil, &now); err != nil {
		return err
	}
	if len(c.Text) > 0 || c.Clear {
		body, err := c.change(now)
		if err != nil {
			return err
		}
		if err := api.call(ctx, "POST", path, body, &now); err != nil {
			return err
		}
	}
	if now.Number == 0 {
		fmt.Fprintln(con.out, "no message")
		return nil
	}
	if now.Until != nil {
		fmt.Fprintf(con.out, "until %s\n", now.Until.Format(time.RFC3339))
	}
	for _, lang := range slices.Sorted(maps.Keys(now.Texts)) {
		fmt.Fprintf(con.out, "%s: %s\n", lang, now.Texts[lang])
	}
	return nil
}

// change is what is asked for, of whoever still sees this message.
func (c *opsMessage) change(now said) (map[string]any, error) {
	if c.Clear && len(c.Text) > 0 {
		return nil, errors.New("give --text or --clear, not both")
	}
	body := map[string]any{"texts": map[string]string{}, "expect": now.Number, "reason": c.Reason}
	if c.Clear {
		return body, nil
	}
	only := ""
	if len(c.Text) == 1 {
		for only = range c.Text {
		}
	}
	body["texts"], body["default"] = c.Text, cmp.Or(c.Default, only)
	if c.For != 0 {
		body["until"] = time.Now().Add(c.For).UTC().Truncate(time.Second)
	}
	return body, nil
}
