package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/guide"
)

func (s *server) routeTours() error {
	return all(
		handle(s, "list-tours", s.listTours),
		handle(s, "get-tour", s.getTour),
		handle(s, "list-own-tours", s.listOwnTours),
		handle(s, "create-tour", s.createTour),
		handle(s, "get-own-tour", s.getOwnTour),
		handle(s, "put-tour", s.putTour),
	)
}

// TourList is a page of tours.
type TourList struct {
	Tours []guide.KeptTour `json:"tours"`
	Next  string           `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

func (s *server) listTours(ctx context.Context, in *somePage) (*fresh[TourList], error) {
	list, next, err := s.guide.PublicTours(ctx, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, TourList{list, next})
}

func (s *server) getTour(ctx context.Context, in *known) (*fresh[guide.KeptTour], error) {
	k, err := s.guide.PublicTour(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, k)
}

type gotTours struct{ Body TourList }

func (s *server) listOwnTours(ctx context.Context, in *Page) (*gotTours, error) {
	list, next, err := s.guide.Tours(ctx, in.of())
	return &gotTours{Body: TourList{list, next}}, err
}

type createTour struct {
	Creating
	Body guide.Tour
}

func (s *server) createTour(ctx context.Context, in *createTour) (*created[guide.KeptTour], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.CreateTour(ctx, in.Body, by)
	return &created[guide.KeptTour]{toursPath + "/" + k.ID, versionTag(k.Version), k}, err
}

func (s *server) getOwnTour(ctx context.Context, in *known) (*versioned[guide.KeptTour], error) {
	k, err := s.guide.Tour(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, k.Version, &k), nil
}

type putTour struct {
	ID string `path:"id" doc:"of the tour"`
	Edited
	Body guide.Tour
}

func (s *server) putTour(ctx context.Context, in *putTour) (*versioned[guide.KeptTour], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.PutTour(ctx, in.ID, in.Body, by)
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version, false, &k), nil
}
