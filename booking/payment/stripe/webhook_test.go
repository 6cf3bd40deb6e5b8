package stripe

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/payment"
)

// wrap is an event about an object.
func wrap(object string) string {
	return `{"id":"evt_1","object":"event","type":"any.thing","created":1764172800,"api_version":"2030-01-01.zebra","data":{"object":` + object + `}}`
}

var at = time.Date(2025, 11, 26, 16, 0, 0, 0, time.UTC)

func dispute(status string) string {
	return `{"object":"dispute","id":"dp_1","payment_intent":"pi_1","amount":4500,"currency":"eur","reason":"fraudulent","status":"` + status + `"}`
}

func disputed() payment.Event {
	return payment.Event{ID: "evt_1", About: payment.AboutDispute, Ref: "pi_1", Dispute: "dp_1", At: at}
}

// How they stand is asked, of the library's type: its words are these.
func TestWordsOfDisputes(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]payment.DisputeState{
		"needs_response": payment.DisputeOpen, "under_review": payment.DisputeOpen, "prevented": payment.DisputeWon, "a word of tomorrow": payment.DisputeOpen,
		"warning_needs_response": payment.DisputeAsked, "warning_under_review": payment.DisputeAsked,
		"warning_closed": payment.DisputeWon, "won": payment.DisputeWon, "lost": payment.DisputeLost,
	} {
		if got := disputeState(word); got != want {
			t.Errorf("%s is %s, want %s", word, got, want)
		}
	}
}

var events = []struct {
	object string
	want   payment.Event
	err    error
}{
	{`{"object":"payment_intent","id":"pi_1","status":"succeeded","metadata":{"ropeline_attempt":"a"},"amount":1,"currency":"eur"}`,
		payment.Event{ID: "evt_1", About: payment.AboutPayment, Ref: "pi_1", Attempt: "a", State: payment.Captured, At: at}, nil},
	{`{"object":"payment_intent","id":"pi_1","status":"a word of tomorrow","metadata":{"ropeline_attempt":"a"}}`,
		payment.Event{ID: "evt_1", About: payment.AboutPayment, Ref: "pi_1", Attempt: "a", At: at}, nil},
	{`{"object":"refund","id":"re_1","payment_intent":"pi_1","metadata":{"ropeline_refund":"r"}}`,
		payment.Event{ID: "evt_1", About: payment.AboutRefund, Ref: "pi_1", Refund: "r", At: at}, nil},
	{`{"object":"refund","id":"re_1","payment_intent":{"id":"pi_1","object":"payment_intent"},"metadata":{"ropeline_refund":"r"}}`,
		payment.Event{ID: "evt_1", About: payment.AboutRefund, Ref: "pi_1", Refund: "r", At: at}, nil},
	{`{"object":"refund","id":"re_1","payment_intent":"pi_1","metadata":null}`, // by hand
		payment.Event{ID: "evt_1", About: payment.AboutRefund, Ref: "pi_1", At: at}, nil},
	{dispute("needs_response"), disputed(), nil},
	{`{"object":"account","id":"acct_1","charges_enabled":true}`, payment.Event{}, payment.ErrNotOurs}, // our own

	// Of the account's other business.
	{`{"object":"payment_intent","id":"pi_1","metadata":{}}`, payment.Event{}, payment.ErrNotOurs},
	{`{"object":"payment_intent","id":"pi_1","metadata":{"ropeline_nothing":"a"}}`, payment.Event{}, payment.ErrNotOurs},
	{`{"object":"refund","id":"re_1","payment_intent":null,"metadata":null}`, payment.Event{}, payment.ErrNotOurs},
	{`{"object":"dispute","id":"dp_1","payment_intent":null,"status":"lost"}`, payment.Event{}, payment.ErrNotOurs},
	{`{"object":"charge","id":"ch_1","payment_intent":"pi_1"}`, payment.Event{}, payment.ErrNotOurs},
	{`{"object":"customer","id":"cus_1"}`, payment.Event{}, payment.ErrNotOurs},
	{`{}`, payment.Event{}, payment.ErrNotOurs},
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for _, c := range events {
		if got, err := parse([]byte(wrap(c.object))); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s\n is %+v, %v\nwant %+v, %v", c.object, got, err, c.want, c.err)
		}
	}
}

// What an organizer's account tells of says whose it is.
func TestEventsOfAccounts(t *testing.T) {
	t.Parallel()
	of := func(object string) string {
		return strings.Replace(wrap(object), `"type"`, `"account":"acct_1","type"`, 1)
	}
	for object, want := range map[string]payment.Event{
		dispute("needs_response"):                                    {ID: "evt_1", Account: "acct_1", About: payment.AboutDispute, Ref: "pi_1", Dispute: "dp_1", At: at},
		`{"object":"account","id":"acct_1","charges_enabled":false}`: {ID: "evt_1", Account: "acct_1", About: payment.AboutAccount, At: at},
		`{"object":"application","id":"ca_1"}`:                       {ID: "evt_1", Account: "acct_1", About: payment.AboutAccount, At: at},
	} {
		if got, err := parse([]byte(of(object))); got != want || err != nil {
			t.Errorf("%s\n is %+v, %v\nwant %+v", object, got, err, want)
		}
	}
}

// What Stripe has signed and we cannot read is an error, so that it is sent
// again and somebody hears of it.
func TestUnreadableEvents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, body := range []string{
		``, `null[`, `null`, `[]`, `"x"`, `{"id":7}`, `{"id":"evt_1","data":[]}`,
		wrap(`{"object":"payment_intent","id":"pi_1","metadata":{"ropeline_attempt":7}}`),
		wrap(`{"object":"payment_intent","id":"","metadata":{"ropeline_attempt":"a"}}`),
		wrap(`{"object":"payment_intent","id":"` + long + `","metadata":{"ropeline_attempt":"a"}}`),
		wrap(`{"object":"refund","id":"re_1","metadata":{"ropeline_refund":"r"}}`),
		wrap(`{"object":"refund","id":"re_1","payment_intent":7,"metadata":{"ropeline_refund":"r"}}`),
		wrap(`{"object":"dispute","id":"` + long + `","payment_intent":"pi_1","status":"lost"}`),
		strings.Replace(wrap(dispute("lost")), `"type"`, `"account":"`+long+`","type"`, 1),
		strings.Replace(wrap(dispute("lost")), "evt_1", "", 1),
	} {
		got, err := parse([]byte(body))
		if err == nil || errors.Is(err, payment.ErrNotOurs) || errors.Is(err, payment.ErrNotAuthentic) {
			t.Errorf("%.200s: %+v, %v; want an error", body, got, err)
		}
	}
}

// Whatever is read says which event it is and which payment it is about.
func FuzzEvent(f *testing.F) {
	for _, c := range events {
		f.Add([]byte(wrap(c.object)))
	}
	f.Add([]byte(`{"id":"evt_1","data":{"object":{"object":"refund","payment_intent":{"id":["x"]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := parse(body)
		if err != nil {
			if e != (payment.Event{}) {
				t.Errorf("an error, and yet %+v", e)
			}
			return
		}
		if e.About == payment.AboutAccount {
			if e.ID == "" || e.Account == "" {
				t.Errorf("read %+v", e)
			}
			return
		}
		if e.ID == "" || e.Ref == "" || e.About == payment.AboutPayment && e.Attempt == "" ||
			e.About == payment.AboutDispute && e.Dispute == "" || e.About == "" || len(e.ID+e.Ref) > 2*longest {
			t.Errorf("read %+v", e)
		}
	})
}
