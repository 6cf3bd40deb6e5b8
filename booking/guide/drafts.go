package guide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
)

// MaxDraft bounds a draft, in bytes.
const MaxDraft = 60_000

// Refusals of a draft.
var (
	ErrDraftUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "draft-unknown", Detail: "Nothing is being set up for this event."}
	ErrDraftInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "draft-invalid", Detail: fmt.Sprintf("A draft is a JSON object of at most %d bytes.", MaxDraft)}
)

// SaleDraft is what somebody has typed of a sale that is being set up for an event. Nobody
// reads it but the page that keeps it, so it may be as unfinished as it is; what comes of
// it is a program, which is checked. It is in no audit trail: nothing is promised by it.
type SaleDraft struct {
	Version   int             `json:"version"`
	Document  json.RawMessage `json:"document" doc:"an object of the page's own"`
	Who       string          `json:"who" doc:"staff: and a name: who changed it last"`
	ChangedAt time.Time       `json:"changed_at"`
}

// draftText is a document as it is kept.
func draftText(document []byte) (string, error) {
	var text bytes.Buffer
	if len(document) > MaxDraft || !utf8.Valid(document) || json.Compact(&text, document) != nil || text.Len() == 0 || text.Bytes()[0] != '{' {
		return "", ErrDraftInvalid
	}
	return text.String(), nil
}

// Draft reads that of an event.
func (s *Store) Draft(ctx context.Context, event string) (SaleDraft, error) {
	return one(ctx, s.db, event, scanDraft, ErrDraftUnknown, `select version, document, who, changed_at from drafts where event_id = $1`)
}

func scanDraft(r pgx.CollectableRow) (d SaleDraft, err error) {
	var text string
	err = r.Scan(&d.Version, &text, &d.Who, &d.ChangedAt)
	d.Document, d.ChangedAt = json.RawMessage(text), d.ChangedAt.UTC()
	return d, err
}

// PutDraft replaces the version that was seen, none if that is 0. What somebody puts
// again as they have just put it is taken: their answer may have been lost.
func (s *Store) PutDraft(ctx context.Context, event string, document []byte, by audit.Change) (SaleDraft, error) {
	text, err := draftText(document)
	if err != nil {
		return SaleDraft{}, err
	}
	if _, err := s.Event(ctx, event); err != nil {
		return SaleDraft{}, err
	}
	query := `update drafts set version = version + 1, document = $3, who = $4, changed_at = now() where event_id = $1 and version = $2 returning version, document, who, changed_at`
	if by.Seen == 0 {
		query = `insert into drafts (event_id, version, document, who) values ($1, $2 + 1, $3, $4) on conflict do nothing returning version, document, who, changed_at`
	}
	rows, err := s.db.Query(ctx, query, event, by.Seen, text, by.Who)
	if err != nil {
		return SaleDraft{}, storeError("keeping a draft", err)
	}
	kept, err := pgx.CollectExactlyOneRow(rows, scanDraft)
	if !errors.Is(err, pgx.ErrNoRows) {
		return kept, storeError("keeping a draft", err)
	}
	now, err := s.Draft(ctx, event)
	if err == nil && (now.Version != by.Seen+1 || now.Who != by.Who || string(now.Document) != text) {
		err = audit.ErrChanged
	}
	return now, err
}

// DropDraft forgets the version that was seen.
func (s *Store) DropDraft(ctx context.Context, event string, by audit.Change) error {
	now, err := s.Draft(ctx, event)
	if err != nil {
		return err
	}
	tag, err := s.db.Exec(ctx, `delete from drafts where event_id = $1 and version = $2`, event, by.Seen)
	if err == nil && (tag.RowsAffected() == 0 || now.Version != by.Seen) {
		return audit.ErrChanged
	}
	return storeError("forgetting a draft", err)
}
