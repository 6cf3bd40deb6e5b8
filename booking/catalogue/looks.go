package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/picture"
	"github.com/ropeline/ropeline/look"
)

// Refusals of a look.
var (
	ErrLookUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "look-unknown", Detail: "This sale has no look of its own, or not that version."}
	ErrLogoUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "logo-unknown", Detail: "This sale has no logo."}
	ErrLogoLarge   = &ropeline.Error{Kind: ropeline.TooLarge, Code: "logo-large", Detail: "A logo has 2 MB and 4,000 pixels in a side at most."}
)

// What a logo may have, and how wide it is drawn: twice what it is shown in.
const (
	MaxLogoBytes = 2 << 20
	maxLogoSide  = 4000
	logoWidth    = 480
)

// KeptLook is a version of a sale's look.
type KeptLook struct {
	look.Posted
	Sale  ropeline.SaleID
	Fresh bool // it was made by this change
}

// Page is what pages get of it, with the logo at an address.
func (k KeptLook) Page(logo string) (look.Page, error) {
	if k.Logo == nil {
		return k.Look.Page(k.Title, nil)
	}
	return k.Look.Page(k.Title, &look.Logo{Address: logo, Width: k.Logo.Width, Height: k.Logo.Height})
}

// Look reads a version of a sale's look, the newest if version is 0.
func (s *Store) Look(ctx context.Context, sale ropeline.SaleID, version int) (k KeptLook, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		k, err = readLook(ctx, tx, sale, version)
		return err
	})
	return k, storeError("reading the look of "+string(sale), err)
}

func readLook(ctx context.Context, tx pgx.Tx, sale ropeline.SaleID, version int) (KeptLook, error) {
	if !sale.Valid() {
		return KeptLook{}, ErrLookUnknown
	}
	k := KeptLook{Sale: sale}
	var doc, jpeg []byte
	var width, height int
	err := tx.QueryRow(ctx, `select l.version, l.document, l.logo, l.logo_width, l.logo_height, s.document ->> 'title' from looks l join sales s on s.id = l.sale_id
		where l.sale_id = $1 and $2::bigint in (0, l.version) order by l.version desc limit 1`, sale, version).Scan(&k.Version, &doc, &jpeg, &width, &height, &k.Title)
	if errors.Is(err, pgx.ErrNoRows) {
		return KeptLook{}, ErrLookUnknown
	}
	if err != nil {
		return KeptLook{}, err
	}
	if jpeg != nil {
		k.Logo = &look.PostedLogo{Width: width, Height: height, JPEG: jpeg}
	}
	if err := json.Unmarshal(doc, &k.Look); err != nil {
		return KeptLook{}, fmt.Errorf("reading the look of %s: %w", sale, err)
	}
	return k, nil
}

// PutLook makes the next version of a sale's look, unless it says what the newest says.
// The logo stays.
func (s *Store) PutLook(ctx context.Context, sale ropeline.SaleID, l look.Look, by audit.Change) (KeptLook, error) {
	if err := l.Validate(); err != nil {
		return KeptLook{}, err
	}
	return s.changeLook(ctx, sale, by, func(k *KeptLook) { k.Look = l })
}

// PutLogo draws a logo anew and makes it that of the sale; what it was is forgotten.
func (s *Store) PutLogo(ctx context.Context, sale ropeline.SaleID, file []byte, by audit.Change) (KeptLook, error) {
	logo, err := s.drawLogo(ctx, file)
	if err != nil {
		return KeptLook{}, err
	}
	return s.changeLook(ctx, sale, by, func(k *KeptLook) { k.Logo = logo })
}

// RemoveLogo takes it away.
func (s *Store) RemoveLogo(ctx context.Context, sale ropeline.SaleID, by audit.Change) (KeptLook, error) {
	return s.changeLook(ctx, sale, by, func(k *KeptLook) { k.Logo = nil })
}

// drawing lets one logo be drawn at a time: it takes 64 MB while it is.
var drawing = make(chan struct{}, 1)

