// Package people keeps the accounts of fans: who they are, and how they sign in.
//
// A sign-in is what a browser has a cookie of; it has nothing to do with a session, which
// is a fan's time in the shop. Nobody learns from an answer, or from how long it takes,
// whether an address has an account: what only its owner may know goes there in a letter.
// What is known of a person is sealed with a key of theirs (Keys), and erasing them throws
// that key away; ledgers keep the id, which then leads nowhere.
package people

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"
	_ "time/tzdata" // zones are data of ours: a server may have none, or old ones
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Profile is what is known of a person. All but the address may be empty.
type Profile struct {
	Email    string `json:"email"`
	Name     string `json:"name,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Address  string `json:"address,omitempty" doc:"text of several lines"`
	City     string `json:"city,omitempty"`
	Country  string `json:"country,omitempty" doc:"ISO 3166-1, as PT"`
	Language string `json:"language,omitempty" doc:"BCP 47, as pt"`
	TimeZone string `json:"time_zone,omitempty" doc:"IANA, as Europe/Lisbon"`
	Born     int    `json:"born,omitempty" doc:"year"`
	Gender   string `json:"gender,omitempty" doc:"in their own words"`
	Counted  bool   `json:"counted,omitempty" doc:"organizers may count country and age, see Traits"`
}

// Person is an account.
type Person struct {
	ID        string
	Version   int
	Confirmed bool // the address is theirs
	Password  bool // they have one
	Profile
}

// Refusals.
var (
	ErrInvalid  = &ropeline.Error{Kind: ropeline.Invalid, Code: "profile-invalid"}
	ErrUnknown  = &ropeline.Error{Kind: ropeline.NotFound, Code: "person-unknown", Detail: "There is no such account."}
	ErrLetter   = &ropeline.Error{Kind: ropeline.Gone, Code: "link-over", Detail: "This link was used already, or is too old. Ask for a new one."}
	ErrPassword = &ropeline.Error{Kind: ropeline.Invalid, Code: "password-weak", Detail: "A password has 10 to 200 characters, and is not the e-mail address or the name."}
	ErrBusy     = &ropeline.Error{Kind: ropeline.Unavailable, Code: "sign-in-busy", Detail: "Very many people sign in at this moment. Try again in a few seconds.", RetryAfter: 2 * time.Second}
	ErrWrong    = &ropeline.Error{Kind: ropeline.Forbidden, Code: "password-wrong", Detail: "This is not your password. Nothing was changed."}
	ErrTries    = &ropeline.Error{Kind: ropeline.Limited, Code: "too-many-tries", Detail: "That was tried too often. Please wait before you try again; a letter for a forgotten password helps at once."}
	ErrChanged  = &ropeline.Error{Kind: ropeline.Conflict, Code: "changed-meanwhile", Status: 412, Detail: "This is not what you have seen any more: it was changed in another place. Read it again first. Nothing was changed."}
)

func invalid(format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...) + "."
	return &e
}

// Purpose is what a letter is for.
type Purpose string

// The purposes.
const (
	Confirm Purpose = "confirm" // the address of a new account
	Reset   Purpose = "reset"   // a forgotten password
	Email   Purpose = "email"   // another address of an account that there is
	Exists  Purpose = "exists"  // somebody wanted an account for an address that has one; it carries no token
	Left    Purpose = "left"    // an account has another address now; it goes to the old one and carries no token
	Invited Purpose = "invited" // to work for an organization; its reader may have no account yet
)

// lives is how long letters, and their links, are good.
var lives = map[Purpose]time.Duration{Confirm: 24 * time.Hour, Reset: time.Hour, Email: 24 * time.Hour, Exists: 24 * time.Hour, Left: 7 * 24 * time.Hour}

// Letter is what is to be sent to an address.
type Letter struct {
	Person  string // whose account it is about; empty: nobody's yet
	Purpose Purpose
	To      string
	Token   string        // of its link; empty: it has none
	For     time.Duration // how long it is of use
	About   string        // the organization that invites, by its name; empty: whoever runs the installation
	Roles   []string      // in which it does

	Language string // which its reader has chosen, as BCP 47; empty: they have not
}

// Link leads to a page of the site. What a letter carries stands behind #, so that no server
// on the way writes it down.
func (l Letter) Link(site string) string {
	if l.Token == "" {
		return site + "/account#forgot"
	}
	return site + "/account#" + string(l.Purpose) + "=" + l.Token
}

// Post sends letters: in the transaction that makes one, so that none is lost and none is
// sent of what was rolled back.
type Post func(ctx context.Context, tx pgx.Tx, l Letter) error

// Store keeps accounts in Postgres, by whose clock everything in it ends, and counts tries
// in Redis.
type Store struct {
	db   *pgxpool.Pool
	rdb  redis.UniversalClient
	keys Keys
	post Post
	hash hasher
}

// New returns a Store over a pool and a client of Redis.
func New(db *pgxpool.Pool, rdb redis.UniversalClient, keys Keys, post Post) *Store {
	return &Store{db: db, rdb: rdb, keys: keys, post: post, hash: newHasher()}
}

// newToken is a secret that nobody guesses: 256 random bits.
func newToken() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("making a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func (p Profile) validate() error {
	if !booking.IsEmail(p.Email) {
		return invalid("The e-mail address is not one")
	}
	for _, field := range []struct {
		what, text string
		most       int
	}{{"name", p.Name, 200}, {"phone", p.Phone, 40}, {"city", p.City, 100}, {"gender", p.Gender, 60}, {"language", p.Language, 35}} {
		if utf8.RuneCountInString(field.text) > field.most || !booking.IsPlain(field.text) {
			return invalid("%s has at most %d characters that can be printed", field.what, field.most)
		}
	}
	if utf8.RuneCountInString(p.Address) > 500 || !utf8.ValidString(p.Address) {
		return invalid("address has at most 500 characters")
	}
	if p.Country != "" && (len(p.Country) != 2 || p.Country[0] < 'A' || p.Country[0] > 'Z' || p.Country[1] < 'A' || p.Country[1] > 'Z') {
		return invalid("A country is two capital letters, as PT")
	}
	if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" || len(p.TimeZone) > 60 {
		return invalid("There is no time zone of that name: it is one of the IANA database, as Europe/Lisbon")
	}
	if p.Born != 0 && (p.Born < 1900 || p.Born > 2100) {
		return invalid("born is a year")
	}
	return nil
}

// Register makes an account that is good for nothing before its address is confirmed, and
// sends a letter for that. If there is one already its owner is told so, in a letter, and
// nobody else. From is the address that asks; the zero one is not known.
func (s *Store) Register(ctx context.Context, from netip.Addr, p Profile, password string) error {
	if err := errors.Join(p.validate(), weak(password, p)); err != nil {
		return first(err)
	}
	if err := s.ask(ctx, from); err != nil {
		return err
	}
	hash, err := s.hash.make(ctx, password) // whether or not it is needed: it takes its time
	if err != nil {
		return err
	}
	return s.writeTo(ctx, "making an account", p.Email, func(tx pgx.Tx) error {
		id, own, err := s.insert(ctx, tx, s.keys.emailMAC(p.Email), p, hash)
		if err == nil {
			return s.invite(ctx, tx, id, own, p, hash)
		}
		if !errors.Is(err, errTaken) {
			return err
		}
		had, state, own, err := s.locked(ctx, tx, `email_mac = $1`, s.keys.emailMAC(p.Email))
		if err != nil {
			return err
		}
		if state == "new" {
			return s.invite(ctx, tx, had.ID, own, p, hash)
		}
		return s.write(ctx, tx, Letter{Person: had.ID, Purpose: Exists, To: had.Email, Language: had.Language}, enclosed{})
	})
}

// errTaken says that there is an account of an address already.
var errTaken = errors.New("the address has an account")

// insert makes an account.
func (s *Store) insert(ctx context.Context, tx pgx.Tx, emailMAC []byte, p Profile, hash string) (id string, o own, err error) {
	if id, err = booking.NewID(); err != nil {
		return id, o, err
	}
	if o, err = s.keys.newOwn(id); err != nil {
		return id, o, err
	}
	sealed, err := o.sealJSON(id, p)
	if err != nil {
		return id, o, err
	}
	tag, err := tx.Exec(ctx, `insert into people (id, email_mac, wrapped, sealed, password) values ($1, $2, $3, $4, $5)
		on conflict (email_mac) do nothing`, id, emailMAC, o.wrapped, sealed, hash)
	if err == nil && tag.RowsAffected() == 0 {
		err = errTaken
	}
	return id, o, err
}

// enclosed is what a letter's link brings about.
type enclosed struct {
	sealed   []byte // another address, or the profile of a new account
	password string // of a new account
}

// invite sends the letter of a new account. It carries what was registered: if somebody
// else has registered the address before, with a password of theirs, that counts for
// their own letter, and for nobody who opens this one.
func (s *Store) invite(ctx context.Context, tx pgx.Tx, id string, o own, p Profile, hash string) error {
	sealed, err := o.sealJSON(id, p)
	if err != nil {
		return err
	}
	return s.write(ctx, tx, Letter{Person: id, Purpose: Confirm, To: p.Email, Language: p.Language}, enclosed{sealed, hash})
}

// writeTo does, in one transaction, what ends in a letter to an address. Who writes to one
// address too often is not told so, and nothing is done: that would say what others did.
func (s *Store) writeTo(ctx context.Context, what, email string, do func(pgx.Tx) error) error {
	wait, err := lettersTo.Take(ctx, s.rdb, s.key("letters", email))
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
	}
	if wait > 0 {
		return nil
	}
	return away(what, pgx.BeginFunc(ctx, s.db, do))
}

// write keeps what a letter's link carries, and posts it. Letters of the same purpose that
// were sent before stay good: who asks twice may open the first.
func (s *Store) write(ctx context.Context, tx pgx.Tx, l Letter, e enclosed) (err error) {
	l.For = lives[l.Purpose]
	if l.Purpose != Exists && l.Purpose != Left {
		if l.Token, err = newToken(); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into letters (token_hash, person_id, purpose, sealed, password, ends_at) values ($1, $2, $3, $4, $5, now() + $6)`,
			s.keys.tokenHash(l.Token), l.Person, l.Purpose, e.sealed, e.password, l.For); err != nil {
			return err
		}
	}
	return s.post(ctx, tx, l)
}

