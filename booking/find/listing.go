package find

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// Category is one that events have.
type Category struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty" doc:"the id of the one that it is part of"`
}

// Listing is what is most popular now, of a category or of all.
type Listing struct {
	Category   string     `json:"category,omitempty"`
	Categories []Category `json:"categories" doc:"all there are"`
	Events     []Entry    `json:"events"`

	text []byte
	tag  string
}

// Text is the listing as JSON; callers must not change it.
func (l *Listing) Text() []byte { return l.text }

// Tag is its ETag, a hash of the text.
func (l *Listing) Tag() string { return l.tag }

// snapshot is what is kept in memory: never changed, only replaced.
type snapshot struct {
	version  int64
	listings map[string]*Listing // by category; "": all
}

// listed is how many events a listing has.
const listed = 48

// ErrCategoryUnknown answers a request for a category that is not there.
var ErrCategoryUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "category-unknown", Detail: "There is no such category."}

// Listing returns what is most popular, of all categories or of one. It asks nobody, once
// it has been asked: while Run runs it is a few seconds old, or as old as Postgres has
// been away.
func (s *Store) Listing(ctx context.Context, category string) (*Listing, error) {
	now := s.popular.Load()
	if now == nil {
		if err := s.snap(ctx); err != nil {
			return nil, err
		}
		now = s.popular.Load()
	}
	l := now.listings[category]
	if l == nil {
		return nil, ErrCategoryUnknown
	}
	return l, nil
}

// Popular is the listing of all categories, nil as long as nobody has asked for one.
func (s *Store) Popular() *Listing {
	if now := s.popular.Load(); now != nil {
		return now.listings[""]
	}
	return nil
}

// follow makes the listings anew if something has changed, and forgets what was found before.
func (s *Store) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var version int64
	if err := s.db.QueryRow(ctx, `select version from find_turn`).Scan(&version); err != nil {
		return storeError("asking whether listings have changed", err)
	}
	now := s.popular.Load()
	if now != nil && now.version == version && s.answers.Load() != nil {
		return nil
	}
	if err := s.snap(ctx); err != nil {
		return err
	}
	s.answers.Store(newAnswers())
	return nil
}

// snap looks once for all who wait.
func (s *Store) snap(ctx context.Context) error {
	_, err, _ := s.snapping.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		next, err := s.look(ctx)
		if err != nil {
			return nil, err
		}
		s.popular.Store(next)
		return nil, nil
	})
	return storeError("listing what is popular", err)
}

// look makes all listings of one moment.
func (s *Store) look(ctx context.Context) (*snapshot, error) {
	next := &snapshot{listings: map[string]*Listing{}}
	err := pgx.BeginTxFunc(ctx, s.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `select version from find_turn`).Scan(&next.version); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select id, name, coalesce(parent, '') from categories order by position, id`)
		if err != nil {
			return err
		}
		categories, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Category])
		if err != nil {
			return err
		}
		below := map[string][]string{"": nil}
		for _, c := range categories {
			below[c.ID] = append(below[c.ID], c.ID)
			if c.Parent != "" {
				below[c.Parent] = append(below[c.Parent], c.ID)
			}
		}
		for category, ids := range below {
			l := &Listing{Category: category, Categories: categories}
			if l.Events, err = mostPopular(ctx, tx, ids); err != nil {
				return err
			}
			if err := l.write(); err != nil {
				return err
			}
			next.listings[category] = l
		}
		return nil
	})
	return next, err
}

func mostPopular(ctx context.Context, tx pgx.Tx, categories []string) ([]Entry, error) {
	t := statement{query: Query{kind: Event, order: Popular, priceTo: -1, size: listed - 1}, categories: categories}
	rows, err := tx.Query(ctx, t.sql(), t.all()...)
	if err != nil {
		return nil, err
	}
	events, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (Entry, error) {
		e, _, err := scan(r)
		return e, err
	})
	return append([]Entry{}, events...), err
}

// write keeps a listing as it is sent.
func (l *Listing) write() (err error) {
	if l.text, err = json.Marshal(l); err != nil {
		return fmt.Errorf("writing the listing of %q: %w", l.Category, err)
	}
	sum := sha256.Sum256(l.text)
	l.tag = `"` + hex.EncodeToString(sum[:12]) + `"`
	return nil
}
