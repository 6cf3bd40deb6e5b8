package mail_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ropeline/ropeline/booking/mail"
)

func (plain) EmailMAC(email string) []byte { return []byte("mac of " + strings.ToLower(email)) }

var secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))

// signed are the headers of a report.
func signed(t *testing.T, with, id string, at time.Time, body string) http.Header {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(with)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := w.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
	h.Set("Webhook-Signature", sum)
	return h
}

// A report counts that the provider has signed a moment ago, and no other.
func TestAReportIsSigned(t *testing.T) {
	t.Parallel()
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of the provider"))
	now, body := time.Now(), `{"reports":[]}`
	without := signed(t, secret, "1", now, body)
	without.Del("Webhook-Signature")
	another := signed(t, secret, "1", now, body)
	another.Set("Webhook-Id", "2")
	for name, c := range map[string]struct {
		h    http.Header
		body string
		want error
	}{
		"good": {signed(t, secret, "1", now, body), body, nil}, "of the secret before": {signed(t, other, "1", now, body), body, nil},
		"forged": {signed(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte("a secret of somebody else's")), "1", now, body), body, mail.ErrForged},
		"old":    {signed(t, secret, "1", now.Add(-6*time.Minute), body), body, mail.ErrForged}, "of tomorrow": {signed(t, secret, "1", now.Add(24*time.Hour), body), body, mail.ErrForged},
		"changed": {signed(t, secret, "1", now, body), body + " ", mail.ErrForged}, "under another id": {another, body, mail.ErrForged}, "unsigned": {without, body, mail.ErrForged}, "with nothing": {http.Header{}, body, mail.ErrForged},
	} {
		if err := (mail.Secrets{secret, other}).Open(c.h, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := (mail.Secrets{}).Open(signed(t, secret, "1", now, body), []byte(body)); !errors.Is(err, mail.ErrForged) {
		t.Errorf("without a secret: %v", err)
	}
	for _, bad := range []string{"", "whsec_", "whsec_short", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"} {
		if mail.CheckSecrets(mail.Secrets{bad}) == nil {
			t.Errorf("%q is a secret", bad)
		}
	}
	if err := mail.CheckSecrets(mail.Secrets{secret, other}); err != nil {
		t.Error(err)
	}
}

// Of an address that refuses letters for good, or complains, it is kept that it does, once for
// each report; of one that bounces for a while nothing is.
func TestReportsMarkAddresses(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	reports, err := mail.ParseReports([]byte(`{"reports": [{"type": "bounce", "permanent": true, "email": "Gone@example.org", "problem": "550 no\r\nsuch user"}, {"type": "bounce", "email": "full@example.org"},
		{"type": "complaint", "email": "angry@example.org", "more": {"is": "passed over"}}], "provider": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	more := func(context.Context, pgx.Tx, mail.Report) error { told++; return nil }
	for i := range 2 {
		if again, err := r.store.Hear(ctx, "one", reports, more); err != nil || again != (i == 1) || told != 2 {
			t.Errorf("heard: again %v, of %d addresses, %v", again, told, err)
		}
	}
	for email, want := range map[string]string{"gone@example.org": "bounce", "GONE@example.org": "bounce", "angry@example.org": "complaint", "full@example.org": "", "ada@example.org": "", "": ""} {
		marks, err := r.store.Marks(ctx, email)
		if err != nil || len(marks) > 1 || (len(marks) == 1) != (want != "") || len(marks) == 1 && marks[0].Kind != want {
			t.Errorf("of %q is known %+v, %v", email, marks, err)
		}
		if want == "bounce" && marks[0].Problem != "550 no such user" {
			t.Errorf("it is told as %q", marks[0].Problem)
		}
	}
	boom := errors.New("boom")
	if _, err := r.store.Hear(ctx, "two", reports[:1], func(context.Context, pgx.Tx, mail.Report) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("what fails: %v", err)
	}
	if again, err := r.store.Hear(ctx, "two", reports[:1], more); again || err != nil {
		t.Errorf("and comes again: %v %v", again, err)
	}
	r.exec(`update mail_marks set at = now() - interval '181 days'`)
	r.exec(`update mail_reports set at = now() - interval '25 hours'`)
	if err := r.store.Sweep(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	if gone, err := r.store.Marks(ctx, "gone@example.org"); err != nil || len(gone) != 0 {
		t.Errorf("after half a year: %+v %v", gone, err)
	}
	if angry, err := r.store.Marks(ctx, "angry@example.org"); err != nil || len(angry) != 1 {
		t.Errorf("who complained: %+v %v", angry, err)
	}
}

// FuzzReportsThatAreTakenNameAddresses: whatever a provider sends, what is taken has addresses and texts of one line.
func FuzzReportsThatAreTakenNameAddresses(f *testing.F) {
	for _, seed := range []string{`{"reports":[{"type":"bounce","permanent":true,"email":"a@example.org","problem":"550"}]}`, `{"reports":[]}`, `{"reports":[{"type":"other","email":"a@example.org"}]}`, `{"reports":[{"type":"complaint","email":"a@example.org\r\nBcc: b"}]}{}`, `[]`, "\xff", ``, `{"reports":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reports, err := mail.ParseReports(body)
		if err != nil {
			if !errors.Is(err, mail.ErrUnreadable) || reports != nil {
				t.Errorf("%q: %v with %d", body, err, len(reports))
			}
			return
		}
		if len(reports) == 0 || len(reports) > mail.MostReports {
			t.Errorf("%d reports", len(reports))
		}
		for _, r := range reports {
			if strings.ContainsAny(r.Email+r.Problem, "\r\n\x00") || !strings.Contains(r.Email, "@") || r.Email != strings.ToLower(r.Email) || len([]rune(r.Problem)) > 200 || r.Type != "bounce" && r.Type != "complaint" {
				t.Errorf("taken is %+v", r)
			}
		}
	})
}
