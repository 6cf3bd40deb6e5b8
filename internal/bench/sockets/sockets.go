// Package sockets measures what a waiting fan's WebSocket costs an edge, and how
// fast many of them are told something.
//
// The one hard idea is that servers and clients are processes of their own,
// made from the same program: what a process used is what its role costs. The
// edges are whole edges on a real Redis, and each socket has a joined place.
package sockets

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// Parts are what is measured here.
func Parts() []bench.Part {
	return []bench.Part{
		{Name: "sockets", Measure: costRows},
		{Name: "pushes", Measure: pushRows},
		{Name: "fans", Measure: fanRows, Asked: true},
	}
}

const sale ropeline.SaleID = "bench"

// keys are no secrets here.
var keys = queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)}

// scene is a sale whose line moves, with a ticket for each place in it.
type scene struct {
	server  *bench.Redis
	rdb     redis.UniversalClient
	store   *queue.Store
	tickets string // file

	stop    context.CancelFunc
	ticking sync.WaitGroup

	mu    sync.Mutex
	ticks []tick
}

// tick is one tick of the line: the offers up to last were made after began.
type tick struct {
	began  time.Time
	last   int64
	reason string // that it told, of a pause
}

// newScene starts a Redis and lets places join an open sale. It ticks from then
// on, and offers so many turns a minute.
func newScene(ctx context.Context, places int, rate int64) (s *scene, err error) {
	s = &scene{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.server, err = bench.StartRedis(ctx); err != nil {
		return s, err
	}
	s.rdb = s.server.Client
	s.store = queue.New(s.rdb, keys)
	now := time.Now()
	err = s.store.PublishSale(ctx, ropeline.Sale{
		ID: sale, Version: 1, Title: "Bench",
		LobbyClosesAt: now.Add(-2 * time.Minute), OpensAt: now.Add(-time.Minute), EndsAt: now.Add(24 * time.Hour),
		Cap: ropeline.MaxCap, Rate: rate,
		ClaimWindow: 600, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
	})
	if err != nil {
		return s, err
	}
	if err := s.store.Draw(ctx, sale); err != nil {
		return s, err
	}
	if err := s.join(ctx, places); err != nil {
		return s, err
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.ticking.Go(func() { s.tick(ctx) })
	return s, nil
}

// join lets places join and writes their tickets into a file.
func (s *scene) join(ctx context.Context, places int) error {
	tickets := make([]string, places)
	const callers = 256
	g, ctx := errgroup.WithContext(ctx)
	for c := range callers {
		g.Go(func() error {
			for i := c; i < places; i += callers {
				p, err := s.store.Join(ctx, sale, ropeline.PlaceID(fmt.Sprintf("%022d", i)), "")
				if err != nil {
					return err
				}
				tickets[i], err = s.store.SignTicket(queue.Ticket{Sale: sale, Lane: ropeline.MainLane, Place: p.ID, Score: p.Score, Epoch: p.Epoch})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	file, err := os.CreateTemp("", "ropeline-tickets-*")
	if err != nil {
		return err
	}
	s.tickets = file.Name()
	w := bufio.NewWriter(file)
	for _, t := range tickets {
		fmt.Fprintln(w, t)
	}
	return errors.Join(w.Flush(), file.Close())
}

// tick is the sale's controller.
func (s *scene) tick(ctx context.Context) {
	every := time.NewTicker(queue.TickInterval)
	defer every.Stop()
	for {
		began := time.Now()
		state, err := s.store.Tick(ctx, sale, "bench", time.Minute)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // as any controller, it goes on
			fmt.Fprintln(os.Stderr, "a tick failed:", err)
		} else {
			s.mu.Lock()
			s.ticks = append(s.ticks, tick{began, state.LastOffer, state.Reason})
			s.mu.Unlock()
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// past returns the ticks so far, one at least.
func (s *scene) past() ([]tick, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ticks) == 0 {
		return nil, errors.New("the line has not moved yet")
	}
	return append([]tick(nil), s.ticks...), nil
}

// Close stops everything and removes what it wrote.
func (s *scene) Close() error {
	var errs []error
	if s.stop != nil {
		s.stop()
		s.ticking.Wait()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.tickets != "" {
		errs = append(errs, os.Remove(filepath.Clean(s.tickets)))
	}
	return errors.Join(errs...)
}

// pair is a server and the fans at it.
type pair struct {
	server, fans *child
	empty        float64 // bytes resident before the first fan
	sockets      int
}

// newPair starts a server in a role and opens sockets of waiting fans at it.
func newPair(ctx context.Context, s *scene, role string, sockets, from int) (p *pair, err error) {
	return openPair(ctx, role, s.server.URL, order{Path: "/api/v1/sales/" + string(sale) + "/place/live", Sockets: sockets, Tickets: s.tickets, From: from})
}

// openPair starts a server in a role, and fans who open their sockets there.
func openPair(ctx context.Context, role, redis string, fans order) (p *pair, err error) {
	p = &pair{sockets: fans.Sockets}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.server, err = start(ctx, role, order{Redis: redis, Sockets: fans.Sockets}); err != nil {
		return p, err
	}
	address, err := p.server.hear(ctx, "address", nil)
	if err != nil {
		return p, err
	}
	if p.empty, err = p.server.rss(); err != nil {
		return p, err
	}
	fans.Address = address[0]
	p.fans, err = start(ctx, "fans", fans)
	return p, err
}

// opened waits until all fans have their sockets.
func (p *pair) opened(ctx context.Context) error {
	_, err := p.fans.hear(ctx, "open", nil)
	return err
}

// count is what the fans have received, and how many sockets are open.
type count struct {
	frames, bytes int64
	open          int64
}

// count asks the fans; what they tell beside goes to others.
func (p *pair) count(ctx context.Context, others func(string)) (count, error) {
	if err := p.fans.say("count"); err != nil {
		return count{}, err
	}
	n, err := p.fans.numbers(ctx, "count", others)
	if err != nil {
		return count{}, err
	}
	if len(n) != 3 {
		return count{}, fmt.Errorf("a count of %d numbers", len(n))
	}
	return count{n[0], n[1], n[2]}, nil
}

// whole is count where no socket may have been closed.
func (p *pair) whole(ctx context.Context) (count, error) {
	c, err := p.count(ctx, nil)
	if err == nil && c.open != int64(p.sockets) {
		err = fmt.Errorf("%d of %d sockets are open", c.open, p.sockets)
	}
	return c, err
}

func (p *pair) Close() error {
	var errs []error
	for _, c := range []*child{p.fans, p.server} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

func closing(err *error, c interface{ Close() error }) { *err = errors.Join(*err, c.Close()) }

// pass waits, unless ctx ends before.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
