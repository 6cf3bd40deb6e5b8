package review_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/review"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/tenant"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// house is an event with one performance, and its doors.
type house struct {
	testing.TB
	*review.Store
	db    *pgxpool.Pool
	doors *door.Store
	show  *catalogue.Map
	event string
	units int // that are sold
}

func open(t testing.TB) *house {
	t.Helper()
	keys, err := ticket.ParseKeys(strings.Repeat("07", 32) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, db: devtest.Postgres(t)}
	h.Store = review.New(h.db)
	h.doors = door.New(h.db, keys, time.Now)
	t.Cleanup(h.doors.Close)
	h.show, h.event = h.perform()
	return h
}

func (h *house) perform() (show *catalogue.Map, event string) {
	h.Helper()
	opens := time.Now().UTC().Truncate(time.Second)
	shows := catalogue.New(h.db, time.Now)
	made, err := shows.Seed(h.Context(), catalogue.Plan{Venue: "Opera", StartsAt: opens.Add(time.Hour), General: 20_000, Sale: ropeline.Sale{ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala",
		LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60, UnitsPerHold: 6, ClaimWindow: 60, TokenLife: 60, SessionMax: 3600, Hold: 600}})
	if err != nil {
		h.Fatal(err)
	}
	p, err := shows.Performance(h.Context(), made.Performances[0])
	if err != nil {
		h.Fatal(err)
	}
	h.get(&event, `select event_id::text from performances where id = $1`, p.Map.ID)
	h.exec(`update events set state = 'published' where id = $1`, event)
	return p.Map, event
}

