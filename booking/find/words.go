package find

import (
	"context"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// sought is a text that is looked for.
type sought struct {
	words     []string // corrected; the last may go on
	corrected bool
	ignored   []string // nothing has them, nor anything like them
	atMost    int64    // entries that have all words
}

// tsquery is what Postgres looks for. A word has letters and digits only.
func (s sought) tsquery(weight string) string {
	terms := make([]string, len(s.words))
	for i, w := range s.words {
		terms[i] = "'" + w + "'"
		if i == len(s.words)-1 {
			terms[i] += ":*" + weight
		} else if weight != "" {
			terms[i] += ":" + weight
		}
	}
	return strings.Join(terms, " & ")
}

func (s sought) text() string { return strings.Join(s.words, " ") }

// word is one of a text, as it is kept.
type word struct {
	Text    string
	Known   bool
	Entries int64    // that have it; of the last word not those in which it goes on
	Near    []string // by how near they are, and how many entries have them
	Apart   []int    // how many letters: 1 or 2
	Have    []int64  // how many entries do
}

// seeking looks each word up in the index of words. Asked with exists, Postgres takes the
// text for a thousand words and reads all that there are into a hash, for each search; and
// for ^@ it has no index unless the beginning is a constant.
const seeking = `with w as (select word, n, max(n) over () as most from regexp_split_to_table(guide_fold($1), ' ') with ordinality w (word, n) where word <> '' limit 2 * $2)
	select w.word, k.known, coalesce(f.entries, 0), near.words, near.apart, near.have from w left join find_words f on f.word = w.word
	cross join lateral (select coalesce(f.entries, 0) > 0
		or w.n = w.most and (select true from find_words f where f.word >= w.word and f.word < w.word || chr(1114111) and f.entries > 0 limit 1) is not null as known) k
	left join lateral (select array_agg(near order by apart, place) as words, array_agg(apart order by apart, place) as apart, array_agg(have order by apart, place) as have
		from find_nearest(case when not k.known then w.word end) with ordinality near (near, apart, have, place)) near on true
	order by w.n`

// seek folds a text into words and corrects those that nothing has. The last one may be
// the beginning of one. A word that is like none is left out, unless all are.
func (s *Store) seek(ctx context.Context, text string) (found sought, err error) {
	rows, err := s.db.Query(ctx, seeking, text, MaxWords)
	if err != nil {
		return sought{}, err
	}
	words, err := pgx.CollectRows(rows, pgx.RowToStructByPos[word])
	if err != nil {
		return sought{}, err
	}
	found.atMost = math.MaxInt64
	for i, w := range words {
		text, entries := w.Text, w.Entries
		if !w.Known {
			if text, entries = w.correction(); text == "" {
				found.ignored = append(found.ignored, w.Text)
				continue
			}
			found.corrected = true
		}
		found.words = append(found.words, text)
		if i < len(words)-1 { // the last may go on
			found.atMost = min(found.atMost, entries)
		}
	}
	return found, nil
}

// From so many letters on a word may be mistyped in one, or in two: of less hardly
// anything is left.
const (
	oneOf = 4
	twoOf = 7
)

// correction is the word that was meant, empty if there is none, and how many entries have it.
func (w word) correction() (string, int64) {
	n := utf8.RuneCountInString(w.Text)
	if n < oneOf || strings.Trim(w.Text, "0123456789") == "" { // another year is another one
		return "", 0
	}
	for i, near := range w.Near {
		if w.Apart[i] == 1 || n >= twoOf || swapped(near, w.Text) {
			return near, w.Have[i]
		}
	}
	return "", 0
}

// swapped reports whether two words differ by the order of two letters beside each other,
// which is one slip of the hand and two letters apart.
func swapped(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && slices.Equal(x[i+2:], y[i+2:])
		}
	}
	return false
}
