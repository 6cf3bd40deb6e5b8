package notice_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/notice"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// open seals nothing.
type open struct{}

func (open) Seal(_ string, text []byte) ([]byte, error)   { return text, nil }
func (open) Open(_ string, sealed []byte) ([]byte, error) { return sealed, nil }

// rig is an event with a performance whose orders are written as package order leaves them.
type rig struct {
	t     *testing.T
	db    *pgxpool.Pool
	store *notice.Store
	post  *notice.Poster
	box   *mailbox.Box
	shows []*catalogue.Map // of one event
	event string
	units int
}

func newRig(t *testing.T, shows int) *rig {
	t.Helper()
	r := &rig{t: t, db: devtest.Postgres(t), box: &mailbox.Box{}}
	r.store = notice.New(r.db)
	r.post = notice.NewPoster(r.store, mail.New(r.db, open{}), slog.New(slog.DiscardHandler))
	store := catalogue.New(r.db, time.Now)
	for range shows {
		opens := time.Now().UTC().Truncate(time.Second)
		sale, err := store.Seed(t.Context(), catalogue.Plan{
			Sale: ropeline.Sale{ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
				ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6},
			Venue: "Opera", StartsAt: opens.Add(time.Hour), General: 5000,
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := store.Performance(t.Context(), sale.Performances[0])
		if err != nil {
			t.Fatal(err)
		}
		r.shows = append(r.shows, p.Map)
	}
	if err := r.db.QueryRow(t.Context(), `select event_id::text from performances where id = $1`, r.shows[0].ID).Scan(&r.event); err != nil {
		t.Fatal(err)
	}
	r.exec(`update performances set event_id = $1`, r.event)
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

// sold writes an order of one ticket.
func (r *rig) sold(show int, email, state, ticket string) (order, buyer string) {
	r.t.Helper()
	queue := &pgx.Batch{}
	order, buyer = r.sell(queue, show, email, state, ticket)
	if err := r.db.SendBatch(r.t.Context(), queue).Close(); err != nil {
		r.t.Fatal(err)
	}
	return order, buyer
}

func (r *rig) sell(queue *pgx.Batch, show int, email, state, ticket string) (order, buyer string) {
	r.t.Helper()
	m, attempt := r.shows[show], uuid.NewString()
	order, buyer = uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
	lines, _, err := m.Lines([]int{r.units})
	if err != nil {
		r.t.Fatal(err)
	}
	queue.Queue(`insert into buyers (id, email) values ($1, $2)`, buyer, email)
	queue.Queue(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', $3, 4500, 'EUR', 'm', 'done')`, m.ID, attempt, []int{r.units})
	queue.Queue(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) values ($1, $2, 's', '', '', $3, $4, $5, 4500, 'EUR')`,
		m.ID, order, attempt, buyer, state)
	queue.Queue(`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code) values ($1, $2, $3, $4, $5, $6, 4500, 'EUR', $7, $8)`,
		m.ID, uuid.NewString(), order, r.units, lines[0].Tier, lines[0].Label, ticket, uuid.NewString())
	r.units++
	return order, buyer
}

var olga = audit.Change{Who: "staff:olga", Key: "k"}

func (r *rig) send(performance ropeline.PerformanceID) notice.Notice {
	r.t.Helper()
	n, err := r.store.Send(r.t.Context(), r.event, notice.Draft{Performance: performance, Subject: "Another hall", Text: "We play next door.\r\n.\r\nBring <b>a</b> coat.\n"}, olga)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// rounds has two posters go on until nothing is to be written any more.
func (r *rig) rounds(n notice.Notice) notice.Notice {
	r.t.Helper()
	for range 50 {
		r.exec(`update notices set due_at = now()`)
		var g errgroup.Group
		for range 2 {
			g.Go(func() error {
				_, err := r.post.Round(r.t.Context())
				return err
			})
		}
		if err := g.Wait(); err != nil {
			r.t.Fatal(err)
		}
		if n = r.one(n.ID); n.Waiting == 0 {
			return n
		}
	}
	r.t.Fatalf("it does not end: %+v", n)
	return n
}

func (r *rig) one(id string) notice.Notice {
	r.t.Helper()
	n, err := r.store.One(r.t.Context(), r.event, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// serve has a mail server, and hands the letters over until so.
func (r *rig) serve(so func() bool) {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer stop()
	server, err := mail.ParseServer("smtp://" + ln.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	sender, err := mail.NewSender(mail.New(r.db, open{}), server, "tickets@example.org", 5*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	var g errgroup.Group
	g.Go(func() error {
		if err := r.box.Serve(ctx, ln); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { return sender.Run(ctx) })
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

func (r *rig) count(sql string, args ...any) (n int) {
	r.t.Helper()
	if err := r.db.QueryRow(r.t.Context(), sql, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// Whoever holds a ticket has one letter, however many orders are theirs; nobody else has one.
func TestEachHolderHasOneLetterOfAMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.sold(0, "ada@example.org", "paid", "valid")
	r.sold(0, "Ada@Example.org", "paid", "valid")
	r.sold(1, "ada@example.org", "paid", "valid")
	r.sold(0, "bank@example.org", "paid", "blocked") // its buyer may still come
	r.sold(0, "back@example.org", "canceled", "canceled")
	r.sold(0, "void@example.org", "paid", "void")
	r.sold(0, "pending@example.org", "pending", "unpaid")
	r.sold(0, "", "paid", "valid") // at the counter
	r.sold(1, "other@example.org", "paid", "valid")
	refused, _ := r.sold(0, "never@example.org", "paid", "valid")
	r.box.Refuse = func(to string) int {
		if to == "never@example.org" {
			return 550
		}
		return 0
	}

	for performance, want := range map[ropeline.PerformanceID]notice.Audience{"": {Holders: 4, Silent: 1}, r.shows[0].ID: {Holders: 3, Silent: 1}, r.shows[1].ID: {Holders: 2}} {
		if a, err := r.store.Audience(t.Context(), r.event, performance); err != nil || a != want {
			t.Errorf("of %q: %+v, %v; want %+v", performance, a, err, want)
		}
	}
	n := r.send(r.shows[0].ID)
	if again := r.send(r.shows[0].ID); again.ID != n.ID || n.Holders != 3 || n.Waiting != 3 || n.Who != "staff:olga" {
		t.Errorf("%+v, and with the same key %+v", n, again)
	}
	if n = r.rounds(n); n.Posted != 3 {
		t.Errorf("after the letters were written: %+v", n)
	}
	r.serve(func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	n = r.rounds(n)
	if n.Sent != 2 || n.Failed != 1 || n.Posted+n.Waiting+n.Left != 0 {
		t.Errorf("in the end: %+v", n)
	}
	var house string
	if err := r.db.QueryRow(t.Context(), `select name from organizations where id = $1`, tenant.House).Scan(&house); err != nil {
		t.Fatal(err)
	}
	to := map[string]int{}
	for _, l := range r.box.Letters() {
		to[strings.ToLower(l.To)]++
		if want := "We play next door.\n.\nBring <b>a</b> coat.\n\n-- \nYou get this because you hold a ticket of Gala. " + house + " has written it.\n"; l.Subject != "Another hall" || l.Text != want {
			t.Errorf("the letter is %q: %q, want %q", l.Subject, l.Text, want)
		}
	}
	if want := map[string]int{"ada@example.org": 1, "bank@example.org": 1}; !maps.Equal(to, want) {
		t.Errorf("letters came to %v, want %v", to, want)
	}
	failures, next, err := r.store.Failures(t.Context(), r.event, n.ID, booking.Page{})
	if err != nil || next != "" || len(failures) != 1 || failures[0].Email != "never@example.org" || failures[0].Order != refused || failures[0].Problem == "" {
		t.Errorf("failures: %+v, %q, %v", failures, next, err)
	}
	if more, err := r.post.Round(t.Context()); err != nil || more {
		t.Errorf("of what is over: %v, %v", more, err)
	}
	if list, _, err := r.store.List(t.Context(), r.event, booking.Page{}); err != nil || len(list) != 1 || list[0] != n {
		t.Errorf("the list: %+v, %v", list, err)
	}
}

// give has somebody else have the ticket of an order.
func (r *rig) give(order, email string) (transfer string) {
	r.t.Helper()
	transfer = uuid.Must(uuid.NewV7()).String()
	r.exec(`with t as (insert into transfers (performance_id, id, order_id, ticket_id, from_transfer, giver, email, language, state, expires_at)
			select performance_id, $2, order_id, id, holder, '', $3, 'en', 'accepted', now() + interval '1 day' from tickets where order_id = $1)
		update tickets set holder = $2 where order_id = $1`, order, transfer, email)
	return transfer
}

// A message goes to who has a ticket, and not to who has bought it and given it away; who has
// one of their own and one that was given to them has one letter.
func TestAMessageGoesToWhoWasGivenATicket(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	gone, _ := r.sold(0, "gone@example.org", "paid", "valid")
	r.give(gone, "middle@example.org")
	r.give(gone, "Bert@example.org")
	kept, _ := r.sold(0, "keeps@example.org", "paid", "valid")
	both, _ := r.sold(1, "keeps@example.org", "paid", "valid")
	r.give(both, "bert@example.org")
	refused, _ := r.sold(0, "giver@example.org", "paid", "valid")
	r.give(refused, "never@example.org")
	late, _ := r.sold(0, "late@example.org", "paid", "valid")
	r.exec(`update tickets set state = 'canceled' where order_id = $1`, late)
	back, _ := r.sold(0, "back@example.org", "paid", "valid")
	r.give(back, "erased@example.org")
	offered, _ := r.sold(1, "offers@example.org", "paid", "valid")
	r.exec(`insert into transfers (performance_id, id, order_id, ticket_id, giver, email, language, expires_at)
		select performance_id, gen_random_uuid(), order_id, id, '', 'asked@example.org', 'en', now() + interval '1 day' from tickets where order_id = $1`, offered)
	r.box.Refuse = func(to string) int {
		if to == "never@example.org" {
			return 550
		}
		return 0
	}
	if a, err := r.store.Audience(t.Context(), r.event, ""); err != nil || a != (notice.Audience{Holders: 5}) {
		t.Errorf("the audience is %+v, %v", a, err)
	}
	n := r.send("")
	r.give(kept, "new@example.org") // meanwhile: nobody hears of it by this message, whoever had it holds none
	r.exec(`update transfers set email = '' where email = 'erased@example.org'`)
	n = r.rounds(n)
	r.serve(func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	if n = r.rounds(n); n.Sent != 2 || n.Left != 2 || n.Failed != 1 {
		t.Errorf("in the end: %+v", n)
	}
	to := map[string]int{}
	for _, l := range r.box.Letters() {
		to[strings.ToLower(l.To)]++
	}
	if want := map[string]int{"bert@example.org": 1, "offers@example.org": 1}; !maps.Equal(to, want) {
		t.Errorf("letters came to %v, want %v", to, want)
	}
	failures, _, err := r.store.Failures(t.Context(), r.event, n.ID, booking.Page{})
	if err != nil || len(failures) != 1 || failures[0].Email != "never@example.org" || failures[0].Order != refused {
		t.Errorf("failures: %+v, %v", failures, err)
	}
}

// Around what an organizer has written stands what somebody can read: in the language that they
// bought in, or that a ticket was accepted in, or, if that is not known, that it was bought in.
func TestAMessageIsFramedInTheLanguageOfWhoGetsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	in := func(email, language string) string {
		o, buyer := r.sold(0, email, "paid", "valid")
		r.exec(`update buyers set language = $2 where id = $1`, buyer, language)
		return o
	}
	in("ada@example.org", "de")
	in("bert@example.org", "en")
	in("cleo@example.org", "")
	r.give(in("gives@example.org", "en"), "dora@example.org")
	r.exec(`update transfers set language = 'de' where email = 'dora@example.org'`)
	r.give(in("gives@example.org", "de"), "emil@example.org")
	r.exec(`update transfers set language = '' where email = 'emil@example.org'`)
	r.rounds(r.send(""))
	r.serve(func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	got := map[string]string{}
	for _, l := range r.box.Letters() {
		lang := ""
		if strings.Contains(l.Text, "because you hold a ticket of Gala. ") && strings.Contains(l.Text, " has written it.") && strings.Contains(l.HTML, `lang="en"`) {
			lang = "en"
		}
		if strings.Contains(l.Text, "weil Sie eine Karte für Gala haben. ") && strings.Contains(l.Text, " hat es geschrieben.") && strings.Contains(l.HTML, `lang="de"`) {
			lang = "de"
		}
		got[l.To] = lang
	}
	if want := map[string]string{"ada@example.org": "de", "bert@example.org": "en", "cleo@example.org": "en", "dora@example.org": "de", "emil@example.org": "de"}; !maps.Equal(got, want) {
		t.Errorf("letters came in %v, want %v", got, want)
	}
}

// Between the wish and the letter somebody may give all of their tickets back, or be erased.
func TestWhoeverHoldsNothingAnyMoreHasNoLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	back, _ := r.sold(0, "back@example.org", "paid", "valid")
	half, _ := r.sold(0, "half@example.org", "paid", "valid")
	r.sold(0, "half@example.org", "paid", "valid")
	_, erased := r.sold(0, "erased@example.org", "paid", "valid")
	_, late := r.sold(0, "late@example.org", "paid", "valid")
	n := r.send("")
	r.exec(`update tickets set state = 'canceled' where order_id = any($1)`, []string{back, half})
	r.exec(`update buyers set email = '' where id = $1`, erased)
	if n = r.rounds(n); n.Holders != 4 || n.Left != 2 || n.Posted != 2 {
		t.Errorf("%+v", n)
	}
	// Erasing takes a letter away that was written and not sent.
	r.exec(`delete from mails where id = (select mail_id from notice_recipients where buyer_id = $1)`, late)
	if n = r.rounds(n); n.Left != 3 || n.Posted != 1 {
		t.Errorf("after a letter was taken away: %+v", n)
	}
}

// Letters leave at a pace, and no more are on their way than others can bear.
func TestAMessageHasItsPace(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	const holders = notice.Under + 30
	queue := &pgx.Batch{}
	for i := range holders {
		r.sell(queue, 0, fmt.Sprintf("fan%d@example.org", i), "paid", "valid")
	}
	if err := r.db.SendBatch(t.Context(), queue).Close(); err != nil {
		t.Fatal(err)
	}
	n := r.send("")
	for _, want := range []bool{true, false} { // not before it is due again
		if more, err := r.post.Round(t.Context()); err != nil || more != want {
			t.Fatalf("%v, %v", more, err)
		}
		if now := r.one(n.ID); now.Posted != notice.Batch || now.Waiting != holders-notice.Batch {
			t.Errorf("after a round: %+v", now)
		}
	}
	for range 2 * notice.Under / notice.Batch {
		r.exec(`update notices set due_at = now()`)
		if _, err := r.post.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if now := r.one(n.ID); now.Posted != notice.Under {
		t.Errorf("while no mail server takes any: %+v", now)
	}
	r.exec(`update mails set state = 'sent', sealed = null`)
	if now := r.rounds(n); now.Sent != notice.Under || now.Posted != holders-notice.Under {
		t.Errorf("once it does: %+v", now)
	}
	if n := r.count(`select count(*) - count(distinct mail_id) from notice_recipients`); n != 0 {
		t.Errorf("%d letters too many or too few", n)
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	text := "We play next door."
	for _, d := range []notice.Draft{
		{Subject: "", Text: text}, {Subject: " ", Text: text}, {Subject: "S", Text: ""}, {Subject: "S", Text: " \r\n "},
		{Subject: "S\r\nBcc: all@example.org", Text: text}, {Subject: "S\nX: y", Text: text}, {Subject: "S\x00", Text: text}, {Subject: "S\u2028x", Text: text}, {Subject: "\u202egalA", Text: text},
		{Subject: strings.Repeat("s", notice.MostSubject+1), Text: text}, {Subject: "S", Text: strings.Repeat("t", notice.MostText+1)},
		{Subject: "S", Text: "a\x00b"}, {Subject: "S", Text: "a\rb"}, {Subject: "S", Text: "\xff"}, {Subject: "\xff", Text: text}, {Subject: "S", Text: "a\x1b[2Jb"},
		{Subject: "S", Text: text, Performance: "x"}, {Subject: "S", Text: text, Performance: ropeline.PerformanceID(uuid.NewString())},
	} {
		if _, err := r.store.Send(t.Context(), r.event, d, olga); !errors.Is(err, notice.ErrInvalid) {
			t.Errorf("%+.60q: %v", d, err)
		}
	}
	good := notice.Draft{Subject: strings.Repeat("ü", notice.MostSubject), Text: strings.Repeat("ü", notice.MostText)}
	if _, err := r.store.Send(t.Context(), r.event, good, olga); !errors.Is(err, notice.ErrNobody) {
		t.Errorf("to nobody: %v", err)
	}
	r.sold(0, "ada@example.org", "paid", "valid")
	for i := range notice.MostADay {
		if _, err := r.store.Send(t.Context(), r.event, good, audit.Change{Who: "staff:olga", Key: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.store.Send(t.Context(), r.event, good, audit.Change{Who: "staff:olga", Key: "more"}); !errors.Is(err, notice.ErrMany) {
		t.Errorf("one more: %v", err)
	}
	if _, err := r.store.Send(t.Context(), r.event, notice.Draft{Subject: "S", Text: text}, audit.Change{Who: "staff:olga", Key: "0"}); !errors.Is(err, booking.ErrKeyReused) {
		t.Errorf("another with the same key: %v", err)
	}
	if n := r.count(`select count(*) from catalogue_changes where what = 'notice' and subject = $1`, r.event); n != notice.MostADay {
		t.Errorf("%d are written down", n)
	}
}

// An organization sees, and writes to, its own holders alone, whatever a statement asks.
func TestAMessageIsTheOrganizationsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.sold(0, "ada@example.org", "paid", "valid")
	n := r.send("")
	const rival = "00000000-0000-7000-8000-00000000000b"
	r.exec(`insert into organizations (id, slug, name) values ($1, 'rival', 'Rival')`, rival)
	theirs := tenant.With(t.Context(), rival)
	if a, err := r.store.Audience(theirs, r.event, ""); err != nil || a != (notice.Audience{}) {
		t.Errorf("they count %+v, %v", a, err)
	}
	if _, err := r.store.One(theirs, r.event, n.ID); !errors.Is(err, notice.ErrUnknown) {
		t.Errorf("they read it: %v", err)
	}
	if list, _, err := r.store.List(theirs, r.event, booking.Page{}); err != nil || len(list) != 0 {
		t.Errorf("they list %+v, %v", list, err)
	}
	if _, err := r.store.Send(theirs, r.event, notice.Draft{Subject: "S", Text: "T"}, olga); err == nil {
		t.Error("they send one")
	}
	ours := tenant.With(t.Context(), tenant.House)
	if now, err := r.store.One(ours, r.event, n.ID); err != nil || now != n {
		t.Errorf("we read %+v, %v", now, err)
	}
	if sent, err := r.store.Send(ours, r.event, notice.Draft{Subject: "S", Text: "T"}, audit.Change{Who: "staff:olga", Key: "ours"}); err != nil || sent.Holders != 1 {
		t.Errorf("we send %+v, %v", sent, err)
	}
}
