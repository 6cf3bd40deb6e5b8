package edge

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/edge/seats"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// Signer signs admission tokens. The same claims must give the same token, so
// that a repeated claim or a second tab cannot make two.
type Signer interface {
	Sign(token.Claims) (string, error)
}

// Visitors is one kind of visitor that a sale may ask for.
type Visitors interface {
	// Recognize says who it is that joins a sale, and names the attempt: one who
	// repeats it gets the same place. An attempt without a name ("") is a new one
	// each time. It fails with what is wrong with the credential.
	Recognize(sale ropeline.Sale, join wire.Join) (who, attempt string, err error)
}

// challenger is what a kind of visitor also is that must solve something first.
type challenger interface {
	// Challenge makes what the browser with this secret has to solve, as JSON.
	Challenge(sale ropeline.Sale, browser string) (any, error)
}

// Config is what a Server is made of. Zero values from Limits on mean their
// defaults.
type Config struct {
	Store      *queue.Store          // closed when Run ends
	Redis      redis.UniversalClient // counts the rate limits; MaxRetries -1
	Signer     Signer
	JWKS       func() []byte // public keys of Signer, as they are now
	TermsJWKS  []byte        // public keys that terms are signed with
	BookingURL *url.URL      // the booking core
	OpsURL     *url.URL      // the staff's API, served by the admission part
	Visitors   map[ropeline.VisitorKind]Visitors
	Seats      seats.Reader // looks at the units of a performance; absent: nobody can watch them
	Pages      fs.FS        // built pages, index.html at its root; absent: 503
	CardFields bool         // the shop's page may load Stripe's fields for cards
	OpenAPI    []byte       // what /openapi.json serves; empty: the edge's own document

	// Hosts are our own names. Where there are some, or Routes, other hosts are refused,
	// but for the domains of looks.
	Hosts []string

	// Of a gate for other shops: what it protects, and how it knows who is in.
	// Without Routes there is none.
	Routes *passage.Table
	Gate   Gate
	Sight  Sight

	Limits         Limits
	Times          Times
	TrustedProxies []netip.Prefix        // whose X-Forwarded-For is believed, and who may ask the gate
	Metrics        prometheus.Registerer // absent: nothing is registered
	Log            *slog.Logger
	Now            func() time.Time
	Rand           io.Reader

	pace     pace // tests use short ones
	seatPace seats.Pace
}

// Limits bounds what one edge holds and what one address may ask. Zero means
// the default, a negative rate means unlimited.
type Limits struct {
	Joins    int64 // of one address a minute
	Requests int64 // to the API, of one address a minute
	// Handovers is how many codes one address may ask for or try a minute. At
	// the default, 1,000 addresses try 60,000 of 2^50 codes while one lives.
	Handovers int64
	Visitor   int64 // requests of one place, or of one admission, but for polls
	Key       int64 // requests of one key of the staff's API
	// Closed are the names of limits (bounds) that refuse while Redis cannot
	// count; the others let everybody pass then. Absent: defaultClosed.
	Closed  []string
	Sockets int64 // open at once in this process; the default is what its descriptors allow
	// PerAddress is how many sockets one address may have open here, and how many
	// connections besides, unless it is a trusted proxy's; negative: no limit.
	PerAddress int64
	Header     int   // bytes of a request's header
	Polls      int64 // answered at once; the others are put off
	Rooms      int   // sales followed at once

	connections int64 // besides the sockets; tests set it
}

// Times are how long a client may take, to read our answer too. Zero means the
// default. Sockets have times of their own: net/http takes its deadlines off a
// connection that is hijacked.
type Times struct {
	Header time.Duration // to send a request's header
	Body   time.Duration // and all of it
	Answer time.Duration // from the end of the header until our answer is read; longer than an upstream's
	Idle   time.Duration // between two requests of a connection
}

var usualTimes = Times{Header: 10 * time.Second, Body: 30 * time.Second, Answer: time.Minute, Idle: 2 * time.Minute}

