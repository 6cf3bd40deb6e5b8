// Package wish keeps who wants to be told when a sale of an event opens and has no account.
//
// An address counts once its owner has pressed the button to which a letter leads: whoever
// typed it may be anybody. It is kept sealed, and is forgotten with the letter that a sale
// opens (package tidings writes that), when its owner says so, and unconfirmed after a week.
// What is answered says nothing of whether an address was known.
package wish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/booking/wording"
)

const (
	// MostOfEvent is how many wait for one event, MostOfAddress how many letters that ask go to
	// one address in a day: of one event there is one a day.
	MostOfEvent, MostOfAddress = 100_000, 5
	// asks is for how long the letter that asks is tried.
	asks = 24 * time.Hour
	// Unconfirmed is after how long an address is forgotten that nobody confirmed, Kept after
	// how long any is: no sale may ever open.
	Unconfirmed, Kept = "7 days", "400 days"
)

// Refusals.
var (
	ErrEmail   = &ropeline.Error{Kind: ropeline.Invalid, Code: "email-invalid", Status: http.StatusUnprocessableEntity, Detail: "This is no e-mail address: there is one as ada@example.org."}
	ErrFull    = &ropeline.Error{Kind: ropeline.Conflict, Code: "wishes-full", Detail: "So many people wait for this event that no more can be told. Look here again, or follow who performs."}
	ErrUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "wish-unknown", Detail: "This address is not kept any more: it was told, or told no more, or the letter is older than a week."}
)

// Keys makes the keys of links.
func Keys(secret []byte) optin.Keys {
	return optin.Keys{What: "wish", Path: "/api/v1/events/wishes/", Secret: secret}
}

// Sealer keeps addresses from whoever has the database alone.
type Sealer interface {
	Seal(id string, text []byte) ([]byte, error)
	Open(id string, sealed []byte) ([]byte, error)
	EmailMAC(email string) []byte
}

// Store keeps wishes in Postgres.
type Store struct {
	db   *pgxpool.Pool
	out  *mail.Store
	seal Sealer
	keys optin.Keys
	site string
}

// New returns a Store whose letters lead to a site.
func New(db *pgxpool.Pool, out *mail.Store, seal Sealer, keys optin.Keys, site string) *Store {
	return &Store{db, out, seal, keys, site}
}

// errNothing takes back what is done for an address that gets no letter, so that how long it
// takes tells nothing.
var errNothing = errors.New("nothing is asked")

// Ask writes to an address, and asks whether its owner wants to be told when a sale of an
// event opens; at most once a day, and not more often than an address bears.
func (s *Store) Ask(ctx context.Context, event, email, language string) error {
	if !booking.IsEmail(email) {
		return ErrEmail
	}
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	sealed, err := s.seal.Seal(id, []byte(email))
	if err != nil {
		return err
	}
	lang := wording.Choose(language)
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var title string
		var full, often, fresh bool
		err := tx.QueryRow(ctx, `
			with of_ as materialized (select e.title, (select count(*) from opening_wishes where event_id = e.id) >= $6 as full_,
					(select count(*) from opening_wishes where email_mac = $3 and asked_at > now() - interval '1 day') >= $7 as often from events e where e.id = $2),
			added as (insert into opening_wishes (id, event_id, email_mac, sealed, language) select $1, $2, $3, $4, $5 from of_ where not full_ and not often
				on conflict on constraint opening_wishes_once do update set id = excluded.id, sealed = excluded.sealed, language = excluded.language, asked_at = now()
					where opening_wishes.state = 'asked' and opening_wishes.asked_at < now() - interval '1 day' returning id)
			select title, full_, often, exists (select from added) from of_`, id, event, s.seal.EmailMAC(email), sealed, lang, MostOfEvent, MostOfAddress).Scan(&title, &full, &often, &fresh)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrUnknown
		case err != nil:
			return err
		case full:
			return ErrFull
		}
		if err := s.write(ctx, tx, id, email, lang, title); err != nil || fresh {
			return err
		}
		return errNothing
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return away("keeping who wants to be told", err)
}

func (s *Store) write(ctx context.Context, tx pgx.Tx, id, email, lang, title string) error {
	says, err := wording.Ours(wording.Wished, lang)
	if err != nil {
		return err
	}
	l, err := says.Write(wording.Values{"event": title, "link": s.keys.Link(s.site, id, optin.Confirm)}, wording.Frame{Language: lang, Sender: s.site})
	if err != nil {
		return err
	}
	_, err = s.out.Post(ctx, tx, mail.Message{To: email, Subject: l.Subject, Text: l.Text, HTML: l.HTML, Unsubscribe: s.keys.Link(s.site, id, optin.Leave)},
		mail.Slip{Cause: "wish:" + id, For: asks, Brief: true})
	return err
}

// Wish is one as its link finds it.
type Wish struct{ Event, Language string }

// Open reads the wish of a link. One that is forgotten may be left again: mail programs ask
// twice.
func (s *Store) Open(ctx context.Context, id string, step optin.Step) (w Wish, err error) {
	if !booking.IsID(id) {
		return w, ErrUnknown
	}
	err = s.db.QueryRow(ctx, `select e.title, w.language from opening_wishes w join events e on e.id = w.event_id where w.id = $1`, id).Scan(&w.Event, &w.Language)
	if errors.Is(err, pgx.ErrNoRows) {
		if step == optin.Leave {
			return Wish{Event: "it", Language: "en"}, nil
		}
		err = ErrUnknown
	}
	return w, away("reading a wish", err)
}

// Take takes a step of a wish; again it changes nothing. Who wants to hear nothing is
// forgotten, with the letter that may be on its way.
func (s *Store) Take(ctx context.Context, id string, step optin.Step) error {
	if step == optin.Confirm {
		_, err := s.db.Exec(ctx, `update opening_wishes set state = 'given' where id = $1`, id)
		return away("confirming a wish", err)
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `delete from opening_wishes where id = $1`, id)
		if err == nil {
			_, err = tx.Exec(ctx, `delete from mails where state = 'due' and cause = 'wish:' || $1`, id)
		}
		return err
	})
	return away("forgetting a wish", err)
}

// To is where a wish that was confirmed is told, and with what link it ends; empty: it is
// there no more.
func (s *Store) To(ctx context.Context, id string) (email, language, leave string, err error) {
	var sealed []byte
	err = s.db.QueryRow(ctx, `select sealed, language from opening_wishes where id = $1 and state = 'given'`, id).Scan(&sealed, &language)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", "", nil
	}
	if err != nil {
		return "", "", "", away("reading whom to tell", err)
	}
	text, err := s.seal.Open(id, sealed)
	if err != nil {
		return "", "", "", fmt.Errorf("reading whom to tell: %w", err)
	}
	return string(text), language, s.keys.Link(s.site, id, optin.Leave), nil
}

// away makes whatever is not an error of ours one of the store's.
func away(what string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*ropeline.Error](err); ok {
		return own
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
