package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/wording"
)

func (s *server) routeAccounts() error {
	return all(
		handle(s, "sign-up", s.signUp),
		handle(s, "confirm-address", s.confirmAddress),
		handle(s, "confirm-move", s.confirmMove),
		handle(s, "forgot-password", s.forgotPassword),
		handle(s, "reset-password", s.resetPassword),
		handle(s, "sign-in", s.signIn),
		handle(s, "sign-in-second", s.signInSecond),
		handle(s, "sign-out", s.signOut),
	)
}

// ErrNoAccounts answers where an installation keeps none.
var ErrNoAccounts = &ropeline.Error{Kind: ropeline.NotFound, Code: "accounts-off", Detail: "There are no accounts here: buy as a guest."}

// posted has letters sent, with links to a site.
func posted(out *mail.Store, site string) people.Post {
	return func(ctx context.Context, tx pgx.Tx, l people.Letter) error {
		lang := wording.Choose(l.Language)
		says, err := wording.Ours(accountLetters[l.Purpose], lang)
		if err != nil {
			return err
		}
		values := wording.Values{"site": site, "link": l.Link(site), "organization": cmp.Or(l.About, site), "roles": wording.Roles(lang, l.Roles)}
		written, err := says.Write(values, wording.Frame{Language: lang, Sender: site})
		if err != nil {
			return err
		}
		_, err = out.Post(ctx, tx, mail.Message{To: l.To, Subject: written.Subject, Text: written.Text, HTML: written.HTML}, mail.Slip{Person: l.Person, For: l.For})
		return err
	}
}

// accountLetters are what letters about accounts say.
var accountLetters = map[people.Purpose]wording.Kind{
	people.Confirm: wording.Confirm, people.Reset: wording.Reset, people.Email: wording.Email,
	people.Invited: wording.Invited, people.Left: wording.Left, people.Exists: wording.Exists,
}

type (
	accountToken struct{} // key of the sign-in's token that a request carries
	flowToken    struct{} // key of what its browser keeps of a sign-in elsewhere
	signedIn     struct{} // key of who is signed in
)

// cookied keeps the token of a sign-in, and what there is of one elsewhere; whose it is, or
// whether it is anybody's, is not asked here.
func cookied(c *fiber.Ctx) error {
	if token := c.Cookies(ropeline.AccountCookie); token != "" {
		c.Locals(accountToken{}, strings.Clone(token))
	}
	if kept := c.Cookies(ropeline.FlowCookie); kept != "" {
		c.Locals(flowToken{}, strings.Clone(kept))
	}
	return c.Next()
}

func tokenOf(ctx context.Context) string {
	token, _ := ctx.Value(accountToken{}).(string)
	return token
}

func (s *server) needSignIn(c *fiber.Ctx) error {
	if s.people == nil {
		return ErrNoAccounts
	}
	token, _ := c.Locals(accountToken{}).(string)
	here, err := s.people.Find(c.UserContext(), token)
	if err != nil {
		return err
	}
	c.Locals(signedIn{}, here)
	return c.Next()
}

// me is who is signed in, as the guard has found.
func me(ctx context.Context) people.Here {
	here, _ := ctx.Value(signedIn{}).(people.Here)
	return here
}

// whoBuys is the account that an order is for, empty for a guest. Who is signed out
// meanwhile buys as a guest, rather than not at all.
func (s *server) whoBuys(ctx context.Context) (string, error) {
	token := tokenOf(ctx)
	if s.people == nil || token == "" {
		return "", nil
	}
	here, err := s.people.Find(ctx, token)
	if errors.Is(err, people.ErrSignedOut) {
		return "", nil
	}
	return here.Person, err
}

