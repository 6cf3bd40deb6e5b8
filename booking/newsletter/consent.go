package newsletter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/optin"
)

// MostWords bounds the words that somebody has agreed to, in characters.
const MostWords = 500

// Refusals.
var (
	ErrWords   = &ropeline.Error{Kind: ropeline.Invalid, Code: "consent-invalid", Detail: "A consent says to which words it was given: 1 to 500 characters that can be printed."}
	ErrUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "newsletter-unknown", Detail: "There is no such newsletter, or this link is not one of ours."}
	ErrOver    = &ropeline.Error{Kind: ropeline.Conflict, Code: "consent-withdrawn", Detail: "This was withdrawn since. Ask for the newsletter again, if you want it."}
)

// Keys makes the keys of links.
func Keys(secret []byte) optin.Keys {
	return optin.Keys{What: "newsletter", Path: "/api/v1/newsletters/", Secret: secret}
}

// Store keeps consents and newsletters in Postgres.
type Store struct{ db *pgxpool.Pool }

// New returns a Store over a pool.
func New(db *pgxpool.Pool) *Store { return &Store{db} }

// Wish is a consent as somebody gives it.
type Wish struct {
	Email    string
	Person   string // who has an account; empty: nobody
	Words    string // that they were shown
	Language string
}

func (w Wish) normal() (Wish, error) {
	w.Email, w.Words = strings.ToLower(strings.TrimSpace(w.Email)), strings.TrimSpace(w.Words)
	if n := utf8.RuneCountInString(w.Words); n == 0 || n > MostWords || !booking.IsPlain(w.Words) {
		return w, ErrWords
	}
	if !booking.IsEmail(w.Email) {
		return w, ErrUnknown
	}
	return w, nil
}

// CheckWords refuses words that cannot be agreed to.
func CheckWords(words string) error {
	_, err := Wish{Email: "a@example.org", Words: words}.normal()
	return err
}

// Give keeps the consent of who is signed in with that address.
func (s *Store) Give(ctx context.Context, organization string, w Wish) error {
	w, err := w.normal()
	if err != nil {
		return err
	}
	if !booking.IsID(organization) {
		return ErrUnknown
	}
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	tag, err := s.db.Exec(ctx, `
		insert into newsletter_consents (id, organization_id, email, person_id, state, place, words, language, given_at)
			select $1, o.id, $3, p.id, 'given', 'account', $5, $6, now() from organizations o, (select id from people where id = $4 and state = 'active' for share) p where o.id = $2
		on conflict on constraint newsletter_consents_once do update set person_id = excluded.person_id, state = 'given', place = excluded.place, words = excluded.words,
			language = excluded.language, given_at = now(), withdrawn_at = null, withdrawn_by = '', order_id = null, performance_id = null
			where newsletter_consents.state <> 'given' or newsletter_consents.person_id is distinct from excluded.person_id`, id, organization, w.Email, w.Person, w.Words, w.Language)
	if err == nil && tag.RowsAffected() == 0 {
		var is bool
		err = s.db.QueryRow(ctx, `select exists (select from organizations where id = $1)`, organization).Scan(&is)
		if err == nil && !is {
			return ErrUnknown
		}
	}
	return away("keeping a consent", err)
}

// Ask keeps that somebody wants the newsletter of who sells an order: its Poster writes to
// that address, once the order is paid, and asks whether that is so.
func (s *Store) Ask(ctx context.Context, performance ropeline.PerformanceID, order string, w Wish) error {
	w, err := w.normal()
	if err != nil {
		return err
	}
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `
		insert into newsletter_consents (id, organization_id, email, person_id, state, place, words, language, performance_id, order_id)
			select $1, p.organization_id, $3, nullif($4, '')::uuid, 'asked', 'checkout', $5, $6, p.id, $7 from performances p where p.id = $2
		on conflict on constraint newsletter_consents_once do update set state = 'asked', place = excluded.place, words = excluded.words, language = excluded.language,
			asked_at = now(), given_at = null, withdrawn_at = null, withdrawn_by = '', written_at = null, performance_id = excluded.performance_id, order_id = excluded.order_id
			where newsletter_consents.state = 'withdrawn' or newsletter_consents.state = 'asked' and newsletter_consents.asked_at < now() - interval '1 day'`,
		id, performance, w.Email, w.Person, w.Words, w.Language, order)
	return away("keeping a wish for a newsletter", err)
}

// Consent is one as its link finds it.
type Consent struct {
	Organization string // its name
	Language     string
	State        string // asked, given or withdrawn
}

