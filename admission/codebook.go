package admission

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// CodeBook keeps presale codes in Postgres: the truth of what was issued and
// used, of which Redis has a copy.
type CodeBook struct{ db *pgxpool.Pool }

// NewCodeBook returns the code book of a database.
func NewCodeBook(db *pgxpool.Pool) *CodeBook { return &CodeBook{db} }

// codesRead is how many codes or uses are read in one go.
const codesRead = 1000

// codesAway is the error of a database that did not do something.
func codesAway(doing string, err error) error {
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", doing, err))
}

// AddCodes is of queue.CodeBook.
func (b *CodeBook) AddCodes(ctx context.Context, sale ropeline.SaleID, batch queue.CodeBatch, hashes []string) error {
	ctx, cancel := context.WithTimeout(ctx, booksPatience)
	defer cancel()
	err := pgx.BeginFunc(ctx, b.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into lane_code_batches (sale_id, batch, lane, uses, from_at, until_at)
			values ($1, $2, $3, $4, $5, $6) on conflict (sale_id, batch) do nothing`,
			sale, batch.ID, batch.Lane, batch.Uses, orNull(batch.From), orNull(batch.Until))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into lane_codes (sale_id, hash, batch)
			select $1, hash, $2 from unnest($3::text[]) as hash on conflict (sale_id, hash) do nothing`, sale, batch.ID, hashes)
		return err
	})
	if err != nil {
		return codesAway("keeping codes", err)
	}
	return nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// RevokeCodes is of queue.CodeBook.
func (b *CodeBook) RevokeCodes(ctx context.Context, sale ropeline.SaleID, batch, hash string) error {
	ctx, cancel := context.WithTimeout(ctx, booksPatience)
	defer cancel()
	sql, of := `update lane_code_batches set revoked = true where sale_id = $1 and batch = $2`, batch
	if batch == "" {
		sql, of = `update lane_codes set revoked = true where sale_id = $1 and hash = $2`, hash
	}
	if _, err := b.db.Exec(ctx, sql, sale, of); err != nil {
		return codesAway("revoking codes", err)
	}
	return nil
}

// AddUses is of queue.CodeBook.
func (b *CodeBook) AddUses(ctx context.Context, sale ropeline.SaleID, uses []queue.CodeUse) error {
	ctx, cancel := context.WithTimeout(ctx, booksPatience)
	defer cancel()
	places, hashes := make([]string, len(uses)), make([]string, len(uses))
	for i, u := range uses {
		places[i], hashes[i] = string(u.Place), u.Hash
	}
	_, err := b.db.Exec(ctx, `
		insert into lane_code_uses (sale_id, place, hash)
		select $1, place, hash from unnest($2::text[], $3::text[]) as used (place, hash) on conflict (sale_id, place) do nothing`, sale, places, hashes)
	if err != nil {
		return codesAway("keeping the uses of codes", err)
	}
	return nil
}

// Batches is of queue.CodeBook.
func (b *CodeBook) Batches(ctx context.Context, sale ropeline.SaleID) ([]queue.CodeBatch, error) {
	ctx, cancel := context.WithTimeout(ctx, booksPatience)
	defer cancel()
	rows, err := b.db.Query(ctx, `select batch, lane, uses, from_at, until_at, revoked from lane_code_batches where sale_id = $1 order by batch`, sale)
	if err != nil {
		return nil, codesAway("reading codes", err)
	}
	batches, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (batch queue.CodeBatch, err error) {
		var from, until *time.Time
		err = r.Scan(&batch.ID, &batch.Lane, &batch.Uses, &from, &until, &batch.Revoked)
		if from != nil {
			batch.From = *from
		}
		if until != nil {
			batch.Until = *until
		}
		return batch, err
	})
	if err != nil {
		return nil, codesAway("reading codes", err)
	}
	return batches, nil
}

// Codes is of queue.CodeBook.
func (b *CodeBook) Codes(ctx context.Context, sale ropeline.SaleID, batch string, part func(hashes, revoked []string) error) error {
	for last := ""; ; {
		rows, err := b.db.Query(ctx, `
			select hash, revoked from lane_codes where sale_id = $1 and batch = $2 and hash > $3 order by hash limit $4`, sale, batch, last, codesRead)
		if err != nil {
			return codesAway("reading codes", err)
		}
		var hashes, revoked []string
		var taken bool
		_, err = pgx.ForEachRow(rows, []any{&last, &taken}, func() error {
			if hashes = append(hashes, last); taken {
				revoked = append(revoked, last)
			}
			return nil
		})
		if err != nil {
			return codesAway("reading codes", err)
		}
		if err := part(hashes, revoked); err != nil || len(hashes) < codesRead {
			return err
		}
	}
}

// Uses is of queue.CodeBook. A use of a code that is not known, which was made
// where there was no book, is of no batch.
func (b *CodeBook) Uses(ctx context.Context, sale ropeline.SaleID, part func([]queue.CodeUse) error) error {
	for last := ropeline.PlaceID(""); ; {
		rows, err := b.db.Query(ctx, `
			select u.place, u.hash, coalesce(c.batch, '') from lane_code_uses u left join lane_codes c using (sale_id, hash)
			where u.sale_id = $1 and u.place > $2 order by u.place limit $3`, sale, last, codesRead)
		if err != nil {
			return codesAway("reading the uses of codes", err)
		}
		uses, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (u queue.CodeUse, err error) {
			return u, r.Scan(&u.Place, &u.Hash, &u.Batch)
		})
		if err != nil {
			return codesAway("reading the uses of codes", err)
		}
		if len(uses) > 0 {
			last = uses[len(uses)-1].Place
		}
		if err := part(uses); err != nil || len(uses) < codesRead {
			return err
		}
	}
}

// clerk looks after the codes of the sales that a controller leads: their uses go
// into the book, and what Redis has lost comes back from it. Nothing in the line
// waits for that.
type clerk struct {
	store  *queue.Store
	leader string
	log    *slog.Logger
}

// clerkEvery is for how long a use is in Redis and in an edge's memory only.
const clerkEvery = time.Second

func (c *clerk) run(ctx context.Context) {
	faults := throttle{}
	every := time.NewTicker(clerkEvery)
	defer every.Stop()
	for {
		ids, _ := c.store.Sales(ctx) // the controller says so if it fails
		for _, id := range ids {
			if err := c.look(ctx, id); err != nil && ctx.Err() == nil && faults.allow(time.Now()) {
				c.log.Warn("looking after the codes", "sale", id, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (c *clerk) look(ctx context.Context, sale ropeline.SaleID) error {
	if has, err := c.store.HasLanes(ctx, sale); err != nil || !has {
		return err
	}
	mended, err := c.store.MendCodes(ctx, sale, c.leader)
	if mended {
		c.log.Info("compared the codes with those kept", "sale", sale)
	}
	if err != nil {
		return err
	}
	return c.store.KeepCodeUses(ctx, sale)
}
