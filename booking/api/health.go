package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/payment"
)

// health counts the requests of a core. The time that a request waits for the
// payment provider does not count: letting fewer people in makes a bank no faster.
type health struct {
	mu          sync.Mutex // guards what follows, and what is noted of each request
	all, orders tally
	underWay    map[*work]struct{}
}

// work is a request that is under way.
type work struct {
	of     *health
	began  time.Time
	order  bool
	waits  time.Time     // for the provider since then; zero: it does not
	waited time.Duration // for the provider, before that
}

// took is for how long it has kept the shop busy. It stands still while the provider
// does something, but it is no less, so that nothing counts as old twice.
func (w *work) took(now time.Time) time.Duration {
	if !w.waits.IsZero() {
		now = w.waits
	}
	return now.Sub(w.began) - w.waited
}

func (h *health) begin(order bool) *work {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.underWay == nil {
		h.underWay = map[*work]struct{}{}
	}
	w := &work{of: h, began: time.Now(), order: order}
	h.underWay[w] = struct{}{}
	return w
}

// end counts a request that is answered, unless it was turned away at the gate,
// which asks nothing of the shop.
func (w *work) end(status int) {
	h := w.of
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.underWay, w)
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return
	}
	took := w.took(time.Now())
	h.all.count(took, status)
	if w.order {
		h.orders.count(took, status)
	}
}

// now is what was counted, and how old is what is under way.
func (h *health) now() ropeline.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	said := ropeline.Health{Tally: h.all.said(), Orders: h.orders.said()}
	now := time.Now()
	for w := range h.underWay {
		w.addTo(&said.Tally, now)
		if w.order {
			w.addTo(&said.Orders, now)
		}
	}
	return said
}

func (w *work) addTo(t *ropeline.Tally, now time.Time) {
	if w.waits.IsZero() {
		t.InFlight++
	}
	for i, step := range ropeline.HealthSteps {
		if w.took(now) > time.Duration(step)*time.Millisecond {
			t.Older[i]++
		}
	}
}

// tally counts requests that were answered.
type tally struct {
	requests, failed int64
	took             time.Duration
	slower           [len(ropeline.HealthSteps)]int64
}

func (t *tally) said() ropeline.Tally {
	return ropeline.Tally{Requests: t.requests, Failed: t.failed, TookMS: t.took.Milliseconds(), Slower: slices.Clone(t.slower[:]), Older: make([]int64, len(t.slower))}
}

func (t *tally) count(took time.Duration, status int) {
	for i, step := range ropeline.HealthSteps {
		if took > time.Duration(step)*time.Millisecond {
			t.slower[i]++
		}
	}
	if status >= http.StatusInternalServerError {
		t.failed++
	}
	t.took += took
	t.requests++
}

type workKey struct{} // of it

// measured counts each request. It answers errors itself, so that it sees them.
func (s *server) measured(c *fiber.Ctx) error {
	w := s.health.begin(c.Method() == http.MethodPost && c.Path() == ordersPath)
	c.SetUserContext(context.WithValue(c.UserContext(), workKey{}, w))
	defer func() { w.end(c.Response().StatusCode()) }()
	if err := c.Next(); err != nil {
		return s.refuse(c, err)
	}
	return nil
}

// measuredProvider notes how long requests wait for a payment provider.
type measuredProvider struct{ payment.Provider }

// waiting notes that a request waits, until what it returns is called.
func waiting(ctx context.Context) func() {
	w, ok := ctx.Value(workKey{}).(*work)
	if !ok {
		return func() {}
	}
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.waits = time.Now()
	return func() {
		w.of.mu.Lock()
		defer w.of.mu.Unlock()
		w.waited += time.Since(w.waits)
		w.waits = time.Time{}
	}
}

func (p measuredProvider) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Authorize(ctx, c)
}

func (p measuredProvider) Capture(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Capture(ctx, c)
}

func (p measuredProvider) Void(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Void(ctx, c)
}

func (p measuredProvider) Find(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Find(ctx, c)
}

func (p measuredProvider) Refund(ctx context.Context, c payment.Charge, r payment.Refund) (payment.Refunded, error) {
	defer waiting(ctx)()
	return p.Provider.Refund(ctx, c, r)
}

func (p measuredProvider) Refunds(ctx context.Context, c payment.Charge) ([]payment.Refunded, error) {
	defer waiting(ctx)()
	return p.Provider.Refunds(ctx, c)
}

func (p measuredProvider) Account(ctx context.Context, id string) (payment.Account, error) {
	defer waiting(ctx)()
	return p.Provider.Account(ctx, id)
}

func (p measuredProvider) Dispute(ctx context.Context, account, ref string) (payment.Dispute, error) {
	defer waiting(ctx)()
	return p.Provider.Dispute(ctx, account, ref)
}

// reportEvery is how often a core says how it does.
const reportEvery = time.Second

// report says how this core does until ctx ends.
func (s *server) report(ctx context.Context) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	complained := time.Time{}
	for {
		call, cancel := context.WithTimeout(ctx, reportEvery)
		said := s.health.now()
		said.Written = s.orders.Written()
		err := s.line.ReportHealth(call, s.name, said)
		cancel()
		if now := time.Now(); err != nil && ctx.Err() == nil && now.Sub(complained) > 5*time.Second {
			complained = now
			s.log.Warn("saying how this core does", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
