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
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
	ID      string        `json:"id"`
	About   payment.About `json:"about"`
	Payment string        `json:"payment"`
	Account string        `json:"account,omitempty"`
	Attempt string        `json:"attempt,omitempty"`
	State   payment.State `json:"state,omitempty"`
	Refund  string        `json:"refund,omitempty"`
	Dispute string        `json:"dispute,omitempty"`
	At      time.Time     `json:"at"`
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
	return payment.Event{ID: e.ID, Account: e.Account, About: e.About, Ref: e.Payment, Attempt: e.Attempt, State: e.State, Refund: e.Refund,
		Dispute: e.Dispute, At: e.At}, nil
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
		select id, attempt_id, '', '', state, method, account from sandbox_payments
		where told <> state order by updated_at limit $1`,
		`update sandbox_payments set told = $2 where attempt_id = $1`)
	refunds, errRefunds := p.tell(ctx, `
		select p.id, p.attempt_id, r.refund_id::text, '', case when r.by_hand then 'true' else 'false' end || case when r.failed then ' failed' else '' end, p.method, p.account
		from sandbox_refunds r join sandbox_payments p using (attempt_id)
		where not r.told order by r.created_at limit $1`,
		`update sandbox_refunds set told = true where attempt_id = $1 and failed = ($2 like '% failed') and refund_id = $3`)
	// Those of a card that says how they end are judged as soon as they were told of.
	disputes, errDisputes := p.tell(ctx, `
		select p.id, p.attempt_id, '', d.id::text, d.state, p.method, p.account
		from sandbox_disputes d join sandbox_payments p using (attempt_id)
		where d.told <> d.state order by d.created_at limit $1`,
		`update sandbox_disputes set told = $2 where attempt_id = $1`)
	_, errJudged := p.db.Exec(ctx, `
		update sandbox_disputes d set state = split_part(method, '_', 3),
			reinstated = case method when $1 then withdrawn else reinstated end
		from sandbox_payments p where p.attempt_id = d.attempt_id and method in ($1, $2) and d.state = 'open' and d.told = 'open'`,
		DisputeWon, DisputeLost)
	accounts, errAccounts := p.tell(ctx, `
		select '', '', '', '', charges::text, '', id from sandbox_accounts where told <> charges limit $1`,
		`update sandbox_accounts set told = $2::boolean where id = $1`)
	return payments + refunds + disputes + accounts, errors.Join(errPayments, errRefunds, errDisputes, errJudged, errAccounts)
}

// news is a row that nobody has heard of yet.
type news struct {
	Payment, Attempt, Refund, Dispute string
	State, Method, Account            string
}

// tell sends what is due and has each row marked as told.
func (p *Provider) tell(ctx context.Context, due, told string) (int, error) {
	rows, err := p.db.Query(ctx, due, batch)
	if err != nil {
		return 0, fmt.Errorf("sandbox: looking for news: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (n news, err error) {
		return n, r.Scan(&n.Payment, &n.Attempt, &n.Refund, &n.Dispute, &n.State, &n.Method, &n.Account)
	})
	if err != nil {
		return 0, fmt.Errorf("sandbox: looking for news: %w", err)
	}
	for i, n := range all {
		if err := p.send(ctx, n); err != nil {
			return i, fmt.Errorf("sandbox: telling of %s: %w", n.Attempt, err)
		}
		args := []any{n.Attempt, n.State}
		if n.Payment == "" {
			args[0] = n.Account
		}
		if n.Refund != "" {
			args = append(args, n.Refund)
		}
		if _, err := p.db.Exec(ctx, told, args...); err != nil {
			return i, fmt.Errorf("sandbox: noting that %s was told: %w", n.Attempt, err)
		}
	}
	return len(all), nil
}

// send sends the event of a row. What was made by hand, or at a bank, knows nothing of
// ours.
func (p *Provider) send(ctx context.Context, n news) error {
	e := event{About: payment.AboutPayment, Account: n.Account, Payment: n.Payment, Attempt: n.Attempt, State: payment.State(n.State), At: p.now().UTC()}
	switch {
	case n.Payment == "":
		e.About, e.State = payment.AboutAccount, ""
	case n.Refund != "" && strings.HasPrefix(n.State, "true"):
		e.About, e.Attempt, e.State = payment.AboutRefund, "", ""
	case n.Refund != "":
		e.About, e.Refund, e.State = payment.AboutRefund, n.Refund, ""
	case n.Dispute != "":
		e.About, e.Attempt, e.Dispute, e.State = payment.AboutDispute, "", n.Dispute, ""
	}
	return p.post(ctx, e, n)
}

func (p *Provider) post(ctx context.Context, e event, n news) error {
	// The same event has the same id however often it is sent.
	e.ID = uuid.NewString()
	if n.Payment != "" {
		e.ID = uuid.NewSHA1(uuid.MustParse(n.Payment), []byte(string(e.About)+n.State+n.Refund)).String()
	}
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
