package hold

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/batch"
)

//go:embed lua/once.lua
var onceText string

//go:embed lua/clock.lua
var clockText string

//go:embed lua/each.lua
var eachText string

//go:embed lua/choose.lua
var chooseText string

//go:embed lua/claim.lua
var claimText string

//go:embed lua/pool.lua
var poolText string

//go:embed lua/extend.lua
var extendText string

//go:embed lua/release.lua
var releaseText string

//go:embed lua/pay.lua
var payText string

//go:embed lua/unpay.lua
var unpayText string

//go:embed lua/sell.lua
var sellText string

//go:embed lua/return.lua
var returnText string

//go:embed lua/sweep.lua
var sweepText string

//go:embed lua/paying.lua
var payingText string

var (
	claim    = each(chooseText, claimText)
	offer    = each(chooseText+poolText, claimText)
	extend   = each("", extendText)
	release  = each("", releaseText)
	pay      = each("", payText)
	unpay    = each("", unpayText)
	sell     = each("", sellText)
	giveBack = redis.NewScript(onceText + clockText + returnText)
	sweep    = redis.NewScript(onceText + clockText + sweepText)
	paying   = redis.NewScript(payingText)
)

// each makes a script that is carried out for all calls that come together, with
// functions that it calls.
func each(functions, text string) *redis.Script {
	return redis.NewScript("local keys, args = KEYS, ARGV\nlocal KEYS, ARGV\n" + onceText + clockText + functions +
		"\nlocal function one()\n" + text + "\nend\n" + eachText)
}

// Request says who wants to hold something and on what terms.
type Request struct {
	ID          string // of the new hold, made by the caller: repeat with the same one
	Performance ropeline.PerformanceID
	Sale        ropeline.SaleID
	Session     string
	SessionEnds time.Time     // no hold outlives its session
	Life        time.Duration // until it runs out
	Extensions  int

	// PerPlace is how many units one place of the line may hold and have bought
	// in a sale, 0 for any number; Others are the sale's other performances.
	Place    ropeline.PlaceID
	PerPlace int
	Others   []ropeline.PerformanceID
}

// Part is a part of what somebody wants to hold.
type Part []any

// Units is how many units parts have together.
func Units(parts []Part) (n int) {
	for _, p := range parts {
		n += p[1].(int)
	}
	return n
}

// These are exactly these units.
func These(units []int) Part {
	p := make(Part, 0, 2+len(units))
	p = append(p, "units", len(units))
	for _, u := range units {
		p = append(p, u)
	}
	return p
}

// Beside are n neighbors in the first of the rows that has them without leaving a
// seat alone beside them, or in the first that has them.
func Beside(n int, rows []catalogue.Stretch) Part {
	packed := make([]byte, 0, 11*len(rows))
	for _, r := range rows {
		packed = binary.BigEndian.AppendUint32(packed, uint32(r.First))
		packed = binary.BigEndian.AppendUint32(packed, uint32(r.Count))
		packed = append(packed, byte(r.Before), byte(r.After), 0)
		if r.Restricted {
			packed[len(packed)-1] = 1
		}
	}
	return Part{"run", n, packed}
}

// Among are any n units of a range.
func Among(n int, of catalogue.Range) Part { return Part{"any", n, of.First, of.Count} }

// Kept are n units of some ranges that a reserve withholds, the lowest that nobody
// holds or has bought; with as many as there are, all of them.
func Kept(n int, of []catalogue.Range) Part {
	p := Part{"kept", n, len(of)}
	for _, r := range of {
		p = append(p, r.First, r.Count)
	}
	return p
}

// Units holds exactly these units, or nothing.
func (s *Store) Units(ctx context.Context, r Request, units []int) (Hold, error) {
	return s.Claim(ctx, r, These(units))
}

// Any holds any n units of a range.
func (s *Store) Any(ctx context.Context, r Request, n int, of catalogue.Range) (Hold, error) {
	return s.Claim(ctx, r, Among(n, of))
}

// Claim holds all parts, or nothing. What a part names must be units of the
// performance.
func (s *Store) Claim(ctx context.Context, r Request, parts ...Part) (Hold, error) {
	elsewhere, err := s.elsewhere(ctx, r)
	if err != nil {
		return Hold{}, err
	}
	h, err := s.take(ctx, claim, r, elsewhere, parts)
	if err != nil {
		return h, err
	}
	if err := s.keep(ctx, h); err != nil { // its session ended meanwhile
		_, _ = s.call(ctx, release, r.Performance, r.ID, r.Session) // else it runs out
		return Hold{}, err
	}
	return h, nil
}

