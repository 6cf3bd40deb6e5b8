package api

import (
	"net/http"
	"strings"
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
	const chosenAt, number = mePath + "/channels", "+351912345678"
	var chosen mail.Chosen
	wants := `{"phone": "+351 912 345 678", "texts": ["turn", "change"], "silent": ["reminder"]}`
	c.do(http.MethodPut, chosenAt, ada, wants).refused(http.StatusServiceUnavailable, mail.ErrTextsOff.Code)
	if c.get(chosenAt, ada).is(http.StatusOK, &chosen); chosen.Phone != "" || chosen.Texting {
		t.Errorf("without a gateway chosen are %+v", chosen)
	}
	if err := mail.New(c.db, c.config.People).SayTexting(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.do(http.MethodPost, chosenAt+"/code", ada, `{}`).refused(http.StatusConflict, mail.ErrPhoneDone.Code)
	c.do(http.MethodPut, chosenAt, ada, wants).is(http.StatusOK, nil)
	if c.get(chosenAt, ada).is(http.StatusOK, &chosen); chosen.Phone != number || chosen.Confirmed || len(chosen.Texts) != 2 || len(chosen.Silent) != 1 {
		t.Errorf("chosen are %+v", chosen)
	}
	c.do(http.MethodPost, chosenAt+"/code", ada, `{}`).is(http.StatusAccepted, nil)
	texts := c.letters(number)
	code, _, _ := strings.Cut(texts[0].Text, " ")
	if len(texts) != 1 || len(code) != 6 || !strings.HasSuffix(texts[0].Text, "\n\n@tickets.example.org #"+code) {
		t.Fatalf("on their way to her are %+v", texts)
	}
	var clear int
	if err := c.db.QueryRow(t.Context(), `select count(*) from (select p::text as row from phone_proofs p union all select c::text from code_counts c union all select m::text from mails m) r
		where strpos(row, encode($1, 'hex')) + strpos(row, encode($2, 'hex')) + strpos(row, $3) > 0`, []byte(code), []byte(number), number).Scan(&clear); err != nil || clear != 0 {
		t.Errorf("%d rows say the code or the number: %v", clear, err)
	}
	prove := func(who, code string) answer {
		return c.do(http.MethodPost, chosenAt+"/prove", who, c.json(m{"code": code}))
	}
	prove(ada, "no code").refused(http.StatusForbidden, mail.ErrCode.Code)
	prove(grace, code).refused(http.StatusGone, mail.ErrCodeOver.Code)
	if prove(ada, code).is(http.StatusOK, &chosen); !chosen.Confirmed {
		t.Errorf("confirmed it is %+v", chosen)
	}
	chosen = mail.Chosen{}
	if c.get(chosenAt, grace).is(http.StatusOK, &chosen); chosen.Phone != "" || len(chosen.Texts) != 0 || chosen.Confirmed {
		t.Errorf("another has %+v", chosen)
	}
	if c.get(at, ada).is(http.StatusOK, &list); len(list.Messages) != 1 {
		t.Errorf("the code is in her inbox: %+v", list)
	}
	var export Export
	if c.get(mePath+"/export", ada).is(http.StatusOK, &export); len(export.Messages) != 1 || export.Channels.Phone != number || !export.Channels.Confirmed {
		t.Errorf("her file has %+v, %+v", export.Messages, export.Channels)
	}
}
