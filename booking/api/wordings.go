package api

import (
	"cmp"
	"context"

	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/tenant"
)

func (s *server) routeWordings() error {
	return all(
		handle(s, "get-wordings", s.getWordings),
		handle(s, "get-wording", s.getWording),
		handle(s, "put-wording", s.putWording),
		handle(s, "reset-wording", s.resetWording),
		handle(s, "preview-wording", s.previewWording),
	)
}

// AtLetter names a letter in the path.
type AtLetter struct {
	Letter   string `path:"letter" doc:"what it is about, as confirmation: one of those that the list of all has"`
	Language string `path:"language" doc:"en or de"`
}

// here is the organization that somebody acts for; whoever runs the installation acts for the house.
func here(ctx context.Context) string { return cmp.Or(memberOf(ctx).organization, tenant.House) }

// WordingList is all that an organization may word.
type WordingList struct {
	Letters []wording.Wording `json:"letters" nullable:"false"`
}

type gotWordings struct{ Body WordingList }

func (s *server) getWordings(ctx context.Context, _ *struct{}) (*gotWordings, error) {
	list, err := s.wordings.List(ctx, here(ctx))
	return &gotWordings{Body: WordingList{append([]wording.Wording{}, list...)}}, err
}

func (s *server) getWording(ctx context.Context, in *struct {
	AtLetter
	Have string `header:"If-None-Match"`
}) (*versioned[wording.Wording], error) {
	w, err := s.wordings.One(ctx, here(ctx), wording.Kind(in.Letter), in.Language)
	if err != nil {
		return nil, err
	}
	out := versionAnswer(in.Have, w.Version, &w)
	if w.Version == 0 { // of what is not there nobody has seen a version
		out.ETag = ""
	}
	return out, nil
}

type putWording struct {
	AtLetter
	Edited
	Body wording.Template
}

func (s *server) putWording(ctx context.Context, in *putWording) (*versioned[wording.Wording], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	w, fresh, err := s.wordings.Put(ctx, here(ctx), wording.Kind(in.Letter), in.Language, in.Body, by)
	if err != nil {
		return nil, err
	}
	return putAnswer(w.Version, fresh, &w), nil
}

func (s *server) resetWording(ctx context.Context, in *struct {
	AtLetter
	Edited
}) (*versioned[wording.Wording], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.wordings.Reset(ctx, here(ctx), wording.Kind(in.Letter), in.Language, by)
	if err != nil {
		return nil, err
	}
	out := putAnswer(w.Version, false, &w)
	if w.Version == 0 {
		out.ETag = ""
	}
	return out, nil
}

// ShownLetter is a letter as it would come.
type ShownLetter struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

type gotLetter struct{ Body ShownLetter }

func (s *server) previewWording(_ context.Context, in *struct {
	AtLetter
	Body wording.Template
}) (*gotLetter, error) {
	l, err := wording.Preview(wording.Kind(in.Letter), in.Language, "Opera", in.Body)
	return &gotLetter{Body: ShownLetter(l)}, err
}
