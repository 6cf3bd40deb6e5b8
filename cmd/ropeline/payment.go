package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe"
	"github.com/ropeline/ropeline/internal/dial"
)

// paymentFlags say who takes the money. The booking core and its worker have to
// be told the same.
type paymentFlags struct {
	StripeKey       string `placeholder:"FILE" help:"File with Stripe's secret key; without it payments go to a sandbox, which takes no money."`
	SandboxPostgres string `placeholder:"DSN" help:"Where the sandbox reaches its books in the same database; empty: as the booking core does. Tests cut this way by itself."`
}

// books are where the sandbox keeps its books, over connections of their own if
// the flags say so. The caller calls shut.
func (f paymentFlags) books(ctx context.Context, db *pgxpool.Pool) (_ *pgxpool.Pool, shut func(), err error) {
	if f.SandboxPostgres == "" {
		return db, func() {}, nil
	}
	own, err := dial.Postgres(ctx, f.SandboxPostgres)
	if err != nil {
		return nil, nil, err
	}
	return own, own.Close, nil
}

func (f paymentFlags) provider(db *pgxpool.Pool) (payment.Provider, error) {
	if f.StripeKey == "" {
		return sandbox.New(db), nil
	}
	return f.stripe("")
}

func (f paymentFlags) stripe(secrets string) (*stripe.Provider, error) {
	return stripe.Open(stripe.Config{KeyFile: f.StripeKey, SecretFile: secrets, Now: time.Now})
}

// webhookFlags say whom the booking core believes what happened to a payment.
type webhookFlags struct {
	StripePublishableKey string `placeholder:"pk_…" help:"Stripe's publishable key, with which the shop's page shows Stripe's fields for cards; edges need --card-fields then. It is no secret."`
	StripeWebhookSecrets string `placeholder:"FILE" help:"File with the signing secrets of Stripe's webhook, one a line: several while one takes the place of another. Without it no webhook is believed."`
}

var (
	errSecretsWithoutKey = errors.New("--stripe-webhook-secrets is of no use without --stripe-key")
	errFieldsWithoutKey  = errors.New("--stripe-publishable-key is of no use without --stripe-key")
	// It is told to everybody: the secret one must never be taken for it, nor be shown.
	errNotPublishable = errors.New("--stripe-publishable-key is not one: it begins with pk_; is it the secret one? Then roll that now")
)

var publishable = regexp.MustCompile(`^pk_[A-Za-z0-9_]{1,250}$`)

// payments are whom a booking core pays with, and who tells it of payments.
type payments struct {
	payment.Provider
	criers  map[string]payment.Crier
	sandbox *sandbox.Provider // nil: real money
	fields  string            // publishable key, with which a page shows the provider's fields; empty: none does
	parts   []part
}

// payments returns the provider of a booking core that serves on ln.
func (f webhookFlags) payments(of paymentFlags, db *pgxpool.Pool, ln net.Listener, log *slog.Logger) (payments, error) {
	switch {
	case f.StripePublishableKey != "" && !publishable.MatchString(f.StripePublishableKey):
		return payments{}, errNotPublishable
	case of.StripeKey == "" && f.StripePublishableKey != "":
		return payments{}, errFieldsWithoutKey
	case of.StripeKey == "" && f.StripeWebhookSecrets != "":
		return payments{}, errSecretsWithoutKey
	case of.StripeKey == "":
		return sandboxPayments(db, ln, log), nil
	case f.StripeWebhookSecrets == "":
		log.Warn("there is no --stripe-webhook-secrets, so nothing is heard of Stripe: payments that are confirmed go on when the fan is back, or two minutes later")
	}
	p, err := of.stripe(f.StripeWebhookSecrets)
	if err != nil {
		return payments{}, err
	}
	return payments{Provider: p, criers: map[string]payment.Crier{"stripe": p}, fields: f.StripePublishableKey}, nil
}

// sandboxPayments is a sandbox that tells this core what happens at its own
// address, as a provider would. The secret is this process's: nobody else delivers
// to it.
func sandboxPayments(db *pgxpool.Pool, ln net.Listener, log *slog.Logger) payments {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	p := sandbox.New(db).Hooked(rand.Text(), time.Now, sandbox.To(client, "http://"+reachable(ln.Addr())+"/api/v1/webhooks/sandbox"))
	return payments{Provider: p, criers: map[string]payment.Crier{"sandbox": p}, sandbox: p, parts: []part{{"sandbox", func(ctx context.Context) error {
		defer transport.CloseIdleConnections()
		return p.Run(ctx, log)
	}}}}
}

// reachable is an address at which this process reaches itself: one that listens
// everywhere has none of its own.
func reachable(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return addr.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
}

// into sets what of a core's configuration is about payments.
func (p payments) into(c api.Config) api.Config {
	c.Provider, c.Webhooks, c.Sandbox, c.CardFields = p.Provider, p.criers, p.sandbox, p.fields
	return c
}
