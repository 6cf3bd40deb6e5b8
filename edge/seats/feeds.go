package seats

import (
	"context"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
)

var (
	// ErrUnknown answers while nothing is known of a performance's units.
	ErrUnknown = &ropeline.Error{Kind: ropeline.Unavailable, Code: "inventory-not-ready", RetryAfter: 2 * time.Second,
		Detail: "We cannot see the places of this performance at the moment. Please try again."}
	errFull = &ropeline.Error{Kind: ropeline.Unavailable, Code: "edge-full", RetryAfter: 10 * time.Second,
		Detail: "This server is busy with other performances. Please try again."}
	errOver = &ropeline.Error{Kind: ropeline.Unavailable, Code: "edge-starting", RetryAfter: time.Second,
		Detail: "This server is starting or going down. Please try again."}
)

// Feeds are the performances that somebody watches here.
type Feeds struct {
	read Reader
	pace Pace
	most int
	now  func() time.Time

	running sync.WaitGroup

	mu   sync.Mutex // guards the rest
	ctx  context.Context
	byID map[ropeline.PerformanceID]*Feed
}

// New returns Feeds of so many performances at most.
func New(read Reader, pace Pace, most int, now func() time.Time) *Feeds {
	return &Feeds{read: read, pace: pace, most: most, now: now, byID: map[ropeline.PerformanceID]*Feed{}}
}

// Open lets feeds run until ctx ends; Wait waits for their end after that.
func (s *Feeds) Open(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx = ctx
}

// Wait returns when all feeds have ended.
func (s *Feeds) Wait() { s.running.Wait() }

// Len is how many performances are followed.
func (s *Feeds) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// Watch adds a viewer to a performance, who has the picture of this name and number
// already (or none, by another name), and returns the feed beside it. Who comes first
// waits for the first look, and so do all who come meanwhile; without one there is no
// feed. Leave must be called.
func (s *Feeds) Watch(ctx context.Context, id ropeline.PerformanceID, name string, seq int64) (*Feed, *Viewer, error) {
	f, err := s.enter(id)
	if err != nil {
		return nil, nil, err
	}
	v := &Viewer{feed: f, name: name, seq: seq}
	select {
	case <-f.ready:
		err = f.failed
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		v.Leave()
		return nil, nil, err
	}
	return f, v, nil
}

// enter counts a viewer into a feed, made if need be.
func (s *Feeds) enter(id ropeline.PerformanceID) (*Feed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return nil, errOver
	}
	f := s.byID[id]
	if f == nil {
		if len(s.byID) >= s.most {
			return nil, errFull
		}
		f = &Feed{id: id, read: s.read, pace: s.pace, now: s.now, ready: make(chan struct{})}
		s.byID[id] = f
		ctx := s.ctx
		s.running.Go(func() { s.follow(ctx, f) })
	}
	f.enter()
	return f, nil
}

// follow looks once, and then for as long as somebody watches.
func (s *Feeds) follow(ctx context.Context, f *Feed) {
	_, err := f.look(ctx)
	if err != nil {
		f.failed = ErrUnknown.Because(err)
		s.forget(f) // the next one tries again
	}
	close(f.ready)
	if err == nil {
		f.run(ctx, func() bool { return s.forgetIdle(f) })
		s.forget(f)
	}
}

func (s *Feeds) forget(f *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[f.id] == f {
		delete(s.byID, f.id)
	}
}

// forgetIdle forgets a feed that nobody has watched for a while, and reports whether
// it has. Nobody can enter it meanwhile.
func (s *Feeds) forgetIdle(f *Feed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := f.idle()
	if idle {
		delete(s.byID, f.id)
	}
	return idle
}
