package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/ropeline/ropeline/booking/review"
)

// says has somebody have asked something of an event, and says by which id.
func (c *core) says(event, state, text string) (id string) {
	c.t.Helper()
	if err := c.db.QueryRow(c.t.Context(), `
		with p as (insert into people (id, email_mac, wrapped, sealed, password) values (gen_random_uuid(), gen_random_uuid()::text::bytea, '', '', 'x') returning id)
		insert into posts (id, organization_id, event_id, kind, person_id, name, body, state) select gen_random_uuid(), e.organization_id, e.id, 'question', p.id, 'Somebody', $3, $2 from events e, p where e.id = $1 returning id::text`,
		event, state, text).Scan(&id); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// From the ticket that opens the door to the review that everybody reads.
func TestWhoWasThereWritesAReview(t *testing.T) {
	t.Parallel()
	c := start(t)
	ada, eve, fan := c.member(ada), c.member("eve@example.org"), c.fan()
	var event string
	if err := c.db.QueryRow(t.Context(), `update events set state = 'published' where id = (select event_id from performances where id = $1) returning id::text`, c.show.ID).Scan(&event); err != nil {
		t.Fatal(err)
	}
	var o Order
	c.payAs(fan, ada, "k", c.hold(fan, 1).ID).is(http.StatusCreated, &o)
	standing := func(who string) (s MyStanding) {
		t.Helper()
		c.get(mePath+"/events/"+event+"/review", who).is(http.StatusOK, &s)
		return s
	}
	write := func(who, key string, body m) answer {
		return c.do(http.MethodPost, mePath+"/posts", who, c.json(body), "Idempotency-Key", key)
	}
	listed := func(query string) (l PostList) {
		t.Helper()
		c.get("/api/v1/events/"+event+"/posts"+query, "").is(http.StatusOK, &l)
		return l
	}
	good := m{"kind": "review", "event": event, "stars": 5, "name": "Ada", "text": "<b>Great</b>\nI wept."}
	write(ada, "before", good).refused(http.StatusForbidden, review.ErrNotThere.Code)
	if a := c.scans("key-door", m{"code": c.code(PassTicket{ID: o.Tickets[0].ID, Issue: 1})}); !a.Passed {
		t.Fatalf("the door stays shut: %+v", a)
	}
	if s := standing(ada); !s.There || s.Name != "Ada" || s.Review != nil {
		t.Errorf("she stands %+v", s)
	}
	if s := standing(eve); s.There {
		t.Errorf("who was not there stands %+v", s)
	}
	write(eve, "k", good).refused(http.StatusForbidden, review.ErrNotThere.Code)
	var mine review.Own
	for range 2 {
		write(ada, "k", good).is(http.StatusCreated, &mine)
	}
	write(ada, "l", good).refused(http.StatusConflict, review.ErrTwice.Code)
	if mine.State != review.Waiting || len(listed("").Posts) != 0 {
		t.Errorf("it is %+v", mine)
	}

	// Staff look at it; another organization's find nothing.
	c.founded("rival")
	at := ownPostsPath + "/" + mine.ID
	tag := func(version int) []string { return []string{"If-Match", fmt.Sprintf(`"%d"`, version)} }
	var queue OwnPostList
	if c.get(ownPostsPath, "key-rival").is(http.StatusOK, &queue); len(queue.Posts) != 0 {
		t.Errorf("rivals read %+v", queue)
	}
	if c.get(ownPostsPath, "key-olga").is(http.StatusOK, &queue); len(queue.Posts) != 1 || queue.Posts[0].Text != "<b>Great</b>\nI wept." {
		t.Fatalf("there wait %+v", queue)
	}
	show := c.json(m{"state": "shown"})
	c.do(http.MethodPut, at+"/state", "key-rival", show, tag(1)...).refused(http.StatusNotFound, review.ErrUnknown.Code)
	c.do(http.MethodPut, at+"/answer", "key-rival", c.json(m{"text": "x"}), tag(1)...).refused(http.StatusNotFound, review.ErrUnknown.Code)
	c.do(http.MethodPut, at+"/state", "key-door", show, tag(1)...).refused(http.StatusForbidden, ErrOrganizerOnly.Code)
	c.do(http.MethodPut, at+"/state", "key-olga", show).refused(http.StatusPreconditionRequired, "if-match-missing")
	c.do(http.MethodPut, at+"/state", "key-olga", show, tag(2)...).refused(http.StatusPreconditionFailed, "changed-meanwhile")
	var one review.Case
	for range 2 { // the answer was lost
		c.do(http.MethodPut, at+"/state", "key-olga", show, tag(1)...).is(http.StatusOK, &one)
	}
	c.do(http.MethodPut, at+"/answer", "key-olga", c.json(m{"text": "Thank you!"}), tag(one.Version)...).is(http.StatusOK, &one)
	l := listed("?order=best")
	if l.Rating.Count != 1 || l.Rating.Average != 5 || l.Rating.Stars != [5]int{4: 1} || len(l.Posts) != 1 || l.Posts[0].Answer == nil || l.Posts[0].Answer.Text != "Thank you!" {
		t.Errorf("everybody reads %+v", l)
	}
	for _, bad := range []string{"?kind=comment", "?order=loudest", "?kind=question&order=best", "?cursor=x", "?limit=201"} {
		c.get("/api/v1/events/"+event+"/posts"+bad, "").refused(http.StatusUnprocessableEntity, "page-invalid")
	}

	// Eve comments and reports; her comment waits.
	write(eve, "c", m{"kind": "comment", "parent": mine.ID, "name": "Eve", "text": "Me too."}).is(http.StatusCreated, nil)
	c.do(http.MethodPut, mePath+"/reports/"+mine.ID, eve, "").is(http.StatusNoContent, nil)
	if c.get(ownPostsPath+"?which=reported", "key-olga").is(http.StatusOK, &queue); len(queue.Posts) != 1 || queue.Posts[0].Reported != 1 {
		t.Errorf("reported are %+v", queue)
	}
	var comments CommentList
	if c.get("/api/v1/events/"+event+"/posts/"+mine.ID+"/comments", "").is(http.StatusOK, &comments); len(comments.Comments) != 0 {
		t.Errorf("nobody has looked at %+v", comments)
	}

	// Her file has it; changed it waits; what Ada is erased of leaves a gap where it was answered.
	var export Export
	if c.get(mePath+"/export", ada).is(http.StatusOK, &export); len(export.Posts) != 1 || export.Posts[0].Text != mine.Text {
		t.Errorf("her file has %+v", export.Posts)
	}
	c.do(http.MethodPut, mePath+"/posts/"+mine.ID, eve, c.json(m{"stars": 1, "name": "Eve", "text": "x"})).refused(http.StatusNotFound, review.ErrUnknown.Code)
	c.do(http.MethodPut, mePath+"/posts/"+mine.ID, ada, c.json(m{"stars": 4, "name": "Ada", "text": "On second thought"})).is(http.StatusOK, &mine)
	if mine.State != review.Waiting || listed("").Rating.Count != 0 || standing(ada).Review == nil {
		t.Errorf("changed it is %+v", mine)
	}
	c.do(http.MethodPost, mePath+"/erase", ada, c.json(m{"password": password})).is(http.StatusNoContent, nil)
	l = listed("")
	if len(l.Posts) != 1 || !l.Posts[0].Gone || l.Posts[0].Name+l.Posts[0].Text != "" {
		t.Errorf("of her is left %+v", l)
	}

	// Questions, at once; and a scan that is taken back.
	var k Moderation
	if c.get(moderationPath, "key-olga").is(http.StatusOK, &k); !k.Before || k.Version != 0 {
		t.Errorf("without a word it is %+v", k)
	}
	put := func(headers ...string) answer {
		return c.do(http.MethodPut, moderationPath, "key-olga", c.json(m{"before": false}), headers...)
	}
	put().refused(http.StatusPreconditionRequired, "if-match-missing")
	for range 2 { // the answer was lost
		put("If-None-Match", "*").is(http.StatusCreated, &k)
	}
	put("If-Match", `"1"`).is(http.StatusOK, &k)
	put("If-None-Match", "*").refused(http.StatusPreconditionFailed, "changed-meanwhile")
	write(eve, "q", m{"kind": "question", "event": event, "name": "Eve", "text": "Is there an interval?"}).is(http.StatusCreated, &mine)
	if l := listed("?kind=question"); len(l.Posts) != 1 || l.Posts[0].Text != "Is there an interval?" {
		t.Errorf("asked is %+v", l)
	}
	c.payAs(fan, eve, "e", c.hold(fan, 2).ID).is(http.StatusCreated, &o)
	a := c.scans("key-door", m{"code": c.code(PassTicket{ID: o.Tickets[0].ID, Issue: 1}), "id": "00000000-0000-4000-8000-00000000abcd"})
	if !a.Passed || !standing(eve).There {
		t.Errorf("she was let in: %+v", a)
	}
	c.do(http.MethodPost, c.door("/scans/00000000-0000-4000-8000-00000000abcd/undo"), "key-super", c.json(m{"reason": "the wrong one"})).is(http.StatusNoContent, nil)
	write(eve, "r", good).refused(http.StatusForbidden, review.ErrNotThere.Code)
	c.do(http.MethodDelete, mePath+"/posts/"+mine.ID, eve, "").is(http.StatusNoContent, nil)
	if l := listed("?kind=question"); len(l.Posts) != 0 {
		t.Errorf("taken back it is %+v", l)
	}
	var many answer
	for i := range review.MostADay { // two there are already
		many = write(eve, fmt.Sprint("n", i), m{"kind": "question", "event": event, "name": "Eve", "text": "x"})
	}
	if many.refused(http.StatusTooManyRequests, review.ErrMany.Code); many.Header.Get("Retry-After") == "" {
		t.Error("it is not said when she may write again")
	}
}
