package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

const (
	sale     ropeline.SaleID = "bench"
	net_     ropeline.SaleID = "bench-net"
	shopHost                 = "shop.example"
	netHost                  = "net.example"
	program                  = "bin/ropeline"
)

// stage is a private Redis, and programs that are started on it.
type stage struct {
	server *bench.Redis
	rdb    redis.UniversalClient
	store  *queue.Store
	dir    string // of keys and configurations
	ran    []*exec.Cmd
}

func newStage(ctx context.Context) (s *stage, err error) {
	s = &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.server, err = bench.StartRedis(ctx); err != nil {
		return s, err
	}
	s.rdb = s.server.Client
	if s.dir, err = os.MkdirTemp("", "ropeline-bench-gate-*"); err != nil {
		return s, err
	}
	s.store = queue.New(s.rdb, queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)})
	return s, nil
}

// publish makes the sale that tokens are for, and one that is a safety net.
func (s *stage) publish(ctx context.Context, limit, rate int64) error {
	now := time.Now()
	doc := ropeline.Sale{
		ID: sale, Version: 1, Title: "Bench", LobbyClosesAt: now.Add(-2 * time.Minute), OpensAt: now.Add(-time.Minute), EndsAt: now.Add(24 * time.Hour),
		Cap: limit, Rate: rate, ClaimWindow: 30, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
	}
	quiet := doc
	quiet.ID, quiet.SafetyNet, quiet.LobbyClosesAt = net_, true, time.Time{}
	return errors.Join(s.store.PublishSale(ctx, doc), s.store.Draw(ctx, sale), s.store.PublishSale(ctx, quiet))
}

// start runs a program until the stage is closed.
func (s *stage) start(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &told
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	s.ran = append(s.ran, cmd)
	return cmd, nil
}

// Close ends what was started, in the reverse order, and removes its files.
func (s *stage) Close() error {
	var errs []error
	for i := len(s.ran) - 1; i >= 0; i-- {
		_ = s.ran[i].Process.Signal(syscall.SIGCONT)
		_ = s.ran[i].Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(5*time.Second, func() { _ = s.ran[i].Process.Kill() })
		_ = s.ran[i].Wait() // it was told to end
		late.Stop()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) write(name, text string) error {
	return os.WriteFile(s.path(name), []byte(text), 0o600)
}

// freePort is one that nobody listens on at the moment.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// ask sends requests until one is answered with 200, 15 s at most.
func ask(ctx context.Context, url string, header ...string) error {
	var last error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		status, err := get(ctx, http.DefaultClient, url, header...)
		if err == nil && status == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("%s answers %d (%w)", url, status, errors.Join(err, errors.New("not 200")))
	}
	return last
}

func get(ctx context.Context, client *http.Client, url string, header ...string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

var (
	perSecond = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	refused   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)|Socket errors: .*`)
)

// inTurns is how many requests a second each address answers. They take turns of a
// second, so that what else goes on hits all of them; the first turns warm them up.
func inTurns(ctx context.Context, turns int, urls []string, header ...string) ([]float64, error) {
	rates := make([]float64, len(urls))
	for turn := range turns + 1 {
		for i, url := range urls {
			rate, err := wrk(ctx, 1, url, header...)
			if err != nil {
				return nil, err
			}
			if turn > 0 {
				rates[i] += rate / float64(turns)
			}
		}
	}
	return rates, nil
}

// wrk is how many requests a second an address answers 32 connections. One that
// is not answered with 200 is an error.
func wrk(ctx context.Context, seconds int, url string, header ...string) (float64, error) {
	args := []string{"-t2", "-c32", "-d" + strconv.Itoa(seconds) + "s"}
	for i := 0; i < len(header); i += 2 {
		args = append(args, "-H", header[i]+": "+header[i+1])
	}
	text, err := exec.CommandContext(ctx, "wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk %s: %w: %s", url, err, text)
	}
	if bad := refused.Find(text); bad != nil {
		return 0, fmt.Errorf("wrk %s: %s", url, bad)
	}
	found := perSecond.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("wrk %s says %s", url, strings.TrimSpace(string(text)))
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
