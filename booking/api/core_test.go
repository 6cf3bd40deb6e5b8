package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/presale"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) {
	devtest.Main(m,
		// fasthttp never stops the clock of its Date header, and its cleaner of
		// idle workers notices up to ten seconds late that the server has ended.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// core is a booking core that serves one performance of 200 seats and 100
// places, and everything a test needs to sign tokens for it.
type core struct {
	t     testing.TB
	url   string
	api   *Core
	db    *pgxpool.Pool
	rdb   redis.UniversalClient
	sale  ropeline.Sale
	show  *catalogue.Map
	key   ed25519.PrivateKey
	ended *ended
	line  *heard

	sandbox *sandbox.Provider // which tells this core when Deliver is called
	config  Config
}

// heard stands for the line: what it heard last.
type heard struct {
	mu     sync.Mutex
	sale   ropeline.SaleID
	stock  ropeline.Stock
	bought map[ropeline.PlaceID]int
	fails  bool // nothing can be told
	health ropeline.Health
}

func (h *heard) ReportHealth(_ context.Context, _ string, now ropeline.Health) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.health = now
	return nil
}

func (h *heard) Funnel(context.Context, ropeline.SaleID) (joined, offered, admitted int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails {
		return 0, 0, 0, ropeline.ErrStoreAway
	}
	return 30, 20, 10, nil
}

func (h *heard) Sales(context.Context) ([]ropeline.SaleID, error) {
	return []ropeline.SaleID{h.sale}, nil
}

func (h *heard) Conversion(context.Context, ropeline.SaleID) (float64, time.Duration, error) {
	return 0, -1, nil
}

func (h *heard) SetStock(_ context.Context, _ ropeline.SaleID, s ropeline.Stock, _, _ int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stock = s
	return nil
}

func (h *heard) Bought(_ context.Context, _ ropeline.SaleID, place ropeline.PlaceID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bought[place]++
	if h.fails {
		return ropeline.ErrStoreAway
	}
	return nil
}

// bookOf stands for where the line keeps codes.
type bookOf struct {
	mu      sync.Mutex
	batches map[ropeline.SaleID]map[string]*presale.Batch
	codes   map[string]bool
}

func (b *bookOf) AddCodes(_ context.Context, sale ropeline.SaleID, r presale.Rules, codes []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.batches == nil {
		b.batches, b.codes = map[ropeline.SaleID]map[string]*presale.Batch{}, map[string]bool{}
	}
	if b.batches[sale] == nil {
		b.batches[sale] = map[string]*presale.Batch{}
	}
	if b.batches[sale][r.Name] == nil {
		b.batches[sale][r.Name] = &presale.Batch{Rules: r}
	}
	for _, c := range codes {
		if !b.codes[c] {
			b.codes[c] = true
			b.batches[sale][r.Name].Codes++
		}
	}
	return nil
}

func (b *bookOf) CodeBatches(_ context.Context, sale ropeline.SaleID) (list []presale.Batch, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.batches[sale])) {
		list = append(list, *b.batches[sale][name])
	}
	return list, nil
}

func (b *bookOf) RevokeCodes(_ context.Context, sale ropeline.SaleID, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches[sale][name].Withdrawn = true
	return nil
}

// staffList are members of the staff, by their keys.
type staffList map[string]struct{ name, role, organization string }

func (l staffList) Find(key string) (name, role, organization string, err error) {
	m, ok := l[key]
	if !ok {
		return "", "", "", ropeline.ErrStaffRequired
	}
	return m.name, m.role, m.organization, nil
}

var theStaff = staffList{
	"key-sre": {name: "ada", role: roleSRE}, "key-rosa": {name: "opera.rosa", role: roleVendor}, "key-tom": {name: "cinema", role: roleVendor}, "key-shop": {name: "opera", role: "shop"}, "key-counter": {name: "kim", role: roleBoxOffice}, "key-olga": {name: "olga", role: roleOrganizer},
	"key-door": {name: "dora", role: roleDoor}, "key-super": {name: "sue", role: roleSupervisor}, "key-rival-door": {name: "rudi", role: roleDoor, organization: "rival"},
	"key-wim":   {name: "opera.wim", role: roleVendor},
	"key-rival": {name: "rita", role: roleOrganizer, organization: "rival"}, "key-rival-counter": {name: "rob", role: roleBoxOffice, organization: "rival"},
	"key-rival-shop": {name: "opera.rex", role: roleVendor, organization: "rival"}, "key-lost": {name: "lou", role: roleOrganizer, organization: "nobody"},
}

// ended stands for the line's news of sessions that ended early.
type ended struct {
	mu       sync.Mutex
	sessions map[string]bool
}

