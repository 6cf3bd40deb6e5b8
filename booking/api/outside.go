package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/oidc"
	"github.com/ropeline/ropeline/booking/people"
)

func (s *server) routeOutside() error {
	return all(
		handle(s, "get-sign-in-providers", s.getProviders),
		handle(s, "begin-outside-sign-in", s.beginOutside),
		handle(s, "end-outside-sign-in", s.endOutside),
		handle(s, "get-identities", s.getIdentities),
		handle(s, "join-identity", s.joinIdentity),
		handle(s, "part-identity", s.partIdentity),
	)
}

// SignInProvider is where else somebody may sign in.
type SignInProvider struct {
	Name  string `json:"name" doc:"in addresses"`
	Title string `json:"title" doc:"on a button"`
}

// SignInProviders has all of them.
type SignInProviders struct {
	Providers []SignInProvider `json:"providers" nullable:"false"`
}

func (s *server) getProviders(_ context.Context, in *struct {
	Have string `header:"If-None-Match"`
}) (*fresh[SignInProviders], error) {
	list := SignInProviders{Providers: []SignInProvider{}}
	if s.outside != nil && s.people != nil {
		for _, c := range s.outside.All() {
			list.Providers = append(list.Providers, SignInProvider{c.Name, c.Title})
		}
	}
	return answerFresh(in.Have, list)
}

