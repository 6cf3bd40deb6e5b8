package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

const (
	// most is how many letters one connection carries: mail servers have bounds.
	most = 100
	// idle is for how long a connection is kept that carries none.
	idle = 5 * time.Second
	// reach is how long it may take to connect, answer how long the mail server may take to
	// answer each thing that is said to it: one that is slow gets its letters.
	reach, answer = 15 * time.Second, time.Minute
	// ends is what a mail server says when it ends a connection.
	ends = 421
	// goodbye is for how long somebody who hangs up waits for the answer to that.
	goodbye = time.Second
)

// errNoLine is why a letter was not even offered.
var errNoLine = errors.New("the mail server cannot be reached")

// wire is what a connection to the mail server goes over. Each answer has its time; go-mail
// would give one to all of a letter's together.
type wire struct {
	net.Conn
	answer time.Duration
}

func (w *wire) Read(b []byte) (int, error) {
	if err := w.Conn.SetReadDeadline(time.Now().Add(w.answer)); err != nil {
		return 0, err
	}
	return w.Conn.Read(b)
}

func (w *wire) Write(b []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.answer)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

// SetDeadline is go-mail's, for all that it does together.
func (w *wire) SetDeadline(time.Time) error { return nil }

// line is a connection to the mail server.
type line struct {
	smtp    *smtp.Client
	wire    *wire
	letters int
	since   time.Time // when it began to be idle
}

// close hangs up: whatever is said to that, the letters are taken, or not.
func (l *line) close() {
	l.wire.answer = goodbye
	_ = l.smtp.Quit()
	_ = l.wire.Close()
}

// said is something that is said to the mail server, and how its answer begins.
type said struct {
	line string
	code int
}

// hand hands a letter over. Where the server lets us (RFC 2920), all that comes before it is
// said at once: two answers are waited for, where go-mail waits for six, with those to NOOP and
// RSET. Nothing reports whether the server has heard nothing of the letter.
func (l *line) hand(m *gomail.Msg) (nothing bool, err error) {
	from, err := m.GetSender(false)
	if err != nil {
		return false, err
	}
	to, err := m.GetRecipients()
	if err != nil {
		return false, err
	}
	if strings.ContainsAny(from+strings.Join(to, ""), "\r\n") {
		return false, errors.New("an address is more than one line")
	}
	all := []said{{"MAIL FROM:" + from + l.able(" BODY=8BITMIME", "8BITMIME") + l.able(" SMTPUTF8", "SMTPUTF8"), 250}}
	for _, address := range to {
		all = append(all, said{"RCPT TO:" + address, 25})
	}
	if nothing, err = l.say(append(all, said{"DATA", 354})); err != nil {
		return nothing, err
	}
	w := l.smtp.Text.DotWriter()
	if _, err := m.WriteTo(w); err != nil {
		return false, err
	}
	if err := w.Close(); err != nil {
		return false, err
	}
	_, _, err = l.smtp.Text.ReadResponse(250)
	return false, err
}

// able is a text if the server can do something.
func (l *line) able(text, extension string) string {
	if ok, _ := l.smtp.Extension(extension); ok {
		return text
	}
	return ""
}

// say says something after the other, and reads all answers. The first that refuses counts: what
// follows it is refused for that. A server that wants a letter of which it has refused something
// is left alone with that.
func (l *line) say(all []said) (nothing bool, err error) {
	text := l.smtp.Text
	together, _ := l.smtp.Extension("PIPELINING")
	answered := 0
	for i, s := range all {
		if _, err := text.W.WriteString(s.line + "\r\n"); err != nil {
			return answered == 0, err
		}
		if together && i+1 < len(all) {
			continue
		}
		if err := text.W.Flush(); err != nil {
			return answered == 0, err
		}
		for ; answered <= i; answered++ {
			_, _, e := text.ReadResponse(all[answered].code)
			if e == nil && err != nil && answered+1 == len(all) {
				return false, fmt.Errorf("the letter is wanted all the same: %s", err)
			}
			if code := refusal(e); e != nil && err == nil {
				err, nothing = e, answered == 0 && (code == 0 || code == ends)
			}
			if e != nil && refusal(e) == 0 {
				return nothing, err
			}
		}
		if err != nil {
			return nothing, err
		}
	}
	return false, nil
}

// lines are the connections that nobody uses now. There are as many as are used at once.
type lines struct {
	server Server
	answer time.Duration

	mu    sync.Mutex // guards the rest
	free  []*line    // the last one was used last
	until time.Time  // until then the mail server is not asked
}

// send sends a letter over a connection of its own, that is let go of when ctx ends.
func (l *lines) send(ctx context.Context, m *gomail.Msg) error {
	for {
		one, used, err := l.get(ctx)
		if err != nil {
			return err
		}
		hangUp := context.AfterFunc(ctx, func() { _ = one.wire.Close() })
		nothing, err := one.hand(m)
		one.letters++
		code := refusal(err)
		goesOn := err == nil || code != 0 && code != ends && one.smtp.Reset() == nil
		if hangUp() && goesOn {
			l.put(one)
			return err
		}
		_ = one.wire.Close()
		if !nothing || !used || ctx.Err() != nil {
			return err
		}
	}
}

// refusal is the code that the mail server has refused something with; 0: it has not answered.
func refusal(err error) int {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code
	}
	return 0
}

// get has a connection, that may have been used before. One that was idle may be dead.
func (l *lines) get(ctx context.Context) (one *line, used bool, err error) {
	one, sulks := l.pop()
	if one != nil {
		return one, true, nil
	}
	if sulks {
		return nil, false, errNoLine
	}
	if one, err = l.dial(ctx); err == nil {
		return one, false, nil
	}
	if ctx.Err() == nil {
		l.mu.Lock()
		l.until = time.Now().Add(sulk)
		l.mu.Unlock()
	}
	return nil, false, fmt.Errorf("%w: %w", errNoLine, err)
}

// dial makes a connection, and says who we are.
func (l *lines) dial(ctx context.Context) (*line, error) {
	one := &line{}
	stop := func() bool { return true }
	connect := func(soon context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(soon, network, address)
		if err != nil {
			return nil, err
		}
		one.wire = &wire{conn, l.answer}
		stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		if !l.server.tls {
			return one.wire, nil
		}
		inside := tls.Client(one.wire, l.server.secure())
		return inside, inside.HandshakeContext(soon)
	}
	client, err := l.server.client(connect)
	if err != nil {
		return nil, err
	}
	one.smtp, err = client.DialToSMTPClientWithContext(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if one.wire != nil {
			_ = one.wire.Close()
		}
		return nil, err
	}
	return one, nil
}

// pop takes the connection that was used last.
func (l *lines) pop() (one *line, sulks bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		one, l.free = l.free[n-1], l.free[:n-1]
	}
	return one, time.Now().Before(l.until)
}

// tidy hangs up where nothing was sent for long.
func (l *lines) tidy() {
	l.mu.Lock()
	var over []*line
	for len(l.free) > 0 && time.Since(l.free[0].since) > idle {
		over, l.free = append(over, l.free[0]), l.free[1:]
	}
	l.mu.Unlock()
	for _, one := range over {
		one.close()
	}
}

func (l *lines) put(one *line) {
	if one.letters >= most {
		one.close()
		return
	}
	one.since = time.Now()
	l.mu.Lock()
	l.free = append(l.free, one)
	l.mu.Unlock()
}

// close hangs up.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.free {
		one.close()
	}
	l.free, l.until = nil, time.Time{}
}