// Offer is Claim of units that are kept for the returns list of a performance, instead of
// those on sale. The session must begin with Listed; no limit of a place counts it.
func (s *Store) Offer(ctx context.Context, r Request, parts ...Part) (Hold, error) {
	r.Place, r.PerPlace = "", 0
	return s.take(ctx, offer, r, 0, parts)
}

// take makes the hold, or finds what became of it.
func (s *Store) take(ctx context.Context, script *redis.Script, r Request, elsewhere int64, parts []Part) (h Hold, err error) {
	args := []any{r.Session, string(r.Sale), r.Life.Milliseconds(), r.SessionEnds.UnixMilli(), r.Extensions, string(r.Place), r.PerPlace, elsewhere}
	answer, err := s.ask(ctx, script, r.Performance, r.ID, slices.Concat(args, slices.Concat(parts...))...)
	if err != nil {
		return Hold{}, err
	}
	if len(answer) == 4 && answer[0] == "new" {
		h, err = r.held(answer[2:])
	} else {
		h, err = s.read(r.Performance, r.ID, answer)
	}
	if err == nil {
		err = h.Over() // a repeat may come after the end
	}
	return h, err
}

// elsewhere is how many units the place has in the sale's other performances.
// They are in other hash slots, so this is a moment old: the transaction that
// starts a payment counts again.
func (s *Store) elsewhere(ctx context.Context, r Request) (int64, error) {
	if r.PerPlace == 0 || len(r.Others) == 0 {
		return 0, nil
	}
	counts := make([]*redis.StringCmd, len(r.Others))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range r.Others {
			counts[i] = p.HGet(ctx, inventory.KeysOf(id).Places(), string(r.Place))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, away("counting what is held by place", string(r.Place), err)
	}
	var sum int64
	for _, c := range counts {
		n, _ := c.Int64() // none is 0
		sum += n
	}
	return sum, nil
}

// Extend starts the hold's life afresh, once for each of its extensions. A
// second call within two seconds costs nothing.
func (s *Store) Extend(ctx context.Context, id ropeline.PerformanceID, hold, session string, life time.Duration) (Hold, error) {
	h, err := s.call(ctx, extend, id, hold, session, life.Milliseconds())
	if err == nil && h.State == Paying {
		err = ErrPaying
	}
	if err == nil {
		err = h.Over()
	}
	if err == nil {
		err = s.keep(ctx, h)
	}
	return h, err
}

// Release gives the units back. Releasing what is over already is no error,
// unless it was sold.
func (s *Store) Release(ctx context.Context, id ropeline.PerformanceID, hold, session string) error {
	h, err := s.call(ctx, release, id, hold, session)
	if err == nil {
		s.follow(ctx, h)
	}
	switch {
	case err != nil:
		return err
	case h.State == Paying:
		return ErrPaying
	case h.State == Sold:
		return ErrSold
	}
	return nil
}

// Pay reserves the hold for one payment attempt: it no longer runs out.
func (s *Store) Pay(ctx context.Context, id ropeline.PerformanceID, hold, session, attempt string) (Hold, error) {
	h, err := s.call(ctx, pay, id, hold, session, attempt, inventory.PaymentLife.Milliseconds())
	if err == nil {
		err = h.Over()
	}
	if err == nil {
		err = s.keep(ctx, h) // else the attempt fails, which gives the hold back
	}
	return h, err
}

// Unpay gives the hold back to its fan after the attempt failed, the first time
// for at least the grace. It does nothing if this attempt is not paying.
func (s *Store) Unpay(ctx context.Context, id ropeline.PerformanceID, hold, attempt string, grace time.Duration) error {
	h, err := s.call(ctx, unpay, id, hold, attempt, grace.Milliseconds())
	if errors.Is(err, ErrUnknown) {
		return nil // ended longer ago than its record was kept, or Redis lost it
	}
	if err == nil {
		s.follow(ctx, h)
	}
	return err
}

// Sell marks the units of a paid order as sold and ends its hold.
func (s *Store) Sell(ctx context.Context, id ropeline.PerformanceID, hold, attempt string, units []int) error {
	args := []any{attempt}
	for _, u := range slices.Sorted(slices.Values(units)) {
		args = append(args, u)
	}
	h, err := s.call(ctx, sell, id, hold, args...)
	if errors.Is(err, ErrUnknown) {
		return nil // Redis lost the hold; the units are marked all the same
	}
	if err == nil {
		s.follow(ctx, h)
	}
	return err
}

