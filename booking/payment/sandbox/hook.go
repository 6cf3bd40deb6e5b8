package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/signature"
)

// Hook is where webhooks go. One that fails is sent again.
type Hook func(ctx context.Context, header http.Header, body []byte) error

// signatureHeader is the header of webhooks.
const signatureHeader = "Sandbox-Signature"

// Hooked returns a Provider that signs its webhooks with a secret and sends
// them to hook when Deliver is called.
func (p *Provider) Hooked(secret string, now func() time.Time, hook Hook) *Provider {
	return &Provider{db: p.db, secret: secret, now: now, hook: hook}
}

// event is the body of a webhook.
type event struct {
	ID       string        `json:"id"`
	About    payment.About `json:"about"`
	Payment  string        `json:"payment"`
	Attempt  string        `json:"attempt,omitempty"`
	State    payment.State `json:"state,omitempty"`
	Refund   string        `json:"refund,omitempty"`
	Disputed booking.Money `json:"disputed"`
	At       time.Time     `json:"at"`
}

// Event reads a webhook.
func (p *Provider) Event(header http.Header, body []byte) (payment.Event, error) {
	if err := signature.Check(header.Get(signatureHeader), body, []string{p.secret}, p.now()); err != nil {
		return payment.Event{}, fmt.Errorf("%w: %w", payment.ErrNotAuthentic, err)
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return payment.Event{}, fmt.Errorf("sandbox: reading an event: %w", err)
	}
	told := payment.Event{ID: e.ID, About: e.About, Ref: e.Payment, Attempt: e.Attempt, State: e.State, Refund: e.Refund, At: e.At}
	if e.About == payment.AboutDispute {
		told.Dispute = payment.Dispute{Ref: e.ID, State: payment.DisputeOpen, Amount: e.Disputed, Reason: "fraudulent"}
	}
	return told, nil
}

// Run delivers webhooks until ctx ends.
func (p *Provider) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	for {
		round, cancel := context.WithTimeout(ctx, deliverPatience)
		_, err := p.Deliver(round)
		cancel()
		if err != nil && ctx.Err() == nil {
			log.Warn("the sandbox's webhooks were not taken in, and come again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

const (
	deliverEvery    = time.Second
	deliverPatience = 30 * time.Second
)

// To returns a Hook that posts to an address.
func To(client *http.Client, address string) Hook {
	return func(ctx context.Context, header http.Header, body []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header = header
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s", address, res.Status)
		}
		return nil
	}
}

// batch is how many events one call of Deliver sends of each kind.
const batch = 100

// Deliver sends the webhooks that are due and returns how many there were. A
// payment tells of the state that it is in: of two changes in between it tells
// the second. Two that deliver at once may send one event twice.
func (p *Provider) Deliver(ctx context.Context) (int, error) {
	if p.hook == nil {
		return 0, nil
	}
	payments, errPayments := p.tell(ctx, `
		select id, attempt_id, '', amount, currency, state, method from sandbox_payments
		where told <> state order by updated_at limit $1`,
		func(n news) (string, []any) {
			return `update sandbox_payments set told = $2 where id = $1`, []any{n.Payment, n.State}
		})
	refunds, errRefunds := p.tell(ctx, `
		select p.id, p.attempt_id, r.refund_id::text, r.amount, p.currency, p.state, p.method
		from sandbox_refunds r join sandbox_payments p using (attempt_id)
		where not r.told order by r.created_at limit $1`,
		func(n news) (string, []any) {
			return `update sandbox_refunds set told = true where refund_id = $1`, []any{n.Refund}
		})
	return payments + refunds, errors.Join(errPayments, errRefunds)
}

// news is a row that nobody has heard of yet.
type news struct {
	Payment, Attempt, Refund string
	Amount                   booking.Money
	State, Method            string
}

// tell sends what is due and has each row marked as told.
func (p *Provider) tell(ctx context.Context, due string, told func(news) (string, []any)) (int, error) {
	rows, err := p.db.Query(ctx, due, batch)
	if err != nil {
		return 0, fmt.Errorf("sandbox: looking for news: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (n news, err error) {
		return n, r.Scan(&n.Payment, &n.Attempt, &n.Refund, &n.Amount.Amount, &n.Amount.Currency, &n.State, &n.Method)
	})
	if err != nil {
		return 0, fmt.Errorf("sandbox: looking for news: %w", err)
	}
	for i, n := range all {
		if err := p.send(ctx, n); err != nil {
			return i, fmt.Errorf("sandbox: telling of %s: %w", n.Attempt, err)
		}
		mark, args := told(n)
		if _, err := p.db.Exec(ctx, mark, args...); err != nil {
			return i, fmt.Errorf("sandbox: noting that %s was told: %w", n.Attempt, err)
		}
	}
	return len(all), nil
}

// send sends the events of a row. One that is Disputed is so as soon as it was
// captured.
func (p *Provider) send(ctx context.Context, n news) error {
	e := event{About: payment.AboutPayment, Payment: n.Payment, Attempt: n.Attempt, State: payment.State(n.State), At: p.now().UTC()}
	if n.Refund != "" {
		e.About, e.Refund, e.State = payment.AboutRefund, n.Refund, ""
		return p.post(ctx, e, n)
	}
	if err := p.post(ctx, e, n); err != nil {
		return err
	}
	if n.Method == Disputed && n.State == string(payment.Captured) {
		e.About, e.Attempt, e.State, e.Disputed = payment.AboutDispute, "", "", n.Amount
		return p.post(ctx, e, n)
	}
	return nil
}

func (p *Provider) post(ctx context.Context, e event, n news) error {
	// The same event has the same id however often it is sent.
	e.ID = uuid.NewSHA1(uuid.MustParse(n.Payment), []byte(string(e.About)+n.State+n.Refund)).String()
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	times := 1
	if n.Method == Twice {
		times = 2
	}
	for range times {
		header := http.Header{signatureHeader: {signature.Make(p.secret, p.now(), body)}, "Content-Type": {"application/json"}}
		if err := p.hook(ctx, header, body); err != nil {
			return err
		}
	}
	return nil
}
