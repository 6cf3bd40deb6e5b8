package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench/caller"
	live "github.com/ropeline/ropeline/internal/bench/sockets"
)

const (
	browsers   = 16
	browseRate = 8 // requests a second of each
	stays      = 40
)

// browsing is the role of the process that browsers are: what they wait for is the core,
// not their turn among buyers who are simulated in the same process.
const browsing = "browsers"

// stall is where browsers look.
type stall struct {
	Address string
	Show    ropeline.PerformanceID
}

// paths are what a browser asks for in turns.
func (s stall) paths() []string {
	show := "/api/v1/performances/" + string(s.Show)
	free := show + "/availability"
	return []string{free, show, free, free, "/api/v1/events", free, free, show, free, free}
}

// watched lets browsers look while something is done, once one has begun to, and returns
// how long each of their requests took, since it was due.
func (s stall) watched(ctx context.Context, do func(context.Context) error) (times []time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), live.RoleVariable+"="+browsing)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("letting browsers in: %w", err)
	}
	answers, here := json.NewDecoder(out), false
	err = errors.Join(json.NewEncoder(in).Encode(s), answers.Decode(&here)) // on a busy machine it is a while
	if err == nil {
		err = do(ctx)
	}
	err = errors.Join(err, in.Close(), answers.Decode(&times), child.Wait())
	if err == nil && len(times) == 0 {
		err = errors.New("nobody has looked")
	}
	return times, err
}

// browse is the life of that process: it looks, says so, goes on until in ends and then
// says how long that took.
func browse(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(in)
	var s stall
	if err := orders.Decode(&s); err != nil {
		return fmt.Errorf("where to browse: %w", err)
	}
	over := make(chan struct{})
	go func() { // until in ends, as the process does
		defer close(over)
		_, _ = io.Copy(io.Discard, io.MultiReader(orders.Buffered(), in))
	}()
	g, ctx := errgroup.WithContext(ctx)
	all, answers := make([]*browser, browsers), json.NewEncoder(out)
	began := sync.OnceValue(func() error { return answers.Encode(true) })
	for i := range all {
		all[i] = s.browser()
		g.Go(func() (err error) {
			defer closing(&err, all[i])
			return all[i].look(ctx, i, began, over)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	times := []time.Duration{}
	for _, b := range all {
		times = append(times, b.times...)
	}
	return answers.Encode(times)
}

// browser is somebody who looks at what is on sale and keeps what they were sent, as
// browsers do: they ask whether it has changed. After some requests another one sits
// there, who has nothing yet.
type browser struct {
	stall
	*caller.Conn
	etags map[string]string
	times []time.Duration
}

func (s stall) browser() *browser { return &browser{stall: s, etags: map[string]string{}} }

// look asks for one thing after the other, each when it is due, and tells when it has begun.
func (b *browser) look(ctx context.Context, n int, began func() error, over <-chan struct{}) error {
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
		if _, err := b.see(ctx, paths[i%len(paths)]); err != nil {
			return fmt.Errorf("browsing: %w", err)
		}
		b.times = append(b.times, time.Since(due))
		if err := began(); err != nil {
			return fmt.Errorf("saying that somebody looks: %w", err)
		}
		due = due.Add(every)
	}
}

// see asks for a path and returns what is there, nothing if that is what was there
// before.
func (b *browser) see(ctx context.Context, path string) (body []byte, err error) {
	if b.Conn == nil {
		if b.Conn, err = caller.Dial(ctx, b.Address); err != nil {
			return nil, err
		}
	}
	r := "GET " + path + " HTTP/1.1\r\nHost: shop.example\r\n"
	if etag := b.etags[path]; etag != "" {
		r += "If-None-Match: " + etag + "\r\n"
	}
	a, err := b.Ask([]byte(r + "\r\n"))
	if err != nil {
		return nil, err
	}
	switch a.Status {
	case http.StatusOK:
		if a.ETag != "" {
			b.etags[path] = a.ETag
		}
		return a.Body, nil
	case http.StatusNotModified:
		return nil, nil
	}
	return nil, fmt.Errorf("%s: answered %d %s", path, a.Status, a.Body)
}

// Close hangs up.
func (b *browser) Close() error {
	if b.Conn == nil {
		return nil
	}
	return b.Conn.Close()
}