// The defaults. A whole office or a mobile carrier may share one IPv4 address,
// so the rates only stop a machine gone wild. 1,000 polls are answered in 50 ms
// of two processors; where Redis is slow they wait for it, and more of them would
// wait for longer.
const (
	defaultJoins     = 600
	defaultRequests  = 12_000
	defaultHandovers = 30
	defaultVisitor   = 600
	defaultKey       = 3_000
	defaultAddress   = 1_000
	defaultHeader    = 32 << 10
	defaultPolls     = 1_000
	defaultRooms     = 1_000
)

// How descriptors are divided: nine tenths are for sockets, some for Redis,
// upstreams and files, and the rest for connections of HTTP.
const (
	descriptorsUnknown = 20_000
	descriptorsSpare   = 500
	socketsMost        = 100_000 // that two processors can tell something every second
	connectionsLeast   = 100
	connectionsMost    = 20_000
)

// divide gives sockets and other connections their shares of the descriptors.
func (l *Limits) divide(descriptors int64) {
	if l.Sockets == 0 {
		l.Sockets = min(descriptors*9/10, socketsMost)
	}
	if l.connections == 0 {
		l.connections = shareOfHTTP(descriptors, l.Sockets)
	}
}

func shareOfHTTP(descriptors, sockets int64) int64 {
	return min(max(descriptors-polite(sockets)-descriptorsSpare, connectionsLeast), connectionsMost)
}

func (c Config) withDefaults() Config {
	orDefault := func(n *int64, d int64) {
		if *n == 0 {
			*n = d
		}
	}
	orDefault(&c.Limits.Joins, defaultJoins)
	orDefault(&c.Limits.Requests, defaultRequests)
	orDefault(&c.Limits.Handovers, defaultHandovers)
	orDefault(&c.Limits.Visitor, defaultVisitor)
	orDefault(&c.Limits.Key, defaultKey)
	orDefault(&c.Limits.Polls, defaultPolls)
	orDefault(&c.Limits.PerAddress, defaultAddress)
	c.Limits.Header = cmp.Or(c.Limits.Header, defaultHeader)
	c.Times.Header, c.Times.Body = cmp.Or(c.Times.Header, usualTimes.Header), cmp.Or(c.Times.Body, usualTimes.Body)
	c.Times.Answer, c.Times.Idle = cmp.Or(c.Times.Answer, usualTimes.Answer), cmp.Or(c.Times.Idle, usualTimes.Idle)
	if c.Limits.Closed == nil {
		c.Limits.Closed = defaultClosed
	}
	c.Limits.divide(descriptors())
	if c.Limits.Rooms == 0 {
		c.Limits.Rooms = defaultRooms
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.pace == (pace{}) {
		c.pace = usualPace
	}
	if c.seatPace == (seats.Pace{}) {
		c.seatPace = seats.Usual
	}
	if c.Seats == nil {
		c.Seats = func(context.Context, ropeline.PerformanceID) (seats.Bits, error) {
			return seats.Bits{}, seats.ErrUnknown
		}
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if len(c.OpenAPI) == 0 {
		c.OpenAPI = OpenAPI()
	}
	return c
}

// validate names the first part that is missing.
func (c Config) validate() error {
	switch {
	case c.Store == nil:
		return errors.New("edge: Store is missing")
	case c.Redis == nil:
		return errors.New("edge: Redis is missing")
	case c.Signer == nil:
		return errors.New("edge: Signer is missing")
	case c.BookingURL == nil || c.BookingURL.Host == "":
		return errors.New("edge: BookingURL is missing")
	case c.OpsURL == nil || c.OpsURL.Host == "":
		return errors.New("edge: OpsURL is missing")
	case c.Routes != nil && (c.Gate == nil || c.Sight == nil):
		return errors.New("edge: Gate or Sight is missing")
	}
	return cmp.Or(c.checkHosts(), c.checkRoutes(), c.Limits.checkClosed())
}
