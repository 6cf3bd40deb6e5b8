package people

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Trait is what somebody lets organizers count: what is empty they have not given. It does
// not say whose it is.
type Trait struct {
	Country string
	Born    int // year
}

// traitsAtOnce is how many profiles are opened of one answer of Postgres.
const traitsAtOnce = 5000

// Traits opens the profiles of some people and returns what those of them have given who
// want to be counted: everybody who is not erased has one.
func (s *Store) Traits(ctx context.Context, ids []string) ([]Trait, error) {
	found := make([]Trait, 0, len(ids))
	for len(ids) > 0 {
		n := min(traitsAtOnce, len(ids))
		rows, err := s.db.Query(ctx, `select `+personColumns+` from people where id = any($1::uuid[]) and state <> 'erased'`, ids[:n])
		if err != nil {
			return nil, away("counting people", err)
		}
		some, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Trait, err error) {
			p, _, err := s.read(r)
			if p.Counted {
				t = Trait{p.Country, p.Born}
			}
			return t, err
		})
		if err != nil {
			return nil, away("counting people", err)
		}
		found, ids = append(found, some...), ids[n:]
	}
	return found, nil
}
