package mail

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// Anybody can give anybody's number. A phone gets nothing but a code before whoever gave its
// number has typed that, and few codes: texts wake people up, and cost money.
const (
	// codeLife is how long a code is good, codeTries how often one may be typed: with all codes
	// of a day one in 33,000 who guess is right.
	codeLife, codeTries = 10 * time.Minute, 5
	// How many codes are sent within a day of the first: for one account, to one number, whoever
	// gives it, and in all.
	codesOfPerson, codesOfNumber, codesOfAll = 6, 4, 5000
	// gatewayAlive is for how long a Sender is believed to have a gateway that has not said so
	// again; it does after gatewaySays.
	gatewayAlive, gatewaySays = time.Minute, 10 * time.Second
)

// Refusals of numbers and codes.
var (
	ErrTextsOff = &ropeline.Error{Kind: ropeline.Unavailable, Code: "texts-off", Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Minute,
		Detail: "No text messages are sent from here at the moment, so a number cannot be confirmed. Nothing was changed."}
	ErrCodes     = &ropeline.Error{Kind: ropeline.Limited, Code: "too-many-codes", Detail: "So many codes were sent that no more go out for a while. Nothing was changed."}
	ErrCode      = &ropeline.Error{Kind: ropeline.Forbidden, Code: "phone-code-wrong", Detail: "This is not the code of the newest text message."}
	ErrCodeOver  = &ropeline.Error{Kind: ropeline.Gone, Code: "phone-code-over", Detail: "This code is older than ten minutes, or was tried too often. Have another one sent."}
	ErrPhoneDone = &ropeline.Error{Kind: ropeline.Conflict, Code: "phone-code-needless", Detail: "There is no number that waits to be confirmed."}
)

// Say words the text message that carries a code.
type Say func(code string) (text string, err error)

// proof is what is sealed of a number: it and, while it is to be proven, the code.
type proof struct {
	Phone string `json:"phone"`
	Code  string `json:"code,omitempty"`
}

func (s *Store) sealProof(person string, p proof) ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("sealing a number: %w", err)
	}
	return s.seal.Seal(person, text)
}

func (s *Store) openProof(person string, sealed []byte) (p proof, err error) {
	text, err := s.seal.Open(person, sealed)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p, err
}

// SendCode texts another code to the number that somebody has given. It fails with
// ErrPhoneDone, ErrTextsOff or ErrCodes.
func (s *Store) SendCode(ctx context.Context, person string, say Say) error {
	return away("sending a code", s.ofOwner(ctx, person, func(tx pgx.Tx) error {
		c, _, err := s.channels(ctx, tx, person)
		if err != nil {
			return err
		}
		if c.Phone == "" || c.Confirmed {
			return ErrPhoneDone
		}
		return s.sendCode(ctx, tx, person, c.Phone, say)
	}))
}

// ofOwner does something of a person that nobody else does meanwhile; nothing, of who is
// erased.
func (s *Store) ofOwner(ctx context.Context, person string, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select id::text from people where id = $1 and state = 'active' for no key update`, person).Scan(&person)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return do(tx)
	})
}

// sendCode makes a code for a number and posts it, in place of one that was on its way.
func (s *Store) sendCode(ctx context.Context, tx pgx.Tx, person, number string, say Say) error {
	alive, err := s.texting(ctx, tx)
	if err != nil {
		return err
	}
	if !alive {
		return ErrTextsOff
	}
	if err := s.countCode(ctx, tx, person, number); err != nil {
		return err
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return fmt.Errorf("making a code: %w", err)
	}
	p := proof{number, fmt.Sprintf("%06d", n)}
	sealed, err := s.sealProof(person, p)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into phone_proofs (person_id, sealed, ends_at) values ($1, $2, now() + $3)
		on conflict (person_id) do update set sealed = excluded.sealed, ends_at = excluded.ends_at, tries = 0`, person, sealed, codeLife)
	if err != nil {
		return err
	}
	if err := takeBack(ctx, tx, person, codeCause+"%"); err != nil {
		return err
	}
	text, err := say(p.Code)
	if err != nil {
		return err
	}
	return s.postText(ctx, tx, number, text, func(id string) Slip {
		return Slip{Person: person, Cause: codeCause + id, For: codeLife, Brief: true}
	})
}

