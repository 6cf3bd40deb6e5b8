package mail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// plain seals nothing, but notices if a message is opened under another id.
type plain struct{}

func (plain) Seal(id string, text []byte) ([]byte, error) { return append([]byte(id), text...), nil }

func (plain) Open(id string, sealed []byte) ([]byte, error) {
	text, ok := strings.CutPrefix(string(sealed), id)
	if !ok {
		return nil, errors.New("of another id")
	}
	return []byte(text), nil
}

type rig struct {
	t     *testing.T
	db    *pgxpool.Pool
	store *mail.Store
	box   *mailbox.Box
	who   string
	code  string // the newest that was to be texted
}

// say words a text message with a code.
func (r *rig) say(code string) (string, error) {
	r.code = code
	return code + " is your code", nil
}

func open(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, db: devtest.Postgres(t), box: &mailbox.Box{}, who: uuid.NewString()}
	r.store = mail.New(r.db, plain{})
	r.exec(`insert into people (id, email_mac, wrapped, sealed) values ($1, 'a', 'b', 'c')`, r.who)
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

// until runs a part until something is so, and waits for its end.
func (r *rig) until(run func(context.Context) error, so func() bool) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	late := ctx.Err()
	stop()
	if err := <-done; err != nil || late != nil {
		r.t.Fatal(err, late)
	}
}

// untilAtOnce does, too, and letters wait for no next try. They are made due over and over: a
// part that was stopped may leave Postgres at the statement that takes them, which keeps them
// for its lease and is told to nobody.
func (r *rig) untilAtOnce(run func(context.Context) error, so func() bool) {
	r.t.Helper()
	r.until(run, func() bool {
		r.exec(`update mails set next_at = now() where state = 'due' and next_at > now()`)
		r.exec(`update river_job set state = 'available', scheduled_at = now() where state in ('available', 'scheduled', 'retryable')`)
		return so()
	})
}

// serve has a mail server, and returns its address.
func (r *rig) serve(listen string) string {
	r.t.Helper()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.serveOn(ln)
}

func (r *rig) serveOn(ln net.Listener) string {
	r.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.box.Serve(ctx, ln) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
			r.t.Error(err)
		}
	})
	return ln.Addr().String()
}

