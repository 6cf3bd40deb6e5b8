package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Refusals of a change of a program.
var (
	ErrProgramUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "program-unknown", Detail: "There is no such program."}
	ErrProgramFixed   = &ropeline.Error{Kind: ropeline.Conflict, Code: "program-fixed"}
)

// Kept is a version of a program.
type Kept struct {
	Program Program
	Version int
	Fresh   bool // Put has made the version
}

// keepProgram writes a version of a program down.
func keepProgram(ctx context.Context, tx pgx.Tx, p Program, version int, by audit.Change) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("writing program: %w", err)
	}
	if _, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfProgram, Subject: string(p.Sale.ID), Version: version}); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into programs (sale_id, version, document) values ($1, $2, $3)`, p.Sale.ID, version, doc)
	return err
}

// Program reads a version of a sale's program, the newest if version is 0.
func (s *Store) Program(ctx context.Context, sale ropeline.SaleID, version int) (k Kept, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		k, err = readProgram(ctx, tx, sale, version)
		return err
	})
	return k, storeError("reading the program of "+string(sale), err)
}

func readProgram(ctx context.Context, tx pgx.Tx, sale ropeline.SaleID, version int) (Kept, error) {
	if !sale.Valid() {
		return Kept{}, ErrProgramUnknown
	}
	var k Kept
	var doc []byte
	err := tx.QueryRow(ctx, `select version, document from programs where sale_id = $1 and $2::bigint in (0, version) order by version desc limit 1`, sale, version).
		Scan(&k.Version, &doc)
	if errors.Is(err, pgx.ErrNoRows) {
		return Kept{}, ErrProgramUnknown
	}
	if err != nil {
		return Kept{}, err
	}
	if err := json.Unmarshal(doc, &k.Program); err != nil {
		return Kept{}, fmt.Errorf("reading the program of %s: %w", sale, err)
	}
	return k, nil
}

// Put makes the sale of a program, or changes it: title of the event, when its
// performances start, what they cost, and the settings of the sale, which gets a
// new version. Their venues, reserves, currency and tariff stay: what was sold
// refers to them. Booking cores go by it within a minute.
func (s *Store) Put(ctx context.Context, p Program, by audit.Change) (k Kept, err error) {
	if err := errors.Join(p.validate(), by.Validate(by.Seen > 0)); err != nil {
		return Kept{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		k, err = s.put(ctx, tx, p, by)
		return err
	})
	if errors.Is(err, ErrSaleExists) { // another request has made it in this moment
		err = audit.ErrChanged
	}
	return k, storeError("putting the program of "+string(p.Sale.ID), err)
}

func (s *Store) put(ctx context.Context, tx pgx.Tx, p Program, by audit.Change) (Kept, error) {
	p, err := p.inUTC(ctx, tx)
	if err != nil {
		return Kept{}, err
	}
	if _, err := tx.Exec(ctx, `select from sales where id = $1 for update`, p.Sale.ID); err != nil {
		return Kept{}, err
	}
	old, err := readProgram(ctx, tx, p.Sale.ID, 0)
	if errors.Is(err, ErrProgramUnknown) {
		if by.Seen > 0 {
			return Kept{}, err
		}
		if _, err := s.makeProgram(ctx, tx, p, by); err != nil {
			return Kept{}, err
		}
		made, err := readProgram(ctx, tx, p.Sale.ID, 1)
		made.Fresh = true
		return made, err
	}
	if err != nil {
		return Kept{}, err
	}
	if p, err = old.Program.become(p); err != nil {
		return Kept{}, err
	}
	if same, err := old.Program.same(p); same || err != nil {
		return old, err
	}
	if !by.Blind && by.Seen != old.Version {
		return Kept{}, audit.ErrChanged
	}
	if err := s.lanesAllowed(ctx, tx, old.Program, p); err != nil {
		return Kept{}, err
	}
	if err := revise(ctx, tx, p); err != nil {
		return Kept{}, err
	}
	return Kept{Program: p, Version: old.Version + 1, Fresh: true}, keepProgram(ctx, tx, p, old.Version+1, by)
}

// become completes a program that is to follow another one, if it may.
func (p Program) become(next Program) (Program, error) {
	fixed := func(format string, args ...any) error {
		e := *ErrProgramFixed
		e.Detail = fmt.Sprintf(format, args...) + " cannot be changed any more: what was sold refers to it."
		return &e
	}
	if next.Account != "" && next.Tariff.FeeRate == 0 && next.Tariff.FeeFixed == 0 { // it is the plan's, as it was then
		next.Tariff.FeeRate, next.Tariff.FeeFixed = p.Tariff.FeeRate, p.Tariff.FeeFixed
	}
	switch {
	case next.Currency != p.Currency:
		return next, fixed("The currency")
	case next.EventID != p.EventID:
		return next, fixed("The event")
	case next.Tariff != p.Tariff:
		return next, fixed("The tariff")
	case next.Account != p.Account:
		return next, fixed("The account")
	case len(next.Performances) != len(p.Performances):
		return next, fixed("How many performances there are")
	case len(next.Sale.Performances) > 0 && !reflect.DeepEqual(next.Sale.Performances, p.Sale.Performances):
		return next, fixed("Which performances the sale has")
	}
	next.Performances = slices.Clone(next.Performances)
	for i, old := range p.Performances {
		s := &next.Performances[i]
		if s.Version == 0 {
			s.Version = old.Version
		}
		if s.Venue != old.Venue || s.Version != old.Version {
			return next, fixed("Performance %d: its venue", i+1)
		}
		if len(s.Reserves) == 0 {
			s.Reserves = old.Reserves
		}
		if !reflect.DeepEqual(s.Reserves, old.Reserves) {
			e := *ErrProgramFixed
			e.Detail = fmt.Sprintf("Performance %d: what it reserved when it was made stays written here. Add reserves, and release them, one by one.", i+1)
			return next, &e
		}
	}
	next.Sale.Performances, next.Sale.Version = p.Sale.Performances, p.Sale.Version
	if same, err := alike(next.Sale, p.Sale); err != nil || same {
		return next, err
	}
	next.Sale.Version++
	return next, nil
}

func (p Program) same(other Program) (bool, error) { return alike(p, other) }

// alike compares what is written of two values.
func alike(a, b any) (bool, error) {
	var texts [2]string
	for i, v := range []any{a, b} {
		text, err := json.Marshal(v)
		if err != nil {
			return false, err
		}
		texts[i] = string(text)
	}
	return texts[0] == texts[1], nil
}

// revise makes what a program says of what there is.
func revise(ctx context.Context, tx pgx.Tx, p Program) error {
	title := p.Event
	if title == "" && p.EventID == "" {
		title = p.Sale.Title
	}
	for i, showing := range p.Performances {
		id := p.Sale.Performances[i]
		v, err := readVenue(ctx, tx, showing.Venue, showing.Version)
		if err != nil {
			return err
		}
		prices, err := showing.money(v.Map, p.Currency)
		if err != nil {
			return err
		}
		var b pgx.Batch
		b.Queue(`update performances set starts_at = $2, doors_at = $3, ends_at = $4,
			was_at = case when starts_at <> $2 then coalesce(was_at, starts_at) else was_at end where id = $1`,
			id, showing.StartsAt, unlessZero(showing.DoorsAt), unlessZero(showing.EndsAt))
		b.Queue(`update events set title = $2, version = version + 1 where id = (select event_id from performances where id = $1) and $2 not in ('', title)`, id, title)
		for _, t := range v.Map.Layout().Tiers {
			b.Queue(`update tiers set amount = $3 where performance_id = $1 and first_unit = $2`, id, t.First, prices[t.Category].Amount)
		}
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
	}
	doc, err := json.Marshal(p.Sale)
	if err != nil {
		return fmt.Errorf("writing sale document: %w", err)
	}
	_, err = tx.Exec(ctx, `update sales set version = $2, document = $3 where id = $1`, p.Sale.ID, p.Sale.Version, doc)
	return err
}

// ProgramLine is a program in the list of all.
type ProgramLine struct {
	Sale      ropeline.SaleID `json:"sale"`
	Title     string          `json:"title"`
	Version   int             `json:"version" doc:"the newest"`
	Shows     int             `json:"performances" doc:"how many it has"`
	OpensAt   time.Time       `json:"opens_at"`
	EndsAt    time.Time       `json:"ends_at"`
	ChangedAt time.Time       `json:"changed_at"`
}

// Programs lists programs by their sales.
func (s *Store) Programs(ctx context.Context, p booking.Page) (page []ProgramLine, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !ropeline.SaleID(p.Cursor).Valid() {
		return nil, "", booking.ErrPage
	}
	rows, err := s.db.Query(ctx, `
		select distinct on (sale_id) sale_id, document->'sale'->>'title', version, jsonb_array_length(document->'performances'),
			(document->'sale'->>'opens_at')::timestamptz, (document->'sale'->>'ends_at')::timestamptz, created_at
		from programs where sale_id > $1 order by sale_id, version desc limit $2`, p.Cursor, size+1)
	if err != nil {
		return nil, "", storeError("listing programs", err)
	}
	lines, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (l ProgramLine, err error) {
		err = r.Scan(&l.Sale, &l.Title, &l.Version, &l.Shows, &l.OpensAt, &l.EndsAt, &l.ChangedAt)
		l.OpensAt, l.EndsAt, l.ChangedAt = l.OpensAt.UTC(), l.EndsAt.UTC(), l.ChangedAt.UTC()
		return l, err
	})
	page, next = booking.Cut(lines, size, func(l ProgramLine) string { return string(l.Sale) })
	return page, next, storeError("listing programs", err)
}