// Open reads the consent of a link.
func (s *Store) Open(ctx context.Context, id string) (c Consent, err error) {
	if !booking.IsID(id) {
		return c, ErrUnknown
	}
	err = s.db.QueryRow(ctx, `select g.name, c.language, c.state from newsletter_consents c join organizations g on g.id = c.organization_id where c.id = $1`, id).Scan(&c.Organization, &c.Language, &c.State)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return c, away("reading a consent", err)
}

// Take takes a step of a consent; again it changes nothing. What was withdrawn is not
// confirmed by a letter of before.
func (s *Store) Take(ctx context.Context, id string, step optin.Step) error {
	if step == optin.Leave {
		return s.withdraw(ctx, `id = $1`, id, "link")
	}
	tag, err := s.db.Exec(ctx, `update newsletter_consents set state = 'given', given_at = coalesce(given_at, now()) where id = $1 and state in ('asked', 'given')`, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrOver
	}
	return away("confirming a consent", err)
}

// Withdraw ends the newsletter of an organization for who is signed in.
func (s *Store) Withdraw(ctx context.Context, organization, person string) error {
	if !booking.IsID(organization) {
		return ErrUnknown
	}
	return s.withdraw(ctx, `organization_id = $1 and person_id = $2`, organization, "account", person)
}

// Complain ends all newsletters of an address whose owner has called one of them spam.
func (s *Store) Complain(ctx context.Context, tx pgx.Tx, email string) error {
	return withdraw(ctx, tx, `email = lower($1)`, email, "complaint")
}

// withdraw ends consents, and takes letters back that are not sent yet.
func (s *Store) withdraw(ctx context.Context, which, arg, by string, more ...any) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error { return withdraw(ctx, tx, which, arg, by, more...) })
	return away("withdrawing a consent", err)
}

func withdraw(ctx context.Context, tx pgx.Tx, which, arg, by string, more ...any) error {
	args := append([]any{arg}, more...)
	rows, err := tx.Query(ctx, fmt.Sprintf(`update newsletter_consents set state = 'withdrawn', withdrawn_at = now(), withdrawn_by = $%d where %s and state <> 'withdrawn' returning id::text`, len(args)+1, which), append(args, by)...)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = tx.Exec(ctx, `delete from mails where state = 'due' and id in (select mail_id from newsletter_recipients where consent_id = any($1) and state = 'posted')`, ids)
	return err
}

// Subscribed is the newsletter of an organization, for somebody who has an account.
type Subscribed struct {
	Organization string     `json:"organization" doc:"its id"`
	Name         string     `json:"name"`
	State        string     `json:"state" enum:"none,asked,given,withdrawn" doc:"none: they bought there, and nobody has asked"`
	Since        *time.Time `json:"since,omitempty" doc:"when it was asked, given or withdrawn"`
	Place        string     `json:"place,omitempty" enum:"checkout,account" doc:"where they gave it"`
	Words        string     `json:"words,omitempty" doc:"to which they gave it"`
}

// OfPerson lists the newsletters that somebody has asked for, or may, as they bought there.
func (s *Store) OfPerson(ctx context.Context, person string, p booking.Page) (page []Subscribed, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		select g.id::text, g.name, coalesce(c.state, 'none'), case c.state when 'asked' then c.asked_at when 'given' then c.given_at when 'withdrawn' then c.withdrawn_at end, coalesce(c.place, ''), coalesce(c.words, '')
		from (select organization_id from newsletter_consents where person_id = $1
			union select p.organization_id from buyers b join orders o on o.buyer_id = b.id join performances p on p.id = o.performance_id where b.person_id = $1) of_
		join organizations g on g.id = of_.organization_id left join newsletter_consents c on c.organization_id = g.id and c.person_id = $1
		where $2::uuid is null or g.id > $2 order by g.id limit $3`, person, after, size+1)
	if err != nil {
		return nil, "", away("listing newsletters", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (u Subscribed, err error) {
		if err = r.Scan(&u.Organization, &u.Name, &u.State, &u.Since, &u.Place, &u.Words); u.Since != nil {
			at := u.Since.UTC()
			u.Since = &at
		}
		return u, err
	})
	if err != nil {
		return nil, "", away("listing newsletters", err)
	}
	page, next = booking.Cut(all, size, func(u Subscribed) string { return u.Organization })
	return page, next, nil
}

// Claim gives an account what its address, which is confirmed, has agreed to as a guest.
func (s *Store) Claim(ctx context.Context, person, email string) error {
	_, err := s.db.Exec(ctx, `update newsletter_consents c set person_id = p.id from (select id from people where id = $1 and state = 'active' for share) p
		where c.email = lower($2) and c.person_id is null`, person, email)
	return away("giving an account its newsletters", err)
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