func (h *house) exec(sql string, args ...any) {
	h.Helper()
	if _, err := h.db.Exec(h.Context(), sql, args...); err != nil {
		h.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) get(into any, sql string, args ...any) {
	h.Helper()
	if err := h.db.QueryRow(h.Context(), sql, args...).Scan(into); err != nil {
		h.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) wants(what string, err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Errorf("%s: %v, want %v", what, err, want)
	}
}

// person has an account.
func (h *house) person() string {
	h.Helper()
	id := uuid.NewString()
	h.exec(`insert into people (id, email_mac, wrapped, sealed, password, state) values ($1, $2, '\x01', '\x01', 'x', 'active')`, id, []byte(id))
	return id
}

// sold is a ticket and what its holder can show.
type sold struct{ id, order, printed string }

// sell sells a person a ticket of a performance; nobody: a guest.
func (h *house) sell(show *catalogue.Map, person string) sold {
	h.Helper()
	id := func() string { return uuid.Must(uuid.NewV7()).String() }
	buyer, attempt, s := id(), id(), sold{id: id(), order: id()}
	printed, err := ticket.DrawPrinted(rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	s.printed = printed
	unit := h.units
	h.units++
	tier, ok := show.TierOf(unit)
	if !ok {
		h.Fatal("no such unit")
	}
	h.exec(`insert into buyers (id, email, person_id) values ($1, 'ada@example.org', nullif($2, '')::uuid)`, buyer, person)
	h.exec(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', array[$3::int], 4500, 'EUR', 'm', 'done')`, show.ID, attempt, unit)
	h.exec(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) values ($1, $2, 's', '', '', $3, $4, 'paid', 4500, 'EUR')`, show.ID, s.order, attempt, buyer)
	h.exec(`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code) values ($1, $2, $3, $4, $5, $6, 4500, 'EUR', 'valid', $7)`,
		show.ID, s.id, s.order, unit, tier.ID, fmt.Sprintf("%s-%d", tier.Name, unit), s.printed)
	return s
}

// enters has a ticket scanned at the door, and says by which scan it passed.
func (h *house) enters(show *catalogue.Map, s sold) (scan string, passed bool) {
	h.Helper()
	scan = uuid.NewString()
	a, err := h.doors.Scan(h.Context(), door.Scan{Performance: show.ID, ID: scan, Code: s.printed, Door: door.Main, Device: "gate 1", Who: "staff:kim"})
	if err != nil {
		h.Fatal(err)
	}
	return scan, a.Passed
}

func (h *house) undo(show *catalogue.Map, scan string) {
	h.Helper()
	if err := h.doors.Undo(h.Context(), show.ID, scan, audit.Change{Who: "staff:sue", Reason: "the wrong one"}); err != nil {
		h.Fatal(err)
	}
}

// gives has a ticket change hands, as package order writes that down, code and all.
func (h *house) gives(show *catalogue.Map, s *sold, to string) {
	h.Helper()
	printed, err := ticket.DrawPrinted(rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	s.printed = printed
	id := uuid.Must(uuid.NewV7()).String()
	h.exec(`insert into transfers (performance_id, id, order_id, ticket_id, giver, email, language, person_id, state, expires_at)
		values ($1, $2, $3, $4, '', 'bob@example.org', 'en', nullif($5, '')::uuid, 'accepted', now())`, show.ID, id, s.order, s.id, to)
	h.exec(`update tickets set holder = $3, issue = issue + 1, code = $4 where performance_id = $1 and id = $2`, show.ID, s.id, id, printed)
}

// was is somebody who was there.
func (h *house) was() string {
	h.Helper()
	person := h.person()
	if _, passed := h.enters(h.show, h.sell(h.show, person)); !passed {
		h.Fatal("the door stays shut")
	}
	return person
}

func (h *house) draft(k review.Kind) review.Draft {
	d := review.Draft{Kind: k, Event: h.event, Words: review.Words{Name: "Ada", Text: "It was great."}}
	if k == review.Review {
		d.Stars = 5
	}
	return d
}

func (h *house) says(person string, d review.Draft) review.Own {
	h.Helper()
	m, err := h.Create(h.Context(), person, uuid.NewString(), d)
	if err != nil {
		h.Fatal(err)
	}
	return m
}

func seen(version int) audit.Change { return audit.Change{Who: "staff:olga", Seen: version} }

// shown is a post that staff have let through.
func (h *house) shown(person string, d review.Draft) review.Own {
	h.Helper()
	m := h.says(person, d)
	if m.State == review.Waiting {
		if _, err := h.Decide(h.Context(), tenant.House, m.ID, review.Decision{State: review.Shown}, seen(m.Version)); err != nil {
			h.Fatal(err)
		}
	}
	return m
}

func (h *house) list(k review.Kind, o review.Order) []review.Post {
	h.Helper()
	list, _, err := h.List(h.Context(), h.event, k, o, booking.Page{})
	if err != nil {
		h.Fatal(err)
	}
	return list
}

// A review is by whose ticket has opened a door, and by nobody else: whoever buys, is given a
// ticket, comes in, has that taken back, or has a ticket canceled, in whatever order.
func TestReviewsAreByWhoWasThere(t *testing.T) {
	t.Parallel()
	h := open(t)
	other, _ := h.perform()
	type held struct {
		sold
		show     *catalogue.Map
		holder   int // of people; -1: somebody without an account
		inside   bool
		scan     string
		canceled bool
	}
	rapid.Check(t, func(r *rapid.T) {
		people := []string{h.person(), h.person(), h.person()}
		var all []*held
		pick := func(r *rapid.T, is func(*held) bool) *held {
			var some []*held
			for _, k := range all {
				if is(k) {
					some = append(some, k)
				}
			}
			if len(some) == 0 {
				r.Skip("there is none")
			}
			return rapid.SampledFrom(some).Draw(r, "ticket")
		}
		who := func(i int) string {
			if i < 0 {
				return ""
			}
			return people[i]
		}
		r.Repeat(map[string]func(*rapid.T){
			"buy": func(r *rapid.T) {
				i, show := rapid.IntRange(-1, 2).Draw(r, "who"), rapid.SampledFrom([]*catalogue.Map{h.show, h.show, other}).Draw(r, "show")
				all = append(all, &held{sold: h.sell(show, who(i)), show: show, holder: i})
			},
			"give": func(r *rapid.T) {
				k := pick(r, func(k *held) bool { return !k.inside && !k.canceled }) // what was used is not given: package order
				k.holder = rapid.IntRange(-1, 2).Draw(r, "to")
				h.gives(k.show, &k.sold, who(k.holder))
			},
			"enter": func(r *rapid.T) {
				k := pick(r, func(*held) bool { return true })
				scan, passed := h.enters(k.show, k.sold)
				if passed != (!k.inside && !k.canceled) {
					r.Fatalf("%+v passes: %v", k, passed)
				}
				if passed {
					k.inside, k.scan = true, scan
				}
			},
			"undo": func(r *rapid.T) {
				k := pick(r, func(k *held) bool { return k.inside })
				h.undo(k.show, k.scan)
				k.inside = false
			},
			"cancel": func(r *rapid.T) {
				k := pick(r, func(k *held) bool { return !k.canceled })
				h.exec(`update tickets set state = 'canceled' where performance_id = $1 and id = $2`, k.show.ID, k.id)
				k.canceled = true
			},
			"": func(r *rapid.T) {
				for i, person := range people {
					want := slices.ContainsFunc(all, func(k *held) bool { return k.show == h.show && k.holder == i && k.inside })
					st, err := h.Standing(t.Context(), person, h.event)
					if err != nil || st.There != want {
						r.Fatalf("person %d was there: %v, %v; want %v of %+v", i, st.There, err, want, all)
					}
				}
			},
		})
		for _, person := range people {
			st, err := h.Standing(t.Context(), person, h.event)
			if err != nil {
				r.Fatal(err)
			}
			_, err = h.Create(t.Context(), person, uuid.NewString(), h.draft(review.Review))
			if st.There && err != nil || !st.There && !errors.Is(err, review.ErrNotThere) {
				r.Fatalf("who was there %v writes: %v", st.There, err)
			}
		}
	})
}

// A scan that came in late, of a ticket that had changed hands since, says of neither that they
// were there.
func TestALateScanIsNobodys(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada, bob := h.person(), h.person()
	s := h.sell(h.show, ada)
	h.enters(h.show, s)
	h.exec(`update door_entries set at = now() - interval '1 hour' where ticket_id = $1`, s.id)
	h.gives(h.show, &s, bob)
	for _, person := range []string{ada, bob} {
		if st, err := h.Standing(t.Context(), person, h.event); err != nil || st.There {
			t.Errorf("%+v, %v", st, err)
		}
	}
}

func TestOfTwoReviewsAtOnceOneIsThere(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.was()
	var all errgroup.Group
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() error {
			_, errs[i] = h.Create(t.Context(), ada, uuid.NewString(), h.draft(review.Review))
			return nil
		})
	}
	_ = all.Wait() // each has an answer of its own
	kept := 0
	for _, err := range errs {
		switch {
		case err == nil:
			kept++
		case !errors.Is(err, review.ErrTwice):
			t.Error(err)
		}
	}
	var n int
	h.get(&n, `select count(*) from posts where person_id = $1`, ada)
	if kept != 1 || n != 1 {
		t.Errorf("%d were kept, %d are there", kept, n)
	}
	// The database says so as well, whoever asks it.
	_, err := h.db.Exec(t.Context(), `insert into posts (id, organization_id, event_id, kind, person_id, name, stars, body, state)
		select gen_random_uuid(), organization_id, event_id, kind, person_id, name, stars, body, state from posts where person_id = $1`, ada)
	if err == nil || !strings.Contains(err.Error(), "posts_review_once") {
		t.Errorf("a second one: %v", err)
	}
}

func TestTheSameRequestIsOnePost(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.was()
	ids := make([]string, 6)
	var all errgroup.Group
	for i := range ids {
		all.Go(func() error {
			m, err := h.Create(t.Context(), ada, "k", h.draft(review.Review))
			ids[i] = m.ID
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(ids); ids[0] != ids[5] {
		t.Errorf("%v", ids)
	}
	_, err := h.Create(t.Context(), ada, "k", h.draft(review.Question))
	h.wants("another request with that key", err, booking.ErrKeyReused)
	_, err = h.Create(t.Context(), ada, "", h.draft(review.Question))
	h.wants("without a key", err, booking.ErrKey)
	// Taken back, a late repetition does not bring it back.
	h.wants("taking it back", h.Withdraw(t.Context(), ada, ids[0]), nil)
	m, err := h.Create(t.Context(), ada, "k", h.draft(review.Review))
	if err != nil || m.ID != ids[0] || m.State != review.Gone {
		t.Errorf("%+v, %v", m, err)
	}
	// But another is written.
	h.says(ada, h.draft(review.Review))
}

func TestWordsArePlain(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.person()
	long := strings.Repeat("ä", review.MostText)
	for text, want := range map[string]string{
		"  Does it\r\nhave\n\n\n\n\nan interval? ":  "Does it\nhave\n\nan interval?",
		`<script>alert("x")</script> & <b>bold</b>`: `<script>alert("x")</script> & <b>bold</b>`, // it is text, and shown as that
		"می\u200cخواهم":                             "می\u200cخواهم",
		"👩\u200d👩\u200d👧 welcome?":                  "👩\u200d👩\u200d👧 welcome?",
		"Tiếng Vie\u0323\u0302t":                    "Tiếng Vie\u0323\u0302t",
		long:                                        long,
		"\u202egnp.exe":                             "",
		"a\u200bb":                                  "", // zero width space
		"a\ufeffb":                                  "",
		"a\u2066b\u2069":                            "", // isolates
		"a \u200d b":                                "",
		"a\u200d":                                   "",
		"a\x00b":                                    "",
		"a\tb":                                      "",
		"a\x1b[31mb":                                "",
		"\u200b\u200b":                              "",
		"   \n ":                                    "",
		"a" + strings.Repeat("\u0301", 5):           "",
		"\u0301a":                                   "",
		"\xff":                                      "",
		long + "ä":                                  "",
		"a\u2028b":                                  "",
		"x" + strings.Repeat("\U000E0041", 10) + " (tags)": "",
	} {
		h.exec(`delete from posts`)
		d := h.draft(review.Question)
		d.Text = text
		m, err := h.Create(t.Context(), ada, uuid.NewString(), d)
		if want == "" {
			h.wants(fmt.Sprintf("%.20q", text), err, review.ErrInvalid)
		} else if err != nil || m.Text != want {
			t.Errorf("%.20q is kept as %.20q, %v", text, m.Text, err)
		}
	}
	h.exec(`delete from posts`)
	for _, name := range []string{"", " ", "…", "ada@example.org", "\u202eAda", "A\u200dda", "Ada\nBob", "Ada\u200b", strings.Repeat("a", 61), "A" + strings.Repeat("\u0301", 5)} {
		d := h.draft(review.Question)
		d.Name = name
		_, err := h.Create(t.Context(), ada, uuid.NewString(), d)
		h.wants(fmt.Sprintf("the name %.20q", name), err, review.ErrInvalid)
	}
	for _, c := range []struct {
		kind  review.Kind
		stars int
	}{{review.Review, 0}, {review.Review, 6}, {review.Review, -1}, {review.Question, 1}, {"essay", 0}} {
		d := h.draft(c.kind)
		d.Stars = c.stars
		_, err := h.Create(t.Context(), ada, uuid.NewString(), d)
		h.wants(fmt.Sprintf("%+v", c), err, review.ErrInvalid)
	}
	var n int
	if h.get(&n, `select count(*) from posts`); n != 0 {
		t.Errorf("%d were kept", n)
	}
}

func TestEventsAndPostsThatThereAreNot(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.was()
	ctx := t.Context()
	waits := h.says(ada, h.draft(review.Question))
	h.exec(`insert into events (id, title, state) values ('00000000-0000-7000-8000-00000000000d', 'A draft', 'draft')`)
	for _, event := range []string{"", "x", uuid.NewString(), "00000000-0000-7000-8000-00000000000d"} {
		d := h.draft(review.Question)
		d.Event = event
		_, err := h.Create(ctx, ada, uuid.NewString(), d)
		h.wants("asking of event "+event, err, review.ErrEvent)
		_, err = h.Standing(ctx, ada, event)
		h.wants("standing of "+event, err, review.ErrEvent)
		_, _, err = h.List(ctx, event, review.Review, review.Newest, booking.Page{})
		h.wants("listing "+event, err, review.ErrEvent)
	}
	talk := review.Draft{Kind: review.Comment, Words: review.Words{Name: "Ada", Text: "Yes."}}
	for _, parent := range []string{"", "x", uuid.NewString(), waits.ID} {
		talk.Parent = parent
		_, err := h.Create(ctx, ada, uuid.NewString(), talk)
		h.wants("a comment on "+parent, err, review.ErrUnknown)
		h.wants("reporting "+parent, h.Report(ctx, ada, parent), review.ErrUnknown)
		_, _, err = h.Comments(ctx, h.event, parent, booking.Page{})
		h.wants("comments on "+parent, err, review.ErrUnknown)
	}
	shown := h.shown(ada, h.draft(review.Question))
	talk.Parent = shown.ID
	comment := h.shown(ada, talk)
	talk.Parent = comment.ID
	_, err := h.Create(ctx, ada, uuid.NewString(), talk)
	h.wants("a comment on a comment", err, review.ErrUnknown)
	_, another := h.perform()
	_, _, err = h.Comments(ctx, another, shown.ID, booking.Page{})
	h.wants("by way of another event", err, review.ErrUnknown)
	// Another's are none of mine.
	eve := h.person()
	_, err = h.Put(ctx, eve, shown.ID, review.Words{Name: "Eve", Text: "x"})
	h.wants("changing another's", err, review.ErrUnknown)
	h.wants("taking another's back", h.Withdraw(ctx, eve, shown.ID), review.ErrUnknown)
	_, err = h.Put(ctx, ada, shown.ID, review.Words{Name: "Ada", Text: "x"})
	h.wants("changing a question", err, review.ErrFixed)
	// Another organization's staff have nothing to do with it.
	for _, id := range []string{shown.ID, "x", uuid.NewString()} {
		_, err = h.Decide(ctx, uuid.NewString(), id, review.Decision{State: review.Shown}, seen(1))
		h.wants("deciding elsewhere", err, review.ErrUnknown)
		_, err = h.Answer(ctx, uuid.NewString(), id, "x", seen(1))
		h.wants("answering elsewhere", err, review.ErrUnknown)
	}
}

func TestSomebodyWritesAndReportsSoMuchADay(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada, ctx := h.person(), t.Context()
	for range review.MostADay {
		h.says(ada, h.draft(review.Question))
	}
	_, err := h.Create(ctx, ada, uuid.NewString(), h.draft(review.Question))
	h.wants("one more", err, review.ErrMany)
	if e, ok := errors.AsType[*ropeline.Error](err); !ok || e.RetryAfter < 23*time.Hour || e.RetryAfter > 24*time.Hour {
		t.Errorf("it says nothing of when: %+v", e)
	}
	// Taking one back makes no room.
	mine, _, err := h.OfPerson(ctx, ada, booking.Page{})
	if err != nil || len(mine) != review.MostADay {
		t.Fatal(len(mine), err)
	}
	h.wants("taking one back", h.Withdraw(ctx, ada, mine[0].ID), nil)
	_, err = h.Create(ctx, ada, uuid.NewString(), h.draft(review.Question))
	h.wants("and one more", err, review.ErrMany)
	h.exec(`update posts set created_at = now() - interval '25 hours'`)
	h.says(ada, h.draft(review.Question))

	bob := h.person()
	h.exec(`update posts set state = 'shown' where state = 'waiting'`)
	h.exec(`insert into posts (id, organization_id, event_id, kind, name, body, state, person_id) select gen_random_uuid(), organization_id, event_id, kind, name, body, state, person_id from posts, generate_series(1, 3) where state = 'shown'`)
	var ids []string
	h.get(&ids, `select array_agg(id::text) from posts where state = 'shown'`)
	for i, id := range ids[:review.MostReports+1] {
		want := error(nil)
		if i == review.MostReports {
			want = review.ErrReports
		}
		h.wants(fmt.Sprint("report ", i), h.Report(ctx, bob, id), want)
	}
	h.wants("again", h.Report(ctx, bob, ids[0]), nil)
	var n int
	if h.get(&n, `select reported from posts where id = $1`, ids[0]); n != 1 {
		t.Errorf("reported by %d", n)
	}
}
