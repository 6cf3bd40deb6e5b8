package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/terms"
)

// publisher publishes sales for the staff's API and for organizers, as ropeline publish
// does.
type publisher struct {
	shows *catalogue.Store
	rdb   redis.UniversalClient
	keys  keyFolder
	log   *slog.Logger
}

// newPublisher returns nil where there is no database, or no key for terms: who
// publishes sales may be somebody else.
func newPublisher(db *pgxpool.Pool, rdb redis.UniversalClient, keys keyFolder, log *slog.Logger) (*publisher, error) {
	if db == nil {
		return nil, nil //nolint:nilnil // as said
	}
	if _, err := os.Stat(keys.path(termsKey)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as said
	} else if err != nil {
		return nil, err
	}
	return &publisher{catalogue.New(db, time.Now), rdb, keys, log}, nil
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

const (
	publishEvery    = time.Second
	publishPatience = 8 * time.Second // less than another would wait before it takes one over
)

// Run publishes what organizers ask for, until ctx ends. What cannot be done now is done
// later; what never can is written down as refused, for whoever asked.
func (p *publisher) Run(ctx context.Context) error {
	every := time.NewTicker(publishEvery)
	defer every.Stop()
	for {
		more, err := p.next(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.Error("a sale waits to be published", "err", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// next publishes one sale. If this dies on the way, it is published again, which changes
// nothing.
func (p *publisher) next(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	asked, found, err := p.shows.TakePublication(ctx)
	if err != nil || !found {
		return false, err
	}
	err = p.publish(ctx, asked)
	if refused, ok := errors.AsType[*ropeline.Error](err); ok && refused.Kind != ropeline.Unavailable && refused.Kind != ropeline.Internal && refused.Kind != ropeline.Limited {
		p.log.Warn("a sale is not published", "sale", asked.Sale, "who", asked.Who, "err", err)
		asked.Refusal, err = &catalogue.PublicationRefusal{Code: refused.Code, Detail: refused.Detail}, nil
	}
	if err != nil {
		return true, fmt.Errorf("publishing %s: %w", asked.Sale, err)
	}
	return true, p.shows.ClosePublication(ctx, asked)
}

func (p *publisher) publish(ctx context.Context, asked catalogue.Publication) error {
	sale, err := p.shows.Sale(ctx, asked.Sale)
	if err != nil {
		return err
	}
	if sale.Version != asked.Version {
		return audit.ErrChanged // whoever changed it asks for it
	}
	newest, err := publish(ctx, p.shows, p.rdb, p.keys, sale, asked.Reason)
	if err == nil {
		p.log.Info("a sale is published", "sale", sale.ID, "version", sale.Version, "terms", newest.version, "who", asked.Who)
	}
	return err
}
