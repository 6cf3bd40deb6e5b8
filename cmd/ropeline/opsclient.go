package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// opsClient talks to the staff's API through an edge.
type opsClient struct {
	Edge         string        `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Address of an edge."`
	StaffKey     string        `placeholder:"KEY" help:"Key of a member of staff. Better in the environment, or in a file: others on this machine can read a command line."`
	StaffKeyFile string        `placeholder:"FILE" help:"File with the key."`
	Patience     time.Duration `default:"10s" help:"How long to wait for an answer."`
}

// AfterApply gives the client, and the word of the command, to the commands
// below it.
func (c *opsCommand) AfterApply(k *kong.Context) error {
	if c.StaffKey == "" && c.StaffKeyFile != "" {
		text, err := os.ReadFile(c.StaffKeyFile)
		if err != nil {
			return fmt.Errorf("reading the staff key: %w", err)
		}
		c.StaffKey = strings.TrimSpace(string(text))
	}
	if c.StaffKey == "" {
		return errors.New("who are you? Set ROPELINE_STAFF_KEY, or --staff-key-file, to the key that ropeline keygen staff printed")
	}
	if u, err := url.Parse(c.Edge); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--edge %s: want an address as https://tickets.example", c.Edge)
	}
	k.Bind(&c.opsClient)
	k.Bind(modeCalled(k.Selected().Name))
	return nil
}

func salePath(sale string) string { return "/sales/" + url.PathEscape(sale) }

// maxAnswer is the largest answer that is read.
const maxAnswer = 8 << 20

// call asks the staff's API of sales, organizer that of what was sold.
func (c *opsClient) call(ctx context.Context, method, path string, body, into any) error {
	return c.send(ctx, method, "/api/v1/ops"+path, "", body, into)
}

func (c *opsClient) organizer(ctx context.Context, method, path string, body, into any) error {
	return c.send(ctx, method, "/api/v1/organizer"+path, "", body, into)
}

// send sends a request, with an idempotency key where it makes something, and reads the
// answer. Redirects are not followed: the key of the staff is for this edge alone.
func (c *opsClient) send(ctx context.Context, method, path, once string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Edge, "/")+path, content)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.StaffKey)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if once != "" {
		r.Header.Set("Idempotency-Key", once)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		return hinted{fmt.Errorf("asking the edge: %w", err), "is an edge running at " + c.Edge + "? Say which with --edge, and how long to wait with --patience"}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the edge's answer: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusedWith(resp.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading the edge's answer: %w", err)
	}
	return nil
}

// opsError is an answer that is no success.
type opsError struct {
	status int
	code   string
	detail string
	now    queue.Settings
}

func refusedWith(status int, body []byte) error {
	var problem struct {
		ropeline.Problem
		Now queue.Settings `json:"now"`
	}
	if json.Unmarshal(body, &problem) != nil || problem.Type == "" {
		return &opsError{status: status, code: http.StatusText(status), detail: "this is no answer of an edge: is the address right?"}
	}
	return &opsError{status, strings.TrimPrefix(problem.Type, ropeline.ProblemType), problem.Detail, problem.Now}
}

func (e *opsError) Error() string {
	text := e.code + ": " + e.detail
	if len(e.now.Fields()) > 0 {
		if now, err := json.Marshal(e.now); err == nil {
			text += "\nnow: " + string(now)
		}
	}
	return text
}

// hint says what to do about it, "" where the answer says so itself.
func (e *opsError) hint() string {
	switch e.code {
	case "staff-required":
		return "is the key one of the file staff on the admission servers? Make one with: ropeline keygen staff"
	case "limits-changed":
		return "look again with: ropeline ops status"
	case "out-of-bounds":
		return "widen the bounds first, with: ropeline ops set --min-cap, --max-cap, --min-rate or --max-rate"
	case "block-unknown", "block-exists":
		return "which blocks there are says: ropeline ops blocks list"
	case "webhook-unknown":
		return "which endpoints there are says: ropeline ops webhooks list"
	case "webhook-delivery-unknown":
		return "what was sent says: ropeline ops webhooks deliveries ID"
	case "webhook-off":
		return "ropeline ops webhooks on ID"
	case "sale-unknown":
		return "which sales there are says: ropeline ops status"
	case "preset-unknown":
		return "which presets there are says: ropeline ops presets list"
	case "dispute-unknown":
		return "which disputes there are says: ropeline ops payments disputes"
	case "schedule-unknown":
		return "what is planned says: ropeline ops schedule list"
	case "setting-invalid", "preset-invalid", "schedule-time", "message-invalid", "beacon-invalid":
		return "ropeline ops --help"
	}
	return ""
}

// hinted is an error with something to do about it.
type hinted struct {
	error
	what string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) hint() string  { return h.what }

// ExitCode is 3 where somebody else was faster.
func (e *opsError) ExitCode() int {
	if e.status == http.StatusConflict {
		return 3
	}
	return 1
}

// sales returns all sales, or one, as the edge tells of them; last those that it
// cannot read.
func (c *opsClient) sales(ctx context.Context, only string) ([]json.RawMessage, error) {
	if only != "" {
		var one json.RawMessage
		err := c.call(ctx, "GET", salePath(only), nil, &one)
		return []json.RawMessage{one}, err
	}
	var doc struct {
		Sales  []json.RawMessage `json:"sales"`
		Failed []json.RawMessage `json:"failed"`
	}
	err := c.call(ctx, "GET", "/sales", nil, &doc)
	return append(doc.Sales, doc.Failed...), err
}

func (c *opsClient) sale(ctx context.Context, id string) (live liveSale, err error) {
	return live, c.call(ctx, "GET", salePath(id), nil, &live)
}

func (c *opsClient) presets(ctx context.Context) ([]preset, error) {
	var doc struct {
		Presets []preset `json:"presets"`
	}
	err := c.call(ctx, "GET", "/presets", nil, &doc)
	return doc.Presets, err
}

// steer looks at the sale, and changes it if it is still so.
func (c *opsClient) steer(ctx context.Context, out io.Writer, sale string, set queue.Settings, why opsWhy) error {
	live, err := c.sale(ctx, sale)
	if err != nil {
		return err
	}
	if set.Shares != nil { // lanes that are not named keep theirs
		for lane, share := range live.seen([]string{"shares"}).Shares {
			if _, named := set.Shares[lane]; !named {
				set.Shares[lane] = share
			}
		}
	}
	return c.change(ctx, out, sale, why.with(map[string]any{"set": set, "expect": live.seen(set.Fields())}))
}

func (c *opsClient) change(ctx context.Context, out io.Writer, sale string, body any) error {
	var came struct {
		Was, Now json.RawMessage
	}
	if err := c.call(ctx, "POST", salePath(sale)+"/steer", body, &came); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "was %s\nnow %s\n", came.Was, came.Now)
	return err
}
