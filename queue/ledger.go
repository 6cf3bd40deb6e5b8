package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/ledger"
)

//go:embed lua/ledger_news.lua
var ledgerNewsSource string
var ledgerNewsScript = newScript("ledger news", ledgerNewsSource)

//go:embed lua/ledger_append.lua
var ledgerAppendSource string
var ledgerAppendScript = newScript("ledger append", ledgerAppendSource)

//go:embed lua/ledger_reset.lua
var ledgerResetSource string
var ledgerResetScript = newScript("ledger reset", ledgerResetSource)

//go:embed lua/ledger_pending.lua
var ledgerPendingSource string
var ledgerPendingScript = newScript("ledger pending", ledgerPendingSource)

//go:embed lua/ledger_archived.lua
var ledgerArchivedSource string
var ledgerArchivedScript = newScript("ledger archived", ledgerArchivedSource)

const (
	// ledgerEvents is how many events are taken in at once, ledgerBatch how many
	// entries archived.
	ledgerEvents = 200
	ledgerBatch  = 500
	// LedgerKept is how many entries stay in Redis: 14 days of a sale that admits
	// somebody each minute, 8 MB. Only what is archived is taken off.
	LedgerKept = 20_000
)

// Mark is what the ledger remembers between two entries: what the next minute is
// counted from, and the cap's proof.
type Mark struct {
	From    int64            `json:"from"` // ms, of the minute that runs; 0 before the opening
	Offers  int64            `json:"offers"`
	Friends int64            `json:"friends"`
	Total   int64            `json:"total"`
	Counts  map[string]int64 `json:"counts"`

	Proof Proof `json:"proof"` // as it was told last

	Opened   bool  `json:"opened"`
	Ended    bool  `json:"ended"`
	SignedAt int64 `json:"signed_at"` // ms
	Added    int64 `json:"added"`     // events that were ever taken in, or are known to be lost
	Limits   int64 `json:"limits"`    // the newest version of the limits that was told
}

// Chain is where a sale's ledger has come to.
type Chain struct {
	Head     ledger.Head // an empty hash: there is no ledger
	Run      string      // of the server when it was written; "" after it was put back
	Event    string      // the last one that was taken in
	First    int64       // of the entries that are in Redis
	Archived int64
	Mark     Mark
	Signed   ledger.Signed  // the newest signed head
	Key      ledger.KeyData // that it is signed with
}

// Event is what the public was told.
type Event struct {
	ID   string
	At   time.Time
	Kind string
	Data json.RawMessage

	// Again is the version of a change of limits that was told before, on a server
	// that was lost; 0 of every other.
	Again int64
}

// News is what a ledger has to take in.
type News struct {
	Now         time.Time
	Run         string
	Restored    bool // the sale was put together again after its server had lost it
	Chain       Chain
	Events      []Event
	More        bool  // of them
	Added, Kept int64 // events: ever, and still there
	Opens, Ends time.Time
	Offers      int64 // numbers of offers so far
	Friends     int64
	Proof       Proof
	Counts      map[string]int64
}

// LedgerNews returns what a sale's ledger has to take in, and false if there is
// nothing, or another controller leads.
func (s *Store) LedgerNews(ctx context.Context, sale ropeline.SaleID, controller string) (News, bool, error) {
	keys := keysOf(sale, "leader", "chain", "events", "state", "counts")
	reply, err := s.runOn(ctx, sale, ledgerNewsScript, keys, controller, ledgerEvents)
	if err != nil {
		return News{}, false, err
	}
	fields, _ := reply.([]any)
	if len(fields) == 0 {
		return News{}, false, nil
	}
	r := reader{fields: fields}
	n := News{Now: time.UnixMicro(r.integer()).UTC(), Run: r.text(), Restored: r.integer() == 1}
	n.Chain, err = readChain(sale, pairs(r.next()))
	events, eventsErr := readEvents(r.next())
	n.Events = events
	n.Added, n.Kept = r.integer(), r.integer()
	n.More = int64(len(n.Events)) < n.Kept
	n.Opens, n.Ends = milli(r.integer()), milli(r.integer())
	n.Offers, n.Friends = r.integer(), r.integer()
	missed, claimed := r.integer(), r.integer()
	n.Proof = Proof{Limit: r.integer(), Since: micro(r.integer()), From: r.integer(), Most: r.integer()}
	n.Counts = map[string]int64{"missed": missed, "claimed": claimed}
	for name, text := range pairs(r.next()) {
		count, parseErr := strconv.ParseInt(text, 10, 64)
		err = errors.Join(err, parseErr)
		n.Counts[name] = count
	}
	return n, true, errors.Join(err, eventsErr, r.failed("ledger news"))
}

