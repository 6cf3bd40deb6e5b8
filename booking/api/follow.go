package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/people"
)

// FollowedList is a page of performers whom somebody follows.
type FollowedList struct {
	Performers []people.Followed `json:"performers"`
	Next       string            `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotFollowedList struct{ Body FollowedList }

func (s *server) listFollowed(ctx context.Context, in *Page) (*gotFollowedList, error) {
	list, next, err := s.people.Following(ctx, me(ctx).Person, in.of())
	return &gotFollowedList{Body: FollowedList{append([]people.Followed{}, list...), next}}, err
}

type performerID struct {
	ID string `path:"id" doc:"of the performer"`
}

// IsFollowed says whether one is followed.
type IsFollowed struct {
	Followed bool `json:"followed"`
}

type gotFollowed struct{ Body IsFollowed }

// knowPerformer fails for a performer that there is not.
func (s *server) knowPerformer(ctx context.Context, id string) error {
	_, err := s.guide.Performer(ctx, id)
	return err
}

func (s *server) getFollowed(ctx context.Context, in *performerID) (*gotFollowed, error) {
	if err := s.knowPerformer(ctx, in.ID); err != nil {
		return nil, err
	}
	yes, err := s.people.Follows(ctx, me(ctx).Person, in.ID)
	return &gotFollowed{Body: IsFollowed{yes}}, err
}

func (s *server) follow(ctx context.Context, in *performerID) (*nothing, error) {
	if err := s.knowPerformer(ctx, in.ID); err != nil {
		return nil, err
	}
	return &nothing{}, s.people.Follow(ctx, me(ctx).Person, in.ID)
}

func (s *server) unfollow(ctx context.Context, in *performerID) (*nothing, error) {
	if err := s.knowPerformer(ctx, in.ID); err != nil {
		return nil, err
	}
	return &nothing{}, s.people.Unfollow(ctx, me(ctx).Person, in.ID)
}
