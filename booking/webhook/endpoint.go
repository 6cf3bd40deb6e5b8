package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/internal/outward"
)

// Kinds of event.
const (
	OrderPaid      = "order.paid"
	OrderCanceled  = "order.canceled"
	OrderRefunded  = "order.refunded"
	RefundFailed   = "order.refund_failed"
	TicketCanceled = "ticket.canceled"
	Disputed       = "payment.disputed"
	SoldOut        = "performance.sold_out"
	Test           = "webhook.test" // to one endpoint, whatever it wants
)

// Kinds are those that an endpoint may want.
var Kinds = []string{OrderPaid, OrderCanceled, OrderRefunded, RefundFailed, TicketCanceled, Disputed, SoldOut}

// State says whether an endpoint is told.
type State string

// The states of an endpoint.
const (
	On     State = "on"
	Off    State = "off"    // by staff
	Broken State = "broken" // switched off because it took nothing for days, or said that it is gone
)

// Endpoint is somebody who wants to be told.
type Endpoint struct {
	ID           string     `json:"id"`
	URL          string     `json:"url"`
	Kinds        []string   `json:"kinds" nullable:"false"`
	Description  string     `json:"description,omitempty"`
	State        State      `json:"state" enum:"on,off,broken" doc:"broken: it took nothing for days, or said that it is gone, and was switched off"`
	Generation   int        `json:"generation" doc:"of its secret"`
	OldUntil     *time.Time `json:"old_until,omitempty" doc:"until then the secret before is used as well"`
	FailingSince *time.Time `json:"failing_since,omitempty" doc:"first of the failures since it took something last"`
	Due          int        `json:"due" doc:"deliveries that are still to be made"`
	Who          string     `json:"who" doc:"who of the staff made it"`
	CreatedAt    time.Time  `json:"created_at"`
}

// Plan is what staff say of an endpoint.
type Plan struct {
	URL         string   `json:"url" doc:"https; it is not asked to lead anywhere else"`
	Kinds       []string `json:"kinds" nullable:"false" doc:"order.paid, order.canceled, order.refunded, order.refund_failed, ticket.canceled, payment.disputed, performance.sold_out"`
	Description string   `json:"description,omitempty" doc:"200 characters at most"`
	Off         bool     `json:"off,omitempty" doc:"nothing is sent for now; what happens meanwhile can be sent afterwards"`
}

// endpointsMost bounds how many endpoints there are: each has a lane at the sender.
const endpointsMost = 100

// OldSecret is how long the secret before is used beside a new one, if nothing else is said.
const OldSecret = 24 * time.Hour

// Errors of endpoints.
var (
	ErrUnknown    = &ropeline.Error{Kind: ropeline.NotFound, Code: "webhook-unknown", Detail: "There is no such endpoint."}
	ErrDelivery   = &ropeline.Error{Kind: ropeline.NotFound, Code: "webhook-delivery-unknown", Detail: "There is no such delivery to this endpoint."}
	ErrURL        = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-url-invalid", Detail: "Give an https address of a host of the public Internet, of 2,000 bytes at most, without a name or password, and without a fragment."}
	ErrKind       = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-kind-unknown", Detail: "Give at least one kind of event, each once, of: " + strings.Join(Kinds, ", ") + "."}
	ErrText       = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-description-invalid", Detail: "A description has 200 characters at most, in a line."}
	ErrTooMany    = &ropeline.Error{Kind: ropeline.Conflict, Code: "webhooks-full", Detail: fmt.Sprintf("There are %d endpoints, which is as many as there may be.", endpointsMost)}
	ErrKeyReused  = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-reused", Detail: "This Idempotency-Key was used for another request."}
	ErrGeneration = &ropeline.Error{Kind: ropeline.Conflict, Code: "webhook-generation", Detail: "The endpoint's secret is of another generation: look at it again."}
	ErrOff        = &ropeline.Error{Kind: ropeline.Conflict, Code: "webhook-off", Detail: "The endpoint is switched off. Switch it on first."}
)

// CheckURL says whether an address may be a receiver's. Where a name leads to is seen
// when it is called. Inside lets development use http and its own network.
func CheckURL(s string, inside bool) error {
	u, err := url.Parse(s)
	if err != nil || len(s) > 2000 || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" || strings.Contains(s, "#") ||
		strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r > unicode.MaxASCII }) ||
		u.Scheme != "https" && (u.Scheme != "http" || !inside) {
		return ErrURL
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !inside && !outward.Public(ip) {
		return ErrURL
	}
	return nil
}

func (p Plan) check(inside bool) error {
	if err := CheckURL(p.URL, inside); err != nil {
		return err
	}
	kinds := slices.Sorted(slices.Values(p.Kinds))
	if len(kinds) == 0 || len(slices.Compact(kinds)) != len(p.Kinds) ||
		slices.ContainsFunc(p.Kinds, func(k string) bool { return !slices.Contains(Kinds, k) }) {
		return ErrKind
	}
	if len([]rune(p.Description)) > 200 || strings.ContainsFunc(p.Description, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ErrText
	}
	return nil
}

func (p Plan) state() State {
	if p.Off {
		return Off
	}
	return On
}

// Store keeps endpoints and what is to be delivered to them.
type Store struct {
	db     *pgxpool.Pool
	keys   Keys
	inside bool
}

