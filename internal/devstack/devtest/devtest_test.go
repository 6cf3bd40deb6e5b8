package devtest_test

import (
	"testing"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func TestEachTestHasAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := devtest.Postgres(t), devtest.Postgres(t)
	ctx := t.Context()
	if _, err := a.Exec(ctx, "create table mine (n int)"); err != nil {
		t.Fatal(err)
	}
	var here, there, migrated bool
	const exists = "select to_regclass($1) is not null"
	if err := a.QueryRow(ctx, exists, "mine").Scan(&here); err != nil {
		t.Fatal(err)
	}
	if err := b.QueryRow(ctx, exists, "mine").Scan(&there); err != nil {
		t.Fatal(err)
	}
	if err := b.QueryRow(ctx, exists, "orders").Scan(&migrated); err != nil {
		t.Fatal(err)
	}
	if !here || there || !migrated {
		t.Errorf("table in its own database %v (want true), in the other %v (want false), migrated %v (want true)", here, there, migrated)
	}
}

func TestClientsOfOneProcessShareOneRedis(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	if err := devtest.Redis(t).Set(ctx, "devtest:shared", "yes", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := devtest.Redis(t).Get(ctx, "devtest:shared").Result(); err != nil || got != "yes" {
		t.Fatalf("another client reads %q, %v", got, err)
	}
}

func TestPrivateRedisKeepsItsDataWhenKilled(t *testing.T) {
	t.Parallel()
	r := devtest.PrivateRedis(t)
	ctx := t.Context()
	if err := r.Client.Set(ctx, "kept", "yes", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.Kill()
	if err := r.Client.Ping(ctx).Err(); err == nil {
		t.Fatal("the killed server still answers")
	}
	r.Start()
	if got, err := r.Client.Get(ctx, "kept").Result(); err != nil || got != "yes" {
		t.Fatalf("after the restart: %q, %v", got, err)
	}
}