func (e *ended) Ended(session string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[session], nil
}

func (e *ended) end(session string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sessions[session] = true
}

func start(t testing.TB) *core {
	t.Helper()
	return startLogging(t, slog.New(slog.DiscardHandler))
}

func startLogging(t testing.TB, log *slog.Logger) *core {
	t.Helper()
	return startAfter(t, log)
}

// startAfter changes the database before the core looks at it.
func startAfter(t testing.TB, log *slog.Logger, changes ...string) *core {
	t.Helper()
	return startWith(t, log, func(c *core, _ *Config) {
		for _, sql := range changes {
			if _, err := c.db.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// startWith prepares a core, which is given its configuration then.
func startWith(t testing.TB, log *slog.Logger, prepare func(*core, *Config)) *core {
	t.Helper()
	c := &core{t: t, db: devtest.Postgres(t), rdb: devtest.Redis(t), ended: &ended{sessions: map[string]bool{}}}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.key = private
	c.sale, c.show = c.seed(200, 100)
	c.line = &heard{sale: c.sale.ID, bought: map[ropeline.PlaceID]int{}}
	db := bounded(t, c.db)
	c.sandbox = sandbox.New(db).Hooked("whsec_sandbox", time.Now, func(ctx context.Context, header http.Header, body []byte) error {
		return sandbox.To(http.DefaultClient, c.url+"/api/v1/webhooks/sandbox")(ctx, header, body)
	})
	keys, err := people.NewKeys([]byte(rand.Text() + rand.Text())) // by which a test's tries are its own
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		People: keys, Site: "https://tickets.example.org",
		Postgres: db, Redis: c.rdb, OrderKey: bytes.Repeat([]byte{7}, 32), Tickets: phones, Provider: c.sandbox, Sandbox: c.sandbox, Staff: theStaff,
		Webhooks: map[string]payment.Crier{"sandbox": c.sandbox, "stripe": stripeEars(t)},
		Gate:     gate.New(token.NewVerifier(token.KeySet{"k1": public}, time.Now), c.ended, nil), Line: c.line, Codes: &bookOf{}, Log: log,
		Abuse: abuse.Default(), Edges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	prepare(c, &config)
	c.config = config
	c.serve()
	c.built(c.show.ID)
	return c
}

// serve starts a core by the configuration.
func (c *core) serve() {
	c.t.Helper()
	api, err := New(c.config)
	if err != nil {
		c.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.api, c.url = api, "http://"+ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, ln) }()
	c.t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			c.t.Errorf("the core ended with %v", err)
		}
	})
}

// another is a second core on the same servers: it has not read anything yet, as every
// core has not after a minute.
func (c *core) another() *core {
	c.t.Helper()
	other := *c
	other.serve()
	other.built(c.show.ID)
	return &other
}

// built waits until the units of a performance can be held.
func (c *core) built(id ropeline.PerformanceID) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !c.api.server.keeper.Built(id); {
		if time.Now().After(deadline) {
			c.t.Fatal("the inventory was not built")
		}
		c.get("/api/v1/events", "")
	}
}