// pairs reads what HGETALL answers in a script.
func pairs(reply any) map[string]string {
	list, _ := reply.([]any)
	m := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		m[name], _ = list[i+1].(string)
	}
	return m
}

func readEvents(reply any) ([]Event, error) {
	list, _ := reply.([]any)
	events := make([]Event, 0, len(list))
	for _, each := range list {
		pair, _ := each.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("an event of %d parts", len(pair))
		}
		id, _ := pair[0].(string)
		values := pairs(pair[1])
		at, err := strconv.ParseInt(values["at"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("time of event %s: %w", id, err)
		}
		e := Event{ID: id, At: milli(at), Kind: values["kind"], Data: json.RawMessage(values["data"])}
		if again := values["again"]; again != "" {
			if e.Again, err = strconv.ParseInt(again, 10, 64); err != nil {
				return nil, fmt.Errorf("version of event %s: %w", id, err)
			}
		}
		events = append(events, e)
	}
	return events, nil
}

func readChain(sale ropeline.SaleID, fields map[string]string) (Chain, error) {
	c := Chain{Head: ledger.Head{Sale: sale, Hash: fields["hash"]}, Run: fields["run"], Event: fields["event"]}
	if c.Head.Hash == "" {
		return c, nil
	}
	var errs [4]error
	c.Head.Seq, errs[0] = strconv.ParseInt(fields["seq"], 10, 64)
	c.First, errs[1] = strconv.ParseInt(fields["first"], 10, 64)
	c.Archived, errs[2] = strconv.ParseInt(fields["archived"], 10, 64)
	if text := fields["time"]; text != "" {
		c.Head.Time, errs[3] = ledger.ParseTime(text)
	}
	err := errors.Join(errs[:]...)
	for name, into := range map[string]any{"mark": &c.Mark, "signed": &c.Signed, "key": &c.Key} {
		if text := fields[name]; text != "" {
			err = errors.Join(err, json.Unmarshal([]byte(text), into))
		}
	}
	if err != nil {
		return c, fmt.Errorf("reading the head of the ledger: %w", err)
	}
	return c, nil
}

// Chain returns where a sale's ledger has come to.
func (s *Store) Chain(ctx context.Context, sale ropeline.SaleID) (Chain, error) {
	fields, err := s.rdb.HGetAll(ctx, key(sale, "chain")).Result()
	if err != nil {
		return Chain{}, storeError("reading the head of the ledger", err)
	}
	return readChain(sale, fields)
}

// AppendLedger appends entries behind a head, and says where the ledger has come
// to with them: due is when it has to be looked at again though nothing is told.
// It reports false if somebody else was faster.
func (s *Store) AppendLedger(ctx context.Context, behind string, entries []ledger.Entry, to Chain, due time.Time) (bool, error) {
	sale := to.Head.Sale
	args := []any{behind, nextEvent(to.Event), len(entries)}
	for _, e := range entries {
		text, err := ledger.Canonical(e)
		if err != nil {
			return false, err
		}
		args = append(args, text)
	}
	mark, err := json.Marshal(to.Mark)
	signed, signedErr := json.Marshal(to.Signed)
	named, keyErr := json.Marshal(to.Key)
	if err := errors.Join(err, signedErr, keyErr); err != nil {
		return false, fmt.Errorf("writing the head of the ledger: %w", err)
	}
	args = append(args, "seq", to.Head.Seq, "hash", to.Head.Hash, "time", ledger.Time(to.Head.Time), "run", to.Run, "event", to.Event,
		"added", to.Mark.Added, "due", due.UnixMilli(), "mark", mark, "signed", signed, "key", named)
	reply, err := s.runOn(ctx, sale, ledgerAppendScript, keysOf(sale, "chain", "ledger", "events"), args...)
	return reply == int64(1), err
}

