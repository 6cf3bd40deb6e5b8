package people

import (
	"context"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline/internal/periodic"
)

// SweepEvery is how often a Sweeper forgets what is over.
const SweepEvery = 10 * time.Minute

// sweepMost bounds a sweep's statement: what is left over comes in the next.
const sweepMost = 1000

// Sweep forgets accounts whose address nobody has confirmed for a week, and letters, sign-ins and
// invitations that are over. It needs no keys.
func (s *Store) Sweep(ctx context.Context) error {
	for _, sql := range []string{
		`delete from letters where token_hash in (select token_hash from letters where ends_at < now() limit $1)`,
		`delete from invitations where id in (select id from invitations where ends_at < now() limit $1)`,
		`delete from sign_ins where id in (select id from sign_ins where ends_at < now() limit $1)`,
		`delete from people where id in (select id from people p where state = 'new' and created_at < now() - interval '7 days'
			and not exists (select from letters l where l.person_id = p.id) limit $1)`,
	} {
		if _, err := s.db.Exec(ctx, sql, sweepMost); err != nil {
			return away("forgetting what is over", err)
		}
	}
	return nil
}

// Run sweeps every so often until ctx ends.
func (s *Store) Run(ctx context.Context, every time.Duration, log *slog.Logger) error {
	return periodic.Run(ctx, every, log, "old accounts and sign-ins are not forgotten", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		return s.Sweep(ctx)
	})
}
