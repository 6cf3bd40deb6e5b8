package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
)

type reserveCommand struct {
	Add     reserveAdd     `cmd:"" help:"Take units of a performance off sale: blocked, for guests, for the production, or to be released later."`
	Release reserveRelease `cmd:"" help:"Put a reserve on sale, at once or at a time."`
	List    reserveList    `cmd:"" help:"List the reserves of a performance that are not released."`
}

// ofPerformance is a command on one performance.
type ofPerformance struct {
	atCatalogue
	Performance ropeline.PerformanceID `required:"" placeholder:"UUID" help:"The performance."`
}

type reserveAdd struct {
	ofPerformance
	Kind   string    `required:"" enum:"blocked,guests,production,batch,boxoffice" help:"What it is for: blocked, guests, production, batch or boxoffice. The counter sells what is for guests, the production or the box office."`
	Seats  []string  `placeholder:"NAME" sep:"none" help:"A section, a row (Stalls-A) or a seat (Stalls-A-1); may be given several times."`
	Area   string    `placeholder:"NAME" help:"An area, of which the last places are taken."`
	Places int       `placeholder:"N" help:"How many of the area."`
	At     time.Time `placeholder:"TIME" help:"When it is released, as 2026-11-26T10:00:00Z; not by itself if not given."`
	Name   string    `arg:"" help:"What it is called."`
}

func (c *reserveAdd) Run(ctx context.Context, con console) error {
	plan := catalogue.ReservePlan{Name: c.Name, Kind: c.Kind, Seats: c.Seats, Area: c.Area, Places: c.Places}
	if !c.At.IsZero() {
		plan.ReleaseAt = &c.At
	}
	return c.with(ctx, func(shows *catalogue.Store) error {
		r, err := shows.Reserve(ctx, c.Performance, plan, audit.Change{Who: audit.Command, Blind: true})
		if err != nil {
			return err
		}
		fmt.Fprintln(con.out, reserveLine(r))
		return nil
	})
}

// reserveLine is a reserve in a line.
func reserveLine(r catalogue.Reserve) string {
	until := "until it is released"
	if r.ReleaseAt != nil {
		until = "until " + r.ReleaseAt.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s (%s): %d units, %s", r.Name, r.Kind, r.Units(), until)
}

type reserveRelease struct {
	ofPerformance
	At   time.Time `placeholder:"TIME" help:"When; at once if not given, or if it is over."`
	Name string    `arg:"" help:"The reserve."`
}

func (c *reserveRelease) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		if _, err := shows.Release(ctx, c.Performance, c.Name, c.At, audit.Change{Who: audit.Command, Blind: true}); err != nil {
			return err
		}
		when := "is on sale within a second"
		if c.At.After(time.Now()) {
			when = "will be on sale at " + c.At.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(con.out, "%s %s\n", c.Name, when)
		return nil
	})
}

type reserveList struct{ ofPerformance }

func (c *reserveList) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		list, err := shows.Reserves(ctx, c.Performance)
		if err != nil {
			return err
		}
		for _, r := range list {
			fmt.Fprintln(con.out, reserveLine(r))
		}
		return nil
	})
}
