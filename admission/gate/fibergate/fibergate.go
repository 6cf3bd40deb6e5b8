// Package fibergate is the Gate as a Fiber v2 middleware, for the booking core
// and for any shop built on Fiber. It answers a problem document to whoever
// holds no admission token and never calls the next handler then.
package fibergate

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
)

type claimsKey struct{}

// New returns a middleware that lets only token holders pass. The handlers
// behind it read the token with Claims.
func New(g *gate.Gate) fiber.Handler {
	return func(c *fiber.Ctx) error {
		raw := token.Raw(
			func(name string) string { return c.Get(name) },
			func(name string) string { return c.Cookies(name) },
		)
		claims, err := g.Check(raw)
		if err != nil {
			return refuse(c, err)
		}
		c.Locals(claimsKey{}, claims)
		return c.Next()
	}
}

// Claims returns what the request's token says, from the context of a handler
// behind New.
func Claims(ctx context.Context) (token.Claims, bool) {
	claims, ok := ctx.Value(claimsKey{}).(token.Claims)
	return claims, ok
}

func refuse(c *fiber.Ctx, err error) error {
	p, retry := ropeline.ProblemOf(err)
	if retry > 0 {
		c.Set(fiber.HeaderRetryAfter, ropeline.RetryAfter(retry))
	}
	return c.Status(p.Status).JSON(p, "application/problem+json")
}
