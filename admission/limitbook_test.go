package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/ledger"
)

// pair is a Redis and a replica that lags, of which clients find the one in charge.
type pair struct {
	*testing.T
	primary, replica *devtest.RedisServer
	at               atomic.Pointer[devtest.RedisServer]
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{T: t, primary: devtest.PrivateRedis(t), replica: devtest.PrivateRedis(t)}
	p.at.Store(p.primary)
	return p
}

// dial finds who is in charge, as a client of Sentinel does.
func (p *pair) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	u, err := url.Parse(p.at.Load().URL)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", u.Path)
}

func (p *pair) store(dial func(context.Context, string, string) (net.Conn, error)) *queue.Store {
	p.Helper()
	rdb := redis.NewClient(&redis.Options{Dialer: dial, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	s := queue.New(rdb, newStoreKeys)
	p.Cleanup(func() { s.Close(); _ = rdb.Close() })
	return s
}

// catchUp is the last that the replica hears.
func (p *pair) catchUp() {
	p.Helper()
	ctx := p.Context()
	keys, err := p.primary.Client.Keys(ctx, "*").Result()
	if err != nil || len(keys) == 0 {
		p.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		left, ttlErr := p.primary.Client.PTTL(ctx, key).Result()
		dump, err := p.primary.Client.Dump(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			continue // it ran out
		}
		if err = errors.Join(ttlErr, err, p.replica.Client.RestoreReplace(ctx, key, max(0, left), dump).Err()); err != nil {
			p.Fatal(err)
		}
	}
}

// failOver puts the replica in charge.
func (p *pair) failOver() {
	p.Helper()
	p.primary.Kill()
	p.at.Store(p.replica)
}

// SREs change limits, and each change is answered; then the Redis that they were made
// in dies, and its replica has heard of none of them. Edges would write them back, but
// the only one is cut off. Nobody is let in by the limits that were before, and what
// was set stands: its numbers, the stop with its reason in all languages, the bounds
// of the automatic mode, what was planned, and the public ledger's word of each.
func TestNoChangeOfLimitsIsUndoneByAFailover(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	db := devtest.Postgres(t)
	d := newDeskOn(t, p.store(p.dial), db, t.TempDir())
	archive, err := admission.NewArchive(db, t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	cutOff := make(chan struct{})
	heal := sync.OnceFunc(func() { close(cutOff) })
	edge := queue.NewLine(p.store(func(ctx context.Context, a, b string) (net.Conn, error) {
		if p.at.Load() == p.replica {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-cutOff:
			}
		}
		return p.dial(ctx, a, b)
	}), d.sale.ID, quiet)
	defer heal()
	run(t, admission.NewController(d.store, quiet).WithLedger(archive, nil).WithLimits(admission.NewLimitBook(db)), d.schedule, edge)
	await(t, d.store, d.sale.ID, func(s queue.State) bool { return s.Drawn && s.Cap == 2 })
	// After a failover three slots of such a rate are counted as in use, for a minute.
	d.want("POST", "steer", `{"set":{"cap":8,"rate":60},"expect":{"version":0},"reason":"more doors"}`, 200, "")
	waitUntil(t, "the ledger has the first change", func() bool { return len(d.told(archive)) == 1 })
	p.catchUp()
	d.want("POST", "steer", `{"set":{"cap":4,"max_cap":9},"expect":{"version":1},"reason":"fewer doors"}`, 200, "")
	d.want("POST", "steer", `{"set":{"auto":{"on":false,"target_ms":200},"min_rate":60,"max_rate":9000},"expect":{"version":2},"reason":"bounds"}`, 200, "")
	d.want("POST", "schedule", fmt.Sprintf(`{"at":%q,"set":{"claim":20},"reason":"as planned"}`, time.Now().Add(50*time.Millisecond).Format(time.RFC3339Nano)), 201, "")
	waitUntil(t, "the plan is made, and the archived ledger tells of it", func() bool { return fmt.Sprint(d.told(archive)) == "[1 2 3 4]" })
	d.want("POST", "steer", `{"set":{"mode":"stop"},"expect":{"mode":"run"},"reason":"INC-7","public_reason":{"de":"Gleich geht es weiter.","en":"Back soon."}}`, 200, "")
	waitUntil(t, "the edge knows of it", func() bool { return edge.View().Version == 5 })

	p.failOver()
	join := func(i int) {
		waitUntil(t, "somebody joins", func() bool {
			_, err := d.store.Join(t.Context(), d.sale.ID, ropeline.PlaceID(fmt.Sprintf("fan%019d", i)), "")
			return err == nil
		})
	}
	for i := range 4 {
		join(i)
	}
	is := func(want string) func(queue.State) bool {
		return func(s queue.State) bool {
			if s.Offered+s.Active > 0 {
				t.Fatalf("somebody was offered while the sale is stopped: %+v", s)
			}
			got := fmt.Sprintf("v%d: cap %d to %d, rate %d to %d, claim %d, %s %q, %s", s.Version, s.Cap, s.MaxCap, s.MinRate, s.MaxRate, int64(s.Claim), s.Mode, s.Reason, s.Auto)
			return !s.Settling && s.Waiting() == 4 && got == want
		}
	}
	awaitLine(t, d.store, d.sale.ID, is(`v5: cap 4 to 9, rate 60 to 9000, claim 20, stop "Back soon.", {"on":false,"target_ms":200}`))
	board, err := d.store.Board(t.Context(), d.sale.ID)
	if err != nil || board.Pause == nil || board.Pause.Texts["de"] != "Gleich geht es weiter." {
		t.Errorf("the board has %+v, %v", board, err)
	}
	d.want("POST", "steer", `{"set":{"mode":"run"},"expect":{"version":5},"reason":"on again"}`, 200, "")
	awaitLine(t, d.store, d.sale.ID, func(s queue.State) bool { return s.Offered == 1 && s.Waiting() == 3 })
	if edge.View().Version != 5 {
		t.Error("the edge was not cut off")
	}
	heal()
	waitUntil(t, "the edge is back", func() bool { return edge.View().Version == 6 && !edge.View().Away })
	s := awaitLine(t, d.store, d.sale.ID, func(s queue.State) bool { return s.Version == 6 })
	if s.MaxInUse != 1 || !s.Proof.Holds() || s.Proof.Limit != 4 {
		t.Errorf("at most %d were in at once; the proof is %+v", s.MaxInUse, s.Proof)
	}
	waitUntil(t, "the ledger tells of each change once", func() bool { return fmt.Sprint(d.told(archive)) == "[1 2 3 4 5 6]" })
}

// A change was made on a Redis that died before the database had it, and the one that
// took over gave its number to another. That which comes second into the database is
// refused, undone, and shown what holds.
func TestAChangeWhoseNumberIsTakenIsRefused(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	d := newDesk(t, db, t.TempDir())
	d.store.UseLimitBook(admission.NewLimitBook(db))
	if done, err := d.store.MendLimits(t.Context(), d.sale.ID); !done || err != nil {
		t.Fatalf("comparing a new sale: %v, %v", done, err)
	}
	rdb := devtest.Redis(t)
	key := func(name string) string { return "ropeline:{" + string(d.sale.ID) + "}:" + name }
	before := map[string]string{}
	for _, name := range []string{"state", "limits"} {
		dump, err := rdb.Dump(t.Context(), key(name)).Result()
		if err != nil {
			t.Fatal(err)
		}
		before[key(name)] = dump
	}
	d.want("POST", "steer", `{"set":{"cap":7},"expect":{"version":0},"reason":"the first"}`, 200, "")
	for name, dump := range before {
		if err := rdb.RestoreReplace(t.Context(), name, 0, dump).Err(); err != nil {
			t.Fatal(err)
		}
	}
	doc := d.want("POST", "steer", `{"set":{"cap":9},"expect":{"version":0},"reason":"the second"}`, 409, "limits-changed")
	if now := inner(doc, "now"); now["cap"] != 7.0 || now["version"] != 1.0 || now["mode"] != "run" {
		t.Errorf("what holds is told as %v", now)
	}
	if s, err := d.store.State(t.Context(), d.sale.ID); err != nil || s.Cap != 7 || s.Version != 1 {
		t.Errorf("in force is %+v, %v", s.Limits, err)
	}
	d.want("POST", "steer", `{"set":{"cap":9},"expect":{"version":1},"reason":"once more"}`, 200, "")
	want := []string{"intended steer ada: the first", "effective steer ada by Redis: the first",
		"intended steer ada: the second", "refused steer ada by Redis: the second",
		"intended steer ada: once more", "effective steer ada by Redis: once more"}
	if got := d.rows(); !slices.Equal(got, want) {
		t.Errorf("the audit has\n%s", strings.Join(got, "\n"))
	}
}

// awaitLine is await where the line may be away for a moment.
func awaitLine(t *testing.T, store *queue.Store, sale ropeline.SaleID, wanted func(queue.State) bool) (s queue.State) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("it is %+v", s)
		}
	}()
	waitUntil(t, "the line comes there", func() bool {
		is, err := store.State(t.Context(), sale)
		s = is
		return err == nil && wanted(is)
	})
	return s
}

// told are the versions of limits that the archived ledger tells of, in its order.
func (d *desk) told(archive *admission.Archive) (versions []int64) {
	d.Helper()
	texts, err := archive.LedgerLast(d.Context(), d.sale.ID, 1000)
	if err != nil {
		d.Fatal(err)
	}
	for _, text := range texts {
		var e ledger.Entry
		var data struct{ Version int64 }
		if err := errors.Join(json.Unmarshal(text, &e), json.Unmarshal(e.Data, &data)); err != nil {
			d.Fatal(err)
		}
		if e.Kind == ledger.KindLimits || e.Kind == ledger.KindMode {
			versions = append(versions, data.Version)
		}
	}
	return versions
}
