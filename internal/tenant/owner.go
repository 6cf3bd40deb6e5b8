package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Kind is a kind of thing that an organization has.
type Kind string

// The kinds. What belongs to one of them, as a reserve to its performance, has its owner.
const (
	Event       Kind = "event"
	Performance Kind = "performance"
	Performer   Kind = "performer"
	Tour        Kind = "tour"
	Venue       Kind = "venue"
	Sale        Kind = "sale"
	Order       Kind = "order"
	Shop        Kind = "shop"
	Post        Kind = "post"    // what somebody says of an event of theirs
	Account     Kind = "account" // one that is paid; an organization's own, or the house's
)

var owners = map[Kind]string{
	Event:       `select organization_id from events where id = $1::text::uuid`,
	Performance: `select organization_id from performances where id = $1::text::uuid`,
	Performer:   `select organization_id from performers where id = $1::text::uuid`,
	Tour:        `select organization_id from tours where id = $1::text::uuid`,
	Venue:       `select organization_id from venues where id = $1::text::uuid`,
	Sale:        `select organization_id from sales where id = $1`,
	Order:       `select p.organization_id from orders o join performances p on p.id = o.performance_id where o.id = $1::text::uuid`,
	Post:        `select organization_id from posts where id = $1::text::uuid`,
	Shop:        `select organization_id from shops where id = $1`,
	Account: `select coalesce(o.id, '` + House + `') from payment_accounts a left join organizations o on o.account = a.name
		where a.name = $1 order by o.id limit 1`,
}

// Owner tells whose something is, as its id stands in a request; empty if there is no such
// thing. It sees all rows, so ctx must not have an organization.
func Owner(ctx context.Context, db *pgxpool.Pool, kind Kind, id string) (organization string, err error) {
	sql, ok := owners[kind]
	if !ok {
		return "", fmt.Errorf("nobody owns a %s", kind)
	}
	return look(ctx, db, sql, id)
}

// Owners remembers whose performances are: a scanner asks by each scan, which cost as much as
// the scan. A performance is of its event's organization for good; for ownerLife only, since
// who may do anything with the tables might say otherwise.
type Owners struct {
	// Static after NewOwners.
	db  *pgxpool.Pool
	now func() time.Time

	mu    sync.Mutex // guards what follows
	known map[string]owner
}

type owner struct {
	organization string
	at           time.Time // when it was looked up
}

const (
	ownerLife = 10 * time.Second
	ownersMax = 4096 // about 1 MB; then it begins anew
)

// NewOwners returns Owners who know nothing yet.
func NewOwners(db *pgxpool.Pool, now func() time.Time) *Owners {
	return &Owners{db: db, now: now, known: map[string]owner{}}
}

// Of is Owner. What is not there is looked up each time.
func (o *Owners) Of(ctx context.Context, kind Kind, id string) (organization string, err error) {
	if kind != Performance {
		return Owner(ctx, o.db, kind, id)
	}
	now := o.now()
	o.mu.Lock()
	k, is := o.known[id]
	o.mu.Unlock()
	if is && now.Sub(k.at) < ownerLife {
		return k.organization, nil
	}
	organization, err = Owner(ctx, o.db, kind, id)
	if err == nil && organization != "" {
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.known) >= ownersMax {
			clear(o.known)
		}
		o.known[strings.Clone(id)] = owner{organization, now} // of a request, whose bytes are used again
	}
	return organization, err
}

// Named finds an organization by its slug; empty if there is none.
func Named(ctx context.Context, db *pgxpool.Pool, slug string) (organization string, err error) {
	return look(ctx, db, `select id from organizations where slug = $1`, slug)
}

func look(ctx context.Context, db *pgxpool.Pool, sql, id string) (organization string, err error) {
	err = db.QueryRow(ctx, sql, id).Scan(&organization)
	odd, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", nil
	case odd != nil && (odd.Code == "22P02" || odd.Code == "22021"): // no uuid, or no text
		return "", nil
	case err != nil:
		return "", fmt.Errorf("looking whose it is: %w", err)
	}
	return organization, nil
}