func (r *rig) sender(address string) *mail.Sender {
	r.t.Helper()
	server, err := mail.ParseServer("smtp://" + address)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := mail.NewSender(r.store, server, "Ropeline <tickets@example.org>", 10*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) post(to string, fails error) {
	r.t.Helper()
	err := pgx.BeginFunc(r.t.Context(), r.db, func(tx pgx.Tx) error {
		m := mail.Message{To: to, Subject: "Größe & <b>", Text: "Ein Brief über\n" + strings.Repeat("lang", 40) + "\n"}
		_, err := r.store.Post(r.t.Context(), tx, m, mail.Slip{Person: r.who, For: time.Hour})
		return errors.Join(err, fails)
	})
	if !errors.Is(err, fails) {
		r.t.Fatal(err)
	}
}

func (r *rig) states() (all string) {
	r.t.Helper()
	err := r.db.QueryRow(r.t.Context(), `select coalesce(string_agg(state || case when sealed is null then '' else '*' end, ' ' order by state), '') from mails`).Scan(&all)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func TestALetterIsSentOnceItIsCommittedAndForgottenThen(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.post("ada@example.org", nil)
	r.post("nobody@example.org", errors.New("rolled back"))
	sender := r.sender(r.serve("127.0.0.1:0"))
	r.until(sender.Run, func() bool { return r.states() == "sent" })
	got := r.box.Letters()
	if len(got) != 1 || got[0].To != "ada@example.org" || got[0].From != "tickets@example.org" || got[0].Subject != "Größe & <b>" ||
		got[0].Text != "Ein Brief über\n"+strings.Repeat("lang", 40)+"\n" || !strings.HasSuffix(got[0].ID, "@example.org") {
		t.Errorf("there came %+v", got)
	}
}

// A letter has its text first and its HTML then, can be ended by a mail program, and no
// header that somebody has typed.
func TestALetterIsWrittenTwice(t *testing.T) {
	t.Parallel()
	r := open(t)
	err := pgx.BeginFunc(t.Context(), r.db, func(tx pgx.Tx) error {
		m := mail.Message{To: "ada@example.org", Subject: "News\r\nBcc: all@example.org", Text: "Grüße\n", HTML: "<p>Grüße</p>", Unsubscribe: "https://tickets.example.org/leave?t=1"}
		id, err := r.store.Post(t.Context(), tx, m, mail.Slip{For: time.Hour, Cause: "once"})
		if again, also := r.store.Post(t.Context(), tx, m, mail.Slip{For: time.Hour, Cause: "once"}); id == "" || again != "" || also != nil {
			t.Errorf("of one cause there are %q and %q, %v", id, again, also)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sender := r.sender(r.serve("127.0.0.1:0"))
	r.until(sender.Run, func() bool { return r.states() == "sent" })
	got := r.box.Letters()
	if len(got) != 1 || got[0].To != "ada@example.org" || got[0].Subject != "News Bcc: all@example.org" || got[0].Text != "Grüße\n" || got[0].HTML != "<p>Grüße</p>" {
		t.Fatalf("there came %+v", got)
	}
	for _, line := range []string{"List-Unsubscribe: <https://tickets.example.org/leave?t=1>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Auto-Submitted: auto-generated"} {
		if !strings.Contains(got[0].Header, line) {
			t.Errorf("its header lacks %q:\n%s", line, got[0].Header)
		}
	}
	if strings.Contains(got[0].Header, "\nBcc:") {
		t.Errorf("its header is\n%s", got[0].Header)
	}
}

func TestALetterIsTriedAgainUntilItIsTakenOrRefusedForGood(t *testing.T) {
	t.Parallel()
	r := open(t)
	var mu sync.Mutex // each connection is a goroutine of the server's
	tries := map[string]int{}
	r.box.Refuse = func(to string) int {
		mu.Lock()
		defer mu.Unlock()
		switch tries[to]++; {
		case to == "later@example.org" && tries[to] == 1:
			return 451
		case to == "never@example.org":
			return 550
		}
		return 0
	}
	sender := r.sender(r.serve("127.0.0.1:0"))
	for _, to := range []string{"later@example.org", "never@example.org", "ada@example.org"} {
		r.post(to, nil)
	}
	var states string
	r.until(sender.Run, func() bool { // on a slow machine it may be time to try again before anybody looks
		states = r.states()
		return states == "due* failed* sent" || states == "failed* sent sent"
	})
	mu.Lock()
	n := tries["later@example.org"]
	mu.Unlock()
	if n != 1 && states == "due* failed* sent" {
		t.Errorf("it was tried %d times at once", n)
	}
	r.untilAtOnce(sender.Run, func() bool { return r.states() == "failed* sent sent" })
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(tries); got != "map[ada@example.org:1 later@example.org:2 never@example.org:1]" {
		t.Errorf("tried were %s", got)
	}
}

// River may give a job to a second worker while the first one is at it: its leader goes by a
// clock of its own. The letter is left to whoever has its lease.
func TestALetterThatSomebodyTriesIsLeftToThem(t *testing.T) {
	t.Parallel()
	r := open(t)
	sender := r.sender(r.serve("127.0.0.1:0"))
	r.post("ada@example.org", nil)
	r.exec(`update mails set next_at = now() + interval '1 hour'`)
	snoozed := func() (n int) {
		if err := r.db.QueryRow(t.Context(), `select count(*) from river_job where state = 'scheduled' and scheduled_at > now() + interval '50 minutes'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r.until(sender.Run, func() bool { return snoozed() == 1 })
	if got := r.box.Letters(); len(got) != 0 || r.states() != "due*" {
		t.Errorf("there came %+v, and it is %s", got, r.states())
	}
	r.exec(`insert into river_job (kind, queue, max_attempts, args) select kind, queue, max_attempts, args from river_job, generate_series(1, 5)`)
	r.exec(`update mails set next_at = now()`)
	r.exec(`update river_job set state = 'available', scheduled_at = now()`)
	r.until(sender.Run, func() bool { return r.states() == "sent" })
	if got := r.box.Letters(); len(got) != 1 {
		t.Errorf("of six jobs there came %d letters", len(got))
	}
}

// encloser makes files, or does not.
type encloser func(of string) ([]mail.Enclosure, error)

func (e encloser) Enclose(_ context.Context, of string) ([]mail.Enclosure, error) { return e(of) }

// What goes with a letter is made when it is sent, and nothing that cannot be made loses it:
// by the third try it goes alone.
func TestALetterGoesAloneWhereWhatGoesWithItCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails int // how often
		with  string
	}{"at once": {0, "tickets.pdf application/pdf %PDF-ada"}, "at the third": {2, "tickets.pdf application/pdf %PDF-ada"}, "never": {99, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			sender := r.sender(r.serve("127.0.0.1:0"))
			var made atomic.Int64
			sender.Encloser = encloser(func(of string) ([]mail.Enclosure, error) {
				switch n := made.Add(1); {
				case int(n) > c.fails:
					return []mail.Enclosure{{Name: "tickets.pdf", Type: "application/pdf", Content: []byte("%PDF-" + of)}}, nil
				case n%2 == 0:
					panic("a font is missing")
				}
				return nil, errors.New("a picture is broken")
			})
			err := pgx.BeginFunc(t.Context(), r.db, func(tx pgx.Tx) error {
				_, err := r.store.Post(t.Context(), tx, mail.Message{To: "ada@example.org", Subject: "Tickets", Text: "Here\n", HTML: "<p>Here</p>", Encloses: "ada"}, mail.Slip{For: time.Hour})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			r.untilAtOnce(sender.Run, func() bool { return r.states() == "sent" })
			got := r.box.Letters()
			if len(got) != 1 || got[0].Text != "Here\n" || got[0].HTML != "<p>Here</p>" {
				t.Fatalf("there came %+v", got)
			}
			var with []string
			for _, f := range got[0].Files {
				with = append(with, f.Name+" "+strings.Split(f.Type, ";")[0]+" "+string(f.Content))
			}
			if strings.Join(with, ", ") != c.with {
				t.Errorf("with it came %q, not %q", with, c.with)
			}
			if n := made.Load(); n > 3 {
				t.Errorf("it was tried %d times", n)
			}
		})
	}
}

func TestALetterWaitsForAServerThatIsAwayButNotForever(t *testing.T) {
	t.Parallel()
	r := open(t)
	ln, err := net.Listen("tcp", "127.0.0.77:0") // where no other test can take the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	sender := r.sender(address)
	r.post("ada@example.org", nil)
	r.post("over@example.org", nil)
	tried := func() (n int) {
		if err := r.db.QueryRow(t.Context(), `select count(*) from mails where tries >= 1 and problem <> ''`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r.until(sender.Run, func() bool { return tried() == 2 })
	r.exec(`update mails set give_up_at = now() where convert_from(sealed, 'utf8') like '%over@%'`)
	r.untilAtOnce(sender.Run, func() bool { return r.states() == "due* failed*" })
	r.serve(address)
	r.untilAtOnce(sender.Run, func() bool { return r.states() == "failed* sent" })
	if got := r.box.Letters(); len(got) != 1 || got[0].To != "ada@example.org" {
		t.Errorf("there came %+v", got)
	}
}

func TestAMailServerIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "mail.example.org", "http://mail.example.org", "smtp://", "smtp://u:p@mail.example.org", "smtp://mail.example.org:0", "smtp://mail.example.org:99999", "smtp://mail.example.org/x", "smtp://a b"} {
		if _, err := mail.ParseServer(bad); err == nil {
			t.Errorf("%q is taken for a mail server", bad)
		}
	}
	for _, good := range []string{"smtp://mail.example.org", "smtps://ada@mail.example.org:465", "smtp://[::1]:2525"} {
		if _, err := mail.ParseServer(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	server, err := mail.ParseServer("smtp://mail.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mail.NewSender(nil, server, "no address", time.Second, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("letters come from no address")
	}
}
