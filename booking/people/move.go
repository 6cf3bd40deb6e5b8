package people

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline/booking"
)

// Move sends a letter to another address that an account is to have; it has it when that
// is opened (Moved). It takes the password: a browser that was left open is not enough.
func (s *Store) Move(ctx context.Context, id, password, email string) error {
	if !booking.IsEmail(email) {
		return invalid("The e-mail address is not one")
	}
	if err := s.own(ctx, id, password); err != nil {
		return err
	}
	return s.writeTo(ctx, "writing to another address", email, func(tx pgx.Tx) error {
		p, _, own, err := s.locked(ctx, tx, `id = $1`, id)
		if err != nil {
			return err
		}
		sealed, err := seal(own.key, id, []byte(email))
		if err != nil {
			return err
		}
		return s.write(ctx, tx, Letter{Person: id, Purpose: Email, To: email, Language: p.Language}, enclosed{sealed: sealed})
	})
}

// Moved gives an account the address that its letter went to, and tells the old one. An
// address that has another account by now is refused as a link that is over.
func (s *Store) Moved(ctx context.Context, token string) error {
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		id, e, err := s.open(ctx, tx, token, Email)
		if err != nil {
			return err
		}
		p, _, own, err := s.locked(ctx, tx, `id = $1`, id)
		if err != nil {
			return err
		}
		email, err := unseal(own.key, id, e.sealed)
		if err != nil {
			return err
		}
		left := p.Email
		p.Email = string(email)
		if _, err := tx.Exec(ctx, `update people set email_mac = $2 where id = $1`, id, s.keys.emailMAC(p.Email)); err != nil {
			return err
		}
		if err := s.keep(ctx, tx, id, own, p.Profile); err != nil {
			return err
		}
		if err := moveConsents(ctx, tx, id, p.Email); err != nil {
			return err
		}
		return s.write(ctx, tx, Letter{Person: id, Purpose: Left, To: left, Language: p.Language}, enclosed{})
	})
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.ConstraintName == "people_email_once" {
		err = ErrLetter
	}
	return away("moving to another address", err)
}

// moveConsents has newsletters come to another address of a person, where it has asked for none
// of the same organization.
func moveConsents(ctx context.Context, tx pgx.Tx, id, email string) error {
	_, err := tx.Exec(ctx, `delete from newsletter_consents c where person_id = $1 and exists (select from newsletter_consents o where o.organization_id = c.organization_id and o.email = lower($2) and o.id <> c.id)`, id, email)
	if err == nil {
		_, err = tx.Exec(ctx, `update newsletter_consents set email = lower($2) where person_id = $1`, id, email)
	}
	return err
}
