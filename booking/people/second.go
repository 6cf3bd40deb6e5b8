package people

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/ropeline/ropeline"
)

// What authenticators everywhere do: six digits every 30 s; a clock may be one period off.
var codes = totp.ValidateOpts{Period: 30, Skew: 0, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// recoveries is how many recovery codes there are.
const recoveries = 10

// ErrSecondHad refuses a second factor where there is one.
var ErrSecondHad = &ropeline.Error{Kind: ropeline.Conflict, Code: "second-factor-exists", Detail: "This account has a second factor. Remove it first."}

// Enroll begins a second factor: the address that an authenticator reads from a QR code.
// It counts when a code of it was shown (Prove); until then another may be begun. It takes
// the password: a browser that was left open must not lock its owner out.
func (s *Store) Enroll(ctx context.Context, person, password, issuer string) (address string, err error) {
	if err := s.own(ctx, person, password); err != nil {
		return "", err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		p, _, own, err := s.locked(ctx, tx, `id = $1`, person)
		if err != nil {
			return err
		}
		key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: p.Email, Rand: rand.Reader})
		if err != nil {
			return fmt.Errorf("making a second factor: %w", err)
		}
		sealed, err := seal(own.key, person, []byte(key.Secret()))
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `insert into second_factors (person_id, sealed) values ($1, $2)
			on conflict (person_id) do update set sealed = excluded.sealed, last_step = 0 where second_factors.confirmed_at is null`, person, sealed)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrSecondHad
		}
		address = key.URL()
		return nil
	})
	return address, away("beginning a second factor", err)
}

// Prove makes a second factor count, by its first code, and returns the recovery codes:
// they are shown once. Other sign-ins end, since they were made without it.
func (s *Store) Prove(ctx context.Context, person, signIn, code string) (recovery []string, err error) {
	err = s.coded(ctx, person, func(tx pgx.Tx) error {
		var confirmed bool
		err := tx.QueryRow(ctx, `select confirmed_at is not null from second_factors where person_id = $1 for update`, person).Scan(&confirmed)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrSecond
		case err != nil:
			return err
		case confirmed:
			return ErrSecondHad
		}
		if err := s.use(ctx, tx, person, code); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update second_factors set confirmed_at = now() where person_id = $1`, person); err != nil {
			return err
		}
		if recovery, err = s.recover(ctx, tx, person); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from sign_ins where person_id = $1 and id <> $2`, person, signIn)
		return err
	})
	if err != nil {
		recovery = nil
	}
	return recovery, away("making a second factor count", err)
}

// use takes a code of an authenticator that was not used before, by the clock of Postgres:
// of this period, or of the one before or after.
func (s *Store) use(ctx context.Context, tx pgx.Tx, person, code string) error {
	var wrapped, sealed []byte
	var last int64
	var now time.Time
	err := tx.QueryRow(ctx, `select p.wrapped, f.sealed, f.last_step, clock_timestamp()
		from second_factors f join people p on p.id = f.person_id where f.person_id = $1 for update of f`, person).Scan(&wrapped, &sealed, &last, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrSecond
	}
	if err != nil {
		return err
	}
	own, err := s.keys.unwrap(person, wrapped)
	if err != nil {
		return err
	}
	secret, err := unseal(own.key, person, sealed)
	if err != nil {
		return err
	}
	period := time.Duration(codes.Period) * time.Second
	for _, off := range []time.Duration{-period, 0, period} {
		at := now.Add(off)
		step := at.Unix() / int64(codes.Period)
		if right, err := totp.ValidateCustom(strings.TrimSpace(code), string(secret), at, codes); err != nil || !right || step <= last {
			continue // what is no code of six digits is an error of theirs, and wrong
		}
		_, err := tx.Exec(ctx, `update second_factors set last_step = $2 where person_id = $1`, person, step)
		return err
	}
	return ErrSecond
}

// recover makes new recovery codes, in place of those there were: 80 random bits each.
func (s *Store) recover(ctx context.Context, tx pgx.Tx, person string) (all []string, err error) {
	if _, err := tx.Exec(ctx, `delete from recovery_codes where person_id = $1`, person); err != nil {
		return nil, err
	}
	for range recoveries {
		b := make([]byte, 10)
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("making a recovery code: %w", err)
		}
		code := base32.StdEncoding.EncodeToString(b)
		if _, err := tx.Exec(ctx, `insert into recovery_codes (person_id, code_hash) values ($1, $2)`, person, s.keys.tokenHash(code)); err != nil {
			return nil, err
		}
		all = append(all, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
	}
	return all, nil
}

// coded does in one transaction what takes a code of a second factor, which is counted.
func (s *Store) coded(ctx context.Context, person string, do func(pgx.Tx) error) error {
	return s.tried(ctx, func(ctx context.Context) error { return pgx.BeginFunc(ctx, s.db, do) }, count{ofSecond, "second", person})
}

// Second ends the wait of a sign-in, by a code of the authenticator or a recovery code,
// which is good once. The sign-in gets another token; after secondTries that fail it is over.
func (s *Store) Second(ctx context.Context, token, code string) (in SignedIn, err error) {
	var id, person string
	err = s.db.QueryRow(ctx, `update sign_ins set tries = tries + 1 where token_hash = $1 and waits and ends_at > now() and tries < $2
		returning id, person_id`, s.keys.tokenHash(token), secondTries).Scan(&id, &person)
	if errors.Is(err, pgx.ErrNoRows) {
		return in, ErrSignedOut
	}
	if err != nil {
		return in, away("asking for the second factor", err)
	}
	err = s.coded(ctx, person, func(tx pgx.Tx) error {
		if err := s.either(ctx, tx, person, code); err != nil {
			return err
		}
		if in.Token, err = newToken(); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `update sign_ins set waits = false, token_hash = $2, created_at = now(), seen_at = now(), ends_at = now() + `+lifeOf("$4", "$3", "$5")+`
			where id = $1 and waits returning ends_at`, id, s.keys.tokenHash(in.Token), life, person, staffLife).Scan(&in.Ends)
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrSignedOut
		}
		return err
	})
	if err != nil {
		return SignedIn{}, away("asking for the second factor", err)
	}
	return in, nil
}

// either takes a code of the authenticator, or a recovery code.
func (s *Store) either(ctx context.Context, tx pgx.Tx, person, code string) error {
	err := s.use(ctx, tx, person, code)
	if !errors.Is(err, ErrSecond) {
		return err
	}
	plain := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
	tag, err := tx.Exec(ctx, `update recovery_codes set used_at = now() where person_id = $1 and code_hash = $2 and used_at is null`, person, s.keys.tokenHash(plain))
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrSecond
	}
	return err
}

// HasSecond reports whether a person has a second factor, and how many recovery codes are left.
func (s *Store) HasSecond(ctx context.Context, person string) (has bool, codes int, err error) {
	err = s.db.QueryRow(ctx, `select exists (select from second_factors where person_id = $1 and confirmed_at is not null),
		(select count(*) from recovery_codes where person_id = $1 and used_at is null)`, person).Scan(&has, &codes)
	return has, codes, away("reading a second factor", err)
}

// RemoveSecond removes the second factor of a person who shows a code of it.
func (s *Store) RemoveSecond(ctx context.Context, person, code string) error {
	return away("removing a second factor", s.coded(ctx, person, func(tx pgx.Tx) error {
		if err := s.either(ctx, tx, person, code); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from second_factors where person_id = $1`, person); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from recovery_codes where person_id = $1`, person)
		return err
	}))
}
