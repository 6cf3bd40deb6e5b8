package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/wording"
)

func (s *server) routeNewsletters() error {
	return all(
		handle(s, "list-newsletters", s.listNewsletters),
		handle(s, "create-newsletter", s.createNewsletter),
		handle(s, "preview-newsletter", s.previewNewsletter),
		handle(s, "list-my-newsletters", s.listMyNewsletters),
		handle(s, "subscribe", s.subscribe),
		handle(s, "unsubscribe", s.unsubscribe),
		handle(s, "show-newsletter-step", s.showNewsletterStep),
		handle(s, "take-newsletter-step", s.takeNewsletterStep),
	)
}

// NewsletterList is a page of newsletters.
type NewsletterList struct {
	Newsletters []newsletter.Newsletter `json:"newsletters" nullable:"false" doc:"the newest first"`
	Next        string                  `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotNewsletters struct{ Body NewsletterList }

func (s *server) listNewsletters(ctx context.Context, in *Page) (*gotNewsletters, error) {
	list, next, err := s.newsletters.List(ctx, here(ctx), in.of())
	return &gotNewsletters{Body: NewsletterList{append([]newsletter.Newsletter{}, list...), next}}, err
}

// NewsletterDraft is a newsletter that nobody has yet.
type NewsletterDraft newsletter.Draft

type createNewsletter struct {
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body sends one"`
	Body NewsletterDraft
}

type oneNewsletter struct{ Body newsletter.Newsletter }

func (s *server) createNewsletter(ctx context.Context, in *createNewsletter) (*oneNewsletter, error) {
	if in.Key == "" {
		return nil, booking.ErrKey
	}
	n, err := s.newsletters.Send(ctx, here(ctx), newsletter.Draft(in.Body), audit.Change{Who: by(ctx), Key: in.Key})
	return &oneNewsletter{Body: n}, err
}

// ShownNewsletter is a newsletter as it would arrive.
type ShownNewsletter struct {
	ShownLetter
	Readers int `json:"readers" doc:"who would get it, if it was sent now"`
}

type gotNewsletter struct{ Body ShownNewsletter }

func (s *server) previewNewsletter(ctx context.Context, in *struct{ Body NewsletterDraft }) (*gotNewsletter, error) {
	l, readers, err := s.newsletters.Preview(ctx, here(ctx), newsletter.Draft(in.Body))
	return &gotNewsletter{Body: ShownNewsletter{ShownLetter(l), readers}}, err
}

// SubscriptionList is a page of newsletters that somebody may have.
type SubscriptionList struct {
	Newsletters []newsletter.Subscribed `json:"newsletters" nullable:"false"`
	Next        string                  `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotSubscriptions struct{ Body SubscriptionList }

func (s *server) listMyNewsletters(ctx context.Context, in *Page) (*gotSubscriptions, error) {
	list, next, err := s.newsletters.OfPerson(ctx, me(ctx).Person, in.of())
	return &gotSubscriptions{Body: SubscriptionList{append([]newsletter.Subscribed{}, list...), next}}, err
}

// AtMyNewsletter names an organization whose newsletter it is.
type AtMyNewsletter struct {
	Organization string `path:"organization" doc:"its id"`
}

// ConsentRequest says to what somebody agrees.
type ConsentRequest struct {
	Words string `json:"words" doc:"that they were shown, 500 characters at most: they are kept"`
}

func (s *server) subscribe(ctx context.Context, in *struct {
	AtMyNewsletter
	Body ConsentRequest
}) (*nothing, error) {
	p, err := s.people.Person(ctx, me(ctx).Person)
	if err != nil {
		return nil, err
	}
	return &nothing{}, s.newsletters.Give(ctx, in.Organization, newsletter.Wish{Email: p.Email, Person: p.ID, Words: in.Body.Words, Language: wording.Choose(p.Language)})
}

func (s *server) unsubscribe(ctx context.Context, in *AtMyNewsletter) (*nothing, error) {
	return &nothing{}, s.newsletters.Withdraw(ctx, in.Organization, me(ctx).Person)
}

// wantsNewsletter keeps that a buyer ticked the box beside the payment. What was paid counts,
// also if that cannot be kept.
func (s *server) wantsNewsletter(ctx context.Context, o order.Order, w newsletter.Wish) {
	if err := s.newsletters.Ask(ctx, o.Performance, o.ID, w); err != nil {
		s.log.Warn("a wish for a newsletter is not kept", "order", o.ID, "err", err)
	}
}

// AtStep is a step of a consent, as a letter links to it.
type AtStep struct {
	Consent string `path:"consent" doc:"its id"`
	Step    string `path:"step" doc:"confirm or leave"`
	Key     string `query:"key" doc:"of the link"`
}

// opened reads the consent of a link; which part of it is wrong is not said.
func (s *server) openedStep(ctx context.Context, in AtStep) (newsletter.Consent, error) {
	if !newsletter.Keys(s.links).Opens(in.Consent, optin.Step(in.Step), in.Key) {
		return newsletter.Consent{}, ropeline.ErrRouteUnknown
	}
	return s.newsletters.Open(ctx, in.Consent)
}

type stepPage struct {
	Type   string `header:"Content-Type"`
	Policy string `header:"Content-Security-Policy"`
	Body   []byte
}

// showNewsletterStep asks; nothing is done by a GET, which mail servers send by themselves.
func (s *server) showNewsletterStep(ctx context.Context, in *AtStep) (*stepPage, error) {
	c, err := s.openedStep(ctx, *in)
	if err != nil {
		return nil, err
	}
	return stepAnswer(newsletter.Page(c, optin.Step(in.Step), false))
}

type takeStep struct {
	AtStep
	RawBody []byte `contentType:"application/x-www-form-urlencoded"`
}

// takeNewsletterStep is the press of the button, and what mail programs send (RFC 8058): that
// has List-Unsubscribe=One-Click as its body, and whatever else it says counts for nothing.
func (s *server) takeNewsletterStep(ctx context.Context, in *takeStep) (*stepPage, error) {
	c, err := s.openedStep(ctx, in.AtStep)
	if err != nil {
		return nil, err
	}
	if err := s.newsletters.Take(ctx, in.Consent, optin.Step(in.Step)); err != nil {
		return nil, err
	}
	return stepAnswer(newsletter.Page(c, optin.Step(in.Step), true))
}

func stepAnswer(html []byte, err error) (*stepPage, error) {
	return &stepPage{Type: "text/html; charset=utf-8", Body: html,
		Policy: "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"}, err
}
