package review_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/review"
	"github.com/ropeline/ropeline/internal/tenant"
)

// What staff do they do as those of their organization: the database holds them to its rows.

func (h *house) Queue(ctx context.Context, organization string, w review.Which, p booking.Page) ([]review.Case, string, error) {
	return h.Store.Queue(tenant.With(ctx, organization), organization, w, p)
}

func (h *house) One(ctx context.Context, organization, id string) (review.Case, error) {
	return h.Store.One(tenant.With(ctx, organization), organization, id)
}

func (h *house) Decide(ctx context.Context, organization, id string, d review.Decision, by audit.Change) (review.Case, error) {
	return h.Store.Decide(tenant.With(ctx, organization), organization, id, d, by)
}

func (h *house) Answer(ctx context.Context, organization, id, text string, by audit.Change) (review.Case, error) {
	return h.Store.Answer(tenant.With(ctx, organization), organization, id, text, by)
}

func (h *house) Settings(ctx context.Context, organization string) (review.Settings, error) {
	return h.Store.Settings(tenant.With(ctx, organization), organization)
}

func (h *house) PutSettings(ctx context.Context, organization string, before bool, by audit.Change) (review.Settings, error) {
	return h.Store.PutSettings(tenant.With(ctx, organization), organization, before, by)
}

