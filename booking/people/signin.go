package people

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Refusals of a sign-in.
var (
	ErrSignIn    = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "sign-in-failed", Detail: "The e-mail address or the password is wrong."}
	ErrNew       = &ropeline.Error{Kind: ropeline.Forbidden, Code: "address-unconfirmed", Detail: "This account's e-mail address is not confirmed yet: open the link in the letter that was sent there."}
	ErrSignedOut = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "signed-out", Detail: "You are not signed in, or not any more. Sign in again."}
	ErrSecond    = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "second-factor-failed", Detail: "This code is not right, or was used already. Take the newest one."}
)

// How long a sign-in lasts, and how many a person has at most: the oldest end.
const (
	life       = 30 * 24 * time.Hour
	staffLife  = 12 * time.Hour // of who works for an organization
	signInMost = 50
	// secondLife is how long the second factor is waited for, secondTries how often it may fail.
	secondLife  = 10 * time.Minute
	secondTries = 5
)

// SignedIn is what a browser gets, once.
type SignedIn struct {
	Token string // of its cookie
	Waits bool   // for the second factor: it opens nothing else
	Ends  time.Time
}

// SignIn signs somebody in with their password, from an address; the zero one is not
// known. It fails with ErrSignIn, whatever of the two is wrong, with ErrNew, to who knows
// the password alone, or with ErrTries.
func (s *Store) SignIn(ctx context.Context, from netip.Addr, email, password, agent string) (in SignedIn, err error) {
	if !booking.IsEmail(email) || utf8.RuneCountInString(password) > maxPassword {
		return in, ErrSignIn
	}
	var id, hash, state string
	counts := []count{{ofAccount, "account", email}}
	if from.IsValid() {
		who := network(from)
		counts = append(counts, count{ofPair, "pair", who + " " + email}, count{ofAddress, "address", who})
	}
	err = s.tried(ctx, func(ctx context.Context) error {
		err := s.db.QueryRow(ctx, `select id, password, state from people where email_mac = $1`, s.keys.emailMAC(email)).Scan(&id, &hash, &state)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err := s.right(password, hash, ErrSignIn)(ctx); err != nil {
			return err
		}
		if state == "closed" {
			return ErrSignIn
		}
		return nil
	}, counts...)
	if err == nil && state == "new" {
		err = ErrNew
	}
	if err != nil {
		return in, away("signing in", err)
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		in, err = s.begin(ctx, tx, id, agent)
		return err
	})
	if err != nil {
		return SignedIn{}, away("signing in", err)
	}
	return in, nil
}

// right looks at a password; wrong is how it fails.
func (s *Store) right(password, hash string, wrong error) func(context.Context) error {
	return func(ctx context.Context) error {
		if utf8.RuneCountInString(password) > maxPassword {
			return wrong
		}
		is, err := s.hash.is(ctx, password, hash)
		if err == nil && !is {
			err = wrong
		}
		return err
	}
}

// own fails with ErrWrong unless a person shows their password, and with ErrNoSecret if they have none.
func (s *Store) own(ctx context.Context, person, password string) error {
	var hash string
	err := s.db.QueryRow(ctx, `select password from people where id = $1 and state <> 'erased'`, person).Scan(&hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrUnknown
	}
	if err != nil {
		return away("reading a password", err)
	}
	if hash == "" {
		return ErrNoSecret
	}
	return s.tried(ctx, s.right(password, hash, ErrWrong), count{ownPassword, "own", person})
}

// begin makes a sign-in. Its token is new, whatever the browser had before, so that nobody
// can give somebody a cookie beforehand.
func (s *Store) begin(ctx context.Context, tx pgx.Tx, person, agent string) (in SignedIn, err error) {
	if in.Token, err = newToken(); err != nil {
		return in, err
	}
	id, err := booking.NewID()
	if err != nil {
		return in, err
	}
	if _, err := tx.Exec(ctx, `delete from sign_ins where id in (select id from sign_ins where person_id = $1 order by created_at desc offset $2)`,
		person, signInMost-1); err != nil {
		return in, err
	}
	err = tx.QueryRow(ctx, `
		insert into sign_ins (id, person_id, token_hash, agent, waits, ends_at)
		select $1, $2, $3, $4, f.waits, now() + case when f.waits then $6::interval else `+lifeOf("$2", "$5", "$7")+` end
		from (select exists (select from second_factors where person_id = $2 and confirmed_at is not null) as waits) f
		returning waits, ends_at`, id, person, s.keys.tokenHash(in.Token), shortAgent(agent), life, secondLife, staffLife).Scan(&in.Waits, &in.Ends)
	return in, err
}

