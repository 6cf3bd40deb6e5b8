package admission

import (
	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline/admission/badge"
)

// Badge returns the badge of these claims. Whoever holds the key can steer every sale: it is
// the booking cores', and no key that admits anybody.
func (s *Signer) Badge(c badge.Claims) (string, error) {
	return s.sign("badge", badge.JWT{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: badge.Issuer, Subject: c.Who, Audience: jwt.ClaimStrings{badge.Audience},
			IssuedAt: jwt.NewNumericDate(c.IssuedAt), ExpiresAt: jwt.NewNumericDate(c.Expires),
		},
		Role: c.Role,
	})
}
