package review

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
)

// Bounds.
const (
	MostText = 2000 // characters
	MostName = 60
	// MostADay is how many posts somebody writes in 24 hours, and MostReports how many they report.
	MostADay, MostReports = 10, 20
	// mostMarks is how many marks stand on one letter: a stack of them is drawn over other lines.
	mostMarks = 4
)

// Kind is what sort of post one is.
type Kind string

// The kinds.
const (
	Review   Kind = "review"
	Question Kind = "question"
	Comment  Kind = "comment"
)

// State is how far a post is.
type State string

// The states.
const (
	Waiting State = "waiting" // until staff have looked at it
	Shown   State = "shown"
	Refused State = "refused" // or hidden, for a reason
	Gone    State = "gone"    // taken back by its writer, who may be erased
)

// Refusals.
var (
	ErrInvalid  = &ropeline.Error{Kind: ropeline.Invalid, Code: "post-invalid"}
	ErrUnknown  = &ropeline.Error{Kind: ropeline.NotFound, Code: "post-unknown", Detail: "There is no such post, or not any more."}
	ErrEvent    = &ropeline.Error{Kind: ropeline.NotFound, Code: "event-unknown", Detail: "There is no such event."}
	ErrNotThere = &ropeline.Error{Kind: ropeline.Forbidden, Code: "review-not-there", Detail: "Reviews are by people who were there: no ticket of your account has opened a door of this event."}
	ErrTwice    = &ropeline.Error{Kind: ropeline.Conflict, Code: "review-twice", Detail: "You have written a review of this event. Change that one."}
	ErrFixed    = &ropeline.Error{Kind: ropeline.Conflict, Code: "post-fixed", Detail: "Others may have answered it: only reviews are changed. You can take it back, and write another."}
	ErrMany     = &ropeline.Error{Kind: ropeline.Limited, Code: "posts-many", Detail: "That is enough for today: somebody writes 10 posts in 24 hours. Nothing was kept."}
	ErrReports  = &ropeline.Error{Kind: ropeline.Limited, Code: "reports-many", Detail: "That is enough for today: somebody reports 20 posts in 24 hours."}
	ErrHidden   = &ropeline.Error{Kind: ropeline.Conflict, Code: "post-refused", Detail: "This is not shown, so an answer would be read by nobody. Show it first."}
	ErrTalk     = &ropeline.Error{Kind: ropeline.Conflict, Code: "post-comment", Detail: "A comment has no answer: answer what it was written under."}
)

func invalid(pointer, format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...)
	e.Faults = []ropeline.Fault{{Detail: e.Detail, Pointer: pointer}}
	return &e
}

// Words are what somebody says.
type Words struct {
	Stars int    `json:"stars,omitempty" minimum:"1" maximum:"5" doc:"of a review, and of nothing else"`
	Name  string `json:"name" doc:"1 to 60 characters: how they sign it; no address"`
	Text  string `json:"text" doc:"1 to 2,000 characters, in lines; no markup"`
}

// Draft is a post that is not written yet.
type Draft struct {
	Kind   Kind   `json:"kind" enum:"review,question,comment"`
	Event  string `json:"event,omitempty" doc:"the id of what a review or a question is about"`
	Parent string `json:"parent,omitempty" doc:"the id of the post that a comment is on"`
	Words
}

// Reply is what the organizer says to a post.
type Reply struct {
	Text string    `json:"text"`
	By   string    `json:"by" doc:"the name of the organization"`
	At   time.Time `json:"at"`
}

// Post is one as everybody reads it.
type Post struct {
	ID       string     `json:"id"`
	Kind     Kind       `json:"kind" enum:"review,question,comment"`
	At       time.Time  `json:"at"`
	Edited   *time.Time `json:"edited,omitempty"`
	Gone     bool       `json:"gone,omitempty" doc:"taken back by who wrote it; others have answered, so its place is left"`
	Name     string     `json:"name"`
	Stars    int        `json:"stars,omitempty" doc:"1 to 5, of a review"`
	Text     string     `json:"text"`
	Answer   *Reply     `json:"answer,omitempty"`
	Comments int        `json:"comments" doc:"how many are shown"`
}

// Own is a post as its writer reads it.
type Own struct {
	ID      string    `json:"id"`
	Kind    Kind      `json:"kind" enum:"review,question,comment"`
	Event   string    `json:"event" doc:"its id"`
	Title   string    `json:"title" doc:"of the event"`
	Parent  string    `json:"parent,omitempty"`
	At      time.Time `json:"at"`
	Name    string    `json:"name"`
	Stars   int       `json:"stars,omitempty"`
	Text    string    `json:"text"`
	State   State     `json:"state" enum:"waiting,shown,refused,gone"`
	Reason  string    `json:"reason,omitempty" doc:"why it is not shown"`
	Answer  string    `json:"answer,omitempty" doc:"of the organizer"`
	Version int       `json:"version"`
}

// Store keeps posts in Postgres.
type Store struct{ db *pgxpool.Pool }

// New returns a Store over a pool.
func New(db *pgxpool.Pool) *Store { return &Store{db} }

// normal is what is said as it is kept.
func (w Words) normal(k Kind) (Words, error) {
	var err error
	if w.Text, err = plain("/text", w.Text); err != nil {
		return w, err
	}
	w.Name = strings.TrimSpace(w.Name)
	if n := utf8.RuneCountInString(w.Name); n == 0 || n > MostName || !isName(w.Name) {
		return w, invalid("/name", "A name has 1 to %d characters that can be printed, a letter or a number among them, and is no address.", MostName)
	}
	switch {
	case k == Review && (w.Stars < 1 || w.Stars > 5):
		return w, invalid("/stars", "A review has 1 to 5 stars.")
	case k != Review && w.Stars != 0:
		return w, invalid("/stars", "Only a review has stars.")
	}
	return w, nil
}

// isName refuses what cannot be seen, turns a line around, or would have strangers written to.
func isName(s string) bool {
	return readable(s, false) && !strings.ContainsRune(s, '@') && strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}

// plain is a text of lines as it is kept: at most one of them is empty at a time.
func plain(pointer, s string) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	for strings.Contains(s, "\n\n\n") {
		s = strings.ReplaceAll(s, "\n\n\n", "\n\n")
	}
	if n := utf8.RuneCountInString(s); n == 0 || n > MostText || !readable(s, true) {
		return s, invalid(pointer, "A text has 1 to %d characters that can be printed, in lines.", MostText)
	}
	return s, nil
}

// The joiners belong to Persian and Indic words, and to emoji; anywhere else they hide something.
const nonJoiner, joiner = '\u200c', '\u200d'

// readable reports whether all of a text is seen as it is written. What turns the direction of
// a line around (U+202E), or has no width, cannot be printed.
func readable(s string, lines bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	var before rune
	marks := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > mostMarks || before == 0 || before == '\n' {
				return false
			}
			continue // what it stands on is still what is before
		case r == nonJoiner || r == joiner:
			if !lines || !unicode.In(before, unicode.L, unicode.S) {
				return false
			}
		case r == '\n':
			if !lines {
				return false
			}
		case !unicode.IsPrint(r):
			return false
		}
		before, marks = r, 0
	}
	return before != nonJoiner && before != joiner
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
