package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// With --postgres what codes does is in the database, too, and nothing is done where
// that is away; without it, codes are in Redis only.
func TestCodesAreKeptInPostgres(t *testing.T) {
	t.Parallel()
	url, dsn, rdb := devtest.RedisURL(t), devtest.PostgresDSN(t), devtest.Redis(t)
	db := devtest.PostgresAt(t, dsn)
	store := queue.New(rdb, queue.Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32)})
	t.Cleanup(store.Close)
	now := time.Now()
	sale := ropeline.Sale{
		ID: ropeline.SaleID(fmt.Sprintf("codes-%d", now.UnixNano())), Version: 1, Title: "Test",
		LobbyClosesAt: now.Add(time.Hour), OpensAt: now.Add(2 * time.Hour), EndsAt: now.Add(3 * time.Hour),
		Cap: 20, Rate: 600, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
		Lanes: []ropeline.Lane{{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}},
	}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := keyFolder(dir).init(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "own.csv"), []byte("OUR-FIRST\nOUR-SECOND\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	codes := func(do, database string, args ...string) string {
		t.Helper()
		flags := []string{"codes", do, "--redis", url, "--keys", "DIR"}
		if database != "" {
			flags = append(flags, "--postgres", database)
		}
		return session(t, dir, append(flags, args...)...)
	}
	// kept is what the database has of a batch: its codes, and whether it is revoked.
	kept := func(batch string) (n int, revoked bool) {
		t.Helper()
		err := db.QueryRow(t.Context(), `select count(c.hash), coalesce(bool_or(b.revoked), false) from lane_code_batches b
			left join lane_codes c using (sale_id, batch) where sale_id = $1 and batch = $2`, sale.ID, batch).Scan(&n, &revoked)
		if err != nil {
			t.Fatal(err)
		}
		return n, revoked
	}
	id := string(sale.ID)
	if text := codes("generate", dsn, "--count", "3", "--uses", "2", "--batch", "fanclub", id, "members"); strings.Count(text, ",fanclub,members,2,\n") != 3 {
		t.Errorf("three codes are\n%s", text)
	}
	expect(t, codes("import", dsn, "--file", "DIR/own.csv", "--batch", "sponsor", id, "members"), "batch sponsor: 2 codes kept, 2 of them new\n")
	expect(t, codes("revoke", dsn, "--batch", "sponsor", id), "revoked\n")
	codes("generate", "", "--count", "1", "--batch", "redis-only", id, "members")
	for batch, want := range map[string]struct {
		codes   int
		revoked bool
	}{"fanclub": {3, false}, "sponsor": {2, true}, "redis-only": {0, false}} {
		if n, revoked := kept(batch); n != want.codes || revoked != want.revoked {
			t.Errorf("the database has %d codes of %s, revoked %v; want %+v", n, batch, revoked, want)
		}
	}
	if text := codes("generate", "postgres://nobody@127.0.0.1:1/none", "--count", "1", "--batch", "nowhere", id, "members"); !strings.HasSuffix(text, "[1]\n") {
		t.Errorf("with the database away: %s", text)
	}
	expect(t, codes("counts", "", id), `fanclub: 3 codes to lane members, 2 uses each, 0 uses taken, holds
redis-only: 1 codes to lane members, 1 uses each, 0 uses taken, holds
sponsor: 2 codes to lane members, 1 uses each, 0 uses taken, revoked
`)
}
