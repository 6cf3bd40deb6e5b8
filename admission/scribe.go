package admission

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/ledger"
)

// Books keep ledgers for good. Archive is one.
type Books interface {
	// LedgerHead returns the last entry that is kept, with up to which event
	// everything is in the ledger; no hash if there is none.
	LedgerHead(ctx context.Context, sale ropeline.SaleID) (head ledger.Head, event string, err error)
	// LedgerLast returns the newest entries, at most so many, in their order.
	LedgerLast(ctx context.Context, sale ropeline.SaleID, most int) ([]json.RawMessage, error)
	// EnterLedger keeps entries. It fails with errForked if another entry is kept
	// where one of them belongs.
	EnterLedger(ctx context.Context, entries []ledger.Entry, event string) error
}

var errForked = errors.New("the archive has another entry there")

// Scribe writes the sales' public ledgers. Any number may write: an entry is
// appended only behind the head that it follows. What goes wrong here stops
// nobody in the line.
type Scribe struct {
	store  *queue.Store
	leader string  // the controller whose sales it writes of
	books  Books   // nil: the ledgers are in Redis only
	signer *Signer // nil: heads are not signed
	log    *slog.Logger

	metrics       *metrics
	minute, signs time.Duration
	forked        map[ropeline.SaleID]bool // whose archive has another entry: to be put back from there
}

const (
	scribeEvery = time.Second
	// signEvery is how often the head is signed, if there is something new.
	signEvery = 10 * time.Minute
	// booksPatience is how long a call of the archive may take.
	booksPatience = 5 * time.Second
)

func newScribe(store *queue.Store, leader string, log *slog.Logger) *Scribe {
	return &Scribe{store: store, leader: leader, log: log, metrics: newMetrics(nil), minute: time.Minute, signs: signEvery, forked: map[ropeline.SaleID]bool{}}
}

