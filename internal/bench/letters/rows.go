package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/internal/bench"
)

// throughRows measures how many letters a second come through, of those that are posted.
func throughRows(ctx context.Context, plan bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	p, err := open(ctx)
	if p != nil {
		defer func() { err = errors.Join(err, p.Close()) }()
	}
	if err != nil {
		return nil, err
	}
	var ours, plain []float64
	n := plan.Of(many)
	for range plan.Runs {
		p.forget()
		began := time.Now()
		if err := p.plainly(ctx, n, mail.Hands); err != nil {
			return nil, fmt.Errorf("sending plainly: %w", err)
		}
		plain = append(plain, float64(n)/time.Since(began).Seconds())
		if err := p.write(ctx, n, "through", mail.Slip{}); err != nil {
			return nil, err
		}
		began = time.Now()
		if err := p.sent(ctx, func(ctx context.Context) error { return p.until(ctx, "through", n) }); err != nil {
			return nil, err
		}
		ours = append(ours, float64(n)/time.Since(began).Seconds())
		fmt.Fprintf(out, "  %d letters: %.0f a second; by go-mail in a loop %.0f\n", n, ours[len(ours)-1], plain[len(plain)-1])
	}
	what := fmt.Sprintf("%d letters from Postgres through to the mail server", n)
	return []bench.Row{bench.Compare(what, "letters/s", ours, fmt.Sprintf("go-mail in a loop over %d connections", mail.Hands), plain).RatioAtLeast(0.5)}, nil
}

// besideRows measures how long a confirmation takes while many letters leave, and while none does.
func besideRows(ctx context.Context, plan bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	p, err := open(ctx)
	if p != nil {
		defer func() { err = errors.Join(err, p.Close()) }()
	}
	if err != nil {
		return nil, err
	}
	n, most := plan.Of(1000), plan.Of(bulk)
	var alone, beside []float64
	for run := range plan.Runs {
		p.forget()
		name := fmt.Sprint("alone", run)
		var before, during time.Duration
		if err := p.sent(ctx, func(ctx context.Context) (err error) {
			before, err = p.timed(ctx, name, n)
			return err
		}); err != nil {
			return nil, err
		}
		if run == 0 {
			if err := p.write(ctx, most, "bulk", mail.Slip{Bulk: true}); err != nil {
				return nil, err
			}
		}
		name = fmt.Sprint("beside", run)
		var left int
		if err := p.sent(ctx, func(ctx context.Context) (err error) {
			during, err = p.timed(ctx, name, n)
			left = most - p.seen("bulk")
			return err
		}); err != nil {
			return nil, err
		}
		if left <= 0 {
			return nil, errors.New("nothing was sent beside any more")
		}
		alone, beside = append(alone, before.Seconds()*1000), append(beside, during.Seconds()*1000)
		fmt.Fprintf(out, "  p99 of %d: %v alone, %v while %d left, %d to go\n", n, before, during, most, left)
	}
	what := fmt.Sprintf("a confirmation from its transaction to the mail server, while %d others leave", most)
	return []bench.Row{bench.Compare(what, "ms p99", beside, "while none does", alone).RatioAtMost(2)}, nil
}

// timed posts letters one by one, and says how long the slowest of a hundred took.
func (p *post) timed(ctx context.Context, name string, n int) (time.Duration, error) {
	tick := time.NewTicker(apart)
	defer tick.Stop()
	posted := map[string]time.Time{}
	for i := range n {
		to := fmt.Sprintf("%s-%d@example.org", name, i)
		err := pgx.BeginFunc(ctx, p.db.Pool, func(tx pgx.Tx) error {
			_, err := p.store.Post(ctx, tx, letter(to), mail.Slip{For: time.Hour})
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("posting a letter: %w", err)
		}
		posted[to] = time.Now()
		<-tick.C
	}
	if err := p.until(ctx, name, n); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var took []time.Duration
	for to, at := range posted {
		took = append(took, max(0, p.came[to].Sub(at)))
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}
