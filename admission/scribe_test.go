package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/ledger"
)

// desk is a sale whose clock a test sets, with scribes that write of it.
type desk struct {
	*testing.T
	rdb   redis.UniversalClient
	store *queue.Store
	sale  ropeline.Sale
	now   time.Time
	mu    sync.Mutex // guards now
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) wait(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func newDesk(t *testing.T, rdb redis.UniversalClient) *desk {
	t.Helper()
	d := &desk{T: t, rdb: rdb, now: time.Now().Truncate(time.Millisecond)}
	keys := queue.Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32)}
	d.store = queue.New(d.rdb, keys).WithClock(d.clock)
	t.Cleanup(d.store.Close)
	d.sale = ropeline.Sale{
		ID: ropeline.SaleID(fmt.Sprintf("s-%d", time.Now().UnixNano())), Version: 1, Title: "Test",
		LobbyClosesAt: d.now.Add(time.Minute), OpensAt: d.now.Add(2 * time.Minute), EndsAt: d.now.Add(time.Hour),
		Cap: 20, Rate: 600, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
	}
	d.must(d.store.PublishSale(t.Context(), d.sale))
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func testSigner(t *testing.T) *Signer {
	t.Helper()
	text, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ParseSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func (d *desk) scribe(books Books, signer *Signer) *Scribe {
	s := newScribe(d.store, "controller", slog.New(slog.DiscardHandler))
	s.books, s.signer = books, signer
	return s
}

func (d *desk) tick() {
	d.Helper()
	_, err := d.store.Tick(d.Context(), d.sale.ID, "controller", time.Hour)
	d.must(err)
}

func (d *desk) write(s *Scribe) {
	d.Helper()
	d.tick() // the lease
	d.must(s.Write(d.Context(), d.sale.ID))
}

// join lets so many people join.
func (d *desk) join(n int) {
	d.Helper()
	for i := range n {
		_, err := d.store.Join(d.Context(), d.sale.ID, ropeline.PlaceID(fmt.Sprintf("place-%d-%d", i, d.clock().UnixNano())), "")
		d.must(err)
	}
}

// entries is the ledger as it is published.
func (d *desk) entries() []ledger.Entry {
	d.Helper()
	texts, _, err := d.store.LedgerPage(d.Context(), d.sale.ID, 0, 10_000)
	d.must(err)
	return read(d.T, texts)
}

func read(t *testing.T, texts []json.RawMessage) (entries []ledger.Entry) {
	t.Helper()
	for _, text := range texts {
		e, err := ledger.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func kinds(entries []ledger.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Kind)
	}
	return all
}

func (d *desk) holds(entries []ledger.Entry, signer *Signer) {
	d.Helper()
	for _, c := range ledger.Verify(entries, signer.KeySet()) {
		if c.Err != nil {
			d.Errorf("%s: %v", c.What, c.Err)
		}
	}
}

// The ledgers share a Redis of their own, since controllers of other tests move
// every sale that they find, and a database.
func TestLedgers(t *testing.T) {
	t.Parallel()
	rdb, db := devtest.PrivateRedis(t).Client, devtest.Postgres(t)
	books, err := NewArchive(db, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*desk, *Archive){
		"one tells a sale from its publication to its end":         ledgerOfASale,
		"several scribes lose and double nothing":                  ledgerOfSeveral,
		"one that Redis lost goes on from the archive":             func(d *desk, a *Archive) { ledgerLost(d, a, loseAll) },
		"one whose last moments Redis lost goes on from there":     func(d *desk, a *Archive) { ledgerLost(d, a, loseLast) },
		"one goes on while the archive is away, and is kept later": ledgerWithoutArchive,
		"what was told and is gone is told of as lost":             ledgerOfWhatIsGone,
		"two heads of one are never both archived":                 ledgerWithTwoHeads,
		"nobody changes what is archived": func(d *desk, a *Archive) {
			d.write(d.scribe(a, nil))
			for _, change := range []string{"update sale_ledger set entry = ''", "delete from sale_ledger", "truncate sale_ledger", "truncate sale_ledger_p03"} {
				if _, err := db.Exec(d.Context(), change); err == nil || !strings.Contains(err.Error(), "append-only") {
					d.Errorf("%s: %v", change, err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newDesk(t, rdb), books)
		})
	}
}

// open takes the sale to its opening.
func (d *desk) open(s *Scribe) {
	d.Helper()
	d.join(3)
	d.write(s)
	d.wait(time.Minute)
	d.must(d.store.Draw(d.Context(), d.sale.ID))
	d.wait(time.Minute)
	d.write(s)
}

func ledgerOfASale(d *desk, books *Archive) {
	t := d.T
	signer := testSigner(t)
	s := d.scribe(books, signer)
	d.open(s)
	for range 3 {
		d.join(2)
		d.wait(time.Second)
		d.tick()
	}
	d.must(d.store.Tell(t.Context(), d.sale.ID, "message", map[string]any{"text": "Hello <all>"}))
	d.wait(time.Minute)
	d.write(s)
	d.wait(time.Minute)
	d.write(s) // a minute in which nothing happened
	d.wait(time.Hour)
	d.write(s)
	d.write(s) // nothing more
	entries := d.entries()
	want := []string{"key", "published", "draw-committed", "signed", "draw-bound", "drawn", "opened", "signed", "message", "admissions", "ended", "signed"}
	if got := kinds(entries); !slices.Equal(got, want) {
		t.Errorf("the ledger has %v, want %v", got, want)
	}
	d.holds(entries, signer)
	total := int64(0)
	for _, e := range entries {
		var m ledger.Admissions
		if e.Kind == ledger.KindAdmissions {
			d.must(json.Unmarshal(e.Data, &m))
			total += m.Admitted
			if m.Limit != 20 || m.MaxActive < 1 || m.MaxActive > 20 {
				t.Errorf("the cap's proof is %+v", m)
			}
		}
	}
	state, err := d.store.State(t.Context(), d.sale.ID)
	d.must(err)
	if total == 0 || total != state.LastOffer {
		t.Errorf("%d were admitted by the ledger, %d offers made", total, state.LastOffer)
	}
	// The archive has the same.
	kept, err := books.LedgerLast(t.Context(), d.sale.ID, 1000)
	d.must(err)
	if archived := read(t, kept); !slices.EqualFunc(archived, entries, func(a, b ledger.Entry) bool { return a.Hash == b.Hash }) {
		t.Errorf("archived %v, published %v", kinds(archived), want)
	}
}

func ledgerOfSeveral(d *desk, books *Archive) {
	t := d.T
	signer := testSigner(t)
	scribes := []*Scribe{d.scribe(books, signer), d.scribe(books, signer), d.scribe(books, signer)}
	d.open(scribes[0])
	const events = 60
	var writing sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for i, s := range scribes {
		writing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				round, kill := context.WithTimeout(ctx, time.Duration(1+(n*7+i)%9)*time.Millisecond) // killed at any moment
				_ = s.Write(round, d.sale.ID)
				kill()
			}
		})
	}
	for i := range events {
		d.must(d.store.Tell(t.Context(), d.sale.ID, "message", map[string]any{"n": i}))
	}
	stop()
	writing.Wait()
	d.write(scribes[0])
	entries := d.entries()
	d.holds(entries, signer)
	n := 0
	for _, e := range entries {
		if e.Kind != "message" {
			continue
		}
		if string(e.Data) != fmt.Sprintf(`{"n":%d}`, n) {
			t.Fatalf("message %d is %s", n, e.Data)
		}
		n++
	}
	if n != events {
		t.Errorf("%d of %d events are in the ledger", n, events)
	}
}

