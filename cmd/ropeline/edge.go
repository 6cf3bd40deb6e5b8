package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/edge"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/edge/seats"
	"github.com/ropeline/ropeline/edge/visitor"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/monitor"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/web"
)

type edgeCommand struct {
	Redis  string    `required:"" placeholder:"URL" help:"Redis of the lines, redis:// or unix://."`
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder with admission.key, place.key, invite.pub and terms.pub."`
	Listen string    `default:"127.0.0.1:8080" help:"Address to serve fans on."`

	Booking *url.URL `required:"" placeholder:"URL" help:"The booking core."`
	Ops     *url.URL `required:"" placeholder:"URL" help:"The admission part, which serves the staff's API."`

	edgeLimits
	privateListener `set:"private=9080"`
}

// edgeLimits are what `dev` sets too.
type edgeLimits struct {
	TrustedProxies []netip.Prefix `placeholder:"PREFIX" help:"Addresses of balancers whose X-Forwarded-For is believed, and of proxies that ask the gate."`
	JoinsLimit     int64          `placeholder:"N" help:"Joins of one address a minute; 0 for the default, -1 for no limit."`
	SocketsLimit   int64          `placeholder:"N" help:"WebSockets open at once; 0 for what the descriptors allow."`
	PollsLimit     int64          `placeholder:"N" help:"Polls answered at once; 0 for the default."`
	CardFields     bool           `help:"Let the pages on which somebody pays load Stripe's fields for cards, from js.stripe.com alone; for booking cores with --stripe-publishable-key."`
	Host           []string       `placeholder:"NAME" help:"A host name of our own; may be given several times. Then other hosts are refused, but for the domains of organizers' looks. The rooms of --routes are ours, too."`
	Routes         string         `type:"existingfile" placeholder:"FILE" help:"What the gate for other shops protects; without it there is no gate."`
	VerifySocket   string         `placeholder:"PATH" help:"Unix socket on which a proxy of this machine may ask the gate, for less than over TCP. Who may open it is trusted: user and group of this process."`
	RequestsLimit  int64          `placeholder:"N" help:"API requests of one address a minute; 0 for the default, -1 for no limit."`
	AddressLimit   int64          `placeholder:"N" help:"WebSockets, and connections, that one address may have open; 0 for the default, -1 for no limit."`
	VisitorLimit   int64          `placeholder:"N" help:"API requests of one place, or one admission, a minute, but for polls; 0 for the default, -1 for no limit."`
	KeyLimit       int64          `placeholder:"N" help:"Requests of one staff key a minute; 0 for the default, -1 for no limit."`
	SessionLimit   int64          `placeholder:"N" help:"Requests of one session a minute through the gate for other shops; 0 for the default, -1 for no limit."`
	LimitsClosed   []string       `default:"handovers" placeholder:"NAME" help:"Limits that refuse while Redis cannot count (requests, visitor, key, joins, handovers); the others let everybody pass then."`

	HeaderBytes   int           `placeholder:"N" help:"Bytes that a request's header may have; 0 for the default of 32 KiB."`
	HeaderTimeout time.Duration `placeholder:"TIME" help:"How long a client may take to send a header; 0 for the default of 10 s."`
	BodyTimeout   time.Duration `placeholder:"TIME" help:"And a whole request; 0 for the default of 30 s."`
	IdleTimeout   time.Duration `placeholder:"TIME" help:"How long a connection may stay without a request; 0 for the default of 2 min."`
}

func (c *edgeCommand) Run(ctx context.Context, con console) (err error) {
	rdb, err := dial.Redis(c.Redis)
	if err != nil {
		return err
	}
	defer closing(&err, rdb)
	reg := monitor.NewRegistry()
	ln, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	parts, err := newEdge(ctx, rdb, c.Keys, c.Booking, c.Ops, ln, c.edgeLimits, reg, con.log)
	if err == nil {
		parts, err = c.watched(ctx, reg, con.log, parts)
	}
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	con.log.Info("serving fans", "address", address(ln))
	return runAll(ctx, con.log, parts...)
}

