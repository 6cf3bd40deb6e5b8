package catalogue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/terms"
)

// ErrReasonMissing refuses a change of terms that nobody gave a reason for.
var ErrReasonMissing = &ropeline.Error{Kind: ropeline.Invalid, Code: "reason-missing",
	Detail: "The terms of the sale have changed since they were published: give a reason, which the fans are shown."}

// errTermsRace means that somebody else published the same version just now.
var errTermsRace = &ropeline.Error{Kind: ropeline.Conflict, Code: "terms-changed",
	Detail: "Somebody else has published the terms of this sale at the same time. Look at them and try again."}

// Publish writes the next version of a sale's terms if the catalogue says
// something else than the newest one, and returns all versions, signed. A change
// needs a reason; the first version has none. The settings are of the sale's
// document in the database.
func (s *Store) Publish(ctx context.Context, sale ropeline.Sale, reason string, sign func(kind string, text []byte) string) ([]string, error) {
	signed, err := s.Terms(ctx, sale.ID)
	if err != nil {
		return nil, err
	}
	content, err := s.content(ctx, sale)
	if err != nil {
		return nil, err
	}
	sheet := terms.First(sale.ID, content, time.Now())
	if n := len(signed); n > 0 {
		newest, err := terms.Unverified(signed[n-1])
		if err != nil {
			return nil, fmt.Errorf("reading the terms of %s: %w", sale.ID, err)
		}
		next, ok, err := newest.Next(content, time.Now(), reason)
		if err != nil || !ok {
			return signed, err
		}
		if reason == "" {
			return nil, ErrReasonMissing
		}
		sheet = next
	}
	text, err := terms.Canonical(sheet)
	if err != nil {
		return nil, err
	}
	hash, err := sheet.Hash()
	if err != nil {
		return nil, err
	}
	made := sign(terms.Type, text)
	_, err = s.db.Exec(ctx, `insert into sale_terms (sale_id, version, hash, signed) values ($1, $2, $3, $4)`, sale.ID, sheet.Version, hash, made)
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == "23505" {
		return nil, errTermsRace
	}
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("keeping the terms of %s: %w", sale.ID, err))
	}
	return append(signed, made), nil
}

// Terms returns every version of a sale's terms, signed: version 1 first.
func (s *Store) Terms(ctx context.Context, sale ropeline.SaleID) ([]string, error) {
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
