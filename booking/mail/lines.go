package mail

import (
	"context"
	"errors"
	"fmt"
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
)

// errNoLine is why a letter was not even offered.
var errNoLine = errors.New("the mail server cannot be reached")

// line is a connection to the mail server.
type line struct {
	client  *gomail.Client
	smtp    *smtp.Client
	letters int
	since   time.Time // when it began to be idle
}

func (l *line) close() { _ = l.client.CloseWithSMTPClient(l.smtp) } // whatever it says to QUIT: the letters are taken, or not

// lines are the connections that nobody uses now. There are as many as are used at once.
type lines struct {
	server Server

	mu    sync.Mutex // guards the rest
	free  []*line    // the last one was used last
	until time.Time  // until then the mail server is not asked
}

// send sends a letter over a connection of its own. One that was idle may be dead.
func (l *lines) send(ctx context.Context, m *gomail.Msg) error {
	for {
		one, used, err := l.get(ctx)
		if err != nil {
			return err
		}
		err = one.client.SendWithSMTPClient(one.smtp, m)
		one.letters++
		e, refused := errors.AsType[*gomail.SendError](err)
		dead := refused && e.Reason == gomail.ErrConnCheck
		if err == nil || refused && e.ErrorCode() != 0 && one.client.ResetWithSMTPClient(one.smtp) == nil {
			l.put(one)
			return err
		}
		one.close()
		if !dead || !used || ctx.Err() != nil {
			return err
		}
	}
}

// get has a connection, that may have been used before.
func (l *lines) get(ctx context.Context) (one *line, used bool, err error) {
	one, sulks := l.pop()
	if one != nil {
		return one, true, nil
	}
	if sulks {
		return nil, false, errNoLine
	}
	client, err := l.server.client()
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", errNoLine, err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.mu.Lock()
			l.until = time.Now().Add(sulk)
			l.mu.Unlock()
		}
		return nil, false, fmt.Errorf("%w: %w", errNoLine, err)
	}
	return &line{client: client, smtp: conn}, false, nil
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
