package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/terms"
)

// publisher publishes sales for the staff's API, as ropeline publish does.
type publisher struct {
	shows *catalogue.Store
	rdb   redis.UniversalClient
	keys  keyFolder
}

// newPublisher returns nil where there is no database, or no key for terms: who
// publishes sales may be somebody else.
func newPublisher(db *pgxpool.Pool, rdb redis.UniversalClient, keys keyFolder) (*publisher, error) {
	if db == nil {
		return nil, nil //nolint:nilnil // as said
	}
	if _, err := os.Stat(keys.path(termsKey)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as said
	} else if err != nil {
		return nil, err
	}
	return &publisher{catalogue.New(db, time.Now), rdb, keys}, nil
}

// planBook says to the staff's API what organizers' plans allow.
type planBook struct{ shows *catalogue.Store }

func (b planBook) Automatic(ctx context.Context, sale ropeline.SaleID) error {
	p, err := b.shows.PlanOfSale(ctx, sale)
	if err != nil {
		return err
	}
	return p.Automatic()
}

func (p *publisher) Terms(ctx context.Context, id ropeline.SaleID) (admission.TermsState, error) {
	sale, err := p.shows.Sale(ctx, id)
	if err != nil {
		return admission.TermsState{}, err
	}
	draft, err := p.shows.DraftTerms(ctx, sale, "to see it") // it is not kept
	if err != nil {
		return admission.TermsState{}, err
	}
	return stateOf(draft)
}

func (p *publisher) PublishTerms(ctx context.Context, id ropeline.SaleID, expect int, reason string) (admission.TermsState, error) {
	sale, err := p.shows.Sale(ctx, id)
	if err != nil {
		return admission.TermsState{}, err
	}
	draft, err := p.shows.DraftTerms(ctx, sale, reason)
	if err != nil {
		return admission.TermsState{}, err
	}
	if len(draft.Signed) != expect {
		return admission.TermsState{}, catalogue.ErrTermsChanged
	}
	newest, err := publishDraft(ctx, p.shows, p.rdb, p.keys, sale, draft)
	if err != nil {
		return admission.TermsState{}, err
	}
	state, err := stateOf(catalogue.TermsDraft{Signed: append(draft.Signed[:newest.version-1:newest.version-1], newest.signed)})
	state.Fresh = newest.fresh
	return state, err
}

// stateOf describes the newest version of a draft, and what would come next.
func stateOf(draft catalogue.TermsDraft) (admission.TermsState, error) {
	state := admission.TermsState{Version: len(draft.Signed), Changes: []terms.Change{}, Pending: []terms.Change{}}
	if state.Version == 0 {
		return state, nil
	}
	if draft.Next != nil {
		state.Pending = draft.Next.Changes
	}
	signed := draft.Signed[state.Version-1]
	sheet, err := terms.Unverified(signed)
	if err != nil {
		return state, err
	}
	state.At, state.Reason = &sheet.At, sheet.Reason
	state.Changes = append(state.Changes, sheet.Changes...)
	_, state.Hash, err = terms.Text(signed)
	return state, err
}
