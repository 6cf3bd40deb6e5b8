package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// What an organizer asks for is published by whoever has the keys, and what cannot be is
// told with its reason.
func TestWhatIsAskedForIsPublished(t *testing.T) {
	t.Parallel()
	server, db, keys := devtest.PrivateRedis(t), devtest.PostgresAt(t, devtest.PostgresDSN(t)), keyFolder(t.TempDir())
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	shows, line := catalogue.New(db, time.Now), queue.New(server.Client, queue.Keys{})
	d := usualDemo
	d.Seats, d.General = 40, 10
	sale, err := shows.Seed(t.Context(), d.plan(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPublisher(db, server.Client, keys, slog.New(slog.DiscardHandler))
	if err != nil || p == nil {
		t.Fatalf("%v, %v", p, err)
	}
	if more, err := p.next(t.Context()); more || err != nil {
		t.Errorf("with nothing asked for: %v, %v", more, err)
	}
	ask := func() {
		t.Helper()
		if _, err := shows.AskPublication(t.Context(), sale, audit.Change{Who: "staff:olga"}); err != nil {
			t.Fatal(err)
		}
	}
	became := func(code string) {
		t.Helper()
		if more, err := p.next(t.Context()); !more || err != nil {
			t.Fatalf("%v, %v", more, err)
		}
		is, err := shows.Publication(t.Context(), sale.ID)
		if err != nil || is.DoneAt == nil || (is.Refusal == nil) != (code == "") || is.Refusal != nil && is.Refusal.Code != code {
			t.Errorf("%+v with %+v, want %q: %v", is, is.Refusal, code, err)
		}
	}
	ask()
	became("")
	if told, err := line.Sale(t.Context(), sale.ID); err != nil || told.Version != sale.Version {
		t.Errorf("the line has %+v, %v", told, err)
	}
	if b, err := line.Board(t.Context(), sale.ID); err != nil || b.Newest() != 1 {
		t.Errorf("terms: %d, %v", b.Newest(), err)
	}
	if _, err := db.Exec(t.Context(), `update tiers set amount = 9900 where name = 'Stalls'`); err != nil {
		t.Fatal(err)
	}
	ask()
	became("reason-missing") // the terms have changed, and nobody says why
	ask()
	if _, err := db.Exec(t.Context(), `update sales set version = 2, document = jsonb_set(document, '{version}', '2')`); err != nil {
		t.Fatal(err)
	}
	became("changed-meanwhile")
}