// open uses a letter's link up.
func (s *Store) open(ctx context.Context, tx pgx.Tx, token string, purpose Purpose) (person string, e enclosed, err error) {
	err = tx.QueryRow(ctx, `update letters set used_at = now() where token_hash = $1 and purpose = $2 and used_at is null and ends_at > now()
		returning person_id, sealed, password`, s.keys.tokenHash(token), purpose).Scan(&person, &e.sealed, &e.password)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrLetter
	}
	return person, e, err
}

// Confirm makes a new account good, by the link of its letter and the password that was
// registered with it: somebody may have registered an address that is not theirs, and its
// owner, who has the letter, is not to open the account for them. It signs in.
func (s *Store) Confirm(ctx context.Context, token, password, agent string) (in SignedIn, err error) {
	var person, hash string
	err = s.db.QueryRow(ctx, `select person_id, password from letters where token_hash = $1 and purpose = 'confirm' and used_at is null and ends_at > now()`,
		s.keys.tokenHash(token)).Scan(&person, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return in, ErrLetter
	}
	if err != nil {
		return in, away("confirming an address", err)
	}
	if err := s.tried(ctx, s.right(password, hash, ErrWrong), count{ownPassword, "own", person}); err != nil {
		return in, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		person, e, err := s.open(ctx, tx, token, Confirm)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `update people set state = 'active', confirmed_at = now(), password = $2, sealed = $3
			where id = $1 and state = 'new'`, person, e.password, e.sealed)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrLetter // another of its letters was opened
		}
		if err == nil {
			in, err = s.begin(ctx, tx, person, agent)
		}
		return err
	})
	if err != nil {
		return SignedIn{}, away("confirming an address", err)
	}
	return in, nil
}

