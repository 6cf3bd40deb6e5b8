package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/badge"
)

// Badges signs what lets accounts steer the line.
type Badges interface {
	Badge(badge.Claims) (string, error)
}

// Refusals of a badge.
var (
	ErrNoBadges = &ropeline.Error{Kind: ropeline.NotFound, Code: "badges-off", Detail: "Accounts do not open the operations here: use a key."}
	ErrNoBadge  = &ropeline.Error{Kind: ropeline.Forbidden, Code: "account-required", Detail: "This is for who signed in to their account. A key opens the operations itself."}
)

// ShownBadge is who has one, and for how long. The badge is in the header, where no script reads it.
type ShownBadge struct {
	Who  string    `json:"who" doc:"as it is written down what they do"`
	Ends time.Time `json:"ends"`
}

type gotBadge struct {
	Cookie string `header:"Set-Cookie"`
	Body   ShownBadge
}

// putBadge gives an SRE of the installation what the admission part lets in without asking
// anybody. Whether they are one still is asked by the guard, each time: a role that is gone, and a
// sign-in that was ended, get no other.
func (s *server) putBadge(ctx context.Context, _ *struct{}) (*gotBadge, error) {
	m := memberOf(ctx)
	if who, _ := ctx.Value(identityKey{}).(identity); !who.account || m.organization != "" {
		return nil, ErrNoBadge
	}
	if s.badges == nil {
		return nil, ErrNoBadges
	}
	now := s.now()
	ends := now.Add(badge.Life).Truncate(time.Second)
	raw, err := s.badges.Badge(badge.Claims{Who: m.name, Role: badge.SRE, IssuedAt: now, Expires: ends})
	if err != nil {
		return nil, err
	}
	return &gotBadge{Cookie: badgeCookie(raw), Body: ShownBadge{m.name, ends.UTC()}}, nil
}

// badgeCookie goes to the operations alone, and never from another site.
func badgeCookie(raw string) string {
	c := http.Cookie{Name: ropeline.BadgeCookie, Value: raw, Path: ropeline.OpsPath, MaxAge: int(badge.Life / time.Second),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
	return c.String()
}
