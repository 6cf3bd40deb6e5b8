package tidings_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/tidings"
	"github.com/ropeline/ropeline/booking/wish"
)

// Who has asked for it, or follows who performs, is told once of a sale, a day before its waiting
// room closes, whoever else looks; not of one that is open, is not published, or has no room.
func TestWhoWaitsForASaleIsToldOnceThatItOpens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.writer.Site = "https://tickets.example.org"
	names := map[string]string{}
	r.writer.Account = func(_ context.Context, person string) (string, string, error) {
		return names[person] + "@example.org", map[string]string{"asked": "de"}[names[person]], nil
	}
	performer := uuid.NewString()
	r.exec(`insert into performers (id, name) values ($1, 'A band')`, performer)
	r.exec(`insert into event_performers (event_id, performer_id, position) select event_id, $1, 1 from performances`, performer)
	ids := map[string]string{}
	for _, name := range []string{"follows", "asked", "both", "neither", "erased"} {
		ids[name] = uuid.NewString()
		names[ids[name]] = name
		r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, $2, 'b', 'c', 'active')`, ids[name], []byte(name))
	}
	for _, name := range []string{"follows", "both", "erased"} {
		r.exec(`insert into follows (person_id, performer_id) values ($1, $2)`, ids[name], performer)
	}
	for _, name := range []string{"asked", "both"} {
		r.exec(`insert into event_watches (person_id, event_id) select $1, event_id from performances`, ids[name])
	}
	// Who wants it as a text message has that, too: the cause of the letter is known as a sale's.
	r.phoned(ids["both"], "sale")
	// Guests: one has confirmed, one has not, and one has an account that is told already.
	wishes := map[string]string{"guest": "given", "unsure": "asked", "both": "given"}
	for name, state := range wishes {
		r.exec(`insert into opening_wishes (id, event_id, email_mac, sealed, language, state) select $1, event_id, $2, $3, 'de', $4 from performances`, uuid.NewString(), []byte(name), []byte(name+"@example.org"), state)
	}
	r.writer.Wishes = wish.New(r.db, mail.New(r.db, open{}), open{}, wish.Keys([]byte("a key")), "https://tickets.example.org")
	tell := func() (jobs int) {
		t.Helper()
		var g errgroup.Group
		for range 3 {
			g.Go(func() error { return tidings.NewOpener(r.db, slog.New(slog.DiscardHandler)).Tell(t.Context()) })
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		return r.count(`select count(*) from river_job`)
	}
	if n := tell(); n != 0 {
		t.Errorf("%d are told of a sale that is open", n)
	}
	in := func(lobby string) {
		r.exec(`update sales set document = document || jsonb_build_object('lobby_closes_at', now() + $1::interval, 'opens_at', now() + $1::interval + interval '15 minutes')`, lobby)
	}
	in("3 days")
	if n := tell(); n != 0 {
		t.Errorf("%d are told three days before", n)
	}
	in("20 hours")
	for _, not := range []struct{ so, no string }{
		{`update events set state = 'draft', published_at = null`, `update events set state = 'published', published_at = now()`},
		{`update performances set state = 'postponed'`, `update performances set state = 'scheduled'`},
		{`update sales set document = document || '{"safety_net": true}'`, `update sales set document = document - 'safety_net'`},
	} {
		r.exec(not.so)
		if n := tell(); n != 0 {
			t.Errorf("%d are told after %s", n, not.so)
		}
		r.exec(not.no)
	}
	if n := tell(); n != 5 {
		t.Errorf("%d are told, want 5", n)
	}
	written := func() bool { // nobody sends texts here
		return r.count(`select count(*) from river_job where state <> 'completed' and queue <> 'texts'`) == 0
	}
	r.exec(`update people set state = 'closed' where id = $1`, ids["erased"])
	r.again()
	r.serve(written)
	if n := r.count(`select count(*) from mails where cause like 'opening:gala:%:text'`); n != 1 {
		t.Errorf("%d text messages were written", n)
	}
	if n := tell(); n != 10+4+1 { // five, done twice, four letters and a text message
		t.Errorf("there are %d jobs", n)
	}
	got := r.heard()
	for _, want := range []string{"follows@example.org: Tickets for Gala are on sale soon", "asked@example.org: Bald gibt es Karten für Gala", "both@example.org: Tickets for Gala are on sale soon"} {
		l, ok := got[want]
		if !ok || !strings.Contains(l.Text, "https://tickets.example.org/sales/gala\n") || !strings.Contains(l.Text, "https://tickets.example.org/account/following") {
			t.Errorf("%s: %q", want, l.Text)
		}
	}
	guest := got["guest@example.org: Bald gibt es Karten für Gala"]
	if !strings.Contains(guest.Text, "/api/v1/events/wishes/") || !strings.Contains(guest.Text, "/leave?key=") || !strings.Contains(guest.Header, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
		t.Errorf("a guest reads %q", guest.Header)
	}
	if found := r.holding("guest@example.org"); len(found) != 0 {
		t.Errorf("who was told is kept still in %v", found)
	}
	r.exec(`update opening_wishes set asked_at = now() - interval '8 days'`)
	tell()
	if n, others := r.count(`select count(*) from opening_wishes where state = 'asked'`), r.count(`select count(*) from opening_wishes`); n != 0 || others != 1 {
		t.Errorf("%d are kept a week later that nobody has confirmed, and %d that were", n, others)
	}
	if len(got) != 4 {
		t.Errorf("there came %d letters", len(got))
	}
	r.exec(`delete from mails`)
	in("-1 hours") // it has opened, and who was slow tells nobody
	r.again()
	r.serve(written)
	if n := r.count(`select count(*) from mails`); n != 0 {
		t.Errorf("%d letters were written of a sale that is open", n)
	}
}
