package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Outside is somebody of whom another side says who they are.
type Outside struct {
	Issuer  string
	Subject string // who they are there, for ever
	Email   string // theirs, which the other side has verified; empty if it has not
	Name    string
	Trusted bool // whoever the other side calls the owner of an address is taken for that
	Second  bool // it has asked for a second factor
}

// Refusals of who comes from elsewhere.
var (
	ErrUnlinked = &ropeline.Error{Kind: ropeline.Forbidden, Code: "sign-in-unlinked", Detail: "No account here is joined with that one. Sign in with your password first, and join them under Security."}
	ErrLinked   = &ropeline.Error{Kind: ropeline.Conflict, Code: "sign-in-linked", Detail: "One of the two accounts is joined with another one already. Nothing was changed."}
	ErrReplayed = &ropeline.Error{Kind: ropeline.Invalid, Code: "sign-in-flow-over", Detail: "This was used already. Begin again."}
	ErrNoSecret = &ropeline.Error{Kind: ropeline.Forbidden, Code: "password-none", Detail: "This account has no password yet. Ask for a letter to choose one (Forgot your password?), and try again."}
)

// Once fails with ErrReplayed for the state of a flow that has come back before, in the
// time in which flows may.
func (s *Store) Once(ctx context.Context, state string, within time.Duration) error {
	fresh, err := s.rdb.SetNX(ctx, s.key("flow", state), 1, within).Result()
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("remembering a sign-in flow: %w", err))
	}
	if !fresh {
		return ErrReplayed
	}
	return nil
}

// subjectMAC is by what an identity is found.
func (k Keys) subjectMAC(o Outside) []byte {
	return mac(k.email, "identity\x00"+o.Issuer+"\x00"+o.Subject)
}

// SignInOutside signs somebody in of whom another side says who they are. Who was joined
// with that before is found by it; else, where the other side is trusted with addresses, it
// is joined with the account of theirs, which is made if there is none. It fails with
// ErrUnlinked where neither is so.
func (s *Store) SignInOutside(ctx context.Context, o Outside, agent string) (in SignedIn, err error) {
	err = s.joining(ctx, o, func(tx pgx.Tx) error {
		person, identity, err := s.identified(ctx, tx, o)
		if errors.Is(err, ErrUnlinked) && o.Trusted && booking.IsEmail(o.Email) {
			if person, err = s.ofAddress(ctx, tx, o); err == nil {
				identity, err = s.join(ctx, tx, o, person)
			}
		}
		if err != nil {
			return err
		}
		if in, err = s.begin(ctx, tx, person, agent); err != nil {
			return err
		}
		in.Waits = in.Waits && !o.Second
		return tx.QueryRow(ctx, `update sign_ins set identity_id = $2, proven = $3, waits = waits and not $3,
				ends_at = case when waits and $3 then now() + `+lifeOf("$4", "$5", "$6")+` else ends_at end
			where token_hash = $1 returning ends_at`, s.keys.tokenHash(in.Token), identity, o.Second, person, life, staffLife).Scan(&in.Ends)
	})
	if err != nil {
		return SignedIn{}, away("signing in from elsewhere", err)
	}
	return in, nil
}

// Join joins a person's account with theirs elsewhere. It fails with ErrLinked if that is
// another account's here, or theirs is joined with another one there.
func (s *Store) Join(ctx context.Context, o Outside, person string) error {
	return away("joining an account with one elsewhere", s.joining(ctx, o, func(tx pgx.Tx) error {
		whose, _, err := s.identified(ctx, tx, o)
		switch {
		case err == nil && whose != person:
			return ErrLinked
		case err == nil || !errors.Is(err, ErrUnlinked):
			return err
		}
		_, err = s.join(ctx, tx, o, person)
		return err
	}))
}