// flowCookie keeps what a sign-in elsewhere has to remember: it comes back from another
// site, so it cannot be strict.
func flowCookie(kept string) string {
	c := http.Cookie{Name: ropeline.FlowCookie, Value: kept, Path: "/", MaxAge: int(oidc.FlowLife / time.Second), HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	if kept == "" {
		c.MaxAge = -1
	}
	return c.String()
}

func flowOf(ctx context.Context) string {
	kept, _ := ctx.Value(flowToken{}).(string)
	return kept
}

// elsewhere is where else people may sign in; an installation may have none.
func (s *server) elsewhere() (*oidc.Providers, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	if s.outside == nil {
		return nil, oidc.ErrProvider
	}
	return s.outside, nil
}

// OutsideRequest says where somebody wants to be afterwards.
type OutsideRequest struct {
	Next string `json:"next,omitempty" doc:"a path of ours; anything else is the first page"`
}

// OutsideAddress is where the browser goes now.
type OutsideAddress struct {
	Address string `json:"address" doc:"at the provider"`
}

type gotOutside struct {
	Cookie string `header:"Set-Cookie"`
	Body   OutsideAddress
}

type beginOutside struct {
	Name string `path:"name" doc:"of the provider"`
	Body OutsideRequest
}

// beginOutside is no link: another site's page must not begin what ends in a sign-in.
func (s *server) beginOutside(ctx context.Context, in *beginOutside) (*gotOutside, error) {
	return s.beginFlow(ctx, in.Name, in.Body.Next, "")
}

func (s *server) beginFlow(ctx context.Context, name, next, person string) (*gotOutside, error) {
	providers, err := s.elsewhere()
	if err != nil {
		return nil, err
	}
	address, kept, err := providers.Begin(ctx, name, next, person)
	if err != nil {
		return nil, err
	}
	return &gotOutside{flowCookie(kept), OutsideAddress{address}}, nil
}

type endOutside struct {
	Browser
	Name  string `path:"name" doc:"of the provider"`
	State string `query:"state"`
	Code  string `query:"code"`
}

type leadsOn struct {
	Status   int
	Location string `header:"Location"`
	Flow     string `header:"Set-Cookie"` // not a list of both: Fiber would make one line of it
	SignIn   string `header:"Set-Cookie"`
}

// endOutside leads on to what was wanted, or to the page of the account, which says what
// went wrong: whoever comes from another site reads no problem documents.
func (s *server) endOutside(ctx context.Context, in *endOutside) (*leadsOn, error) {
	providers, err := s.elsewhere()
	if err != nil {
		return nil, err
	}
	out := &leadsOn{Status: http.StatusSeeOther, Flow: flowCookie("")}
	flow, err := providers.Back(in.Name, flowOf(ctx), in.State)
	if err == nil {
		err = s.people.Once(ctx, flow.State, oidc.FlowLife)
	}
	if err == nil && flow.Person != "" {
		err = s.join(ctx, providers, flow, in.Code)
	} else if err == nil {
		var signed people.SignedIn
		if signed, err = s.signInOutside(ctx, providers, flow, in.Code, in.Agent); err == nil {
			out.SignIn = signInCookie(signed.Token, signed.Ends)
			if signed.Waits {
				out.Location = accountPage(flow.Next, "second")
				return out, nil
			}
		}
	}
	if err == nil {
		out.Location = flow.Next
		return out, nil
	}
	own, ok := errors.AsType[*ropeline.Error](err)
	if !ok {
		return nil, err
	}
	s.log.Info("a sign-in elsewhere came to nothing", "provider", in.Name, "err", err)
	out.Location = accountPage(flow.Next, "failed="+own.Code)
	return out, nil
}

// accountPage is the page of the account, which leads on to another.
func accountPage(next, says string) string {
	back := ""
	if path, _, _ := strings.Cut(next, "?"); next != "" && next != "/" && path != "/account" && !strings.HasPrefix(path, "/account/") {
		back = "?back=" + url.QueryEscape(next)
	}
	return "/account" + back + "#" + says
}

// outsider is who comes back, as the provider says.
func outsider(ctx context.Context, providers *oidc.Providers, flow oidc.Flow, code string) (people.Outside, error) {
	who, err := providers.Who(ctx, flow, code)
	return people.Outside{Issuer: who.Issuer, Subject: who.Subject, Email: who.Email, Name: who.Name, Trusted: who.Provider.Emails, Second: who.Provider.Second}, err
}

func (s *server) signInOutside(ctx context.Context, providers *oidc.Providers, flow oidc.Flow, code, agent string) (people.SignedIn, error) {
	who, err := outsider(ctx, providers, flow, code)
	if err != nil {
		return people.SignedIn{}, err
	}
	return s.people.SignInOutside(ctx, who, agent)
}

// join ends what joinIdentity began, if it is still the same person who is signed in.
func (s *server) join(ctx context.Context, providers *oidc.Providers, flow oidc.Flow, code string) error {
	here, err := s.people.Find(ctx, tokenOf(ctx))
	if err != nil {
		return err
	}
	if here.Person != flow.Person {
		return oidc.ErrFlow
	}
	who, err := outsider(ctx, providers, flow, code)
	if err != nil {
		return err
	}
	return s.people.Join(ctx, who, here.Person)
}

// MyIdentity is an account elsewhere with which somebody signs in.
type MyIdentity struct {
	people.Identity
	Title string `json:"title,omitempty" doc:"of the provider; left out: it is none of ours any more, and nobody comes by it"`
}

// Identities has all of them.
type Identities struct {
	Identities []MyIdentity `json:"identities" nullable:"false" doc:"the oldest first"`
}

type gotIdentities struct{ Body Identities }

func (s *server) getIdentities(ctx context.Context, _ *struct{}) (*gotIdentities, error) {
	list, err := s.identities(ctx)
	return &gotIdentities{Body: Identities{list}}, err
}

func (s *server) identities(ctx context.Context) ([]MyIdentity, error) {
	found, err := s.people.Identities(ctx, me(ctx).Person)
	list := make([]MyIdentity, len(found))
	for i, f := range found {
		list[i].Identity = f
		if s.outside != nil {
			list[i].Title = s.outside.Named(f.Issuer)
		}
	}
	return list, err
}

type joinIdentity struct {
	Name string `path:"name" doc:"of the provider"`
	Body JoinRequest
}

// JoinRequest has the password of who is signed in, and where they want to be afterwards.
type JoinRequest struct {
	Password string `json:"password"`
	Next     string `json:"next,omitempty" doc:"a path of ours; anything else is the first page"`
}

// joinIdentity takes the password: a browser that was left open must not let somebody in
// for good.
func (s *server) joinIdentity(ctx context.Context, in *joinIdentity) (*gotOutside, error) {
	here := me(ctx)
	if err := s.people.Own(ctx, here.Person, in.Body.Password); err != nil {
		return nil, err
	}
	return s.beginFlow(ctx, in.Name, in.Body.Next, here.Person)
}

type identityID struct {
	ID string `path:"id" doc:"of the identity"`
}

func (s *server) partIdentity(ctx context.Context, in *identityID) (*nothing, error) {
	return &nothing{}, s.people.Part(ctx, me(ctx).Person, in.ID)
}
