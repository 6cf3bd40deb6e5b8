package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	plans "github.com/ropeline/ropeline/booking/plan" // plan is a word of the tests here
	"github.com/ropeline/ropeline/booking/tariff"
)

type planCommand struct {
	Check   planCheck   `cmd:"" help:"Say what is wrong with a plan. It needs no server."`
	Put     planPut     `cmd:"" help:"Make a plan from a file, or its next version."`
	List    planList    `cmd:"" help:"List the plans."`
	Choose  planChoose  `cmd:"" help:"Choose a plan for an account: at once if it takes nothing away, else for when the present period ends."`
	Show    planShow    `cmd:"" help:"Say what plan an account has, until when, and what it uses of it."`
	Periods planPeriods `cmd:"" help:"List the periods that an account began, and what they cost."`
}

// planFile is a plan in a file.
type planFile struct {
	File string `arg:"" help:"The plan."`
}

func (f planFile) read() (plans.Plan, error) {
	text, err := os.ReadFile(f.File)
	if err != nil {
		return plans.Plan{}, fmt.Errorf("reading a plan: %w", err)
	}
	return plans.Parse(text)
}

type planCheck struct{ planFile }

func (c *planCheck) Run(con console) error {
	p, err := c.read()
	if err == nil {
		_, err = fmt.Fprintf(con.out, "%s: %s\n", p.ID, planLine(p))
	}
	return err
}

type planPut struct {
	atCatalogue
	planFile
}

func (c *planPut) Run(ctx context.Context, con console) error {
	p, err := c.read()
	if err != nil {
		return err
	}
	return c.with(ctx, func(shows *catalogue.Store) error {
		k, err := shows.PutPlan(ctx, p, audit.Change{Who: audit.Command, Blind: true})
		if err != nil {
			return err
		}
		state := "as before"
		if k.Fresh {
			state = "new"
		}
		_, err = fmt.Fprintf(con.out, "%s is kept, version %d (%s): %s\n", k.ID, k.Version.Version, state, planLine(k.Plan))
		return err
	})
}

// planLine is a plan in a line.
func planLine(p plans.Plan) string {
	e := p.Entitlements
	text := fmt.Sprintf("%s, %s a %s", p.Name, priced(p.Price), p.Period)
	for _, c := range []struct {
		name string
		most *int
	}{{"rooms", e.Rooms}, {"lanes", e.Lanes}, {"API keys", e.APIKeys}} {
		if c.most != nil {
			text += fmt.Sprintf(", %s: %d", c.name, *c.most)
		}
	}
	for _, s := range []struct {
		name string
		has  *bool
	}{{"automatic mode", e.Automatic}, {"own look", e.OwnLook}, {"exports", e.Exports}} {
		if s.has != nil && !*s.has {
			text += ", no " + s.name
		}
	}
	if p.Closed {
		text += ", closed"
	}
	return text
}

func priced(m booking.Money) string {
	if m.Amount == 0 {
		return "nothing"
	}
	return tariff.Decimal(m.Amount, m.Currency) + " " + m.Currency
}

type planList struct{ atCatalogue }

func (c *planList) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		return tabled(con.out, "PLAN\tVERSION\tSINCE\tIS\n", func(w io.Writer, cursor string) (string, error) {
			list, next, err := shows.Plans(ctx, booking.Page{Cursor: cursor})
			for _, l := range list {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", l.Plan.ID, l.Version, l.Since.Format(time.RFC3339), planLine(l.Plan))
			}
			return next, err
		})
	})
}

// tabled prints all pages of a list.
func tabled(out io.Writer, head string, page func(w io.Writer, cursor string) (next string, err error)) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, head)
	for cursor, more := "", true; more; more = cursor != "" {
		var err error
		if cursor, err = page(table, cursor); err != nil {
			return err
		}
	}
	return table.Flush()
}

type planChoose struct {
	atCatalogue
	Account string `arg:"" help:"The name of the account."`
	Plan    string `arg:"" help:"The plan; free: nothing follows the present period."`
}

func (c *planChoose) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		st, err := shows.ChoosePlan(ctx, c.Account, c.Plan, audit.Change{Who: audit.Command})
		if err != nil {
			return err
		}
		return stands(con.out, st)
	})
}

type planShow struct {
	atCatalogue
	Account string `arg:"" help:"The name of the account."`
}

func (c *planShow) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		st, err := shows.PlanOf(ctx, c.Account)
		if err != nil {
			return err
		}
		return stands(con.out, st)
	})
}

// stands says what plan an account has, and what it uses of it.
func stands(out io.Writer, st catalogue.AccountPlan) error {
	fmt.Fprintf(out, "%s has %s, version %d: %s\n", st.Account, st.Plan.ID, st.Version, planLine(st.Plan))
	if st.EndsAt != nil {
		next := "then " + st.Next
		if st.Next == plans.Free {
			next = "then it is over, and what is open stays open"
		}
		fmt.Fprintf(out, "until %s, %s\n", st.EndsAt.Format(time.RFC3339), next)
	}
	_, err := fmt.Fprintf(out, "rooms open: %d of %s; lanes of one: %d of %s\n", st.Used.Rooms, most(st.Plan.Entitlements.Rooms), st.Used.Lanes, most(st.Plan.Entitlements.Lanes))
	return err
}

func most(n *int) string {
	if n == nil {
		return "any number"
	}
	return strconv.Itoa(*n)
}

type planPeriods struct {
	atCatalogue
	Account string `arg:"" help:"The name of the account."`
}

func (c *planPeriods) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(shows *catalogue.Store) error {
		return tabled(con.out, "BEGINS\tENDS\tPLAN\tVERSION\tCOSTS\tBY\n", func(w io.Writer, cursor string) (string, error) {
			list, next, err := shows.PlanPeriods(ctx, c.Account, booking.Page{Cursor: cursor})
			for _, p := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", p.BeginsAt.Format(time.RFC3339), p.EndsAt.Format(time.RFC3339), p.Plan, p.Version, priced(p.Price), p.Who)
			}
			return next, err
		})
	})
}
