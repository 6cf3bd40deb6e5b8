package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/loadtest"
)

// crowd is who buys in the proof: so many patrons, at most so many at once. What
// they do is drawn from the seed; in which order it happens is not.
type crowd struct {
	*shop
	size, atOnce int
	seed         uint64
	tier         string
	units        int
	think        time.Duration // the longest between a hold and its payment
	patience     time.Duration // how long the same request is sent again while nothing is known
	stay         time.Duration // how long the last ones wait for units that come back
	began        time.Time
	client       *http.Client
	cores        atomic.Pointer[[]string]

	fans   []loadtest.History // each belongs to its patron
	sold   atomic.Int64       // units, as patrons were told
	lost   atomic.Int64       // requests without an answer
	later  atomic.Int64       // those told to come later
	mu     sync.Mutex
	faults loadtest.Faults
	open   []*try // of which nobody knows what became of them
}

// patron is one of them.
type patron struct {
	*crowd
	*loadtest.History
	rng            *rand.Rand
	token, session string
}

// lateComers are who buys what is left when all is mended.
const lateComers = 20

// come lets all patrons buy but the late ones, and returns when the last has gone.
func (c *crowd) come(ctx context.Context) {
	c.fans = make([]loadtest.History, c.size+lateComers)
	var next atomic.Int64
	var all sync.WaitGroup
	for range c.atOnce {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(c.size) && ctx.Err() == nil; i = next.Add(1) - 1 {
				c.patron(int(i)).shop(ctx)
			}
		})
	}
	all.Wait()
}

// comeLate lets the late ones buy until all is sold.
func (c *crowd) comeLate(ctx context.Context) {
	var all sync.WaitGroup
	for i := range lateComers {
		all.Go(func() {
			for p := c.patron(c.size + i); ctx.Err() == nil && c.sold.Load() < int64(c.units); {
				if held, ok := p.basket(ctx); ok {
					p.pay(ctx, held)
				}
			}
		})
	}
	all.Wait()
}

func (c *crowd) patron(i int) *patron {
	p := &patron{crowd: c, History: &c.fans[i], rng: rand.New(rand.NewPCG(c.seed, uint64(i))), session: uuid.NewString()}
	p.Fan = i
	now := time.Now()
	var err error
	p.token, err = c.signer.Sign(token.Claims{Sale: c.sale.ID, Place: ropeline.PlaceID(fmt.Sprintf("%022d", i)), Session: p.session,
		IssuedAt: now, Expires: now.Add(time.Hour), SessionEnds: now.Add(time.Hour)})
	if err != nil {
		c.t.Errorf("signing a token: %v", err)
	}
	return p
}

// reply is an answer of a core; Status 0 if there was none.
type reply struct {
	Status int
	Code   string // of a problem
	Body   map[string]any
	Again  time.Duration // when to come again
}

