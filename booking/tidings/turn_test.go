package tidings_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/tidings"
)

// line is one whose news come again until they are said to be told.
type line struct {
	mu    sync.Mutex
	turns []tidings.Turn
	away  bool // nothing can be told to it
}

func (l *line) Near(context.Context, int) ([]tidings.Turn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]tidings.Turn{}, l.turns...), nil
}

func (l *line) Told(_ context.Context, told tidings.Turn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errors.New("the line is away")
	}
	for i, t := range l.turns {
		if t == told {
			l.turns = append(l.turns[:i:i], l.turns[i+1:]...)
			break
		}
	}
	return nil
}

// holding are the tables in whose rows a text is, as text or in bytes.
func (r *rig) holding(text string) (names []string) {
	r.t.Helper()
	rows, err := r.db.Query(r.t.Context(), `select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, name)
	}
	if len(all) < 50 {
		r.t.Fatalf("there are %d tables", len(all))
	}
	for _, name := range all {
		var n int
		if err := r.db.QueryRow(r.t.Context(), `select count(*) from `+name+` x where strpos(x::text, $1) > 0 or strpos(x::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0`, text).Scan(&n); err != nil {
			r.t.Fatal(err)
		}
		if n > 0 {
			names = append(names, name)
		}
	}
	return names
}

// Whose turn is near has one letter, in their language and with the link that carries their
// place, however often the line says it and whoever writes; who has an account and wants that
// has a text message, too. Of the address nothing is left then, in no table.
func TestWhoseTurnIsNearIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ada := uuid.NewString()
	r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, 'ada', 'b', 'c', 'active')`, ada)
	r.phoned(ada, "turn")
	r.box.Refuse = func(to string) int { return map[bool]int{true: 550}[strings.HasPrefix(to, "nobody.")] }
	known := func(_ context.Context, email string) (string, error) {
		return map[string]string{"ada@example.org": ada}[email], nil
	}
	link := func(name string) string { return "https://tickets.example.org/sales/gala#handover=" + name }
	l := &line{away: true, turns: []tidings.Turn{
		{Sale: "gala", Place: "a", Email: "ada@example.org", Language: "de-AT,de;q=0.9", Link: link("ADA")},
		{Sale: "gala", Place: "b", Email: "bert@example.org", Link: link("BERT")},
		{Sale: "elsewhere", Place: "c", Email: "nobody.carl@example.org", Link: link("CARL")}, // whose shop is another's
	}}
	tell := func() error {
		var g errgroup.Group
		for range 3 {
			g.Go(func() error {
				return tidings.NewTurner(l, r.writer, known, slog.New(slog.DiscardHandler)).Tell(t.Context())
			})
		}
		return g.Wait()
	}
	if err := tell(); err == nil { // they die before they say that it is written
		t.Error("the line is told while it is away")
	}
	l.away = false
	if err := tell(); err != nil || len(l.turns) != 0 {
		t.Fatalf("%d turns are told still: %v", len(l.turns), err)
	}
	if n := r.count(`select count(*) from mails where cause like 'turn-near:%'`); n != 4 {
		t.Errorf("there are %d letters and texts", n)
	}
	if n := r.count(`select count(*) from mails where cause = 'turn-near:gala:a:text' and person_id is not null`); n != 1 {
		t.Error("who wants a text message has none")
	}
	if len(r.holding("bert@example.org")) == 0 {
		t.Fatal("nothing is found where something is")
	}
	r.serve(func() bool {
		return r.count(`select count(*) from mails where state = 'due' and cause not like '%:text'`) == 0
	})
	got := r.heard()
	for name, says := range map[string][]string{
		"ada@example.org: Gleich sind Sie an der Reihe: Gala": {link("ADA"), "Mittwoch, 1. Mai 2030"},
		"bert@example.org: It is nearly your turn: Gala":      {link("BERT"), "Opera, Largo 1, Lisboa"},
	} {
		for _, part := range says {
			if !strings.Contains(got[name].Text, part) {
				t.Errorf("%s lacks %q:\n%s", name, part, got[name].Text)
			}
		}
	}
	if n := r.count(`select count(*) from mails where cause = 'turn-near:elsewhere:c' and state = 'failed'`); len(got) != 2 || n != 1 {
		t.Errorf("there came %d letters, and %d were refused for good", len(got), n)
	}
	r.exec(`update mails set give_up_at = now() - interval '1 day', next_at = now() + interval '1 day' where state = 'due'`) // the text message, which nobody sends
	r.serve(func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	for _, text := range []string{"bert@example.org", "nobody.carl@example.org", "ada@example.org", "#handover="} {
		if found := r.holding(text); len(found) != 0 {
			t.Errorf("%s is kept still in %v", text, found)
		}
	}
	if n := r.count(`select count(*) from mails where cause like 'turn-near:%' and sealed is not null`); n != 0 {
		t.Errorf("of %d letters the text is kept", n)
	}
	// A place that came back after a loss is near once more: it was told.
	l.turns = []tidings.Turn{{Sale: "gala", Place: "b", Email: "bert@example.org", Link: link("OTHER")}}
	if err := tell(); err != nil || r.count(`select count(*) from mails where cause like 'turn-near:gala:b%'`) != 1 {
		t.Errorf("it is told twice: %v", err)
	}
}
