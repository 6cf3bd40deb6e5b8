package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

const (
	// MostReports is how many addresses one report is about, MostReport how many bytes it has.
	MostReports, MostReport = 100, 64 << 10
	// marked is for how long an address is left alone that refuses letters: people get new
	// mailboxes of old names.
	marked = 180 * 24 * time.Hour
	// reported is for how long a report is known: longer than its signature is good.
	reported = 24 * time.Hour
)

// Marker makes the codes by which addresses are marked. A Sealer may be one.
type Marker interface{ EmailMAC(email string) []byte }

// Report says what became of a letter after the mail server had taken it.
type Report struct {
	Type      string `json:"type"` // bounce or complaint
	Permanent bool   `json:"permanent"`
	Email     string `json:"email"`
	Problem   string `json:"problem,omitempty"`
}

// Refusals of a report.
var (
	ErrForged     = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-signature-invalid", Status: http.StatusBadRequest, Detail: "This has no signature of the mail provider's, or one that is too old."}
	ErrUnreadable = &ropeline.Error{Kind: ropeline.Invalid, Code: "webhook-unreadable", Status: http.StatusBadRequest, Detail: "The mail provider has signed this, but we cannot read it."}
)

// Secrets are those that the mail provider signs with, as whsec_…: two while one is changed for another.
type Secrets []string

// CheckSecrets refuses what is none.
func CheckSecrets(all Secrets) error {
	for _, secret := range all {
		if _, err := standardwebhooks.NewWebhook(secret); err != nil || len(secret) < 30 {
			return errors.New("a secret of the mail provider is whsec_ and 24 bytes or more in base64")
		}
	}
	return nil
}

// Open checks who has sent a report, by Standard Webhooks: at most five minutes ago.
func (s Secrets) Open(h http.Header, body []byte) error {
	for _, secret := range s {
		w, err := standardwebhooks.NewWebhook(secret)
		if err == nil && w.Verify(body, h) == nil {
			return nil
		}
	}
	return ErrForged
}

// ParseReports reads the body of a report: {"reports": [{"type": "bounce", "permanent": true,
// "email": "…", "problem": "…"}]}. What else it says is passed over.
func ParseReports(body []byte) ([]Report, error) {
	var in struct {
		Reports []Report `json:"reports"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if len(body) > MostReport || d.Decode(&in) != nil {
		return nil, ErrUnreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(in.Reports) == 0 || len(in.Reports) > MostReports {
		return nil, ErrUnreadable
	}
	for i, r := range in.Reports {
		r.Email = strings.ToLower(strings.TrimSpace(r.Email))
		if !booking.IsEmail(r.Email) || r.Type != "bounce" && r.Type != "complaint" {
			return nil, ErrUnreadable
		}
		r.Problem = shorten(r.Problem, 200)
		in.Reports[i] = r
	}
	return in.Reports, nil
}

// shorten makes one line of a text, of so many characters at most.
func shorten(text string, most int) string {
	line := []rune(strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " "))
	return string(line[:min(len(line), most)])
}

// Mark is what is known of an address.
type Mark struct {
	Kind    string    `json:"kind" enum:"bounce,complaint"`
	Problem string    `json:"problem,omitempty"`
	At      time.Time `json:"at"`
}

// Hear takes a report in, once: of an address that is none any more, or whose owner complains,
// it is kept that it is so, and what more has to be done is done in the same transaction. What
// bounces for a while alone is tried again by whoever sends it.
func (s *Store) Hear(ctx context.Context, id string, reports []Report, more func(context.Context, pgx.Tx, Report) error) (again bool, err error) {
	marker, ok := s.seal.(Marker)
	if !ok {
		return false, fmt.Errorf("hearing of addresses: there is no key")
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `insert into mail_reports (id) values ($1) on conflict do nothing`, id)
		if err != nil {
			return err
		}
		if again = tag.RowsAffected() == 0; again {
			return nil
		}
		for _, r := range reports {
			if r.Type == "bounce" && !r.Permanent {
				continue
			}
			if _, err := tx.Exec(ctx, `insert into mail_marks (email_mac, kind, problem) values ($1, $2, $3)
				on conflict (email_mac, kind) do update set problem = excluded.problem, at = now()`, marker.EmailMAC(r.Email), r.Type, r.Problem); err != nil {
				return err
			}
			if err := more(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	return again, away("hearing of addresses", err)
}

// querier is a pool, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Marks reads what is known of an address, the newest first.
func (s *Store) Marks(ctx context.Context, email string) ([]Mark, error) {
	return s.marks(ctx, s.db, email)
}

func (s *Store) marks(ctx context.Context, db querier, email string) ([]Mark, error) {
	marker, ok := s.seal.(Marker)
	if !ok || email == "" {
		return nil, nil
	}
	rows, err := db.Query(ctx, `select kind, problem, at from mail_marks where email_mac = $1 order by at desc`, marker.EmailMAC(email))
	if err != nil {
		return nil, away("looking what is known of an address", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (m Mark, err error) {
		err = r.Scan(&m.Kind, &m.Problem, &m.At)
		m.At = m.At.UTC()
		return m, err
	})
	return all, away("looking what is known of an address", err)
}

// sweepMarks forgets what is old.
func (s *Store) sweepMarks(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `delete from mail_marks where kind = 'bounce' and at < now() - $1::interval`, marked)
	if err == nil {
		_, err = s.db.Exec(ctx, `delete from mail_reports where at < now() - $1::interval`, reported)
	}
	return away("forgetting reports", err)
}

// Refusing says which of these addresses are not to be written to, unless they wait for it.
func (s *Store) Refusing(ctx context.Context, tx pgx.Tx, emails []string) (map[string]bool, error) {
	all := map[string]bool{}
	marker, ok := s.seal.(Marker)
	if !ok {
		return all, nil
	}
	of := map[string]string{} // by code
	var codes [][]byte
	for _, email := range emails {
		code := marker.EmailMAC(email)
		codes, of[string(code)] = append(codes, code), email
	}
	rows, err := tx.Query(ctx, `select distinct email_mac from mail_marks where email_mac = any($1)`, codes)
	if err != nil {
		return nil, err
	}
	var code []byte
	_, err = pgx.ForEachRow(rows, []any{&code}, func() error { all[of[string(code)]] = true; return nil })
	return all, err
}
