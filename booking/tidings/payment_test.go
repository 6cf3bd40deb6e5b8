package tidings_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tidings"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// till is a rig at which somebody pays, with holds in Redis.
type till struct {
	*rig
	desk  *order.Desk
	holds *hold.Store
	money *sandbox.Provider
	store *order.Store
	units int
}

func newTill(t *testing.T) *till {
	t.Helper()
	r := newRig(t)
	shows, rdb := catalogue.New(r.db, time.Now), devtest.Redis(t)
	s := &till{rig: r, holds: hold.New(rdb), store: order.NewStore(r.db, shows), money: sandbox.New(r.db)}
	if _, err := inventory.New(rdb).Rebuild(t.Context(), r.show.ID, s.store); err != nil {
		t.Fatal(err)
	}
	s.desk = order.NewDesk(order.Config{Store: s.store, Catalogue: shows, Holds: s.holds, Provider: s.money, Key: make([]byte, 32), Random: rand.Reader, Log: slog.New(slog.DiscardHandler)})
	r.writer.Site = "https://tickets.example.org"
	r.writer.Held = tidings.NewHolds(s.holds, shows).Of
	return s
}

// hold holds a place, and is a wish to pay for it.
func (s *till) hold(email, method string) order.Request {
	s.t.Helper()
	h, err := s.holds.Units(s.t.Context(), hold.Request{ID: uuid.NewString(), Performance: s.show.ID, Sale: "gala", Session: uuid.NewString(), SessionEnds: time.Now().Add(time.Hour), Life: 10 * time.Minute}, []int{s.units})
	if err != nil {
		s.t.Fatal(err)
	}
	s.units++
	return order.Request{Sale: "gala", Session: h.Session, Key: uuid.NewString(), Hold: h.ID, Email: email, Language: "en", Method: method, Return: "https://tickets.example.org/back"}
}

// checkout pays, or not.
func (s *till) checkout(r order.Request, want error) order.Order {
	s.t.Helper()
	o, err := s.desk.Checkout(s.t.Context(), r)
	if !errors.Is(err, want) {
		s.t.Fatalf("paying: %v, want %v", err, want)
	}
	return o
}

// attempts are how many attempts are somewhere.
func (s *till) attempts(where string, args ...any) (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), `select count(*) from attempts where `+where, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// minute lets the minute pass in which nobody is written to.
func (s *till) minute() {
	s.t.Helper()
	if n := s.count(`select count(*) from river_job where args ->> 'what' = 'payment' and state = 'available' and scheduled_at < now() + interval '55 seconds'`); n != 0 {
		s.t.Errorf("%d letters are written within the minute", n)
	}
	s.exec(`update river_job set scheduled_at = now() where args ->> 'what' = 'payment' and state in ('available', 'scheduled')`)
}

// A payment that is declined is told, once, with what is held and until when; and nothing is
// kept of who has tried, whether it is told or not.
func TestAPaymentThatIsDeclinedIsToldOnce(t *testing.T) {
	t.Parallel()
	s := newTill(t)
	r := s.hold("ada@example.org", sandbox.Declined)
	s.checkout(r, order.ErrDeclined)
	s.checkout(r, order.ErrDeclined) // the same request once more
	if n := s.attempts(`email = 'ada@example.org' and language = 'en'`); n != 1 {
		t.Fatalf("%d attempts know who pays, want 1", n)
	}
	s.minute()
	s.serve(s.done)
	if n := s.attempts(`email <> '' or language <> ''`); n != 0 {
		t.Errorf("%d attempts know still who paid", n)
	}
	// The job, done again by who did not hear that it was.
	s.exec(`update river_job set state = 'available', finalized_at = null, scheduled_at = now() where args ->> 'what' = 'payment'`)
	s.serve(s.done)
	all := s.box.Letters()
	if len(all) != 1 || all[0].To != "ada@example.org" || all[0].Subject != "Your payment for Gala is not through" {
		t.Fatalf("there came %v", all)
	}
	h, err := s.holds.Get(t.Context(), s.show.ID, r.Hold, r.Session)
	if err != nil || h.State != hold.Held {
		t.Fatalf("the hold: %+v, %v", h, err)
	}
	lisbon, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Your bank, or your card, has said no.", "until " + h.Expires.In(lisbon).Format("15:04 MST"), "https://tickets.example.org/sales/gala/shop", "Opera, Largo 1, Lisboa"} {
		if !strings.Contains(all[0].Text, part) {
			t.Errorf("the letter lacks %q:\n%s", part, all[0].Text)
		}
	}
}

