package migrations_test

import (
	"slices"
	"testing"

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/migrations"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func TestOneOfManyProcessesMigrates(t *testing.T) {
	t.Parallel()
	dsn := devtest.PostgresDSN(t)
	if _, err := devtest.PostgresAt(t, dsn).Exec(t.Context(), "drop schema public cascade; create schema public"); err != nil {
		t.Fatal(err)
	}
	if pending, err := migrations.Pending(t.Context(), dsn); err != nil || !pending {
		t.Fatalf("an empty database has pending migrations: %v, %v", pending, err)
	}
	applied := make([][]string, 3)
	var g errgroup.Group
	for i := range applied {
		g.Go(func() (err error) {
			applied[i], err = migrations.Run(t.Context(), dsn)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var busy int
	for _, names := range applied {
		if len(names) > 0 {
			busy++
		}
	}
	if busy != 1 {
		t.Errorf("%d of 3 applied migrations: %v", busy, applied)
	}
	if pending, err := migrations.Pending(t.Context(), dsn); err != nil || pending {
		t.Errorf("after that migrations are pending: %v, %v", pending, err)
	}
}

// Keys between partitions say what keys between the tables would, as long as a row
// and what it names are in partitions of the same number.
func TestPartitionsCheckTheirKeys(t *testing.T) {
	t.Parallel()
	for table, other := range map[string]string{"orders": "attempts", "tickets": "orders", "order_ledger": "orders"} {
		var checked int
		err := devtest.Postgres(t).QueryRow(t.Context(), `
			select count(*) from pg_inherits i join pg_class p on p.oid = i.inhrelid
			join pg_constraint k on k.conrelid = p.oid and k.contype = 'f' and k.convalidated
			join pg_inherits j on j.inhrelid = k.confrelid and j.inhparent = $2::regclass
			join pg_class q on q.oid = j.inhrelid
			where i.inhparent = $1::regclass and pg_get_expr(p.relpartbound, p.oid) = pg_get_expr(q.relpartbound, q.oid)`, table, other).Scan(&checked)
		if err != nil || checked != 16 {
			t.Errorf("%d partitions of %s know their %s, %v; want all 16", checked, table, other, err)
		}
	}
}

// A program with a newer river needs what that brings: another migration of ours. A process
// that dies between two of river's steps leaves those before to whoever tries again.
func TestRiverHasAllOfItsMigrations(t *testing.T) {
	t.Parallel()
	all, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if versions := all.AllVersions(); versions[len(versions)-1].Version != migrations.JobsNewest {
		t.Errorf("river is at its migration %d, our newest makes %d", versions[len(versions)-1].Version, migrations.JobsNewest)
	}
	dsn := devtest.PostgresDSN(t)
	db := devtest.PostgresAt(t, dsn)
	if _, err := db.Exec(t.Context(), "drop schema public cascade; create schema public"); err != nil {
		t.Fatal(err)
	}
	some, err := rivermigrate.New(riverpgxv5.New(db), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := some.Migrate(t.Context(), rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{MaxSteps: 4}); err != nil {
		t.Fatal(err)
	}
	if applied, err := migrations.Run(t.Context(), dsn); err != nil || !slices.Contains(applied, "0054_jobs") {
		t.Errorf("going on: %v, %v", applied, err)
	}
}
