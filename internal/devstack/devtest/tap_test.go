package devtest_test

import (
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// A commit is told from others by what it commits.
func TestATapTellsCommitsApart(t *testing.T) {
	t.Parallel()
	tap := devtest.NewTap(nil)
	conn, err := pgx.Connect(t.Context(), tap.Postgres(t, devtest.PostgresDSN(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var names []string
	tap.Watch(func(name string) devtest.Cut {
		names = append(names, name)
		return devtest.Let
	}, nil)
	err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into events (id, title) values (gen_random_uuid(), $1)`, "x")
		return err
	})
	tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil)
	const insert = "insert into events (id, title) values (gen_random_uuid(), $1)"
	if want := []string{"begin", insert, "commit after " + insert}; err != nil || !slices.Equal(names, want) {
		t.Errorf("it was asked %q, %v; want %q", names, err, want)
	}
}

// What is cut before the server hears of it is not done, what is cut after is; in
// both cases the program hears nothing.
func TestATapCutsBeforeAndAfter(t *testing.T) {
	t.Parallel()
	dsn, at := devtest.PostgresDSN(t), devtest.PrivateRedis(t)
	tap := devtest.NewTap(map[string]string{"redis.call('INCR', KEYS[1])": "count"})
	db, key := devtest.PostgresAt(t, dsn), "tapped"
	count := func(t *testing.T) (rows, counted int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `select count(*) from events`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if err := at.Client.Get(t.Context(), key).Scan(&counted); err != nil {
			t.Fatal(err)
		}
		return rows, counted
	}
	script := redis.NewScript("redis.call('INCR', KEYS[1]) return 1")
	pgURL, redisURL := tap.Postgres(t, dsn), tap.Redis(t, at.URL)
	if u, err := url.Parse(pgURL); err != nil || !strings.HasPrefix(u.Host, "127.0.0.1:") {
		t.Fatalf("Postgres is tapped at %s", pgURL)
	}
	for _, c := range []struct {
		name       string
		cut        devtest.Cut
		rows, hits int
	}{
		{"", devtest.Let, 1, 1},
		{"insert into events", devtest.Before, 1, 2},
		{"insert into events", devtest.After, 2, 3},
		{"script count", devtest.Before, 3, 3},
		{"script count", devtest.After, 4, 4},
	} {
		conn, err := pgx.Connect(t.Context(), pgURL)
		if err != nil {
			t.Fatal(err)
		}
		rdb := redis.NewClient(&redis.Options{Addr: strings.TrimSuffix(strings.TrimPrefix(redisURL, "redis://"), "/0"), MaxRetries: -1})
		var stopped atomic.Bool
		names := make(chan string, 8)
		tap.Watch(func(name string) devtest.Cut {
			names <- name
			if c.cut != devtest.Let && strings.HasPrefix(name, c.name) {
				return c.cut
			}
			return devtest.Let
		}, func() { stopped.Store(true) })
		_, pgErr := conn.Exec(t.Context(), `insert into events (id, title) values (gen_random_uuid(), $1)`, "x")
		redisErr := script.Run(t.Context(), rdb, []string{key}).Err()
		if cutPg, cutRedis := strings.HasPrefix(c.name, "insert"), strings.HasPrefix(c.name, "script"); (pgErr != nil) != cutPg || (redisErr != nil) != cutRedis || stopped.Load() != (c.cut != devtest.Let) {
			t.Errorf("%q cut %v: Postgres answered %v, Redis %v, stopped %v", c.name, c.cut, pgErr, redisErr, stopped.Load())
		}
		if rows, hits := count(t); rows != c.rows || hits != c.hits {
			t.Errorf("%q cut %v: there are %d rows and %d counted, want %d and %d", c.name, c.cut, rows, hits, c.rows, c.hits)
		}
		want := []string{"insert into events (id, title) values (gen_random_uuid(), $1)", "script count"}
		if strings.HasPrefix(c.name, "insert") { // nothing is judged after a cut
			want = want[:1]
		}
		for _, name := range want {
			if got := <-names; got != name {
				t.Errorf("it was asked %q, want %q", got, name)
			}
		}
		if len(names) > 0 {
			t.Errorf("it was asked %q, too", <-names)
		}
		_ = conn.Close(t.Context()) // cut, perhaps
		if err := rdb.Close(); err != nil {
			t.Error(err)
		}
	}
}
