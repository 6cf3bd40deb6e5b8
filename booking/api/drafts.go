package api

import (
	"context"
	"encoding/json"

	"github.com/ropeline/ropeline/booking/guide"
)

func (s *server) routeDrafts() error {
	return all(
		handle(s, "get-draft", s.getDraft),
		handle(s, "put-draft", s.putDraft),
		handle(s, "delete-draft", s.deleteDraft),
	)
}

func (s *server) getDraft(ctx context.Context, in *known) (*versioned[guide.SaleDraft], error) {
	d, err := s.guide.Draft(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, d.Version, &d), nil
}

// DraftDocument is what to keep.
type DraftDocument struct {
	Document json.RawMessage `json:"document" doc:"an object of the page's own, of 60,000 bytes at most"`
}

type putDraft struct {
	ID string `path:"id" doc:"of the event"`
	Edited
	Body DraftDocument
}

func (s *server) putDraft(ctx context.Context, in *putDraft) (*versioned[guide.SaleDraft], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.guide.PutDraft(ctx, in.ID, in.Body.Document, by)
	if err != nil {
		return nil, err
	}
	return putAnswer(d.Version, true, &d), nil
}

type deleteDraft struct {
	ID string `path:"id" doc:"of the event"`
	Edited
}

func (s *server) deleteDraft(ctx context.Context, in *deleteDraft) (*struct{}, error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.guide.DropDraft(ctx, in.ID, by)
}