// Who is at the bank still is told that it waits for them; once it was confirmed, nobody is.
func TestAPaymentThatWaitsAtTheBankIsTold(t *testing.T) {
	t.Parallel()
	s := newTill(t)
	confirmed := s.hold("max@example.org", sandbox.Action)
	o := s.checkout(confirmed, nil)
	s.checkout(s.hold("ada@example.org", sandbox.Action), nil)
	if n := s.attempts(`state = 'acting' and email = ''`); n != 2 { // their orders know
		t.Fatalf("%d attempts wait and know nobody, want 2", n)
	}
	var id string
	if err := s.db.QueryRow(t.Context(), `select attempt_id::text from orders where id = $1`, o.ID).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := s.money.Confirm(t.Context(), payment.Charge{Attempt: id}, true); err != nil {
		t.Fatal(err)
	}
	s.checkout(confirmed, nil)
	s.minute()
	s.serve(s.done)
	s.exec(`update river_job set state = 'available', finalized_at = null, scheduled_at = now() where args ->> 'what' = 'payment'`) // done again by somebody else
	s.serve(s.done)
	var got []string
	for _, l := range s.box.Letters() {
		if strings.Contains(l.Subject, "not through") {
			got = append(got, l.To)
			if !strings.Contains(l.Text, "Your bank waits for you to confirm it.") {
				t.Errorf("it says\n%s", l.Text)
			}
		}
	}
	if fmt.Sprint(got) != "[ada@example.org]" {
		t.Errorf("%v were told", got)
	}
}

// Who has paid by then, or tries again, and whose hold is gone, hears nothing of what went wrong
// before; and all is forgotten.
func TestNobodyIsToldOfAPaymentThatIsOver(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(s *till, r order.Request){
		"paid in another way": func(s *till, r order.Request) {
			r.Key, r.Method = uuid.NewString(), sandbox.OK
			s.checkout(r, nil)
		},
		"given back": func(s *till, r order.Request) {
			if err := s.holds.Release(s.t.Context(), s.show.ID, r.Hold, r.Session); err != nil {
				s.t.Fatal(err)
			}
		},
		"chosen anew": func(s *till, _ order.Request) { s.exec(`update attempts set outcome = 'coupon-used'`) },
		"erased": func(s *till, _ order.Request) {
			s.exec(`insert into people (id, state, erased_at) values ('00000000-0000-4000-8000-000000000001', 'erased', now())`)
			s.exec(`update attempts set person_id = '00000000-0000-4000-8000-000000000001'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTill(t)
			r := s.hold("ada@example.org", sandbox.Declined)
			s.checkout(r, order.ErrDeclined)
			then(s, r)
			s.minute()
			s.serve(s.done)
			for _, l := range s.box.Letters() {
				if strings.Contains(l.Subject, "not through") {
					t.Errorf("%s was told\n%s", l.To, l.Text)
				}
			}
			if n := s.attempts(`email <> '' and person_id is null`); n != 0 {
				t.Errorf("%d attempts know still who paid", n)
			}
		})
	}
}

// What its fan tries again is told of the last try alone.
func TestOfSeveralTriesTheLastIsTold(t *testing.T) {
	t.Parallel()
	s := newTill(t)
	r := s.hold("ada@example.org", sandbox.Declined)
	for range 3 {
		r.Key = uuid.NewString()
		s.checkout(r, order.ErrDeclined)
	}
	s.minute()
	s.serve(s.done)
	if all := s.box.Letters(); len(all) != 1 {
		t.Errorf("%d letters came, want 1", len(all))
	}
	if n := s.attempts(`email <> ''`); n != 0 {
		t.Errorf("%d attempts know still who paid", n)
	}
}

// Trouble after the sale is told to the buyer, once of each: that money could not be given back,
// and that their bank wants it back.
func TestTroubleAfterTheSaleIsTold(t *testing.T) {
	t.Parallel()
	s := newTill(t)
	o := s.checkout(s.hold("ada@example.org", sandbox.OK), nil)
	s.cancel(o.ID, "")
	s.exec(`update cancellations set state = 'failed'`)
	s.exec(`update cancellations set state = 'refunding'`)
	s.exec(`update cancellations set state = 'failed'`) // tried again
	d := s.checkout(s.hold("max@example.org", sandbox.OK), nil)
	s.exec(`insert into order_disputes (id, performance_id, order_id, attempt_id, provider_ref, payment_ref, state, amount, withdrawn, reinstated, currency, fee, fee_returned, fee_currency, reason, opened_at)
		select gen_random_uuid(), performance_id, id, attempt_id, 'd', 'p', 'open', 1200, 1200, 0, 'EUR', 0, 0, 'EUR', 'fraudulent', now() from orders where id = $1`, d.ID)
	s.exec(`update order_disputes set state = 'won'`)
	s.serve(s.done)
	got := map[string]string{}
	for _, l := range s.box.Letters() {
		got[l.To+": "+l.Subject] += l.Text
	}
	for name, says := range map[string]string{
		"ada@example.org: Your money for Gala could not be given back": "40.00 EUR of what you paid",
		"max@example.org: Your bank wants the money for Gala back":     "give back 12.00 EUR",
	} {
		if strings.Count(got[name], says) != 1 {
			t.Errorf("%s lacks %q, or has it twice:\n%s", name, says, got[name])
		}
	}
}
