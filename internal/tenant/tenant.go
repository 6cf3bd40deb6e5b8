// Package tenant keeps the rows of one organization from the staff of another, in
// Postgres. Whoever works for an organization has it in their context (With); each
// connection that is taken for that context becomes a role whose rows the policies of
// migration 0033 choose. So a statement that forgets to say whose rows it wants gets
// those of that organization, and nobody has to remember anything.
//
// It guards against mistakes of ours, not against who can run statements of their own:
// those could become another role again.
package tenant

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// House is the organization of whoever runs the installation.
const House = "00000000-0000-7000-8000-000000000001"

type key struct{}

// With returns a context in which the database shows the rows of an organization alone.
func With(ctx context.Context, organization string) context.Context {
	return context.WithValue(ctx, key{}, organization)
}

// From returns the organization of a context, empty for none.
func From(ctx context.Context) string {
	organization, _ := ctx.Value(key{}).(string)
	return organization
}

// Guard lets a pool give each connection the organization of the context that it is
// taken for. That costs a round trip where it is not the one that the connection had
// last; one that cannot be told is closed, and not given to anybody.
func Guard(c *pgxpool.Config) {
	c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		has, want := conn.PgConn().CustomData(), From(ctx)
		if last, _ := has[had].(string); last == want {
			return true, nil
		}
		role := "none"
		if want != "" {
			role = "ropeline_tenant"
		}
		if _, err := conn.Exec(ctx, `select set_config('role', $1, false), set_config('ropeline.organization', $2, false)`, role, want); err != nil {
			return false, fmt.Errorf("telling Postgres whose staff it is: %w", err)
		}
		has[had] = want
		return true, nil
	}
}

// had is under what a connection keeps the organization that it was taken for last.
const had = "ropeline.organization"
