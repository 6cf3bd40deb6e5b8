package queue

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
)

// What is kept of presale codes where a loss of Redis does not reach it.
//
// Codes are written into the book before Redis has them, uses a moment after Redis
// has counted them: a fan waits for no database. A server that starts anew is
// compared with the book once, by whoever leads the sale. One that has lost
// everything refuses codes until then, and is told by the edges, too, which uses they
// have seen last: those that were not in the book yet. So a code is used too often
// only if Redis is lost together with the edge that saw the use, before the book had
// it: within a second or so, or for as long as the database was away.

// CodeBook keeps codes and their uses for good. All of it may be repeated.
type CodeBook interface {
	// AddCodes keeps codes of a batch, which is made on the way. What is there
	// already stays as it is.
	AddCodes(ctx context.Context, sale ropeline.SaleID, b CodeBatch, hashes []string) error
	// RevokeCodes takes back a batch or, without one, a code.
	RevokeCodes(ctx context.Context, sale ropeline.SaleID, batch, hash string) error
	// AddUses keeps uses that places have taken.
	AddUses(ctx context.Context, sale ropeline.SaleID, uses []CodeUse) error

	// Batches, Codes and Uses return what is kept; the latter two of it in parts.
	Batches(ctx context.Context, sale ropeline.SaleID) ([]CodeBatch, error)
	Codes(ctx context.Context, sale ropeline.SaleID, batch string, part func(hashes, revoked []string) error) error
	Uses(ctx context.Context, sale ropeline.SaleID, part func([]CodeUse) error) error
}

// CodeUse is a use of a code that a place has taken.
type CodeUse struct {
	Place       ropeline.PlaceID
	Hash, Batch string
}

const (
	// usesRemembered is how many uses an edge remembers of a sale: more than are
	// taken while the book is a moment behind.
	usesRemembered = 10_000
	// usesKept is how many uses are kept in one go.
	usesKept = 500
	// codesBack is about how long it takes until codes are back after a loss.
	codesBack = 5 * time.Second
)

// UseCodeBook lets codes be kept there. Call it before anything else.
func (s *Store) UseCodeBook(b CodeBook) { s.book = b }

// usedCode remembers a use that was taken here.
func (s *Store) usedCode(sale ropeline.SaleID, use CodeUse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	uses := append(s.uses[sale], use)
	if len(uses) > 2*usesRemembered {
		uses = slices.Clone(uses[len(uses)-usesRemembered:])
	}
	s.uses[sale] = uses
}

//go:embed lua/recall_uses.lua
var recallUsesSource string
var recallUsesScript = newScript("recall uses", recallUsesSource)

// recallUses tells a server that may have lost them which uses were taken here.
func (s *Store) recallUses(ctx context.Context, sale ropeline.SaleID) error {
	s.mu.Lock()
	uses := slices.Clone(s.uses[sale])
	s.mu.Unlock()
	return s.countUses(ctx, sale, uses, false)
}

func (s *Store) countUses(ctx context.Context, sale ropeline.SaleID, uses []CodeUse, kept bool) error {
	for chunk := range slices.Chunk(uses, codesInOneCall) {
		args := make([]any, 1, 1+3*len(chunk))
		args[0] = flag(kept)
		for _, u := range chunk {
			args = append(args, string(u.Place), u.Hash, u.Batch)
		}
		if _, err := s.runOn(ctx, sale, recallUsesScript, keysOf(sale, "redeemed", "code-uses", "code-unkept"), args...); err != nil {
			return err
		}
	}
	return nil
}

//go:embed lua/mend_codes.lua
var mendCodesSource string
var mendCodesScript = newScript("mend codes", mendCodesSource)

// MendCodes compares the codes of a sale with the book, if this controller leads
// and the server has started anew, or lost everything, since they were compared
// last. It reports whether it did. Without a book there is nothing to be put back.
func (s *Store) MendCodes(ctx context.Context, sale ropeline.SaleID, controller string) (bool, error) {
	word := uuid.NewString()
	mend := func(end bool) (bool, error) {
		reply, err := s.runOn(ctx, sale, mendCodesScript, keysOf(sale, "leader", "state"), controller, word, flag(end))
		return reply == int64(1), err
	}
	due, err := mend(false)
	if err != nil || !due {
		return false, err
	}
	// First the edges say what they know: they do until the lines have settled.
	if state, err := s.State(ctx, sale); err != nil || state.Settling {
		return false, err
	}
	if s.book != nil {
		if err := s.putCodesBack(ctx, sale); err != nil {
			return false, err
		}
	}
	return mend(true)
}

func (s *Store) putCodesBack(ctx context.Context, sale ropeline.SaleID) error {
	batches, err := s.book.Batches(ctx, sale)
	if err != nil {
		return err
	}
	for _, b := range batches {
		err := s.book.Codes(ctx, sale, b.ID, func(hashes, revoked []string) error {
			if _, err := s.writeCodes(ctx, sale, b, hashes); err != nil {
				return err
			}
			for _, hash := range revoked {
				if err := s.markRevoked(ctx, sale, "", hash); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil && b.Revoked {
			err = s.markRevoked(ctx, sale, b.ID, "")
		}
		if err != nil {
			return err
		}
	}
	return s.book.Uses(ctx, sale, func(uses []CodeUse) error { return s.countUses(ctx, sale, uses, true) })
}

// KeepCodeUses writes into the book which uses were taken since it did last.
func (s *Store) KeepCodeUses(ctx context.Context, sale ropeline.SaleID) error {
	for s.book != nil {
		unkept, err := s.rdb.HRandFieldWithValues(ctx, key(sale, "code-unkept"), usesKept).Result()
		if err != nil || len(unkept) == 0 {
			return storeError("reading the uses of codes", err)
		}
		uses, places := make([]CodeUse, len(unkept)), make([]string, len(unkept))
		for i, u := range unkept {
			hash, batch, _ := strings.Cut(u.Value, " ")
			uses[i], places[i] = CodeUse{ropeline.PlaceID(u.Key), hash, batch}, u.Key
		}
		if err := s.book.AddUses(ctx, sale, uses); err != nil {
			return err
		}
		if err := s.rdb.HDel(ctx, key(sale, "code-unkept"), places...).Err(); err != nil {
			return storeError("ticking off the uses of codes", err)
		}
		if len(unkept) < usesKept {
			return nil
		}
	}
	return nil
}

// HasLanes reports whether a sale has others than the main one.
func (s *Store) HasLanes(ctx context.Context, sale ropeline.SaleID) (bool, error) {
	sh, err := s.shape(ctx, sale)
	if errors.Is(err, ErrSettling) || errors.Is(err, ropeline.ErrSaleUnknown) {
		return false, nil
	}
	return len(sh.lanes) > 0, err
}
