package edge

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/http1"
	"github.com/ropeline/ropeline/edge/hub"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/edge/relay"
	"github.com/ropeline/ropeline/edge/seats"
	"github.com/ropeline/ropeline/queue"
)

// Server is one edge.
type Server struct {
	store   *queue.Store
	signer  Signer
	config  Config
	log     *slog.Logger
	now     func() time.Time
	pace    pace
	limits  *limits
	bounds  []bound
	metrics *metrics

	rooms   *rooms
	feeds   *seats.Feeds
	sales   salesCache
	sockets sockets
	load    load
	hub     *hub.Hub
	draws   drawCache
	booking http.Handler
	desk    http.Handler // the booking core, for staff
	ops     http.Handler
	pages   *pages
	looks   *looks
	// cardFields lets the shop's page load the payment provider's.
	cardFields bool
	mux        *http.ServeMux
	renewals   renewals
	shops      map[*passage.Host]*relay.Pool
	ending     sync.WaitGroup // sessions that an upstream ended
	owed       owed
	tolls      tolls

	transports    []*http.Transport // of the proxies; their idle connections end with Run
	requestPrefix string
	requests      atomic.Int64
}

// New builds an edge. Nothing runs until Run or Serve.
func New(c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	prefix := make([]byte, 6)
	if _, err := io.ReadFull(c.Rand, prefix); err != nil {
		return nil, fmt.Errorf("naming requests: %w", err)
	}
	pages, err := loadPages(c.Pages)
	if err != nil {
		return nil, err
	}
	s := &Server{
		store: c.Store, signer: c.Signer, config: c, log: c.Log, now: c.Now, pace: c.pace,
		limits: newLimits(c),
		bounds: c.Limits.bounds(),
		rooms:  newRooms(c.Store, c.Limits.Rooms, c.Log),
		feeds:  seats.New(c.Seats, c.seatPace, c.Limits.Rooms, c.Now),
		pages:  pages, looks: newLooks(c.Store, func(err error) { c.Log.Warn("reading how pages look", "err", err) }), cardFields: c.CardFields,
		owed: newOwed(),

		requestPrefix: hex.EncodeToString(prefix),
	}
	s.sockets.most, s.sockets.perAddress = c.Limits.Sockets, c.Limits.PerAddress
	s.load.polls.most, s.load.now = c.Limits.Polls, c.Now
	s.metrics = newMetrics(c.Metrics, s)
	s.hub, err = hub.New(s.pace.Pace, hub.Endings{Stopping: restarting, Slow: tooSlow, Unexpected: unexpected}, time.Now)
	if err != nil {
		return nil, fmt.Errorf("making room for sockets: %w", err)
	}
	s.tolls = newTolls(c.Metrics, c.Routes)
	if s.shops, err = newPools(c.Routes); err != nil {
		return nil, err
	}
	s.booking = s.newProxy(c.BookingURL, bookingCookies)
	s.ops = s.newProxy(c.OpsURL, staffCookies)
	s.desk = s.newProxy(c.BookingURL, deskCookies)
	s.mux = s.newMux()
	return s, nil
}

// Run follows the lines of the sales that are asked for, until ctx ends. Then
// it closes the sockets with a code that says come back, and waits for them.
func (s *Server) Run(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.untilOver(ctx)
}

func (s *Server) open(ctx context.Context) error {
	s.feeds.Open(ctx)
	if err := s.looks.read(ctx); err != nil { // it is read again soon
		s.looks.failed(err)
	}
	return s.rooms.open(ctx)
}

func (s *Server) untilOver(ctx context.Context) error {
	var reports sync.WaitGroup
	reports.Go(func() { s.tellReports(ctx) })
	reports.Go(func() { s.payOwed(ctx) })
	reports.Go(func() { s.looks.follow(ctx) })
	err := s.hub.Run(ctx)
	reports.Wait()
	s.rooms.wait()
	s.feeds.Wait()
	s.store.Close()
	for _, t := range s.transports {
		t.CloseIdleConnections()
	}
	return err
}

// drainTimeout is how long requests that are under way at the end may take.
const drainTimeout = 10 * time.Second

// Serve answers on ln and does what Run does, until ctx ends. Then it takes no
// more connections, tells the sockets to come back, and waits for them and for
// the requests that are under way.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := s.open(ctx); err != nil { // before the first request
		return err
	}
	var running sync.WaitGroup
	var broken error
	running.Go(func() { broken = s.untilOver(ctx) })
	err := s.serve(ctx, newDoors(ln, s.config.Limits, s.config.TrustedProxies, s.metrics.turned), s.Handler())
	stop()
	running.Wait()
	for _, p := range s.shops { // WebSockets to them outlive the server
		p.Close()
	}
	s.ending.Wait()
	if err = cmp.Or(err, broken); err != nil {
		return fmt.Errorf("serving the edge: %w", err)
	}
	return nil
}

// serve answers on one listener until ctx ends. Then it takes no more connections and
// waits for the requests that are under way.
func (s *Server) serve(ctx context.Context, doors *doors, answer http.Handler) error {
	hs := http1.New(&http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" && doors.crowded() {
				w.Header().Set("Connection", "close")
			}
			answer.ServeHTTP(w, r)
		}),
		ConnState:         doors.state,
		ReadHeaderTimeout: s.config.Times.Header,
		ReadTimeout:       s.config.Times.Body,
		WriteTimeout:      s.config.Times.Answer,
		IdleTimeout:       s.config.Times.Idle,
		MaxHeaderBytes:    s.config.Limits.Header,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // handshakes cut short and the like
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var draining sync.WaitGroup
	draining.Go(func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if hs.Shutdown(drain) != nil {
			_ = hs.Close() // what has not ended by now is cut
		}
	})
	err := hs.Serve(doors)
	stop()
	draining.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// Handler answers every request of the edge.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h[requestID] = []string{s.requestPrefix + "-" + strconv.FormatInt(s.requests.Add(1), 36)}
		h["X-Content-Type-Options"] = noSniff
		if s.config.Routes != nil {
			ours, err := s.addressed(w, r)
			if err != nil {
				s.refuseShopper(w, r, err)
			}
			if err != nil || !ours {
				return
			}
		} else if err := s.hosted(r); err != nil {
			s.fail(w, r, err)
			return
		}
		if err := cmp.Or(checkMethod(r), checkPath(r)); err != nil {
			s.fail(w, r, err)
			return
		}
		if s.log.Enabled(r.Context(), slog.LevelDebug) {
			s.log.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("request", h.Get(requestID)),
				slog.String("client", s.client(r).String()), slog.String("method", r.Method), slog.String("path", r.URL.Path))
		}
		s.mux.ServeHTTP(w, r)
	})
}

// requestID is the header that names a request. It is where the name is kept, too:
// a context of its own would cost every request a copy.
const requestID = "X-Request-Id"

// Values of headers that every answer has: a slice for each would be 16 bytes.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
)

// client is the address that a request comes from.
func (s *Server) client(r *http.Request) netip.Addr {
	return clientAddress(r, s.config.TrustedProxies)
}

var errStarting = &ropeline.Error{
	Kind: ropeline.Unavailable, Code: "edge-starting", RetryAfter: time.Second,
	Detail: "This server is starting or going down. Please try again.",
}
