package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// shop is a booking core that serves, wired as a process of it is, and the line
// that knows its sessions.
type shop struct {
	*desk
	redis   *bench.Redis
	bank    *pgxpool.Pool // of the provider, who is not ours: it waits for no connection of the core's
	line    *queue.Store
	ended   *queue.Revocations
	signer  *admission.Signer
	address string
	fans    int // that have a session
	wanted  int // units that somebody wants
	stop    func() error
}

func openShop(ctx context.Context, sells hall, out io.Writer) (s *shop, err error) {
	s = &shop{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.desk, err = newDesk(ctx, sells, out); err != nil {
		return s, err
	}
	if s.redis, err = bench.StartRedis(ctx); err != nil {
		return s, err
	}
	if s.bank, err = s.server.Connect(ctx); err != nil {
		return s, err
	}
	s.line = queue.New(s.redis.Client, queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)})
	if err = errors.Join(s.line.PublishSale(ctx, s.sale), s.line.Draw(ctx, s.sale.ID)); err != nil {
		return s, err
	}
	text, err := admission.GenerateKey()
	if err != nil {
		return s, err
	}
	if s.signer, err = admission.ParseSigner(text); err != nil {
		return s, err
	}
	return s, s.serve(ctx)
}

// serve starts the core.
func (s *shop) serve(ctx context.Context) error {
	log := slog.New(slog.DiscardHandler)
	s.ended = queue.NewRevocations(s.line, "bench", log)
	core, err := api.New(api.Config{
		Postgres: s.server.Pool, Redis: s.redis.Client,
		Gate:     gate.New(token.NewCache(token.NewVerifier(s.signer.KeySet(), time.Now), 0), s.ended, s.ended).WithRate(0, time.Now),
		OrderKey: make([]byte, 32), Provider: sandbox.New(s.bank), Line: s.line, Sessions: s.line, Log: log, Abuse: abuse.Default(),
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = ln.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 2)
	go func() { done <- core.Serve(ctx, ln) }()
	go func() { done <- s.ended.Run(ctx) }()
	s.stop = func() error {
		cancel()
		return errors.Join(<-done, <-done)
	}
	return nil
}

// Close ends the core and its servers.
func (s *shop) Close() (err error) {
	if s.stop != nil {
		err = s.stop()
	}
	if s.line != nil {
		s.line.Close()
	}
	if s.bank != nil {
		s.bank.Close()
	}
	if s.redis != nil {
		err = errors.Join(err, s.redis.Close())
	}
	if s.desk != nil {
		err = errors.Join(err, s.desk.Close())
	}
	return err
}

// fan is somebody in the shop, and the seats that they want.
type fan struct {
	token   string
	place   ropeline.PlaceID
	session string
	units   []int
}

// admit lets so many fans in. Each wants so many seats, which nobody else wants.
func (s *shop) admit(ctx context.Context, n, seats int) ([]fan, error) {
	fans, places := make([]fan, n), make([]queue.Place, n)
	now := time.Now().UTC().Truncate(time.Second)
	for i := range fans {
		id, err := queue.NewPlaceID(rand.Reader)
		if err != nil {
			return nil, err
		}
		session, err := booking.NewID()
		if err != nil {
			return nil, err
		}
		expires, ends := now.Add(time.Hour), now.Add(2*time.Hour)
		places[i] = queue.Place{ID: id, State: ropeline.PlaceActive, Offer: &queue.Offer{Number: int64(s.fans + i + 1), ClaimBy: expires},
			Session: &queue.Session{ID: session, IssuedAt: now, ExpiresAt: expires, EndsAt: ends, Slot: expires}}
		fans[i].place, fans[i].session = id, session
		fans[i].token, err = s.signer.Sign(token.Claims{Sale: s.sale.ID, Place: id, Session: session, IssuedAt: now, Expires: expires, SessionEnds: ends})
		if err != nil {
			return nil, err
		}
		for range seats {
			fans[i].units = append(fans[i].units, s.wanted)
			s.wanted++
		}
	}
	s.fans += n
	for at := 0; at < n; at += 500 {
		if err := s.line.Reinstate(ctx, s.sale.ID, places[at:min(at+500, n)]); err != nil {
			return nil, fmt.Errorf("letting fans in: %w", err)
		}
	}
	return fans, nil
}