// keysOfSale are a sale's keys in its capacity slot.
func (d *desk) key(name string) string { return "ropeline:{" + string(d.sale.ID) + "}:" + name }

func loseAll(d *desk) { d.must(d.rdb.Del(d.Context(), d.key("ledger"), d.key("chain")).Err()) }

// loseLast is a server that starts anew on an older file.
func loseLast(d *desk) {
	entries := d.entries()
	last := entries[len(entries)-2]
	d.must(d.rdb.RPop(d.Context(), d.key("ledger")).Err())
	d.must(d.rdb.HSet(d.Context(), d.key("chain"), "seq", last.Seq, "hash", last.Hash, "run", "another", "archived", 1).Err())
	d.must(d.rdb.XAdd(d.Context(), &redis.XAddArgs{Stream: d.key("events"), ID: "1-1", Values: []string{"kind", "message", "data", `{"text":"known"}`, "at", "1"}}).Err())
}

func ledgerLost(d *desk, books *Archive, lose func(*desk)) {
	signer := testSigner(d.T)
	d.open(d.scribe(books, signer))
	before := d.entries()
	d.must(d.rdb.Del(d.Context(), d.key("events")).Err())
	lose(d)

	away := d.scribe(failing{}, signer) // nothing is written while the archive cannot be asked
	d.tick()
	if err := away.Write(d.Context(), d.sale.ID); !errors.Is(err, errBooks) {
		d.Errorf("while the archive is away: %v", err)
	}
	d.must(d.store.Tell(d.Context(), d.sale.ID, "message", map[string]any{"text": "new"}))
	d.wait(time.Second)
	d.write(d.scribe(books, signer))
	after := d.entries()
	if len(after) < len(before)+2 || after[len(before)-1].Hash != before[len(before)-1].Hash || after[len(before)].Kind != ledger.KindLost {
		d.Fatalf("before %v, after %v", kinds(before), kinds(after))
	}
	if n := strings.Count(strings.Join(kinds(after), " "), "message"); n != 1 {
		d.Errorf("%d messages, want the one that is new: %v", n, kinds(after))
	}
	d.holds(after, signer)
}

