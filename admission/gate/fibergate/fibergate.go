// Package fibergate is the Gate as a Fiber v2 middleware, for the booking core
// and for any shop built on Fiber. It answers a problem document to whoever
// the rule does not let through, or sends them to the waiting room, and never
// calls the next handler then.
package fibergate

import (
	"bytes"
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
)

type claimsKey struct{}

// New returns a middleware that lets only those requests pass that the rule
// lets through. The handlers behind it read the token with Claims.
func New(g *gate.Gate, rule gate.Rule) fiber.Handler {
	return func(c *fiber.Ctx) error {
		header := func(name string) string { return read(c, name) }
		claims, err := g.Decide(rule, rule.Raw(header))
		switch {
		case err != nil && rule.Leads(err, c.Method(), header):
			c.Set(fiber.HeaderCacheControl, "no-store")
			return c.Redirect(rule.Room, fiber.StatusSeeOther)
		case err != nil:
			if a, ok := g.Refused(err); ok {
				allow(c, a)
			}
			return refuse(c, err)
		case claims.Session != "":
			c.Locals(claimsKey{}, claims)
			if a, ok := g.Allowance(claims.Session); ok {
				allow(c, a)
			}
		}
		return c.Next()
	}
}

// allow says how many requests more are let through, as
// draft-ietf-httpapi-ratelimit-headers has it.
func allow(c *fiber.Ctx, a gate.Allowance) {
	c.Set("RateLimit-Policy", a.Policy())
	c.Set("RateLimit", a.String())
}

// Claims returns what the request's token says, from the context of a handler
// behind New. There are none where the rule let the request through without a
// token.
func Claims(ctx context.Context) (token.Claims, bool) {
	if claims, ok := ctx.Value(claimsKey{}).(*token.Claims); ok {
		return *claims, true
	}
	return token.Claims{}, false
}

// read is Ctx.Get, but several lines of cookies are one. Ctx.Cookies would take all
// of them apart and copy them. What is returned is good until the handler returns.
func read(c *fiber.Ctx, name string) string {
	if name != fiber.HeaderCookie {
		return c.Get(name)
	}
	lines := c.Request().Header.PeekAll(name)
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return utils.UnsafeString(lines[0])
	}
	return string(bytes.Join(lines, []byte(";")))
}

func refuse(c *fiber.Ctx, err error) error {
	p, retry := ropeline.ProblemOf(err)
	if retry > 0 {
		c.Set(fiber.HeaderRetryAfter, ropeline.RetryAfter(retry))
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(p.Status).JSON(p, "application/problem+json")
}
