package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/guide"
)

func (s *server) routePerformers() error {
	return all(
		handle(s, "list-performers", s.listPerformers),
		handle(s, "get-performer", s.getPerformer),
		handle(s, "list-own-performers", s.listOwnPerformers),
		handle(s, "create-performer", s.createPerformer),
		handle(s, "get-own-performer", s.getOwnPerformer),
		handle(s, "put-performer", s.putPerformer),
	)
}

// somePage asks for a page of something, unless the caller has it already.
type somePage struct {
	Page
	Have string `header:"If-None-Match"`
}

// PerformerList is a page of performers.
type PerformerList struct {
	Performers []guide.KeptPerformer `json:"performers"`
	Next       string                `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

func (s *server) listPerformers(ctx context.Context, in *somePage) (*fresh[PerformerList], error) {
	list, next, err := s.guide.Performers(ctx, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, PerformerList{list, next})
}

func (s *server) getPerformer(ctx context.Context, in *known) (*fresh[guide.KeptPerformer], error) {
	k, err := s.guide.Performer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, k)
}

type gotPerformers struct{ Body PerformerList }

func (s *server) listOwnPerformers(ctx context.Context, in *Page) (*gotPerformers, error) {
	list, next, err := s.guide.Performers(ctx, in.of())
	return &gotPerformers{Body: PerformerList{list, next}}, err
}

type createPerformer struct {
	Creating
	Body guide.Performer
}

func (s *server) createPerformer(ctx context.Context, in *createPerformer) (*created[guide.KeptPerformer], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.CreatePerformer(ctx, in.Body, by)
	return &created[guide.KeptPerformer]{performersPath + "/" + k.ID, versionTag(k.Version), k}, err
}

func (s *server) getOwnPerformer(ctx context.Context, in *known) (*versioned[guide.KeptPerformer], error) {
	k, err := s.guide.Performer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, k.Version, &k), nil
}

type putPerformer struct {
	ID string `path:"id" doc:"of the performer"`
	Edited
	Body guide.Performer
}

func (s *server) putPerformer(ctx context.Context, in *putPerformer) (*versioned[guide.KeptPerformer], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.PutPerformer(ctx, in.ID, in.Body, by)
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version, false, &k), nil
}