// Whose words they are staff do not learn, and another organization's are not there at all.
func TestStaffReadWordsAndNotPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.says(h.person(), h.draft(review.Question))
	for organization, want := range map[string]int{tenant.House: 1, "00000000-0000-7000-8000-000000000002": 0} {
		var n int
		if err := h.db.QueryRow(tenant.With(t.Context(), organization), `select count(*) from (select body from posts) p`).Scan(&n); err != nil || n != want {
			t.Errorf("%s reads %d, %v", organization, n, err)
		}
		for _, sql := range []string{`select person_id from posts`, `select person_id from post_reports`, `update posts set body = 'x'`, `delete from posts`} {
			var denied *pgconn.PgError
			if _, err := h.db.Exec(tenant.With(t.Context(), organization), sql); !errors.As(err, &denied) || denied.Code != "42501" {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

func (h *house) queue(w review.Which) (ids []string) {
	h.Helper()
	list, _, err := h.Queue(h.Context(), tenant.House, w, booking.Page{})
	if err != nil {
		h.Fatal(err)
	}
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

func (h *house) stands(what string, m review.Own, person string, want review.State) review.Own {
	h.Helper()
	got, err := h.Mine(h.Context(), person, m.ID)
	if err != nil || got.State != want {
		h.Errorf("%s: %s, %v; want %s", what, got.State, err, want)
	}
	return got
}

// told is of what its writer has a letter to come.
func (h *house) told(id string) (news []string) {
	h.Helper()
	h.get(&news, `select coalesce(array_agg(split_part(args->>'change', ':', 1) order by id), '{}') from river_job where args->>'post' = $1`, id)
	return news
}

func TestAPostWaitsForStaff(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx, ada := t.Context(), h.was()
	m := h.says(ada, h.draft(review.Review))
	if m.State != review.Waiting || len(h.list(review.Review, review.Newest)) != 0 || !slices.Equal(h.queue(review.OfWaiting), []string{m.ID}) {
		t.Fatalf("%+v", m)
	}
	decide := func(what string, d review.Decision, version int, want error) {
		t.Helper()
		_, err := h.Decide(ctx, tenant.House, m.ID, d, seen(version))
		h.wants(what, err, want)
	}
	decide("for no reason", review.Decision{State: review.Refused}, 1, review.ErrInvalid)
	decide("for a long one", review.Decision{State: review.Refused, Reason: strings.Repeat("x", 201)}, 1, review.ErrInvalid)
	decide("for one that turns around", review.Decision{State: review.Refused, Reason: "\u202ex"}, 1, review.ErrInvalid)
	decide("shown with a reason", review.Decision{State: review.Shown, Reason: "x"}, 1, review.ErrInvalid)
	decide("gone", review.Decision{State: review.Gone}, 1, review.ErrInvalid)
	decide("what nobody has seen", review.Decision{State: review.Shown}, 0, audit.ErrChanged)
	decide("shown", review.Decision{State: review.Shown}, 1, nil)
	decide("shown again", review.Decision{State: review.Shown}, 1, nil)
	decide("refused by who has not seen that", review.Decision{State: review.Refused, Reason: "Rude"}, 1, audit.ErrChanged)
	if list := h.list(review.Review, review.Newest); len(list) != 1 || list[0].Stars != 5 || list[0].Name != "Ada" {
		t.Errorf("%+v", list)
	}
	// Changed it waits again, and staff who had the words of before look again.
	m, err := h.Put(ctx, ada, m.ID, review.Words{Name: "Ada", Stars: 1, Text: "It was rude."})
	h.wants("changing it", err, nil)
	h.stands("changed", m, ada, review.Waiting)
	if len(h.list(review.Review, review.Newest)) != 0 {
		t.Error("nobody has looked at it")
	}
	decide("shown as it was", review.Decision{State: review.Refused, Reason: "x"}, m.Version-1, audit.ErrChanged)
	decide("refused", review.Decision{State: review.Refused, Reason: "Be polite"}, m.Version, nil)
	if got := h.stands("refused", m, ada, review.Refused); got.Reason != "Be polite" {
		t.Errorf("%+v", got)
	}
	if got := h.told(m.ID); !slices.Equal(got, []string{"shown", "refused"}) {
		t.Errorf("told of %v", got)
	}
	edits, _, err := audit.Changes(ctx, h.db, h.event, booking.Page{Limit: 2})
	if err != nil || len(edits) != 2 || edits[0].Reason != "Be polite" || edits[0].Who != "staff:olga" || edits[0].Name != m.ID || edits[0].What != audit.OfPost {
		t.Errorf("written down is %+v, %v", edits, err)
	}
}

func TestOfTwoStaffWhoDecideOneLooksAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	m := h.says(h.person(), h.draft(review.Question))
	decisions := []review.Decision{{State: review.Shown}, {State: review.Refused, Reason: "Off topic"}, {State: review.Refused, Reason: "Rude"}}
	errs := make([]error, len(decisions))
	// They all begin before one of them ends: the post is held until all wait for it.
	tx, err := h.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }() // after a commit it does nothing
	if _, err := tx.Exec(t.Context(), `select from posts where id = $1 for update`, m.ID); err != nil {
		t.Fatal(err)
	}
	var all errgroup.Group
	for i, d := range decisions {
		all.Go(func() error {
			_, errs[i] = h.Decide(t.Context(), tenant.House, m.ID, d, seen(m.Version))
			return nil
		})
	}
	tick, end := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for waiting := 0; waiting < len(decisions); {
		select {
		case <-end:
			t.Fatalf("%d wait for the post", waiting)
		case <-tick.C:
			h.get(&waiting, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = all.Wait() // each has an answer of its own
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won < 0:
			won = i
		case !errors.Is(err, audit.ErrChanged):
			t.Errorf("decision %d: %v", i, err)
		}
	}
	if won < 0 {
		t.Fatal("nobody has decided")
	}
	got, err := h.One(t.Context(), tenant.House, m.ID)
	if err != nil || got.State != decisions[won].State || got.Reason != decisions[won].Reason || got.Version != m.Version+1 {
		t.Errorf("%+v, %v; want %+v", got, err, decisions[won])
	}
}

func TestShownAtOnceAndLookedAtLater(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx, ada := t.Context(), h.was()
	k, err := h.Settings(ctx, tenant.House)
	if err != nil || !k.Before || k.Version != 0 {
		t.Errorf("without a word: %+v, %v", k, err)
	}
	put := func(what string, before bool, seenVersion int, want error) {
		t.Helper()
		_, err := h.PutSettings(ctx, tenant.House, before, seen(seenVersion))
		h.wants(what, err, want)
	}
	put("of a version there is not", false, 3, audit.ErrChanged)
	put("at once", false, 0, nil)
	put("by who has not seen that", true, 0, audit.ErrChanged)
	m := h.says(ada, h.draft(review.Review))
	h.stands("at once", m, ada, review.Shown)
	m, err = h.Put(ctx, ada, m.ID, review.Words{Name: "Ada", Stars: 2, Text: "Spam."})
	h.wants("changing it", err, nil)
	h.stands("changed", m, ada, review.Shown)
	// Reported it is in the queue, once of each who does; staff let it be, and that is that.
	bob := h.person()
	for range 2 {
		h.wants("reporting", h.Report(ctx, bob, m.ID), nil)
	}
	if !slices.Equal(h.queue(review.OfReported), []string{m.ID}) {
		t.Error("nobody sees that it is reported")
	}
	i, err := h.Decide(ctx, tenant.House, m.ID, review.Decision{State: review.Shown}, seen(m.Version))
	if err != nil || i.Reported != 0 || len(h.told(m.ID)) != 0 {
		t.Errorf("let be: %+v, %v, told of %v", i, err, h.told(m.ID))
	}
	h.wants("reporting once more", h.Report(ctx, bob, m.ID), nil)
	if len(h.queue(review.OfReported)) != 0 {
		t.Error("who has reported it already does so again")
	}
	h.wants("another does", h.Report(ctx, ada, m.ID), nil)
	i, err = h.Decide(ctx, tenant.House, m.ID, review.Decision{State: review.Refused, Reason: "Spam"}, seen(i.Version))
	if err != nil || len(h.queue(review.OfReported)) != 0 || len(h.list(review.Review, review.Newest)) != 0 || !slices.Equal(h.queue(review.OfRefused), []string{m.ID}) {
		t.Errorf("hidden: %+v, %v", i, err)
	}
	// What was hidden does not come back by a change.
	m, err = h.Put(ctx, ada, m.ID, review.Words{Name: "Ada", Stars: 2, Text: "Spam, again."})
	h.wants("changing it", err, nil)
	h.stands("changed", m, ada, review.Waiting)
	put("before", true, 1, nil)
	put("by who has seen the one of before", false, 1, audit.ErrChanged)
}

func TestTheOrganizerAnswers(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx, ada, bob := t.Context(), h.person(), h.person()
	m := h.says(ada, h.draft(review.Question))
	_, err := h.Answer(ctx, tenant.House, m.ID, "a\u202eb", seen(1))
	h.wants("what cannot be read", err, review.ErrInvalid)
	_, err = h.Answer(ctx, tenant.House, m.ID, "Yes.", seen(2))
	h.wants("what nobody has seen", err, audit.ErrChanged)
	for range 2 { // the same again is the same
		_, err = h.Answer(ctx, tenant.House, m.ID, "Yes, of 20 minutes.", seen(1))
		h.wants("answering", err, nil)
	}
	list := h.list(review.Question, review.Newest)
	if len(list) != 1 || list[0].Answer == nil || list[0].Answer.Text != "Yes, of 20 minutes." || list[0].Answer.By == "" {
		t.Fatalf("%+v", list)
	}
	if got := h.told(m.ID); !slices.Equal(got, []string{"answered"}) {
		t.Errorf("told of %v", got)
	}
	_, err = h.Answer(ctx, tenant.House, m.ID, "Yes, of 25 minutes.", seen(2))
	h.wants("answering anew", err, nil)
	if got := h.told(m.ID); !slices.Equal(got, []string{"answered", "answered"}) {
		t.Errorf("told of %v", got)
	}
	talk := h.shown(bob, review.Draft{Kind: review.Comment, Parent: m.ID, Words: review.Words{Name: "Bob", Text: "Thanks!"}})
	_, err = h.Answer(ctx, tenant.House, talk.ID, "x", seen(2))
	h.wants("answering a comment", err, review.ErrTalk)
	// Its writer takes it back: nothing of it is left but where it stood.
	h.wants("taking it back", h.Withdraw(ctx, ada, m.ID), nil)
	h.wants("again", h.Withdraw(ctx, ada, m.ID), nil)
	list = h.list(review.Question, review.Newest)
	if len(list) != 1 || !list[0].Gone || list[0].Name+list[0].Text != "" || list[0].Comments != 1 || list[0].Answer == nil {
		t.Errorf("%+v", list)
	}
	talks, _, err := h.Comments(ctx, h.event, m.ID, booking.Page{})
	if err != nil || len(talks) != 1 || talks[0].Text != "Thanks!" {
		t.Errorf("%+v, %v", talks, err)
	}
	_, err = h.Decide(ctx, tenant.House, m.ID, review.Decision{State: review.Shown}, seen(3))
	h.wants("what is gone", err, review.ErrUnknown)
	// What nobody has answered leaves nothing.
	lone := h.shown(ada, h.draft(review.Question))
	h.wants("taking that back", h.Withdraw(ctx, ada, lone.ID), nil)
	if n := len(h.list(review.Question, review.Newest)); n != 1 {
		t.Errorf("%d are listed", n)
	}
	refused := h.says(ada, h.draft(review.Question))
	_, err = h.Decide(ctx, tenant.House, refused.ID, review.Decision{State: review.Refused, Reason: "x"}, seen(1))
	h.wants("refusing", err, nil)
	_, err = h.Answer(ctx, tenant.House, refused.ID, "x", seen(2))
	h.wants("answering what nobody reads", err, review.ErrHidden)
}

// Whatever comes and goes while somebody turns pages: they read everything that stays once, in
// order, and the sum is of what is shown.
func TestPagesAreStable(t *testing.T) {
	t.Parallel()
	h := open(t)
	write := func(stars int, state string) string {
		id := uuid.Must(uuid.NewV7()).String()
		h.exec(`insert into posts (id, organization_id, event_id, kind, person_id, name, stars, body, state) values ($1, $2, $3, 'review', $4, 'A', $5, 'b', $6)`, id, tenant.House, h.event, h.person(), stars, state)
		return id
	}
	rapid.Check(t, func(r *rapid.T) {
		h.exec(`delete from posts`)
		var stay []review.Post
		total := 0
		for range rapid.IntRange(0, 12).Draw(r, "reviews") {
			stars := rapid.IntRange(1, 5).Draw(r, "stars")
			stay, total = append(stay, review.Post{ID: write(stars, "shown"), Stars: stars}), total+stars
			write(stars, "waiting")
		}
		if rapid.Bool().Draw(r, "gap") {
			id := write(3, "shown")
			h.exec(`update posts set state = 'gone', name = '', body = '', stars = null, answer = 'Sorry.', answered_at = now() where id = $1`, id)
			stay = append(stay, review.Post{ID: id})
		}
		sum, err := h.Summary(t.Context(), h.event)
		if err != nil {
			r.Fatal(err)
		}
		rated := 0
		for _, p := range stay {
			if p.Stars > 0 {
				rated++
			}
		}
		if sum.Count != rated || rated > 0 && (sum.Average-float64(total)/float64(rated) > .0501 || float64(total)/float64(rated)-sum.Average > .0501) {
			r.Fatalf("%+v of %d with %d stars", sum, rated, total)
		}
		order := rapid.SampledFrom([]review.Order{review.Newest, review.Best, review.Worst}).Draw(r, "order")
		size := rapid.IntRange(1, 4).Draw(r, "size")
		var got []string
		for p := (booking.Page{Limit: size}); ; {
			list, next, err := h.List(t.Context(), h.event, review.Review, order, p)
			if err != nil {
				r.Fatal(err)
			}
			for _, one := range list {
				if slices.ContainsFunc(stay, func(p review.Post) bool { return p.ID == one.ID }) {
					got = append(got, one.ID)
				}
			}
			if p.Cursor = next; next == "" {
				break
			}
			write(rapid.IntRange(1, 5).Draw(r, "meanwhile"), "shown")
		}
		slices.SortStableFunc(stay, func(a, b review.Post) int {
			if order == review.Best && a.Stars != b.Stars {
				return b.Stars - a.Stars
			}
			if order == review.Worst && a.Stars != b.Stars {
				if a.Stars == 0 || b.Stars == 0 {
					return b.Stars - a.Stars
				}
				return a.Stars - b.Stars
			}
			return strings.Compare(b.ID, a.ID)
		})
		var want []string
		for _, p := range stay {
			want = append(want, p.ID)
		}
		if !slices.Equal(got, want) {
			r.Fatalf("%s: %v, want %v", order, got, want)
		}
	})
	for _, c := range []struct {
		order  review.Order
		cursor string
	}{{review.Best, uuid.NewString()}, {review.Best, "9." + uuid.NewString()}, {review.Worst, "1.x"}, {review.Newest, "x"}, {review.Newest, "1." + uuid.NewString()}, {"loudest", ""}} {
		_, _, err := h.List(t.Context(), h.event, review.Review, c.order, booking.Page{Cursor: c.cursor})
		h.wants(string(c.order)+" behind "+c.cursor, err, booking.ErrPage)
	}
	_, _, err := h.List(t.Context(), h.event, review.Question, review.Best, booking.Page{})
	h.wants("questions by stars", err, booking.ErrPage)
	_, _, err = h.Queue(t.Context(), tenant.House, "all", booking.Page{})
	h.wants("another queue", err, booking.ErrPage)
}
