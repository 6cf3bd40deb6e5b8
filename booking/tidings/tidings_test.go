package tidings_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/tidings"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// open seals nothing.
type open struct{}

func (open) EmailMAC(email string) []byte                 { return []byte("mac of " + email) }
func (open) Seal(_ string, text []byte) ([]byte, error)   { return text, nil }
func (open) Open(_ string, sealed []byte) ([]byte, error) { return sealed, nil }

// phoned has somebody told by text message of a kind, at a number that they have proven.
func (r *rig) phoned(who, kind string) {
	r.t.Helper()
	ctx, store := r.t.Context(), mail.New(r.db, open{})
	var code string
	say := func(c string) (string, error) { code = c; return c, nil }
	err := store.SayTexting(ctx)
	if err == nil {
		_, err = store.SetChannels(ctx, who, mail.Channels{Phone: "+351912345678", Texts: []string{kind}}, say)
	}
	if err == nil {
		_, err = store.Prove(ctx, who, code)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.exec(`delete from mails where cause like 'phone-code:%'`)
	r.exec(`delete from river_job where queue = 'texts'`)
}

// rig is a performance whose orders are written as package order leaves them.
type rig struct {
	t      *testing.T
	db     *pgxpool.Pool
	show   *catalogue.Map
	writer *tidings.Writer
	sender *mail.Sender
	box    *mailbox.Box
	ln     net.Listener
	units  int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, db: devtest.Postgres(t), box: &mailbox.Box{}}
	store, opens := catalogue.New(r.db, time.Now), time.Now().UTC().Truncate(time.Second)
	sale, err := store.Seed(t.Context(), catalogue.Plan{
		Sale: ropeline.Sale{ID: "gala", Version: 1, Title: "Gala", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6},
		Venue: "Opera", StartsAt: time.Date(2030, 5, 1, 19, 0, 0, 0, time.UTC), General: 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := store.Performance(t.Context(), sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	r.show = p.Map
	r.exec(`update venues set time_zone = 'Europe/Lisbon', address = 'Largo 1', city = 'Lisboa'`)
	letters := mail.New(r.db, open{})
	r.writer = tidings.New(r.db, letters, func(order string) string { return "https://tickets.example.org/orders/" + order + "#key" })
	r.writer.Tickets = func(transfer string) string { return "https://tickets.example.org/tickets/" + transfer + "#key" }
	if r.ln, err = net.Listen("tcp", "127.0.0.78:0"); err != nil {
		t.Fatal(err)
	}
	server, err := mail.ParseServer("smtp://" + r.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.sender, err = mail.NewSender(letters, server, "tickets@example.org", 5*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.sender.Writer = r.writer
	r.sender.Encloser = tidings.NewPapers(order.NewStore(r.db, store), paper.New(r.db, "https://tickets.example.org"))
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) count(sql string) (n int) {
	r.t.Helper()
	if err := r.db.QueryRow(r.t.Context(), sql).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// sell writes an order of one ticket that is not paid yet.
func (r *rig) sell(email, language string) (order string) {
	r.t.Helper()
	attempt, buyer, order := uuid.NewString(), uuid.NewString(), uuid.NewString()
	lines, _, err := r.show.Lines([]int{r.units})
	if err != nil {
		r.t.Fatal(err)
	}
	r.exec(`insert into buyers (id, email, language) values ($1, $2, $3)`, buyer, email, language)
	r.exec(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', $3, 4500, 'EUR', 'm', 'done')`, r.show.ID, attempt, []int{r.units})
	r.exec(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) values ($1, $2, 's', '', '', $3, $4, 'pending', 4500, 'EUR')`,
		r.show.ID, order, attempt, buyer)
	r.exec(`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code) values ($1, $2, $3, $4, $5, $6, 4500, 'EUR', 'unpaid', $7)`,
		r.show.ID, uuid.NewString(), order, r.units, lines[0].Tier, lines[0].Label, uuid.NewString())
	r.units++
	return order
}

// pay makes an order paid.
func (r *rig) pay(order string) {
	r.t.Helper()
	r.exec(`with k as (update tickets set state = 'valid' where order_id = $1) update orders set state = 'paid' where id = $1`, order)
}

// cancel has an order's ticket canceled; its money is to go back.
func (r *rig) cancel(order, reason string) {
	r.t.Helper()
	r.exec(`with k as (update tickets set state = 'canceled' where order_id = $1 returning unit)
		insert into cancellations (performance_id, id, order_id, attempt_id, place_id, units, amount, kept, currency, who, reason, state, refund_id)
		select performance_id, gen_random_uuid(), id, attempt_id, '', array(select unit from k), 4000, 500, 'EUR', 'staff:olga', $2, 'refunding', gen_random_uuid() from orders where id = $1`, order, reason)
}

// serve has a mail server and a sender until something is so. It may be called again: the
// address is one at which no other test takes the port meanwhile.
func (r *rig) serve(so func() bool) {
	r.t.Helper()
	defer func() {
		var err error
		if r.ln, err = net.Listen("tcp", r.ln.Addr().String()); err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = r.ln.Close() }) // if nobody serves there any more
	}()
	ctx, stop := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer stop()
	var g errgroup.Group
	g.Go(func() error {
		if err := r.box.Serve(ctx, r.ln); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { return r.sender.Run(ctx) })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	late := ctx.Err()
	stop()
	if err := g.Wait(); err != nil || late != nil {
		r.t.Fatal(err, late)
	}
}

// done says whether all jobs are.
func (r *rig) done() bool {
	return r.count(`select count(*) from river_job where state <> 'completed'`) == 0
}

// Who buys hears of it, and of what comes after, in their language and in the words of whose
// event it is; once of each, and of nothing that was not.
func TestABuyerHearsWhatHappensToTheirOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, _, err := wording.New(r.db).Put(t.Context(), tenant.House, wording.Refund, "de", wording.Template{Subject: "Geld zurück", Text: "{amount} <b>\n\n{link}"}, audit.Change{Who: "staff:olga"})
	if err != nil {
		t.Fatal(err)
	}
	ada, bert, nobody, unpaid := r.sell("ada@example.org", "en"), r.sell("bert@example.org", "de"), r.sell("", ""), r.sell("eve@example.org", "")
	r.pay(ada)
	r.pay(bert)
	r.pay(nobody)
	err = pgx.BeginFunc(t.Context(), r.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `update orders set state = 'paid' where id = $1`, unpaid); err != nil {
			return err
		}
		return errors.New("rolled back")
	})
	if err == nil {
		t.Fatal("it was not rolled back")
	}
	r.cancel(bert, "Die Sängerin ist krank.")
	r.exec(`update cancellations set state = 'refunded'`)
	r.exec(`update cancellations set updated_at = now()`) // which tells nobody anything
	r.serve(r.done)
	got := map[string]mailbox.Letter{}
	for _, l := range r.box.Letters() {
		if _, twice := got[l.To+": "+l.Subject]; twice {
			t.Errorf("twice there came %q", l.Subject)
		}
		got[l.To+": "+l.Subject] = l
	}
	for name, says := range map[string][]string{
		"ada@example.org: Your tickets for Gala":                     {"Opera, Largo 1, Lisboa\nWednesday, 1 May 2030, 20:00\n", "45.00 EUR", "https://tickets.example.org/orders/" + ada + "#key", ada},
		"bert@example.org: Ihre Bestellung für Gala wurde storniert": {"Mittwoch, 1. Mai 2030, 20:00 Uhr", "Die Sängerin ist krank.", bert},
		"bert@example.org: Geld zurück":                              {"40,00 EUR <b>\n"},
		"bert@example.org: Ihre Karten für Gala":                     {"45,00 EUR"},
	} {
		for _, part := range says {
			if !strings.Contains(got[name].Text, part) {
				t.Errorf("%s lacks %q:\n%s", name, part, got[name].Text)
			}
		}
		if got[name].HTML == "" || strings.Contains(got[name].HTML, "<b>") {
			t.Errorf("%s is as HTML %s", name, got[name].HTML)
		}
	}
	if len(got) != 4 {
		t.Errorf("there came %d letters", len(got))
	}
	for name, want := range map[string]int{"ada@example.org: Your tickets for Gala": 2, "bert@example.org: Ihre Karten für Gala": 0, "bert@example.org: Geld zurück": 0} {
		if n := len(got[name].Files); n != want { // of bert's nothing was valid any more when they were sent
			t.Errorf("with %s came %d files, not %d", name, n, want)
		}
	}
}

// Who has an account is written to in its language, whatever their browser asked for; if that
// cannot be read, or they have said none, in that of the browser.
func TestAnAccountIsWrittenToInItsLanguage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	own := map[string]string{}
	r.writer.Account = func(_ context.Context, person string) (string, string, error) {
		lang, ok := own[person]
		if !ok {
			return "", "", errors.New("its key is another")
		}
		return "", lang, nil
	}
	for name, c := range map[string]struct{ profile, browser string }{"de": {"de-AT", "en"}, "en": {"en", "de"}, "none": {"", "de"}, "odd": {"xx", "de"}, "closed": {"-", "de"}, "guest": {"", "de"}} {
		o := r.sell(name+"@example.org", c.browser)
		if name != "guest" {
			person := uuid.NewString()
			r.exec(`insert into people (id, email_mac, wrapped, sealed) values ($1, $2, 'b', 'c')`, person, []byte(name))
			r.exec(`update buyers set person_id = $1 where email = $2`, person, name+"@example.org")
			if c.profile != "-" {
				own[person] = c.profile
			}
		}
		r.pay(o)
	}
	r.serve(r.done)
	got := r.heard()
	for _, want := range []string{"de@example.org: Ihre Karten für Gala", "en@example.org: Your tickets for Gala", "none@example.org: Ihre Karten für Gala", "odd@example.org: Your tickets for Gala",
		"closed@example.org: Ihre Karten für Gala", "guest@example.org: Ihre Karten für Gala"} {
		if _, ok := got[want]; !ok {
			t.Errorf("there did not come %s", want)
		}
	}
}

// With a confirmation come the tickets that are valid when it is sent, and an entry for the calendar.
func TestTicketsComeWithTheConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pay(r.sell("ada@example.org", "en"))
	r.serve(r.done)
	got := r.box.Letters()
	if len(got) != 1 || len(got[0].Files) != 2 {
		t.Fatalf("there came %+v", got)
	}
	tickets, entry := got[0].Files[0], got[0].Files[1]
	if tickets.Name != "tickets.pdf" || !strings.HasPrefix(tickets.Type, "application/pdf") || !bytes.HasPrefix(tickets.Content, []byte("%PDF-")) || bytes.Count(tickets.Content, []byte("/Type /Page\n")) != 1 {
		t.Errorf("the tickets are %s, %s: %.60q…", tickets.Name, tickets.Type, tickets.Content)
	}
	if entry.Name != "calendar.ics" || !strings.HasPrefix(entry.Type, "text/calendar") || !bytes.Contains(entry.Content, []byte("DTSTART:20300501T190000Z\r\n")) || !bytes.Contains(entry.Content, []byte("SUMMARY:Gala\r\n")) {
		t.Errorf("the entry is %s, %s:\n%s", entry.Name, entry.Type, entry.Content)
	}
}

// Whoever dies after a letter was written, and before its job was done, leaves it to somebody
// who writes none; what cannot be read is tried again, and an erased buyer hears nothing.
func TestOfOneCauseThereIsOneLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order, erased := r.sell("ada@example.org", "en"), r.sell("gone@example.org", "en")
	r.pay(order)
	r.pay(erased)
	r.exec(`update buyers set email = '' where email like 'gone@%'`)
	cause := mail.Cause{What: "confirmation", Performance: string(r.show.ID), Order: order}
	var g errgroup.Group
	for range 4 {
		g.Go(func() error { return r.writer.Write(t.Context(), cause) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	r.serve(r.done)
	if n := r.count(`select count(*) from mails`); n != 1 || len(r.box.Letters()) != 1 {
		t.Errorf("%d letters were written, %d came", n, len(r.box.Letters()))
	}
	if err := r.writer.Write(t.Context(), mail.Cause{What: "nothing", Performance: cause.Performance, Order: order}); err == nil {
		t.Error("a letter about nothing was written")
	}
	cause.Order = uuid.NewString()
	if err := r.writer.Write(t.Context(), cause); err != nil {
		t.Errorf("about an order that there is not: %v", err)
	}
}

// heard are the letters that came, by address and subject.
func (r *rig) heard() map[string]mailbox.Letter {
	r.t.Helper()
	got := map[string]mailbox.Letter{}
	for _, l := range r.box.Letters() {
		if _, twice := got[l.To+": "+l.Subject]; twice {
			r.t.Errorf("twice there came %q to %s", l.Subject, l.To)
		}
		got[l.To+": "+l.Subject] = l
	}
	return got
}

// now has jobs done that wait for their time, as if it had come.
func (r *rig) now() { r.exec(`update river_job set scheduled_at = now() where state <> 'completed'`) }

// again has jobs done once more that were, as if nobody had noted it.
func (r *rig) again() {
	r.exec(`insert into river_job (kind, queue, max_attempts, priority, args) select kind, queue, max_attempts, priority, args from river_job where kind = 'cause'`)
}

// Each address that holds tickets is told once of a change, also of several in a minute, in
// its language; who has given theirs back, or has no address, is not.
func TestHoldersAreToldOfAChangeOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, o := range []string{r.sell("ada@example.org", "en"), r.sell("Ada@Example.org", "en"), r.sell("bert@example.org", "de"), r.sell("", "")} {
		r.pay(o)
	}
	back := r.sell("eve@example.org", "en")
	r.pay(back)
	r.cancel(back, "")
	r.sell("pending@example.org", "en")
	r.exec(`update performances set starts_at = starts_at + interval '1 day'`)
	r.exec(`update venues set name = 'Grand Opera'`)
	r.exec(`delete from river_job where args->>'what' <> 'change'`)
	if n := r.count(`select count(*) from river_job where scheduled_at > now() + interval '50 seconds'`); n != 1 {
		t.Fatalf("%d jobs wait for more changes", n)
	}
	r.now()
	r.again()
	r.serve(r.done)
	r.again()
	// Who dies before the job of the change is noted has it done again, with another that begins.
	r.exec(`update performance_changes set told_at = null`)
	r.serve(r.done)
	if n := r.count(`select count(*) from performance_changes where told_at is not null`); n != 1 {
		t.Errorf("%d changes were told", n)
	}
	ada, bert := "", ""
	got := map[string]mailbox.Letter{}
	for _, l := range r.box.Letters() {
		key := strings.ToLower(l.To) + ": " + l.Subject
		if _, twice := got[key]; twice {
			t.Errorf("twice there came %s", key)
		}
		got[key] = l
	}
	ada, bert = got["ada@example.org: Changed: Gala"].Text, got["bert@example.org: Geändert: Gala"].Text
	if !strings.Contains(ada, "Grand Opera, Largo 1, Lisboa\nThursday, 2 May 2030, 20:00\n\nUntil now it was: Wednesday, 1 May 2030, 20:00 · Opera, Largo 1, Lisboa\n") {
		t.Errorf("ada reads\n%s", ada)
	}
	if !strings.Contains(bert, "Bisher war es: Mittwoch, 1. Mai 2030, 20:00 Uhr · Opera") {
		t.Errorf("bert reads\n%s", bert)
	}
	if len(got) != 2 {
		t.Errorf("there came %d letters: %v", len(got), got)
	}
	if n := r.count(`select count(*) from river_job where kind = 'letter' and queue <> 'bulk'`); n != 0 {
		t.Errorf("%d letters are in the way of confirmations", n)
	}
}

func TestHoldersAreToldWhatIsPostponedAndCanceledAndNothingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`update performances set starts_at = starts_at + interval '1 day'`) // of which nobody holds anything yet
	r.pay(r.sell("ada@example.org", "en"))
	r.serve(r.done) // the confirmation
	tell := func(want ...string) {
		t.Helper()
		r.now()
		r.serve(r.done)
		got := r.heard()
		if len(got) != len(want)+1 {
			t.Errorf("there came %d letters, want %d", len(got), len(want)+1)
		}
		for _, subject := range want {
			if _, ok := got["ada@example.org: "+subject]; !ok {
				t.Errorf("there did not come %q", subject)
			}
		}
	}
	r.exec(`update performances set starts_at = starts_at + interval '1 day'`)
	r.exec(`update performances set starts_at = starts_at - interval '1 day'`)
	r.exec(`update performances set doors_at = starts_at - interval '1 hour'`)
	r.exec(`update venues set country = 'PT', name = name`)
	tell()
	r.exec(`update performances set state = 'postponed'`)
	tell("Postponed: Gala")
	r.exec(`update performances set state = 'scheduled', starts_at = starts_at + interval '30 days'`)
	tell("Postponed: Gala", "Changed: Gala")
	r.exec(`update performances set state = 'canceled'`)
	tell("Postponed: Gala", "Changed: Gala", "Canceled: Gala")
	r.exec(`update venues set name = 'Another'`) // in which it is not any more
	tell("Postponed: Gala", "Changed: Gala", "Canceled: Gala")
}

// A past show moves nobody.
func TestNobodyIsToldWhatIsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`update performances set starts_at = now() - interval '2 days'`)
	r.pay(r.sell("ada@example.org", "en"))
	r.exec(`update performances set starts_at = now() - interval '1 day'`)
	r.exec(`update venues set name = 'Another'`)
	if n := r.count(`select count(*) from performance_changes`); n != 0 {
		t.Errorf("%d changes are to be told", n)
	}
}

// What happened long ago, before there was a mail server, is told to nobody.
func TestOldTidingsAreNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pay(r.sell("ada@example.org", "en"))
	r.exec(`update river_job set created_at = now() - interval '4 days'`)
	r.serve(r.done)
	if got := r.box.Letters(); len(got) != 0 {
		t.Errorf("there came %+v", got)
	}
}

// Who is asked hears who gives what, and where it is accepted; whoever gave it hears that it
// is not theirs any more, as the one whose link was stolen has to.
func TestATicketThatIsGivenIsToldToBoth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.sell("ada@example.org", "en")
	r.pay(o)
	id, late, next := uuid.NewString(), uuid.NewString(), uuid.NewString()
	offer := func(id, email, from string) {
		r.exec(`insert into transfers (performance_id, id, order_id, ticket_id, from_transfer, giver, email, language, expires_at)
			select $1, $2, $3, id, nullif($5, '')::uuid, 'giver@example.org', $4, 'de', now() + interval '1 day' from tickets where order_id = $3`, r.show.ID, id, o, email, from)
	}
	offer(id, "bert@example.org", "")
	r.serve(r.done)
	r.exec(`update transfers set state = 'accepted', language = 'de' where id = $1`, id)
	r.exec(`update tickets set holder = $1`, id)
	r.exec(`update transfers set updated_at = now()`) // which tells nobody anything
	offer(late, "eve@example.org", id)
	r.exec(`update transfers set state = 'recalled', email = '', giver = '' where id = $1`, late)
	offer(next, "cleo@example.org", id)
	r.exec(`update transfers set state = 'accepted' where id = $1`, next)
	r.serve(r.done)
	got := map[string]string{}
	for _, l := range r.box.Letters() {
		if l.Subject != "Your tickets for Gala" {
			got[l.To+": "+l.Subject] += l.Text
		}
	}
	for name, says := range map[string][]string{
		"bert@example.org: Eine Karte für Gala gehört Ihnen, wenn Sie möchten": {"ada@example.org gibt", "https://tickets.example.org/tickets/" + id + "#key"},
		"ada@example.org: Your ticket for Gala has a new holder":               {"bert@example.org has accepted", "https://tickets.example.org/orders/" + o + "#key"},
		"bert@example.org: Ihre Karte für Gala ist weitergegeben":              {"cleo@example.org hat", "https://tickets.example.org/tickets/" + id + "#key"},
	} {
		for _, part := range says {
			if strings.Count(got[name], part) != 1 {
				t.Errorf("%s lacks %q, or has it twice:\n%s", name, part, got[name])
			}
		}
	}
	if len(got) != 3 {
		t.Errorf("there came %v", got)
	}
}

// give has somebody else have the ticket of an order.
func (r *rig) give(order, email, language string) (transfer string) {
	r.t.Helper()
	transfer = uuid.Must(uuid.NewV7()).String()
	r.exec(`with t as (insert into transfers (performance_id, id, order_id, ticket_id, from_transfer, giver, email, language, state, expires_at, updated_at)
			select performance_id, $2, order_id, id, holder, '', $3, $4, 'accepted', now() + interval '1 day', now() - interval '10 days' from tickets where order_id = $1)
		update tickets set holder = $2 where order_id = $1`, order, transfer, email, language)
	return transfer
}

// What concerns whoever comes is told to who has a ticket, with a link of their own, and not to
// who has bought it and given it away; what is about the money is told to the buyer.
func TestWhoWasGivenATicketHearsOfIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then    func(r *rig)
		subject map[string]string
	}{
		"a change":   {func(r *rig) { r.exec(`update performances set starts_at = starts_at + interval '1 day'`) }, map[string]string{"en": "Changed: Gala", "de": "Geändert: Gala"}},
		"called off": {func(r *rig) { r.exec(`update performances set state = 'canceled'`) }, map[string]string{"en": "Canceled: Gala", "de": "Abgesagt: Gala"}},
		"a reminder": {func(r *rig) {
			r.soon()
			r.old()
			r.remind()
			r.remind()
		}, map[string]string{"en": "Soon: Gala", "de": "Bald: Gala"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			gone, own, more, off := r.sell("gone@example.org", "en"), r.sell("keeps@example.org", "en"), r.sell("gone@example.org", "en"), r.sell("gone@example.org", "en")
			for _, o := range []string{gone, own, more, off} {
				r.pay(o)
			}
			r.give(gone, "middle@example.org", "en")
			given := r.give(gone, "bert@example.org", "de")
			r.give(more, "Keeps@Example.org", "de") // who has one of their own
			never := uuid.NewString()
			r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, 'm', 'b', 'c', 'active')`, never)
			r.exec(`insert into reminder_settings (person_id, days) values ($1, 0)`, never)
			r.give(off, "off@example.org", "en")
			r.exec(`update transfers set person_id = $1 where email = 'off@example.org'`, never)
			r.exec(`delete from river_job`)
			c.then(r)
			r.now()
			r.serve(r.done)
			r.again()
			r.serve(r.done)
			want := map[string]string{"bert@example.org: " + c.subject["de"]: "https://tickets.example.org/tickets/" + given + "#key", "keeps@example.org: " + c.subject["en"]: "https://tickets.example.org/orders/" + own + "#key"}
			if name != "a reminder" {
				want["off@example.org: "+c.subject["en"]] = "https://tickets.example.org/tickets/"
			}
			got := r.heard()
			for to, link := range want {
				if l, ok := got[to]; !ok || !strings.Contains(l.Text, link) {
					t.Errorf("%s reads %q, without %s", to, l.Text, link)
				}
			}
			if len(got) != len(want) || len(r.box.Letters()) != len(want) {
				t.Errorf("there came %v", slices.Sorted(maps.Keys(got)))
			}
		})
	}
}
