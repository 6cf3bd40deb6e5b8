package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
)

// write posts a letter to each of these.
func (r *rig) write(bulk bool, to ...string) {
	r.t.Helper()
	err := pgx.BeginFunc(r.t.Context(), r.db, func(tx pgx.Tx) error {
		for _, each := range to {
			if _, err := r.store.Post(r.t.Context(), tx, mail.Message{To: each, Subject: "S", Text: "T\n"}, mail.Slip{For: 3 * 24 * time.Hour, Bulk: bulk}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) count(sql string, args ...any) (n int) {
	r.t.Helper()
	if err := r.db.QueryRow(r.t.Context(), sql, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func fans(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("fan-%d@example.org", i))
	}
	return all
}

// A mail server that is down for a day loses no letter: each is tried less and less often, by
// Postgres's clock, and at least every quarter of an hour; and when it comes back those go first
// that somebody waits for.
func TestAMailServerThatIsDownForADayLosesNothing(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	for tries := 1; tries <= 100; tries++ {
		waits = append(waits, mail.Delay(tries))
	}
	if got := fmt.Sprint(waits[:6]); got != "[5s 20s 1m20s 5m20s 15m0s 15m0s]" || waits[99] != 15*time.Minute {
		t.Errorf("it is tried again after %s, and %v in the end", got, waits[99])
	}
	const many = 190 // the box keeps 200
	r := open(t)
	r.write(true, fans(many)...)
	r.write(false, "ada@example.org", "bert@example.org", "cleo@example.org")
	// As they are after a day of tries: an hour or ten minutes are left until the next.
	r.exec(`update mails set tries = 100, problem = 'the mail server cannot be reached', created_at = now() - interval '1 day', give_up_at = give_up_at - interval '1 day', next_at = now() + interval '10 minutes'`)
	r.exec(`update river_job set state = 'scheduled', scheduled_at = now() + interval '10 minutes', created_at = now() - interval '1 day', attempt = 0`)
	sender := r.sender(r.serve("127.0.0.1:0"))
	r.exec(`update mails set next_at = now()`) // the ten minutes are over
	r.exec(`update river_job set state = 'available', scheduled_at = now()`)
	r.until(sender.Run, func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	all := r.box.Letters() // the newest first
	if len(all) != many+3 || r.count(`select count(*) from mails where state = 'sent' and sealed is null`) != many+3 {
		t.Fatalf("there came %d letters of %d", len(all), many+3)
	}
	for i, l := range all {
		if before := len(all) - 1 - i; !strings.HasPrefix(l.To, "fan-") && before > many/2 {
			t.Errorf("%s had to wait for %d letters that go to many", l.To, before)
		}
	}
}

// Of a day at which the mail server is away nothing is given up that is of use for three.
func TestWhatIsOfUseForLongerIsNotGivenUp(t *testing.T) {
	t.Parallel()
	r := open(t)
	address := r.serve("127.0.0.1:0")
	r.box.Refuse = func(to string) int { return 451 } // it takes nothing from anybody
	sender := r.sender(address)
	r.write(false, "day@example.org", "days@example.org")
	r.exec(`update mails set tries = 95, created_at = now() - interval '1 day', give_up_at = now() + interval '2 days'`)
	r.exec(`update mails set give_up_at = now() + interval '14 minutes' where id = (select max(id::text)::uuid from mails)`) // before it could be tried again
	r.until(sender.Run, func() bool { return r.states() == "due* failed*" })
	if n := r.count(`select count(*) from mails where state = 'due' and tries = 96 and next_at between now() + interval '14 minutes' and now() + interval '15 minutes'`); n != 1 {
		t.Errorf("%d letters wait for a quarter of an hour", n)
	}
}

// A mail server that refuses an address of many takes the others, over the same connections.
func TestAnAddressThatIsRefusedIsInNobodysWay(t *testing.T) {
	t.Parallel()
	for name, pipelines := range map[string]bool{"all at once": true, "one after the other": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			r.box.Refuse = func(to string) int {
				if strings.HasPrefix(to, "fan-2") { // 11 of 30
					return 550
				}
				return 0
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := &listener{Listener: ln, steps: !pipelines}
			sender := r.sender(r.serveOn(l))
			r.write(false, fans(30)...)
			r.until(sender.Run, func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
			if sent, failed := len(r.box.Letters()), r.count(`select count(*) from mails where state = 'failed' and tries = 1 and problem like '%550'`); sent != 19 || failed != 11 {
				t.Errorf("%d letters came and %d were refused once, want 19 and 11", sent, failed)
			}
			if n := len(l.conns()); n > mail.Hands {
				t.Errorf("over %d connections", n)
			}
		})
	}
}

// listener is a mail server's; one that takes steps does not say that it takes several commands at once.
type listener struct {
	net.Listener
	steps bool

	mu  sync.Mutex // guards all
	all []net.Conn
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, conn)
	if l.steps {
		conn = stepwise{conn}
	}
	return conn, nil
}

func (l *listener) conns() []net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// stepwise says nothing of PIPELINING, and takes no more than one command at a time.
type stepwise struct{ net.Conn }

func (s stepwise) Write(b []byte) (int, error) {
	_, err := s.Conn.Write(bytes.ReplaceAll(b, []byte("PIPELINING"), []byte("XPIPELINED")))
	return len(b), err
}

func (s stepwise) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if commands := bytes.Count(b[:n], []byte("\r\n")); commands > 1 && bytes.HasPrefix(b[:n], []byte("MAIL")) {
		return 0, errors.New("several commands at once")
	}
	return n, err
}

// A connection that has ended while nobody needed it costs a letter no try, whether it is gone
// or the server says so (421).
func TestALetterGoesOverAnotherConnectionWhereOneHasEnded(t *testing.T) {
	t.Parallel()
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		r := open(t)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := &listener{Listener: ln}
		sender, more := r.sender(r.serveOn(l)), false
		r.write(false, "ada@example.org")
		r.until(sender.Run, func() bool {
			if !more && r.states() == "sent" {
				for _, conn := range l.conns() {
					_ = conn.Close()
				}
				r.write(false, "bert@example.org")
				more = true
			}
			return r.count(`select count(*) from mails where state = 'sent' and tries = 1`) == 2
		})
	})
	t.Run("ends", func(t *testing.T) {
		t.Parallel()
		r, g := open(t), &guarded{once: true}
		s := smtp.NewServer(g)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		defer func() { <-served }()
		defer func() { _ = s.Close() }()
		sender, more := r.sender(ln.Addr().String()), false
		r.write(false, "ada@example.org")
		r.until(sender.Run, func() bool {
			if !more && r.states() == "sent" {
				r.write(false, "bert@example.org")
				more = true
			}
			return r.count(`select count(*) from mails where state = 'sent' and tries = 1`) == 2
		})
	})
}

// A mail server that takes half a minute to answer for some holds up nobody else, and a letter
// that waits for it is let go of.
func TestAMailServerThatIsSlowHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	r := open(t)
	over := make(chan struct{})
	r.box.Refuse = func(to string) int {
		if strings.HasPrefix(to, "fan-") {
			select {
			case <-over:
			case <-time.After(30 * time.Second):
			}
		}
		return 0
	}
	sender := r.sender(r.serve("127.0.0.1:0"))
	r.write(false, fans(mail.Hands-2)...)
	asked := false
	var began time.Time
	var took time.Duration
	r.until(sender.Run, func() bool {
		if !asked && r.count(`select count(*) from mails where tries = 1`) == mail.Hands-2 { // all of them are at it
			r.write(false, "ada@example.org", "bert@example.org", "cleo@example.org")
			asked, began = true, time.Now()
		}
		if !asked || r.count(`select count(*) from mails where state = 'sent'`) != 3 {
			return false
		}
		took = time.Since(began)
		if n := r.count(`select count(*) from mails where state = 'due' and tries = 1 and problem = ''`); n != mail.Hands-2 {
			t.Errorf("%d letters are waited for, want %d", n, mail.Hands-2)
		}
		close(over)
		return true
	})
	if took > 10*time.Second {
		t.Errorf("others waited for %v", took)
	}
}