// codeCause begins the causes of texts with codes.
const codeCause = "phone-code:"

// takeBack takes texts back that are not sent, or were given up and may be sent again. Rows are
// locked in the order in which Senders do.
func takeBack(ctx context.Context, tx pgx.Tx, person, causes string) error {
	_, err := tx.Exec(ctx, `delete from mails where id in (select id from mails where person_id = $1 and state <> 'sent' and cause like $2 order by id for update)`, person, causes)
	return err
}

// countCode counts a code, unless there were too many: then it fails with ErrCodes, and says
// nothing of which; others may have given the number. What is counted is taken back with tx.
func (s *Store) countCode(ctx context.Context, tx pgx.Tx, person, number string) error {
	marker, ok := s.seal.(Marker)
	if !ok {
		return errors.New("counting codes: there is no key")
	}
	for _, c := range []struct {
		who  []byte
		most int
	}{{marker.EmailMAC("person\x00" + person), codesOfPerson}, {marker.EmailMAC("phone\x00" + number), codesOfNumber}, {[]byte{}, codesOfAll}} {
		var wait time.Duration
		err := tx.QueryRow(ctx, `
			with counted as (insert into code_counts as c (who) values ($1) on conflict (who) do update
				set sent = case when c.since <= now() - interval '1 day' then 1 else c.sent + 1 end, since = case when c.since <= now() - interval '1 day' then now() else c.since end
				where c.since <= now() - interval '1 day' or c.sent < $2 returning 1)
			select case when exists (select from counted) then interval '0' else coalesce((select since + interval '1 day' - now() from code_counts where who = $1), interval '1 second') end`,
			c.who, c.most).Scan(&wait)
		if err != nil {
			return err
		}
		if wait > 0 {
			e := *ErrCodes
			e.RetryAfter = wait
			return &e
		}
	}
	return nil
}

// Prove takes the code that was texted to the number that somebody has given. Each try is
// counted before it is looked at. It fails with ErrCode or ErrCodeOver; who has proven it
// already has.
func (s *Store) Prove(ctx context.Context, person, code string) (Chosen, error) {
	var sealed []byte
	err := s.db.QueryRow(ctx, `update phone_proofs set tries = tries + 1 where person_id = $1 and ends_at > now() and tries < $2 returning sealed`, person, codeTries).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		c, err := s.Channels(ctx, person)
		if err == nil && !c.Confirmed {
			err = ErrCodeOver
		}
		return c, err
	}
	if err != nil {
		return Chosen{}, away("looking at a code", err)
	}
	p, err := s.openProof(person, sealed)
	if err != nil {
		return Chosen{}, away("looking at a code", err)
	}
	if subtle.ConstantTimeCompare([]byte(strings.ReplaceAll(strings.TrimSpace(code), " ", "")), []byte(p.Code)) != 1 {
		return Chosen{}, ErrCode
	}
	proven, err := s.sealProof(person, proof{Phone: p.Phone})
	if err != nil {
		return Chosen{}, away("confirming a number", err)
	}
	// Nothing was sealed twice in the same way: another number, or another code, is another row.
	if _, err := s.db.Exec(ctx, `update phone_proofs set sealed = $2, ends_at = null, tries = 0 where person_id = $1 and sealed = $3`, person, proven, sealed); err != nil {
		return Chosen{}, away("confirming a number", err)
	}
	c, err := s.Channels(ctx, person)
	if err == nil && !c.Confirmed {
		err = ErrCodeOver
	}
	return c, err
}

// texting says whether somebody hands over text messages.
func (s *Store) texting(ctx context.Context, db rower) (alive bool, err error) {
	err = db.QueryRow(ctx, `select exists (select from text_gateways where seen_at > now() - $1::interval)`, gatewayAlive).Scan(&alive)
	return alive, err
}

// SayTexting keeps that somebody does, for a minute.
func (s *Store) SayTexting(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `insert into text_gateways (seen_at) values (now()) on conflict (one) do update set seen_at = now() where text_gateways.seen_at < now() - $1::interval`, gatewaySays)
	return away("saying that text messages are sent", err)
}
