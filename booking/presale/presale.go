// Package presale makes codes that lead to a lane of a sale, for organizers.
//
// Nothing keeps a code: those who check them have hashes of them (Book), and here they are
// worked out of a key, the sale and the batch's name. So a request that comes again, because
// its answer was lost, is told the same ones, and nobody else can be.
package presale

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Book is where those look who check codes.
type Book interface {
	// AddCodes keeps codes of one batch. The same again change nothing.
	AddCodes(ctx context.Context, sale ropeline.SaleID, r Rules, codes []string) error
	// CodeBatches are in the order of their names.
	CodeBatches(ctx context.Context, sale ropeline.SaleID) ([]Batch, error)
	// RevokeCodes takes a batch back. Who came in by it, stays. Again changes nothing.
	RevokeCodes(ctx context.Context, sale ropeline.SaleID, name string) error
}

const (
	// MostCodes is how many one request makes: what a browser can save at once.
	MostCodes = 10_000
	// MostBatches is how many a sale has. Redis keeps every code.
	MostBatches = 100
	// MostUses bounds how often a code may be used.
	MostUses = 1_000_000
)

// Refusals.
var (
	ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "codes-invalid"}
	ErrExist   = &ropeline.Error{Kind: ropeline.Conflict, Code: "codes-exist", Detail: "There are codes of this name already. Choose another name: nothing was made."}
	ErrEarly   = &ropeline.Error{Kind: ropeline.Conflict, Code: "codes-early", Detail: "The waiting room has not heard of this sale yet. Open it first: codes can be made from then on."}
	ErrMost    = &ropeline.Error{Kind: ropeline.Conflict, Code: "codes-most", Detail: fmt.Sprintf("A sale has %d batches of codes at most.", MostBatches)}
	ErrUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "codes-unknown", Detail: "There are no such codes."}
	ErrKeyless = &ropeline.Error{Kind: ropeline.Conflict, Code: "codes-elsewhere", Detail: "Codes cannot be made here: this installation makes them on its command line."}
)

// Rules are what all codes of a batch have in common.
type Rules struct {
	Name  string    `json:"name" doc:"1 to 40 lower-case letters, digits and hyphens"`
	Lane  string    `json:"lane" doc:"where they lead to: one that takes codes"`
	Uses  int64     `json:"uses,omitempty" doc:"how often each may be used; once if left out"`
	From  time.Time `json:"from,omitzero" doc:"they hold from then on; at once if left out"`
	Until time.Time `json:"until,omitzero" doc:"and until then; as long as the sale if left out"`
}

// Batch is what is known of codes that were made.
type Batch struct {
	Rules
	Codes     int64 `json:"codes" doc:"how many there are"`
	Used      int64 `json:"used" doc:"how often they were used, all together"`
	Withdrawn bool  `json:"withdrawn,omitempty"`
}

var name = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

func invalid(why string) error {
	e := *ErrInvalid
	e.Detail = why + ". Nothing was made."
	return &e
}

// check refuses rules that are none of this sale's.
func (r Rules) check(sale ropeline.Sale, count int, now time.Time) error {
	lane, ok := sale.Lane(r.Lane)
	switch {
	case !name.MatchString(r.Name):
		return invalid("Codes have a name of 1 to 40 lower-case letters, digits and hyphens")
	case !ok || !lane.Takes(ropeline.EntryCode):
		return invalid("The sale has no such lane that is entered with codes")
	case count < 1 || count > MostCodes:
		return invalid(fmt.Sprintf("Ask for 1 to %d codes at once", MostCodes))
	case r.Uses < 1 || r.Uses > MostUses:
		return invalid(fmt.Sprintf("A code may be used 1 to %d times", MostUses))
	case !r.Until.IsZero() && (!r.Until.After(now) || !r.Until.After(r.From)):
		return invalid("Codes hold until a time that is still to come, and after that from which they hold")
	case !r.From.IsZero() && !r.From.Before(sale.EndsAt):
		return invalid("Codes hold from a time on at which the sale is not over")
	}
	return nil
}

// Store makes codes, and writes down who did.
type Store struct {
	db   *pgxpool.Pool
	key  []byte
	book Book // nil: codes are made elsewhere
	now  func() time.Time
}

// New returns a Store. Whoever has the key can work out all codes that are made with it.
func New(db *pgxpool.Pool, key []byte, book Book, now func() time.Time) *Store {
	return &Store{db, key, book, now}
}

