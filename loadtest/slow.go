package loadtest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// What slow-core sets, and how slow its database becomes: an order is written one at
// a time, as where all need the same row, and each takes so long. That is fewer a
// second than come in. A second is slow for an order, so that what is measured is
// the line of those who wait for the row, and not the noise of the machine.
const (
	slowService   = 150 * time.Millisecond
	slowTarget    = time.Second
	slowShare     = 0.05
	automaticMost = 600 // a minute
)

var automatic = map[string]any{"min_rate": 30, "max_rate": automaticMost,
	"auto": map[string]any{"on": true, "target_ms": slowTarget.Milliseconds(), "slow": slowShare}}

// The lock is held until the transaction ends, so the next one has its turn that much
// later. What is there to be taken away again waits for orders and they for it, so
// nothing is: the trigger stays, and looks whether it still has to be slow.
var sqlSlow = fmt.Sprintf(`
create table loadtest_turns (at timestamptz not null);
create table loadtest_slow ();
insert into loadtest_slow default values;
create function loadtest_slow() returns trigger language plpgsql as
$$ begin
if exists (select from loadtest_slow) then
	perform pg_advisory_xact_lock(7305); insert into loadtest_turns values (clock_timestamp()); perform pg_sleep(%v);
end if;
return new;
end $$;
create trigger loadtest_slow before insert on orders for each row execute function loadtest_slow()`, slowService.Seconds())

const (
	// Of orders that wait for each other one in ten is quicker than that; where none
	// waits they are further apart.
	sqlService = `select coalesce(percentile_cont(0.1) within group (order by extract(epoch from gap)), 0)
from (select at - lag(at) over (order by at) as gap from loadtest_turns) turns`
	sqlQuick = `delete from loadtest_slow`
)

// slowDown makes the shop's database slow for a while.
func (r *run) slowDown(ctx context.Context, span time.Duration) error {
	db, err := pgx.Connect(ctx, r.Access.Postgres)
	if err != nil {
		return fmt.Errorf("connecting to Postgres: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	began := r.clock.since()
	if _, err := db.Exec(ctx, sqlSlow); err != nil {
		return fmt.Errorf("slowing Postgres down: %w", err)
	}
	sleep(ctx, span)
	r.slow = Period{began, r.clock.since()}
	var service float64
	if err := db.QueryRow(ctx, sqlService).Scan(&service); err != nil {
		return fmt.Errorf("asking Postgres how long an order took: %w", err)
	}
	r.service = time.Duration(service * float64(time.Second))
	if _, err := db.Exec(context.WithoutCancel(ctx), sqlQuick); err != nil {
		return fmt.Errorf("making Postgres quick again: %w", err)
	}
	return nil
}

// What is promised of the automatic mode.
const (
	slowBack    = 15 * time.Second
	slowWindow  = 5 * time.Second  // over which a share of orders is taken
	slowSettled = 20 * time.Second // after which the rate is looked at,
	slowSession = 10 * time.Second // over so long
	slowFixed   = 0.9              // of the best fixed rate
	slowSwing   = 0.2
)

// judgeAutomatic looks at orders as fans saw them, and at when offers were made.
func judgeAutomatic(e Evidence) finding {
	if e.Slow.To == 0 || e.Service == 0 {
		return unjudged("the database was never slow")
	}
	var f finding
	var offers, times []Moment
	slow := map[Moment]bool{} // orders, by when they were answered
	for _, h := range e.Fans {
		if h.MadeAt > 0 {
			offers = append(offers, h.MadeAt)
		}
		for _, a := range h.Attempts {
			if a.Took > 0 {
				f.facts++
				times = append(times, a.ConfirmedAt)
				slow[a.ConfirmedAt] = a.Took > slowTarget
			}
		}
	}
	slices.Sort(offers)
	share := func(from, to Moment) float64 {
		n, of := 0, 0
		for _, at := range times {
			if at >= from && at < to {
				if of++; slow[at] {
					n++
				}
			}
		}
		return float64(n) / float64(max(1, of))
	}
	back := e.Slow.From
	for back < e.Slow.To && !(share(back, back+slowWindow) <= slowShare && within(times, back, back+slowWindow) > 0) {
		back += time.Second / 2
	}
	after := e.Slow.From + slowBack
	if back > after {
		f.breach("orders were slow for %v after the database was", (back - e.Slow.From).Round(time.Second/2))
	}
	best := bestFixed(e.Service, ordersOf(e.Fans))
	rate := float64(within(offers, after, e.Slow.To)) / (e.Slow.To - after).Seconds()
	if rate < slowFixed*best {
		f.breach("%.2f people a second were let in while it was slow; a fixed rate could be %.2f", rate, best)
	}
	swing := 0.0
	mean := float64(within(offers, e.Slow.From+slowSettled, e.Slow.To)) / (e.Slow.To - e.Slow.From - slowSettled).Seconds()
	for at := e.Slow.From + slowSettled; at+slowSession <= e.Slow.To; at += time.Second {
		swing = max(swing, math.Abs(float64(within(offers, at, at+slowSession))/slowSession.Seconds()/mean-1))
	}
	if swing > slowSwing {
		f.breach("the rate went %.0f %% from its mean", 100*swing)
	}
	f.seen = fmt.Sprintf("an order took %v, quick again after %v, %.0f %% of the best fixed rate, within %.0f %% of the mean, %.0f %% of the orders slow from then on",
		e.Service.Round(time.Millisecond), (back - e.Slow.From).Round(time.Second/2), 100*rate/best, 100*swing, 100*share(after, e.Slow.To))
	return f
}

func within(times []Moment, from, to Moment) (n int) {
	for _, at := range times {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

// ordersOf is how long after its offer each fan's orders came to the database; with none
// for whoever ordered nothing.
func ordersOf(fans []History) (delays [][]time.Duration) {
	for _, h := range fans {
		if h.MadeAt == 0 {
			continue
		}
		var of []time.Duration
		for _, a := range h.Attempts {
			if a.Outcome == Confirmed {
				of = append(of, max(0, a.ConfirmedAt-max(a.Took, slowService)-h.MadeAt))
			}
		}
		delays = append(delays, of)
	}
	return delays
}

// bestFixed searches for the most people a second who may be let in evenly, so that no
// more of their orders are slow than may be, at a row that takes so long for each. They
// order as the fans of the run did: not evenly. Orders follow each other, since the core
// writes those together only that are quick.
func bestFixed(service time.Duration, delays [][]time.Duration) (best float64) {
	const people = 20_000
	for perMinute := 60.0; perMinute < 3600; perMinute += 3 {
		who := rand.New(rand.NewPCG(1, 7))
		var asks []time.Duration
		for i := range people {
			at := time.Duration(float64(i) * 60 / perMinute * float64(time.Second))
			for _, delay := range delays[who.IntN(len(delays))] {
				asks = append(asks, at+delay)
			}
		}
		slices.Sort(asks)
		free, slow := time.Duration(0), 0
		for _, at := range asks {
			if free = max(free, at) + service; free-at > slowTarget {
				slow++
			}
		}
		if float64(slow) > slowShare*float64(len(asks)) {
			return best
		}
		best = perMinute / 60
	}
	return best
}
