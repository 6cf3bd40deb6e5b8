package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/notice"
)

func (s *server) routeNotices() error {
	return all(
		handle(s, "get-holders", s.getHolders),
		handle(s, "list-notices", s.listNotices),
		handle(s, "create-notice", s.createNotice),
		handle(s, "get-notice", s.getNotice),
		handle(s, "list-notice-failures", s.listNoticeFailures),
	)
}

// AtEvent names an event in the path.
type AtEvent struct {
	ID string `path:"id" doc:"of the event"`
}

// AtNotice names a message in the path.
type AtNotice struct {
	AtEvent
	Notice string `path:"notice" doc:"its id"`
}

type holdersOf struct {
	AtEvent
	Performance ropeline.PerformanceID `query:"performance" doc:"to its holders alone; left out: to those of all performances of the event"`
}

type gotHolders struct{ Body notice.Audience }

func (s *server) getHolders(ctx context.Context, in *holdersOf) (*gotHolders, error) {
	if _, err := s.guide.Event(ctx, in.ID); err != nil {
		return nil, err
	}
	a, err := s.notices.Audience(ctx, in.ID, in.Performance)
	return &gotHolders{Body: a}, err
}

type someNotices struct {
	AtEvent
	Page
}

// NoticeList is a page of messages.
type NoticeList struct {
	Notices []notice.Notice `json:"notices" doc:"the newest first"`
	Next    string          `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotNotices struct{ Body NoticeList }

func (s *server) listNotices(ctx context.Context, in *someNotices) (*gotNotices, error) {
	if _, err := s.guide.Event(ctx, in.ID); err != nil {
		return nil, err
	}
	list, next, err := s.notices.List(ctx, in.ID, in.of())
	return &gotNotices{Body: NoticeList{list, next}}, err
}

type createNotice struct {
	AtEvent
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body sends one message"`
	Body notice.Draft
}

type oneNotice struct{ Body notice.Notice }

func (s *server) createNotice(ctx context.Context, in *createNotice) (*oneNotice, error) {
	if in.Key == "" {
		return nil, booking.ErrKey
	}
	if _, err := s.guide.Event(ctx, in.ID); err != nil {
		return nil, err
	}
	n, err := s.notices.Send(ctx, in.ID, in.Body, audit.Change{Who: by(ctx), Key: in.Key})
	return &oneNotice{Body: n}, err
}

func (s *server) getNotice(ctx context.Context, in *AtNotice) (*oneNotice, error) {
	n, err := s.notices.One(ctx, in.ID, in.Notice)
	return &oneNotice{Body: n}, err
}

type someFailures struct {
	AtNotice
	Page
}

// NoticeFailureList is a page of addresses.
type NoticeFailureList struct {
	Failures []notice.Failure `json:"failures"`
	Next     string           `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotFailures struct{ Body NoticeFailureList }

func (s *server) listNoticeFailures(ctx context.Context, in *someFailures) (*gotFailures, error) {
	list, next, err := s.notices.Failures(ctx, in.ID, in.Notice, in.of())
	return &gotFailures{Body: NoticeFailureList{list, next}}, err
}
