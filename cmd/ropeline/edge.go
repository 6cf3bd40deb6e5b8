package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/edge"
	"github.com/ropeline/ropeline/edge/visitor"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/web"
)

type edgeCommand struct {
	Redis  string    `required:"" placeholder:"URL" help:"Redis of the lines, redis:// or unix://."`
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder with admission.key, place.key and invite.pub."`
	Listen string    `default:"127.0.0.1:8080" help:"Address to serve fans on."`

	Booking *url.URL `required:"" placeholder:"URL" help:"The booking core."`
	Ops     *url.URL `required:"" placeholder:"URL" help:"The admission part, which serves the staff's API."`

	edgeLimits
}

// edgeLimits are what `dev` sets too.
type edgeLimits struct {
	TrustedProxies []netip.Prefix `placeholder:"PREFIX" help:"Addresses of balancers whose X-Forwarded-For is believed."`
	JoinsLimit     int64          `placeholder:"N" help:"Joins of one address a minute; 0 for the default, -1 for no limit."`
	SocketsLimit   int64          `placeholder:"N" help:"WebSockets open at once; 0 for what the descriptors allow."`
	PollsLimit     int64          `placeholder:"N" help:"Polls answered at once; 0 for the default."`
	RequestsLimit  int64          `placeholder:"N" help:"API requests of one address a minute; 0 for the default, -1 for no limit."`
}

func (c *edgeCommand) Run(ctx context.Context, con console) (err error) {
	rdb, err := dial.Redis(c.Redis)
	if err != nil {
		return err
	}
	defer closing(&err, rdb)
	srv, err := newEdge(rdb, c.Keys, c.Booking, c.Ops, c.edgeLimits, con.log)
	if err != nil {
		return err
	}
	ln, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	con.log.Info("serving fans", "address", address(ln))
	return srv.Serve(ctx, ln)
}

// newEdge wires an edge: it holds the keys that sign places and admissions,
// and knows the other parts by their addresses only.
func newEdge(rdb redis.UniversalClient, keys keyFolder, booking, ops *url.URL, limits edgeLimits, log *slog.Logger) (*edge.Server, error) {
	place, err := keys.secret(placeKey)
	if err != nil {
		return nil, err
	}
	signer, err := admission.LoadSigner(keys.path(admissionKey))
	if err != nil {
		return nil, err
	}
	jwks, err := signer.KeySet().JWKS()
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
	guests, err := visitor.LoadInvitations(keys.path(invitePublic), time.Now)
	if err != nil {
		return nil, err
	}
	store := queue.New(rdb, queue.Keys{Place: place})
	return edge.New(edge.Config{
		Store: store, Redis: rdb,
		Visitors: map[ropeline.VisitorKind]edge.Visitors{
			ropeline.VisitorBrowser:    visitor.NewBrowsers(store.Secret("proofs of work"), rand.Reader, time.Now),
			ropeline.VisitorInvitation: guests,
		},
		Signer: signer, JWKS: jwks,
		BookingURL: booking, OpsURL: ops,
		Pages: web.Pages(), OpenAPI: doc,
		Limits:         edge.Limits{Joins: limits.JoinsLimit, Requests: limits.RequestsLimit, Sockets: limits.SocketsLimit, Polls: limits.PollsLimit},
		TrustedProxies: limits.TrustedProxies,
		Log:            log.With("part", "edge"),
	})
}
