package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

// A buyer ticks a box, and ends it by one POST without a sign-in; a link that was changed does nothing.
func TestANewsletterIsEndedByOnePost(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	held := c.hold(fan, 1).ID
	order := func(words string) answer {
		return c.do(http.MethodPost, ordersPath, fan, c.json(m{"hold": held, "email": "fan@example.org", "payment_method": sandbox.OK, "newsletter": words}), "Idempotency-Key", fmt.Sprint("k", len(words)))
	}
	order("a\nb").refused(http.StatusUnprocessableEntity, newsletter.ErrWords.Code)
	order("Write to me now and then").is(http.StatusCreated, nil)
	state := func() (id, state string) {
		if err := c.db.QueryRow(t.Context(), `select id::text, state from newsletter_consents where email = 'fan@example.org' and words = 'Write to me now and then'`).Scan(&id, &state); err != nil {
			t.Fatal(err)
		}
		return id, state
	}
	id, is := state()
	if is != "asked" {
		t.Errorf("at first it is %s", is)
	}
	keys := newsletter.Keys(c.api.server.links)
	path := func(step optin.Step) string { return strings.TrimPrefix(keys.Link("", id, step), "") }
	for _, wrong := range []string{path(optin.Leave) + "x", strings.Replace(path(optin.Leave), "/leave", "/confirm", 1), strings.Replace(path(optin.Leave), "/leave", "/other", 1), strings.Split(path(optin.Leave), "?")[0], strings.Replace(path(optin.Leave), id, tenant.House, 1)} {
		c.get(wrong, "").refused(http.StatusNotFound, "route-unknown")
		c.do(http.MethodPost, wrong, "", "List-Unsubscribe=One-Click", "Content-Type", "application/x-www-form-urlencoded").refused(http.StatusNotFound, "route-unknown")
	}
	page := c.get(path(optin.Confirm), "")
	if page.Status != http.StatusOK || !strings.Contains(string(page.Body), `<form method="post">`) || page.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page is %d %s %s", page.Status, page.Header, page.Body)
	}
	if _, is := state(); is != "asked" {
		t.Errorf("after it was looked at it is %s", is)
	}
	post := func(step optin.Step, body string, headers ...string) answer {
		return c.do(http.MethodPost, path(step), "", body, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	}
	post(optin.Confirm, "List-Unsubscribe=One-Click", "Sec-Fetch-Site", "same-origin")
	if _, is := state(); is != "given" {
		t.Errorf("confirmed it is %s", is)
	}
	post(optin.Leave, "", "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
	for range 2 { // a mail program sends neither a cookie nor where it comes from, and may send it again
		if a := post(optin.Leave, "List-Unsubscribe=One-Click"); a.Status != http.StatusOK {
			t.Errorf("leaving: %d %s", a.Status, a.Body)
		}
	}
	if _, is := state(); is != "withdrawn" {
		t.Errorf("after one POST it is %s", is)
	}
	post(optin.Confirm, "List-Unsubscribe=One-Click").refused(http.StatusConflict, newsletter.ErrOver.Code)
}

// An organizer sees how many would get a newsletter, and not who; who has an account gives and
// withdraws their consent there.
func TestAnOrganizerWritesToWhoHasConsented(t *testing.T) {
	t.Parallel()
	c := start(t)
	ada := c.member(ada)
	mine := mePath + "/newsletters"
	at := mine + "/" + tenant.House
	send := func(key string) answer {
		return c.organize(http.MethodPost, newslettersPath, c.json(m{"subject": "A season", "text": "Come."}), "Idempotency-Key", key)
	}
	send("a").refused(http.StatusConflict, newsletter.ErrNobody.Code)
	c.do(http.MethodPut, at, ada, c.json(m{"words": ""})).refused(http.StatusUnprocessableEntity, newsletter.ErrWords.Code)
	c.do(http.MethodPut, at, ada, c.json(m{"words": "Write to me"})).is(http.StatusNoContent, nil)
	c.do(http.MethodPut, mine+"/x", ada, c.json(m{"words": "Write to me"})).refused(http.StatusNotFound, newsletter.ErrUnknown.Code)
	var list SubscriptionList
	if c.get(mine, ada).is(http.StatusOK, &list); len(list.Newsletters) != 1 || list.Newsletters[0].State != "given" || list.Newsletters[0].Words != "Write to me" {
		t.Errorf("hers are %+v", list)
	}
	var export Export
	if c.get(mePath+"/export", ada).is(http.StatusOK, &export); len(export.Newsletters) != 1 {
		t.Errorf("her file has %+v", export.Newsletters)
	}
	var shown ShownNewsletter
	c.organize(http.MethodPost, newslettersPath+"/preview", c.json(m{"subject": "<i>A season</i>", "text": "Come."})).is(http.StatusOK, &shown)
	if shown.Readers != 1 || !strings.Contains(shown.HTML, "&lt;i&gt;A season") || strings.Contains(shown.HTML, "ada@") {
		t.Errorf("it would be %+v", shown)
	}
	bad := c.organize(http.MethodPost, newslettersPath+"/preview", c.json(m{"subject": "S\r\nBcc: x@example.org", "text": "T"}))
	if bad.refused(http.StatusUnprocessableEntity, newsletter.ErrInvalid.Code); !strings.Contains(string(bad.Body), `"pointer":"/subject"`) {
		t.Errorf("it is refused with %s", bad.Body)
	}
	c.organize(http.MethodPost, newslettersPath, c.json(m{"subject": "A season", "text": "Come."})).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	var sent newsletter.Newsletter
	for range 2 {
		if send("b").is(http.StatusCreated, &sent); sent.Readers != 1 || sent.Waiting != 1 {
			t.Errorf("sent is %+v", sent)
		}
	}
	var all NewsletterList
	if c.organize(http.MethodGet, newslettersPath, "").is(http.StatusOK, &all); len(all.Newsletters) != 1 {
		t.Errorf("sent are %+v", all)
	}
	c.do(http.MethodDelete, at, ada, "").is(http.StatusNoContent, nil)
	send("c").refused(http.StatusConflict, newsletter.ErrNobody.Code)
}