// joining does what finds or joins one account elsewhere: two tabs that come back at once
// make one account.
func (s *Store) joining(ctx context.Context, o Outside, do func(pgx.Tx) error) error {
	if o.Issuer == "" || len(o.Issuer) > 500 || o.Subject == "" || len(o.Subject) > 255 {
		return ErrUnlinked
	}
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('identity ' || $1 || ' ' || $2, 0))`, o.Issuer, o.Subject); err != nil {
			return err
		}
		return do(tx)
	})
}

// identified finds whose account is joined with one elsewhere.
func (s *Store) identified(ctx context.Context, tx pgx.Tx, o Outside) (person, identity string, err error) {
	var state string
	err = tx.QueryRow(ctx, `select i.id, p.id, p.state from identities i join people p on p.id = i.person_id where i.subject_mac = $1`, s.keys.subjectMAC(o)).Scan(&identity, &person, &state)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", "", ErrUnlinked
	case err == nil && state != "active":
		return "", "", ErrSignIn
	}
	return person, identity, err
}

func (s *Store) join(ctx context.Context, tx pgx.Tx, o Outside, person string) (id string, err error) {
	if id, err = booking.NewID(); err != nil {
		return "", err
	}
	tag, err := tx.Exec(ctx, `insert into identities (id, person_id, issuer, subject_mac) values ($1, $2, $3, $4)
		on conflict on constraint identities_one_each do nothing`, id, person, o.Issuer, s.keys.subjectMAC(o))
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrLinked
	}
	return id, err
}

// ofAddress finds the account of an address that is proven, or makes one without a
// password. What somebody has registered there and never confirmed counts for nothing: they
// may be anybody. Their letter opens nothing either, as of an account that is not new (Confirm).
func (s *Store) ofAddress(ctx context.Context, tx pgx.Tx, o Outside) (person string, err error) {
	p := Profile{Email: o.Email, Name: shortened(o.Name)}
	person, _, err = s.insert(ctx, tx, s.keys.emailMAC(o.Email), p, "")
	if err != nil && !errors.Is(err, errTaken) {
		return "", err
	}
	if errors.Is(err, errTaken) {
		had, state, own, err := s.locked(ctx, tx, `email_mac = $1`, s.keys.emailMAC(o.Email))
		switch {
		case err != nil:
			return "", err
		case state == "active":
			return had.ID, nil
		case state != "new":
			return "", ErrSignIn
		}
		if err := s.keep(ctx, tx, had.ID, own, p); err != nil {
			return "", err
		}
		person = had.ID
	}
	_, err = tx.Exec(ctx, `update people set state = 'active', confirmed_at = now(), password = '' where id = $1`, person)
	return person, err
}

// shortened is what another side calls somebody, as far as it can be a name here.
func shortened(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, name))
	if runes := []rune(name); len(runes) > 200 {
		name = string(runes[:200])
	}
	return name
}

// Identity is an account elsewhere with which a person signs in.
type Identity struct {
	ID     string    `json:"id"`
	Issuer string    `json:"issuer" doc:"the provider, as it is called by programs"`
	At     time.Time `json:"at" doc:"since when"`
}

// identityMost bounds the list: a person has one at most of each provider that there ever was.
const identityMost = 100

// Identities lists the accounts elsewhere that are joined with a person's, the oldest first.
func (s *Store) Identities(ctx context.Context, person string) ([]Identity, error) {
	rows, err := s.db.Query(ctx, `select id, issuer, created_at from identities where person_id = $1 order by created_at, id limit $2`, person, identityMost)
	if err != nil {
		return nil, away("listing identities", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (i Identity, err error) {
		err = r.Scan(&i.ID, &i.Issuer, &i.At)
		i.At = i.At.UTC()
		return i, err
	})
	return all, away("listing identities", err)
}

// Part undoes Join, and ends the sign-ins that came by it; one that is not there is no error.
func (s *Store) Part(ctx context.Context, person, identity string) error {
	if !booking.IsID(identity) {
		return nil
	}
	_, err := s.db.Exec(ctx, `delete from identities where person_id = $1 and id = $2`, person, identity)
	return away("parting from an account elsewhere", err)
}

// Own fails with ErrWrong unless a person shows their password.
func (s *Store) Own(ctx context.Context, person, password string) error {
	return s.own(ctx, person, password)
}
