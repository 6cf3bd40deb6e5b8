package webhook

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
)

// DeliveryState says how far a delivery got.
type DeliveryState string

// The states of a delivery. Due is what is still to be made.
const (
	Due       DeliveryState = "due"
	Delivered DeliveryState = "delivered"
	Failed    DeliveryState = "failed" // given up after a day; it can be made due again
)

// Delivery is an event for an endpoint.
type Delivery struct {
	Number  int64         `json:"number" doc:"of an order's events, what happened later has a higher one"`
	Event   string        `json:"event" doc:"its webhook-id"`
	Kind    string        `json:"kind"`
	State   DeliveryState `json:"state" enum:"due,delivered,failed"`
	Tries   int           `json:"tries"`
	Status  int           `json:"status,omitempty" doc:"of the last answer; left out if there was none"`
	Problem string        `json:"problem,omitempty" doc:"of the last try"`
	NextAt  *time.Time    `json:"next_at,omitempty" doc:"when it is tried next"`
	At      time.Time     `json:"at" doc:"when it happened"`
	Changed time.Time     `json:"changed_at"`
}

// DeliveriesMost bounds a page.
const DeliveriesMost = 100

// Deliveries lists those to an endpoint before a number, the newest first; 0 for the
// newest of all. State may be empty.
func (s *Store) Deliveries(ctx context.Context, id string, state DeliveryState, before int64) ([]Delivery, error) {
	if _, err := s.Endpoint(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, `
		select d.n, d.event_id, v.kind, d.state, d.tries, d.status, d.problem, case d.state when 'due' then d.next_at end, v.at, d.updated_at
		from webhook_deliveries d join webhook_events v on v.id = d.event_id
		where d.endpoint_id = $1 and ($2 = '' or d.state = $2) and ($3::bigint = 0 or d.n < $3) order by d.n desc limit $4`, id, string(state), before, DeliveriesMost)
	if err != nil {
		return nil, away("listing deliveries", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (d Delivery, err error) {
		return d, r.Scan(&d.Number, &d.Event, &d.Kind, &d.State, &d.Tries, &d.Status, &d.Problem, &d.NextAt, &d.At, &d.Changed)
	})
	return list, away("listing deliveries", err)
}

// Redeliver makes an event due again, whatever came of it, and at once.
func (s *Store) Redeliver(ctx context.Context, id, event string) error {
	e, err := s.Endpoint(ctx, id)
	switch {
	case err != nil:
		return err
	case e.State != On:
		return ErrOff
	case !booking.IsID(event):
		return ErrDelivery
	}
	tag, err := s.db.Exec(ctx, `update webhook_deliveries set state = 'due', tries = 0, next_at = now(), give_up_at = now() + interval '1 day', updated_at = now()
		where endpoint_id = $1 and event_id = $2`, id, event)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrDelivery
	}
	return away("delivering again", err)
}

// redeliverMost bounds how many RedeliverSince makes due at once: who has more asks again.
const redeliverMost = 10_000

// RedeliverSince makes what failed since a time due again, and with it what happened
// while the endpoint was switched off. It returns how many those are.
func (s *Store) RedeliverSince(ctx context.Context, id string, since time.Time) (int, error) {
	e, err := s.Endpoint(ctx, id)
	switch {
	case err != nil:
		return 0, err
	case e.State != On:
		return 0, ErrOff
	}
	tag, err := s.db.Exec(ctx, `
		insert into webhook_deliveries as d (endpoint_id, n, event_id, subject)
		select $1, v.n, v.id, v.subject from webhook_events v left join webhook_deliveries had on had.endpoint_id = $1 and had.n = v.n
		where v.at >= $2 and v.kind = any($3) and coalesce(had.state, 'failed') = 'failed' order by v.n limit $4
		on conflict (endpoint_id, n) do update set state = 'due', tries = 0, next_at = now(), give_up_at = now() + interval '1 day', updated_at = now()
		where d.state = 'failed'`, id, since, e.Kinds, redeliverMost)
	return int(tag.RowsAffected()), away("delivering again", err)
}

// Probe sends an event of kind Test to an endpoint, and to no other one. It returns
// its id.
func (s *Store) Probe(ctx context.Context, id string) (event string, err error) {
	e, err := s.Endpoint(ctx, id)
	switch {
	case err != nil:
		return "", err
	case e.State != On:
		return "", ErrOff
	}
	err = s.db.QueryRow(ctx, `
		with event as (
			insert into webhook_events (kind, subject, body)
			select $2, $1, jsonb_build_object('type', $2::text, 'version', 1, 'timestamp', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
				'data', jsonb_build_object('endpoint', $1::uuid))::text
			returning id, n
		), due as (
			insert into webhook_deliveries (endpoint_id, n, event_id, subject) select $1, n, id, $1 from event
		)
		select id from event`, id, Test).Scan(&event)
	return event, away("writing a test event", err)
}
