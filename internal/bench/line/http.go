package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// sockets is how many connections post at once.
const sockets = 256

// httpRows measures joins at a real edge process beside posts to a handler that
// does nothing, with the same client.
func httpRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, b)
	store := queue.New(b.rdb, keys)
	defer store.Close()
	if err := open(ctx, store); err != nil {
		return nil, err
	}
	edge, err := startEdge(ctx, b.url)
	if err != nil {
		return nil, fmt.Errorf("starting an edge: %w", err)
	}
	defer closing(&err, edge)
	bare, err := startServer(ctx, os.Args[0], "bare")
	if err != nil {
		return nil, fmt.Errorf("starting a bare server: %w", err)
	}
	defer closing(&err, bare)

	n := p.Of(50_000)
	path := "/api/v1/sales/" + string(sale) + "/place"
	// The first answers warm both up and say how long they are.
	_, size, err := post(ctx, edge.host, path, 200)
	if err != nil {
		return nil, fmt.Errorf("joining: %w", err)
	}
	if _, _, err := post(ctx, bare.host, "/"+strconv.Itoa(size), 200); err != nil {
		return nil, fmt.Errorf("posting: %w", err)
	}
	var joins, posts []float64
	for run := range p.Runs {
		before, err := b.rdb.ZCard(ctx, lineKey("order")).Result()
		if err != nil {
			return nil, err
		}
		joined, _, err := post(ctx, edge.host, path, n)
		if err != nil {
			return nil, fmt.Errorf("joining: %w", err)
		}
		if after, err := b.rdb.ZCard(ctx, lineKey("order")).Result(); err != nil || after-before != int64(n) {
			return nil, errors.Join(err, fmt.Errorf("%d of %d places are in the line", after-before, n))
		}
		posted, length, err := post(ctx, bare.host, "/"+strconv.Itoa(size), n)
		if err != nil {
			return nil, fmt.Errorf("posting: %w", err)
		}
		fmt.Fprintf(out, "run %d: %7.0f joins/s of %d bytes, %7.0f bare posts/s of %d bytes\n", run+1, joined, size, posted, length)
		joins, posts = append(joins, joined), append(posts, posted)
	}
	return []bench.Row{
		bench.Compare(fmt.Sprintf("joins over HTTP at one edge, %d connections", sockets), "/s", joins,
			"a bare net/http handler that answers as many bytes", posts).RatioAtLeast(0.5),
	}, nil
}

// post sends so many requests over all sockets and returns how many a second
// were answered, and the length of an answer. The client is as small as it can
// be, for it takes its processor time from the server.
func post(ctx context.Context, host, path string, n int) (rate float64, length int, err error) {
	request := []byte("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	lengths := make([]int, sockets)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range sockets {
		mine := n / sockets
		if i < n%sockets {
			mine++
		}
		g.Go(func() error {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", host)
			if err != nil {
				return err
			}
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			answers := bufio.NewReader(c)
			for range mine {
				if _, err := c.Write(request); err != nil {
					return err
				}
				if lengths[i], err = readAnswer(answers); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return float64(n) / time.Since(began).Seconds(), lengths[0], err
}

// readAnswer reads one answer of success and returns its length.
func readAnswer(r *bufio.Reader) (length int, err error) {
	body := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		length += len(line)
		switch {
		case first:
			if len(line) < 12 || line[9] != '2' {
				return 0, fmt.Errorf("answered %q", line)
			}
		case len(line) == 2:
			if body < 0 {
				return 0, errors.New("an answer without a length")
			}
			_, err := r.Discard(body)
			return length + body, err
		case len(line) > 16 && strings.EqualFold(string(line[:15]), "Content-Length:"):
			if body, err = strconv.Atoi(textproto.TrimString(string(line[15:]))); err != nil {
				return 0, err
			}
		}
	}
}

// child is a server process. It ends with its standard input.
type child struct {
	host string
	cmd  *exec.Cmd
	dir  string // of its own, removed with it
	said chan struct{}
}

var logged = regexp.MustCompile(`http://(\S+)`)

// startServer runs a program until it says on which address it serves.
func startServer(ctx context.Context, program string, args ...string) (*child, error) {
	ch := &child{cmd: exec.CommandContext(ctx, program, args...), said: make(chan struct{})}
	if _, err := ch.cmd.StdinPipe(); err != nil { // closed when we end, however that happens
		return nil, err
	}
	says, err := ch.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := ch.cmd.Start(); err != nil {
		return nil, err
	}
	address, last := make(chan string, 1), ""
	go func() {
		defer close(ch.said)
		for lines := bufio.NewScanner(says); lines.Scan(); {
			last = lines.Text()
			if found := logged.FindStringSubmatch(last); found != nil {
				select {
				case address <- found[1]:
				default:
				}
			}
		}
	}()
	select {
	case ch.host = <-address:
		return ch, nil
	case <-ch.said:
		return nil, errors.Join(fmt.Errorf("%s ended at once: %s", program, last), ch.Close())
	case <-time.After(time.Minute):
		return nil, errors.Join(fmt.Errorf("%s does not say where it serves", program), ch.Close())
	}
}

// Close ends the process.
func (ch *child) Close() error {
	_ = ch.cmd.Process.Kill() // it may have ended
	<-ch.said
	_ = ch.cmd.Wait() // killed, as it should be
	if ch.dir == "" {
		return nil
	}
	return os.RemoveAll(ch.dir)
}

// program is the ropeline that is measured; the script builds it.
var program = "bin/ropeline"

// startEdge runs an edge with keys of its own, and without limits per address:
// all fans come from one.
func startEdge(ctx context.Context, redisURL string) (*child, error) {
	dir, err := os.MkdirTemp("", "ropeline-bench-")
	if err != nil {
		return nil, err
	}
	keys := filepath.Join(dir, "keys")
	if text, err := exec.CommandContext(ctx, program, "keygen", "init", "--keys", keys).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("making keys: %w: %s", err, text), os.RemoveAll(dir))
	}
	nobody := (&url.URL{Scheme: "http", Host: "127.0.0.1:1"}).String()
	ch, err := startServer(ctx, program, "edge", "--redis", redisURL, "--keys", keys, "--listen", "127.0.0.1:0", "--private-listen", "off",
		"--booking", nobody, "--ops", nobody, "--joins-limit=-1", "--requests-limit=-1", "--address-limit=-1")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ch.dir = dir
	return ch, nil
}

// serveBare is the other process: it answers every post with as many bytes as
// the path says, and does nothing else.
func serveBare() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Fprintf(os.Stderr, "http://%s\n", ln.Addr())
	filler := []byte(strings.Repeat("x", 1<<16))
	const head = 120 // of status line, date, type and length
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(filler[:max(0, min(n-head, len(filler)))])
	}))
}
