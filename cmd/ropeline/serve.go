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
	"os"
	"sync"
	"syscall"
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

// listenLocal opens a Unix socket for the user and the group of this process. One that
// a process left behind which was killed is replaced; one that is answered is not.
func listenLocal(ctx context.Context, path string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(ctx, path) {
		if err = os.Remove(path); err == nil {
			ln, err = lc.Listen(ctx, "unix", path)
		}
	}
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on a socket: %w", err)
	}
	return ln, nil
}

// abandoned reports whether there is a socket without anybody behind it. A file that is
// none refuses connections, too.
func abandoned(ctx context.Context, path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close() // somebody is there
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }

// address is the URL of a listener.
func address(ln net.Listener) *url.URL {
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}
}
