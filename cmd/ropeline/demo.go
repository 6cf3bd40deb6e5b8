package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/queue"
)

// demo describes the sale that `dev` makes. Times are seconds.
type demo struct {
	Sale           ropeline.SaleID  `json:"sale"`
	Title          string           `json:"title"`
	OpensIn        ropeline.Seconds `json:"opens_in"`    // from the start of dev
	LobbyClose     ropeline.Seconds `json:"lobby_close"` // before the opening
	EndsIn         ropeline.Seconds `json:"ends_in"`     // from the start of dev
	Cap            int64            `json:"cap"`
	Rate           int64            `json:"rate"`
	ClaimWindow    ropeline.Seconds `json:"claim_window"`
	TokenLife      ropeline.Seconds `json:"token_life"`
	SessionMax     ropeline.Seconds `json:"session_max"`
	Hold           ropeline.Seconds `json:"hold"`
	HoldExtensions int              `json:"hold_extensions"`
	ReturnsWindow  ropeline.Seconds `json:"returns_window"`
	UnitsPerHold   int              `json:"units_per_hold"`
	PartyMax       int              `json:"party_max"`
	Nights         int              `json:"nights"` // performances, a day apart; 0 is one
	Seats          int              `json:"seats"`
	General        int              `json:"general"`

	Tariff tariff.Tariff `json:"tariff"` // of the theater: prices have fee and tax in them, and tickets can be given back

	Quiet int `json:"quiet"` // sales in the line beside this one, open and of nothing: what a crowd next door does to them is looked at

	Coupons bool `json:"coupons"` // two shops with coupons, and a sale of vouchers; of the usual demo

	SafetyNet bool `json:"safety_net"` // open from the start on, without a lobby

	Visitor ropeline.VisitorRule `json:"visitor"`
	Lanes   []ropeline.Lane      `json:"lanes"`
	Bypass  []ropeline.Bypass    `json:"bypass"`
}

var usualDemo = demo{
	Sale: "demo", Title: "An Evening at the Ropeline Theater",
	OpensIn: 60, LobbyClose: 5, EndsIn: 86400, Cap: 100, Rate: 600,
	ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6, PartyMax: 6,
	Seats: 2000, General: 500,
	Tariff: tariff.Tariff{FeeRate: 250, FeeFixed: 49, TaxRate: 1900,
		Refund:   tariff.Refund{Before: 2 * 24 * 60 * 60, KeepRate: 1000},
		Exchange: tariff.Exchange{Before: 24 * 60 * 60, Fee: 250},
		Transfer: tariff.Transfer{Before: 60 * 60, Times: 3, Days: 7}, Names: tariff.Names{On: true, Before: 24 * 60 * 60}},
}

// loadDemo reads a file that overrides parts of the usual demo. Who brings one
// tries something with one sale, and gets coupons beside it only if asked for.
func loadDemo(path string) (demo, error) {
	d := usualDemo
	if path == "" {
		d.Coupons = true
		return d, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return demo{}, fmt.Errorf("reading the demo: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return demo{}, fmt.Errorf("reading the demo %s: %w", path, err)
	}
	return d, nil
}

// plan says what to seed if dev starts now.
func (d demo) plan(now time.Time) catalogue.Plan {
	now = now.UTC().Truncate(time.Millisecond) // what Redis keeps of it
	opens := now.Add(d.OpensIn.Duration())
	closes := opens.Add(-d.LobbyClose.Duration())
	if d.SafetyNet {
		opens, closes = now, time.Time{}
	}
	return catalogue.Plan{
		Sale: ropeline.Sale{
			ID: d.Sale, Version: 1, Title: d.Title,
			LobbyClosesAt: closes, OpensAt: opens, EndsAt: now.Add(d.EndsIn.Duration()),
			Cap: d.Cap, Rate: d.Rate,
			ClaimWindow: d.ClaimWindow, TokenLife: d.TokenLife, SessionMax: d.SessionMax,
			Hold: d.Hold, HoldExtensions: d.HoldExtensions, ReturnsWindow: d.ReturnsWindow, UnitsPerHold: d.UnitsPerHold, PartyMax: d.PartyMax,
			SafetyNet: d.SafetyNet, Visitor: d.Visitor, Lanes: d.Lanes, Bypass: d.Bypass,
		},
		Venue:    "Ropeline Theater",
		StartsAt: now.Add(30 * 24 * time.Hour).Truncate(time.Hour),
		Nights:   d.Nights,
		Seats:    d.Seats, General: d.General, Tariff: d.Tariff,
	}
}

// seed makes the demo sale unless an earlier start has made it, and tells the
// line of it in either case: Redis may have lost it, or never have got it.
func (d demo) seed(ctx context.Context, db *pgxpool.Pool, rdb redis.UniversalClient, keys keyFolder) (ropeline.Sale, error) {
	shows := catalogue.New(db, time.Now)
	sale, err := shows.Sale(ctx, d.Sale)
	if errors.Is(err, ropeline.ErrSaleUnknown) {
		sale, err = shows.Seed(ctx, d.plan(time.Now()))
	}
	if err != nil {
		return ropeline.Sale{}, err
	}
	if len(sale.Performances) == 0 {
		return ropeline.Sale{}, fmt.Errorf("sale %s sells no performance", sale.ID)
	}
	if _, err = publish(ctx, shows, rdb, keys, sale, "The settings of the demo have changed."); err != nil {
		return sale, err
	}
	return sale, errors.Join(d.seedQuiet(ctx, rdb, keys, sale), d.seedCoupons(ctx, db, rdb, keys, sale), d.seedGuide(ctx, db))
}

// seedQuiet publishes the sales beside the demo's: open from now on.
func (d demo) seedQuiet(ctx context.Context, rdb redis.UniversalClient, keys keyFolder, like ropeline.Sale) error {
	seed, err := keys.secret(seedKey)
	if err != nil {
		return err
	}
	line := queue.New(rdb, queue.Keys{Seed: seed})
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range d.Quiet {
		s := like
		s.ID = ropeline.SaleID(fmt.Sprintf("%s-quiet-%d", like.ID, i))
		if _, err := line.Sale(ctx, s.ID); !errors.Is(err, ropeline.ErrSaleUnknown) {
			if err != nil {
				return err
			}
			continue // of an earlier start
		}
		s.Title, s.LobbyClosesAt, s.OpensAt = fmt.Sprintf("Quiet sale %d", i), now.Add(-time.Second), now
		s.Visitor = ropeline.VisitorRule{}
		if err := line.PublishSale(ctx, s); err != nil {
			return fmt.Errorf("publishing %s: %w", s.ID, err)
		}
	}
	return nil
}