func (s *Store) drawLogo(ctx context.Context, file []byte) (*look.PostedLogo, error) {
	if len(file) > MaxLogoBytes {
		return nil, ErrLogoLarge
	}
	// What is no picture is refused below.
	if head, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil && (head.Width > maxLogoSide || head.Height > maxLogoSide) {
		return nil, ErrLogoLarge
	}
	select {
	case drawing <- struct{}{}:
		defer func() { <-drawing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	drawn, err := picture.Draw(file, logoWidth)
	if err != nil {
		return nil, err
	}
	d := drawn[len(drawn)-1]
	return &look.PostedLogo{Width: d.Width, Height: d.Height, JPEG: d.JPEG}, nil
}

// changeLook makes the next version, of two at once one after the other: the sale is
// locked.
func (s *Store) changeLook(ctx context.Context, sale ropeline.SaleID, by audit.Change, change func(*KeptLook)) (k KeptLook, err error) {
	if err := by.Validate(by.Seen > 0); err != nil {
		return KeptLook{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		k, err = nextLook(ctx, tx, sale, by, change)
		return err
	})
	return k, storeError("changing the look of "+string(sale), err)
}

func nextLook(ctx context.Context, tx pgx.Tx, sale ropeline.SaleID, by audit.Change, change func(*KeptLook)) (KeptLook, error) {
	if !sale.Valid() {
		return KeptLook{}, ropeline.ErrSaleUnknown
	}
	old := KeptLook{Sale: sale}
	err := tx.QueryRow(ctx, `select document ->> 'title' from sales where id = $1 for update`, sale).Scan(&old.Title)
	if errors.Is(err, pgx.ErrNoRows) {
		return KeptLook{}, ropeline.ErrSaleUnknown
	}
	if err != nil {
		return KeptLook{}, err
	}
	if newest, err := readLook(ctx, tx, sale, 0); err == nil {
		old = newest
	} else if !errors.Is(err, ErrLookUnknown) {
		return KeptLook{}, err
	}
	next := old
	change(&next)
	doc, err := json.Marshal(next.Look)
	if err != nil {
		return KeptLook{}, fmt.Errorf("writing a look: %w", err)
	}
	if same, err := sameLook(old, next, doc); err != nil || same && old.Version > 0 {
		return old, err
	}
	if !by.Blind && by.Seen != old.Version {
		return KeptLook{}, audit.ErrChanged
	}
	next.Version, next.Fresh = old.Version+1, true
	if _, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfLook, Subject: string(sale), Version: next.Version}); err != nil {
		return KeptLook{}, err
	}
	var logo look.PostedLogo
	if next.Logo != nil {
		logo = *next.Logo
	}
	_, err = tx.Exec(ctx, `insert into looks (sale_id, version, document, logo, logo_width, logo_height) values ($1, $2, $3, $4, $5, $6)`,
		sale, next.Version, doc, logo.JPEG, logo.Width, logo.Height)
	return next, err
}

func sameLook(old, next KeptLook, doc []byte) (bool, error) {
	was, err := json.Marshal(old.Look)
	if err != nil {
		return false, fmt.Errorf("writing a look: %w", err)
	}
	same := bytes.Equal(was, doc) && (old.Logo == nil) == (next.Logo == nil)
	return same && (old.Logo == nil || bytes.Equal(old.Logo.JPEG, next.Logo.JPEG)), nil
}

// Looks is the index of the newest looks, of sales that are not over for a week.
func (s *Store) Looks(ctx context.Context) (look.Index, error) {
	rows, err := s.db.Query(ctx, `select distinct on (l.sale_id) l.sale_id, l.version, l.document -> 'domains' from looks l join sales s on s.id = l.sale_id
		where (s.document ->> 'ends_at')::timestamptz > now() - interval '7 days' order by l.sale_id, l.version desc`)
	if err != nil {
		return nil, storeError("listing looks", err)
	}
	index := look.Index{}
	var sale ropeline.SaleID
	var version int
	var domains []string
	_, err = pgx.ForEachRow(rows, []any{&sale, &version, &domains}, func() error {
		index[sale] = look.Entry{Version: version, Domains: domains}
		domains = nil
		return nil
	})
	return index, storeError("listing looks", err)
}
