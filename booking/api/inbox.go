package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/mail"
)

func (s *server) routeInbox() error {
	return all(
		handle(s, "list-my-messages", s.listMyMessages),
		handle(s, "mark-my-message", s.markMyMessage),
		handle(s, "get-my-channels", s.getMyChannels),
		handle(s, "put-my-channels", s.putMyChannels),
	)
}

// MessageList is a page of what was told to somebody.
type MessageList struct {
	Messages []mail.Received `json:"messages" nullable:"false" doc:"the newest first, of the last 90 days"`
	Unread   int             `json:"unread" doc:"of all that there are"`
	Next     string          `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotMessages struct{ Body MessageList }

func (s *server) listMyMessages(ctx context.Context, in *Page) (*gotMessages, error) {
	list, next, unread, err := s.letters.Inbox(ctx, me(ctx).Person, in.of())
	return &gotMessages{Body: MessageList{append([]mail.Received{}, list...), unread, next}}, err
}

// MarkRequest says whether a message was read.
type MarkRequest struct {
	Read bool `json:"read"`
}

func (s *server) markMyMessage(ctx context.Context, in *struct {
	Message string `path:"message" doc:"its id"`
	Body    MarkRequest
}) (*nothing, error) {
	return &nothing{}, s.letters.Read(ctx, me(ctx).Person, in.Message, in.Body.Read)
}

type gotChannels struct{ Body mail.Channels }

func (s *server) getMyChannels(ctx context.Context, _ *struct{}) (*gotChannels, error) {
	c, err := s.letters.Channels(ctx, me(ctx).Person)
	return &gotChannels{Body: c}, err
}

func (s *server) putMyChannels(ctx context.Context, in *gotChannels) (*gotChannels, error) {
	c, err := s.letters.SetChannels(ctx, me(ctx).Person, in.Body)
	return &gotChannels{Body: c}, err
}
