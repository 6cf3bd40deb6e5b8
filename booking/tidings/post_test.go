package tidings_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/review"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Who has said something hears once what became of it, in their language; nothing of what is not
// so any more, and nothing once they have taken it back, or are erased.
func TestWhoHasSaidSomethingHearsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.writer.Site = "https://tickets.example.org"
	names := map[string]string{}
	r.writer.Account = func(_ context.Context, person string) (string, string, error) {
		return names[person] + "@example.org", map[string]string{"shown": "de"}[names[person]], nil
	}
	store := review.New(r.db)
	var event string
	if err := r.db.QueryRow(t.Context(), `update events set state = 'published' returning id::text`).Scan(&event); err != nil {
		t.Fatal(err)
	}
	var sender string
	if err := r.db.QueryRow(t.Context(), `select name from organizations where id = $1`, tenant.House).Scan(&sender); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shown", "refused", "answered", "hidden", "back", "erased"} {
		person := uuid.NewString()
		names[person] = name
		r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, $2, 'b', 'c', 'active')`, person, []byte(name))
		m, err := store.Create(t.Context(), person, "k", review.Draft{Kind: review.Question, Event: event, Words: review.Words{Name: name, Text: "Is it long?"}})
		if err != nil {
			t.Fatal(err)
		}
		by, staff := audit.Change{Who: "staff:olga", Seen: 1}, tenant.With(t.Context(), tenant.House)
		switch name {
		case "refused":
			_, err = store.Decide(staff, tenant.House, m.ID, review.Decision{State: review.Refused, Reason: "It says so <above>."}, by)
		case "answered":
			_, err = store.Answer(staff, tenant.House, m.ID, "Two hours & a half.\n\nhttps://evil.example.org", by)
		default:
			_, err = store.Decide(staff, tenant.House, m.ID, review.Decision{State: review.Shown}, by)
		}
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "hidden":
			by.Seen = 2
			if _, err := store.Decide(staff, tenant.House, m.ID, review.Decision{State: review.Refused, Reason: "Rude"}, by); err != nil {
				t.Fatal(err)
			}
		case "back":
			if err := store.Withdraw(t.Context(), person, m.ID); err != nil {
				t.Fatal(err)
			}
		case "erased":
			r.exec(`update people set state = 'closed' where id = $1`, person)
		}
	}
	r.again()
	r.serve(r.done)
	got := r.heard()
	for want, says := range map[string]string{
		"shown@example.org: Was Sie über Gala geschrieben haben, ist jetzt zu lesen": "Jetzt können es alle hier lesen",
		"refused@example.org: What you wrote about Gala is not shown":                "It says so <above>.",
		"hidden@example.org: What you wrote about Gala is not shown":                 "Rude",
		"answered@example.org: " + sender + " has answered you about Gala":           "Two hours & a half.",
	} {
		l, ok := got[want]
		if !ok || !strings.Contains(l.Text, says) || !strings.Contains(l.Text, "https://tickets.example.org/events/"+event) {
			t.Errorf("%s: %q", want, l.Text)
		}
	}
	if len(got) != 4 {
		t.Errorf("there came %d letters", len(got))
	}
	if n := r.count(`select count(*) from inbox`); n != 4 {
		t.Errorf("%d are in inboxes", n)
	}
}
