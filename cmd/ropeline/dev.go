package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/migrations"
	"github.com/ropeline/ropeline/internal/monitor"
)

type devCommand struct {
	Data   string `default:".ropeline" placeholder:"DIR" help:"Folder of the data, found again at the next start."`
	Listen string `default:"127.0.0.1:8080" help:"Address to serve fans on; if it is taken, a free port is."`
	Reset  bool   `help:"Forget the data of earlier starts first."`
	Fans   int    `placeholder:"N" help:"Let so many simulated fans join."`
	Demo   string `placeholder:"FILE" help:"JSON file that overrides the demo sale."`
	edgeLimits
	abuseFlags
}

// dev is a running development stack: what the parts share, and where they
// are.
type dev struct {
	devCommand
	console

	demo  demo
	keys  keyFolder
	stack *devstack.Stack
	sale  ropeline.Sale
	staff string // key of a member of staff

	edge, booking, ops, private net.Listener
	smtp, mailbox               net.Listener // where letters come to, and where they are read

	registry *prometheus.Registry
}

// Run starts everything and stops it in the reverse order: fans, edge,
// booking, worker, admission, then the servers.
func (c *devCommand) Run(ctx context.Context, con console) (err error) {
	d := &dev{devCommand: *c, console: con, registry: monitor.NewRegistry()}
	if d.Data, err = filepath.Abs(c.Data); err != nil {
		return fmt.Errorf("finding the data folder: %w", err)
	}
	d.keys = keyFolder(filepath.Join(d.Data, "keys"))
	if d.demo, err = loadDemo(c.Demo); err != nil {
		return err
	}
	if c.Reset {
		if err := d.reset(ctx); err != nil {
			return err
		}
	}
	if d.stack, err = devstack.Start(ctx, d.Data, con.log); err != nil {
		return err
	}
	defer closing(&err, d.stack)
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

func (d *dev) reset(ctx context.Context) error {
	if err := devstack.Reset(ctx, d.Data); err != nil {
		return err
	}
	return os.RemoveAll(string(d.keys))
}

// prepare brings database, keys and staff to where the parts expect them.
func (d *dev) prepare(ctx context.Context) (err error) {
	if _, err := migrations.Run(ctx, d.stack.PostgresDSN); err != nil {
		return err
	}
	if _, err := d.keys.init(); err != nil {
		return err
	}
	if d.staff, err = d.keys.devStaff(); err != nil {
		return err
	}
	return nil
}

// run wires the parts as their own processes would be: each with connections
// of its own, and the edge reaching the others over HTTP only.
func (d *dev) run(ctx context.Context) (err error) {
	var clients [4]redis.UniversalClient
	for i := range clients {
		if clients[i], err = dial.Redis(d.stack.RedisURL); err != nil {
			return err
		}
		defer closing(&err, clients[i])
	}
	var pools [3]*pgxpool.Pool
	for i := range pools {
		if pools[i], err = dial.Postgres(ctx, d.stack.PostgresDSN); err != nil {
			return err
		}
		defer pools[i].Close()
	}
	if d.sale, err = d.demo.seed(ctx, pools[0], clients[0], d.keys); err != nil {
		return err
	}
	if err := d.listen(ctx); err != nil {
		return err
	}
	parts, err := d.parts(ctx, clients, pools)
	if err != nil {
		return errors.Join(err, d.edge.Close(), d.booking.Close(), d.ops.Close(), d.private.Close(), d.smtp.Close(), d.mailbox.Close())
	}
	return runAll(ctx, d.log, parts...)
}

func (d *dev) parts(ctx context.Context, clients [4]redis.UniversalClient, pools [3]*pgxpool.Pool) ([]part, error) {
	limits := d.edgeLimits
	if limits.JoinsLimit == 0 {
		limits.JoinsLimit = -1 // simulated fans all come from one address
	}
	if limits.RequestsLimit == 0 {
		limits.RequestsLimit = -1
	}
	if limits.AddressLimit == 0 {
		limits.AddressLimit = -1
	}
	admission, err := newAdmission(clients[0], pools[2], d.keys, filepath.Join(d.Data, "archive"), nil, nil, d.ops, d.registry, d.log)
	if err != nil {
		return nil, err
	}
	told := receiverFlags{WebhooksInside: true}
	secrets, err := d.keys.secret(orderKey)
	if err != nil {
		return nil, err
	}
	booking, err := newBooking(clients[1], pools[0], sandboxPayments(pools[0], d.booking, d.log), d.keys, "", limits.SessionLimit, siteFlags{address(d.edge).String()}, d.abuseFlags, told, d.booking, d.registry, d.log)
	if err != nil {
		return nil, err
	}
	edge, err := newEdge(ctx, clients[3], d.keys, address(d.booking), address(d.ops), d.edge, limits, d.registry, d.log)
	if err != nil {
		return nil, err
	}
	texts, err := d.texts()
	if err != nil {
		return nil, err
	}
	letters, err := mailFlags{siteFlags: siteFlags{address(d.edge).String()}, SMTP: "smtp://" + d.smtp.Addr().String(), Texts: texts, MailFrom: "Ropeline <tickets@localhost.localdomain>"}.letters(clients[2], pools[1], d.keys, d.registry, d.log)
	if err != nil {
		return nil, err
	}
	box := &mailbox.Box{Refuse: func(to string) int {
		if strings.HasPrefix(to, "nobody.") { // so that one sees what becomes of it
			return 550
		}
		return 0
	}}
	parts := []part{{"servers", d.stack.Watch}, privatePart(d.private, d.registry, d.log),
		{"mail server", func(ctx context.Context) error { return box.Serve(ctx, d.smtp) }},
		{"mailbox", func(ctx context.Context) error { return serve(ctx, d.mailbox, box.Handler(), d.log) }}}
	parts = append(parts, letters...)
	parts = append(parts, admission...)
	parts = append(parts, newWorker(clients[2], pools[1], sandbox.New(pools[1]), secrets, told, d.registry, d.log)...)
	parts = append(parts, booking...)
	parts = append(parts, edge...)
	return append(parts, part{"dev", d.announce}), nil
}

// texts describes the gateway for text messages, which is beside the letters.
func (d *dev) texts() (path string, err error) {
	path = filepath.Join(d.Data, "texts.json")
	text := fmt.Sprintf(`{"url": "%s/texts", "headers": {"Idempotency-Key": "{id}"}, "body": {"to": "{to}", "text": "{text}"}}`+"\n", address(d.mailbox))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("describing the gateway for text messages: %w", err)
	}
	return path, nil
}

// listen opens the addresses. Only the edge's is one to remember.
func (d *dev) listen(ctx context.Context) (err error) {
	if d.edge, err = listen(ctx, d.Listen); errors.Is(err, syscall.EADDRINUSE) {
		host, _, splitErr := net.SplitHostPort(d.Listen)
		if splitErr != nil {
			return errors.Join(err, splitErr)
		}
		d.log.Warn("the address is taken, so a free port is used", "taken", d.Listen)
		d.edge, err = listen(ctx, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return err
	}
	opened := []net.Listener{d.edge}
	for _, ln := range []*net.Listener{&d.booking, &d.ops, &d.private, &d.smtp, &d.mailbox} {
		if *ln, err = listen(ctx, "127.0.0.1:0"); err != nil {
			for _, other := range opened {
				err = errors.Join(err, other.Close())
			}
			return err
		}
		opened = append(opened, *ln)
	}
	return nil
}
