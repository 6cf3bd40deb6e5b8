package queue

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// codeShelf is a book of one sale that may be away.
type codeShelf struct {
	mu      sync.Mutex
	away    bool
	batches map[string]CodeBatch
	codes   map[string]string // to their batches
	revoked map[string]bool
	uses    map[ropeline.PlaceID]CodeUse
}

func newCodeShelf() *codeShelf {
	return &codeShelf{batches: map[string]CodeBatch{}, codes: map[string]string{}, revoked: map[string]bool{}, uses: map[ropeline.PlaceID]CodeUse{}}
}

func (s *codeShelf) with(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return ropeline.ErrStoreAway
	}
	do()
	return nil
}

func (s *codeShelf) AddCodes(_ context.Context, _ ropeline.SaleID, b CodeBatch, hashes []string) error {
	return s.with(func() {
		s.batches[b.ID] = b
		for _, hash := range hashes {
			s.codes[hash] = b.ID
		}
	})
}

func (s *codeShelf) RevokeCodes(_ context.Context, _ ropeline.SaleID, batch, hash string) error {
	return s.with(func() { s.revoked[batch+hash] = true })
}

func (s *codeShelf) AddUses(_ context.Context, _ ropeline.SaleID, uses []CodeUse) error {
	return s.with(func() {
		for _, u := range uses {
			s.uses[u.Place] = u
		}
	})
}

func (s *codeShelf) Batches(context.Context, ropeline.SaleID) (batches []CodeBatch, err error) {
	err = s.with(func() {
		for _, b := range s.batches {
			b.Revoked = s.revoked[b.ID]
			batches = append(batches, b)
		}
	})
	return batches, err
}

func (s *codeShelf) Codes(_ context.Context, _ ropeline.SaleID, batch string, part func(hashes, revoked []string) error) error {
	var all, revoked []string
	err := s.with(func() {
		for hash, of := range s.codes {
			if of == batch {
				all = append(all, hash)
			}
			if of == batch && s.revoked[hash] {
				revoked = append(revoked, hash)
			}
		}
	})
	return errors.Join(err, part(all, revoked))
}

func (s *codeShelf) Uses(_ context.Context, _ ropeline.SaleID, part func([]CodeUse) error) error {
	var all []CodeUse
	if err := s.with(func() { all = slices.Collect(maps.Values(s.uses)) }); err != nil {
		return err
	}
	return part(all)
}

