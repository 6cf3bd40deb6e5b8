package api

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/mail"
)

// An SRE sees which letters were given up, and to whom, and has one sent again: once.
func TestDeadLettersAreSeenAndSentAgain(t *testing.T) {
	t.Parallel()
	c := start(t)
	ada := "ada@example.org"
	c.post("/api/v1/accounts", m{"email": ada, "password": password, "name": "Ada"}).is(http.StatusAccepted, nil)
	const at = organizer + "/dead-letters"
	var list DeadLetterList
	if c.get(at, "key-sre").is(http.StatusOK, &list); len(list.Letters) != 0 {
		t.Errorf("before any was given up there are %+v", list)
	}
	if _, err := c.db.Exec(t.Context(), `update mails set state = 'failed', tries = 9, problem = 'refused', give_up_at = now()`); err != nil {
		t.Fatal(err)
	}
	c.get(at, "key-olga").refused(http.StatusForbidden, ErrSREOnly.Code)
	if c.get(at, "key-sre").is(http.StatusOK, &list); len(list.Letters) != 1 || list.Letters[0].To != ada || list.Letters[0].Problem != "refused" || list.Letters[0].State != "failed" || list.Letters[0].Tries != 9 {
		t.Fatalf("there are %+v", list)
	}
	for range 2 {
		var d mail.Dead
		if c.do(http.MethodPost, at+"/"+list.Letters[0].ID+"/retry", "key-sre", "{}").is(http.StatusOK, &d); d.State != "due" || d.To != ada || d.Tries != 0 {
			t.Errorf("it is %+v", d)
		}
	}
	var jobs int
	if err := c.db.QueryRow(t.Context(), `select count(*) from river_job where args ->> 'letter' = $1`, list.Letters[0].ID).Scan(&jobs); err != nil || jobs != 2 {
		t.Errorf("%d jobs, the first of them when it was written: %v", jobs, err)
	}
	for _, unknown := range []string{uuid.NewString(), "x"} {
		c.do(http.MethodPost, at+"/"+unknown+"/retry", "key-sre", "{}").refused(http.StatusNotFound, "letter-unknown")
	}
}