// nextEvent is the least id that may follow an event.
func nextEvent(id string) string {
	ms, n, ok := strings.Cut(id, "-")
	count, err := strconv.ParseUint(n, 10, 64)
	if !ok || err != nil {
		return ""
	}
	return ms + "-" + strconv.FormatUint(count+1, 10)
}

// Before reports whether an event is at or before one of this id.
func (e Event) Before(id string) bool {
	if id == "" {
		return false
	}
	a, b := eventNumbers(e.ID), eventNumbers(id)
	return a[0] < b[0] || a[0] == b[0] && a[1] <= b[1]
}

func eventNumbers(id string) (at [2]uint64) {
	ms, n, _ := strings.Cut(id, "-")
	at[0], _ = strconv.ParseUint(ms, 10, 64)
	at[1], _ = strconv.ParseUint(n, 10, 64)
	return at
}

// ResetLedger puts a ledger back as the archive has it: these are its newest
// entries, up to its head. It reports false if the head is not the one that was
// seen any more.
func (s *Store) ResetLedger(ctx context.Context, seen Chain, entries []json.RawMessage, head ledger.Head) (bool, error) {
	args := []any{seen.Head.Hash, head.Seq - int64(len(entries)) + 1, head.Seq, head.Hash}
	for _, e := range entries {
		args = append(args, []byte(e))
	}
	reply, err := s.runOn(ctx, head.Sale, ledgerResetScript, keysOf(head.Sale, "chain", "ledger"), args...)
	return reply == int64(1), err
}

// LedgerPending returns the entries that are not archived yet, at most 500, and
// up to which event everything is in them; "" where there are more of them.
func (s *Store) LedgerPending(ctx context.Context, sale ropeline.SaleID) (event string, entries []ledger.Entry, err error) {
	reply, err := s.runOn(ctx, sale, ledgerPendingScript, keysOf(sale, "chain", "ledger"), ledgerBatch)
	if err != nil {
		return "", nil, err
	}
	parts, _ := reply.([]any)
	r := reader{fields: parts}
	event = r.text()
	texts, _ := r.next().([]any)
	for _, each := range texts {
		text, _ := each.(string)
		e, err := ledger.Parse([]byte(text))
		if err != nil {
			return "", nil, fmt.Errorf("reading the ledger: %w", err)
		}
		entries = append(entries, e)
	}
	return event, entries, r.failed("ledger pending")
}

// LedgerArchived notes up to where a ledger is archived.
func (s *Store) LedgerArchived(ctx context.Context, sale ropeline.SaleID, seq int64) error {
	_, err := s.runOn(ctx, sale, ledgerArchivedScript, keysOf(sale, "chain", "ledger"), seq, LedgerKept)
	return err
}

// LedgerPage returns up to so many entries after a sequence number, as they are
// published, and where the ledger has come to.
func (s *Store) LedgerPage(ctx context.Context, sale ropeline.SaleID, after, most int64) ([]json.RawMessage, Chain, error) {
	chain, err := s.Chain(ctx, sale)
	if err != nil || chain.Head.Hash == "" {
		return nil, chain, err
	}
	from := max(after+1, chain.First)
	lists, err := s.rdb.LRange(ctx, key(sale, "ledger"), from-chain.First, from-chain.First+most-1).Result()
	if err != nil {
		return nil, chain, storeError("reading the ledger", err)
	}
	entries := make([]json.RawMessage, 0, len(lists))
	for _, text := range lists {
		entries = append(entries, json.RawMessage(text))
	}
	return entries, chain, nil
}

// LedgerHash is the hash of one entry, "" if it is not in Redis.
func (s *Store) LedgerHash(ctx context.Context, c Chain, seq int64) (string, error) {
	if seq < c.First || seq > c.Head.Seq {
		return "", nil
	}
	text, err := s.rdb.LIndex(ctx, key(c.Head.Sale, "ledger"), seq-c.First).Bytes()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", storeError("reading the ledger", err)
	}
	e, err := ledger.Parse(text)
	return e.Hash, err
}