// Make makes a batch of codes, and tells them. It is written down who did before they are
// kept: whoever dies in between is told the same codes if they ask again with their key.
func (s *Store) Make(ctx context.Context, sale ropeline.Sale, r Rules, count int, by audit.Change) (Rules, []string, error) {
	if s.book == nil {
		return r, nil, ErrKeyless
	}
	r.Uses = max(r.Uses, 1)
	if err := by.Validate(false); err != nil {
		return r, nil, err
	}
	if err := r.check(sale, count, s.now()); err != nil {
		return r, nil, err
	}
	if err := s.note(ctx, sale.ID, r, count, by); err != nil {
		return r, nil, err
	}
	codes := s.codes(sale.ID, r.Name, count)
	return r, codes, s.book.AddCodes(ctx, sale.ID, r, codes)
}

// note lets no name be taken twice, but by the same request.
func (s *Store) note(ctx context.Context, sale ropeline.SaleID, r Rules, count int, by audit.Change) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, sale); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select batch from lane_code_batches where sale_id = $1
			union select name from catalogue_changes where what = $2 and subject = $1`, sale, audit.OfCodes)
		if err != nil {
			return err
		}
		there, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		_, before, err := by.Note(ctx, tx, audit.Edit{What: audit.OfCodes, Subject: string(sale), Version: made, Name: r.Name},
			string(sale), r.Name, r.Lane, fmt.Sprint(r.Uses, count, r.From.UnixMicro(), r.Until.UnixMicro()))
		switch {
		case err != nil || before:
			return err
		case slices.Contains(there, r.Name):
			return ErrExist
		case len(there) >= MostBatches:
			return ErrMost
		}
		return nil
	})
	return storeError("noting that codes are made", err)
}

// lock lets one at a time change the codes of a sale.
func lock(ctx context.Context, tx pgx.Tx, sale ropeline.SaleID) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('codes of ' || $1::text, 0))`, sale)
	return err
}

// The versions of a batch, in what was changed.
const (
	made = iota + 1
	withdrawn
)

// codes are those of a batch: always the same ones, 60 bits each.
func (s *Store) codes(sale ropeline.SaleID, batch string, n int) []string {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // none that is taken for another
	codes := make([]string, n)
	mac := hmac.New(sha256.New, s.key)
	for i := range codes {
		mac.Reset()
		fmt.Fprintf(mac, "presale code\n%s\n%s\n%d", sale, batch, i)
		var text []byte
		for j, b := range mac.Sum(nil)[:12] {
			if j > 0 && j%4 == 0 {
				text = append(text, '-')
			}
			text = append(text, letters[b%32])
		}
		codes[i] = string(text)
	}
	return codes
}

// Batches is a page of the batches of a sale, by their names.
func (s *Store) Batches(ctx context.Context, sale ropeline.SaleID, p booking.Page) (page []Batch, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := base64.RawURLEncoding.DecodeString(p.Cursor) // a name, which may be any on the command line
	if err != nil || !booking.IsPlain(string(after)) {
		return nil, "", booking.ErrPage
	}
	all, err := s.all(ctx, sale)
	if err != nil {
		return nil, "", err
	}
	page, next = booking.Cut(slices.DeleteFunc(all, func(b Batch) bool { return b.Name <= string(after) }), size, func(b Batch) string { return base64.RawURLEncoding.EncodeToString([]byte(b.Name)) })
	return page, next, nil
}

func (s *Store) all(ctx context.Context, sale ropeline.SaleID) ([]Batch, error) {
	if s.book == nil {
		return nil, ErrKeyless
	}
	return s.book.CodeBatches(ctx, sale)
}

// Withdraw takes a batch back: its codes let nobody in any more. Again changes nothing.
func (s *Store) Withdraw(ctx context.Context, sale ropeline.SaleID, batch string, by audit.Change) error {
	if err := by.Validate(true); err != nil {
		return err
	}
	all, err := s.all(ctx, sale)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(b Batch) bool { return b.Name == batch })
	if i < 0 {
		return ErrUnknown
	}
	if all[i].Withdrawn {
		return nil
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, sale); err != nil {
			return err
		}
		var noted bool // by somebody who died before the line had heard of it
		if err := tx.QueryRow(ctx, `select exists (select from catalogue_changes where what = $1 and subject = $2 and name = $3 and version = $4)`,
			audit.OfCodes, sale, batch, withdrawn).Scan(&noted); err != nil || noted {
			return err
		}
		_, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfCodes, Subject: string(sale), Version: withdrawn, Name: batch})
		return err
	})
	if err != nil {
		return storeError("noting that codes are withdrawn", err)
	}
	return s.book.RevokeCodes(ctx, sale, batch)
}

// storeError makes whatever is not an error of ours one of the store's.
func storeError(what string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*ropeline.Error](err); ok {
		return own
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
