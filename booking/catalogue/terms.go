package catalogue

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/terms"
)

// Refusals of a change of terms.
var (
	ErrReasonMissing = &ropeline.Error{Kind: ropeline.Invalid, Code: "reason-missing",
		Detail: "The terms of the sale have changed since they were published: give a reason, which the fans are shown."}
	ErrTermsChanged = &ropeline.Error{Kind: ropeline.Conflict, Code: "terms-changed",
		Detail: "Somebody else has published the terms of this sale at the same time. Look at them and try again."}
)

// TermsDraft is what there is of a sale's terms, and what comes next.
type TermsDraft struct {
	Signed []string     // all versions, version 1 first
	Next   *terms.Sheet // nil if the newest says what the catalogue says
}

// DraftTerms compares the terms of a sale with what the catalogue says now. A
// change needs a reason; the first version has none.
func (s *Store) DraftTerms(ctx context.Context, sale ropeline.Sale, reason string) (TermsDraft, error) {
	signed, err := s.terms(ctx, sale.ID)
	if err != nil {
		return TermsDraft{}, err
	}
	content, err := s.content(ctx, sale)
	if err != nil {
		return TermsDraft{}, err
	}
	if len(signed) == 0 {
		first := terms.First(sale.ID, content, s.now())
		return TermsDraft{Next: &first}, nil
	}
	newest, err := terms.Unverified(signed[len(signed)-1])
	if err != nil {
		return TermsDraft{}, fmt.Errorf("reading the terms of %s: %w", sale.ID, err)
	}
	next, different, err := newest.Next(content, s.now(), reason)
	switch {
	case err != nil:
		return TermsDraft{}, err
	case !different:
		return TermsDraft{Signed: signed}, nil
	case reason == "":
		return TermsDraft{}, ErrReasonMissing
	}
	return TermsDraft{Signed: signed, Next: &next}, nil
}

// KeepTerms keeps a version for ever, unless there is one of its number.
func (s *Store) KeepTerms(ctx context.Context, sheet terms.Sheet, signed string) error {
	hash, err := sheet.Hash()
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `insert into sale_terms (sale_id, version, hash, signed) values ($1, $2, $3, $4)`, sheet.Sale, sheet.Version, hash, signed)
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == "23505" {
		return ErrTermsChanged
	}
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("keeping the terms of %s: %w", sheet.Sale, err))
	}
	return nil
}

func (s *Store) terms(ctx context.Context, sale ropeline.SaleID) ([]string, error) {
	rows, err := s.db.Query(ctx, `select signed from sale_terms where sale_id = $1 order by version`, sale)
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading the terms of %s: %w", sale, err))
	}
	signed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading the terms of %s: %w", sale, err))
	}
	return signed, nil
}

// content is what the terms of a sale are now, past what is kept in memory.
func (s *Store) content(ctx context.Context, sale ropeline.Sale) (terms.Content, error) {
	shows := make([]terms.Performance, 0, len(sale.Performances))
	for _, id := range sale.Performances {
		p, err := s.read(ctx, id)
		if err != nil {
			return terms.Content{}, err
		}
		show := terms.Performance{ID: id, Title: p.Map.Title, Venue: p.Map.Venue, StartsAt: p.Map.StartsAt, Tiers: []terms.Tier{}}
		for _, t := range p.Map.Tiers {
			show.Tiers = append(show.Tiers, terms.Tier{ID: t.ID, Name: t.Name, Kind: t.Kind, Units: t.Count, Amount: t.Price.Amount, Currency: t.Price.Currency})
		}
		shows = append(shows, show)
	}
	return terms.Of(sale, shows), nil
}
