package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/internal/bench"
)

// guide is a private Postgres with a program of many events, the more popular first.
type guide struct {
	server *bench.Postgres
	events []event
	names  names
}

type event struct{ id, title string }

// year is how many evenings a performer and a hall have, in all of which the events are: by
// Zipf's law alone somebody would have 14,000 of 200,000.
const year = 365

func newGuide(ctx context.Context, events int, out io.Writer) (g *guide, err error) {
	g = &guide{names: names{rand.New(rand.NewPCG(1, 2))}}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.server, err = bench.StartPostgres(ctx); err != nil {
		return g, err
	}
	db, err := pgx.Connect(ctx, g.server.DSN) // the pool's statements have to end within seconds
	if err != nil {
		return g, fmt.Errorf("connecting to fill the guide: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()
	began := time.Now()
	if err = g.fill(ctx, db, events); err != nil {
		return g, fmt.Errorf("filling the guide: %w", err)
	}
	if _, err = db.Exec(ctx, `vacuum analyze`); err != nil { // which Postgres does by itself, later
		return g, fmt.Errorf("analyzing the guide: %w", err)
	}
	filled := time.Now()
	if err = g.index(ctx, db); err != nil {
		return g, fmt.Errorf("making what can be found: %w", err)
	}
	fmt.Fprintf(out, "%d events written in %.0f s, and made to be found in %.0f s\n", events, filled.Sub(began).Seconds(), time.Since(filled).Seconds())
	return g, nil
}

// fill writes everything in one transaction. What hangs on an event is written first, and
// notes no change for the search: the event does, once.
func (g *guide) fill(ctx context.Context, db *pgx.Conn, events int) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local session_replication_role = replica`); err != nil {
			return err
		}
		now := time.Now().UTC().Truncate(time.Hour)
		copied := func(table string, columns []string, rows int, row func(int) []any) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return row(i), nil }))
			return err
		}
		venues, performers := make([]string, max(10, events/100)), make([]event, max(20, events/10))
		in := make([]int, len(venues)) // which city
		if err := copied("venues", []string{"id", "name", "city", "country", "time_zone", "latitude", "longitude"}, len(venues), func(i int) []any {
			venues[i], in[i] = uuid.NewString(), g.names.skewed(len(cities))
			c := cities[in[i]]
			return []any{venues[i], g.names.surname() + " " + evenly(g.names, streets), c.name, c.country, c.zone,
				c.latitude + g.names.NormFloat64()/20, c.longitude + g.names.NormFloat64()/20}
		}); err != nil {
			return err
		}
		if err := copied("performers", []string{"id", "name"}, len(performers), func(i int) []any {
			performers[i] = event{uuid.NewString(), g.names.performer()}
			return []any{performers[i].id, performers[i].title}
		}); err != nil {
			return err
		}
		g.events = make([]event, events)
		categories, whose, where := make([]string, events), make([]event, events), make([]int, events)
		plays, holds := make([]int, len(performers)), make([]int, len(venues))
		for i := range g.events {
			whose[i], where[i] = performers[g.names.free(plays)], g.names.free(holds)
			g.events[i].id = uuid.NewString()
			g.events[i].title, categories[i] = g.names.event(whose[i].title, cities[in[where[i]]].name)
		}
		shows := make([]string, events)
		if err := copied("performances", []string{"id", "event_id", "venue_id", "starts_at", "units"}, events, func(i int) []any {
			shows[i] = uuid.NewString()
			return []any{shows[i], g.events[i].id, venues[where[i]], now.Add(time.Duration(1+g.names.IntN(24*year)) * time.Hour), 1000}
		}); err != nil {
			return err
		}
		if err := copied("tiers", []string{"performance_id", "id", "name", "kind", "first_unit", "units", "amount", "currency"}, events, func(i int) []any {
			return []any{shows[i], uuid.NewString(), "Standing", "general", 0, 1000, 1000 + 500*g.names.IntN(30), "EUR"}
		}); err != nil {
			return err
		}
		if err := copied("event_performers", []string{"event_id", "performer_id", "position"}, events, func(i int) []any {
			return []any{g.events[i].id, whose[i].id, 0}
		}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `set local session_replication_role = origin`); err != nil {
			return err
		}
		return copied("events", []string{"id", "title", "category_id", "about"}, events, func(i int) []any {
			return []any{g.events[i].id, g.events[i].title, categories[i], strings.Repeat("Two hours of songs from three albums, and a few that nobody has heard yet. ", 4)}
		})
	})
}

// index makes what can be found as a core does it, and makes the k-th event as popular as
// if it had been looked at a million times, divided by k.
func (g *guide) index(ctx context.Context, db *pgx.Conn) error {
	s := find.New(g.server.Pool, slog.New(slog.DiscardHandler))
	for tries := 0; ; {
		n, err := s.Refresh(ctx)
		if tries++; errors.Is(err, ropeline.ErrStoreAway) && tries < 10 && ctx.Err() == nil {
			continue // a batch took too long, on a busy machine: a core comes back to it, too
		}
		if err != nil {
			return err
		}
		if tries = 0; n == 0 {
			break
		}
	}
	ids := make([]string, len(g.events))
	for i, e := range g.events {
		ids[i] = e.id
	}
	_, err := db.Exec(ctx, `update find_entries f set popularity = find_warmer(f.popularity, 1e6 / n, now())
		from unnest($1::uuid[]) with ordinality u (id, n) where f.kind = 'event' and f.id = u.id`, ids)
	if err != nil {
		return err
	}
	if err := s.MarkPopular(ctx); err != nil {
		return err
	}
	for _, sql := range []string{`update find_turn set version = version + 1`, `vacuum analyze`} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// typo is what somebody types who looks for one of the events, of which more look for the
// more popular: two words of its name, or one, and the first of four letters and more mistyped.
func (g *guide) typo() string {
	for {
		words, typed := strings.Fields(pick(g.names, g.events).title), []string{}
		slipped := false
		for _, w := range words {
			if w = strings.Trim(w, ":"); !slipped && len([]rune(w)) > 5 {
				w, slipped = g.names.mistyped(w), true
			}
			if typed = append(typed, w); slipped && len(typed) >= 2 {
				return strings.Join(typed[len(typed)-2:], " ")
			}
		}
		if slipped {
			return strings.Join(typed, " ")
		}
	}
}

// Close stops the server, and removes what it wrote.
func (g *guide) Close() error {
	if g.server == nil {
		return nil
	}
	return g.server.Close()
}