// Return puts units of a canceled order on sale again, each of an attempt once. A
// limit of the place that bought them does not count them any more. Nobody may own them in Postgres.
func (s *Store) Return(ctx context.Context, id ropeline.PerformanceID, attempt string, place ropeline.PlaceID, units []int) error {
	args := []any{s.clock(), attempt, string(place)}
	for _, u := range units {
		args = append(args, u)
	}
	if err := giveBack.Run(ctx, s.rdb, inventory.KeysOf(id).For(""), args...).Err(); err != nil {
		return away("giving back units of", attempt, err)
	}
	return nil
}

// Sweep ends at most limit holds whose time has run out and returns how many
// it ended.
func (s *Store) Sweep(ctx context.Context, id ropeline.PerformanceID, limit int) (int, error) {
	n, err := sweep.Run(ctx, s.rdb, inventory.KeysOf(id).For(""), s.clock(), limit).Int()
	if err != nil {
		return 0, away("sweeping holds of", string(id), err)
	}
	return n, nil
}

// Payment is a hold that is being paid for, and by which attempt.
type Payment struct{ Hold, Attempt string }

// Paying lists the holds of a performance that are being paid for.
func (s *Store) Paying(ctx context.Context, id ropeline.PerformanceID) ([]Payment, error) {
	list, err := paying.Run(ctx, s.rdb, inventory.KeysOf(id).For("")).StringSlice()
	if err != nil {
		return nil, away("listing payments of", string(id), err)
	}
	payments := make([]Payment, 0, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		payments = append(payments, Payment{Hold: list[i], Attempt: list[i+1]})
	}
	return payments, nil
}

// refusals are the codes that are no state of a record.
var refusals = map[string]error{
	"unbuilt":  inventory.ErrNotReady,
	"exists":   ErrExists,
	"over":     ErrSessionOver,
	"taken":    ErrUnitsTaken,
	"sold-out": ErrSoldOut,
	"limit":    ErrLimit,
	"unknown":  ErrUnknown,
	"foreign":  ErrUnknown,
	"spent":    ErrNotExtendable,
	"other":    ErrPaying,
}

// call runs a script on one hold and reads its answer.
func (s *Store) call(ctx context.Context, script *redis.Script, id ropeline.PerformanceID, hold string, args ...any) (Hold, error) {
	answer, err := s.ask(ctx, script, id, hold, args...)
	if err != nil {
		return Hold{}, err
	}
	return s.read(id, hold, answer)
}

// ask runs a script on one hold. A refusal is an error.
func (s *Store) ask(ctx context.Context, script *redis.Script, id ropeline.PerformanceID, hold string, args ...any) ([]any, error) {
	all := append([]any{s.clock(), hold}, args...)
	answer, err := s.together.do(ctx, call{script, id, hold, all})
	if errors.Is(err, batch.ErrFull) {
		return nil, err
	}
	if err != nil {
		return nil, away("changing hold", hold, err)
	}
	code, _ := answer[0].(string)
	if refusal, ok := refusals[code]; ok {
		return nil, refusal
	}
	return answer, nil
}

// read reads a record that a script has answered.
func (s *Store) read(id ropeline.PerformanceID, hold string, answer []any) (Hold, error) {
	record := map[string]string{}
	for i := 2; i+1 < len(answer); i += 2 {
		field, ok1 := answer[i].(string)
		value, ok2 := answer[i+1].(string)
		if !ok1 || !ok2 {
			return Hold{}, fmt.Errorf("changing hold %s: script answered %v", hold, answer)
		}
		record[field] = value
	}
	return parse(id, hold, record)
}

// held is a new hold, of which the script says when it runs out and its units.
func (r Request) held(said []any) (Hold, error) {
	ends, _ := said[0].(string)
	text, _ := said[1].(string)
	deadline, err := strconv.ParseInt(ends, 10, 64)
	if err != nil {
		return Hold{}, fmt.Errorf("reading hold %s: deadline %q", r.ID, ends)
	}
	units, err := inventory.Split(text)
	if err != nil {
		return Hold{}, fmt.Errorf("reading hold %s: %w", r.ID, err)
	}
	slices.Sort(units)
	return Hold{ID: r.ID, Performance: r.Performance, Sale: r.Sale, Session: r.Session, Units: units, State: Held,
		Expires: time.UnixMilli(deadline).UTC(), Extensions: r.Extensions}, nil
}

// clock is the first argument of every script.
func (s *Store) clock() string {
	if s.now == nil {
		return ""
	}
	return strconv.FormatInt(s.now().UnixMilli(), 10)
}
