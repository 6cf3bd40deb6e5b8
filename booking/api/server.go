package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
	recovery "github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/notice"
	"github.com/ropeline/ropeline/booking/oidc"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/presale"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/booking/review"
	"github.com/ropeline/ropeline/booking/stock"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/booking/tidings"
	"github.com/ropeline/ropeline/booking/webhook"
	"github.com/ropeline/ropeline/booking/wish"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Config is what a booking core needs.
type Config struct {
	Postgres       *pgxpool.Pool
	Redis          redis.UniversalClient
	Gate           *gate.Gate
	Sessions       hold.Sessions // kept for as long as what they hold; nil: none is
	OrderKey       []byte        // 32 bytes; keys of order links are made with it
	Tickets        ticket.Keys   // of the codes on phones; their zero value: there are printed ones only
	Provider       payment.Provider
	Webhooks       map[string]payment.Crier // who may tell us something, by the last part of its path
	Sandbox        *sandbox.Provider        // whose payments are confirmed here; nil: nobody's
	CardFields     string                   // the provider's publishable key; empty: no page shows its fields
	Staff          Staff                    // absent: nobody has a desk
	Badges         Badges                   // nil: no account opens the operations
	Metrics        prometheus.Registerer    // absent: nothing is registered
	WebhooksInside bool                     // receivers of webhooks may be on our own network, and need no TLS: for development
	Looks          LookBoard                // told how pages look; nil: nobody
	Codes          presale.Book             // of presale codes; nil: they are made elsewhere
	Around         Surroundings             // for the checklist of a sale
	Line           Line                     // told the stock and who bought; nil: nobody
	Abuse          abuse.Policy             // what is too much; its zero value: nothing is
	People         people.Keys              // of accounts; their zero value: there are none
	MailReports    mail.Secrets             // that the mail provider signs its reports with; none: nobody is believed
	Outside        *oidc.Providers          // where else people may sign in; nil: nowhere
	Site           string                   // where fans find our pages, for the links of letters; empty: there are no accounts
	Edges          []netip.Prefix           // who says for which address a request is; nobody else is believed
	Log            *slog.Logger
}

// Line is what hears of the stock and of buyers, and tells how many came.
type Line interface {
	stock.Line
	Bought(ctx context.Context, sale ropeline.SaleID, place ropeline.PlaceID) error
	// Funnel counts the people of a sale: who joined, whose turn came, and who took it.
	Funnel(ctx context.Context, sale ropeline.SaleID) (joined, offered, admitted int64, err error)
	ReportHealth(ctx context.Context, core string, h ropeline.Health) error
}

// Core is the booking core.
type Core struct {
	server *server
	app    *fiber.App
}

// server is what the handlers share. Everything is static after New.
type server struct {
	db        *pgxpool.Pool
	shows     *catalogue.Store
	guide     *guide.Store
	inventory *inventory.Store
	glances   *glances
	keeper    *inventory.Keeper
	counter   *stock.Counter // nil: nobody is told
	line      Line           // nil, too
	name      string         // of this core, to the line
	health    health
	holds     *hold.Store
	abuse     *abuse.Guard
	edges     []netip.Prefix
	orders    *order.Store
	people    *people.Store   // nil: there are no accounts
	outside   *oidc.Providers // nil: nobody signs in elsewhere
	coupons   *coupon.Store
	codes     *presale.Store
	endpoints *webhook.Store
	returns   *returns.Store
	insight   *insight.Store
	papers    *paper.Store
	reminders *tidings.Settings
	doors     *door.Store
	tickets   ticket.Keys
	owners    *tenant.Owners
	notices   *notice.Store
	wordings  *wording.Store

	newsletters *newsletter.Store
	reviews     *review.Store
	wishes      *wish.Store  // nil: where there are no accounts
	reports     mail.Secrets // of the mail provider
	letters     *mail.Store  // nil: nobody here can read them
	site        string       // empty: there are no accounts
	finder      *find.Store
	counts      *insight.Counter
	posts       *lookPosts // nil: nobody is told
	around      Surroundings
	redis       redis.UniversalClient
	staff       Staff
	badges      Badges // nil, too
	desk        *order.Desk
	links       order.Links
	criers      map[string]payment.Crier
	sandbox     *sandbox.Provider
	fields      string // publishable key of the provider's fields for cards
	gate        *gate.Gate
	now         func() time.Time
	log         *slog.Logger
	spec        huma.API
	metrics     *metrics
	drawing     chan struct{} // holds one while a picture is drawn
}

