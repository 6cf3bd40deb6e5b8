package admission

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/ledger"
)

// LedgerHead is of Books.
func (a *Archive) LedgerHead(ctx context.Context, sale ropeline.SaleID) (head ledger.Head, event string, err error) {
	var text []byte
	err = a.db.QueryRow(ctx, `select entry from sale_ledger where sale_id = $1 order by seq desc limit 1`, sale).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.Head{}, "", nil
	}
	if err != nil {
		return ledger.Head{}, "", fmt.Errorf("reading the head of the ledger of %s: %w", sale, err)
	}
	e, err := ledger.Parse(text)
	if err != nil {
		return ledger.Head{}, "", fmt.Errorf("the archived ledger of %s: %w", sale, err)
	}
	at, err := ledger.ParseTime(e.Time)
	if err != nil {
		return ledger.Head{}, "", fmt.Errorf("the archived ledger of %s: %w", sale, err)
	}
	err = a.db.QueryRow(ctx, `
		select event from sale_ledger where sale_id = $1 and event is not null order by seq desc limit 1`, sale).Scan(&event)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return ledger.Head{}, "", fmt.Errorf("reading the ledger of %s: %w", sale, err)
	}
	return ledger.Head{Sale: sale, Seq: e.Seq, Hash: e.Hash, Time: at}, event, nil
}

// LedgerLast is of Books.
func (a *Archive) LedgerLast(ctx context.Context, sale ropeline.SaleID, most int) ([]json.RawMessage, error) {
	rows, err := a.db.Query(ctx, `select entry from sale_ledger where sale_id = $1 order by seq desc limit $2`, sale, most)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger of %s: %w", sale, err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading the ledger of %s: %w", sale, err)
	}
	slices.Reverse(texts)
	entries := make([]json.RawMessage, len(texts))
	for i, text := range texts {
		entries[i] = json.RawMessage(text)
	}
	return entries, nil
}

// EnterLedger is of Books. Entries that are kept already are left alone, so it
// may be repeated; that they are the same ones is looked at in the end.
func (a *Archive) EnterLedger(ctx context.Context, entries []ledger.Entry, event string) error {
	var batch pgx.Batch
	for i, e := range entries {
		text, err := ledger.Canonical(e)
		if err != nil {
			return err
		}
		hash, err := hex.DecodeString(e.Hash)
		if err != nil {
			return err
		}
		var upTo *string
		if i == len(entries)-1 && event != "" {
			upTo = &event
		}
		batch.Queue(`
			insert into sale_ledger (sale_id, seq, hash, entry, event) values ($1, $2, $3, $4, $5)
			on conflict (sale_id, seq) do nothing`, e.Sale, e.Seq, hash, string(text), upTo)
	}
	return pgx.BeginFunc(ctx, a.db, func(tx pgx.Tx) error {
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("archiving the ledger of %s: %w", entries[0].Sale, err)
		}
		return a.sameEntries(ctx, tx, entries)
	})
}

// sameEntries compares what is kept with entries. Each hash covers all before
// it, so the last one is enough.
func (a *Archive) sameEntries(ctx context.Context, tx pgx.Tx, entries []ledger.Entry) error {
	last := entries[len(entries)-1]
	var hash []byte
	if err := tx.QueryRow(ctx, `select hash from sale_ledger where sale_id = $1 and seq = $2`, last.Sale, last.Seq).Scan(&hash); err != nil {
		return fmt.Errorf("reading the ledger of %s: %w", last.Sale, err)
	}
	if hex.EncodeToString(hash) != last.Hash {
		return fmt.Errorf("entry %d of %s: %w", last.Seq, last.Sale, errForked)
	}
	return nil
}
