package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/internal/bench"
)

const (
	holdRate  = 1000 // a second
	orderRate = 500
)

// mixed measures how long holds take while orders are written, beside the same
// holds without orders. An order is a whole purchase, from its hold to the last
// thing that is written; only the provider answers at once.
func (s *shop) mixed(ctx context.Context, p bench.Plan, out io.Writer) ([]bench.Row, error) {
	holds := hold.New(s.redis.Client).Keeping(s.line)
	defer holds.Close()
	desk := order.NewDesk(order.Config{Store: s.orders, Catalogue: s.shows, Holds: holds, Provider: instant{},
		Key: make([]byte, 32), Random: rand.Reader, Log: slog.New(slog.DiscardHandler)})
	n := p.Of(10 * holdRate)
	orders := n * orderRate / holdRate
	var alone, with []float64
	enough := true
	for run := range p.Runs {
		var fans [3][]fan
		for i, want := range []struct{ fans, seats int }{{n, seatsPerHold}, {n, seatsPerHold}, {orders, 2}} {
			var err error
			if fans[i], err = s.admit(ctx, want.fans, want.seats); err != nil {
				return nil, err
			}
		}
		quiet, err := s.paced(ctx, holds, fans[0])
		if err != nil {
			return nil, err
		}
		var busy []time.Duration
		var rate float64
		var g errgroup.Group
		g.Go(func() (err error) {
			busy, err = s.paced(ctx, holds, fans[1])
			return err
		})
		g.Go(func() (err error) {
			rate, err = s.bought(ctx, desk, holds, fans[2])
			return err
		})
		if err := errors.Join(g.Wait(), s.count(ctx, orders, work{entries: 3, state: "done"})); err != nil {
			return nil, err
		}
		enough = enough && rate > 0.95*orderRate
		alone, with = append(alone, p99(quiet)), append(with, p99(busy))
		fmt.Fprintf(out, "run %d: 99 of 100 holds in %.2f ms, in %.2f ms while %.0f orders/s are written\n", run+1, alone[run], with[run], rate)
	}
	return []bench.Row{bench.Compare("p99 of a hold at 1,000 holds/s while 500 orders/s are written", "ms", with, "the same without the orders", alone).
		RatioAtMost(5).And("500 orders/s", enough)}, nil
}

// p99 is how many ms 99 of 100 took at most.
func p99(times []time.Duration) float64 { return percentile(times, 99) }

// percentile is how many ms so many of 100 took at most.
func percentile(times []time.Duration, of int) float64 {
	slices.Sort(times)
	return float64(times[len(times)*of/100].Microseconds()) / 1000
}

// paced lets fans hold seats, so many a second.
func (s *shop) paced(ctx context.Context, holds *hold.Store, fans []fan) ([]time.Duration, error) {
	return due(holdRate, len(fans), func(i int) error {
		_, err := s.held(ctx, holds, fans[i])
		return err
	})
}

// bought lets fans hold and pay, so many a second, and returns how many orders a
// second that came to.
func (s *shop) bought(ctx context.Context, desk *order.Desk, holds *hold.Store, fans []fan) (float64, error) {
	began := time.Now()
	_, err := due(orderRate, len(fans), func(i int) error {
		h, err := s.held(ctx, holds, fans[i])
		if err != nil {
			return err
		}
		o, err := desk.Checkout(ctx, order.Request{Sale: h.Sale, Place: fans[i].place, Session: h.Session, Key: h.ID, Hold: h.ID,
			Email: "fan@example.org", Method: "sandbox_ok"})
		if err == nil && o.State != order.Paid {
			err = fmt.Errorf("an order is %s", o.State)
		}
		return err
	})
	return float64(len(fans)) / time.Since(began).Seconds(), err
}

func (s *shop) held(ctx context.Context, holds *hold.Store, f fan) (hold.Hold, error) {
	id, err := booking.NewID()
	if err != nil {
		return hold.Hold{}, err
	}
	return holds.Units(ctx, hold.Request{ID: id, Performance: s.show, Sale: s.sale.ID, Session: f.session,
		SessionEnds: time.Now().Add(time.Hour), Life: 10 * time.Minute, Extensions: 1}, f.units)
}

// due does something n times, so many times a second, each time when it is due
// whether or not what came before is done. It returns how long each took since
// then.
func due(rate, n int, do func(i int) error) ([]time.Duration, error) {
	times := make([]time.Duration, n)
	var g errgroup.Group
	for began, i := time.Now(), 0; i < n; i++ {
		at := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(at))
		g.Go(func() error {
			err := do(i)
			times[i] = time.Since(at)
			return err
		})
	}
	return times, g.Wait()
}

// instant is a provider that answers at once. Nobody asks it for more.
type instant struct{ payment.Provider }

func (instant) Authorize(_ context.Context, c payment.Charge) (payment.Payment, error) {
	return payment.Payment{Attempt: c.Attempt, Ref: "ref", State: payment.Authorized, Amount: c.Amount}, nil
}

func (instant) Capture(_ context.Context, c payment.Charge) (payment.Payment, error) {
	return payment.Payment{Attempt: c.Attempt, Ref: "ref", State: payment.Captured, Amount: c.Amount}, nil
}