// bounded returns a pool on the same database that fails the test if anything
// asks Postgres without saying when it stops waiting.
func bounded(t testing.TB, db *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	cfg := db.Config()
	guard := cfg.PrepareConn // whose staff it is
	cfg.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the core asks Postgres without a deadline")
		}
		return guard(ctx, conn)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (c *core) seed(seats, general int, change ...func(*ropeline.Sale)) (ropeline.Sale, *catalogue.Map) {
	c.t.Helper()
	opens := time.Now().UTC().Truncate(time.Second)
	shows := catalogue.New(c.db, time.Now)
	plan := ropeline.Sale{
		ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala",
		LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
		ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
	}
	for _, f := range change {
		f(&plan)
	}
	sale, err := shows.Seed(context.Background(), catalogue.Plan{
		Sale:  plan,
		Venue: "Opera", StartsAt: opens.Add(time.Hour), Seats: seats, General: general,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := shows.Performance(context.Background(), sale.Performances[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return sale, p.Map
}

// claims are those of a fan who was just let in.
func (c *core) claims() token.Claims {
	now := time.Now()
	return token.Claims{Sale: c.sale.ID, Place: ropeline.PlaceID(rand.Text()[:22]), Session: uuid.NewString(), IssuedAt: now,
		Expires: now.Add(time.Minute), SessionEnds: now.Add(30 * time.Minute)}
}

// sign makes a token as the edge would.
func (c *core) sign(claims token.Claims, method jwt.SigningMethod, key any) string {
	c.t.Helper()
	t := jwt.NewWithClaims(method, token.JWT{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: token.Issuer, Subject: string(claims.Place),
			Audience: jwt.ClaimStrings{string(claims.Sale)}, IssuedAt: jwt.NewNumericDate(claims.IssuedAt),
			ExpiresAt: jwt.NewNumericDate(claims.Expires)},
		Session: claims.Session, SessionEnds: jwt.NewNumericDate(claims.SessionEnds),
	})
	t.Header["kid"] = "k1"
	raw, err := t.SignedString(key)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

// fan returns a new fan's token.
func (c *core) fan() string { return c.sign(c.claims(), jwt.SigningMethodEdDSA, c.key) }

// answer is a response, read.
type answer struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   []byte
}

func (c *core) do(method, path, bearer, body string, headers ...string) answer {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	authorize(req, bearer)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.read(http.DefaultClient.Do(req))
}

// cookie marks what is no bearer's, but the token of a sign-in.
const cookie = "cookie:"

func authorize(req *http.Request, bearer string) {
	if token, ok := strings.CutPrefix(bearer, cookie); ok {
		req.Header.Set("Cookie", ropeline.AccountCookie+"="+token)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	} else if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
}

// announce sends the head of a request with a body of so many bytes, and nothing of it:
// whoever sends more while the core refuses and closes may never read why.
func (c *core) announce(method, path, bearer string, size int) answer {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: core\r\n%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, path, authorization(bearer), size)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.read(http.ReadResponse(bufio.NewReader(conn), nil))
}

func authorization(bearer string) string {
	if token, ok := strings.CutPrefix(bearer, cookie); ok {
		return "Sec-Fetch-Site: same-origin\r\nCookie: " + ropeline.AccountCookie + "=" + token
	}
	if key, ok := strings.CutPrefix(bearer, staffCookie); ok {
		return "Sec-Fetch-Site: same-origin\r\nCookie: " + ropeline.StaffCookie + "=" + key
	}
	return "Authorization: Bearer " + bearer
}

// staffCookie begins a bearer that is to come in the cookie of staff.
const staffCookie = "staff cookie "

func (c *core) read(res *http.Response, err error) answer {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	read, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		c.t.Fatal(err)
	}
	asDescribed(c.t, res, read)
	return answer{t: c.t, Status: res.StatusCode, Header: res.Header, Body: read}
}

func (c *core) get(path, bearer string, headers ...string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, path, bearer, "", headers...)
}

// is reads a good answer into v.
func (a answer) is(status int, v any) {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		a.t.Fatalf("reading %s: %v", a.Body, err)
	}
}

// refused checks for a problem document of a type.
func (a answer) refused(status int, code string) {
	a.t.Helper()
	var p ropeline.Problem
	err := json.Unmarshal(a.Body, &p)
	if err != nil || a.Status != status || p.Status != status || p.Type != ropeline.ProblemType+code ||
		a.Header.Get("Content-Type") != problemType || p.Title != http.StatusText(status) || p.Detail == "" {
		a.t.Errorf("answered %d %s %s, want %d %s", a.Status, a.Header.Get("Content-Type"), a.Body, status, code)
	}
}

// names checks for a refusal whose detail says what it is about.
func (a answer) names(status int, code, what string) {
	a.t.Helper()
	a.refused(status, code)
	var p ropeline.Problem
	if err := json.Unmarshal(a.Body, &p); err != nil || !strings.Contains(p.Detail, what) {
		a.t.Errorf("answered %s, which does not name %s", a.Body, what)
	}
}

// hold makes a hold and returns it.
func (c *core) hold(fan string, units ...int) Hold {
	c.t.Helper()
	var h Hold
	c.do(http.MethodPost, "/api/v1/holds", fan, c.json(map[string]any{"performance": c.show.ID, "units": units})).is(http.StatusCreated, &h)
	return h
}

// pay answers with what became of a payment.
func (c *core) pay(fan, key, hold, method string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/v1/orders", fan,
		c.json(map[string]any{"hold": hold, "email": "fan@example.org", "payment_method": method}), "Idempotency-Key", key)
}

func (c *core) json(v any) string {
	c.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// inventory is the report of Redis against Postgres.
func (c *core) inventory() inventory.Report {
	c.t.Helper()
	shows := catalogue.New(c.db, time.Now)
	r, err := inventory.New(c.rdb).Check(context.Background(), c.show.ID, inventory.With(order.NewStore(c.db, shows), shows, returns.New(c.db, shows, nil, nil, nil)))
	if err != nil || !r.OK() {
		c.t.Fatalf("inventory: %+v, %v", r, err)
	}
	return r
}
