package badge_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/badge"
	"github.com/ropeline/ropeline/admission/token"
)

func newSigner(t *testing.T) *admission.Signer {
	t.Helper()
	text, err := admission.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := admission.ParseSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A badge opens the operations for its quarter of an hour, by one key, for one audience and
// one role; whatever else looks like one does not.
func TestOnlyAGoodBadgeIsOne(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	s := newSigner(t)
	good := badge.Claims{Who: "account-1", Role: badge.SRE, IssuedAt: now, Expires: now.Add(badge.Life)}
	raw, err := s.Badge(good)
	if err != nil {
		t.Fatal(err)
	}
	at := func(after time.Duration) *badge.Verifier {
		return badge.NewVerifier(s.KeySet(), func() time.Time { return now.Add(after) })
	}
	for _, after := range []time.Duration{-ropeline.TokenMargin, 0, badge.Life, badge.Life + ropeline.TokenMargin - time.Second} {
		if c, err := at(after).Verify(raw); err != nil || c.Who != good.Who || c.Role != badge.SRE || !c.Expires.Equal(good.Expires) || !c.IssuedAt.Equal(good.IssuedAt) {
			t.Errorf("%v after: %+v, %v", after, c, err)
		}
	}
	refused := func(what, raw string, by *badge.Verifier) {
		t.Helper()
		if c, err := by.Verify(raw); !errors.Is(err, ropeline.ErrStaffRequired) || c != (badge.Claims{}) {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	refused("expired", raw, at(badge.Life+ropeline.TokenMargin+time.Second))
	refused("of a core whose clock is ahead", raw, at(-ropeline.TokenMargin-2*time.Second))
	for what, change := range map[string]func(*badge.Claims){
		"an organizer": func(c *badge.Claims) { c.Role = "organizer" }, "an admin": func(c *badge.Claims) { c.Role = "admin" }, "at the door": func(c *badge.Claims) { c.Role = "door" }, "no role": func(c *badge.Claims) { c.Role = "" },
		"nobody": func(c *badge.Claims) { c.Who = "" }, "too long": func(c *badge.Claims) { c.Expires = now.Add(badge.Life + time.Second) }, "without an end": func(c *badge.Claims) { c.Expires = time.Unix(0, 0) },
		"from long ago, and still good": func(c *badge.Claims) { c.IssuedAt = now.Add(-time.Hour) },
	} {
		c := good
		change(&c)
		raw, err := s.Badge(c)
		if err != nil {
			t.Fatal(err)
		}
		refused(what, raw, at(0))
	}
	admitted, err := s.Sign(token.Claims{Sale: badge.Audience, Place: "account-1", Session: "s", IssuedAt: now, Expires: now.Add(time.Minute), SessionEnds: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	refused("an admission token of a sale that is called so", admitted, at(0))
	if _, err := token.NewVerifier(s.KeySet(), time.Now).Verify(raw); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a badge admits somebody: %v", err)
	}
	stranger, err := newSigner(t).Badge(good)
	if err != nil {
		t.Fatal(err)
	}
	refused("a key that nobody trusts", stranger, at(0))

	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var kid string
	for id := range s.KeySet() {
		kid = id
	}
	forge := func(method jwt.SigningMethod, key any, change func(*badge.JWT)) string {
		c := badge.JWT{Role: badge.SRE, RegisteredClaims: jwt.RegisteredClaims{Issuer: badge.Issuer, Subject: "account-1", Audience: jwt.ClaimStrings{badge.Audience}, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))}}
		change(&c)
		j := jwt.NewWithClaims(method, c)
		j.Header["kid"] = kid
		raw, err := j.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	same := func(*badge.JWT) {}
	refused("another key by our name", forge(jwt.SigningMethodEdDSA, key, same), at(0))
	refused("alg none", forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same), at(0))
	refused("alg HS256 with the public key", forge(jwt.SigningMethodHS256, []byte(s.KeySet()[kid]), same), at(0))
	public, _ := key.Public().(ed25519.PublicKey)
	own := badge.NewVerifier(token.KeySet{kid: public}, func() time.Time { return now })
	if _, err := own.Verify(forge(jwt.SigningMethodEdDSA, key, same)); err != nil {
		t.Errorf("what is changed below is good: %v", err)
	}
	for what, change := range map[string]func(*badge.JWT){
		"another audience": func(c *badge.JWT) { c.Audience = jwt.ClaimStrings{"demo"} }, "two audiences": func(c *badge.JWT) { c.Audience = append(c.Audience, "demo") },
		"no audience": func(c *badge.JWT) { c.Audience = nil }, "another issuer": func(c *badge.JWT) { c.Issuer = token.Issuer }, "no end": func(c *badge.JWT) { c.ExpiresAt = nil }, "no beginning": func(c *badge.JWT) { c.IssuedAt = nil },
	} {
		refused(what, forge(jwt.SigningMethodEdDSA, key, change), own)
	}
	head, rest, _ := strings.Cut(raw, ".")
	for what, text := range map[string]string{"nothing": "", "nonsense": "x", "cut": raw[:len(raw)-1], "a line break": raw + "\n", "no signature": raw[:strings.LastIndexByte(raw, '.')+1], "another head": "e30." + rest, "a head alone": head + "..", "long": strings.Repeat("A", 1<<20)} {
		refused(what, text, at(0))
	}
}
