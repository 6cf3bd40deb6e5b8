package admission_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// withMembers publishes an open sale with a lane that takes codes.
func withMembers(t *testing.T, store *queue.Store) ropeline.Sale {
	t.Helper()
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	sale.ID += "-laned"
	sale.Lanes = []ropeline.Lane{{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	return sale
}

// usesIn counts the uses that the database has.
func usesIn(t *testing.T, db *pgxpool.Pool, sale ropeline.SaleID) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `select count(*) from lane_code_uses where sale_id = $1`, sale).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// FLUSHALL under an edge and a controller: the codes are there again by
// themselves, with their uses, and meanwhile no good code is called a wrong one.
func TestRedisForgetsEverythingAndCodesHold(t *testing.T) {
	t.Parallel()
	rdb, db := devtest.PrivateRedis(t).Client, devtest.Postgres(t)
	edge, desk := queue.New(rdb, newStoreKeys), queue.New(rdb, newStoreKeys)
	t.Cleanup(edge.Close)
	t.Cleanup(desk.Close)
	desk.UseCodeBook(admission.NewCodeBook(db))
	sale := withMembers(t, desk)
	line := queue.NewLine(edge, sale.ID, quiet)
	run(t, line, admission.NewController(desk, quiet))
	<-line.Ready()
	ctx := t.Context()
	if _, err := desk.AddCodes(ctx, sale.ID, queue.CodeBatch{ID: "b", Lane: "members", Uses: 1}, []string{"USED-CODE", "GOOD-CODE"}); err != nil {
		t.Fatal(err)
	}
	redeem := func(place ropeline.PlaceID, code string) (queue.Redeemed, error) {
		return edge.Redeem(ctx, sale.ID, queue.Redeemer{Place: place, Address: string(place), Moves: true}, code, true)
	}
	await(t, desk, sale.ID, func(queue.State) bool {
		_, err := redeem("first", "USED-CODE")
		return err == nil
	})
	await(t, desk, sale.ID, func(queue.State) bool { return usesIn(t, db, sale.ID) == 1 })
	if err := rdb.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for deadline := time.After(30 * time.Second); ; {
		_, err := redeem("second", "USED-CODE")
		if errors.Is(err, queue.ErrCodeSpent) {
			break
		}
		if err == nil || errors.Is(err, queue.ErrCodeWrong) {
			t.Fatalf("after the loss: %v", err)
		}
		select {
		case <-every.C:
		case <-deadline:
			t.Fatalf("codes did not come back: %v", err)
		}
	}
	if got, err := redeem("third", "GOOD-CODE"); err != nil || got.Lane != "members" {
		t.Errorf("a good code afterwards: %+v, %v", got, err)
	}
}

// The database has what was issued and used, however often it is told, and in as
// many parts as it takes.
func TestTheCodeBookKeepsWhatWasIssuedAndUsed(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	book, ctx, id := admission.NewCodeBook(db), t.Context(), ropeline.SaleID("book")
	from, until := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond), time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	b := queue.CodeBatch{ID: "b", Lane: "members", Uses: 3, From: from, Until: until}
	hashes := make([]string, 2500)
	uses := make([]queue.CodeUse, len(hashes))
	for i := range hashes {
		hashes[i] = fmt.Sprintf("%022d", i)
		uses[i] = queue.CodeUse{Place: ropeline.PlaceID(fmt.Sprint("place-", i)), Hash: hashes[i], Batch: "b"}
	}
	uses = append(uses, queue.CodeUse{Place: "other", Hash: "made where there was no book"})
	for range 2 {
		err := errors.Join(
			book.AddCodes(ctx, id, b, hashes),
			book.AddCodes(ctx, id, queue.CodeBatch{ID: "another", Lane: "members", Uses: 1}, hashes[:5]), // they stay in theirs
			book.RevokeCodes(ctx, id, "", hashes[7]), book.RevokeCodes(ctx, id, "another", ""),
			book.AddUses(ctx, id, uses))
		if err != nil {
			t.Fatal(err)
		}
	}
	batches, err := book.Batches(ctx, id)
	if err != nil || len(batches) != 2 || !batches[0].Revoked || batches[0].Until != (time.Time{}) || batches[1].Revoked || batches[1].Uses != 3 ||
		!batches[1].From.Equal(from) || !batches[1].Until.Equal(until) {
		t.Errorf("the batches are %+v, %v", batches, err)
	}
	var kept, revoked []string
	err = book.Codes(ctx, id, "b", func(some, gone []string) error {
		kept, revoked = append(kept, some...), append(revoked, gone...)
		return nil
	})
	if err != nil || !slices.Equal(kept, hashes) || !slices.Equal(revoked, hashes[7:8]) {
		t.Errorf("%d codes are kept and %v revoked, %v", len(kept), revoked, err)
	}
	seen := map[ropeline.PlaceID]queue.CodeUse{}
	err = book.Uses(ctx, id, func(some []queue.CodeUse) error {
		for _, u := range some {
			seen[u.Place] = u
		}
		return nil
	})
	if err != nil || len(seen) != len(uses) || seen["place-2499"] != uses[2499] || seen["other"] != uses[2500] {
		t.Errorf("%d uses are kept, %v", len(seen), err)
	}
	gone := admission.NewCodeBook(away(t))
	for what, err := range map[string]error{
		"adding": gone.AddCodes(ctx, id, b, hashes), "revoking": gone.RevokeCodes(ctx, id, "b", ""), "keeping": gone.AddUses(ctx, id, uses),
		"reading": gone.Uses(ctx, id, func([]queue.CodeUse) error { return nil }),
	} {
		if !errors.Is(err, ropeline.ErrStoreAway) {
			t.Errorf("%s without the database: %v", what, err)
		}
	}
}

// Without the database codes are checked all the same, and none are made that a
// loss would take away.
func TestCodesAreCheckedWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	sale, ctx := withMembers(t, store), t.Context()
	if _, err := store.AddCodes(ctx, sale.ID, queue.CodeBatch{ID: "b", Lane: "members", Uses: 1}, []string{"GOOD-CODE"}); err != nil {
		t.Fatal(err)
	}
	store.UseCodeBook(admission.NewCodeBook(away(t)))
	if _, err := store.AddCodes(ctx, sale.ID, queue.CodeBatch{ID: "b", Lane: "members", Uses: 1}, []string{"NEXT-CODE"}); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("making codes: %v", err)
	}
	if err := store.RevokeCodes(ctx, sale.ID, "b", ""); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("revoking codes: %v", err)
	}
	redeem := func(place ropeline.PlaceID) error {
		patient, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := store.Redeem(patient, sale.ID, queue.Redeemer{Place: place, Moves: true}, "GOOD-CODE", true)
		return err
	}
	if err := redeem("one"); err != nil {
		t.Errorf("a good code: %v", err)
	}
	if err := redeem("two"); !errors.Is(err, queue.ErrCodeSpent) {
		t.Errorf("a spent code: %v", err)
	}
	if err := store.KeepCodeUses(ctx, sale.ID); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("keeping its use: %v", err)
	}
}
