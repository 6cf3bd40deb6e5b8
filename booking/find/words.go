package find

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// sought is a text that is looked for.
type sought struct {
	words     []term
	corrected bool
	ignored   []string // nothing has them, nor anything like them
}

// term is a word, corrected, and what it may be: itself, or the last whatever begins with it.
type term struct {
	text  string
	forms []string // none: more than can be told
	have  int64    // entries that have it
}

// tsquery is what Postgres looks for. A word has letters and digits only.
func tsquery(weight string, words ...term) string {
	if weight != "" {
		weight = ":" + weight
	}
	all := make([]string, len(words))
	for i, w := range words {
		if len(w.forms) == 0 {
			all[i] = "'" + w.text + "'" + cmp.Or(weight, ":") + "*"
			continue
		}
		forms := make([]string, len(w.forms))
		for j, f := range w.forms {
			forms[j] = "'" + f + "'" + weight
		}
		all[i] = "(" + strings.Join(forms, " | ") + ")"
	}
	return strings.Join(all, " & ")
}

// rarest is the word that the fewest entries have.
func (s sought) rarest() term {
	return slices.MinFunc(s.words, func(a, b term) int { return cmp.Compare(a.have, b.have) })
}

// rare is what Postgres looks for of several words if few entries have one of them: that.
func (s sought) rare() string {
	if r := s.rarest(); len(s.words) > 1 && r.have <= rarely {
		return tsquery("", r)
	}
	return ""
}

// likely is how many entries have all words. Of those that have the rarest one about half
// have the next, too: somebody who looks for both knows of something.
func (s sought) likely() int64 { return s.rarest().have >> (len(s.words) - 1) }

func (s sought) text() string {
	all := make([]string, len(s.words))
	for i, w := range s.words {
		all[i] = w.text
	}
	return strings.Join(all, " ")
}

// ways is how many words that begin with the last one are looked for one by one. Looking for
// a beginning, Postgres gathers all that have one of them, whatever the other words leave of
// it: 3 of 4 ms of a search of two words, of which thousands have the last.
const ways = 16

// slips is how many words are looked at that become the same as a mistyped one if a letter
// is taken out of each. Hardly any word has more than a dozen.
const slips = 100

// word is one of a text, as it is kept.
type word struct {
	Text    string
	Forms   []string // itself, if anything has it, or of the last some that begin with it
	Entries int64    // that have them
	Near    []string // if there are no forms: words that lack a letter as this one does, by how many entries have them
	Apart   []int    // how many letters: 1 or 2
	Have    []int64  // how many entries do
}

// seeking looks each word up in the index of words: for ^@ Postgres has none unless the
// beginning is a constant.
const seeking = `with w as (select word, n, max(n) over () as most from regexp_split_to_table(guide_fold($1), ' ') with ordinality w (word, n) where word <> '' limit 2 * $2)
	select w.word, forms.words, forms.entries, near.words, near.apart, near.have from w
	cross join lateral (select array_agg(word) as words, coalesce(sum(entries), 0)::bigint as entries from (
		select f.word, f.entries from find_words f where f.word between w.word and w.word || case when w.n = w.most then chr(1114111) else '' end and f.entries > 0
		order by f.word limit $3 + 1) f) forms
	left join lateral (select array_agg(word order by entries desc, word) as words, array_agg(apart order by entries desc, word) as apart, array_agg(entries order by entries desc, word) as have from (
		select s.word::text, levenshtein_less_equal(s.word, w.word, 2) as apart, s.entries from find_words s
		where find_slips(s.word) && case when forms.words is null then find_slips(w.word) end and s.entries > 0 order by s.entries desc, s.word limit $4) s) near on true
	order by w.n`

// seek folds a text into words and corrects those that nothing has. The last one may be
// the beginning of one. A word that is like none is left out, unless all are.
func (s *Store) seek(ctx context.Context, text string) (sought, error) {
	return s.kept().texts.of(ctx, text, func(ctx context.Context) (sought, error) { return s.lookUp(ctx, text) })
}

func (s *Store) lookUp(ctx context.Context, text string) (found sought, err error) {
	rows, err := s.db.Query(ctx, seeking, text, MaxWords, ways, slips)
	if err != nil {
		return sought{}, err
	}
	words, err := pgx.CollectRows(rows, pgx.RowToStructByPos[word])
	if err != nil {
		return sought{}, err
	}
	for _, w := range words {
		t := term{w.Text, w.Forms, w.Entries}
		switch {
		case len(w.Forms) == 0:
			if t.text, t.have, err = s.correction(ctx, w); err != nil {
				return sought{}, err
			}
			if t.text == "" {
				found.ignored = append(found.ignored, w.Text)
				continue
			}
			t.forms, found.corrected = []string{t.text}, true
		case len(w.Forms) > ways:
			t.forms, t.have = nil, math.MaxInt64
		}
		found.words = append(found.words, t)
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
func (s *Store) correction(ctx context.Context, w word) (near string, have int64, err error) {
	n := utf8.RuneCountInString(w.Text)
	switch {
	case n < oneOf || strings.Trim(w.Text, "0123456789") == "": // another year is another one
		return "", 0, nil
	}
	for i, near := range w.Near {
		if w.Apart[i] <= 1 || swapped(near, w.Text) {
			return near, w.Have[i], nil
		}
	}
	if n < twoOf {
		return "", 0, nil
	}
	err = s.db.QueryRow(ctx, `select near, have from find_nearest($1) limit 1`, w.Text).Scan(&near, &have)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return near, have, err
}

// swapped reports whether two words differ by the order of two letters beside each other.
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
