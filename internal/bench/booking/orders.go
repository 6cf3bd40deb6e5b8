package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ropeline/ropeline/internal/bench"
)

// work is what both ways do.
type work struct {
	entries int    // of the ledger for each sale
	state   string // of its attempt at the end

	before, do func(context.Context, sale) error // before is not measured
	prepare    string                            // neither is this
	script     string                            // what pgbench does for do
}

// crowd is how many sell at once: ours, and those numbers of pgbench's clients of
// which the best counts.
type crowd struct {
	callers int
	clients []int
}

var (
	many = crowd{256, []int{4, 8, 16, 32}}
	lone = crowd{1, []int{1}}
)

// way is one way to sell: what it did in each run.
type way struct {
	rates []float64 // a second
	cpu   []float64 // µs of Postgres's processor time for each sale
}

func (w *way) add(n int, took, cpu time.Duration) {
	w.rates = append(w.rates, float64(n)/took.Seconds())
	w.cpu = append(w.cpu, float64(cpu.Microseconds())/float64(n))
}

// times are how many ms each sale took, one after the other.
func (w *way) times() []float64 {
	ms := make([]float64, len(w.rates))
	for i, rate := range w.rates {
		ms[i] = 1000 / rate
	}
	return ms
}

// orderRows measures the one write that makes a sale, beside the same rows in a
// transaction for each sale. The attempts are there before, on both sides.
func orderRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	d, err := newDesk(ctx, endless, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, d)
	ours, theirs, err := d.compare(ctx, p.Runs, p.Of(16_000), many, work{entries: 2, state: "recorded",
		before: d.start, do: d.record, prepare: startSQL, script: recordSQL}, out)
	if err != nil {
		return nil, err
	}
	confirmed := bench.Compare("confirmed orders (order, 2 tickets, buyer, 2 entries of the ledger, attempt to capture), 256 callers", "orders/s", ours.rates,
		"pgbench, the same rows in one transaction each, best of 4 to 32 clients", theirs.rates).RatioAtLeast(4)
	return append([]bench.Row{confirmed}, cpuRow("an order", ours, theirs)...), nil
}

// purchaseRows measures all that a purchase writes on its way, for many who buy
// at once and for one alone, whom nobody should make wait for others.
func purchaseRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	d, err := newDesk(ctx, endless, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, d)
	whole := work{entries: 3, state: "done", do: d.purchase, script: startSQL + recordSQL + paidSQL + doneSQL}
	ours, theirs, err := d.compare(ctx, p.Runs, p.Of(16_000), many, whole, out)
	if err != nil {
		return nil, err
	}
	one, other, err := d.compare(ctx, p.Runs, p.Of(1_000), lone, whole, out)
	if err != nil {
		return nil, err
	}
	purchases := bench.Compare("whole purchases (started, recorded, paid, done), 256 callers", "purchases/s", ours.rates,
		"pgbench, the same in four transactions each, best of 4 to 32 clients", theirs.rates).RatioAtLeast(4)
	alone := bench.Compare("a purchase of one caller alone", "ms", one.times(), "pgbench, the same, 1 client", other.times()).Untargeted()
	rows := append([]bench.Row{purchases}, cpuRow("a purchase", ours, theirs)...)
	return append(append(rows, alone), cpuRow("a purchase", one, other)...), nil
}

// cpuRow is absent where the system does not tell.
func cpuRow(what string, ours, theirs way) []bench.Row {
	if bench.Median(theirs.cpu) == 0 {
		return nil
	}
	return []bench.Row{bench.Compare("Postgres CPU "+what+", same", "µs", ours.cpu, "same", theirs.cpu).Untargeted()}
}

// compare lets both ways sell in turns.
func (d *desk) compare(ctx context.Context, runs, orders int, c crowd, w work, out io.Writer) (ours, theirs way, err error) {
	if d.sold == 0 { // the first fill the tables: plans are made for tables that are filled
		if err := d.sell(ctx, max(orders/4, 64), c.callers, w, &way{}); err != nil {
			return ours, theirs, err
		}
	}
	for n := range runs {
		if err := d.sell(ctx, orders, c.callers, w, &ours); err != nil {
			return ours, theirs, err
		}
		if err := d.sellPlainly(ctx, max(orders/len(c.clients), 64), c.clients, w, &theirs, out); err != nil {
			return ours, theirs, err
		}
		fmt.Fprintf(out, "run %d, %d callers: %.0f/s, %.0f µs of Postgres's processor time each; pgbench %.0f/s, %.0f µs\n",
			n+1, c.callers, ours.rates[n], ours.cpu[n], theirs.rates[n], theirs.cpu[n])
	}
	return ours, theirs, nil
}

// sell sells through the package.
func (d *desk) sell(ctx context.Context, orders, callers int, w work, to *way) error {
	sales, err := d.draft(orders)
	if err != nil {
		return err
	}
	if w.before != nil {
		if _, err := each(ctx, sales, callers, w.before); err != nil {
			return err
		}
	}
	var took time.Duration
	cpu, err := d.measured(ctx, func() (err error) {
		took, err = each(ctx, sales, callers, w.do)
		return err
	})
	if err != nil {
		return err
	}
	to.add(orders, took, cpu)
	return d.count(ctx, orders, w)
}

// sellPlainly lets pgbench sell with each number of clients, and adds the best.
func (d *desk) sellPlainly(ctx context.Context, orders int, clients []int, w work, to *way, out io.Writer) error {
	var best, cost time.Duration
	for _, c := range clients {
		each := orders / c
		if w.prepare != "" {
			if _, err := d.pgbench(ctx, w.prepare, c, each); err != nil {
				return err
			}
		}
		var rate float64
		cpu, err := d.measured(ctx, func() (err error) {
			rate, err = d.pgbench(ctx, w.script, c, each)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "pgbench, %d clients: %.0f/s\n", c, rate)
		if took := time.Duration(float64(time.Second) / rate); best == 0 || took < best {
			best, cost = took, cpu/time.Duration(c*each)
		}
		if err := d.count(ctx, c*each, w); err != nil {
			return err
		}
	}
	to.add(1, best, cost)
	return nil
}

// measured does something and returns how much processor time it took Postgres.
// Statistics are made before, as Postgres does by itself within a minute; empty
// tables have none.
func (d *desk) measured(ctx context.Context, do func() error) (time.Duration, error) {
	if d.sold > 0 {
		if _, err := d.server.Pool.Exec(ctx, `analyze`); err != nil {
			return 0, err
		}
	}
	before, err := d.server.CPU()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := d.server.CPU()
	return after - before, err
}
