package abuse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// State says whether a block holds.
type State string

// The states of a block. Lifted and Over are final.
const (
	Active State = "active"
	Lifted State = "lifted"
	Over   State = "over"
)

// Block says who may not buy until when, and why.
type Block struct {
	ID      string          `json:"id"`
	Signal  Signal          `json:"signal" enum:"holds,payments,staff" doc:"what it is for: holds that were not bought, payments that were declined, or what staff decided"`
	Kind    Kind            `json:"kind" enum:"place,address,card"`
	Subject string          `json:"subject,omitempty" doc:"a place's id; of an address or a card a keyed hash; left out once it was erased"`
	Sale    ropeline.SaleID `json:"sale,omitempty" doc:"where it came to this"`
	Reason  string          `json:"reason" doc:"for the staff"`
	Score   float64         `json:"score,omitempty" doc:"points that it came to"`
	State   State           `json:"state" enum:"active,lifted,over"`
	By      string          `json:"by" doc:"policy, or staff:NAME"`
	Created time.Time       `json:"created_at"`
	Changed time.Time       `json:"changed_at"`
	Until   time.Time       `json:"until"`
}

// Record is what happened to a block.
type Record struct {
	Entry  string    `json:"entry" enum:"blocked,lifted,over,erased"`
	Who    string    `json:"who"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Wish is a block that staff want.
type Wish struct {
	Who     string // of the staff, as the audit names them
	Key     string // idempotency key
	Place   ropeline.PlaceID
	Address string // or this; exactly one of the two
	For     ropeline.Seconds
	Reason  string
}

// What can be wrong with what staff want.
var (
	ErrUnknown    = &ropeline.Error{Kind: ropeline.NotFound, Code: "block-unknown", Detail: "There is no such block."}
	ErrInvalid    = &ropeline.Error{Kind: ropeline.Invalid, Code: "block-invalid", Detail: "A block is of one place or one address, for 60 seconds to 366 days, with a reason of 1 to 200 characters that can be printed."}
	ErrKeyMissing = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-missing", Detail: "Send an Idempotency-Key header of 1 to 128 letters, digits or punctuation, a new one for each new block."}
	ErrKeyReused  = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-reused", Detail: "This Idempotency-Key was used for another request."}
	ErrThere      = &ropeline.Error{Kind: ropeline.Conflict, Code: "block-exists", Detail: "Staff have blocked them already. Lift that block first to make another one."}
)

// byPolicy is who makes a block that nobody decided.
const byPolicy = "policy"

const (
	blockColumns = `id, signal, kind, coalesce(subject, ''), sale_id, reason, score, state, made_by, created_at, changed_at, until`
	// clock is Postgres' own, unless a test has one.
	clock = `coalesce(@now::timestamptz, now())`
)

func scanBlock(row pgx.CollectableRow) (b Block, err error) {
	err = row.Scan(&b.ID, &b.Signal, &b.Kind, &b.Subject, &b.Sale, &b.Reason, &b.Score, &b.State, &b.By, &b.Created, &b.Changed, &b.Until)
	b.Created, b.Changed, b.Until = b.Created.UTC(), b.Changed.UTC(), b.Until.UTC()
	return b, err
}

// args are the arguments of a statement, and the clock.
func (g *Guard) args(a pgx.NamedArgs) pgx.NamedArgs {
	a["now"] = nil
	if g.fixed != nil {
		a["now"] = g.fixed()
	}
	return a
}

// insert writes a block, and first ends one of the same that has run out. It reports false
// if there is one that holds.
func (g *Guard) insert(ctx context.Context, m mark, length ropeline.Seconds, more pgx.NamedArgs) (b Block, made bool, err error) {
	id, err := booking.NewID()
	if err != nil {
		return Block{}, false, err
	}
	args := g.args(pgx.NamedArgs{"id": id, "signal": m.signal, "kind": m.Kind, "subject": m.Name, "for": length.Duration().Seconds(), "sale": "", "score": 0.0, "key": nil, "mac": nil})
	for name, v := range more {
		args[name] = v
	}
	err = pgx.BeginFunc(ctx, g.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `with ended as (
				update abuse_blocks set state = 'over', changed_at = `+clock+`
				where signal = @signal and kind = @kind and subject = @subject and state = 'active' and until <= `+clock+` returning id)
			insert into abuse_history (block_id, entry, who, reason, at) select id, 'over', 'policy', '', `+clock+` from ended`, args)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `with made as (
				insert into abuse_blocks (id, signal, kind, subject, sale_id, reason, score, until, created_at, changed_at, made_by, made_key, made_mac)
				values (@id, @signal, @kind, @subject, @sale, @reason, @score, `+clock+` + make_interval(secs => @for), `+clock+`, `+clock+`, @who, @key, @mac)
				on conflict (signal, kind, subject) where state = 'active' do nothing
				returning id, signal, kind, subject, sale_id, reason, score, state, made_by, created_at, changed_at, until),
			noted as (insert into abuse_history (block_id, entry, who, reason, at) select id, 'blocked', @who, @reason, `+clock+` from made)
			select `+blockColumns+` from made`, args)
		if err != nil {
			return err
		}
		b, err = pgx.CollectExactlyOneRow(rows, scanBlock)
		if made = err == nil; errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return err
	})
	return b, made, err
}

// block blocks a subject whose ladder has come to its end.
func (g *Guard) block(ctx context.Context, m mark, s Rung) error {
	l := g.policy.ladders(m.signal).of(m.Kind)
	reason := fmt.Sprintf("%d waits for %s; %.4g points", s.Waits, m.signal, s.Score)
	b, made, err := g.insert(ctx, m, l.Block, pgx.NamedArgs{"who": byPolicy, "reason": reason, "score": s.Score})
	if err != nil || !made { // made by another core
		return wrap("blocking", err)
	}
	g.metrics.blocked.WithLabelValues(string(m.signal), string(m.Kind)).Inc()
	g.log.Info("blocked", "block", b.ID, "signal", b.Signal, "kind", b.Kind, "until", b.Until)
	g.heard(b)
	return nil
}

// Block blocks whom staff name. The same request with the same key is answered with
// the same block.
func (g *Guard) Block(ctx context.Context, w Wish) (Block, error) {
	subject, err := g.wanted(w)
	if err != nil {
		return Block{}, err
	}
	mac := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", subject.Kind, subject.Name, w.For, w.Reason))
	if b, found, err := g.madeBefore(ctx, w, mac[:]); err != nil || found {
		return b, err
	}
	b, made, err := g.insert(ctx, mark{Staff, subject}, w.For, pgx.NamedArgs{"who": w.Who, "reason": w.Reason, "key": w.Key, "mac": mac[:]})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.ConstraintName == "abuse_blocks_made_once" || err == nil && !made { // perhaps by this very request
		if b, found, err := g.madeBefore(ctx, w, mac[:]); err != nil || found {
			return b, err
		}
		return Block{}, ErrThere
	}
	if err != nil {
		return Block{}, away("blocking", err)
	}
	g.metrics.blocked.WithLabelValues(string(Staff), string(subject.Kind)).Inc()
	g.heard(b)
	return b, nil
}

var (
	keyShape   = regexp.MustCompile(`^[!-~]{1,128}$`)
	placeShape = regexp.MustCompile(`^[A-Za-z0-9_-]{22}(~[a-z0-9-]{1,64})?$`)
)

// wanted is whom staff mean.
func (g *Guard) wanted(w Wish) (Subject, error) {
	switch {
	case !keyShape.MatchString(w.Key):
		return Subject{}, ErrKeyMissing
	case !isReason(w.Reason), w.For < 60 || w.For > longest, (w.Place == "") == (w.Address == ""):
		return Subject{}, ErrInvalid
	case w.Place != "":
		if !placeShape.MatchString(string(w.Place)) {
			return Subject{}, ErrInvalid
		}
		return Subject{Place, string(w.Place)}, nil
	}
	a, err := netip.ParseAddr(w.Address)
	if err != nil {
		return Subject{}, ErrInvalid
	}
	return g.keys.Address(a), nil
}

func isReason(s string) bool {
	return strings.TrimSpace(s) != "" && len([]rune(s)) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (g *Guard) madeBefore(ctx context.Context, w Wish, mac []byte) (b Block, found bool, err error) {
	var id string
	var made []byte
	err = g.db.QueryRow(ctx, `select id::text, made_mac from abuse_blocks where made_by = $1 and made_key = $2`, w.Who, w.Key).Scan(&id, &made)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Block{}, false, nil
	case err != nil:
		return Block{}, false, away("reading what a key made", err)
	case !bytes.Equal(made, mac):
		return Block{}, false, ErrKeyReused
	}
	b, err = g.one(ctx, id)
	return b, true, err
}

func (g *Guard) one(ctx context.Context, id string) (Block, error) {
	if !booking.IsID(id) {
		return Block{}, ErrUnknown
	}
	rows, err := g.db.Query(ctx, `select `+blockColumns+` from abuse_blocks where id = $1`, id)
	if err != nil {
		return Block{}, away("reading a block", err)
	}
	b, err := pgx.CollectExactlyOneRow(rows, scanBlock)
	if errors.Is(err, pgx.ErrNoRows) {
		return Block{}, ErrUnknown
	}
	if err != nil {
		return Block{}, away("reading a block", err)
	}
	return b, nil
}

// Lift ends a block before its time, and forgets the points that led to it: who did it,
// and why, is kept. Erase forgets whom it was for as well. Lifting it again changes
// nothing.
func (g *Guard) Lift(ctx context.Context, id, who, reason string, erase bool) (Block, error) {
	if !isReason(reason) {
		return Block{}, ErrInvalid
	}
	b, err := g.one(ctx, id)
	if err != nil {
		return Block{}, err
	}
	// Points first: a block that is lifted with its points in place would be made again
	// by the next hold, and a repeat of this would not come here.
	if b.Subject != "" && (b.State == Active || erase) {
		if err := g.forgive(ctx, Subject{b.Kind, b.Subject}); err != nil {
			return Block{}, err
		}
	}
	_, err = g.db.Exec(ctx, `with lifted as (
			update abuse_blocks set state = 'lifted', changed_at = `+clock+` where id = @id and state = 'active' returning id)
		insert into abuse_history (block_id, entry, who, reason, at) select id, 'lifted', @who, @reason, `+clock+` from lifted`,
		g.args(pgx.NamedArgs{"id": id, "who": who, "reason": reason}))
	if err == nil && erase {
		_, err = g.db.Exec(ctx, `with erased as (
				update abuse_blocks set subject = null, changed_at = `+clock+` where id = @id and subject is not null and state <> 'active' returning id)
			insert into abuse_history (block_id, entry, who, reason, at) select id, 'erased', @who, @reason, `+clock+` from erased`,
			g.args(pgx.NamedArgs{"id": id, "who": who, "reason": reason}))
	}
	if err != nil {
		return Block{}, away("lifting a block", err)
	}
	now, err := g.one(ctx, id)
	if err == nil {
		b.State, b.Changed = now.State, now.Changed // b has the subject still
		g.heard(b)
	}
	return now, err
}

// forgive forgets the points and waits of a subject.
func (g *Guard) forgive(ctx context.Context, s Subject) error {
	var keys []string
	for _, signal := range []Signal{Holds, Payments} {
		keys = append(keys, mark{signal, s}.key())
	}
	if s.Kind == Place {
		keys = append(keys, prefix+"cards:"+s.Name)
	}
	if err := g.rdb.Del(ctx, append(keys, prefix+"attempts:"+string(s.Kind)+":"+s.Name)...).Err(); err != nil {
		return away("forgetting the points of a block", err)
	}
	return nil
}

// Read reads which blocks have changed; the first time all that hold.
func (g *Guard) Read(ctx context.Context) error {
	select {
	case g.reading <- struct{}{}:
		defer func() { <-g.reading }()
	case <-ctx.Done():
		return away("reading who is blocked", ctx.Err())
	}
	g.mu.Lock()
	first, newest := !g.read, g.changed
	g.mu.Unlock()
	where, args := `state = 'active' and until > `+clock, g.args(pgx.NamedArgs{})
	if first {
		if err := g.db.QueryRow(ctx, `select `+clock, args).Scan(&newest); err != nil {
			return away("reading who is blocked", err)
		}
	} else { // one that was under way when we last looked has an older time
		where, args["since"] = `changed_at > @since`, newest.Add(-10*time.Second)
	}
	rows, err := g.db.Query(ctx, `select `+blockColumns+` from abuse_blocks where `+where+` order by changed_at desc limit 100000`, args)
	if err != nil {
		return away("reading who is blocked", err)
	}
	blocks, err := pgx.CollectRows(rows, scanBlock)
	if err != nil {
		return away("reading who is blocked", err)
	}
	for _, b := range blocks {
		g.heard(b)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(blocks) > 0 && blocks[0].Changed.After(newest) {
		newest = blocks[0].Changed
	}
	g.read, g.changed = true, newest
	for m, b := range g.blocks {
		if !b.Until.After(g.now()) {
			delete(g.blocks, m)
		}
	}
	return nil
}

// heard learns what has become of a block.
func (g *Guard) heard(b Block) {
	if b.Subject == "" { // it was erased, so it is over
		g.forgetID(b.ID)
		return
	}
	m := mark{b.Signal, Subject{b.Kind, b.Subject}}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch known, there := g.blocks[m]; {
	case b.State == Active:
		g.blocks[m] = b
	case there && known.ID != b.ID: // there is a newer one
	case b.State == Lifted && (there || b.Changed.After(g.changed)): // heard for the first time
		delete(g.blocks, m)
		for _, s := range []Signal{Holds, Payments} {
			delete(g.waits, mark{s, m.Subject})
		}
	default:
		delete(g.blocks, m)
	}
}

func (g *Guard) forgetID(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m, b := range g.blocks {
		if b.ID == id {
			delete(g.blocks, m)
			for _, s := range []Signal{Holds, Payments} {
				delete(g.waits, mark{s, m.Subject})
			}
		}
	}
}

// Purge says of blocks that have run out that they are over, and forgets whom those
// were for that ended long ago.
func (g *Guard) Purge(ctx context.Context) error {
	_, err := g.db.Exec(ctx, `with ended as (
			update abuse_blocks set state = 'over', changed_at = `+clock+` where state = 'active' and until <= `+clock+` returning id)
		insert into abuse_history (block_id, entry, who, reason, at) select id, 'over', 'policy', '', `+clock+` from ended`, g.args(pgx.NamedArgs{}))
	if err != nil {
		return away("ending blocks", err)
	}
	_, err = g.db.Exec(ctx, `with erased as (
			update abuse_blocks set subject = null
			where state <> 'active' and subject is not null and changed_at <= `+clock+` - make_interval(secs => @keep) returning id)
		insert into abuse_history (block_id, entry, who, reason, at) select id, 'erased', 'policy', '', `+clock+` from erased`,
		g.args(pgx.NamedArgs{"keep": g.policy.Keep.Duration().Seconds()}))
	if err != nil {
		return away("erasing whom blocks were for", err)
	}
	return nil
}

// Filter says which blocks are listed.
type Filter struct {
	State   State // empty: any
	Place   ropeline.PlaceID
	Address string // whose; empty: anybody's
	After   string // id of the last one of the page before
	Limit   int
}

// List lists blocks, the newest first, and returns where the next page goes on.
func (g *Guard) List(ctx context.Context, f Filter) ([]Block, string, error) {
	subject := Subject{Kind: Place, Name: string(f.Place)}
	if f.Place != "" && !placeShape.MatchString(string(f.Place)) {
		return nil, "", ErrInvalid
	}
	if f.Address != "" {
		a, err := netip.ParseAddr(f.Address)
		if err != nil || f.Place != "" {
			return nil, "", ErrInvalid
		}
		subject = g.keys.Address(a)
	}
	if f.After != "" && !booking.IsID(f.After) {
		return nil, "", ErrUnknown
	}
	rows, err := g.db.Query(ctx, `select `+blockColumns+` from abuse_blocks
		where ($1 = '' or state = $1) and ($2 = '' or kind = $3 and subject = $2) and ($4 = '' or id < nullif($4, '')::uuid)
		order by id desc limit $5`, f.State, subject.Name, subject.Kind, f.After, f.Limit+1)
	if err != nil {
		return nil, "", away("listing blocks", err)
	}
	blocks, err := pgx.CollectRows(rows, scanBlock)
	if err != nil {
		return nil, "", away("listing blocks", err)
	}
	if len(blocks) > f.Limit {
		return blocks[:f.Limit], blocks[f.Limit-1].ID, nil
	}
	return blocks, "", nil
}

// Inspect tells of a block, what happened to it, and where its subject stands now.
func (g *Guard) Inspect(ctx context.Context, id string) (Block, []Record, []Rung, error) {
	b, err := g.one(ctx, id)
	if err != nil {
		return Block{}, nil, nil, err
	}
	rows, err := g.db.Query(ctx, `select entry, who, reason, at from abuse_history where block_id = $1 order by id`, id)
	if err != nil {
		return Block{}, nil, nil, away("reading the history of a block", err)
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Record, err error) {
		err = row.Scan(&e.Entry, &e.Who, &e.Reason, &e.At)
		e.At = e.At.UTC()
		return e, err
	})
	if err != nil {
		return Block{}, nil, nil, away("reading the history of a block", err)
	}
	if b.Subject == "" {
		return b, entries, nil, nil
	}
	points := make([]point, 0, 2)
	for _, s := range []Signal{Holds, Payments} {
		points = append(points, point{mark{s, Subject{b.Kind, b.Subject}}, 0})
	}
	rungs, err := g.count(ctx, points)
	if err != nil {
		return Block{}, nil, nil, ropeline.ErrStoreAway.Because(err)
	}
	return b, entries, rungs, nil
}