// Of a letter that a mail server does not answer to, nobody waits for longer than for an answer,
// and it is tried again.
func TestAMailServerThatNeverAnswersIsLetGoOf(t *testing.T) {
	t.Parallel()
	r := open(t)
	over := make(chan struct{})
	defer close(over)
	r.box.Refuse = func(to string) int {
		if to == "never@example.org" {
			<-over
		}
		return 0
	}
	sender := r.sender(r.serve("127.0.0.1:0"))
	sender.Answers(2 * time.Second)
	r.write(false, "never@example.org", "ada@example.org")
	began := time.Now()
	r.until(sender.Run, func() bool {
		return r.count(`select count(*) from mails where state = 'due' and problem = 'the mail server did not take it' and next_at > now()`) == 1 && r.states() == "due* sent"
	})
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it was let go of after %v", took)
	}
}

// slowly is a connection of a mail server that thinks before it says anything.
type slowly struct {
	net.Conn
	thinks time.Duration
}

func (s slowly) Write(b []byte) (int, error) {
	<-time.After(s.thinks)
	return s.Conn.Write(b)
}

type slowListener struct {
	net.Listener
	thinks time.Duration
}

func (l slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return slowly{conn, l.thinks}, err
}

// A mail server that takes nearly as long over each answer as one is waited for has its letters
// all the same, at the first try: what counts is not how long all of it takes.
func TestAMailServerThatIsSlowInEachAnswerGetsItsLetters(t *testing.T) {
	t.Parallel()
	r := open(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const thinks = 700 * time.Millisecond // of a second: as 40 s are of a minute
	sender := r.sender(r.serveOn(slowListener{ln, thinks}))
	sender.Answers(time.Second)
	r.write(false, "ada@example.org", "bert@example.org")
	began := time.Now()
	r.until(sender.Run, func() bool { return r.count(`select count(*) from mails where state = 'sent' and tries = 1`) == 2 })
	if took := time.Since(began); took < 4*thinks {
		t.Errorf("it took %v: the mail server was not slow", took)
	}
	if n := len(r.box.Letters()); n != 2 {
		t.Errorf("%d letters came", n)
	}
}

// Whoever ends does not wait for a mail server that is slow, and what it had to answer to is due
// again.
func TestASenderThatEndsLetsGoOfAMailServerThatIsSlow(t *testing.T) {
	t.Parallel()
	r := open(t)
	asked, over := make(chan struct{}, 1), make(chan struct{})
	defer close(over)
	r.box.Refuse = func(string) int {
		asked <- struct{}{}
		<-over
		return 0
	}
	sender := r.sender(r.serve("127.0.0.1:0"))
	r.write(false, "ada@example.org")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	done := make(chan error, 1)
	go func() { done <- sender.Run(ctx) }()
	<-asked
	end()
	began := time.Now()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if all := r.states(); all != "due*" {
		t.Errorf("the letter is %s", all)
	}
}

// An address that would be another header, or another command, is none: its letter is given up,
// and nobody hears of it.
func TestAnAddressIsNothingElse(t *testing.T) {
	t.Parallel()
	r := open(t)
	sender := r.sender(r.serve("127.0.0.1:0"))
	bad := []string{"ada@example.org\r\nBcc: all@example.org", "ada@example.org>\r\nRCPT TO:<all@example.org", "ada@example.org, all@example.org", "ada@example.org\x00", "\"a\r\nb\"@example.org", "<>", ""}
	r.write(false, bad...)
	r.write(false, "Ada <ada@example.org>") // a name is no harm
	r.until(sender.Run, func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	all := r.box.Letters()
	if n := r.count(`select count(*) from mails where state = 'failed' and problem = 'its address is none'`); n != len(bad) || len(all) != 1 {
		t.Errorf("%d addresses are none, want %d; there came %+v", n, len(bad), all)
	}
	for _, l := range all {
		if strings.Contains(l.To+l.Header, "all@example.org") {
			t.Errorf("a letter came to %s:\n%s", l.To, l.Header)
		}
	}
}
