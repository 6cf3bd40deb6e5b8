package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Tellings are the kinds of what somebody may choose how to be told of.
var Tellings = []string{"change", "reminder", "sale", "turn"}

// tellings are those kinds, by how the causes of letters begin, as those write them who post
// them: what is postponed or called off is a change. All else is told by mail.
var tellings = map[string]string{"change": "change", "reminder": "reminder", "opening": "sale", "turn-near": "turn"}

// Channels are how somebody wants to be told. Whatever they choose, it is in their inbox.
type Channels struct {
	Phone  string   `json:"phone,omitempty" doc:"as +351912345678"`
	Texts  []string `json:"texts" nullable:"false" enum:"change,reminder,sale,turn" doc:"of what they are told by text message, too"`
	Silent []string `json:"silent" nullable:"false" enum:"change,reminder,sale,turn" doc:"of what no e-mail comes"`
}

// ErrChannels refuses what cannot be chosen.
var ErrChannels = &ropeline.Error{Kind: ropeline.Invalid, Code: "channels-invalid", Status: http.StatusUnprocessableEntity,
	Detail: "A phone number has a plus and 8 to 15 digits, as +351912345678; text messages need one. There are the kinds change, reminder, sale and turn."}

var phone = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)

func (c Channels) normal() (Channels, error) {
	c.Phone = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "/", "").Replace(c.Phone)
	if c.Phone != "" && !phone.MatchString(c.Phone) || c.Phone == "" && len(c.Texts) > 0 {
		return c, ErrChannels
	}
	for _, kinds := range []*[]string{&c.Texts, &c.Silent} {
		slices.Sort(*kinds)
		*kinds = append([]string{}, slices.Compact(*kinds)...)
		for _, kind := range *kinds {
			if !slices.Contains(Tellings, kind) {
				return c, ErrChannels
			}
		}
	}
	return c, nil
}

// Channels reads how somebody wants to be told.
func (s *Store) Channels(ctx context.Context, person string) (c Channels, err error) {
	c, _, err = s.channels(ctx, s.db, person)
	return c, away("reading how somebody is told", err)
}

type rower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s *Store) channels(ctx context.Context, db rower, person string) (c Channels, found bool, err error) {
	c = Channels{Texts: []string{}, Silent: []string{}}
	var sealed []byte
	err = db.QueryRow(ctx, `select sealed, texts, silent from channels where person_id = $1`, person).Scan(&sealed, &c.Texts, &c.Silent)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	if err != nil || sealed == nil {
		return c, err == nil, err
	}
	number, err := s.seal.Open(person, sealed)
	c.Phone = string(number)
	return c, err == nil, err
}

// SetChannels keeps how somebody wants to be told from now on.
func (s *Store) SetChannels(ctx context.Context, person string, c Channels) (Channels, error) {
	c, err := c.normal()
	if err != nil {
		return c, err
	}
	var sealed []byte
	if c.Phone != "" {
		if sealed, err = s.seal.Seal(person, []byte(c.Phone)); err != nil {
			return c, err
		}
	}
	// Who is erased meanwhile has none.
	_, err = s.db.Exec(ctx, `insert into channels (person_id, sealed, texts, silent) select id, $2, $3, $4 from (select id from people where id = $1 and state = 'active' for share) p
		on conflict (person_id) do update set sealed = excluded.sealed, texts = excluded.texts, silent = excluded.silent, updated_at = now()`, person, sealed, c.Texts, c.Silent)
	return c, away("keeping how somebody is told", err)
}

// ways are how a letter goes out, beside the inbox.
type ways struct {
	mail  bool
	phone string // empty: no text
}

// waysOf reads by which ways its person wants to be told of a cause.
func (s *Store) waysOf(ctx context.Context, tx pgx.Tx, slip Slip) (w ways, err error) {
	w.mail = true
	about, _, _ := strings.Cut(slip.Cause, ":")
	kind := tellings[about]
	if slip.Person == "" || kind == "" {
		return w, nil
	}
	c, found, err := s.channels(ctx, tx, slip.Person)
	if err != nil || !found {
		return w, err
	}
	w.mail = !slices.Contains(c.Silent, kind)
	if slices.Contains(c.Texts, kind) {
		w.phone = c.Phone
	}
	return w, nil
}

// text posts a letter as a text message, too: what it is about, and where more stands.
func (s *Store) text(ctx context.Context, tx pgx.Tx, number string, m Message, slip Slip) error {
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	text, err := json.Marshal(Message{Phone: number, Subject: m.Subject, Text: short(m)})
	if err != nil {
		return fmt.Errorf("writing a text message: %w", err)
	}
	sealed, err := s.seal.Seal(id, text)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `insert into mails (id, person_id, cause, sealed, give_up_at, brief) values ($1, $2, $3, $4, now() + $5, $6) on conflict (cause) do nothing`,
		id, slip.Person, slip.Cause+":text", sealed, min(slip.For, textLife), slip.Brief)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	if _, err := s.jobs.InsertTx(ctx, tx, letter{id}, &river.InsertOpts{Queue: texts, MaxAttempts: enough}); err != nil {
		return fmt.Errorf("having a text message sent: %w", err)
	}
	return nil
}

// textLife is after how long a text message is of no use any more.
const textLife = 24 * time.Hour

// mostText bounds a text message: three parts of it, as phones count.
const mostText = 400

var address = regexp.MustCompile(`https?://[^\s<>"]+`)

// short is what a text message says: the subject of a letter, and its first link. A link that
// does not fit is left out: half of one leads nowhere.
func short(m Message) string {
	line := strings.Join(strings.FieldsFunc(m.Subject, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
	if r := []rune(line); len(r) > mostText/2 {
		line = string(r[:mostText/2-1]) + "…"
	}
	if link := address.FindString(m.Text); link != "" && len(link) <= mostText-len([]rune(line))-1 {
		line += "\n" + link
	}
	return line
}
