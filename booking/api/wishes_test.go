package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wish"
)

// Who has no account leaves an address, and counts once they have pressed the button of the
// letter; a link that is followed does nothing yet. Nobody is told which addresses are known,
// and a stranger has one letter a day of an event, and five in all.
func TestAGuestIsToldWhenASaleOpensOnceTheySaidSo(t *testing.T) {
	t.Parallel()
	c := start(t)
	var list struct{ Events []struct{ ID string } }
	c.get("/api/v1/events", "").is(http.StatusOK, &list)
	event := list.Events[0].ID
	ask := func(event, email string, headers ...string) answer {
		c.forgive("asks")
		return c.post("/api/v1/events/"+event+"/wishes", m{"email": email}, headers...)
	}
	for _, bad := range []string{"", "ada", "Ada <ada@example.org>", "ada@example.org\r\nBcc: eve@example.org", "ada@example.org, eve@example.org", strings.Repeat("a", 250) + "@example.org"} {
		ask(event, bad).refused(http.StatusUnprocessableEntity, "email-invalid")
	}
	ask(uuid.NewString(), "ada@example.org").refused(http.StatusNotFound, "event-unknown")
	first := ask(event, "ada@example.org", "Accept-Language", "de")
	first.is(http.StatusAccepted, nil)
	for range 3 { // who asks again, or has an account, is answered the same, and has no second letter
		if again := ask(event, "ADA@example.org", "Accept-Language", "de"); again.Status != first.Status || string(again.Body) != string(first.Body) {
			t.Errorf("asked again: %d %s", again.Status, again.Body)
		}
	}
	all := c.letters("ada@example.org")
	if len(all) != 1 || !strings.HasPrefix(all[0].Subject, "Sollen wir Bescheid geben") || !strings.Contains(all[0].Unsubscribe, "/leave?key=") {
		t.Fatalf("she has %+v", all)
	}
	state := func() (s string) {
		t.Helper()
		if err := c.db.QueryRow(t.Context(), `select coalesce((select state from opening_wishes), 'none')`).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	link := func(l mail.Message, step string) string {
		t.Helper()
		from := l.Text
		if step == "leave" {
			from = l.Unsubscribe
		}
		_, rest, ok := strings.Cut(from, "/api/v1/events/wishes/")
		if !ok {
			t.Fatalf("there is no link in %q", from)
		}
		return "/api/v1/events/wishes/" + strings.Fields(rest)[0]
	}
	confirm, leave := link(all[0], "confirm"), link(all[0], "leave")
	press := func(path string) answer {
		return c.do(http.MethodPost, path, "", "List-Unsubscribe=One-Click", "Content-Type", "application/x-www-form-urlencoded")
	}
	if a := c.get(confirm, ""); a.Status != http.StatusOK || !strings.Contains(string(a.Body), "<form method=\"post\">") || state() != "asked" {
		t.Errorf("the link leads to %d, and it is %s: %s", a.Status, state(), a.Body)
	}
	for _, forged := range []string{strings.Replace(confirm, "/confirm", "/leave", 1), strings.Replace(leave, "/leave", "/confirm", 1), confirm + "x", strings.Replace(confirm, "confirm", "other", 1)} {
		press(forged).refused(http.StatusNotFound, "route-unknown")
	}
	for range 2 {
		if a := press(confirm); a.Status != http.StatusOK || state() != "given" {
			t.Errorf("confirmed: %d, and it is %s", a.Status, state())
		}
	}
	ask(event, "ada@example.org").is(http.StatusAccepted, nil)
	if n := len(c.letters("ada@example.org")); n != 1 {
		t.Errorf("who has confirmed is asked again, with %d letters", n)
	}
	press(leave)
	if a := press(leave); a.Status != http.StatusOK || state() != "none" || len(c.letters("ada@example.org")) != 0 {
		t.Errorf("left: %d, it is %s, and there are %d letters on their way", a.Status, state(), len(c.letters("ada@example.org")))
	}
	press(confirm).refused(http.StatusNotFound, "wish-unknown")

	// Of other events of a day a stranger has four more letters.
	for i := range wish.MostOfAddress + 2 {
		id := uuid.NewString()
		if _, err := c.db.Exec(t.Context(), `insert into events (id, organization_id, title, state, published_at) select $1, organization_id, $3, 'published', now() from events where id = $2`, id, event, fmt.Sprint("Other ", i)); err != nil {
			t.Fatal(err)
		}
		ask(id, "victim@example.org").is(http.StatusAccepted, nil)
	}
	if n := len(c.letters("victim@example.org")); n != wish.MostOfAddress {
		t.Errorf("a stranger has %d letters in a day", n)
	}
	if _, err := c.db.Exec(t.Context(), `update opening_wishes set asked_at = now() - interval '25 hours'`); err != nil {
		t.Fatal(err)
	}
	ask(event, "victim@example.org").is(http.StatusAccepted, nil)
	if n := len(c.letters("victim@example.org")); n != wish.MostOfAddress+1 {
		t.Errorf("on another day they have %d letters", n)
	}
}
