package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
)

// Refusals of a publication.
var (
	ErrNotAsked   = &ropeline.Error{Kind: ropeline.NotFound, Code: "publication-unknown", Detail: "Nobody has asked for this sale to be published."}
	ErrSaleEnded  = &ropeline.Error{Kind: ropeline.Conflict, Code: "sale-over", Detail: "The sale has ended: there is nothing to open any more. Change its times first."}
	ErrEventDraft = &ropeline.Error{Kind: ropeline.Conflict, Code: "event-draft", Detail: "An event of this sale is not published: nothing of it would be on sale. Publish it first."}
)

// Publication is what was asked for of a sale, and what became of it.
type Publication struct {
	Sale    ropeline.SaleID
	Version int64 // of its document
	Reason  string
	Who     string
	AskedAt time.Time
	DoneAt  *time.Time
	Refusal *PublicationRefusal // nil: it was done, or will be
}

// PublicationRefusal is why a sale is not published.
type PublicationRefusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

const publicationColumns = `sale_id, version, reason, who, asked_at, done_at, refusal`

func scanPublication(r pgx.CollectableRow) (p Publication, err error) {
	err = r.Scan(&p.Sale, &p.Version, &p.Reason, &p.Who, &p.AskedAt, &p.DoneAt, &p.Refusal)
	return p, err
}

func publicationOf(ctx context.Context, tx pgx.Tx, query string, args ...any) (Publication, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return Publication{}, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPublication)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotAsked
	}
	return p, err
}

// Publication reads what was asked for last.
func (s *Store) Publication(ctx context.Context, sale ropeline.SaleID) (p Publication, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		p, err = publicationOf(ctx, tx, `select `+publicationColumns+` from publications where sale_id = $1`, sale)
		return err
	})
	return p, storeError("reading the publication of "+string(sale), err)
}

// AskPublication asks for a sale to be made known to the line as it is now. It is done by
// whoever has the keys for it (TakePublication). The same again while it is under way
// changes nothing; once it is done, or refused, it is asked for anew.
func (s *Store) AskPublication(ctx context.Context, sale ropeline.Sale, by audit.Change) (p Publication, err error) {
	if err := by.Validate(false); err != nil {
		return Publication{}, err
	}
	if !sale.EndsAt.After(s.now()) {
		return Publication{}, ErrSaleEnded
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var version int64
		var drafts bool
		err := tx.QueryRow(ctx, `select version, exists (select from sale_performances sp join performances p on p.id = sp.performance_id join events e on e.id = p.event_id
			where sp.sale_id = s.id and e.state = 'draft') from sales s where id = $1 for update of s`, sale.ID).Scan(&version, &drafts)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ropeline.ErrSaleUnknown
		case err != nil:
			return err
		case drafts:
			return ErrEventDraft
		}
		before, err := publicationOf(ctx, tx, `select `+publicationColumns+` from publications where sale_id = $1`, sale.ID)
		if err == nil && before.DoneAt == nil && before.Version == version && before.Reason == by.Reason {
			p = before
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotAsked) {
			return err
		}
		p, err = publicationOf(ctx, tx, `insert into publications (sale_id, version, reason, who) values ($1, $2, $3, $4)
			on conflict (sale_id) do update set version = excluded.version, reason = excluded.reason, who = excluded.who, asked_at = now(), tried_at = null, done_at = null, refusal = null
			returning `+publicationColumns, sale.ID, version, by.Reason, by.Who)
		if err != nil {
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfPublication, Subject: string(sale.ID), Version: int(version)})
		return err
	})
	return p, storeError("asking for the publication of "+string(sale.ID), err)
}

// publicationLease is how long whoever took one may be at it before another takes it.
const publicationLease = 10 * time.Second

// TakePublication takes one that is asked for, the oldest first, for some seconds; false
// if there is none.
func (s *Store) TakePublication(ctx context.Context) (p Publication, found bool, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		p, err = publicationOf(ctx, tx, `update publications set tried_at = now() where sale_id = (select sale_id from publications
			where done_at is null and (tried_at is null or tried_at < now() - $1::interval) order by asked_at limit 1 for update skip locked)
			returning `+publicationColumns, publicationLease)
		return err
	})
	if errors.Is(err, ErrNotAsked) {
		return p, false, nil
	}
	return p, err == nil, storeError("taking a publication", err)
}

// ClosePublication writes down what became of one. If it was asked for anew meanwhile, it
// stays open.
func (s *Store) ClosePublication(ctx context.Context, p Publication) error {
	var refusal []byte
	if p.Refusal != nil {
		var err error
		if refusal, err = json.Marshal(p.Refusal); err != nil {
			return fmt.Errorf("writing a refusal: %w", err)
		}
	}
	_, err := s.db.Exec(ctx, `update publications set done_at = now(), refusal = $3 where sale_id = $1 and asked_at = $2`, p.Sale, p.AskedAt, refusal)
	return storeError("closing the publication of "+string(p.Sale), err)
}
