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

// Chosen is how somebody is told, and whether the number is theirs.
type Chosen struct {
	Channels
	Confirmed bool       `json:"confirmed" doc:"a code that was texted to the number was typed; until then nothing else is texted there, and what was to be comes by mail"`
	CodeUntil *time.Time `json:"code_until,omitempty" doc:"until when a code is good that was sent; left out if there is none"`
	Texting   bool       `json:"texting" doc:"text messages are sent from here at all"`
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
func (s *Store) Channels(ctx context.Context, person string) (c Chosen, err error) {
	c, _, err = s.channels(ctx, s.db, person)
	if err == nil {
		c.Texting, err = s.texting(ctx, s.db)
	}
	return c, away("reading how somebody is told", err)
}

type rower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s *Store) channels(ctx context.Context, db rower, person string) (c Chosen, found bool, err error) {
	c.Texts, c.Silent = []string{}, []string{}
	var sealed, proven []byte
	var until *time.Time
	var open bool // the code may still be typed
	err = db.QueryRow(ctx, `select c.sealed, c.texts, c.silent, p.sealed, p.ends_at, coalesce(p.ends_at > now() and p.tries < $2, false)
		from channels c left join phone_proofs p on p.person_id = c.person_id where c.person_id = $1`, person, codeTries).Scan(&sealed, &c.Texts, &c.Silent, &proven, &until, &open)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	if err != nil || sealed == nil {
		return c, err == nil, err
	}
	number, err := s.seal.Open(person, sealed)
	c.Phone = string(number)
	if err != nil || proven == nil {
		return c, err == nil, err
	}
	p, err := s.openProof(person, proven)
	if err == nil && p.Phone == c.Phone { // else it is the proof of another number
		c.Confirmed = until == nil
		if open {
			utc := until.UTC()
			c.CodeUntil = &utc
		}
	}
	return c, err == nil, err
}

// SetChannels keeps how somebody wants to be told from now on. To another number than before a
// code is sent (SendCode), and nothing else before it is typed (Prove).
func (s *Store) SetChannels(ctx context.Context, person string, c Channels, say Say) (Chosen, error) {
	c, err := c.normal()
	if err != nil {
		return Chosen{}, err
	}
	var sealed []byte
	if c.Phone != "" {
		if sealed, err = s.seal.Seal(person, []byte(c.Phone)); err != nil {
			return Chosen{}, err
		}
	}
	err = s.ofOwner(ctx, person, func(tx pgx.Tx) error {
		was, _, err := s.channels(ctx, tx, person)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into channels (person_id, sealed, texts, silent) values ($1, $2, $3, $4)
			on conflict (person_id) do update set sealed = excluded.sealed, texts = excluded.texts, silent = excluded.silent, updated_at = now()`, person, sealed, c.Texts, c.Silent); err != nil {
			return err
		}
		if c.Phone == was.Phone {
			return nil
		}
		return s.renumber(ctx, tx, person, c.Phone, say)
	})
	if err != nil {
		return Chosen{}, away("keeping how somebody is told", err)
	}
	return s.Channels(ctx, person)
}

// renumber takes back what waits for the number of before, and has another one proven; empty:
// there is none any more.
func (s *Store) renumber(ctx context.Context, tx pgx.Tx, person, number string, say Say) error {
	if err := takeBack(ctx, tx, person, "%:text"); err != nil {
		return err
	}
	if number != "" {
		return s.sendCode(ctx, tx, person, number, say)
	}
	if err := takeBack(ctx, tx, person, codeCause+"%"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `delete from phone_proofs where person_id = $1`, person)
	return err
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
	if !slices.Contains(c.Texts, kind) {
		return w, nil
	}
	if !c.Confirmed { // whose it is nobody knows: mail goes instead
		w.mail = true
		return w, nil
	}
	w.phone = c.Phone
	return w, nil
}

// text posts a letter as a text message, too: what it is about, and where more stands.
func (s *Store) text(ctx context.Context, tx pgx.Tx, number string, m Message, slip Slip) error {
	return s.postText(ctx, tx, number, short(m), func(string) Slip {
		return Slip{Person: slip.Person, Cause: slip.Cause + ":text", For: min(slip.For, textLife), Brief: slip.Brief}
	})
}

// postText posts a text message, with a slip that may name its id.
func (s *Store) postText(ctx context.Context, tx pgx.Tx, number, text string, of func(id string) Slip) error {
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	subject, _, _ := strings.Cut(text, "\n")
	message, err := json.Marshal(Message{Phone: number, Subject: subject, Text: text})
	if err != nil {
		return fmt.Errorf("writing a text message: %w", err)
	}
	sealed, err := s.seal.Seal(id, message)
	if err != nil {
		return err
	}
	slip := of(id)
	tag, err := tx.Exec(ctx, `insert into mails (id, person_id, cause, sealed, give_up_at, brief) values ($1, $2, $3, $4, now() + $5, $6) on conflict (cause) do nothing`,
		id, slip.Person, slip.Cause, sealed, slip.For, slip.Brief)
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