// New builds a booking core. It does not connect to anything yet.
func New(c Config) (*Core, error) {
	if len(c.OrderKey) != 32 {
		return nil, fmt.Errorf("order key has %d bytes, want 32", len(c.OrderKey))
	}
	c.Provider = measuredProvider{c.Provider}
	shows := catalogue.New(c.Postgres, time.Now)
	orders := order.NewStore(c.Postgres, shows)
	orders.Watch(c.Metrics)
	holds := hold.New(c.Redis).Keeping(c.Sessions)
	units := inventory.New(c.Redis)
	coupons := coupon.New(c.Postgres, c.Redis, holds, coupon.Keys(c.OrderKey))
	guard := abuse.New(abuse.Config{Postgres: c.Postgres, Redis: c.Redis, Policy: c.Abuse, Keys: abuse.Keys(c.OrderKey), Metrics: c.Metrics, Log: c.Log})
	s := &server{
		db: c.Postgres, abuse: guard, edges: c.Edges,
		shows: shows, guide: guide.New(c.Postgres), drawing: make(chan struct{}, 1), inventory: units, glances: newGlances(time.Now), line: c.Line, name: rand.Text(), holds: holds, orders: orders, coupons: coupons, endpoints: webhook.New(c.Postgres, webhook.Keys(c.OrderKey), c.WebhooksInside), staff: c.Staff, badges: c.Badges, gate: c.Gate, metrics: newMetrics(c.Metrics),
		links: order.Links(c.OrderKey), criers: c.Webhooks, sandbox: c.Sandbox, fields: c.CardFields, now: time.Now, log: c.Log,
		desk: order.NewDesk(order.Config{Store: orders, Catalogue: shows, Holds: holds, Provider: c.Provider, Coupons: coupons, Guard: guard,
			Key: c.OrderKey, Random: rand.Reader, Log: c.Log}),
	}
	s.codes = presale.New(c.Postgres, c.OrderKey, c.Codes, time.Now)
	s.insight, s.notices, s.wordings = insight.New(c.Postgres, time.Now), notice.New(c.Postgres), wording.New(c.Postgres)
	s.newsletters = newsletter.New(c.Postgres)
	s.reviews = review.New(c.Postgres)
	s.papers, s.tickets, s.reminders = paper.New(c.Postgres, c.Site), c.Tickets, tidings.NewSettings(c.Postgres)
	s.owners = tenant.NewOwners(c.Postgres, time.Now)
	s.doors = door.New(c.Postgres, c.Tickets, time.Now)
	s.counts = insight.NewCounter(c.Postgres, c.Log)
	if c.People.Are() {
		s.letters, s.reports = mail.New(c.Postgres, c.People), c.MailReports
	}
	s.site = c.Site
	if c.Site != "" && c.People.Are() {
		s.people = people.New(c.Postgres, c.Redis, c.People, posted(s.letters, c.Site))
		s.outside = c.Outside
		s.wishes = wish.New(c.Postgres, s.letters, c.People, wish.Keys(c.OrderKey), c.Site)
	}
	s.posts, s.around, s.redis = newLookPosts(shows, c.Looks), c.Around, c.Redis
	s.returns = returns.New(c.Postgres, shows, units, holds, returns.Keys(c.OrderKey))
	s.keeper = &inventory.Keeper{Store: units, Records: orders, Reserves: shows, Lists: s.returns, Performances: shows.Performances,
		EndStrays: s.desk.EndStrays, Log: c.Log}
	s.finder = find.New(c.Postgres, c.Log)
	if c.Line != nil {
		s.counter = stock.NewCounter(stock.Config{Line: c.Line, Catalogue: shows, Inventory: units, Left: s.finder.Left, Log: c.Log})
	}
	app, err := s.app()
	if err != nil {
		return nil, err
	}
	return &Core{server: s, app: app}, nil
}

// patience is how long a request may take: longer than its calls of the payment
// provider (15 s and 5 s, see package order), shorter than the edge waits (30 s).
const patience = 25 * time.Second

