package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
)

func (s *server) routePublication() error {
	return all(
		handle(s, "get-publication", s.getPublication),
		handle(s, "put-publication", s.putPublication),
	)
}

// Publication is whether the line is told of a sale, as its document is.
type Publication struct {
	Sale      ropeline.SaleID               `json:"sale"`
	Version   int64                         `json:"version" doc:"of the sale that was asked for"`
	State     string                        `json:"state" enum:"asked,done,refused" doc:"asked: the admission part has not come to it yet"`
	Reason    string                        `json:"reason,omitempty" doc:"why its terms have changed, in words for the fans"`
	Who       string                        `json:"who" doc:"staff: and a name"`
	AskedAt   time.Time                     `json:"asked_at"`
	DoneAt    *time.Time                    `json:"done_at,omitempty"`
	Refusal   *catalogue.PublicationRefusal `json:"refusal,omitempty" doc:"why it is not published, as it is"`
	Published int64                         `json:"published,omitempty" doc:"the version that the line has; left out: none"`
}

type gotPublication struct{ Body Publication }

func (s *server) publication(ctx context.Context, p catalogue.Publication) (*gotPublication, error) {
	out := Publication{Sale: p.Sale, Version: p.Version, State: "asked", Reason: p.Reason, Who: p.Who, AskedAt: p.AskedAt.UTC(), Refusal: p.Refusal}
	switch {
	case p.Refusal != nil:
		out.State = "refused"
	case p.DoneAt != nil:
		out.State = "done"
	}
	if p.DoneAt != nil {
		at := p.DoneAt.UTC()
		out.DoneAt = &at
	}
	var err error
	if s.around.Published != nil {
		out.Published, err = s.around.Published(ctx, p.Sale)
	}
	return &gotPublication{Body: out}, err
}

func (s *server) getPublication(ctx context.Context, in *AtSale) (*gotPublication, error) {
	if _, err := s.shows.Sale(ctx, ropeline.SaleID(in.Sale)); err != nil {
		return nil, err
	}
	p, err := s.shows.Publication(ctx, ropeline.SaleID(in.Sale))
	if err != nil {
		return nil, err
	}
	return s.publication(ctx, p)
}

// AskedPublication says which version is to be published.
type AskedPublication struct {
	Version int64  `json:"version" minimum:"1" doc:"of the sale, in its program: another one is not published unseen"`
	Reason  string `json:"reason,omitempty" maxLength:"200" doc:"why its terms have changed since they were published, in words for the fans; needed if they have"`
}

type putPublication struct {
	AtSale
	Body AskedPublication
}

// putPublication asks; what can be refused at once is. It needs no key: the same again is
// the same.
func (s *server) putPublication(ctx context.Context, in *putPublication) (*gotPublication, error) {
	sale, err := s.shows.Sale(ctx, ropeline.SaleID(in.Sale))
	if err != nil {
		return nil, err
	}
	if sale.Version != in.Body.Version {
		return nil, audit.ErrChanged
	}
	closed, err := s.shows.Closed(ctx, sale.ID)
	if err != nil {
		return nil, err
	}
	if len(closed) > 0 {
		return nil, catalogue.ErrAccountClosed
	}
	if _, err := s.shows.DraftTerms(ctx, sale, in.Body.Reason); err != nil { // which may ask for the reason
		return nil, err
	}
	p, err := s.shows.AskPublication(ctx, sale, audit.Change{Who: by(ctx), Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	return s.publication(ctx, p)
}
