package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// PagePath is where the page is on which a fan confirms; the attempt follows.
const PagePath = "/api/v1/sandbox/payments/"

// pageOf is the address of the page of an attempt: where the fan came from, as a
// bank that is elsewhere would need a name of its own.
func pageOf(attempt, back string) string {
	u, err := url.Parse(back)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: PagePath + attempt}).String()
}

//nolint:lll // a line of HTML is a line
var bank = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox bank</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 26rem; margin: 15vh auto; padding: 0 1rem }
button { font: inherit; min-height: 2.75rem; padding: 0 1rem; margin-right: .5rem }
</style>
<main>
<h1>Sandbox bank</h1>
<p>A bank would ask you here whether it was you who pays <b>{{.}}</b>. This one takes no money.</p>
<form method="post"><button name="confirm" value="yes">Yes, I pay</button><button name="confirm" value="no">No</button></form>
</main>
</html>
`))

// Page is what the fan sees who has to confirm an attempt. If there is nothing to
// confirm any more it is nil, and the fan goes back to where they came from.
func (p *Provider) Page(ctx context.Context, attempt string) (html []byte, back string, err error) {
	var amount booking.Money
	var state payment.State
	err = p.db.QueryRow(ctx, `select amount, currency, state, back from sandbox_payments where attempt_id = $1 and back <> ''`,
		attempt).Scan(&amount.Amount, &amount.Currency, &state, &back)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, "", payment.ErrNone
	}
	if err != nil {
		return nil, "", fmt.Errorf("sandbox: reading %s: %w", attempt, err)
	}
	if state != payment.NeedsAction {
		return nil, back, nil
	}
	var text bytes.Buffer
	// The sandbox takes only currencies of two digits for what they are; the page
	// is for people who test.
	if err := bank.Execute(&text, fmt.Sprintf("%d.%02d %s", amount.Amount/100, amount.Amount%100, amount.Currency)); err != nil {
		return nil, "", fmt.Errorf("sandbox: drawing the page of %s: %w", attempt, err)
	}
	return text.Bytes(), back, nil
}

// Answer is what the fan said on the page; it returns where the fan came from.
func (p *Provider) Answer(ctx context.Context, attempt string, yes bool) (back string, err error) {
	if err := p.Confirm(ctx, payment.Charge{Attempt: attempt}, yes); err != nil {
		return "", err
	}
	_, back, err = p.Page(ctx, attempt)
	return back, err
}
