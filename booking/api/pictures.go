package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/guide"
)

func (s *server) routePictures() error {
	return all(
		handle(s, "get-picture", s.getPicture),
		handle(s, "create-picture", s.createPicture),
	)
}

type getPicture struct {
	ID    string `path:"id" doc:"of the picture"`
	Width int    `query:"width" minimum:"0" maximum:"12000" doc:"in pixels that it is shown in: the answer is as wide or wider, if it can be"`
	Have  string `header:"If-None-Match"`
}

// getPicture may be kept for good: no picture is ever changed.
func (s *server) getPicture(ctx context.Context, in *getPicture) (*seen, error) {
	jpeg, err := s.guide.Picture(ctx, in.ID, in.Width)
	if err != nil {
		return nil, err
	}
	answer := sight{etag: tagOf(jpeg), text: jpeg}.answer(in.Have, "max-age=31536000, immutable")
	answer.ContentType = "image/jpeg"
	return answer, nil
}

type createPicture struct {
	Creating
	What    string `query:"what" doc:"what can be seen, for who cannot see it; 300 characters at most"`
	RawBody []byte `contentType:"application/octet-stream"`
}

// ErrDrawing asks whoever uploads a picture while others are drawn to come again.
var ErrDrawing = &ropeline.Error{Kind: ropeline.Unavailable, Code: "picture-busy", RetryAfter: 2 * time.Second,
	Detail: "Other pictures are being drawn at the moment. Nothing was kept: send it again."}

// drawPatience is how long an upload waits for others, which take a second each.
const drawPatience = 5 * time.Second

// createPicture draws one at a time: a picture takes up to 160 MB of memory while it is
// drawn.
func (s *server) createPicture(ctx context.Context, in *createPicture) (*created[guide.KeptPicture], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, drawPatience)
	defer cancel()
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-waiting.Done():
		return nil, ErrDrawing
	}
	k, err := s.guide.KeepPicture(ctx, in.RawBody, in.What, by)
	return &created[guide.KeptPicture]{Location: "/api/v1/pictures/" + k.ID, ETag: quoted(k.ID), Body: k}, err
}
