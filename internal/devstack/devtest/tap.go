package devtest

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
)

// Cut says what happens to a request that comes through a Tap.
type Cut int

// What can happen to a request.
const (
	Let    Cut = iota // it goes through
	Before            // the program is stopped, and the server never hears of it
	After             // the server has carried it out; the program is stopped before it hears
)

// Tap stands between a program and its servers. It names each request, so that
// a test can stop the program at any of them without the program's help.
//
// A name is the head of an SQL statement, of a commit also what it comes after,
// "script" with the names of the Lua files that a Redis script is made of, or
// another command of Redis. What prepares a statement or loads a script has no
// name: it changes nothing.
type Tap struct {
	scripts map[string]string // text of a Lua file: its name

	mu   sync.Mutex
	sums map[string]string // SHA-1 of a script that was sent: its name
	ask  func(name string) Cut
	stop func()
}

// NewTap returns a Tap that knows these Lua files, name by text, and lets
// everything through.
func NewTap(scripts map[string]string) *Tap {
	return &Tap{scripts: scripts, sums: map[string]string{}, ask: func(string) Cut { return Let }}
}

// Watch has every request from now on judged by ask, one at a time; stop has to
// end the program at once. Nothing is judged after the first cut.
func (t *Tap) Watch(ask func(name string) Cut, stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ask, t.stop = ask, stop
}

// judge says what happens to a request, and how to stop the program when it is
// answered: whoever watches may be another one by then.
func (t *Tap) judge(name string) (cut Cut, stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cut = t.ask(name); cut != Let {
		t.ask = func(string) Cut { return Let }
		if cut == Before {
			t.stop()
		}
	}
	return cut, t.stop
}

// Postgres returns the address under which the server of a DSN is reached
// through the tap.
func (t *Tap) Postgres(tb testing.TB, dsn string) string {
	tb.Helper()
	c, err := pgconn.ParseConfig(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(c.Host, c.Port)
	at := t.listen(tb, network, address, func() dialect { return &pgDialect{statements: map[string]string{}} })
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Host: at, Path: "/" + c.Database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Redis returns the address under which the server of a URL is reached through
// the tap.
func (t *Tap) Redis(tb testing.TB, from string) string {
	tb.Helper()
	o, err := redis.ParseURL(from)
	if err != nil {
		tb.Fatal(err)
	}
	at := t.listen(tb, o.Network, o.Addr, func() dialect { return redisDialect{t} })
	u := url.URL{Scheme: "redis", Host: at, Path: fmt.Sprint("/", o.DB)}
	if o.Password != "" {
		u.User = url.UserPassword(o.Username, o.Password)
	}
	return u.String()
}

// dialect is how a connection's requests and answers are told apart.
type dialect interface {
	name(request []byte) string // "" if nobody has to judge it
	answered(chunk []byte) bool // it ends an answer
}

func (t *Tap) listen(tb testing.TB, network, address string, speak func() dialect) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			program, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = program.Close()
				continue
			}
			c := &tapped{tap: t, dialect: speak(), program: program, server: server}
			all.Go(c.requests)
			all.Go(c.answers)
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		all.Wait() // the programs have ended: they were started later
	})
	return ln.Addr().String()
}

// tapped is one connection. A request is one write of the program, and it
// sends none before the last was answered: the clients of Redis and of Postgres
// that we use do so.
type tapped struct {
	tap             *Tap
	dialect         dialect
	program, server net.Conn

	mu   sync.Mutex
	stop func() // when the next answer comes, if that is the program's end
}

func (c *tapped) close() {
	_ = c.program.Close()
	_ = c.server.Close()
}

func (c *tapped) requests() {
	defer c.close()
	b := make([]byte, 256<<10)
	for {
		n, err := c.program.Read(b)
		if err != nil {
			return
		}
		if name := c.dialect.name(b[:n]); name != "" {
			switch cut, stop := c.tap.judge(name); cut {
			case Before:
				return
			case After:
				c.mu.Lock()
				c.stop = stop
				c.mu.Unlock()
			}
		}
		if _, err := c.server.Write(b[:n]); err != nil {
			return
		}
	}
}