// deadline gives every request an end: Fiber knows none, and does not notice
// a client that has gone away.
func deadline(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), patience)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// app registers all routes behind their guards, first those that everybody looks at.
func (s *server) app() (*fiber.App, error) {
	ownErrors()
	if s.metrics == nil { // nobody serves
		s.metrics = newMetrics(nil)
	}
	app := fiber.New(fiber.Config{
		AppName:               "ropeline booking",
		BodyLimit:             ropeline.MaxBody,
		ReadBufferSize:        40 << 10, // of a request's header: no less than the edge lets through
		WriteBufferSize:       32 << 10, // of an answer: a page is written in one piece, not what fits and the rest
		Immutable:             true,     // Fiber reuses its strings after the handler; ours outlive it
		DisableStartupMessage: true,
		ErrorHandler:          s.refuse,
		ReadTimeout:           10 * time.Second,
		IdleTimeout:           2 * time.Minute,
	})
	app.Server().HeaderReceived = s.bodies
	app.Use(s.measured, recovery.New())
	s.quick(app)
	app.Use(deadline, named)
	s.spec = humafiber.NewWithGroup(app, s.guarded(app), specification())
	for _, register := range []func() error{s.routeShows, s.routeFind, s.routeEvents, s.routeHolds, s.routeOrders, s.routeTickets, s.routeTransfers, s.routeWebhooks, s.routeSandbox, s.routeCoupons, s.routeDesk, s.routeMoney, s.routeBlocks, s.routeCounter, s.routeDoor, s.routeEndpoints, s.routeOrganizer, s.routeLooks, s.routeReadiness, s.routePublication, s.routeCodes, s.routeDrafts, s.routePerformers, s.routeTours, s.routePlaces, s.routePictures, s.routePlans, s.routeReturns, s.routeInsight, s.routeNotices, s.routeWordings, s.routeNewsletters, s.routeReviews, s.routeBounces, s.routeInbox, s.routeDeadLetters, s.routeReminders, s.routeWatch, s.routeWishes, s.routeAccounts, s.routeOutside, s.routeMe, s.routeTeam} {
		if err := register(); err != nil {
			return nil, err
		}
	}
	app.Use(closed)
	return app, nil
}

// handle registers a handler for a route of the table.
func handle[I, O any](s *server, id string, fn func(context.Context, *I) (*O, error)) error {
	r, ok := route(id)
	if !ok {
		return fmt.Errorf("route %s is not in the table", id)
	}
	huma.Register(s.spec, operation(r), func(ctx context.Context, in *I) (*O, error) {
		began := time.Now()
		s.metrics.busy.Inc()
		defer s.metrics.busy.Dec()
		out, err := fn(ctx, in)
		s.metrics.done(id, err, time.Since(began))
		if err != nil {
			return nil, s.failure(ctx, id, err)
		}
		return out, nil
	})
	op := registered(s.spec, r)
	describe(op, r)
	if kind := documents[id]; kind != nil {
		s.hasDocument(op, kind)
	}
	return nil
}

// Serve answers requests from ln until ctx ends and the running requests are
// answered. It builds the inventory as well; until that is done for a
// performance, which takes Redis and Postgres, nothing of it can be held.
func (c *Core) Serve(ctx context.Context, ln net.Listener) error {
	defer c.server.orders.Close()
	defer c.server.doors.Close()
	defer c.server.holds.Close()
	defer c.server.coupons.Close()
	defer c.server.glances.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.server.keeper.Run(ctx) })
	g.Go(func() error { return c.server.abuse.Run(ctx) })
	g.Go(func() error { return c.server.finder.Run(ctx) })
	g.Go(func() error { return c.server.counts.Run(ctx) })
	if p := c.server.posts; p != nil {
		g.Go(func() error {
			return p.run(ctx, func(err error) { c.server.log.Warn("telling edges how pages look", "err", err) })
		})
	}
	g.Go(func() error { return c.server.desk.RunBulkRefunds(ctx) })
	if c.server.counter != nil {
		g.Go(func() error { return c.server.counter.Run(ctx) })
		g.Go(func() error { return c.server.report(ctx) })
	}
	g.Go(func() error {
		if err := c.app.Listener(ln); err != nil && ctx.Err() == nil { // at the end ln was closed under it
			return fmt.Errorf("serving the booking core: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		// Longer than a checkout may take, so that none is cut off. Closing ln
		// ends a server that had not come to serve it yet.
		err := c.app.ShutdownWithTimeout(time.Minute)
		if closing := ln.Close(); !errors.Is(closing, net.ErrClosed) {
			err = errors.Join(err, closing)
		}
		return err
	})
	return g.Wait()
}

// EndSession releases what a session holds that was ended before its time.
func (c *Core) EndSession(ctx context.Context, sale ropeline.SaleID, session string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ids, err := c.server.shows.OnSale(ctx, sale)
	if err == nil {
		err = c.server.holds.EndOf(ctx, ids, session)
	}
	if err != nil { // then they run out by themselves
		c.server.log.Warn("releasing what a session held", "sale", sale, "session", session, "err", err)
	}
}

// OpenAPI returns the document of every route as JSON. It needs no servers.
func OpenAPI() ([]byte, error) {
	s := &server{}
	if _, err := s.app(); err != nil {
		return nil, err
	}
	return s.spec.OpenAPI().MarshalJSON()
}