func (s *codeShelf) goes(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// booked is a laned sale whose codes are kept in a book.
func booked(t *testing.T) (*laned, *codeShelf) {
	t.Helper()
	l, book := openLaned(t, []ropeline.Lane{lane("members", 30)}, nil), newCodeShelf()
	l.keys.Code = make([]byte, 32)
	l.UseCodeBook(book)
	return l, book
}

// forgets lets the server lose the sale, and an edge write back what it knows of it.
func (l *laned) forgets(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	edge := NewLine(l.Store, l.sale.ID, slog.New(slog.DiscardHandler))
	if err := edge.snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	var err error
	if edge.charter, err = l.charter(ctx, l.sale.ID); err != nil {
		t.Fatal(err)
	}
	keys, err := l.rdb.Keys(ctx, "ropeline:{"+string(l.sale.ID)+"*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		if err := l.rdb.Del(ctx, key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := edge.putBack(ctx); err != nil {
		t.Fatal(err)
	}
}

// settles ticks until the lines have settled.
func (l *laned) settles(t *testing.T) {
	t.Helper()
	for range 60 {
		l.now = l.now.Add(TickInterval)
		ticked, err := l.Tick(t.Context(), l.sale.ID, "controller", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if !ticked.Settling {
			return
		}
	}
	t.Fatal("the lines did not settle")
}

func (l *laned) tries(t *testing.T, id ropeline.PlaceID, code string, want error) Redeemed {
	t.Helper()
	got, err := l.Redeem(t.Context(), l.sale.ID, Redeemer{Place: id, Address: string(id), Moves: true}, code, true)
	if !errors.Is(err, want) {
		t.Fatalf("%s brought %s: %+v, %v; want %v", id, code, got, err, want)
	}
	return got
}

// Redis loses everything: codes come back from the book, each with the uses that
// were taken, and until then nobody is told that a good code is a wrong one.
func TestALossOfTheStoreLosesNoCode(t *testing.T) {
	t.Parallel()
	l, book := booked(t)
	ctx, id := t.Context(), l.sale.ID
	add := func(batch string, uses int64, codes ...string) {
		t.Helper()
		if _, err := l.AddCodes(ctx, id, CodeBatch{ID: batch, Lane: "members", Uses: uses}, codes); err != nil {
			t.Fatal(err)
		}
	}
	add("b", 2, "FOR-TWO-A", "FOR-TWO-B", "REVOKED")
	add("gone", 1, "WHOLE-BATCH")
	if err := errors.Join(l.RevokeCodes(ctx, id, "", "REVOKED"), l.RevokeCodes(ctx, id, "gone", "")); err != nil {
		t.Fatal(err)
	}
	l.tries(t, "kept", "FOR-TWO-A", nil)
	if err := l.KeepCodeUses(ctx, id); err != nil || len(book.uses) != 1 {
		t.Fatalf("the book has %v, %v", book.uses, err)
	}
	// The database goes, and what is used meanwhile only Redis and this edge know.
	book.goes(true)
	l.tries(t, "unkept", "FOR-TWO-B", nil)
	if err := l.KeepCodeUses(ctx, id); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Fatalf("keeping uses in a book that is away: %v", err)
	}
	l.forgets(t)
	l.tries(t, "next", "FOR-TWO-A", ErrCodesUnavailable)
	l.settles(t)
	if mended, err := l.MendCodes(ctx, id, "controller"); mended || !errors.Is(err, ropeline.ErrStoreAway) {
		t.Fatalf("with the book away: %v, %v", mended, err)
	}
	l.tries(t, "next", "FOR-TWO-A", ErrCodesUnavailable)

	book.goes(false)
	if mended, err := l.MendCodes(ctx, id, "another"); mended || err != nil {
		t.Fatalf("one who does not lead: %v, %v", mended, err)
	}
	if mended, err := l.MendCodes(ctx, id, "controller"); !mended || err != nil {
		t.Fatalf("comparing: %v, %v", mended, err)
	}
	if again, err := l.MendCodes(ctx, id, "controller"); again || err != nil {
		t.Fatalf("comparing once more: %v, %v", again, err)
	}
	if err := l.KeepCodeUses(ctx, id); err != nil || len(book.uses) != 2 || book.uses["unkept"].Batch != "b" {
		t.Errorf("the book has %v, %v", book.uses, err)
	}
	for _, code := range []string{"FOR-TWO-A", "FOR-TWO-B"} {
		l.tries(t, ropeline.PlaceID("second-"+code), code, nil)
		l.tries(t, ropeline.PlaceID("third-"+code), code, ErrCodeSpent)
	}
	if got := l.tries(t, "kept", "FOR-TWO-A", nil); !got.Again {
		t.Errorf("whose use was kept brings the code again: %+v", got)
	}
	if got := l.tries(t, "unkept", "FOR-TWO-B", nil); !got.Again {
		t.Errorf("whose use was not kept yet brings the code again: %+v", got)
	}
	l.tries(t, "r", "REVOKED", ErrCodeRevoked)
	l.tries(t, "w", "WHOLE-BATCH", ErrCodeRevoked)
	batches, err := l.CodeBatches(ctx, id)
	if err != nil || len(batches) != 2 || batches[0].Codes != 3 || batches[0].Used != 4 || !batches[1].Revoked {
		t.Errorf("the batches are %+v, %v", batches, err)
	}
}

// A server that started anew has lost its last second at most: codes hold on, and
// what it lost comes back.
func TestAServerThatStartsAnewKnowsItsCodes(t *testing.T) {
	t.Parallel()
	l, book := booked(t)
	ctx, id := t.Context(), l.sale.ID
	if _, err := l.AddCodes(ctx, id, CodeBatch{ID: "b", Lane: "members", Uses: 1}, []string{"GOOD-CODE", "LAST-SECOND", "USED-CODE"}); err != nil {
		t.Fatal(err)
	}
	l.ticks(t, 1)
	if mended, err := l.MendCodes(ctx, id, "controller"); !mended || err != nil {
		t.Fatalf("the first comparison: %v, %v", mended, err)
	}
	l.tries(t, "one", "USED-CODE", nil)
	hash, err := l.hashCode(id, "LAST-SECOND")
	if err != nil {
		t.Fatal(err)
	}
	book.goes(true)
	err = errors.Join(l.rdb.HDel(ctx, key(id, "codes"), hash).Err(), l.rdb.Del(ctx, key(id, "code-uses"), key(id, "redeemed"), key(id, "code-unkept")).Err(),
		l.rdb.HSet(ctx, key(id, "state"), "codes_run", "another").Err())
	if err != nil {
		t.Fatal(err)
	}
	l.tries(t, "two", "GOOD-CODE", nil)
	if err := l.recallUses(ctx, id); err != nil {
		t.Fatal(err)
	}
	l.tries(t, "three", "USED-CODE", ErrCodeSpent)
	l.tries(t, "three", "LAST-SECOND", ErrCodeWrong)
	book.goes(false)
	if mended, err := l.MendCodes(ctx, id, "controller"); !mended || err != nil {
		t.Fatalf("comparing: %v, %v", mended, err)
	}
	l.tries(t, "three", "LAST-SECOND", nil)
}

// What is lost again while it is put back is not taken for whole.
func TestALossWhileCodesComeBackIsNoticed(t *testing.T) {
	t.Parallel()
	l, book := booked(t)
	ctx, id := t.Context(), l.sale.ID
	if _, err := l.AddCodes(ctx, id, CodeBatch{ID: "b", Lane: "members", Uses: 1}, []string{"GOOD-CODE"}); err != nil {
		t.Fatal(err)
	}
	l.forgets(t)
	l.settles(t)
	l.UseCodeBook(interrupted{book, func() {
		l.forgets(t)
		_, _ = l.Tick(ctx, id, "controller", time.Hour) // who leads is known again
	}})
	if mended, err := l.MendCodes(ctx, id, "controller"); mended || err != nil {
		t.Fatalf("comparing while everything is lost again: %v, %v", mended, err)
	}
	l.UseCodeBook(book)
	l.tries(t, "one", "GOOD-CODE", ErrCodesUnavailable)
	l.settles(t)
	if mended, err := l.MendCodes(ctx, id, "controller"); !mended || err != nil {
		t.Fatalf("comparing: %v, %v", mended, err)
	}
	l.tries(t, "one", "GOOD-CODE", nil)
}

// interrupted is a book at whose last page something happens.
type interrupted struct {
	*codeShelf
	happens func()
}

func (b interrupted) Uses(ctx context.Context, sale ropeline.SaleID, part func([]CodeUse) error) error {
	b.happens()
	return b.codeShelf.Uses(ctx, sale, part)
}
