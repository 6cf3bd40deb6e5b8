package api

import (
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/badge"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/people"
)

// signBadges signs as package admission does, which the core must not see.
type signBadges struct{ c *core }

func (s signBadges) Badge(b badge.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, badge.JWT{Role: b.Role, RegisteredClaims: jwt.RegisteredClaims{Issuer: badge.Issuer, Subject: b.Who,
		Audience: jwt.ClaimStrings{badge.Audience}, IssuedAt: jwt.NewNumericDate(b.IssuedAt), ExpiresAt: jwt.NewNumericDate(b.Expires)}})
	t.Header["kid"] = "k1"
	return t.SignedString(s.c.key)
}

// A badge is for an SRE of the installation who signed in to an account with a second factor,
// and for nobody else of the staff; who is none any more gets no other.
func TestABadgeIsForSREsWithAnAccount(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(c *core, config *Config) { config.Badges = signBadges{c} })
	const path, email = staffPath + "/badge", "sre@example.org"
	ask := func(bearer string, headers ...string) answer {
		t.Helper()
		return c.do(http.MethodPut, path, bearer, "", headers...)
	}
	sre := c.hired(email, people.Installation, people.SRE)
	a := ask(sre)
	var shown ShownBadge
	a.is(http.StatusOK, &shown)
	var me ShownStaff
	c.get(staffPath, sre).is(http.StatusOK, &me)
	cookies := (&http.Response{Header: a.Header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	got := cookies[0]
	if got.Name != ropeline.BadgeCookie || got.Path != ropeline.OpsPath || got.MaxAge != 900 || !got.HttpOnly || !got.Secure || got.SameSite != http.SameSiteStrictMode || got.Domain != "" {
		t.Errorf("the cookie is %+v", got)
	}
	public, _ := c.key.Public().(ed25519.PublicKey)
	claims, err := badge.NewVerifier(token.KeySet{"k1": public}, time.Now).Verify(got.Value)
	if err != nil || "staff:"+claims.Who != me.Who || claims.Who != shown.Who || claims.Role != people.SRE || !claims.Expires.Equal(shown.Ends) || claims.Expires.Sub(claims.IssuedAt) != badge.Life {
		t.Errorf("the badge says %+v, %v; the answer %+v, and they are %q", claims, err, shown, me.Who)
	}

	rival := c.founded("rival")
	for who, bearer := range map[string]string{
		"an organizer": c.hired("organizer@example.org", rival, people.Organizer), "who is at the door": c.hired("door@example.org", rival, people.Door),
		"an admin, who makes SREs": c.hired("admin@example.org", people.Installation, people.Admin), "a program": c.program(rival, scopes...), "a key of an organizer": "key-olga",
	} {
		if a := ask(bearer); a.Status != http.StatusForbidden || len(a.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %d %s", who, a.Status, a.Body)
		}
	}
	ask("key-sre").refused(http.StatusForbidden, "account-required")
	ask("", "Cookie", ropeline.StaffCookie+"=key-sre", "Sec-Fetch-Site", "same-origin").refused(http.StatusUnauthorized, "staff-required")
	ask("").refused(http.StatusUnauthorized, "staff-required")
	ask(c.member(ada)).refused(http.StatusForbidden, "sre-required")
	ask(sre, "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
	alone := c.member("alone@example.org") // without a second factor
	c.invited(alone, "alone@example.org", people.Installation, people.SRE)
	ask(alone).refused(http.StatusForbidden, "second-factor-needed")
	c.do(http.MethodPost, organizationsPath+"/"+rival+"/invitations", "key-sre", c.json(m{"email": email, "roles": []string{people.SRE}}), "Idempotency-Key", "k").refused(http.StatusUnprocessableEntity, "role-unknown") // no organization has any

	var team MemberList
	c.get(organizationsPath+"/"+people.Installation+"/members", "key-sre").is(http.StatusOK, &team)
	for _, one := range team.Members {
		if one.Email == email {
			c.do(http.MethodPut, organizationsPath+"/"+people.Installation+"/members/"+one.ID+"?reason=another+job", "key-sre", c.json(m{"roles": []string{people.Admin}}), "If-Match", `"1"`).is(http.StatusOK, nil)
		}
	}
	ask(sre).refused(http.StatusForbidden, "sre-required")
	over := c.hired("over@example.org", people.Installation, people.SRE)
	c.do(http.MethodPost, "/api/v1/accounts/sign-out", over, "{}").is(http.StatusNoContent, nil)
	ask(over).refused(http.StatusUnauthorized, "staff-required")

	c.api.server.badges = nil
	ask(c.hired("other@example.org", people.Installation, people.SRE)).refused(http.StatusNotFound, "badges-off")
}
