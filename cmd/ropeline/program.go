package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
)

type programCommand struct {
	atCatalogue
	File string `arg:"" help:"The program: a sale, its event, performances, venues and prices."`
}

// Run makes what a program describes. Nobody hears of it before it is published.
func (c *programCommand) Run(ctx context.Context, con console) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("reading a program: %w", err)
	}
	program, err := catalogue.ParseProgram(text)
	if err != nil {
		return err
	}
	return c.with(ctx, func(shows *catalogue.Store) error {
		sale, err := shows.Make(ctx, program, audit.Change{Who: audit.Command, Blind: true})
		if err != nil {
			return err
		}
		for i, id := range sale.Performances {
			fmt.Fprintf(con.out, "performance %s at %s\n", id, program.Performances[i].StartsAt.UTC().Format("2006-01-02 15:04 MST"))
		}
		fmt.Fprintf(con.out, "sale %s is made; make it known with: ropeline publish %s\n", sale.ID, sale.ID)
		return nil
	})
}
