package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	browsers   = 16
	browseRate = 8 // requests a second of each
	stays      = 40
)

// browser is somebody who looks at what is on sale and keeps what they were sent, as
// browsers do: they ask whether it has changed. After some requests another one sits
// there, who has nothing yet.
type browser struct {
	*sellOut
	*caller
	first bool // shows the buyers what is free
	etags map[string]string
	times []time.Duration
}

func (o *sellOut) browser(n int) *browser {
	return &browser{sellOut: o, first: n == 0, etags: map[string]string{}}
}

// paths are what a browser asks for in turns.
func (o *sellOut) paths() []string {
	show := "/api/v1/performances/" + string(o.show)
	free := show + "/availability"
	return []string{free, show, free, free, "/api/v1/events", free, free, show, free, free}
}

// watched lets browsers look while something is done, and returns how long each of
// their requests took, since it was due.
func (o *sellOut) watched(ctx context.Context, do func(context.Context) error) (times []time.Duration, err error) {
	g, ctx := errgroup.WithContext(ctx)
	over := make(chan struct{})
	all := make([]*browser, browsers)
	for i := range all {
		all[i] = o.browser(i)
		g.Go(func() error { return all[i].look(ctx, i, over) })
	}
	g.Go(func() error {
		defer close(over)
		return do(ctx)
	})
	err = g.Wait()
	for _, b := range all {
		times = append(times, b.times...)
		err = errors.Join(err, b.Close())
	}
	if err == nil && len(times) == 0 {
		err = errors.New("nobody has looked")
	}
	return times, err
}

// look asks for one thing after the other, each when it is due.
func (b *browser) look(ctx context.Context, n int, over <-chan struct{}) error {
	const every = time.Second / browseRate
	due := time.Now().Add(time.Duration(n) * every / browsers)
	paths := b.paths()
	for i := n; ; i++ {
		wait := time.NewTimer(time.Until(due))
		select {
		case <-wait.C:
		case <-over:
			wait.Stop()
			return nil
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
		if i%stays == 0 {
			clear(b.etags)
		}
		if err := b.browse(ctx, paths[i%len(paths)]); err != nil {
			return fmt.Errorf("browsing: %w", err)
		}
		b.times = append(b.times, time.Since(due))
		due = due.Add(every)
	}
}

// browse asks for a path.
func (b *browser) browse(ctx context.Context, path string) (err error) {
	if b.caller == nil {
		if b.caller, err = call(ctx, b.address); err != nil {
			return err
		}
	}
	r := "GET " + path + " HTTP/1.1\r\nHost: shop.example\r\n"
	if etag := b.etags[path]; etag != "" {
		r += "If-None-Match: " + etag + "\r\n"
	}
	a, err := b.ask([]byte(r + "\r\n"))
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusOK:
		if a.etag != "" {
			b.etags[path] = a.etag
		}
		if b.first && path == b.paths()[0] {
			var view availability
			if err := json.Unmarshal(a.body, &view); err != nil {
				return err
			}
			b.view.Store(&view)
		}
	case http.StatusNotModified:
	default:
		return fmt.Errorf("%s: answered %d %s", path, a.status, a.body)
	}
	return nil
}

// Close hangs up.
func (b *browser) Close() error {
	if b.caller == nil {
		return nil
	}
	return b.caller.Close()
}
