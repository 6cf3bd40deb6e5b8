package stripe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/signature"
)

// event is what we read of a webhook. The library's types are not used: they
// are of one version of the API, and what comes is of the one that the webhook
// was set up with.
type event struct {
	ID      string `json:"id"`
	Account string `json:"account"` // whose it is; left out: ours
	Created int64  `json:"created"`
	Data    struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
}

// subject is what an event is about, of the kinds that we know.
type subject struct {
	ID       string            `json:"id"`
	Intent   reference         `json:"payment_intent"`
	Metadata map[string]string `json:"metadata"`
	Status   string            `json:"status"`
}

// reference names an object, whether or not it is spelled out.
type reference string

// UnmarshalJSON takes "pi_1", {"id":"pi_1",…} and null.
func (r *reference) UnmarshalJSON(text []byte) error {
	if text[0] != '{' {
		return json.Unmarshal(text, (*string)(r))
	}
	var spelledOut struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(text, &spelledOut)
	*r = reference(spelledOut.ID)
	return err
}

// longest is more than any id of Stripe's has.
const longest = 255

// Event reads a webhook.
func (p *Provider) Event(header http.Header, body []byte) (payment.Event, error) {
	if err := signature.Check(header.Get("Stripe-Signature"), body, p.secrets, p.now()); err != nil {
		return payment.Event{}, fmt.Errorf("%w: %w", payment.ErrNotAuthentic, err)
	}
	return parse(body)
}

// parse reads what Stripe has signed.
func parse(body []byte) (payment.Event, error) {
	var e event
	var kind struct {
		Object string `json:"object"`
	}
	err := json.Unmarshal(body, &e)
	if err == nil {
		err = json.Unmarshal(e.Data.Object, &kind)
	}
	var told payment.Event
	switch {
	case err != nil:
	case kind.Object == "account", kind.Object == "application" && e.Account != "": // that cut us off
		told, err = tellAccount(e)
	case kind.Object == "payment_intent", kind.Object == "refund", kind.Object == "dispute":
		told, err = tellEvent(kind.Object, e)
	default:
		err = payment.ErrNotOurs
	}
	if err != nil && !errors.Is(err, payment.ErrNotOurs) {
		err = fmt.Errorf("stripe: reading an event: %w", err)
	}
	return told, err
}

// tellAccount says which account to look at.
func tellAccount(e event) (payment.Event, error) {
	told := payment.Event{ID: e.ID, Account: e.Account, About: payment.AboutAccount, At: time.Unix(e.Created, 0).UTC()}
	switch {
	case told.Account == "": // our own
		return payment.Event{}, payment.ErrNotOurs
	case told.ID == "" || len(told.ID) > longest || len(told.Account) > longest:
		return payment.Event{}, fmt.Errorf("%.40q of %.40q is not an id", told.ID, told.Account)
	}
	return told, nil
}

// tellEvent puts an event into our words.
func tellEvent(kind string, e event) (payment.Event, error) {
	var o subject
	if err := json.Unmarshal(e.Data.Object, &o); err != nil {
		return payment.Event{}, err
	}
	told := payment.Event{ID: e.ID, Account: e.Account, At: time.Unix(e.Created, 0).UTC(), Ref: string(o.Intent)}
	ours := true
	switch kind {
	case "payment_intent":
		told.About, told.Ref, told.Attempt, told.State = payment.AboutPayment, o.ID, o.Metadata[metaAttempt], intentState(o.Status)
		ours = told.Attempt != ""
	case "refund":
		told.About, told.Refund = payment.AboutRefund, o.Metadata[metaRefund]
		ours = told.Refund != "" || told.Ref != "" // one that was made by hand carries nothing of ours
	case "dispute": // nor does this: the payment is ours or not
		told.About, told.Dispute = payment.AboutDispute, o.ID
		ours = told.Ref != "" // else of a charge that was made without an intent
	}
	if !ours {
		return payment.Event{}, payment.ErrNotOurs
	}
	if len(told.Account) > longest {
		return payment.Event{}, fmt.Errorf("%.40q is not an account", told.Account)
	}
	for _, id := range []string{told.ID, told.Ref, o.ID} {
		if id == "" || len(id) > longest {
			return payment.Event{}, fmt.Errorf("%.40q is not an id", id)
		}
	}
	return told, nil
}

// intentState puts Stripe's word into ours; it is empty for what is under way, and
// for a word that is new to us.
func intentState(status string) payment.State {
	switch status {
	case "requires_action":
		return payment.NeedsAction
	case "requires_capture":
		return payment.Authorized
	case "succeeded":
		return payment.Captured
	case "canceled":
		return payment.Voided
	case "requires_payment_method":
		return payment.Declined
	}
	return ""
}
