package find

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Suggestion is what somebody may be typing the name of.
type Suggestion struct {
	Kind Kind   `json:"kind" enum:"event,performer,venue,tour"`
	ID   string `json:"id"`
	Name string `json:"name"`
	Line string `json:"line,omitempty"`
}

// suggestions is how many there are at most.
const suggestions = 8

// Suggest lists the most popular of what has the words of a text in its name; the last
// word may go on.
func (s *Store) Suggest(ctx context.Context, text string) ([]Suggestion, error) {
	q, err := Understand(Asked{Text: text})
	if err != nil {
		return nil, err
	}
	if q.text == "" {
		return []Suggestion{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.suggest(ctx, q.text)
	return found, storeError("looking for suggestions", err)
}

func (s *Store) suggest(ctx context.Context, text string) ([]Suggestion, error) {
	found, err := s.seek(ctx, text)
	if err != nil || len(found.words) == 0 {
		return []Suggestion{}, err
	}
	rows, err := s.db.Query(ctx, `select kind, id, name, line from find_entries where words @@ to_tsquery('guide', $1) order by popularity desc, id limit $2`,
		pgx.QueryExecModeCacheDescribe, tsquery("A", found.words...), suggestions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Suggestion])
}