// Run writes until ctx ends.
func (s *Scribe) Run(ctx context.Context) {
	faults := map[ropeline.SaleID]*throttle{}
	every := time.NewTicker(scribeEvery)
	defer every.Stop()
	for {
		ids, _ := s.store.Sales(ctx) // the controller says so if it fails
		for _, id := range ids {
			err := s.Write(ctx, id)
			if err == nil {
				s.metrics.wrote(id, time.Now())
			}
			if err == nil || ctx.Err() != nil {
				continue
			}
			if faults[id] == nil {
				faults[id] = &throttle{}
			}
			if faults[id].allow(time.Now()) {
				s.log.Warn("writing the ledger", "sale", id, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// Write takes in what a sale's ledger has to, if this controller leads.
func (s *Scribe) Write(ctx context.Context, sale ropeline.SaleID) error {
	for {
		news, there, err := s.store.LedgerNews(ctx, sale, s.leader)
		if err != nil {
			return err
		}
		if !there {
			return s.see(ctx, sale)
		}
		draft, err := s.begin(ctx, news)
		if err != nil {
			return err
		}
		if err := draft.write(s); err != nil {
			return err
		}
		due := draft.due(s)
		written, err := s.store.AppendLedger(ctx, draft.behind, draft.entries, draft.to, due)
		if err != nil || !written {
			return err
		}
		s.metrics.appended(sale, draft.to.Head, draft.gone, time.Now())
		if err := s.archive(ctx, sale); err != nil {
			return err
		}
		if !news.More {
			return nil
		}
	}
}

// see looks where a ledger has come to that this controller has not written to yet.
func (s *Scribe) see(ctx context.Context, sale ropeline.SaleID) error {
	if s.metrics.knowsHead(sale) {
		return nil
	}
	chain, err := s.store.Chain(ctx, sale)
	if err == nil {
		s.metrics.appended(sale, chain.Head, 0, chain.Head.Time)
	}
	return err
}

// archive keeps for good what is not kept yet.
func (s *Scribe) archive(ctx context.Context, sale ropeline.SaleID) error {
	for s.books != nil {
		event, entries, err := s.store.LedgerPending(ctx, sale)
		if err != nil || len(entries) == 0 {
			return err
		}
		keeping, cancel := context.WithTimeout(ctx, booksPatience)
		err = s.books.EnterLedger(keeping, entries, event)
		cancel()
		if errors.Is(err, errForked) {
			s.forked[sale] = true
			s.log.Error("two ledgers of one sale: the archived one goes on", "sale", sale)
		}
		if err != nil {
			return err
		}
		if err := s.store.LedgerArchived(ctx, sale, entries[len(entries)-1].Seq); err != nil || event != "" {
			return err
		}
	}
	return nil
}

// begin finds the head to go on from. Where the server lost something since, or
// may have, that is the archive's, if it is ahead or another one: what it has
// was published. So nothing is written while it cannot be asked.
func (s *Scribe) begin(ctx context.Context, news queue.News) (*draft, error) {
	known := news.Chain
	d := &draft{news: news, behind: known.Head.Hash, to: known}
	if known.Run == news.Run && !s.forked[known.Head.Sale] {
		return d, nil
	}
	sale := known.Head.Sale
	kept, event, err := s.kept(ctx, sale)
	if err != nil {
		return nil, fmt.Errorf("asking the archive where the ledger has come to: %w", err)
	}
	d.to.Run = news.Run
	if known.Head.Hash == "" && kept.Hash == "" {
		d.to.Head = ledger.Start(sale)
		if news.Restored {
			d.lost("a loss of the store; the ledger before it was kept nowhere")
		}
		return d, nil
	}
	same := kept.Hash == ""
	if !same {
		hash, err := s.store.LedgerHash(ctx, known, kept.Seq)
		if err != nil {
			return nil, err
		}
		same = hash == kept.Hash
	}
	if same {
		d.lost("the store started anew: its last moments may be missing")
		return d, nil
	}
	entries, err := s.books.LedgerLast(ctx, sale, queue.LedgerKept)
	if err != nil {
		return nil, err
	}
	if written, err := s.store.ResetLedger(ctx, known, entries, kept); err != nil || !written {
		return nil, errors.Join(err, errors.New("somebody else puts the ledger back"))
	}
	delete(s.forked, sale)
	d.behind, d.to.Head, d.to.Event = kept.Hash, kept, event
	d.to.Mark.Limits = newestLimits(entries)
	d.lost("a loss of the store: what happened after the entry before this one may be missing")
	return d, nil
}

func (s *Scribe) kept(ctx context.Context, sale ropeline.SaleID) (ledger.Head, string, error) {
	if s.books == nil {
		return ledger.Head{}, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, booksPatience)
	defer cancel()
	return s.books.LedgerHead(ctx, sale)
}

// draft is what one append takes in.
type draft struct {
	news    queue.News
	behind  string // hash of the head that it follows in the store
	to      queue.Chain
	entries []ledger.Entry
	gone    int64 // events that were lost before they were taken in, as far as is known
	err     error
}

// add appends an entry; data is written as JSON.
func (d *draft) add(at time.Time, kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		d.err = errors.Join(d.err, fmt.Errorf("writing %s: %w", kind, err))
		return
	}
	e, head, err := d.to.Head.Next(at, kind, text)
	if err != nil {
		d.err = errors.Join(d.err, err)
		return
	}
	d.entries, d.to.Head = append(d.entries, e), head
}

// lost begins to count anew.
func (d *draft) lost(what string) {
	n, m := d.news, &d.to.Mark
	d.add(n.Now, ledger.KindLost, map[string]any{"what": what, "counted_from": ledger.Time(n.Now)})
	*m = queue.Mark{Opened: m.Opened || !n.Opens.IsZero() && !n.Now.Before(n.Opens), Added: n.Added - n.Kept, Total: n.Offers + n.Friends, Limits: m.Limits}
	if m.Opened {
		d.count(n.Now)
	}
}

// count begins a minute.
func (d *draft) count(from time.Time) {
	m := &d.to.Mark
	m.From, m.Offers, m.Friends, m.Counts = from.UnixMilli(), d.news.Offers, d.news.Friends, maps.Clone(d.news.Counts)
}

// write takes everything in.
func (d *draft) write(s *Scribe) error {
	n := d.news
	if s.signer != nil && d.to.Key.Key != s.signer.id {
		d.to.Key = s.signer.ledgerKey()
		d.add(n.Now, ledger.KindKey, d.to.Key)
	}
	d.events()
	if !n.More {
		d.phases(s.minute)
	}
	if d.wantsSign(s.signs) && s.signer != nil {
		signed, err := ledger.Sign(d.to.Head, s.signer.id, func(text []byte) []byte { return ed25519.Sign(s.signer.key, text) })
		if err != nil {
			return err
		}
		d.to.Signed, d.to.Mark.SignedAt = signed, n.Now.UnixMilli()
		d.add(n.Now, ledger.KindSigned, signed)
	}
	return d.err
}

// events takes in what was told, and tells of what was told and is not there: taken
// in is what leaves the stream, and nothing else.
func (d *draft) events() {
	n, m := d.news, &d.to.Mark
	switch gone := n.Added - n.Kept - m.Added; {
	case gone > 0:
		d.gone = gone
		d.add(n.Now, ledger.KindLost, map[string]any{"what": "events that were told were gone before the ledger had them", "events": gone})
	case gone < 0:
		d.gone, d.to.Event = 1, "" // whatever is there now is of another stream
		d.add(n.Now, ledger.KindLost, map[string]any{"what": "the list of what is told was taken away: events may be missing"})
	}
	for _, e := range d.news.Events {
		if e.Before(d.to.Event) {
			continue // the archive has it
		}
		if d.to.Event = e.ID; e.Again > 0 && e.Again <= m.Limits {
			continue // a change of limits that was put back, and the ledger has it
		}
		d.add(e.At, e.Kind, e.Data)
		m.Limits = max(m.Limits, limitsOfEvent(e.Kind, e.Data))
	}
	m.Added = n.Added - n.Kept + int64(len(n.Events))
}

// limitsOfEvent is the version of the limits that an entry says it made, 0 of others.
func limitsOfEvent(kind string, data json.RawMessage) int64 {
	var made struct {
		Version int64 `json:"version"`
	}
	if kind != ledger.KindLimits && kind != ledger.KindMode || json.Unmarshal(data, &made) != nil {
		return 0
	}
	return made.Version
}

// newestLimits is the highest of some entries.
func newestLimits(entries []json.RawMessage) (newest int64) {
	for _, text := range entries {
		var e ledger.Entry
		if json.Unmarshal(text, &e) == nil {
			newest = max(newest, limitsOfEvent(e.Kind, e.Data))
		}
	}
	return newest
}

// phases tells of the opening, of each minute in which something happened, and
// of the end.
func (d *draft) phases(minute time.Duration) {
	n, m := d.news, &d.to.Mark
	if !m.Opened && !n.Opens.IsZero() && !n.Now.Before(n.Opens) {
		m.Opened = true
		d.add(n.Now, "opened", map[string]any{"opens_at": ledger.Time(n.Opens)})
		d.count(n.Now)
		m.Offers, m.Friends, m.Counts = m.Total, 0, map[string]int64{} // whoever was offered before it was seen counts in
	}
	ends := !m.Ended && !n.Ends.IsZero() && !n.Now.Before(n.Ends)
	if m.Opened && !m.Ended && (ends || !n.Now.Before(time.UnixMilli(m.From).Add(minute))) {
		d.tellMinute()
	}
	if ends {
		m.Ended = true
		d.add(n.Now, "ended", map[string]any{"ends_at": ledger.Time(n.Ends), "admitted": m.Total})
	}
}

func (d *draft) tellMinute() {
	n, m := d.news, &d.to.Mark
	admitted := n.Offers - m.Offers + n.Friends - m.Friends
	counts := map[string]int64{}
	for name, count := range n.Counts {
		if rose := count - m.Counts[name]; rose > 0 {
			counts[name] = rose
		}
	}
	if admitted > 0 || len(counts) > 0 || !n.Proof.Since.Equal(m.Proof.Since) || n.Proof.Most != m.Proof.Most {
		m.Total, m.Proof = m.Total+admitted, n.Proof
		d.add(n.Now, ledger.KindAdmissions, ledger.Admissions{
			From: ledger.Time(time.UnixMilli(m.From)), To: ledger.Time(n.Now), Admitted: admitted, Total: m.Total, Counts: counts,
			MaxActive: n.Proof.Most, Limit: n.Proof.Limit, AtFirst: n.Proof.From, Since: ledger.Time(n.Proof.Since),
		})
	}
	d.count(n.Now)
}

// wantsSign says whether the head is to be signed: after what people will want
// to hold us to at once, and now and then.
func (d *draft) wantsSign(every time.Duration) bool {
	for _, e := range d.entries {
		switch e.Kind {
		case ledger.KindCommitted, ledger.KindBound, ledger.KindDrawn, "opened", "ended", ledger.KindLost:
			return true
		}
	}
	return d.unsigned() && !d.news.Now.Before(time.UnixMilli(d.to.Mark.SignedAt).Add(every))
}

// unsigned reports whether there are entries behind the signed head and the one
// that says so.
func (d *draft) unsigned() bool { return d.to.Head.Seq > d.to.Signed.Seq+1 }

// due is when there is something to do though nothing is told.
func (d *draft) due(s *Scribe) time.Time {
	m, due := d.to.Mark, d.news.Now.Add(24*time.Hour)
	sooner := func(at time.Time) {
		if at.Before(due) {
			due = at
		}
	}
	if d.news.More {
		sooner(d.news.Now)
	}
	if !m.Opened && !d.news.Opens.IsZero() {
		sooner(d.news.Opens)
	}
	if m.Opened && !m.Ended {
		sooner(time.UnixMilli(m.From).Add(s.minute))
		sooner(d.news.Ends)
	}
	if s.signer != nil && d.unsigned() {
		sooner(time.UnixMilli(m.SignedAt).Add(s.signs))
	}
	return due
}

// ledgerKey names the public key of a signer of ledgers.
func (s *Signer) ledgerKey() ledger.KeyData {
	public, _ := s.key.Public().(ed25519.PublicKey)
	return ledger.KeyData{Key: s.id, Public: base64.RawURLEncoding.EncodeToString(public)}
}
