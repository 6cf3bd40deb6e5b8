package mail_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/mail"
)

// What is told to who has an account is read there, by nobody else, and forgotten after a
// while; what opens an account goes by mail alone.
func TestAnInboxHasWhatWasTold(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	post := func(person, cause, subject string) {
		t.Helper()
		if err := pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
			_, err := r.store.Post(ctx, tx, mail.Message{To: "ada@example.org", Subject: subject, Text: "Text of " + subject}, mail.Slip{Person: person, Cause: cause, For: time.Hour})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	post(r.who, "one", "First")
	post(r.who, "one", "First again") // of one cause there is one
	post(r.who, "", "A link that opens the account")
	post("", "two", "To a guest")
	post(r.who, "three", "Second")
	inbox := func(page booking.Page) ([]mail.Received, string, int) {
		t.Helper()
		all, next, unread, err := r.store.Inbox(ctx, r.who, page)
		if err != nil {
			t.Fatal(err)
		}
		return all, next, unread
	}
	all, next, unread := inbox(booking.Page{Limit: 1})
	if len(all) != 1 || all[0].Subject != "Second" || all[0].Text != "Text of Second" || all[0].Read || next == "" || unread != 2 {
		t.Fatalf("%d unread, and the newest is %+v", unread, all)
	}
	rest, next, _ := inbox(booking.Page{Limit: 1, Cursor: next})
	if len(rest) != 1 || rest[0].Subject != "First" || next != "" {
		t.Errorf("then come %+v", rest)
	}
	mark := func(person, id string, read bool, want error) {
		t.Helper()
		if err := r.store.Read(ctx, person, id, read); !errors.Is(err, want) {
			t.Errorf("marking: %v, want %v", err, want)
		}
	}
	for range 2 {
		mark(r.who, all[0].ID, true, nil)
	}
	if all, _, unread = inbox(booking.Page{}); unread != 1 || !all[0].Read || all[1].Read {
		t.Errorf("%d unread of %+v", unread, all)
	}
	mark(uuid.NewString(), all[1].ID, true, mail.ErrNotReceived)
	mark(r.who, uuid.NewString(), true, mail.ErrNotReceived)
	mark(r.who, "x", true, mail.ErrNotReceived)
	mark(r.who, all[0].ID, false, nil)
	if _, _, unread = inbox(booking.Page{}); unread != 2 {
		t.Errorf("%d unread after one was marked so", unread)
	}
	r.exec(`update inbox set created_at = now() - interval '91 days' where id = $1`, all[1].ID)
	if err := r.store.Sweep(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	if all, _, _ = inbox(booking.Page{}); len(all) != 1 || all[0].Subject != "Second" {
		t.Errorf("after 91 days there are %+v", all)
	}
}
