package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/venue"
	"github.com/ropeline/ropeline/internal/dial"
)

type venueCommand struct {
	Check  venueCheck  `cmd:"" help:"Say what a seat map has, or what is wrong with it. It needs no server."`
	Import venueImport `cmd:"" help:"Keep a seat map: as a new venue, or as the next version of one that there is."`
	Export venueExport `cmd:"" help:"Print a venue's seat map, as it can be imported."`
	List   venueList   `cmd:"" help:"List the venues."`
}

// mapFile is a seat map in a file or on standard input.
type mapFile struct {
	File string `arg:"" optional:"" help:"The seat map; standard input if not given."`
}

// read prints what is wrong with a map, a fault a line.
func (f mapFile) read(out io.Writer) (venue.Map, error) {
	in := io.Reader(os.Stdin)
	if f.File != "" {
		file, err := os.Open(f.File)
		if err != nil {
			return venue.Map{}, fmt.Errorf("reading a seat map: %w", err)
		}
		defer file.Close()
		in = file
	}
	m, err := venue.Read(in)
	if faults, ok := errors.AsType[venue.Faults](err); ok {
		for _, fault := range faults {
			fmt.Fprintln(out, "error ", fault.Detail)
		}
		return venue.Map{}, errReported
	}
	return m, err
}

type venueCheck struct{ mapFile }

func (c *venueCheck) Run(con console) error {
	m, err := c.read(con.out)
	if err != nil {
		return err
	}
	fmt.Fprintln(con.out, contents(m))
	for _, t := range m.Layout().Tiers {
		what := "seats"
		if t.General {
			what = "places without a seat"
		}
		fmt.Fprintf(con.out, "  %s (category %s): %d %s, units %d to %d\n", t.Name, t.Category, t.Count, what, t.First, t.First+t.Count-1)
	}
	return nil
}

// contents is what a map has, in a line.
func contents(m venue.Map) string {
	rows, seats := 0, 0
	for _, s := range m.Sections {
		rows += len(s.Rows)
		for _, r := range s.Rows {
			seats += len(r.Seats)
		}
	}
	return fmt.Sprintf("%s: %d sections, %d rows, %d seats, %d areas, %d units", m.Name, len(m.Sections), rows, seats, len(m.Areas), m.Layout().Units)
}

// atCatalogue is a command on what the database has to sell.
type atCatalogue struct {
	Postgres string `required:"" placeholder:"DSN" help:"The database."`
}

func (c atCatalogue) with(ctx context.Context, do func(*catalogue.Store) error) error {
	db, err := dial.Postgres(ctx, c.Postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(catalogue.New(db, time.Now))
}

type venueImport struct {
	atCatalogue
	Venue string `placeholder:"UUID" help:"The venue whose map it is; a new one if not given."`
	mapFile
}

func (c *venueImport) Run(ctx context.Context, con console) error {
	m, err := c.read(con.out)
	if err != nil {
		return err
	}
	return c.with(ctx, func(shows *catalogue.Store) error {
		v, err := shows.KeepVenue(ctx, c.Venue, m, audit.Change{Who: audit.Command, Blind: true})
		if err != nil {
			return err
		}
		state := "as before"
		if v.Fresh {
			state = "new"
		}
		fmt.Fprintf(con.out, "venue %s, version %d (%s): %s\n", v.ID, v.Version, state, contents(m))
		return nil
	})
}

type venueExport struct {
	atCatalogue
	Version int    `placeholder:"N" help:"Version of the map; the newest if not given."`
	Venue   string `arg:"" help:"The venue."`
}

func (c *venueExport) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		v, err := shows.Venue(ctx, c.Venue, c.Version)
		if err != nil {
			return err
		}
		text, err := v.Map.Text()
		if err != nil {
			return err
		}
		_, err = con.out.Write(text)
		return err
	})
}

type venueList struct{ atCatalogue }

func (c *venueList) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		page := booking.Page{Limit: booking.PageMost}
		for {
			venues, next, err := shows.Venues(ctx, page)
			if err != nil {
				return err
			}
			for _, v := range venues {
				fmt.Fprintf(con.out, "%s  %s: version %d of its map, %d performances\n", v.ID, v.Name, v.Version, v.Shows)
			}
			if page.Cursor = next; next == "" {
				return nil
			}
		}
	})
}