// newEdge wires an edge: it holds the keys that sign places and admissions,
// and knows the other parts by their addresses only.
func newEdge(ctx context.Context, rdb redis.UniversalClient, keys keyFolder, booking, ops *url.URL, ln net.Listener, limits edgeLimits,
	reg prometheus.Registerer, log *slog.Logger) ([]part, error) {
	reg = monitor.Part(reg, "edge")
	monitor.Redis(reg, rdb)
	place, err := keys.secret(placeKey)
	if err != nil {
		return nil, err
	}
	signer, err := admission.OpenRing(keys.path(admissionKey), log)
	if err != nil {
		return nil, err
	}
	watchKeys(reg, "signs", func() []string { return []string{signer.Signing()} })
	termsJWKS, err := keys.termsJWKS()
	if err != nil {
		return nil, err
	}
	core, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	doc, err := edge.MergeOpenAPI(edge.OpenAPI(), admission.OpenAPI(), core)
	if err != nil {
		return nil, fmt.Errorf("merging the OpenAPI documents: %w", err)
	}
	accounts, err := visitor.LoadAccounts(keys.path(accountsFile), time.Now)
	if err != nil {
		return nil, err
	}
	guests, err := visitor.LoadInvitations(keys.path(invitePublic), time.Now)
	if err != nil {
		return nil, err
	}
	codes, err := keys.codes()
	if err != nil {
		return nil, err
	}
	store := queue.New(rdb, queue.Keys{Place: place, Code: codes})
	log = log.With("part", "edge")
	config := edge.Config{
		Store: store, Redis: rdb,
		Visitors: map[ropeline.VisitorKind]edge.Visitors{
			ropeline.VisitorBrowser:    visitor.NewBrowsers(store.Secret("proofs of work"), rand.Reader, time.Now),
			ropeline.VisitorInvitation: guests,
			ropeline.VisitorAccount:    accounts,
		},
		Seats:  seatsIn(inventory.New(rdb)),
		Signer: signer, JWKS: signer.JWKS, TermsJWKS: termsJWKS,
		BookingURL: booking, OpsURL: ops,
		Pages: web.Pages(), CardFields: limits.CardFields, OpenAPI: doc,
		Limits: edge.Limits{
			Joins: limits.JoinsLimit, Requests: limits.RequestsLimit, Visitor: limits.VisitorLimit, Key: limits.KeyLimit,
			Sockets: limits.SocketsLimit, Polls: limits.PollsLimit, PerAddress: limits.AddressLimit,
			Closed: limits.LimitsClosed, Header: limits.HeaderBytes,
		},
		Times:          edge.Times{Header: limits.HeaderTimeout, Body: limits.BodyTimeout, Idle: limits.IdleTimeout},
		TrustedProxies: limits.TrustedProxies,
		Metrics:        reg,
		Hosts:          limits.Host,
		Log:            log,
	}
	parts := []part{{"keys", signer.Run}}
	if limits.Routes != "" {
		sight, err := addGate(&config, rdb, signer, limits)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{"gate", sight.Run})
	}
	srv, err := edge.New(config)
	if err != nil {
		return nil, err
	}
	parts = append(parts, part{"edge", func(ctx context.Context) error { return srv.Serve(ctx, ln) }})
	if limits.VerifySocket == "" {
		return parts, nil
	}
	asking, err := listenLocal(ctx, limits.VerifySocket)
	if err != nil {
		return nil, err
	}
	return append(parts, part{"asking", func(ctx context.Context) error { return srv.ServeAsking(ctx, asking) }}), nil
}

// seatsIn looks at units where the booking core keeps them: in Redis, which is there
// while the core is not.
func seatsIn(units *inventory.Store) seats.Reader {
	return func(ctx context.Context, id ropeline.PerformanceID) (seats.Bits, error) {
		b, err := units.Bitmaps(ctx, id)
		return seats.Bits{Taken: b.Taken, Sold: b.Sold, Closed: b.Closed}, err
	}
}

// addGate makes the edge a gate for the shops of a file of routes.
func addGate(c *edge.Config, rdb redis.UniversalClient, trusted token.Keys, limits edgeLimits) (*queue.Revocations, error) {
	table, err := passage.Load(limits.Routes)
	if err != nil {
		return nil, err
	}
	name, err := gateName("edge")
	if err != nil {
		return nil, err
	}
	sight := queue.NewRevocations(queue.New(rdb, queue.Keys{}), name, c.Log)
	watchGate(c.Metrics, sight)
	c.Routes, c.Sight = table, sight
	c.Gate = gate.New(token.NewCache(token.NewVerifier(trusted, time.Now), 0), sight, sight).WithRate(limits.SessionLimit, time.Now)
	return sight, nil
}

// gateName names this process among all gates.
func gateName(kind string) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("naming the gate: %w", err)
	}
	return fmt.Sprintf("%s-%s-%d", kind, host, os.Getpid()), nil
}
