package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/internal/dial"
)

type checkLedger struct {
	Postgres    string `required:"" placeholder:"DSN" help:"The database."`
	JSON        bool   `help:"Print JSON."`
	Performance string `placeholder:"UUID" help:"Look at this performance only."`
}

// audited is what was found in the ledger of a performance.
type audited struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Orders      int                    `json:"orders"`
	Imbalances  []order.Imbalance      `json:"imbalances"`
}

func (c *checkLedger) Run(ctx context.Context, con console) error {
	db, err := dial.Postgres(ctx, c.Postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	shows := catalogue.New(db, time.Now)
	ids, err := shows.Performances(ctx)
	if err != nil {
		return err
	}
	store, ok, audits := order.NewStore(db, shows), true, []audited{}
	for _, id := range ids {
		if c.Performance != "" && c.Performance != string(id) {
			continue
		}
		bad, orders, err := store.Audit(ctx, id)
		if err != nil {
			return err
		}
		ok = ok && len(bad) == 0
		audits = append(audits, audited{id, orders, append([]order.Imbalance{}, bad...)})
	}
	if c.Performance != "" && len(audits) == 0 {
		return fmt.Errorf("no sale sells a performance %s", c.Performance)
	}
	if err := c.print(con, ok, audits); err != nil || ok {
		return err
	}
	return errReported
}

func (c *checkLedger) print(con console, ok bool, audits []audited) error {
	if c.JSON {
		enc := json.NewEncoder(con.out)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			OK           bool      `json:"ok"`
			Performances []audited `json:"performances"`
		}{ok, audits})
	}
	for _, a := range audits {
		state := "ok   "
		if len(a.Imbalances) > 0 {
			state = "error"
		}
		fmt.Fprintf(con.out, "%s  %s: %d orders\n", state, a.Performance, a.Orders)
		for _, i := range a.Imbalances {
			fmt.Fprintf(con.out, "       %s\n", i)
		}
	}
	return nil
}
