package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/bench/caller"
)

const (
	scanners = 32
	// arrivals is how many come in a run, fresh how many have their codes made at a time:
	// those are good for half a minute.
	arrivals, fresh = 16_000, 4_000
)

// house is a booking core, and tickets of a performance.
type house struct {
	db      *bench.Postgres
	redis   *bench.Redis
	keys    ticket.Keys
	show    ropeline.PerformanceID
	address string
	tickets []string // that nobody has scanned
	stop    func() error
}

// crew is who is at the doors.
type crew struct{}

func (crew) Find(key string) (name, role, organization string, err error) {
	if key != "door" {
		return "", "", "", ropeline.ErrStaffRequired
	}
	return "dora", "door", "", nil
}

func open(ctx context.Context, tickets int) (h *house, err error) {
	h = &house{}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if h.db, err = bench.StartPostgres(ctx); err != nil {
		return h, err
	}
	if h.redis, err = bench.StartRedis(ctx); err != nil {
		return h, err
	}
	if h.keys, err = ticket.ParseKeys(strings.Repeat("07", 32)); err != nil {
		return h, err
	}
	if err = h.sell(ctx, tickets); err != nil {
		return h, err
	}
	return h, h.serve(ctx)
}

// sell writes tickets, an order each, as package order leaves them.
func (h *house) sell(ctx context.Context, n int) error {
	opens := time.Now().UTC().Truncate(time.Second)
	sale, err := catalogue.New(h.db.Pool, time.Now).Seed(ctx, catalogue.Plan{Venue: "Arena", StartsAt: opens.Add(time.Hour), General: n, Sale: ropeline.Sale{ID: "bench", Version: 1, Title: "Gala",
		LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60, UnitsPerHold: 6, ClaimWindow: 60, TokenLife: 60, SessionMax: 3600, Hold: 600}})
	if err != nil {
		return err
	}
	h.show = sale.Performances[0]
	for _, sql := range []string{
		`create table bench_sold as select n, gen_random_uuid() as id, gen_random_uuid() as buyer, $2::uuid as show from generate_series(0, $1::int - 1) n`,
		`insert into buyers (id, email) select buyer, 'fan' || n || '@example.org' from bench_sold`,
		`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
			select show, id, id, 'bench', id::text, '', 'k', '', array[n], 4500, 'EUR', 'm', 'done' from bench_sold`,
		`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) select show, id, 'bench', '', '', id, buyer, 'paid', 4500, 'EUR' from bench_sold`,
		`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
			select show, s.id, s.id, n, t.id, '', 4500, 'EUR', 'valid', md5(n::text) from bench_sold s join tiers t on t.performance_id = show`,
		`drop table bench_sold`, `analyze`,
	} {
		var args []any
		if strings.Contains(sql, "$1") {
			args = []any{n, h.show}
		}
		if err := h.one(ctx, sql, args...); err != nil {
			return err
		}
	}
	rows, err := h.db.Pool.Query(ctx, `select id::text from tickets order by random()`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		h.tickets = append(h.tickets, id)
	}
	return rows.Err()
}

func (h *house) one(ctx context.Context, sql string, args ...any) error {
	if _, err := h.db.Pool.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%.40s: %w", sql, err)
	}
	return nil
}

func (h *house) serve(ctx context.Context) error {
	core, err := api.New(api.Config{
		Postgres: h.db.Pool, Redis: h.redis.Client, Gate: gate.New(token.NewVerifier(token.KeySet{}, time.Now), nil, nil), Staff: crew{}, Tickets: h.keys,
		OrderKey: make([]byte, 32), Provider: sandbox.New(h.db.Pool), Log: slog.New(slog.DiscardHandler), Abuse: abuse.Default(),
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h.address = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- core.Serve(ctx, ln) }()
	h.stop = func() error {
		cancel()
		return <-done
	}
	return nil
}

// Close ends the core and its servers.
func (h *house) Close() (err error) {
	if h.stop != nil {
		err = h.stop()
	}
	if h.redis != nil {
		err = errors.Join(err, h.redis.Close())
	}
	if h.db != nil {
		err = errors.Join(err, h.db.Close())
	}
	return err
}

// scanRows measures scans of rotating codes over HTTP, each of another ticket.
func scanRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	n := p.Of(arrivals)
	h, err := open(ctx, n*p.Runs+scanners)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	codes, err := h.codes(scanners)
	if err != nil {
		return nil, err
	}
	if _, err := h.scan(ctx, codes); err != nil { // connections, and plans of statements
		return nil, err
	}
	var ours, theirs []float64
	for run := range p.Runs {
		var took, own, postgres time.Duration
		for left := n; left > 0; left -= fresh {
			codes, err := h.codes(min(left, fresh))
			if err != nil {
				return nil, err
			}
			used, err := h.used()
			if err != nil {
				return nil, err
			}
			d, err := h.scan(ctx, codes)
			if err != nil {
				return nil, err
			}
			now, err := h.used()
			if err != nil {
				return nil, err
			}
			took, own, postgres = took+d, own+now.own-used.own, postgres+now.postgres-used.postgres
		}
		plain, err := h.pgbench(ctx, max(n/scanners, 1))
		if err != nil {
			return nil, err
		}
		ours, theirs = append(ours, float64(n)/took.Seconds()), append(theirs, plain)
		fmt.Fprintf(out, "run %d: %.0f scans/s; pgbench %.0f/s; a scan takes a processor %v of Postgres, and %v of the core and the scanners\n", run+1, ours[run], theirs[run],
			(postgres / time.Duration(n)).Round(time.Microsecond), (own / time.Duration(n)).Round(time.Microsecond))
	}
	return []bench.Row{bench.Compare("scans of rotating codes over HTTP, 32 scanners", "scans/s", ours,
		"pgbench, 32 clients: one row changed by its key and one written, a transaction each", theirs).RatioAtLeast(0.7)}, nil
}

