package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// open seals nothing.
type open struct{}

func (open) EmailMAC(email string) []byte { return []byte("mac of " + email) }

func (open) Seal(_ string, text []byte) ([]byte, error)   { return text, nil }
func (open) Open(_ string, sealed []byte) ([]byte, error) { return sealed, nil }

type rig struct {
	t     *testing.T
	db    *pgxpool.Pool
	store *newsletter.Store
	post  *newsletter.Poster
	box   *mailbox.Box
}

const site = "https://tickets.example.org"

var keys = newsletter.Keys([]byte("0123456789abcdef0123456789abcdef"))

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, db: devtest.Postgres(t), box: &mailbox.Box{}}
	r.store = newsletter.New(r.db)
	r.post = newsletter.NewPoster(r.store, mail.New(r.db, open{}), keys, site, slog.New(slog.DiscardHandler))
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) count(sql string, args ...any) (n int) {
	r.t.Helper()
	if err := r.db.QueryRow(r.t.Context(), sql, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) wants(what string, err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// sold writes an order, and says of which performance.
func (r *rig) sold(state string) (performance ropeline.PerformanceID, order string) {
	r.t.Helper()
	opens := time.Now().UTC().Truncate(time.Second)
	sale, err := catalogue.New(r.db, time.Now).Seed(r.t.Context(), catalogue.Plan{
		Sale: ropeline.Sale{ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6},
		Venue: "Opera", StartsAt: opens.Add(time.Hour), General: 10,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	performance, order = sale.Performances[0], uuid.NewString()
	attempt, buyer := uuid.NewString(), uuid.NewString()
	r.exec(`insert into buyers (id, email) values ($1, 'ada@example.org')`, buyer)
	r.exec(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', '{0}', 4500, 'EUR', 'm', 'done')`, performance, attempt)
	r.exec(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) values ($1, $2, 's', '', '', $3, $4, $5, 4500, 'EUR')`, performance, order, attempt, buyer, state)
	return performance, order
}

// consents writes consents of the house.
func (r *rig) consents(state string, emails ...string) (ids []string) {
	r.t.Helper()
	for _, email := range emails {
		id := uuid.NewString()
		r.exec(`insert into newsletter_consents (id, organization_id, email, state, place, words, language, given_at, withdrawn_at) values ($1, $2, $3, $4, 'checkout', 'Write to me', 'en', now(), case when $4 = 'withdrawn' then now() end)`,
			id, tenant.House, email, state)
		ids = append(ids, id)
	}
	return ids
}

// asks has the poster ask, and says to how many it wrote.
func (r *rig) asks() int {
	r.t.Helper()
	n, err := r.post.AskSome(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) state(id string) string {
	r.t.Helper()
	c, err := r.store.Open(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return c.State
}

// Who ticks a box at a checkout is asked once more, by a letter, after they have paid; what
// they withdraw no letter of before brings back.
func TestAGuestIsAskedOnceMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	performance, order := r.sold("pending")
	wish := newsletter.Wish{Email: "Ada@Example.org", Words: "Write to me <b>now and then</b>", Language: "de"}
	for range 2 {
		r.wants("asking", r.store.Ask(ctx, performance, order, wish), nil)
	}
	if n := r.asks(); n != 0 {
		t.Errorf("%d letters before it is paid", n)
	}
	r.exec(`update orders set state = 'paid'`)
	if first, second := r.asks(), r.asks(); first != 1 || second != 0 {
		t.Errorf("%d letters, and then %d", first, second)
	}
	var id, words, email string
	if err := r.db.QueryRow(ctx, `select id::text, words, email from newsletter_consents`).Scan(&id, &words, &email); err != nil || words != wish.Words || email != "ada@example.org" {
		t.Fatalf("kept are %q and %q: %v", words, email, err)
	}
	r.serve(func() bool { return len(r.box.Letters()) == 1 })
	if l := r.box.Letters()[0]; l.To != "ada@example.org" || !strings.Contains(l.Subject, "Möchten Sie den Newsletter") || !strings.Contains(l.Text, keys.Link(site, id, optin.Confirm)) || strings.Contains(l.Header, "List-Unsubscribe") {
		t.Errorf("the letter is %+v", l)
	}
	_, err := r.store.Send(ctx, tenant.House, newsletter.Draft{Subject: "S", Text: "T"}, audit.Change{Who: "staff:olga", Key: "k"})
	r.wants("writing to who has not confirmed", err, newsletter.ErrNobody)
	for _, step := range []struct {
		take optin.Step
		err  error
		is   string
	}{{optin.Confirm, nil, "given"}, {optin.Confirm, nil, "given"}, {optin.Leave, nil, "withdrawn"}, {optin.Leave, nil, "withdrawn"}, {optin.Confirm, newsletter.ErrOver, "withdrawn"}} {
		r.wants("to "+string(step.take), r.store.Take(ctx, id, step.take), step.err)
		if is := r.state(id); is != step.is {
			t.Errorf("after %s it is %s, want %s", step.take, is, step.is)
		}
	}
	r.wants("asking anew", r.store.Ask(ctx, performance, order, wish), nil)
	if n := r.asks(); r.state(id) != "asked" || n != 1 {
		t.Errorf("asked anew it is %s, with %d letters", r.state(id), n)
	}
	r.exec(`update newsletter_consents set asked_at = asked_at - interval '31 days'`)
	r.asks()
	if n := r.count(`select count(*) from newsletter_consents`); n != 0 {
		t.Errorf("%d addresses are kept that nobody has confirmed", n)
	}
}

// A key of one step opens no other, and none of another consent.
func TestAKeyOpensOneStep(t *testing.T) {
	t.Parallel()
	a, b := uuid.NewString(), uuid.NewString()
	for _, k := range []struct {
		of   string
		step optin.Step
		key  string
		want bool
	}{{a, optin.Leave, keys.Key(a, optin.Leave), true}, {a, optin.Confirm, keys.Key(a, optin.Leave), false}, {b, optin.Leave, keys.Key(a, optin.Leave), false}, {a, optin.Leave, "", false},
		{a, "other", keys.Key(a, "other"), false}, {a, optin.Leave, newsletter.Keys([]byte("x")).Key(a, optin.Leave), false}} {
		if got := keys.Opens(k.of, k.step, k.key); got != k.want {
			t.Errorf("%s of %s is opened by %q: %v", k.step, k.of, k.key, got)
		}
	}
}

// rounds has two posters go on until nothing is to be written any more.
func (r *rig) rounds(id string) (n newsletter.Newsletter) {
	r.t.Helper()
	for range 50 {
		r.exec(`update newsletters set due_at = now()`)
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
		var err error
		if n, err = r.store.One(r.t.Context(), tenant.House, id); err != nil {
			r.t.Fatal(err)
		}
		if n.Waiting == 0 {
			return n
		}
	}
	r.t.Fatalf("it does not end: %+v", n)
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

// Whoever has consented has one letter, which one POST ends; who withdraws before it is sent
// has none, and neither has anybody else.
func TestEachReaderHasOneLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	ids := r.consents("given", "ada@example.org", "late@example.org", "later@example.org", "never@example.org")
	r.consents("withdrawn", "gone@example.org")
	r.consents("given", "refuses@example.org")
	r.exec(`insert into mail_marks (email_mac, kind, problem) values ('mac of refuses@example.org', 'bounce', '550')`)
	r.exec(`insert into newsletter_consents (id, organization_id, email, state, place, words, language) values (gen_random_uuid(), $1, 'new@example.org', 'asked', 'checkout', 'W', 'en')`, tenant.House)
	r.exec(`insert into organizations (id, slug, name) values ('00000000-0000-7000-8000-0000000000aa', 'rival', 'Rival')`)
	r.exec(`insert into newsletter_consents (id, organization_id, email, state, place, words, language, given_at) values (gen_random_uuid(), '00000000-0000-7000-8000-0000000000aa', 'ada@example.org', 'given', 'checkout', 'W', 'en', now())`)
	r.box.Refuse = func(to string) int {
		if to == "never@example.org" {
			return 550
		}
		return 0
	}
	draft := newsletter.Draft{Subject: "A new season", Text: "Come.\r\n.\r\n<b>All</b> of you {event}.\n"}
	if l, readers, err := r.store.Preview(ctx, tenant.House, draft); err != nil || readers != 5 || l.Subject != draft.Subject || !strings.Contains(l.HTML, "&lt;b&gt;All&lt;/b&gt; of you {event}.") {
		t.Errorf("%d would get %+v: %v", readers, l, err)
	}
	olga := audit.Change{Who: "staff:olga", Key: "k"}
	n, err := r.store.Send(ctx, tenant.House, draft, olga)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.store.Send(ctx, tenant.House, draft, olga); err != nil || again.ID != n.ID || n.Readers != 5 || n.Waiting != 5 {
		t.Errorf("%+v, and with the same key %+v: %v", n, again, err)
	}
	_, err = r.store.Send(ctx, tenant.House, newsletter.Draft{Subject: "Another", Text: "T"}, olga)
	r.wants("another with the same key", err, booking.ErrKeyReused)
	r.wants("leaving before it is written", r.store.Take(ctx, ids[1], optin.Leave), nil)
	if n = r.rounds(n.ID); n.Posted != 3 || n.Left != 2 {
		t.Errorf("after the letters were written: %+v", n)
	}
	r.wants("leaving before it is sent", r.store.Take(ctx, ids[2], optin.Leave), nil)
	r.serve(func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	if n = r.rounds(n.ID); n.Sent != 1 || n.Failed != 1 || n.Left != 3 || n.Posted+n.Waiting != 0 {
		t.Errorf("in the end: %+v", n)
	}
	for range 2 {
		if err := pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error { return r.store.Complain(ctx, tx, "Never@example.org") }); err != nil || r.state(ids[3]) != "withdrawn" || r.state(ids[0]) != "given" {
			t.Errorf("who complains is %s: %v", r.state(ids[3]), err)
		}
	}
	letters := r.box.Letters()
	if len(letters) != 1 || letters[0].To != "ada@example.org" {
		t.Fatalf("letters came to %+v", letters)
	}
	link := keys.Link(site, ids[0], optin.Leave)
	header := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(letters[0].Header)
	if !strings.Contains(header, "List-Unsubscribe: <"+link+">") || !strings.Contains(header, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") || !strings.Contains(letters[0].Text, "You get this because you have asked for it.") || !strings.Contains(letters[0].Text, link) {
		t.Errorf("the letter is %s\n%s", header, letters[0].Text)
	}
	for i := range newsletter.MostADay {
		_, err = r.store.Send(ctx, tenant.House, draft, audit.Change{Who: "staff:olga", Key: fmt.Sprint(i)})
	}
	r.wants("one too many", err, newsletter.ErrMany)
	for _, bad := range []newsletter.Draft{{Subject: "S\r\nBcc: all@example.org", Text: "T"}, {Subject: "", Text: "T"}, {Subject: "S", Text: strings.Repeat("x", 5001)}, {Subject: "S", Text: "a\x00b"}} {
		_, err = r.store.Send(ctx, tenant.House, bad, audit.Change{Who: "staff:olga", Key: "bad"})
		r.wants(fmt.Sprintf("%.20q", bad), err, newsletter.ErrInvalid)
	}
}

// Who has an account gives and withdraws a consent by it, and takes those along that its
// address gave as a guest.
func TestAnAccountHasItsNewsletters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	person := uuid.NewString()
	r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, 'a', 'b', 'c', 'active')`, person)
	guest := r.consents("given", "ada@example.org")[0]
	list := func() []newsletter.Subscribed {
		all, next, err := r.store.OfPerson(ctx, person, booking.Page{})
		if err != nil || next != "" {
			t.Fatal(next, err)
		}
		return all
	}
	if all := list(); len(all) != 0 {
		t.Errorf("at first there are %+v", all)
	}
	r.wants("claiming", r.store.Claim(ctx, person, "Ada@example.org"), nil)
	if all := list(); len(all) != 1 || all[0].State != "given" || all[0].Organization != tenant.House || all[0].Words != "Write to me" || all[0].Place != "checkout" {
		t.Errorf("claimed are %+v", all)
	}
	r.wants("withdrawing", r.store.Withdraw(ctx, tenant.House, person), nil)
	if all := list(); r.state(guest) != "withdrawn" || all[0].State != "withdrawn" {
		t.Errorf("withdrawn it is %+v", all)
	}
	r.wants("giving", r.store.Give(ctx, tenant.House, newsletter.Wish{Email: "ada@example.org", Person: person, Words: "Yes", Language: "en"}), nil)
	if all := list(); r.state(guest) != "given" || all[0].Place != "account" || all[0].Words != "Yes" {
		t.Errorf("given it is %+v", all)
	}
	r.wants("of nobody", r.store.Give(ctx, uuid.NewString(), newsletter.Wish{Email: "ada@example.org", Person: person, Words: "Yes"}), newsletter.ErrUnknown)
	r.wants("to no words", r.store.Give(ctx, tenant.House, newsletter.Wish{Email: "ada@example.org", Person: person}), newsletter.ErrWords)
	r.wants("to words with a line", r.store.Give(ctx, tenant.House, newsletter.Wish{Email: "ada@example.org", Person: person, Words: "a\nb"}), newsletter.ErrWords)
	r.wants("withdrawing elsewhere", r.store.Withdraw(ctx, "x", person), newsletter.ErrUnknown)
}
