package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/wish"
)

func (s *server) routeWishes() error {
	return all(
		handle(s, "wish", s.wish),
		handle(s, "show-wish-step", s.showWishStep),
		handle(s, "take-wish-step", s.takeWishStep),
	)
}

type wishIn struct {
	ID       string `path:"id" doc:"of the event"`
	Language string `header:"Accept-Language"`
	Body     ForgotRequest
}

// wish writes to an address that somebody has typed. Where it comes from is counted with the
// letters of accounts.
func (s *server) wish(ctx context.Context, in *wishIn) (*sentAnswer, error) {
	return s.askedFor(func(p *people.Store) error {
		if _, err := s.guide.PublicEvent(ctx, in.ID); err != nil {
			return err
		}
		if err := p.Asks(ctx, addressOf(ctx)); err != nil {
			return err
		}
		return s.wishes.Ask(ctx, in.ID, in.Body.Email, in.Language)
	})
}

// AtWish is a step of a wish, as a letter links to it.
type AtWish struct {
	Wish string `path:"wish" doc:"its id"`
	Step string `path:"step" doc:"confirm or leave"`
	Key  string `query:"key" doc:"of the link"`
}

// openedWish reads the wish of a link; which part of it is wrong is not said.
func (s *server) openedWish(ctx context.Context, in AtWish) (wish.Wish, error) {
	if s.wishes == nil || !wish.Keys(s.links).Opens(in.Wish, optin.Step(in.Step), in.Key) {
		return wish.Wish{}, ropeline.ErrRouteUnknown
	}
	return s.wishes.Open(ctx, in.Wish, optin.Step(in.Step))
}

// showWishStep asks; nothing is done by a GET, which mail servers send by themselves.
func (s *server) showWishStep(ctx context.Context, in *AtWish) (*stepPage, error) {
	w, err := s.openedWish(ctx, *in)
	if err != nil {
		return nil, err
	}
	return stepAnswer(wish.Page(w, optin.Step(in.Step), false))
}

type takeWish struct {
	AtWish
	RawBody []byte `contentType:"application/x-www-form-urlencoded"`
}

func (s *server) takeWishStep(ctx context.Context, in *takeWish) (*stepPage, error) {
	w, err := s.openedWish(ctx, in.AtWish)
	if err != nil {
		return nil, err
	}
	if err := s.wishes.Take(ctx, in.Wish, optin.Step(in.Step)); err != nil {
		return nil, err
	}
	return stepAnswer(wish.Page(w, optin.Step(in.Step), true))
}
