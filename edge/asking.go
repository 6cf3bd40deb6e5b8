package edge

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/passage"
)

// askersMost bounds the connections of proxies that ask on the socket, so that they
// fit into the descriptors that are kept for other things.
const askersMost = 256

// ServeAsking answers proxies that ask the gate on a Unix socket, and nothing else
// there, until ctx ends. Nobody is told an address by such a socket: who may open it
// is a trusted proxy. It runs beside Serve.
func (s *Server) ServeAsking(ctx context.Context, ln net.Listener) error {
	limits := s.config.Limits
	limits.connections = min(limits.connections, askersMost)
	answer := s.Handler()
	err := s.serve(ctx, newDoors(ln, limits, nil, s.metrics.turned), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != passage.Verify {
			s.fail(w, r, ropeline.ErrRouteUnknown)
			return
		}
		answer.ServeHTTP(w, r)
	}))
	if err != nil {
		return fmt.Errorf("answering proxies that ask: %w", err)
	}
	return nil
}
