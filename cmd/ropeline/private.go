package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/internal/monitor"
)

// privateListener is the flag of every part that runs. Its default is an address
// that only this machine reaches, since profiles may hold secrets.
type privateListener struct {
	PrivateListen string `default:"127.0.0.1:${private}" placeholder:"ADDR" help:"Address for metrics, profiles and health, not for the public; off for none. If a default is taken, a free port is."`
}

// watched adds to the parts of a process what serves its registry. It comes
// first, so that it ends last: a process that does not end can be looked into.
func (p privateListener) watched(ctx context.Context, reg *prometheus.Registry, log *slog.Logger, parts []part) ([]part, error) {
	if p.PrivateListen == "off" {
		return parts, nil
	}
	ln, err := p.open(ctx, log)
	if err != nil {
		return nil, err
	}
	log.Info("open to operators", "metrics", address(ln).JoinPath("metrics"))
	return append([]part{privatePart(ln, reg, log)}, parts...), nil
}

func privatePart(ln net.Listener, reg *prometheus.Registry, log *slog.Logger) part {
	return part{"metrics", func(ctx context.Context) error { return serve(ctx, ln, monitor.Handler(reg), log) }}
}

// open takes a free port if another process of this machine has the one asked
// for: a second edge must not fail for the sake of its metrics.
func (p privateListener) open(ctx context.Context, log *slog.Logger) (net.Listener, error) {
	ln, err := listen(ctx, p.PrivateListen)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return ln, err
	}
	host, _, err := net.SplitHostPort(p.PrivateListen)
	if err != nil {
		return nil, err
	}
	log.Warn("the address for metrics is taken, so a free port is used", "taken", p.PrivateListen)
	return listen(ctx, net.JoinHostPort(host, "0"))
}
