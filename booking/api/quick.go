package api

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline/booking/find"
)

// quick answers what everybody looks at, where it is in memory and is new. Nothing is
// decided here: the handlers of the table put it there, and whatever else is asked for goes
// on to them. The way through their parameters is two thirds of what such an answer costs.
func (s *server) quick(app *fiber.App) {
	app.Get("/api/v1/listing", s.atOnce("get-listing", listingCaching, func(*fiber.Ctx) (sight, bool) {
		l := s.finder.Popular()
		if l == nil {
			return sight{}, false
		}
		return sight{etag: l.Tag(), text: l.Text()}, true
	}))
	app.Get("/api/v1/events/:id", s.atOnce("get-event", soon, func(c *fiber.Ctx) (sight, bool) {
		id := c.Params("id")
		page, found := s.glances.fresh("event " + id)
		if found {
			s.finder.Seen(id, find.Viewed)
		}
		return page, found
	}))
	app.Get("/api/v1/performances/:id/availability", s.atOnce("get-availability", availabilityCaching, func(c *fiber.Ctx) (sight, bool) {
		return s.glances.fresh(c.Params("id"))
	}))
}

// atOnce answers a route by what there is, unless more is asked for than its address.
func (s *server) atOnce(route, caching string, there func(*fiber.Ctx) (sight, bool)) fiber.Handler {
	return func(c *fiber.Ctx) error {
		r := c.Request()
		if c.Method() != http.MethodGet || len(r.URI().QueryString()) > 0 || r.Header.ContentLength() > 0 || len(r.Header.ContentEncoding()) > 0 {
			return c.Next()
		}
		began := time.Now()
		page, found := there(c)
		if !found {
			return c.Next()
		}
		text := page.text
		if have := c.Get(fiber.HeaderIfNoneMatch); have != "" && names(have, page.etag) {
			c.Status(http.StatusNotModified)
			text = nil
		}
		h := &c.Response().Header
		h.Set(fiber.HeaderETag, page.etag)
		h.Set(fiber.HeaderCacheControl, caching)
		h.SetContentType("application/json")
		c.Response().SetBodyRaw(text)
		s.metrics.done(route, nil, time.Since(began))
		return nil
	}
}