// failing are books that cannot be asked.
type failing struct{}

var errBooks = errors.New("away")

func (failing) LedgerHead(context.Context, ropeline.SaleID) (ledger.Head, string, error) {
	return ledger.Head{}, "", errBooks
}

func (failing) LedgerLast(context.Context, ropeline.SaleID, int) ([]json.RawMessage, error) {
	return nil, errBooks
}
func (failing) EnterLedger(context.Context, []ledger.Entry, string) error { return errBooks }

func ledgerWithoutArchive(d *desk, books *Archive) {
	t := d.T
	signer := testSigner(t)
	d.write(d.scribe(books, signer))
	d.must(d.store.Tell(t.Context(), d.sale.ID, "message", map[string]any{"text": "one"}))
	if err := d.scribe(failing{}, signer).Write(t.Context(), d.sale.ID); !errors.Is(err, errBooks) {
		t.Errorf("writing while the archive is away: %v", err)
	}
	if all := kinds(d.entries()); all[len(all)-1] != "message" {
		t.Errorf("published %v, want the message", all)
	}
	d.must(d.store.Tell(t.Context(), d.sale.ID, "message", map[string]any{"text": "two"}))
	d.write(d.scribe(books, signer))
	kept, err := books.LedgerLast(t.Context(), d.sale.ID, 100)
	d.must(err)
	if archived := read(t, kept); len(archived) != len(d.entries()) {
		t.Errorf("archived %v, published %v", kinds(archived), kinds(d.entries()))
	}
}