// New returns a Store. Without keys (nil) it shows no secret and cannot send. Inside lets
// receivers be on the machine's own network: for development only.
func New(db *pgxpool.Pool, keys Keys, inside bool) *Store { return &Store{db, keys, inside} }

const columns = `e.id, e.url, e.kinds, e.description, e.state, e.generation, nullif(e.old_until, '-infinity'), e.failing_since,
	(select count(*) from webhook_deliveries d where d.endpoint_id = e.id and d.state = 'due'), e.who, e.created_at`

func scan(row pgx.CollectableRow) (e Endpoint, err error) {
	return e, row.Scan(&e.ID, &e.URL, &e.Kinds, &e.Description, &e.State, &e.Generation, &e.OldUntil, &e.FailingSince, &e.Due, &e.Who, &e.CreatedAt)
}

// Add makes an endpoint and returns its secret, which is not shown again. The same
// key of the same member of staff is the same endpoint.
func (s *Store) Add(ctx context.Context, p Plan, key, who string) (Endpoint, string, error) {
	if err := p.check(s.inside); err != nil {
		return Endpoint{}, "", err
	}
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte("webhook\x00"+who+"\x00"+key)).String()
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `lock table webhook_endpoints in share row exclusive mode`); err != nil { // who counts, counts alone
			return err
		}
		var others int
		if err := tx.QueryRow(ctx, `select count(*) from webhook_endpoints where id <> $1`, id).Scan(&others); err != nil {
			return err
		}
		if others >= endpointsMost {
			return ErrTooMany
		}
		_, err := tx.Exec(ctx, `insert into webhook_endpoints (id, url, kinds, description, state, who) values ($1, $2, $3, $4, $5, $6)
			on conflict do nothing`, id, p.URL, p.Kinds, p.Description, p.state(), who)
		return err
	})
	if err != nil {
		return Endpoint{}, "", away("making an endpoint", err)
	}
	e, err := s.Endpoint(ctx, id)
	if err != nil {
		return e, "", err
	}
	if e.URL != p.URL || !slices.Equal(e.Kinds, p.Kinds) || e.Description != p.Description || e.Generation != 1 {
		return Endpoint{}, "", ErrKeyReused
	}
	return e, s.keys.Secret(id, 1), nil
}

// Endpoint reads one.
func (s *Store) Endpoint(ctx context.Context, id string) (Endpoint, error) {
	if !booking.IsID(id) {
		return Endpoint{}, ErrUnknown
	}
	list, err := s.endpoints(ctx, `where e.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = ErrUnknown
	}
	if err != nil {
		return Endpoint{}, err
	}
	return list[0], nil
}

// Endpoints lists all of them, the newest first.
func (s *Store) Endpoints(ctx context.Context) ([]Endpoint, error) {
	return s.endpoints(ctx, `order by e.created_at desc`)
}

func (s *Store) endpoints(ctx context.Context, where string, args ...any) ([]Endpoint, error) {
	rows, err := s.db.Query(ctx, `select `+columns+` from webhook_endpoints e `+where, args...)
	if err != nil {
		return nil, away("reading endpoints", err)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, away("reading endpoints", err)
}

// Change replaces what staff say of an endpoint. One that was broken and is switched on
// begins afresh.
func (s *Store) Change(ctx context.Context, id string, p Plan) (Endpoint, error) {
	if err := p.check(s.inside); err != nil {
		return Endpoint{}, err
	}
	if !booking.IsID(id) {
		return Endpoint{}, ErrUnknown
	}
	_, err := s.db.Exec(ctx, `update webhook_endpoints set url = $2, kinds = $3, description = $4, updated_at = now(),
		failing_since = case when state = $5 then failing_since end, state = $5 where id = $1`, id, p.URL, p.Kinds, p.Description, p.state())
	if err != nil {
		return Endpoint{}, away("changing an endpoint", err)
	}
	return s.Endpoint(ctx, id)
}

// Remove forgets an endpoint and what was to be delivered to it. One that is not there
// is no error.
func (s *Store) Remove(ctx context.Context, id string) error {
	if !booking.IsID(id) {
		return ErrUnknown
	}
	_, err := s.db.Exec(ctx, `delete from webhook_endpoints where id = $1`, id)
	return away("removing an endpoint", err)
}

// Rotate makes a new secret and returns it. For a while what is sent is signed with the
// one before, too. It is told which generation is replaced, so that a repeat is
// answered with the same secret.
func (s *Store) Rotate(ctx context.Context, id string, generation int, keep time.Duration) (Endpoint, string, error) {
	if !booking.IsID(id) {
		return Endpoint{}, "", ErrUnknown
	}
	_, err := s.db.Exec(ctx, `update webhook_endpoints set generation = generation + 1, old_until = now() + make_interval(secs => $3), updated_at = now()
		where id = $1 and generation = $2::bigint`, id, generation, keep.Seconds())
	if err != nil {
		return Endpoint{}, "", away("rotating a secret", err)
	}
	e, err := s.Endpoint(ctx, id)
	if err == nil && e.Generation != generation+1 {
		err = ErrGeneration
	}
	if err != nil {
		return Endpoint{}, "", err
	}
	return e, s.keys.Secret(id, e.Generation), nil
}

func away(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*ropeline.Error](err); ours {
		return err
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
