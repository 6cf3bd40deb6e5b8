package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/presale"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/booking/webhook"
	"github.com/ropeline/ropeline/internal/monitor"
	"github.com/ropeline/ropeline/queue"
)

type bookingCommand struct {
	Redis    string    `required:"" placeholder:"URL" help:"Redis of the lines and of the inventory, redis:// or unix://."`
	Postgres string    `required:"" placeholder:"DSN" help:"The database."`
	Keys     keyFolder `required:"" placeholder:"DIR" help:"Folder with admission.pub, order.key, people.key, badge.key, staff and, where people sign in elsewhere, providers.json; mail-reports where the mail provider tells of bounces; code.key where organizers make presale codes."`
	Listen   string    `default:"127.0.0.1:8081" help:"Address to serve on, for the edges."`
	Gate     string    `placeholder:"NAME" help:"Name of this process among all gates; host and process id if empty."`

	SessionLimit int64 `placeholder:"N" help:"Requests of one session a minute; 0 for the default, -1 for no limit."`

	siteFlags
	abuseFlags
	paymentFlags
	webhookFlags
	receiverFlags
	privateListener `set:"private=9081"`
}

// siteFlags say where fans find us.
type siteFlags struct {
	Site string `placeholder:"URL" help:"Where fans find our pages, as https://tickets.example.org: letters lead there. Without it nobody has an account, and no letter is written about orders."`
}

// site is the address without an end of its own.
func (f siteFlags) site() (string, error) {
	u, err := url.Parse(f.Site)
	if f.Site != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		return "", fmt.Errorf("--site %s: want an address as https://tickets.example.org", f.Site)
	}
	return strings.TrimSuffix(f.Site, "/"), nil
}

// abuseFlags are what `dev` sets too.
type abuseFlags struct {
	AbusePolicy string         `type:"existingfile" placeholder:"FILE" help:"Who is slowed down and blocked, as JSON; without it as docs/abuse.md says."`
	Edges       []netip.Prefix `default:"127.0.0.0/8,::1/128" placeholder:"PREFIX" help:"Addresses of the edges: nobody else says for whom a request is. Without the right ones nothing is counted by address."`
}

func (c *bookingCommand) Run(ctx context.Context, con console) (err error) {
	on, err := openServers(ctx, c.Redis, c.Postgres)
	if err != nil {
		return err
	}
	defer closing(&err, on)
	books, shut, err := c.books(ctx, on.postgres)
	if err != nil {
		return err
	}
	defer shut()
	ln, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	reg := monitor.NewRegistry()
	paid, err := c.payments(c.paymentFlags, books, ln, con.log)
	var parts []part
	if err == nil {
		parts, err = newBooking(on.redis, on.postgres, paid, c.Keys, c.Gate, c.SessionLimit, c.siteFlags, c.abuseFlags, c.receiverFlags, ln, reg, con.log)
	}
	if err == nil {
		parts, err = c.watched(ctx, reg, con.log, parts)
	}
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	con.log.Info("serving the booking core", "address", address(ln))
	return runAll(ctx, con.log, parts...)
}