// lifeOf is how long a sign-in lasts, of who works for an organization and of everybody
// else, in SQL.
func lifeOf(person, life, staffLife string) string {
	return `case when exists (select from memberships where person_id = ` + person + `) then ` + staffLife + `::interval else ` + life + `::interval end`
}

// shortAgent is what a browser says it is, as far as it can be shown.
func shortAgent(agent string) string {
	agent = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, agent)
	if runes := []rune(agent); len(runes) > 200 {
		agent = string(runes[:200])
	}
	return agent
}

// Here is who a request comes from.
type Here struct {
	Person string
	SignIn string
}

// Find tells who a token is of. It fails with ErrSignedOut, as for one whose second factor
// is waited for.
func (s *Store) Find(ctx context.Context, token string) (h Here, err error) {
	if len(token) != tokenLength {
		return h, ErrSignedOut
	}
	err = s.db.QueryRow(ctx, `
		with found as (
			select i.id, i.person_id from sign_ins i join people p on p.id = i.person_id
			where i.token_hash = $1 and not i.waits and i.ends_at > now() and p.state = 'active'
		), seen as (
			update sign_ins set seen_at = now() where id = (select id from found) and seen_at < now() - interval '1 minute'
		)
		select id, person_id from found`, s.keys.tokenHash(token)).Scan(&h.SignIn, &h.Person)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrSignedOut
	}
	return h, away("finding who is signed in", err)
}

// Forget ends the sign-in of a token, whatever it waits for; one that is over is no error.
func (s *Store) Forget(ctx context.Context, token string) error {
	_, err := s.db.Exec(ctx, `delete from sign_ins where token_hash = $1`, s.keys.tokenHash(token))
	return away("signing out", err)
}

// SignInLine is a sign-in in the list of a person's.
type SignInLine struct {
	ID    string    `json:"id"`
	Agent string    `json:"agent" doc:"what the browser said it was"`
	At    time.Time `json:"at"`
	Seen  time.Time `json:"seen" doc:"to the minute"`
	Ends  time.Time `json:"ends"`
}

// SignIns lists those of a person that are not over, the newest first.
func (s *Store) SignIns(ctx context.Context, person string) ([]SignInLine, error) {
	rows, err := s.db.Query(ctx, `select id, agent, created_at, seen_at, ends_at from sign_ins
		where person_id = $1 and ends_at > now() and not waits order by created_at desc`, person)
	if err != nil {
		return nil, away("listing sign-ins", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (l SignInLine, err error) {
		err = r.Scan(&l.ID, &l.Agent, &l.At, &l.Seen, &l.Ends)
		l.At, l.Seen, l.Ends = l.At.UTC(), l.Seen.UTC(), l.Ends.UTC()
		return l, err
	})
	return all, away("listing sign-ins", err)
}

// SignOut ends a sign-in of a person; one that is over is no error.
func (s *Store) SignOut(ctx context.Context, person, signIn string) error {
	if !booking.IsID(signIn) {
		return nil
	}
	_, err := s.db.Exec(ctx, `delete from sign_ins where person_id = $1 and id = $2`, person, signIn)
	return away("signing out", err)
}

// SignOutOthers ends all sign-ins of a person but one.
func (s *Store) SignOutOthers(ctx context.Context, person, but string) error {
	_, err := s.db.Exec(ctx, `delete from sign_ins where person_id = $1 and id <> $2`, person, but)
	return away("signing out", err)
}

// SetPassword changes a password that is known, and ends all other sign-ins.
func (s *Store) SetPassword(ctx context.Context, person, signIn, old, password string) error {
	p, _, err := s.byID(ctx, s.db, person)
	if err != nil {
		return away("setting a password", err)
	}
	if err := weak(password, p.Profile); err != nil {
		return err
	}
	if err := s.own(ctx, person, old); err != nil {
		return err
	}
	made, err := s.hash.make(ctx, password)
	if err != nil {
		return err
	}
	return away("setting a password", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `update people set password = $2 where id = $1 and state <> 'erased'`, person, made); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from sign_ins where person_id = $1 and id <> $2`, person, signIn)
		return err
	}))
}
