// Package migrations holds the one folder of database migrations and applies
// them. Files are named 0001_what.sql, go forward only and are never edited
// once released.
//
// Several processes may start at once: an advisory lock in Postgres lets one
// of them migrate while the others wait for it. The package does not say what
// the tables mean; each belongs to the booking package that reads it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// Run applies what is missing in the database of the DSN and returns the
// names of the migrations that it applied.
func Run(ctx context.Context, dsn string) ([]string, error) {
	var applied []string
	err := with(dsn, func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		for _, r := range results {
			name := r.Source.Path
			if r.Source.Version == jobs {
				name = "0054_jobs" // it has no file
			}
			applied = append(applied, name)
		}
		return err
	})
	if err != nil {
		return applied, fmt.Errorf("migrating: %w", err)
	}
	return applied, nil
}

// Pending says whether the database lacks a migration that this program
// brings.
func Pending(ctx context.Context, dsn string) (bool, error) {
	var pending bool
	err := with(dsn, func(p *goose.Provider) (err error) {
		pending, err = p.HasPending(ctx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking for pending migrations: %w", err)
	}
	return pending, nil
}

func with(dsn string, do func(*goose.Provider) error) (err error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("reading the Postgres DSN: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := provider(db, dsn)
	if err != nil {
		return err
	}
	return do(p)
}

func provider(db *sql.DB, dsn string) (*goose.Provider, error) {
	// Ask for the lock each second, for five minutes: a big migration of another process takes that long.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, fmt.Errorf("making the migration lock: %w", err)
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker),
		goose.WithGoMigrations(goose.NewGoMigration(jobs, &goose.GoFunc{RunDB: makeJobs(dsn)}, nil)))
}

// jobs is the number of the migration that makes river's tables, as its own migrations do.
// A river that brings more of them needs another migration of ours: a test says so.
const (
	jobs       = 54
	jobsNewest = 8
)

// makeJobs has river migrate to that, each of its steps in a transaction of its own: one uses
// a value that another adds to a type, which Postgres refuses in one. River counts what was
// done, so that the next try goes on after it.
func makeJobs(dsn string) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, _ *sql.DB) error {
		pool, err := pgxpool.New(ctx, dsn)
		if err != nil {
			return fmt.Errorf("migrating jobs: %w", err)
		}
		defer pool.Close()
		river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
		if err != nil {
			return fmt.Errorf("reading the migrations of jobs: %w", err)
		}
		if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: jobsNewest}); err != nil {
			return fmt.Errorf("migrating jobs: %w", err)
		}
		return nil
	}
}
