package api

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
)

func (s *server) routeInbox() error {
	return all(
		handle(s, "list-my-messages", s.listMyMessages),
		handle(s, "mark-my-message", s.markMyMessage),
		handle(s, "get-my-channels", s.getMyChannels),
		handle(s, "put-my-channels", s.putMyChannels),
		handle(s, "send-phone-code", s.sendPhoneCode),
		handle(s, "prove-phone", s.provePhone),
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

type gotChannels struct{ Body mail.Chosen }

func (s *server) getMyChannels(ctx context.Context, _ *struct{}) (*gotChannels, error) {
	c, err := s.letters.Channels(ctx, me(ctx).Person)
	return &gotChannels{Body: c}, err
}

func (s *server) putMyChannels(ctx context.Context, in *struct {
	Language string `header:"Accept-Language"`
	Body     mail.Channels
}) (*gotChannels, error) {
	say, err := s.sayCode(ctx, in.Language)
	if err != nil {
		return nil, err
	}
	c, err := s.letters.SetChannels(ctx, me(ctx).Person, in.Body, say)
	return &gotChannels{Body: c}, err
}

func (s *server) sendPhoneCode(ctx context.Context, in *struct {
	Language string `header:"Accept-Language"`
}) (*sentAnswer, error) {
	say, err := s.sayCode(ctx, in.Language)
	if err != nil {
		return nil, err
	}
	return &sentAnswer{Body: Asked{true}}, s.letters.SendCode(ctx, me(ctx).Person, say)
}

// sayCode words text messages with codes, in the language of who is signed in.
func (s *server) sayCode(ctx context.Context, wish string) (mail.Say, error) {
	p, err := s.people.Person(ctx, me(ctx).Person)
	if err != nil {
		return nil, err
	}
	lang := wording.Choose(cmp.Or(p.Language, wish))
	site, err := url.Parse(s.site)
	if err != nil {
		return nil, err
	}
	return func(code string) (string, error) {
		says, err := wording.Ours(wording.PhoneCode, lang)
		if err != nil {
			return "", err
		}
		l, err := says.Write(wording.Values{"site": site.Hostname(), "code": code}, wording.Frame{Language: lang})
		return strings.TrimSpace(l.Text), err
	}, nil
}

// ProvePhoneRequest shows a code.
type ProvePhoneRequest struct {
	Code string `json:"code" doc:"six digits of the newest text message"`
}

func (s *server) provePhone(ctx context.Context, in *struct{ Body ProvePhoneRequest }) (*gotChannels, error) {
	c, err := s.letters.Prove(ctx, me(ctx).Person, in.Body.Code)
	return &gotChannels{Body: c}, err
}
