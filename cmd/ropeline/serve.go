package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// serve answers on ln until ctx ends, then lets requests end.
func serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	hs := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var draining sync.WaitGroup
	defer draining.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	draining.Go(func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if hs.Shutdown(drain) != nil {
			_ = hs.Close() // what has not ended by now is cut
		}
	})
	if err := hs.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on %s: %w", ln.Addr(), err)
	}
	return nil
}

// listen opens a TCP listener.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return ln, nil
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }

// address is the URL of a listener.
func address(ln net.Listener) *url.URL {
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}
}
