package api

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
)

// Who is signed in reads what was told to them, and nothing that was told to others.
func TestMyMessagesAreMine(t *testing.T) {
	t.Parallel()
	c := start(t)
	ada, grace := c.member(ada), c.member("grace@example.org")
	var me MyAccount
	c.get(mePath, ada).is(http.StatusOK, &me)
	if err := pgx.BeginFunc(t.Context(), c.db, func(tx pgx.Tx) error {
		_, err := c.api.server.letters.Post(t.Context(), tx, mail.Message{To: me.Email, Subject: "Your tickets", Text: "Here"}, mail.Slip{Person: me.ID, Cause: "confirmation:1", For: 1e9})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const at = mePath + "/messages"
	var list MessageList
	if c.get(at, grace).is(http.StatusOK, &list); len(list.Messages) != 0 || list.Unread != 0 {
		t.Errorf("another has %+v", list)
	}
	if c.get(at, ada).is(http.StatusOK, &list); len(list.Messages) != 1 || list.Unread != 1 || list.Messages[0].Subject != "Your tickets" || list.Messages[0].Text != "Here" {
		t.Fatalf("she has %+v", list)
	}
	one := at + "/" + list.Messages[0].ID
	c.do(http.MethodPut, one, grace, `{"read": true}`).refused(http.StatusNotFound, mail.ErrNotReceived.Code)
	c.do(http.MethodPut, one, ada, `{"read": true}`).is(http.StatusNoContent, nil)
	if c.get(at, ada).is(http.StatusOK, &list); list.Unread != 0 || !list.Messages[0].Read {
		t.Errorf("read it is %+v", list)
	}
	for _, bad := range []string{`{"phone": "12", "texts": [], "silent": []}`, `{"texts": ["change"], "silent": []}`, `{"phone": "+351912345678", "texts": ["other"], "silent": []}`} {
		if a := c.do(http.MethodPut, mePath+"/channels", ada, bad); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s is answered with %d", bad, a.Status)
		}
	}
	var chosen mail.Channels
	c.do(http.MethodPut, mePath+"/channels", ada, `{"phone": "+351 912 345 678", "texts": ["turn", "change"], "silent": ["reminder"]}`).is(http.StatusOK, nil)
	if c.get(mePath+"/channels", ada).is(http.StatusOK, &chosen); chosen.Phone != "+351912345678" || len(chosen.Texts) != 2 || len(chosen.Silent) != 1 {
		t.Errorf("chosen are %+v", chosen)
	}
	chosen = mail.Channels{}
	if c.get(mePath+"/channels", grace).is(http.StatusOK, &chosen); chosen.Phone != "" || len(chosen.Texts) != 0 {
		t.Errorf("another has %+v", chosen)
	}
	var export Export
	if c.get(mePath+"/export", ada).is(http.StatusOK, &export); len(export.Messages) != 1 {
		t.Errorf("her file has %+v", export.Messages)
	}
}
