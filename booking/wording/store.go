package wording

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
)

// Wording is a template as it is kept: an organization's own, or the installation's.
type Wording struct {
	Letter       Kind     `json:"letter" doc:"what it is about"`
	Language     string   `json:"language" doc:"en or de"`
	Version      int      `json:"version" doc:"of what the organization has said of it; 0: it never said anything"`
	Own          bool     `json:"own" doc:"it is the organization's own; else the installation's"`
	Placeholders []string `json:"placeholders" nullable:"false" doc:"what may stand in it in braces, as {event}"`
	Template
}

// Store keeps the wordings of organizations in Postgres: every version.
type Store struct{ db *pgxpool.Pool }

// New returns a Store over a pool.
func New(db *pgxpool.Pool) *Store { return &Store{db} }

// wording is the installation's, or ErrUnknown for what no organizer words.
func wording(k Kind, lang string) (Wording, error) {
	t, err := Ours(k, lang)
	if err != nil || !slices.Contains(editable, k) {
		return Wording{}, ErrUnknown
	}
	return Wording{Letter: k, Language: lang, Placeholders: placeholders[k], Template: t}, nil
}

// List is all that an organization may word, as it is.
func (s *Store) List(ctx context.Context, organization string) (all []Wording, err error) {
	for _, k := range editable {
		for _, lang := range Languages() {
			w, err := s.One(ctx, organization, k, lang)
			if err != nil {
				return nil, err
			}
			all = append(all, w)
		}
	}
	return all, nil
}

// One is how an organization words a letter.
func (s *Store) One(ctx context.Context, organization string, k Kind, lang string) (w Wording, err error) {
	if w, err = wording(k, lang); err != nil {
		return w, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error { return readNewest(ctx, tx, organization, &w) })
	return w, away("reading a letter's wording", err)
}

// readNewest has the newest version of an organization's own, if it has one.
func readNewest(ctx context.Context, tx pgx.Tx, organization string, w *Wording) error {
	var subject, text *string
	err := tx.QueryRow(ctx, `select version, subject, body from wordings where organization_id = $1 and letter = $2 and language = $3 order by version desc limit 1`,
		organization, w.Letter, w.Language).Scan(&w.Version, &subject, &text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if subject != nil && text != nil {
		w.Own, w.Template = true, Template{*subject, *text}
	}
	return err
}

// Put makes the next version of an organization's wording, unless it says what the newest
// says. Fresh: this call has made it.
func (s *Store) Put(ctx context.Context, organization string, k Kind, lang string, t Template, by audit.Change) (w Wording, fresh bool, err error) {
	if w, err = wording(k, lang); err != nil {
		return w, false, err
	}
	t = t.Normal()
	if err := errors.Join(t.Validate(k), by.Validate(by.Seen > 0)); err != nil {
		return w, false, first(err)
	}
	return s.next(ctx, organization, w, &t, by)
}

// Reset makes a version that is the installation's words, whatever these become. Of what is
// worded so already nothing is made.
func (s *Store) Reset(ctx context.Context, organization string, k Kind, lang string, by audit.Change) (w Wording, err error) {
	if w, err = wording(k, lang); err != nil {
		return w, err
	}
	if err := by.Validate(true); err != nil {
		return w, err
	}
	w, _, err = s.next(ctx, organization, w, nil, by)
	return w, err
}

// next makes the next version of w, which is the installation's as it is given; t: nil to stay so.
func (s *Store) next(ctx context.Context, organization string, w Wording, t *Template, by audit.Change) (_ Wording, fresh bool, err error) {
	ours := w.Template
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Of two at once one waits for the other.
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext($1), hashtext($2))`, "wording "+organization, string(w.Letter)+" "+w.Language); err != nil {
			return err
		}
		if err := readNewest(ctx, tx, organization, &w); err != nil {
			return err
		}
		if t == nil && !w.Own || t != nil && w.Own && w.Template == *t {
			return nil
		}
		if !by.Blind && by.Seen != w.Version {
			return audit.ErrChanged
		}
		w.Version, w.Own, w.Template, fresh = w.Version+1, t != nil, ours, true
		var subject, text *string
		if t != nil {
			w.Template, subject, text = *t, &t.Subject, &t.Text
		}
		if _, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfWording, Subject: organization, Version: w.Version, Name: string(w.Letter) + " " + w.Language}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into wordings (organization_id, letter, language, version, subject, body) values ($1, $2, $3, $4, $5, $6)`,
			organization, w.Letter, w.Language, w.Version, subject, text)
		return err
	})
	return w, fresh, away("keeping a letter's wording", err)
}

// examples are what stands in a letter that nobody gets.
func examples(lang, sender string) Values {
	return Values{
		"event": "Nozze di Figaro", "venue": "Opera, Largo 1, Lisboa", "date": Date(lang, time.Date(2030, 5, 1, 19, 0, 0, 0, time.UTC), "Europe/Lisbon"),
		"tickets": "Stalls, row 7, seat 12\nStalls, row 7, seat 13", "total": Money(lang, 9000, "EUR"), "amount": Money(lang, 4500, "EUR"),
		"doors": Doors(lang, time.Date(2030, 5, 1, 18, 30, 0, 0, time.UTC), "Europe/Lisbon"),
		"lobby": Date(lang, time.Date(2030, 2, 1, 8, 45, 0, 0, time.UTC), "Europe/Lisbon"), "opens": Date(lang, time.Date(2030, 2, 1, 9, 0, 0, 0, time.UTC), "Europe/Lisbon"),
		"before": Before(lang, Date(lang, time.Date(2030, 4, 24, 19, 0, 0, 0, time.UTC), "Europe/Lisbon")),
		"order":  "01939f4e-7a00-7000-8000-000000000001", "reason": say(lang, "ill"), "link": "https://tickets.example.org/order", "organization": sender,
		"until": Clock(lang, time.Date(2030, 2, 1, 9, 12, 0, 0, time.UTC), "Europe/Lisbon"), "giver": "ada@example.org", "holder": "bert@example.org",
	}
}

// Preview is a letter with examples put in.
func Preview(k Kind, lang, sender string, t Template) (Letter, error) {
	if _, err := wording(k, lang); err != nil {
		return Letter{}, err
	}
	t = t.Normal()
	if err := t.Validate(k); err != nil {
		return Letter{}, err
	}
	v := examples(lang, sender)
	if k == Payment { // its reason is the bank's, and ours to word
		v["reason"] = Trouble(lang, "declined")
	}
	return t.Write(v, Frame{Language: lang, Sender: sender})
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