// used is the processor time that was used until now.
type used struct{ own, postgres time.Duration }

func (h *house) used() (u used, err error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return u, err
	}
	u.own = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	u.postgres, err = h.db.CPU()
	return u, err
}

// codes are what scanners send of the next so many.
func (h *house) codes(n int) ([][]byte, error) {
	requests := make([][]byte, n)
	for i := range requests {
		key, err := h.keys.Private(h.tickets[i], 1, time.Now())
		if err != nil {
			return nil, err
		}
		code, err := key.Code(ticket.PeriodOf(time.Now()))
		if err != nil {
			return nil, err
		}
		body := fmt.Sprintf(`{"id":%q,"code":%q,"door":%q,"device":"scanner %d"}`, uuid.NewString(), code, door.Main, i%scanners)
		requests[i] = fmt.Appendf(nil, "POST /api/v1/organizer/performances/%s/door/scans HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer door\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", h.show, len(body), body)
	}
	h.tickets = h.tickets[n:]
	return requests, nil
}

// scan lets people in, and looks that each of them was.
func (h *house) scan(ctx context.Context, requests [][]byte) (time.Duration, error) {
	n := len(requests)
	var next atomic.Int64
	group, inside := errgroup.WithContext(ctx)
	began := time.Now()
	for range scanners {
		group.Go(func() error {
			conn, err := caller.Dial(inside, h.address)
			if err != nil {
				return err
			}
			defer conn.Close()
			for {
				i := int(next.Add(1)) - 1
				if i >= n || inside.Err() != nil {
					return inside.Err()
				}
				a, err := conn.Ask(requests[i])
				if err != nil {
					return err
				}
				if a.Status != 200 || !bytes.Contains(a.Body, []byte(`"passed":true`)) {
					return fmt.Errorf("a scan is answered %d %s", a.Status, a.Body)
				}
			}
		})
	}
	err := group.Wait()
	took := time.Since(began)
	var passed, kept int
	if err == nil {
		err = h.db.Pool.QueryRow(ctx, `select (select count(*) from scans where passed), (select count(*) from order_ledger where entry = 'scanned_in')`).Scan(&passed, &kept)
	}
	if err == nil && (passed != kept || passed < n) {
		err = fmt.Errorf("%d scans passed, and the ledger has %d", passed, kept)
	}
	return took, err
}

var tps = regexp.MustCompile(`tps = ([\d.]+) `)

const plainTables = `
create table if not exists bench_passes (id integer primary key, used integer not null);
create table if not exists bench_entries (id bigserial primary key, pass integer not null, at timestamptz not null default now());
insert into bench_passes select n, 0 from generate_series(1, 100000) n on conflict do nothing;
`

const plainScript = `\set k random(1, 100000)
begin;
update bench_passes set used = used + 1 where id = :k;
insert into bench_entries (pass) values (:k);
commit;
`

// pgbench does the plain thing, and returns how often in a second.
func (h *house) pgbench(ctx context.Context, each int) (float64, error) {
	if err := h.one(ctx, plainTables); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "ropeline-pgbench-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(file, []byte(plainScript), 0o600); err != nil {
		return 0, err
	}
	said, err := exec.CommandContext(ctx, h.db.PGBench, "-n", "-M", "prepared", "-c", strconv.Itoa(scanners), "-j", "2", "-t", strconv.Itoa(each), "-f", file, h.db.DSN).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, said)
	}
	found := tps.FindSubmatch(said)
	if found == nil {
		return 0, fmt.Errorf("pgbench says %s", said)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
