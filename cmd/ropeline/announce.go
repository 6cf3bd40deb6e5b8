package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack"
)

// devFile is DATA/dev.json: there while the stack is ready, for programs that
// want to use it.
type devFile struct {
	Edge        string                 `json:"edge"`
	Booking     string                 `json:"booking"`
	Admission   string                 `json:"admission"`
	Metrics     string                 `json:"metrics"` // and profiles
	Mailbox     string                 `json:"mailbox"` // letters that were sent; /letters has them as JSON
	Redis       string                 `json:"redis"`
	Postgres    string                 `json:"postgres"`
	Sale        ropeline.SaleID        `json:"sale"`
	Performance ropeline.PerformanceID `json:"performance"`
	StaffKey    string                 `json:"staff_key"`

	// The private servers' processes, for who wants to see what a crash of
	// them does: no signal to dev itself ends them as abruptly.
	RedisPID    int `json:"redis_pid"`
	PostgresPID int `json:"postgres_pid"` // the postmaster's; its children end when they see that it is gone
}

// announce is the part that comes last: when all others are ready it says
// where they are, lets simulated fans in if asked, and waits for the end.
func (d *dev) announce(ctx context.Context) (err error) {
	file := filepath.Join(d.Data, "dev.json")
	if err := remove(file); err != nil { // of a start that was killed
		return err
	}
	if err := d.ready(ctx); err != nil || ctx.Err() != nil { // or stopped while starting
		return err
	}
	if err := d.write(file); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(file)) }()
	d.print()
	if d.Fans > 0 {
		if err := d.letFansIn(ctx); err != nil {
			d.log.Error("simulated fans", "err", err) // the stack goes on without them
		}
	}
	<-ctx.Done()
	fmt.Fprintln(d.out, "Stopping everything; data stays in", d.Data)
	return nil
}

// ready waits until the edge serves the line and the booking core knows what
// is on sale.
func (d *dev) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the parts are not ready after a minute"))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	edge := address(d.edge)
	pending := []*url.URL{
		edge.JoinPath("readyz"),
		edge.JoinPath("api/v1/sales", string(d.sale.ID)),
		edge.JoinPath("api/v1/performances", string(d.sale.Performances[0]), "availability"),
	}
	for len(pending) > 0 {
		if answers(ctx, pending[0]) {
			pending = pending[1:]
			continue
		}
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		case <-tick.C:
		}
	}
	return nil
}

func answers(ctx context.Context, u *url.URL) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// write makes the file whole or not at all: whoever waits for it reads it at
// once.
func (d *dev) write(path string) error {
	text, err := json.MarshalIndent(devFile{
		Edge: address(d.edge).String(), Booking: address(d.booking).String(), Admission: address(d.ops).String(), Metrics: address(d.private).String(), Mailbox: address(d.mailbox).String(),
		Redis: d.stack.RedisURL, Postgres: d.stack.PostgresDSN,
		Sale: d.sale.ID, Performance: d.sale.Performances[0], StaffKey: d.staff,
		RedisPID: d.stack.RedisPID, PostgresPID: d.stack.PostgresPID,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(path+".new", path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

func (d *dev) print() {
	edge := address(d.edge).String()
	opening := fmt.Sprintf("opens in %.0f s", time.Until(d.sale.OpensAt).Seconds())
	switch now := time.Now(); {
	case now.After(d.sale.EndsAt):
		opening = "has ended; make dev RESET=1 starts afresh"
	case now.After(d.sale.OpensAt):
		opening = "is open since " + d.sale.OpensAt.Local().Format("15:04:05")
	}
	fmt.Fprintf(d.out, `
Ropeline is running.

  fans    %[1]s/sales/%[2]s   (the sale %[3]s)
  staff   %[1]s/ops#key=%[4]s
  counter %[1]s/counter#key=%[4]s
  door    %[1]s/door#key=%[4]s
  API     %[1]s/openapi.json
  letters %[7]s
  metrics %[6]s/metrics
  data    %[5]s   (make dev RESET=1 starts afresh)

Ctrl-C stops everything.

`, edge, d.sale.ID, opening, d.staff, d.Data, address(d.private), address(d.mailbox))
}

// letFansIn runs the load test's fans, who do not judge, until they are done.
func (d *dev) letFansIn(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	program := filepath.Join(filepath.Dir(self), "ropeline-loadtest")
	return devstack.Companion(ctx, program, []string{
		"--target", address(d.edge).String(), "--sale", string(d.sale.ID), "--fans", strconv.Itoa(d.Fans), "--casual",
	}, d.out)
}