// ask sends a request to one of the cores.
func (p *patron) ask(ctx context.Context, rng *rand.Rand, method, path string, body any, key string) (r reply) {
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Error(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cores := *p.cores.Load()
	req, err := http.NewRequestWithContext(ctx, method, cores[rng.IntN(len(cores))]+path, bytes.NewReader(text))
	if err != nil {
		p.t.Error(err)
		return r
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.token)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.lost.Add(1)
		return r
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || len(answer) > 0 && json.Unmarshal(answer, &r.Body) != nil {
		p.lost.Add(1)
		return r
	}
	r.Status = res.StatusCode
	if problem, ok := r.Body["type"].(string); ok && r.Status >= http.StatusBadRequest {
		r.Code = strings.TrimPrefix(problem, ropeline.ProblemType)
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		r.Again = time.Duration(seconds) * time.Second
	}
	p.note(method+" "+path, r)
	return r
}

// note counts what no core should ever answer.
func (c *crowd) note(what string, r reply) {
	if r.Status == http.StatusServiceUnavailable {
		c.later.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.Answers++
	if r.Status == http.StatusInternalServerError {
		if c.faults.Internal++; c.faults.Internal <= 5 {
			c.faults.Examples = append(c.faults.Examples, fmt.Sprintf("%s: %v", what, r.Body))
		}
	}
}

// rest waits a while, up to most; false if it is over.
func (p *patron) rest(ctx context.Context, least, most time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(least + time.Duration(p.rng.Int64N(int64(max(1, most-least))))):
		return true
	}
}

// shop is what a patron does: a basket, some thought, and the till.
func (p *patron) shop(ctx context.Context) {
	for range 3 { // a basket that was lost with Redis is filled again
		held, ok := p.basket(ctx)
		if !ok || !p.rest(ctx, 0, p.think) {
			return
		}
		switch luck := p.rng.IntN(100); {
		case luck < 8: // never comes to the till
			return
		case luck < 14:
			held.Fate = loadtest.Released
			p.ask(ctx, p.rng, http.MethodDelete, "/api/v1/holds/"+held.ID, struct{}{}, "")
			return
		}
		if p.pay(ctx, held) {
			return
		}
	}
}

// basket holds some units. Whoever finds that the sale is sold out comes again a few
// times; the last few stay for what others give back.
func (p *patron) basket(ctx context.Context) (*loadtest.Hold, bool) {
	many := 1 + p.rng.IntN(4)
	outs, wait := 0, p.patience
	stays := p.Fan >= p.size-p.size/50 && p.stay > 0
	if stays {
		wait = p.stay
	}
	for until := time.Now().Add(wait); time.Now().Before(until) && ctx.Err() == nil; {
		want := map[string]any{"performance": p.sale.Performances[0], "tier": p.tier, "quantity": many}
		if p.rng.IntN(3) == 0 { // these ones, which others may want as well
			first := p.rng.IntN(p.units - many + 1)
			want = map[string]any{"performance": p.sale.Performances[0], "units": sequence(first, many)}
		}
		r := p.ask(ctx, p.rng, http.MethodPost, "/api/v1/holds", want, "")
		switch {
		case r.Status == http.StatusCreated:
			return p.held(r.Body), true
		case r.Code == "hold-exists": // by a request whose answer was lost
			r = p.ask(ctx, p.rng, http.MethodGet, "/api/v1/holds", struct{}{}, "")
			if list, _ := r.Body["holds"].([]any); len(list) == 1 {
				return p.held(list[0].(map[string]any)), true
			}
		case r.Code == "sold-out":
			many = max(1, many/2)
			if outs++; outs > 4 && !(stays && p.sold.Load() < int64(p.units)) {
				return nil, false
			}
		}
		if !p.rest(ctx, max(r.Again, 50*time.Millisecond), max(r.Again, 50*time.Millisecond)+min(p.think/4, 5*time.Second)) {
			return nil, false
		}
	}
	return nil, false
}

func sequence(first, many int) (units []int) {
	for u := range many {
		units = append(units, first+u)
	}
	return units
}

// held notes a hold.
func (p *patron) held(body map[string]any) *loadtest.Hold {
	h := loadtest.Hold{Granted: time.Since(p.began), Fate: loadtest.Dropped}
	h.ID, _ = body["id"].(string)
	for _, u := range list(body["units"]) {
		h.Units = append(h.Units, int(u.(float64)))
	}
	p.Holds = append(p.Holds, h)
	return &p.Holds[len(p.Holds)-1]
}

func list(v any) []any { l, _ := v.([]any); return l }

// methods are ways to pay: one that fails is followed by one that does not.
var methods = [][]string{
	{sandbox.OK}, {sandbox.OK}, {sandbox.OK}, {sandbox.OK}, {sandbox.OK}, {sandbox.OK}, {sandbox.OK},
	{sandbox.Declined, sandbox.OK}, {sandbox.Error, sandbox.OK}, {sandbox.Slow}, {sandbox.Action}, {sandbox.Action},
	{sandbox.Lost}, {sandbox.CaptureLost}, {sandbox.Twice}, {sandbox.Early},
}

// pay pays for a hold; false if it is lost, so that the patron needs another one.
func (p *patron) pay(ctx context.Context, held *loadtest.Hold) (done bool) {
	held.Fate = loadtest.Ordered
	for _, method := range append(slices.Clone(methods[p.rng.IntN(len(methods))]), sandbox.OK) {
		tries := []*try{{p: p, hold: held, method: method, key: uuid.NewString(), rng: rand.New(rand.NewPCG(p.rng.Uint64(), 1))}}
		switch p.rng.IntN(12) {
		case 0: // a second tab sends the very same
			twin := *tries[0]
			twin.rng = rand.New(rand.NewPCG(p.rng.Uint64(), 2))
			tries = append(tries, &twin)
		case 1: // a second tab pays for it, too
			tries = append(tries, &try{p: p, hold: held, method: method, key: uuid.NewString(), rng: rand.New(rand.NewPCG(p.rng.Uint64(), 2))})
		}
		var tabs sync.WaitGroup
		for _, t := range tries {
			tabs.Go(func() { t.insist(ctx) })
		}
		tabs.Wait()
		for _, t := range tries {
			if p.book(t); t.outcome == loadtest.Unknown { // asked again when everything is mended
				p.mu.Lock()
				p.crowd.open = append(p.crowd.open, t)
				p.mu.Unlock()
			}
		}
		switch is := func(o loadtest.Outcome) bool {
			return slices.ContainsFunc(tries, func(t *try) bool { return t.outcome == o })
		}; {
		case is(loadtest.Confirmed):
			if p.rng.IntN(8) == 0 {
				p.repeat(ctx, tries)
			}
			return true
		case is(loadtest.Unknown):
			return true
		case slices.ContainsFunc(tries, func(t *try) bool { return t.gone }):
			return false
		}
	}
	p.ask(ctx, p.rng, http.MethodDelete, "/api/v1/holds/"+held.ID, struct{}{}, "")
	return true
}

// book notes what a patron knows of an order. Two tabs may have asked for the same
// one.
func (p *patron) book(t *try) {
	i := slices.IndexFunc(p.Attempts, func(a loadtest.Attempt) bool { return a.Key == t.key })
	if i < 0 {
		i = len(p.Attempts)
		p.Attempts = append(p.Attempts, loadtest.Attempt{Key: t.key, Session: p.session, Hold: t.hold.ID, Units: t.hold.Units, Outcome: loadtest.Unknown})
	}
	a := &p.Attempts[i]
	if t.outcome == loadtest.Confirmed {
		if a.Outcome != loadtest.Confirmed {
			p.sold.Add(int64(len(t.units)))
		}
		a.Units, a.Amount, a.Currency = t.units, t.amount, t.currency
		a.Orders = append(a.Orders, t.orders...)
	}
	if a.Outcome != loadtest.Confirmed && t.outcome != loadtest.Unknown {
		a.Outcome, a.Told = t.outcome, fmt.Sprintf("%s, with %s", t.last.Code, t.method)
	}
}

// repeat sends an order that was answered once more, as who closed the page too early.
func (p *patron) repeat(ctx context.Context, tries []*try) {
	for _, t := range tries {
		if t.outcome == loadtest.Confirmed {
			again := &try{p: p, hold: t.hold, method: t.method, key: t.key, rng: p.rng}
			again.hear(again.send(ctx))
			if again.outcome == loadtest.Confirmed {
				p.book(again)
			}
			return
		}
	}
}

// try is one tab's way to an order, under one key.
type try struct {
	p           *patron
	rng         *rand.Rand
	hold        *loadtest.Hold
	method, key string

	outcome  loadtest.Outcome
	gone     bool // the hold is
	orders   []string
	units    []int
	amount   int64
	currency string
	page     string // of the bank, on which to confirm
	last     reply
}

// insist asks until it is known what became of the order, or patience ends.
func (t *try) insist(ctx context.Context) {
	t.outcome = loadtest.Unknown
	for until := time.Now().Add(t.p.patience); ; {
		r := t.send(ctx)
		t.hear(r)
		if t.outcome != loadtest.Unknown || time.Now().After(until) {
			return
		}
		if t.page != "" {
			t.confirm(ctx)
			t.page = ""
		}
		wait := max(r.Again, 100*time.Millisecond)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait + time.Duration(t.rng.Int64N(int64(wait)))):
		}
	}
}