// Forgot sends a letter to whoever has an account of this address, if somebody has. For
// nobody the same is written, and taken back: how long it takes tells nothing.
func (s *Store) Forgot(ctx context.Context, from netip.Addr, email string) error {
	if !booking.IsEmail(email) {
		return invalid("The e-mail address is not one")
	}
	if err := s.ask(ctx, from); err != nil {
		return err
	}
	return s.writeTo(ctx, "writing to somebody who forgot", email, func(tx pgx.Tx) error {
		p, state, err := s.byEmail(ctx, tx, email)
		if err == nil && state != "closed" {
			return s.write(ctx, tx, Letter{Person: p.ID, Purpose: Reset, To: p.Email, Language: p.Language}, enclosed{})
		}
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		nobody, _, err := s.insert(ctx, tx, nil, Profile{Email: email}, "")
		if err != nil {
			return err
		}
		if err := s.write(ctx, tx, Letter{Person: nobody, Purpose: Reset, To: email}, enclosed{}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from people where id = $1`, nobody) // and with it the letter
		return err
	})
}

// Reset gives an account another password, by the link of a letter, and ends all of its
// sign-ins. Whoever has the letter has the address, so that it is confirmed by that, too.
// A second factor stays.
func (s *Store) Reset(ctx context.Context, token, password string) error {
	if err := weak(password, Profile{}); err != nil {
		return err
	}
	hash, err := s.hash.make(ctx, password)
	if err != nil {
		return err
	}
	var email string
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		person, _, err := s.open(ctx, tx, token, Reset)
		if err != nil {
			return err
		}
		p, _, _, err := s.locked(ctx, tx, `id = $1`, person)
		if err != nil {
			return err
		}
		email = p.Email
		if _, err := tx.Exec(ctx, `update people set password = $2, state = case state when 'new' then 'active' else state end,
			confirmed_at = coalesce(confirmed_at, now()) where id = $1`, person, hash); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update letters set used_at = now() where person_id = $1 and purpose in ('reset', 'confirm') and used_at is null`, person); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from sign_ins where person_id = $1`, person)
		return err
	})
	if err == nil { // wrong tries were another's, or are forgiven
		_ = s.rdb.Del(ctx, s.key("account", email)).Err()
	}
	return away("setting a password", err)
}

// tokenLength is how long a secret of newToken is, as text.
const tokenLength = 43

const personColumns = `id, version, confirmed_at is not null, password <> '', wrapped, sealed, state`

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s *Store) byEmail(ctx context.Context, db querier, email string) (Person, string, error) {
	return s.read(db.QueryRow(ctx, `select `+personColumns+` from people where email_mac = $1`, s.keys.emailMAC(email)))
}

func (s *Store) byID(ctx context.Context, db querier, id string) (Person, string, error) {
	return s.read(db.QueryRow(ctx, `select `+personColumns+` from people where id = $1 and state <> 'erased'`, id))
}

func (s *Store) read(row pgx.Row) (p Person, state string, err error) {
	var wrapped, sealed []byte
	if err := row.Scan(&p.ID, &p.Version, &p.Confirmed, &p.Password, &wrapped, &sealed, &state); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrUnknown
		}
		return Person{}, "", err
	}
	own, err := s.keys.unwrap(p.ID, wrapped)
	if err == nil {
		err = own.openJSON(p.ID, sealed, &p.Profile)
	}
	return p, state, err
}

// Person reads an account.
func (s *Store) Person(ctx context.Context, id string) (Person, error) {
	p, _, err := s.byID(ctx, s.db, id)
	return p, away("reading an account", err)
}

// Asks counts that a letter is asked for from somewhere, with those of accounts.
func (s *Store) Asks(ctx context.Context, from netip.Addr) error { return s.ask(ctx, from) }

// Known is the account of an address that is confirmed, "" if there is none. It is for what
// goes to that address, and for nobody to be told.
func (s *Store) Known(ctx context.Context, email string) (id string, err error) {
	err = s.db.QueryRow(ctx, `select id::text from people where email_mac = $1 and state = 'active'`, s.keys.emailMAC(email)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, away("looking for an account", err)
}

// Put replaces the version of a profile that was seen, but for its address: see Move.
func (s *Store) Put(ctx context.Context, id string, seen int, p Profile) (Person, error) {
	err := away("changing a profile", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		had, _, own, err := s.locked(ctx, tx, `id = $1`, id)
		if err != nil {
			return err
		}
		if had.Version != seen {
			return ErrChanged
		}
		p.Email = had.Email
		if err := p.validate(); err != nil {
			return err
		}
		return s.keep(ctx, tx, id, own, p)
	}))
	if err != nil {
		return Person{}, err
	}
	return s.Person(ctx, id)
}

// locked reads an account with its key, which nobody changes before the transaction ends.
func (s *Store) locked(ctx context.Context, tx pgx.Tx, where string, arg any) (p Person, state string, o own, err error) {
	if p, state, err = s.read(tx.QueryRow(ctx, `select `+personColumns+` from people where `+where+` and state <> 'erased' for update`, arg)); err != nil {
		return p, state, o, err
	}
	var wrapped []byte
	if err = tx.QueryRow(ctx, `select wrapped from people where id = $1`, p.ID).Scan(&wrapped); err != nil {
		return p, state, o, err
	}
	o, err = s.keys.unwrap(p.ID, wrapped)
	return p, state, o, err
}

func (s *Store) keep(ctx context.Context, tx pgx.Tx, id string, o own, p Profile) error {
	sealed, err := o.sealJSON(id, p)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update people set sealed = $2, version = version + 1 where id = $1`, id, sealed)
	return err
}

// Erase forgets a person who shows their password: their profile, their key, how they sign
// in, and the address on what they bought. That itself stays in the ledgers, under an id
// that leads nowhere, and its tickets stay good. It fails with ErrLastOrganizer for the only
// organizer of an organization.
func (s *Store) Erase(ctx context.Context, id, password string) error {
	if err := s.own(ctx, id, password); err != nil {
		return err
	}
	return away("erasing a person", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.leave(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from invitations where email_mac = (select email_mac from people where id = $1)`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from opening_wishes where email_mac = (select email_mac from people where id = $1)`, id); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `update people set email_mac = null, wrapped = null, sealed = null, password = '', state = 'erased', erased_at = now()
			where id = $1 and state <> 'erased'`, id)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		for _, table := range []string{"letters", "mails", "sign_ins", "second_factors", "recovery_codes", "identities", "follows", "reminder_settings", "event_watches", "newsletter_consents", "inbox", "channels", "phone_proofs", "post_reports"} {
			if _, err := tx.Exec(ctx, `delete from `+pgx.Identifier{table}.Sanitize()+` where person_id = $1`, id); err != nil {
				return err
			}
		}
		for _, forget := range []string{
			// The names that tickets bear, and the addresses of transfers, before it is forgotten whose they are.
			`update tickets k set name = '' from orders o join buyers b on b.id = o.buyer_id
				where b.person_id = $1 and k.performance_id = o.performance_id and k.order_id = o.id and k.holder is null and k.name <> ''`,
			`update tickets k set name = '' from transfers t where t.person_id = $1 and k.performance_id = t.performance_id and k.id = t.ticket_id and k.holder = t.id and k.name <> ''`,
			`update transfers t set giver = '' from orders o join buyers b on b.id = o.buyer_id
				where b.person_id = $1 and t.performance_id = o.performance_id and t.order_id = o.id and t.from_transfer is null`,
			`update transfers t set giver = '' from transfers f where f.person_id = $1 and t.from_transfer = f.id`,
			`update transfers set email = '', language = '', person_id = null where person_id = $1`,
			`update attempts set email = '', language = '', person_id = null where email <> '' and person_id = $1`,
			`update buyers set email = '', language = '', person_id = null where person_id = $1`,
			// Where they wrote a gap is left, as if they had taken it back (package review).
			`update posts set state = 'gone', body = '', name = '', stars = null, reason = '', reported = 0, person_id = null, key = null, request = null, version = version + 1 where person_id = $1`,
		} {
			if _, err := tx.Exec(ctx, forget, id); err != nil {
				return err
			}
		}
		return nil
	}))
}

// first is the first of errors that are joined: people are told one at a time.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()[0]
	}
	return err
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