// newBooking wires the booking core behind a gate of its own. It can verify
// admission tokens and sign none.
func newBooking(rdb redis.UniversalClient, db *pgxpool.Pool, paid payments, keys keyFolder, name string, perSession int64, at siteFlags, against abuseFlags, told receiverFlags, ln net.Listener,
	reg prometheus.Registerer, log *slog.Logger) ([]part, error) {
	trusted, err := token.OpenFile(keys.path(admissionPublic), log)
	if err != nil {
		return nil, err
	}
	links, err := keys.secret(orderKey)
	if err != nil {
		return nil, err
	}
	accounts, err := keys.people()
	if err != nil {
		return nil, err
	}
	phones, err := keys.tickets()
	if err != nil {
		return nil, err
	}
	if !phones.Are() {
		log.Warn("there is no ticket.key, so phones show the printed codes of tickets; make it with: ropeline keygen init", "keys", string(keys))
	}
	site, err := at.site()
	if err != nil {
		return nil, err
	}
	if site != "" && !accounts.Are() {
		log.Warn("there is no people.key, so nobody has an account; make it with: ropeline keygen init", "keys", string(keys))
	}
	outside, err := keys.providers(site)
	if err != nil {
		return nil, err
	}
	members, err := admission.LoadStaff(keys.path(staffFile))
	if err != nil {
		return nil, err
	}
	reports, err := keys.mailReports()
	if err != nil {
		return nil, err
	}
	var badges api.Badges
	if signer, err := keys.badgeSigner(); err != nil {
		return nil, err
	} else if signer != nil {
		badges = signer
	}
	if name == "" {
		if name, err = gateName("booking"); err != nil {
			return nil, err
		}
	}
	policy, err := abuse.Load(against.AbusePolicy)
	if err != nil {
		return nil, err
	}
	log = log.With("part", "booking")
	reg = monitor.Part(reg, "booking")
	monitor.Redis(reg, rdb)
	monitor.Postgres(reg, db)
	code, err := keys.codes()
	if err != nil {
		return nil, err
	}
	line := queue.New(rdb, queue.Keys{Code: code})
	line.UseCodeBook(admission.NewCodeBook(db))
	var presales presale.Book
	if code != nil {
		presales = codeDesk{line}
	}
	ended := queue.NewRevocations(line, name, log)
	watchGate(reg, ended)
	watchKeys(reg, "trusts", trusted.IDs)
	core, err := api.New(paid.into(api.Config{
		Postgres: db, Redis: rdb,
		Gate:     gate.New(token.NewCache(token.NewVerifier(trusted, time.Now), 0), ended, ended).WithRate(perSession, time.Now),
		OrderKey: links, Tickets: phones, People: accounts, MailReports: reports, Outside: outside, Site: site, Staff: deskStaff{members}, Badges: badges, Line: line, Looks: line, Codes: presales, Sessions: line, Metrics: reg, Log: log,
		Around: surroundings(line, trusted),
		Abuse:  policy, Edges: against.Edges, WebhooksInside: told.WebhooksInside,
	}))
	if err != nil {
		return nil, err
	}
	return append([]part{
		{"keys", trusted.Run},
		{"gate", ended.Run},
		{"ends", func(ctx context.Context) error {
			return line.FollowEnded(ctx, func(ctx context.Context, e queue.Ended) { core.EndSession(ctx, e.Sale, e.Session) })
		}},
		{"booking", func(ctx context.Context) error { return core.Serve(ctx, ln) }},
	}, paid.parts...), nil
}

// codeDesk keeps the codes that organizers make.
type codeDesk struct{ line *queue.Store }

func (d codeDesk) AddCodes(ctx context.Context, sale ropeline.SaleID, r presale.Rules, codes []string) error {
	_, err := d.line.AddCodes(ctx, sale, queue.CodeBatch{ID: r.Name, Lane: r.Lane, Uses: r.Uses, From: r.From, Until: r.Until}, codes)
	return err
}

func (d codeDesk) CodeBatches(ctx context.Context, sale ropeline.SaleID) ([]presale.Batch, error) {
	kept, err := d.line.CodeBatches(ctx, sale)
	batches := make([]presale.Batch, len(kept))
	for i, b := range kept {
		batches[i] = presale.Batch{Rules: presale.Rules{Name: b.ID, Lane: b.Lane, Uses: b.Uses, From: b.From, Until: b.Until}, Codes: b.Codes, Used: b.Used, Withdrawn: b.Revoked}
	}
	return batches, err
}

func (d codeDesk) RevokeCodes(ctx context.Context, sale ropeline.SaleID, name string) error {
	return d.line.RevokeCodes(ctx, sale, name, "")
}

// surroundings are what a booking core can know of the parts around it.
func surroundings(line *queue.Store, trusted *token.File) api.Surroundings {
	return api.Surroundings{
		Keys: func() int { return len(trusted.IDs()) },
		Edges: func(ctx context.Context) (int, int64, error) {
			reports, err := line.Reports(ctx)
			sockets := int64(0)
			for _, r := range reports {
				sockets += r.SocketsMost
			}
			return len(reports), sockets, err
		},
		Published: func(ctx context.Context, id ropeline.SaleID) (int64, error) {
			sale, err := line.Sale(ctx, id)
			if errors.Is(err, ropeline.ErrSaleUnknown) {
				return 0, nil
			}
			return sale.Version, err
		},
	}
}

