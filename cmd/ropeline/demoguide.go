package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/venue"
)

// demoPlace is a house of the demo's guide, and what plays there.
type demoPlace struct {
	sale     ropeline.SaleID
	venue    string
	details  guide.Details
	title    string
	about    string
	category string
	act      string // who performs
	tour     bool   // it is a part of the demo's tour
	local    string // when the first starts, after the date
	nights   int
}

var demoPlaces = []demoPlace{
	{"lisbon", "Coliseu do Tejo", guide.Details{City: "Lisboa", Country: "PT", TimeZone: "Europe/Lisbon", Address: "Rua das Portas 96\n1150-268 Lisboa", Place: &guide.Point{Latitude: 38.7166, Longitude: -9.1404}},
		"The Paper Lanterns", "Two hours of songs from three albums, and a few that nobody has heard yet.", "music", "The Paper Lanterns", true, "T21:00", 2},
	{"berlin", "Spreehalle", guide.Details{City: "Berlin", Country: "DE", TimeZone: "Europe/Berlin", Address: "Am Ufer 3\n10243 Berlin", Place: &guide.Point{Latitude: 52.5061, Longitude: 13.4432}},
		"The Paper Lanterns", "Two hours of songs from three albums, and a few that nobody has heard yet.", "music", "The Paper Lanterns", true, "T20:00", 1},
	{"new-york", "Harbor Hall", guide.Details{City: "New York", Country: "US", TimeZone: "America/New_York", Address: "12 Pier Street\nNew York, NY 10004", Place: &guide.Point{Latitude: 40.7033, Longitude: -74.0170}},
		"The Paper Lanterns", "Two hours of songs from three albums, and a few that nobody has heard yet.", "music", "The Paper Lanterns", true, "T19:30", 3},
	{"tokyo", "Sumida Playhouse", guide.Details{City: "Tokyo", Country: "JP", TimeZone: "Asia/Tokyo", Address: "2-4-1 Mukojima, Sumida-ku\nTokyo 131-0033", Place: &guide.Point{Latitude: 35.7101, Longitude: 139.8107}},
		"A Winter's Tale", "Shakespeare's play with puppets, in English with Japanese subtitles.", "theater", "Thread & Thimble", false, "T18:00", 4},
	{"sao-paulo", "Teatro Pinheiros", guide.Details{City: "São Paulo", Country: "BR", TimeZone: "America/Sao_Paulo", Address: "Rua dos Pinheiros 500\nSão Paulo - SP", Place: &guide.Point{Latitude: -23.5667, Longitude: -46.6917}},
		"Noite de Riso", "Um serão com três comediantes.\nAn evening with three comedians, in Portuguese.", "comedy", "Inês Prado", false, "T20:30", 1},
}

// seedGuide makes what people find beside the demo's sale, unless an earlier start has: in
// several cities, by the clocks of each. Nothing of it is published to the line: its sales
// open in a month.
func (d demo) seedGuide(ctx context.Context, db *pgxpool.Pool) error {
	shows := catalogue.New(db, time.Now)
	if !d.Coupons { // whoever brings a demo of their own tries one sale
		return nil
	}
	g := guideDemo{shows: shows, guide: guide.New(db), demo: d, now: time.Now()}
	tour, err := g.guide.CreateTour(ctx, guide.Tour{Name: "Lights Across the Water", About: "One band, three harbors."}, g.by("tour"))
	if err != nil {
		return fmt.Errorf("making the tour of the demo: %w", err)
	}
	g.tour = tour.ID
	for _, p := range demoPlaces {
		if err := g.put(ctx, p); err != nil {
			return fmt.Errorf("making %s of the demo: %w", p.sale, err)
		}
	}
	return nil
}

type guideDemo struct {
	shows *catalogue.Store
	guide *guide.Store
	demo  demo
	tour  string
	now   time.Time
}

// by makes of what was begun, and not ended, the same again.
func (g *guideDemo) by(key string) audit.Change {
	return audit.Change{Who: audit.Command, Key: "the-demo-" + key}
}

func (g *guideDemo) put(ctx context.Context, p demoPlace) error {
	if _, err := g.shows.Sale(ctx, p.sale); !errors.Is(err, ropeline.ErrSaleUnknown) {
		return err
	}
	house, err := g.shows.KeepVenue(ctx, "", venue.Map{Format: venue.Format, Name: p.venue, Categories: []string{"Floor", "Balcony"}, Areas: []venue.Area{
		{Name: "Floor", Category: "Floor", Places: 800, Width: 20, Height: 10}, {Name: "Balcony", Category: "Balcony", Places: 200, Y: 12, Width: 20, Height: 4}}}, g.by(string(p.sale)+"-venue"))
	if err != nil {
		return err
	}
	if _, err := g.guide.PutDetails(ctx, house.ID, p.details, audit.Change{Who: audit.Command, Seen: 1}); err != nil {
		return err
	}
	first := demoPlaces[slices.IndexFunc(demoPlaces, func(other demoPlace) bool { return other.act == p.act })]
	act, err := g.guide.CreatePerformer(ctx, guide.Performer{Name: p.act}, g.by(string(first.sale)+"-act"))
	if err != nil {
		return err
	}
	event := guide.Event{Title: p.title, About: p.about, Category: p.category, Performers: []string{act.ID}}
	if p.tour {
		event.Tour = g.tour
	}
	k, err := g.guide.CreateEvent(ctx, event, g.by(string(p.sale)+"-event"))
	if err != nil {
		return err
	}
	return g.sell(ctx, p, house.ID, k)
}

// sell makes the performances of an event and publishes it.
func (g *guideDemo) sell(ctx context.Context, p demoPlace, house string, k guide.KeptEvent) error {
	sale := g.demo.plan(g.now).Sale
	sale.ID, sale.Title, sale.SafetyNet = p.sale, p.title+", "+p.details.City, false
	sale.Visitor, sale.Lanes, sale.Bypass = ropeline.VisitorRule{}, nil, nil
	sale.OpensAt, sale.EndsAt = sale.OpensAt.AddDate(0, 1, 0), sale.OpensAt.AddDate(0, 3, 0)
	sale.LobbyClosesAt = sale.OpensAt.Add(-10 * time.Minute)
	program := catalogue.Program{EventID: k.ID, Sale: sale, Currency: demoCurrency, Tariff: g.demo.Tariff}
	for night := range p.nights {
		date := g.now.AddDate(0, 3, night+1).Format(time.DateOnly)
		program.Performances = append(program.Performances, catalogue.Showing{Venue: house, Prices: catalogue.Prices{"Floor": 4500, "Balcony": 6500},
			Local: catalogue.LocalTimes{StartsAt: date + p.local}})
	}
	if _, err := g.shows.Make(ctx, program, audit.Change{Who: audit.Command}); err != nil {
		return err
	}
	_, err := g.guide.SetState(ctx, k.ID, guide.Published, audit.Change{Who: audit.Command, Seen: k.Version + 1})
	return err
}
