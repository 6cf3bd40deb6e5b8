package tenant

import (
	"context"
	"errors"
	"fmt"

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