// Of two ledgers of one sale, which only a store that was put back can bring
// about, one is archived, and that one goes on.
func ledgerWithTwoHeads(d *desk, books *Archive) {
	t := d.T
	signer := testSigner(t)
	s := d.scribe(books, signer)
	d.write(s)
	before := d.entries()
	head := ledger.Head{Sale: d.sale.ID, Seq: before[0].Seq, Hash: before[0].Hash}
	other, _, err := head.Next(d.clock(), "message", json.RawMessage(`{"text":"another history"}`))
	d.must(err)
	if err := books.EnterLedger(t.Context(), []ledger.Entry{other}, ""); !errors.Is(err, errForked) {
		t.Fatalf("archiving a second entry 2: %v", err)
	}
	// Redis has that other history, and does not know better.
	text, err := ledger.Canonical(other)
	d.must(err)
	d.must(d.rdb.LTrim(t.Context(), d.key("ledger"), 0, 0).Err())
	d.must(d.rdb.RPush(t.Context(), d.key("ledger"), text).Err())
	d.must(d.rdb.HSet(t.Context(), d.key("chain"), "seq", 2, "hash", other.Hash, "archived", 1).Err())
	d.must(d.store.Tell(t.Context(), d.sale.ID, "message", map[string]any{"text": "three"}))
	if err := s.Write(t.Context(), d.sale.ID); !errors.Is(err, errForked) {
		t.Errorf("writing on the other history: %v", err)
	}
	d.must(d.store.Tell(t.Context(), d.sale.ID, "message", map[string]any{"text": "four"}))
	d.write(s)
	after := d.entries()
	if after[len(before)-1].Hash != before[len(before)-1].Hash || after[len(before)].Kind != ledger.KindLost {
		t.Errorf("before %v, after %v", kinds(before), kinds(after))
	}
	d.holds(after, signer)
}

// Whatever leaves the stream by another hand than the scribe's, or with a stream that
// is too full, shows: at once, and not only when something else is told.
func ledgerOfWhatIsGone(d *desk, books *Archive) {
	signer := testSigner(d.T)
	s := d.scribe(books, signer)
	d.open(s)
	events := d.key("events")
	var lost int64
	for _, c := range []struct {
		name string
		tell int
		take func() error
		want []string
		gone int64
	}{
		{"all of them", 3, func() error { return d.rdb.XTrimMaxLen(d.Context(), events, 0).Err() }, []string{"lost", "signed"}, 3},
		{"the older ones", 3, func() error { return d.rdb.XTrimMaxLen(d.Context(), events, 1).Err() }, []string{"lost", "message", "signed"}, 2},
		{"one in the middle", 3, func() error {
			ids, err := d.rdb.XRange(d.Context(), events, "-", "+").Result()
			d.must(err)
			return d.rdb.XDel(d.Context(), events, ids[1].ID).Err()
		}, []string{"lost", "message", "message", "signed"}, 1},
		{"the stream itself", 1, func() error { return d.rdb.Del(d.Context(), events).Err() }, []string{"lost", "signed"}, 1},
		{"nothing", 1, func() error { return nil }, []string{"message"}, 0},
		{"a stream with another one in its place", 0, func() error {
			d.must(d.rdb.Del(d.Context(), events).Err())
			return d.rdb.XAdd(d.Context(), &redis.XAddArgs{Stream: events, ID: "1-1", Values: []string{"kind", "message", "data", "{}", "at", "1"}}).Err()
		}, []string{"lost", "message", "signed"}, 1},
		{"nothing more", 1, func() error { return nil }, []string{"message"}, 0},
	} {
		before := len(d.entries())
		for n := range c.tell {
			d.must(d.store.Tell(d.Context(), d.sale.ID, "message", map[string]any{"n": n}))
		}
		d.must(c.take())
		for range 2 { // the second finds nothing
			d.wait(time.Second)
			d.write(s)
		}
		after := d.entries()[before:]
		if got := kinds(after); !slices.Equal(got, c.want) {
			d.Errorf("%s: %v came into the ledger, want %v", c.name, got, c.want)
		}
		if lost += c.gone; s.metrics.sales[d.sale.ID].lost != lost {
			d.Errorf("%s: %d are counted as lost by now, want %d", c.name, s.metrics.sales[d.sale.ID].lost, lost)
		}
	}
	d.holds(d.entries(), signer)
}
