package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/internal/outward"
)

const (
	// Every is how often a Sender looks for what is due.
	Every = time.Second
	// patience is how long one try may take, from the name to the end of the answer.
	patience = 15 * time.Second
	// lease is for how long nobody else takes a delivery that is tried: longer than that.
	lease = time.Minute
	// abreast is how many events one receiver is sent at once.
	abreast = 4
	// answerMost is how much of an answer is read, so that the connection can be used again.
	answerMost = 16 << 10

	firstDelay, lastDelay = 5 * time.Second, 4 * time.Hour
	// brokenAfter is how long an endpoint may take nothing before it is switched off.
	brokenAfter = 3 * 24 * time.Hour
	// kept is how long events stay that can be delivered again.
	kept = 30 * 24 * time.Hour
)

// Sender delivers what is due. Several may run. One whose store has no keys cannot sign,
// and only counts what waits.
type Sender struct {
	store   *Store
	every   time.Duration
	client  *http.Client
	random  func() float64 // 0 … 1, for the jitter
	metrics *metrics
	log     *slog.Logger

	mu    sync.Mutex // guards lanes
	lanes map[string]bool
}

// NewSender returns a Sender that looks every so often.
func NewSender(s *Store, every time.Duration, m *metrics, log *slog.Logger) *Sender {
	may := outward.Public
	if s.inside {
		may = func(netip.Addr) bool { return true }
	}
	transport := &http.Transport{ // no proxy: it would resolve names for us
		DialContext: outward.Dialer(patience, may).DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: patience,
		MaxIdleConns: endpointsMost, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: answerMost,
	}
	return &Sender{store: s, every: every, metrics: m, log: log, random: rand.Float64, lanes: map[string]bool{}, client: &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Run delivers until ctx ends, and returns when all that is under way has ended.
func (s *Sender) Run(ctx context.Context) error {
	var lanes sync.WaitGroup
	defer s.client.CloseIdleConnections()
	defer lanes.Wait()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var swept time.Time
	for {
		if err := s.begin(ctx, &lanes); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot look for webhooks that are due", "err", err)
		}
		if time.Since(swept) > time.Hour {
			swept = time.Now()
			if err := s.store.forget(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("old webhooks are not forgotten", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// begin opens a lane for each endpoint that something is due for and that has none.
func (s *Sender) begin(ctx context.Context, lanes *sync.WaitGroup) error {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waiting, err := s.store.waiting(asking)
	if err == nil {
		err = s.store.measure(asking, s.metrics)
	}
	if err != nil || s.store.keys == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range waiting {
		if s.lanes[id] {
			continue
		}
		s.lanes[id] = true
		lanes.Go(func() {
			s.drive(ctx, id)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.lanes, id)
		})
	}
	return nil
}

// drive delivers what is due for one endpoint, until nothing is.
func (s *Sender) drive(ctx context.Context, id string) {
	for ctx.Err() == nil {
		batch, err := s.store.take(ctx, id, abreast)
		if err != nil {
			s.log.Warn("cannot take webhooks that are due", "endpoint", id, "err", err)
		}
		if len(batch) == 0 {
			return
		}
		var tries sync.WaitGroup
		for _, p := range batch {
			tries.Go(func() { s.try(ctx, p) })
		}
		tries.Wait()
	}
}

// try sends a delivery once and writes down what came of it. If that cannot be
// written, or we die before, it is sent again when its lease is over.
func (s *Sender) try(ctx context.Context, p parcel) {
	result := s.post(ctx, p)
	if ctx.Err() != nil && result.problem != "" {
		return // we end: nobody's fault
	}
	s.metrics.tried(result.took())
	if !result.took() {
		s.log.Debug("a webhook was not taken", "endpoint", p.endpoint, "event", p.event, "try", p.tries, "status", result.status, "problem", result.problem)
	}
	result.wait = max(s.delay(p.tries), result.wait)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	broken, err := s.store.tried(ctx, p, result)
	if err != nil {
		s.log.Warn("a webhook may be sent again", "endpoint", p.endpoint, "event", p.event, "err", err)
	}
	if broken {
		s.log.Error("an endpoint of webhooks is switched off: it takes nothing", "endpoint", p.endpoint, "status", result.status, "problem", result.problem)
	}
}

// outcome is what came of a try.
type outcome struct {
	status  int
	problem string        // empty: it was taken
	wait    time.Duration // as long at least before the next try
}

func (o outcome) took() bool { return o.problem == "" }

func (s *Sender) post(ctx context.Context, p parcel) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := CheckURL(p.url, s.store.inside); err != nil { // it was let in before
		return outcome{problem: "the address is not one that may be called"}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(p.body))
	if err != nil {
		return outcome{problem: "the address cannot be read"}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Ropeline-Webhooks/1")
	if err := s.store.keys.sign(r.Header, p.event, time.Now(), []byte(p.body), p.endpoint, p.generations...); err != nil {
		return outcome{problem: "it cannot be signed"}
	}
	res, err := s.client.Do(r)
	if err != nil {
		return outcome{problem: said(err)}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, answerMost) // what it says is of no interest
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return outcome{res.StatusCode, "it answered " + strconv.Itoa(res.StatusCode), retryAfter(res.Header.Get("Retry-After"))}
	}
	return outcome{status: res.StatusCode}
}

// said puts an error into words for the list of deliveries, which has no room for more,
// and does not tell what the inside looks like.
func said(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, outward.ErrInside):
		return "its name leads to an address that is not of the public Internet"
	case errors.As(err, &dns):
		return "its name is not known"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %v", patience)
	}
	return "no connection, or no answer that can be read"
}

// retryMost bounds how long a receiver may ask us to wait.
const retryMost = time.Hour

// retryAfter reads how long a receiver asks us to wait, in seconds; what is no number
// is no wish.
func retryAfter(s string) time.Duration {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, retryMost)
}

// delay grows fourfold with each try, up to a bound, and is spread by a fifth so that
// what failed together does not come back together.
func (s *Sender) delay(tries int) time.Duration {
	d := firstDelay
	for i := 1; i < tries && d < lastDelay; i++ {
		d *= 4
	}
	return time.Duration(float64(min(d, lastDelay)) * (0.8 + 0.4*s.random()))
}

// parcel is a delivery that was taken to be sent.
type parcel struct {
	endpoint, event, url, body string
	n                          int64
	tries                      int // with this one
	generations                []int
}

// waiting lists the endpoints that something is due for.
func (s *Store) waiting(ctx context.Context) ([]string, error) {
	rows, err := s.db.Query(ctx, `select e.id from webhook_endpoints e where e.state = 'on'
		and exists (select from webhook_deliveries d where d.endpoint_id = e.id and d.state = 'due' and d.next_at <= now())`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// take takes deliveries that are due, so that nobody else does for as long as a lease. Of
// one subject only the first that is due is one: what comes after it waits.
func (s *Store) take(ctx context.Context, id string, most int) ([]parcel, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := s.db.Query(ctx, `
		with next as (
			select d.n from webhook_deliveries d
			where d.endpoint_id = $1 and d.state = 'due' and d.next_at <= now()
				and not exists (select from webhook_deliveries b where b.endpoint_id = $1 and b.subject = d.subject and b.n < d.n and b.state = 'due')
			order by d.n limit $2 for update skip locked
		), taken as (
			update webhook_deliveries d set tries = tries + 1, next_at = now() + make_interval(secs => $3), updated_at = now()
			from next where d.endpoint_id = $1 and d.n = next.n and d.state = 'due' and d.next_at <= now()
			returning d.n, d.event_id, d.tries
		)
		select t.n, t.event_id, t.tries, e.url, v.body, case when e.old_until > now() then array[e.generation, e.generation - 1] else array[e.generation] end
		from taken t join webhook_endpoints e on e.id = $1 join webhook_events v on v.id = t.event_id
		where e.state = 'on'`, id, most, lease.Seconds())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (p parcel, err error) {
		p.endpoint = id
		return p, r.Scan(&p.n, &p.event, &p.tries, &p.url, &p.body, &p.generations)
	})
}

// gone is what a receiver answers that wants nothing any more.
const gone = http.StatusGone

// tried writes down what came of a try, and reports whether the endpoint was switched
// off for it. A delivery that somebody made due again meanwhile is tried again.
func (s *Store) tried(ctx context.Context, p parcel, o outcome) (broken bool, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update webhook_deliveries set
				state = case when $4 = '' then 'delivered' when give_up_at <= now() + make_interval(secs => $6) then 'failed' else 'due' end,
				next_at = now() + make_interval(secs => $6), status = $5, problem = $4, updated_at = now()
			where endpoint_id = $1 and n = $2 and state = 'due' and tries = $3`, p.endpoint, p.n, p.tries, o.problem, o.status, o.wait.Seconds())
		if err != nil {
			return err
		}
		if o.took() {
			_, err = tx.Exec(ctx, `update webhook_endpoints set failing_since = null where id = $1 and failing_since is not null`, p.endpoint)
			return err
		}
		tag, err := tx.Exec(ctx, `update webhook_endpoints set state = 'broken', updated_at = now()
			where id = $1 and state = 'on' and ($2 = $3::integer or failing_since <= now() - make_interval(secs => $4))`, p.endpoint, o.status, gone, brokenAfter.Seconds())
		if err != nil {
			return err
		}
		if broken = tag.RowsAffected() == 1; broken { // what is due can be delivered by hand
			_, err = tx.Exec(ctx, `update webhook_deliveries set state = 'failed', updated_at = now() where endpoint_id = $1 and state = 'due'`, p.endpoint)
			return err
		}
		_, err = tx.Exec(ctx, `update webhook_endpoints set failing_since = now() where id = $1 and failing_since is null`, p.endpoint)
		return err
	})
	return broken, away("writing down what came of a webhook", err)
}

// forget deletes what is too old to be delivered again.
func (s *Store) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := s.db.Exec(ctx, `delete from webhook_events where id in (select id from webhook_events where at < now() - make_interval(secs => $1) order by at limit 10000)`, kept.Seconds())
	return away("forgetting old webhooks", err)
}
