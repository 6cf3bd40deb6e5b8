package api

import (
	"context"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

type clientAddress struct{} // key of the address that a request is for

// addressed keeps whose request it is, as an edge says it.
func (s *server) addressed(c *fiber.Ctx) error {
	if len(s.edges) > 0 { // else nobody is believed
		if a := clientOf(c.Context().RemoteAddr().String(), c.Get(fiber.HeaderXForwardedFor), s.edges); a.IsValid() {
			c.Locals(clientAddress{}, a)
		}
	}
	return c.Next()
}

// clientOf is the address of a fan, zero if it is not known. An edge names one, and no
// other (see edge/address.go, which decides what to believe). Whoever is no edge
// of ours is not believed, nor counted by the address it comes from: an edge that
// we were not told of would be everybody.
func clientOf(peer, said string, edges []netip.Prefix) netip.Addr {
	from, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	edge := from.Addr().Unmap().WithZone("")
	for _, p := range edges {
		if p.Contains(edge) {
			a, err := netip.ParseAddr(strings.TrimSpace(said))
			if err != nil {
				return netip.Addr{}
			}
			return a.Unmap().WithZone("")
		}
	}
	return netip.Addr{}
}

func addressOf(ctx context.Context) netip.Addr {
	a, _ := ctx.Value(clientAddress{}).(netip.Addr)
	return a
}
