package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/internal/tenant"
)

// crowd counts who holds tickets of performances, which have been looked at by whoever asks.
// Profiles are nobody's but their owner's: they are opened here, and counted.
func (s *server) crowd(ctx context.Context, shows []insight.Show) (insight.Crowd, error) {
	accounts, guests, err := s.insight.Holders(ctx, shows)
	if err != nil {
		return insight.Crowd{}, err
	}
	var given []people.Trait
	if s.people != nil {
		if given, err = s.people.Traits(tenant.With(ctx, ""), accounts); err != nil {
			return insight.Crowd{}, err
		}
	}
	told := make([]insight.Person, len(given))
	for i, t := range given {
		told[i] = insight.Person(t)
	}
	return insight.CrowdOf(told, guests, s.now().UTC().Year()), nil
}

type gotCrowd struct{ Body insight.Crowd }

func (s *server) getAudience(ctx context.Context, in *InScope) (*gotCrowd, error) {
	shows, err := s.insight.Shows(ctx, insight.Scope(*in))
	if err != nil {
		return nil, err
	}
	c, err := s.crowd(ctx, shows)
	return &gotCrowd{Body: c}, err
}

func (s *server) getAudienceCSV(ctx context.Context, in *InScope) (*huma.StreamResponse, error) {
	shows, err := s.exported(ctx, *in)
	if err != nil {
		return nil, err
	}
	c, err := s.crowd(ctx, shows)
	if err != nil {
		return nil, err
	}
	f, err := s.insight.CrowdFile(ctx, c)
	return file(f, csvKind, err)
}