func (c *tapped) answers() {
	defer c.close()
	b := make([]byte, 256<<10)
	for {
		n, err := c.server.Read(b)
		if err != nil {
			return
		}
		c.mu.Lock()
		stop := c.stop
		c.mu.Unlock()
		if stop != nil {
			if c.dialect.answered(b[:n]) {
				stop()
				return
			}
			continue
		}
		if _, err := c.program.Write(b[:n]); err != nil {
			return
		}
	}
}

// pgDialect reads Postgres's messages: a letter, a length, and what the letter
// says. The first messages of a connection have no letter.
type pgDialect struct {
	statements map[string]string // what was prepared, by its name
	last       string            // what was asked
}

func (d *pgDialect) name(b []byte) string {
	var names []string
	for len(b) >= 5 && b[0] != 0 {
		end := 1 + int(binary.BigEndian.Uint32(b[1:]))
		if end < 5 || end > len(b) {
			break
		}
		body := b[5:end]
		switch b[0] {
		case 'P': // Parse: a name and a statement
			if parts := bytes.SplitN(body, []byte{0}, 3); len(parts) == 3 {
				d.statements[string(parts[0])] = string(parts[1])
			}
		case 'B': // Bind: a portal and a name
			if parts := bytes.SplitN(body, []byte{0}, 3); len(parts) == 3 {
				names = append(names, head(d.statements[string(parts[1])]))
			}
		case 'Q': // a statement
			names = append(names, head(strings.TrimRight(string(body), "\x00")))
		}
		b = b[end:]
	}
	name := strings.Join(names, "; ")
	if name == "commit" { // of what: others may commit at the same time
		name += " after " + d.last
	}
	if name != "" {
		d.last = name
	}
	return name
}

func (d *pgDialect) answered(b []byte) bool { // ReadyForQuery
	return len(b) >= 6 && bytes.Equal(b[len(b)-6:len(b)-1], []byte("Z\x00\x00\x00\x05"))
}

// head is enough of a statement to know it by.
func head(sql string) string {
	words := strings.Join(strings.Fields(sql), " ")
	return words[:min(len(words), 72)]
}

// redisDialect reads commands of Redis: arrays of strings with their lengths.
type redisDialect struct{ tap *Tap }

func (d redisDialect) name(b []byte) string {
	args := arguments(b)
	if len(args) == 0 {
		return ""
	}
	switch command := strings.ToLower(args[0]); {
	case command == "eval" && len(args) > 1:
		return d.tap.learn(args[1])
	case command == "evalsha" && len(args) > 1:
		return d.tap.known(args[1])
	case command == "fcall" && len(args) > 1:
		name := strings.TrimPrefix(args[1], "ropeline_")
		if i := strings.LastIndexByte(name, '_'); i > 0 {
			name = name[:i] // what is behind it is a hash
		}
		return "script " + name
	case command == "hello", command == "client", command == "ping", command == "function", command == "script":
		return ""
	default:
		return command
	}
}

func (d redisDialect) answered([]byte) bool { return true }

// learn names a script by the files it contains. It is sent whole only if the
// server did not know it, and by its hash from then on.
func (t *Tap) learn(source string) string {
	var parts []string
	for text, name := range t.scripts {
		if strings.Contains(source, text) {
			parts = append(parts, name)
		}
	}
	slices.Sort(parts)
	name := "script " + strings.Join(parts, "+")
	sum := sha1.Sum([]byte(source))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sums[hex.EncodeToString(sum[:])] = name
	return name
}

// known is "" for a script that the server cannot know either: it will be sent
// again, whole.
func (t *Tap) known(sum string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sums[sum]
}

// arguments are those of the first command of a write.
func arguments(b []byte) (args []string) {
	line := func() (int, bool) {
		head, rest, found := bytes.Cut(b, []byte("\r\n"))
		if !found || len(head) < 2 {
			return 0, false
		}
		b = rest
		var n int
		_, err := fmt.Sscanf(string(head[1:]), "%d", &n)
		return n, err == nil
	}
	if len(b) == 0 || b[0] != '*' {
		return nil
	}
	count, _ := line()
	for range count {
		n, ok := line()
		if !ok || n < 0 || n > len(b) {
			break
		}
		args = append(args, string(b[:n]))
		b = b[min(n+2, len(b)):]
	}
	return args
}
