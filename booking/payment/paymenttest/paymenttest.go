// Package paymenttest is what every payment provider has to pass before money
// is trusted to it: what package payment promises, tried with cards that
// behave badly.
//
// The one hard idea is that a provider is judged by what it says later: after
// an answer that was lost, a repeat, a day, a webhook, Find and the provider's
// own books have to tell one story. A provider comes as a Subject, with its own
// test cards and a way to let time pass.
package paymenttest

import (
	"context"
	"encoding/binary"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// Cards are a provider's payment methods that behave in a known way.
type Cards struct {
	OK, Declined string
	Action       string // authorized when the fan has confirmed
	Timeout      string // authorized, but no answer until the caller gives up
	Error        string // fails before anything is recorded
	Lost         string // authorized, but the answer is an error
	CaptureLost  string // captured, but the answer is an error
	Twice        string // each webhook comes twice
	Early        string // the webhook comes before the answer
	Disputed     string // disputed once it is captured
	Inquiry      string // the bank asks once it is captured, and takes nothing yet
	Unknown      string // no such method
}

// Subject is a provider that is looked at.
type Subject struct {
	Provider interface {
		payment.Provider
		payment.Books
		payment.Crier
	}
	Cards Cards
	// Deliver sends the webhooks that are due to the Ear, however many.
	Deliver func(context.Context) error
	// Confirm is what the fan does on the page of Payment.Action.
	Confirm func(ctx context.Context, c payment.Charge, p payment.Payment, yes bool) error
	// Account is an organizer's own account, which can take payments, and SetCharges
	// lets it, or not any more. Earned is what accounts have left to us.
	Account    string
	SetCharges func(ctx context.Context, account string, can bool) error
	Earned     func(context.Context) (int64, error)
	// RefundByHand is what somebody does at the provider.
	RefundByHand func(ctx context.Context, p payment.Payment, amount int64) error
	// SendBack has a refund fail that was done, as banks do days later.
	SendBack func(ctx context.Context, r payment.Refunded) error
	// Judge decides the dispute of a payment.
	Judge func(ctx context.Context, p payment.Payment, won bool) error
	Now   func() time.Time
	// Later lets time pass at the provider.
	Later func(time.Duration)
}

// Request is a webhook that came.
type Request struct {
	Header http.Header
	Body   []byte
}

// Ear takes webhooks down.
type Ear struct {
	mu    sync.Mutex
	heard []Request
}

// Hear takes one down.
func (e *Ear) Hear(_ context.Context, header http.Header, body []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, Request{header.Clone(), append([]byte(nil), body...)})
	return nil
}

// Take returns what came since the last call.
func (e *Ear) Take() []Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = nil
	return heard
}

// bench is one test with a provider of its own.
type bench struct {
	*testing.T
	Subject
	ear *Ear
}

// Run tries a provider. Open makes one with empty books for each test; what it
// cries goes to the ear. The tests run one after another, so that a provider
// may have one set of books that is emptied.
func Run(t *testing.T, open func(*testing.T, *Ear) Subject) {
	for name, test := range map[string]func(*bench){
		"a repeat is answered as it stands":         repeats,
		"nothing is captured that was let go":       finals,
		"a card is known again":                     card,
		"an unknown attempt is none":                unknown,
		"a payment of another account":              foreign,
		"a method it does not know":                 methods,
		"amounts of every kind":                     amounts,
		"an answer that was lost":                   lost,
		"a capture whose answer was lost":           captureLost,
		"a caller that gave up":                     gaveUp,
		"none stays none, or is found":              noneIsKept,
		"an action the fan takes":                   action,
		"an action nobody can take":                 actionWithoutReturn,
		"a day later":                               keysExpire,
		"an authorization lapses":                   lapses,
		"refunds":                                   refunds,
		"the books":                                 books,
		"many at once are one":                      manyAuthorize,
		"many captures at once are one":             manyCapture,
		"capture and void at once":                  captureOrVoid,
		"webhooks tell of each change":              webhooks,
		"a webhook comes twice, or before":          webhookTwiceOrEarly,
		"a webhook that is not the provider's":      forged,
		"disputes":                                  disputes,
		"an inquiry":                                inquiry,
		"an organizer's own account":                ownAccount,
		"an account that cannot take payments":      closedAccount,
		"refunds by hand":                           byHand,
		"a refund that comes back":                  sentBack,
		"any calls in any order, against the model": modeled,
	} {
		t.Run(name, func(t *testing.T) {
			ear := new(Ear)
			test(&bench{T: t, Subject: open(t, ear), ear: ear})
		})
	}
}

// id is like one that booking.NewID makes now, by the provider's clock.
func (b *bench) id() string {
	id := uuid.New()
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(b.Now().UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = 0x70 | id[6]&0x0f // version 7
	return id.String()
}

// charge is a new attempt.
func (b *bench) charge(card string) payment.Charge {
	b.Helper()
	return payment.Charge{Attempt: b.id(), Amount: booking.Money{Amount: 4500, Currency: "EUR"}, Method: card}
}

// authorized makes a payment.
func (b *bench) authorized(card string) (payment.Charge, payment.Payment) {
	b.Helper()
	c := b.charge(card)
	p, err := b.Provider.Authorize(b.Context(), c)
	b.is("authorize", payment.Authorized, p, err)
	return c, p
}

// captured makes a payment and takes the money.
func (b *bench) captured(card string) (payment.Charge, payment.Payment) {
	b.Helper()
	c, p := b.authorized(card)
	c.Ref = p.Ref
	p, err := b.Provider.Capture(b.Context(), c)
	b.is("capture", payment.Captured, p, err)
	return c, p
}

// is checks an answer.
func (b *bench) is(step string, want payment.State, got payment.Payment, err error) {
	b.Helper()
	if err != nil || got.State != want {
		b.Fatalf("%s: %+v, %v; want %s", step, got, err, want)
	}
}

// gone checks that no money is or will be there.
func (b *bench) gone(step string, got payment.Payment, err error) {
	b.Helper()
	if err != nil || got.State != payment.Declined && got.State != payment.Voided {
		b.Fatalf("%s: %+v, %v; want declined or voided", step, got, err)
	}
}

// find looks an attempt up without knowing its Ref.
func (b *bench) find(c payment.Charge) (payment.Payment, error) {
	c.Ref = ""
	return b.Provider.Find(b.Context(), c)
}

// heard delivers what is due and reads it.
func (b *bench) heard() []payment.Event {
	b.Helper()
	if err := b.Deliver(b.Context()); err != nil {
		b.Fatalf("delivering webhooks: %v", err)
	}
	return b.read(b.ear.Take())
}

func (b *bench) read(requests []Request) (events []payment.Event) {
	b.Helper()
	for _, r := range requests {
		e, err := b.Provider.Event(r.Header, r.Body)
		if err != nil {
			b.Fatalf("reading %s: %v", r.Body, err)
		}
		events = append(events, e)
	}
	return events
}

// until waits for something that another goroutine does.
func (b *bench) until(what string, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			b.Fatalf("waited for a minute until %s", what)
		}
		select {
		case <-b.Context().Done():
			b.Fatal("the test has ended")
		case <-time.After(time.Millisecond):
		}
	}
}
