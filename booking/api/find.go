package api

import (
	"context"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/find"
)

func (s *server) routeFind() error {
	if err := handle(s, "search", s.search); err != nil {
		return err
	}
	if err := handle(s, "suggest", s.suggest); err != nil {
		return err
	}
	return handle(s, "get-listing", s.getListing)
}

// asked is a search. All of it is text: what cannot be read is told in our own words.
type asked struct {
	Text      string `query:"q" doc:"words to look for, up to 100 characters; the last may be the beginning of one, and each may be mistyped"`
	Kind      string `query:"kind" doc:"event, performer, venue or tour; left out: events, and with a text alone anything"`
	Category  string `query:"category" doc:"id of a category of events"`
	From      string `query:"from" doc:"first day, as 2026-12-31, where the show is"`
	To        string `query:"to" doc:"last day"`
	City      string `query:"city"`
	Country   string `query:"country" doc:"ISO 3166-1, as PT"`
	Near      string `query:"near" doc:"latitude,longitude in degrees, as 38.72,-9.14"`
	Radius    string `query:"radius" doc:"around near, 1 to 500 km; 10 if left out"`
	PriceFrom string `query:"price_from" doc:"in minor units; the lowest price of a show is at least this"`
	PriceTo   string `query:"price_to" doc:"and at most this"`
	Currency  string `query:"currency" doc:"ISO 4217, as EUR; a price needs one"`
	Available string `query:"available" doc:"true: only what is not sold out"`
	Order     string `query:"order" doc:"relevant (with a text, unless told otherwise), popular (without one) or soonest"`
	Page
	Have string `header:"If-None-Match"`
}

func (in asked) of() find.Asked {
	return find.Asked{Text: in.Text, Kind: in.Kind, Category: in.Category, From: in.From, To: in.To, City: in.City, Country: in.Country, Near: in.Near,
		Radius: in.Radius, PriceFrom: in.PriceFrom, PriceTo: in.PriceTo, Currency: in.Currency, Available: in.Available, Order: in.Order,
		Page: booking.Page(in.Page)}
}

func (s *server) search(ctx context.Context, in *asked) (*fresh[find.Found], error) {
	q, err := find.Understand(in.of())
	if err != nil {
		return nil, err
	}
	found, err := s.finder.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, found)
}

type typed struct {
	Text string `query:"q" doc:"what is typed so far, up to 100 characters"`
	Have string `header:"If-None-Match"`
}

// Suggestions are what somebody may be typing the name of.
type Suggestions struct {
	Suggestions []find.Suggestion `json:"suggestions" doc:"at most eight, the most popular first"`
}

func (s *server) suggest(ctx context.Context, in *typed) (*fresh[Suggestions], error) {
	found, err := s.finder.Suggest(ctx, in.Text)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, Suggestions{found})
}

type listed struct {
	Category string `query:"category" doc:"its id; left out: all"`
	Have     string `header:"If-None-Match"`
}

// listingCaching lets caches show an old listing while they ask for a new one, and for a
// day where nobody answers them: what is popular is better told late than not at all.
const listingCaching = "max-age=5, stale-while-revalidate=60, stale-if-error=86400"

// getListing asks nobody: it is answered while Postgres is away, too.
func (s *server) getListing(ctx context.Context, in *listed) (*seen, error) {
	l, err := s.finder.Listing(ctx, in.Category)
	if err != nil {
		return nil, err
	}
	return sight{etag: l.Tag(), text: l.Text()}.answer(in.Have, listingCaching), nil
}
