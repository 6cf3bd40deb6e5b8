package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	gomail "github.com/wneessen/go-mail"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
)

const (
	// many is how many letters somebody waits for, bulk how many go out beside.
	many, bulk = 5000, 100_000
	// apart is how far apart letters are posted whose way is timed.
	apart = 10 * time.Millisecond
	from  = "Opera <tickets@example.org>"
)

// post is a database, what sends from it, and a mail server that only looks at the time.
type post struct {
	db     *bench.Postgres
	store  *mail.Store
	server mail.Server
	at     string // host and port of the mail server

	mu   sync.Mutex // guards came and many
	came map[string]time.Time
	many map[string]int // by what is before the number
	stop func() error
}

func open(ctx context.Context) (p *post, err error) {
	p = &post{came: map[string]time.Time{}, many: map[string]int{}}
	if p.db, err = bench.StartPostgres(ctx); err != nil {
		return nil, err
	}
	keys, err := people.NewKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		return p, err
	}
	p.store = mail.New(p.db.Pool, keys)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return p, fmt.Errorf("opening a mail server: %w", err)
	}
	p.at = ln.Addr().String()
	if p.server, err = mail.ParseServer("smtp://" + p.at); err != nil {
		return p, err
	}
	box := &mailbox.Box{Refuse: func(to string) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, again := p.came[to]; !again {
			name, _, _ := strings.Cut(to, "-")
			p.many[name]++
		}
		p.came[to] = time.Now()
		return 0
	}}
	inside, end := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- box.Serve(inside, ln) }()
	p.stop = func() error {
		end()
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	return p, nil
}

func (p *post) Close() error {
	var errs []error
	if p.stop != nil {
		errs = append(errs, p.stop())
	}
	return errors.Join(append(errs, p.db.Close())...)
}

// letter is a confirmation, as long as they are.
func letter(to string) mail.Message {
	return mail.Message{To: to, Subject: "Your tickets for Gala", Text: "Good evening,\n\n" + strings.Repeat("two seats in row 7 of the stalls, 45.00 EUR each.\n", 20)}
}

// write posts letters, some in a transaction.
func (p *post) write(ctx context.Context, many int, name string, slip mail.Slip) error {
	slip.For = time.Hour
	for i := 0; i < many; i += 500 {
		err := pgx.BeginFunc(ctx, p.db.Pool, func(tx pgx.Tx) error {
			for j := i; j < min(i+500, many); j++ {
				if _, err := p.store.Post(ctx, tx, letter(fmt.Sprintf("%s-%d@example.org", name, j)), slip); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("posting letters: %w", err)
		}
	}
	return nil
}

// seen is how many letters of a name came. They are counted when they come: to look through all
// of them every 5 ms was a seventh of the processor time of what is measured.
func (p *post) seen(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.many[name]
}

func (p *post) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.came)
	clear(p.many)
}

// sent has a sender send while do is done.
func (p *post) sent(ctx context.Context, do func(context.Context) error) error {
	sender, err := mail.NewSender(p.store, p.server, from, mail.Every, nil, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return sender.Run(ctx) })
	g.Go(func() error {
		defer stop()
		return do(ctx)
	})
	return g.Wait()
}

// until waits until so many letters of a name came.
func (p *post) until(ctx context.Context, name string, many int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for p.seen(name) < many {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// plainly sends letters by go-mail alone, over so many connections.
func (p *post) plainly(ctx context.Context, many, connections int) error {
	host, port, err := net.SplitHostPort(p.at)
	if err != nil {
		return err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for c := range connections {
		g.Go(func() error {
			client, err := gomail.NewClient(host, gomail.WithPort(number), gomail.WithTLSPolicy(gomail.NoTLS))
			if err != nil {
				return err
			}
			if err := client.DialWithContext(ctx); err != nil {
				return err
			}
			for i := c; i < many; i += connections {
				said := letter(fmt.Sprintf("plain-%d@example.org", i))
				m := gomail.NewMsg()
				if err := errors.Join(m.From(from), m.To(said.To)); err != nil {
					return err
				}
				m.Subject(said.Subject)
				m.SetMessageID()
				m.SetDate()
				m.SetBodyString(gomail.TypeTextPlain, said.Text)
				if err := client.Send(m); err != nil {
					return err
				}
			}
			return client.Close()
		})
	}
	return g.Wait()
}