// deskStaff lets the booking core find staff, and nothing else of the admission
// part.
type deskStaff struct{ *admission.Staff }

func (s deskStaff) Find(key string) (name, role, organization string, err error) {
	m, err := s.Staff.Find(key)
	return m.Name, m.Role, m.Organization, err
}

type workerCommand struct {
	Redis    string    `required:"" placeholder:"URL" help:"Redis of the inventory, redis:// or unix://."`
	Postgres string    `required:"" placeholder:"DSN" help:"The database."`
	Keys     keyFolder `placeholder:"DIR" help:"Folder with order.key, with which webhooks are signed, and people.key, with which letters are opened; without it none is sent."`

	paymentFlags
	receiverFlags
	mailFlags
	privateListener `set:"private=9083"`
}

// receiverFlags say to whom webhooks may be sent.
type receiverFlags struct {
	WebhooksInside bool `help:"Let receivers of webhooks be on this machine and its own network, without TLS: for development. Core and worker have to be told the same."`
}

func (c *workerCommand) Run(ctx context.Context, con console) (err error) {
	on, err := openServers(ctx, c.Redis, c.Postgres)
	if err != nil {
		return err
	}
	defer closing(&err, on)
	books, shut, err := c.books(ctx, on.postgres)
	if err != nil {
		return err
	}
	defer shut()
	provider, err := c.provider(books)
	if err != nil {
		return err
	}
	con.log.Info("sweeping holds and coupons, settling payments and tending returns lists")
	reg := monitor.NewRegistry()
	var secrets webhook.Keys
	if c.Keys == "" {
		con.log.Warn("there is no --keys, so no webhook is sent")
	} else if secrets, err = c.Keys.secret(orderKey); err != nil {
		return err
	}
	letters, err := c.letters(on.redis, on.postgres, c.Keys, reg, con.log)
	if err != nil {
		return err
	}
	parts, err := c.watched(ctx, reg, con.log, append(letters, newWorker(on.redis, on.postgres, provider, secrets, c.receiverFlags, reg, con.log)...))
	if err != nil {
		return err
	}
	return runAll(ctx, con.log, parts...)
}

// newWorker wires the worker. Without secrets it sends no webhooks, and only counts them.
func newWorker(rdb redis.UniversalClient, db *pgxpool.Pool, provider payment.Provider, secrets webhook.Keys, told receiverFlags, reg prometheus.Registerer, log *slog.Logger) []part {
	reg = monitor.Part(reg, "worker")
	monitor.Redis(reg, rdb)
	monitor.Postgres(reg, db)
	log = log.With("part", "worker")
	line := queue.New(rdb, queue.Keys{})
	worker := order.NewWorker(order.WorkerConfig{Postgres: db, Redis: rdb, Provider: provider, Sessions: line, Metrics: reg, Log: log})
	coupons := coupon.New(db, rdb, hold.New(rdb), nil) // it shows nobody a code
	shows, units := catalogue.New(db, time.Now), inventory.New(rdb)
	lists := returns.New(db, shows, units, hold.New(rdb), nil) // and nobody a pass
	parts := []part{
		{"worker", worker.Run},
		{"coupons", coupon.NewSweeper(coupons, coupon.SweepEvery, reg, log).Run},
		{"returns", returns.NewTender(lists, returns.TendEvery, returns.Gather, reg, log).Run},
	}
	receivers := webhook.New(db, secrets, told.WebhooksInside)
	sender := webhook.NewSender(receivers, webhook.Every, webhook.NewMetrics(reg), log)
	watcher := &webhook.Watcher{Store: receivers, Shows: shows, Units: units, Every: webhook.WatchEvery, Log: log}
	accounts := people.New(db, rdb, people.Keys{}, nil) // of which nothing is read
	return append(parts, part{"webhooks", sender.Run}, part{"sold out", watcher.Run},
		part{"people", func(ctx context.Context) error { return accounts.Run(ctx, people.SweepEvery, log) }})
}
