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
)

// keyHealth is a hash from each core of the shop to how it does.
const keyHealth = "ropeline:{core}:health"

// healthKept is how long what a core said is believed: it speaks each second.
const healthKept = 3 * time.Second

// ReportHealth says how a core of the shop does.
func (s *Store) ReportHealth(ctx context.Context, core string, h ropeline.Health) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing health: %w", err)
	}
	_, err = s.run(ctx, reportScript, []string{keyHealth}, core, text)
	return err
}

// Healths returns how each core does that has said so in the last seconds.
func (s *Store) Healths(ctx context.Context) (map[string]ropeline.Health, error) {
	reply, err := s.run(ctx, reportsScript, []string{keyHealth})
	if err != nil {
		return nil, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	now, cores := time.UnixMicro(r.integer()), map[string]ropeline.Health{}
	for len(r.fields) > 0 {
		core := r.text()
		at, doc, _ := strings.Cut(r.text(), " ")
		ms, err := strconv.ParseInt(at, 10, 64)
		if err != nil || now.Sub(time.UnixMilli(ms)).Abs() > healthKept {
			continue // it died, or the clock was set
		}
		var h ropeline.Health
		if err := json.Unmarshal([]byte(doc), &h); err != nil {
			return nil, fmt.Errorf("reading the health of core %s: %w", core, err)
		}
		cores[core] = h
	}
	return cores, r.failed("healths")
}

//go:embed lua/rate.lua
var rateSource string
var rateScript = newScript("rate", rateSource)

// RateChange is a rate that the automatic mode sets.
type RateChange struct {
	Controller string
	Term       int64  // of its lease, as a tick told it
	Version    int64  // of the limits that it was made from: a person's later change wins
	Rate       int64  // a minute; the bounds of the sale hold it
	Reason     string // public
}

// SetRate changes the rate and returns what holds then: the bounds count, and if
// somebody has changed the limits since, theirs does. ErrFenced is what a
// controller gets that has lost its lease, however soon it got it again.
func (s *Store) SetRate(ctx context.Context, sale ropeline.SaleID, c RateChange) (rate int64, err error) {
	keys := keysOf(sale, "leader", "state", "limits", "events")
	reply, err := s.runOn(ctx, sale, rateScript, keys, c.Controller, c.Term, c.Version, c.Rate, c.Reason)
	if errors.Is(err, errFenced) {
		return 0, ErrFenced
	}
	if err != nil {
		return 0, err
	}
	rate, ok := reply.(int64)
	if !ok {
		return 0, fmt.Errorf("rate: unexpected reply %v", reply)
	}
	return rate, nil
}

// learnedKept is for how long it is of use what the automatic mode learned.
const learnedKept = time.Minute

// KeepLearned keeps what the automatic mode of a sale has learned, for whoever leads it
// next. One that has lost its lease and not noticed yet may still write, once: what it
// learned until then is no lie.
func (s *Store) KeepLearned(ctx context.Context, sale ropeline.SaleID, text []byte) error {
	if err := s.rdb.Set(ctx, key(sale, "learned"), text, learnedKept).Err(); err != nil {
		return fmt.Errorf("keeping what sale %s taught the automatic mode: %w", sale, err)
	}
	return nil
}

// Learned returns that; nil if nobody has learned anything of late.
func (s *Store) Learned(ctx context.Context, sale ropeline.SaleID) ([]byte, error) {
	text, err := s.rdb.Get(ctx, key(sale, "learned")).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what sale %s taught the automatic mode: %w", sale, err)
	}
	return text, nil
}

// ErrFenced refuses a controller that does not lead any more.
var ErrFenced = errFenced