// signInCookie is Lax, so that who comes by a link from a letter is signed in.
func signInCookie(token string, until time.Time) string {
	c := http.Cookie{Name: ropeline.AccountCookie, Value: token, Path: "/", Expires: until, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	if token == "" {
		c.MaxAge = -1
	}
	return c.String()
}

// SignUpRequest is what an account begins with.
type SignUpRequest struct {
	Email    string `json:"email"`
	Password string `json:"password" doc:"10 to 200 characters"`
	Name     string `json:"name,omitempty"`
	Language string `json:"language,omitempty" doc:"BCP 47, as pt"`
	TimeZone string `json:"time_zone,omitempty" doc:"IANA, as Europe/Lisbon"`
}

// Asked is the answer to whoever may or may not have an account: always the same.
type Asked struct {
	Sent bool `json:"sent" doc:"always true: if there is something to say it is on its way to the address"`
}

type sentAnswer struct{ Body Asked }

// askedFor is that answer, whatever there is to say.
func (s *server) askedFor(do func(*people.Store) error) (*sentAnswer, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	if err := do(s.people); err != nil {
		return nil, err
	}
	return &sentAnswer{Body: Asked{Sent: true}}, nil
}

func (s *server) signUp(ctx context.Context, in *struct{ Body SignUpRequest }) (*sentAnswer, error) {
	return s.askedFor(func(p *people.Store) error {
		return p.Register(ctx, addressOf(ctx), people.Profile{Email: in.Body.Email, Name: in.Body.Name, Language: in.Body.Language, TimeZone: in.Body.TimeZone}, in.Body.Password)
	})
}

// ForgotRequest names an address.
type ForgotRequest struct {
	Email string `json:"email"`
}

func (s *server) forgotPassword(ctx context.Context, in *struct{ Body ForgotRequest }) (*sentAnswer, error) {
	return s.askedFor(func(p *people.Store) error { return p.Forgot(ctx, addressOf(ctx), in.Body.Email) })
}

// LetterRequest is what the link of a letter carries.
type LetterRequest struct {
	Token string `json:"token"`
}

// SecretRequest is that, and a password.
type SecretRequest struct {
	Token    string `json:"token"`
	Password string `json:"password"`
}

// SignIn is what came of signing in. The cookie is in the header.
type SignIn struct {
	Waits bool      `json:"waits" doc:"for a code of the second factor: until then nothing is open"`
	Ends  time.Time `json:"ends"`
}

type gotSignIn struct {
	Cookie string `header:"Set-Cookie"`
	Body   SignIn
}

func signInAnswer(in people.SignedIn, err error) (*gotSignIn, error) {
	if err != nil {
		return nil, err
	}
	return &gotSignIn{Cookie: signInCookie(in.Token, in.Ends), Body: SignIn{in.Waits, in.Ends.UTC()}}, nil
}

// Browser is what a request says it comes from.
type Browser struct {
	Agent string `header:"User-Agent" doc:"shown in the list of sign-ins"`
}

func (s *server) confirmAddress(ctx context.Context, in *struct {
	Browser
	Body SecretRequest
}) (*gotSignIn, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	return signInAnswer(s.people.Confirm(ctx, in.Body.Token, in.Body.Password, in.Agent))
}

type nothing struct{}

func (s *server) confirmMove(ctx context.Context, in *struct{ Body LetterRequest }) (*nothing, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	return &nothing{}, s.people.Moved(ctx, in.Body.Token)
}

func (s *server) resetPassword(ctx context.Context, in *struct{ Body SecretRequest }) (*nothing, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	return &nothing{}, s.people.Reset(ctx, in.Body.Token, in.Body.Password)
}

// SignInRequest is who somebody says they are.
type SignInRequest struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

func (s *server) signIn(ctx context.Context, in *struct {
	Browser
	Body SignInRequest
}) (*gotSignIn, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	return signInAnswer(s.people.SignIn(ctx, addressOf(ctx), in.Body.Email, in.Body.Password, in.Agent))
}

// CodeRequest has a code of a second factor.
type CodeRequest struct {
	Code string `json:"code" doc:"six digits of the authenticator, or a recovery code"`
}

func (s *server) signInSecond(ctx context.Context, in *struct{ Body CodeRequest }) (*gotSignIn, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	return signInAnswer(s.people.Second(ctx, tokenOf(ctx), in.Body.Code))
}

type signedOut struct {
	Cookie string `header:"Set-Cookie"`
}

func (s *server) signOut(ctx context.Context, _ *struct{}) (*signedOut, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	if token := tokenOf(ctx); token != "" {
		if err := s.people.Forget(ctx, token); err != nil {
			return nil, err
		}
	}
	return &signedOut{signInCookie("", time.Unix(1, 0))}, nil
}
