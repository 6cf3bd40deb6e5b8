package migrations_test

import (
	"testing"

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
