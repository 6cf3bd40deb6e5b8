package api

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/tenant"
)

// The mail provider tells of an address that refuses letters, and of one that complains: staff
// see it at the order, and a consent is withdrawn. Nobody else can say so, and no report counts
// twice.
func TestTheMailProviderIsHeard(t *testing.T) {
	t.Parallel()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))
	c := startWith(t, slog.New(slog.DiscardHandler), func(_ *core, conf *Config) { conf.MailReports = mail.Secrets{secret} })
	fan := c.fan()
	var o Order
	c.do(http.MethodPost, ordersPath, fan, c.json(m{"hold": c.hold(fan, 1).ID, "email": "fan@example.org", "payment_method": sandbox.OK}), "Idempotency-Key", "k").is(http.StatusCreated, &o)
	if _, err := c.db.Exec(t.Context(), `insert into newsletter_consents (id, organization_id, email, state, place, words, language, given_at) values (gen_random_uuid(), $1, 'fan@example.org', 'given', 'checkout', 'W', 'en', now())`, tenant.House); err != nil {
		t.Fatal(err)
	}
	const body = `{"reports": [{"type": "bounce", "permanent": true, "email": "Fan@example.org", "problem": "550 no such user"}, {"type": "complaint", "email": "fan@example.org"}]}`
	tell := func(id, body string, at time.Time, with string) answer {
		w, err := standardwebhooks.NewWebhook(with)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := w.Sign(id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return c.do(http.MethodPost, "/api/v1/webhooks/mail", "", body, "Webhook-Id", id, "Webhook-Timestamp", fmt.Sprint(at.Unix()), "Webhook-Signature", sum)
	}
	now, forged := time.Now(), "whsec_"+base64.StdEncoding.EncodeToString([]byte("somebody else's secret, long"))
	tell("1", body, now, forged).refused(http.StatusBadRequest, mail.ErrForged.Code)
	tell("1", body, now.Add(-time.Hour), secret).refused(http.StatusBadRequest, mail.ErrForged.Code)
	c.do(http.MethodPost, "/api/v1/webhooks/mail", "", body).refused(http.StatusBadRequest, mail.ErrForged.Code)
	tell("1", `{"reports": [{"type": "bounce", "email": "x"}]}`, now, secret).refused(http.StatusBadRequest, mail.ErrUnreadable.Code)
	path := organizer + "/orders/" + o.ID
	var seen SoldShown
	if c.organize(http.MethodGet, path, "").is(http.StatusOK, &seen); len(seen.Marks) != 0 || seen.Email != "fan@example.org" {
		t.Errorf("before it is %+v", seen)
	}
	for _, want := range []string{"done", "again"} {
		var heard struct{ Result string }
		if tell("1", body, now, secret).is(http.StatusOK, &heard); heard.Result != want {
			t.Errorf("it is heard as %q, want %q", heard.Result, want)
		}
	}
	if c.organize(http.MethodGet, path, "").is(http.StatusOK, &seen); len(seen.Marks) != 2 {
		t.Errorf("at the order stands %+v", seen)
	}
	var by string
	if err := c.db.QueryRow(t.Context(), `select state || ' by ' || withdrawn_by from newsletter_consents`).Scan(&by); err != nil || by != "withdrawn by complaint" {
		t.Errorf("the consent is %s: %v", by, err)
	}
}

// Without a secret nobody is heard.
func TestNobodyIsHeardWithoutASecret(t *testing.T) {
	t.Parallel()
	start(t).do(http.MethodPost, "/api/v1/webhooks/mail", "", `{}`).refused(http.StatusBadRequest, mail.ErrForged.Code)
}
