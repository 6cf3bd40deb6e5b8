package order

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/periodic"
)

// BulkRefund is the wish that everybody gets back all that they paid for a performance that
// is canceled, and how far that is.
type BulkRefund struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Who         string                 `json:"who"`
	Reason      string                 `json:"reason"`
	At          time.Time              `json:"asked_at"`
	Left        int                    `json:"left" doc:"orders that are still to be canceled, or are being paid for"`
	Canceled    int                    `json:"canceled" doc:"orders that were, since it was asked for"`
	Refunding   int                    `json:"refunding" doc:"refunds of these of which the provider has not said how they end"`
	Refunded    int                    `json:"refunded"`
	Failed      int                    `json:"failed" doc:"refunds that the provider refuses: see to them"`
	Refused     []RefusedRefund        `json:"refused" doc:"orders that were left, at most 100 of them: see to them; they are tried again every ten minutes"`
}

// RefusedRefund is an order that a bulk refund has left as it was.
type RefusedRefund struct {
	Order string    `json:"order"`
	Code  string    `json:"code" doc:"the type of the problem: sold-at-counter, order-disputed, coupon-used …"`
	At    time.Time `json:"at"`
}

// Refusals of a bulk refund.
var (
	ErrNotCanceled = &ropeline.Error{Kind: ropeline.Conflict, Code: "performance-not-canceled", Detail: "This performance is not canceled. Cancel it first: then nothing more of it is sold."}
	ErrNoBulk      = &ropeline.Error{Kind: ropeline.NotFound, Code: "bulk-refund-unknown", Detail: "Nobody has asked for refunds of this performance."}
)

const (
	// bulkEvery is how often it is asked whether there is a bulk refund to go on with.
	bulkEvery = time.Second
	// bulkSize is how many orders are taken at once, bulkAtOnce how many of them are asked
	// of the provider at the same time.
	bulkSize   = 50
	bulkAtOnce = 4
	// bulkLease is for how long others leave a performance to whoever has taken it: no longer
	// than it should wait if they die. Two at once do no harm.
	bulkLease = 3 * time.Second
	// bulkPatience is how long a round may take.
	bulkPatience = time.Minute
)

// RefundAll writes down that everybody is to get their money back, once: who asks again is
// answered with the first. It is done while RunBulkRefunds runs.
func (d *Desk) RefundAll(ctx context.Context, performance ropeline.PerformanceID, who, reason string) (BulkRefund, error) {
	tag, err := d.store.db.Exec(ctx, `insert into bulk_refunds (performance_id, who, reason)
		select id, $2, $3 from performances where id = $1 and state = 'canceled' on conflict do nothing`, performance, who, reason)
	if err != nil {
		return BulkRefund{}, away("refunding all of", string(performance), err)
	}
	b, err := d.BulkRefund(ctx, performance)
	if errors.Is(err, ErrNoBulk) && tag.RowsAffected() == 0 {
		err = ErrNotCanceled
	}
	return b, err
}

// BulkRefund tells how far it is.
func (d *Desk) BulkRefund(ctx context.Context, performance ropeline.PerformanceID) (b BulkRefund, err error) {
	err = d.store.db.QueryRow(ctx, `
		select b.performance_id, b.who, b.reason, b.created_at, o.todo, c.canceled, c.refunding, c.refunded, c.failed
		from bulk_refunds b
		cross join lateral (select count(*) as todo from orders o where o.performance_id = b.performance_id and o.state in ('pending', 'paid')
			and not exists (select from bulk_refund_refusals f where f.performance_id = o.performance_id and f.order_id = o.id)) o
		cross join lateral (select count(distinct order_id) as canceled, count(*) filter (where state = 'refunding') as refunding,
			count(*) filter (where state = 'refunded') as refunded, count(*) filter (where state = 'failed') as failed
			from cancellations c where c.performance_id = b.performance_id and c.created_at >= b.created_at) c
		where b.performance_id = $1`, performance).
		Scan(&b.Performance, &b.Who, &b.Reason, &b.At, &b.Left, &b.Canceled, &b.Refunding, &b.Refunded, &b.Failed)
	if errors.Is(err, pgx.ErrNoRows) {
		return b, ErrNoBulk
	}
	if err != nil {
		return b, away("reading the refunds of", string(performance), err)
	}
	b.At = b.At.UTC()
	rows, err := d.store.db.Query(ctx, `select f.order_id, f.code, f.at from bulk_refund_refusals f join orders o on o.performance_id = f.performance_id and o.id = f.order_id
		where f.performance_id = $1 and o.state in ('pending', 'paid') order by f.order_id limit 100`, performance)
	if err == nil {
		b.Refused, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (f RefusedRefund, err error) {
			err = r.Scan(&f.Order, &f.Code, &f.At)
			f.At = f.At.UTC()
			return f, err
		})
	}
	if err != nil {
		return b, away("reading the refunds of", string(performance), err)
	}
	return b, nil
}

// RunBulkRefunds does them until ctx ends. Any number of processes may: each takes another
// performance, and an order is canceled once, whoever does it.
func (d *Desk) RunBulkRefunds(ctx context.Context) error {
	return periodic.Drain(ctx, bulkEvery, d.log, "refunding all of a performance", d.bulkRound)
}

// bulkRound cancels some orders of the performance that has waited longest, and reports
// whether there was one.
func (d *Desk) bulkRound(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, bulkPatience)
	defer cancel()
	var b BulkRefund
	err = d.store.db.QueryRow(ctx, `update bulk_refunds set due_at = now() + make_interval(secs => $1) where performance_id =
		(select performance_id from bulk_refunds where due_at <= now() order by due_at limit 1 for update skip locked)
		returning performance_id, who, reason`, bulkLease.Seconds()).Scan(&b.Performance, &b.Who, &b.Reason)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, away("taking", "a bulk refund", err)
	}
	orders, err := ids(ctx, d.store.db, `select id::text from orders o where performance_id = $1 and state = 'paid'
		and not exists (select from bulk_refund_refusals f where f.performance_id = o.performance_id and f.order_id = o.id and f.at > now() - interval '10 minutes')
		order by id limit $2`, b.Performance, bulkSize)
	if err != nil {
		return false, away("reading orders of", string(b.Performance), err)
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(bulkAtOnce)
	for _, id := range orders {
		g.Go(func() error { return d.refundWhole(each, b, id) })
	}
	if err := g.Wait(); err != nil {
		return true, err
	}
	_, err = d.store.db.Exec(ctx, `update bulk_refunds set due_at = case when $2 then now() else now() + greatest(interval '2 seconds', (now() - created_at) / 10) end
		where performance_id = $1`, b.Performance, len(orders) == bulkSize)
	if err != nil {
		err = away("going on with", string(b.Performance), err)
	}
	return true, err
}

// refundWhole cancels an order, or writes down why it is left.
func (d *Desk) refundWhole(ctx context.Context, b BulkRefund, id string) error {
	_, err := d.Cancel(ctx, Cancel{Order: id, Who: b.Who, Reason: b.Reason, Full: true})
	refusal, ours := errors.AsType[*ropeline.Error](err)
	if err == nil || !ours || refusal.Kind != ropeline.Conflict {
		return err
	}
	_, err = d.store.db.Exec(ctx, `insert into bulk_refund_refusals (performance_id, order_id, code) values ($1, $2, $3)
		on conflict (performance_id, order_id) do update set code = excluded.code, at = now()`, b.Performance, id, refusal.Code)
	if err != nil {
		return away("noting why it was left", id, err)
	}
	return nil
}