func (t *try) send(ctx context.Context) reply {
	return t.p.ask(ctx, t.rng, http.MethodPost, "/api/v1/orders", map[string]any{"hold": t.hold.ID, "email": fmt.Sprintf("fan%d@example.org", t.p.Fan),
		"payment_method": t.method, "return_url": "http://127.0.0.1/back"}, t.key)
}

// final are the answers after which nothing more comes of a key.
var final = []string{"payment-declined", "payment-failed", "payment-method-unknown", "units-taken", "hold-sold"}

func (t *try) hear(r reply) {
	t.last = r
	switch {
	case r.Status == http.StatusCreated && r.Body["state"] == "paid":
		t.outcome = loadtest.Confirmed
		id, _ := r.Body["id"].(string)
		t.orders, t.units = append(t.orders, id), nil
		for _, of := range list(r.Body["tickets"]) {
			unit, _ := of.(map[string]any)["unit"].(float64)
			t.units = append(t.units, int(unit))
		}
		total, _ := r.Body["total"].(map[string]any)
		amount, _ := total["amount"].(float64)
		t.amount = int64(amount)
		t.currency, _ = total["currency"].(string)
	case r.Status == http.StatusAccepted:
		t.page, _ = r.Body["action"].(string)
	case slices.Contains(final, r.Code):
		t.outcome = loadtest.Refused
	case r.Code == "hold-unknown", r.Code == "hold-expired", r.Code == "hold-released":
		t.outcome, t.gone = loadtest.Refused, true
	}
}

// confirm says yes on the bank's page, which any core shows.
func (t *try) confirm(ctx context.Context) {
	u, err := url.Parse(t.page)
	if err != nil {
		t.p.t.Errorf("the bank's page is at %q: %v", t.page, err)
		return
	}
	cores := *t.p.cores.Load()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cores[t.rng.IntN(len(cores))]+u.Path, strings.NewReader("confirm=yes"))
	if err != nil {
		t.p.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := t.p.client.Transport.RoundTrip(req) // which follows no redirect
	if err != nil {
		return // the order will say
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

// resume asks once more for every order of which nobody knows what became of it, and
// says how many are left.
func (c *crowd) resume(ctx context.Context) int {
	var all sync.WaitGroup
	for _, t := range c.open {
		all.Go(func() { t.insist(ctx) })
	}
	all.Wait()
	for _, t := range c.open {
		t.p.book(t)
	}
	c.open = slices.DeleteFunc(c.open, func(t *try) bool { return t.outcome != loadtest.Unknown })
	return len(c.open)
}
