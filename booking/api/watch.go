package api

import "context"

func (s *server) routeWatch() error {
	return all(
		handle(s, "get-watched", s.getWatched),
		handle(s, "watch", s.watch),
		handle(s, "unwatch", s.unwatch),
	)
}

type watchedID struct {
	ID string `path:"id" doc:"of the event"`
}

// IsWatched says whether somebody is told when a sale of an event opens.
type IsWatched struct {
	Watched bool `json:"watched"`
}

type gotWatched struct{ Body IsWatched }

func (s *server) getWatched(ctx context.Context, in *watchedID) (*gotWatched, error) {
	if _, err := s.guide.PublicEvent(ctx, in.ID); err != nil {
		return nil, err
	}
	yes, err := s.people.Watches(ctx, me(ctx).Person, in.ID)
	return &gotWatched{Body: IsWatched{yes}}, err
}

func (s *server) watch(ctx context.Context, in *watchedID) (*nothing, error) {
	if _, err := s.guide.PublicEvent(ctx, in.ID); err != nil {
		return nil, err
	}
	return &nothing{}, s.people.Watch(ctx, me(ctx).Person, in.ID)
}

func (s *server) unwatch(ctx context.Context, in *watchedID) (*nothing, error) {
	if _, err := s.guide.PublicEvent(ctx, in.ID); err != nil {
		return nil, err
	}
	return &nothing{}, s.people.Unwatch(ctx, me(ctx).Person, in.ID)
}
