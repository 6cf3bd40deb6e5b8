package order_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// answers are what many requests came to: order ids, and the codes of problems.
type answers map[string]int

// press sends requests at once, to each of the desks in turn, and tells each answer.
func press(requests []order.Request, told func(string), desks ...*order.Desk) answers {
	var mu sync.Mutex
	var all sync.WaitGroup
	came := answers{}
	for i, r := range requests {
		all.Go(func() {
			o, err := desks[i%len(desks)].Checkout(context.Background(), r)
			what := o.ID
			if e, ok := errors.AsType[*ropeline.Error](err); ok {
				what = e.Code
			} else if err != nil {
				what = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			came[what]++
			told(what)
		})
	}
	all.Wait()
	return came
}

func quiet(string) {}

// A thousand tabs of one session pay for one order with one card at once, at two booking
// cores, in pairs of the same request. While the first of them is being charged every
// other one is told that a payment is under way: it need not wait its turn, and none of
// them counts as a payment begun, which the place may do thirty times an hour.
func TestAThousandTabsThatPayAtOnceAreOnePaymentBegun(t *testing.T) {
	t.Parallel()
	const tabs, most = 1000, 30 // see abuse.Default
	d := watched(t, abuse.Default())
	desks := []*order.Desk{d.Desk, d.deskOn(order.NewStore(d.db, d.shows), d.shows)}
	h := d.hold("session", 3, 4)
	requests := make([]order.Request, tabs)
	for i := range requests {
		requests[i] = with(d.request(h, sandbox.OK), func(r *order.Request) { r.Key = fmt.Sprint("tab-", i/2) })
	}

	paying, others := 0, make(chan struct{})
	d.provider.before = func(call string) error {
		if call == "authorize" {
			select {
			case <-others:
			case <-time.After(30 * time.Second):
				t.Error("while a payment was under way not every other tab was answered")
			}
		}
		return nil
	}
	var bought string
	came := press(requests, func(what string) {
		if what != hold.ErrPaying.Code {
			bought = what
		} else if paying++; paying == tabs-1 {
			close(others)
		}
	}, desks...)
	if came[hold.ErrPaying.Code] != tabs-1 || len(came) != 2 {
		t.Fatalf("a thousand tabs were answered %v, want one order and payment-running", came)
	}
	d.provider.before = nil
	if came := press(requests, quiet, desks...); came[bought] != 2 || came[hold.ErrSold.Code] != tabs-2 {
		t.Errorf("once more they were answered %v, want the same order for its key, and hold-sold", came)
	}
	if asked := [2]int{d.asks("authorize"), d.asks("capture")}; asked != [2]int{1, 1} {
		t.Errorf("the provider was asked %v times", asked)
	}
	d.want(sold)
	d.consistent()

	for i := range most - 1 { // what is left to the place
		d.buysBy(sandbox.OK, "session", 10+i)
	}
	if _, err := d.Checkout(t.Context(), d.request(d.hold("session", 5), sandbox.OK)); !errors.Is(err, abuse.ErrSlowedPayments) {
		t.Errorf("payment 31 of an hour was answered %v, want slowed-payments", err)
	}
}

// dying is a guard whose core dies as soon as it has let a payment begin.
type dying struct{ order.Guard }

var errDied = errors.New("the core has died")

func (d dying) Begin(ctx context.Context, p abuse.Payment) (*abuse.Trial, error) {
	if _, err := d.Guard.Begin(ctx, p); err != nil {
		return nil, err
	}
	return nil, errDied
}

// A core dies between counting a payment and writing it. Who asks again with the same key is
// charged at once, and so once, of however many repeats at two cores; they all count as the
// one payment that the place may begin.
func TestManyRepeatsOfAKeyWhoseCoreDiedPayOnceAndAtOnce(t *testing.T) {
	t.Parallel()
	const repeats = 200
	d := watched(t, abuse.Policy{Limits: abuse.Limits{PlaceAttempts: 1, AttemptsIn: 3600}})
	alive := d.guard
	d.guard = dying{alive}
	dead := d.deskOn(d.store, d.shows)
	d.guard = alive
	h := d.hold("session", 3, 4)
	r := d.request(h, sandbox.OK)
	if _, err := dead.Checkout(t.Context(), r); !errors.Is(err, errDied) {
		t.Fatalf("a core that dies answered %v", err)
	}
	other := with(r, func(r *order.Request) { r.Key = "another" })
	if _, err := d.Checkout(t.Context(), other); !errors.Is(err, hold.ErrPaying) {
		t.Errorf("another key within two seconds: %v, want payment-running", err)
	}
	requests := make([]order.Request, repeats)
	for i := range requests {
		requests[i] = r
	}
	desks := []*order.Desk{d.Desk, d.deskOn(order.NewStore(d.db, d.shows), d.shows)}
	bought := ""
	came := press(requests, func(what string) {
		if what != hold.ErrPaying.Code {
			bought = what
		}
	}, desks...)
	if came[bought] == 0 || came[bought]+came[hold.ErrPaying.Code] != repeats {
		t.Fatalf("they were answered %v, want one order and payment-running", came)
	}
	if came := press(requests, quiet, desks...); came[bought] != repeats {
		t.Errorf("later they were answered %v, want the order %s", came, bought)
	}
	if asked := [2]int{d.asks("authorize"), d.asks("capture")}; asked != [2]int{1, 1} {
		t.Errorf("the provider was asked %v times", asked)
	}
	d.want(sold)
	d.count(`select count(*) from attempts`, 1)
	d.consistent()
	if _, err := d.Checkout(t.Context(), d.request(d.hold("session", 5), sandbox.OK)); !errors.Is(err, abuse.ErrSlowedPayments) {
		t.Errorf("the second payment of one was answered %v, want slowed-payments", err)
	}
}

// While the provider takes its time other tabs are told the same, whatever Redis still knows
// of what has begun, and although the place may begin no other payment.
func TestTabsOfASlowPaymentAreNotSlowedDown(t *testing.T) {
	t.Parallel()
	d := watched(t, abuse.Policy{Limits: abuse.Limits{PlaceAttempts: 1, AttemptsIn: 3600}})
	h := d.hold("session", 3, 4)
	d.provider.before = func(call string) error {
		if call != "authorize" {
			return nil
		}
		if n, err := d.rdb.Del(t.Context(), "ropeline:{abuse}:begun:"+h.ID).Result(); err != nil || n != 1 {
			t.Errorf("it is not known that a payment has begun: %d, %v", n, err)
		}
		if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); !errors.Is(err, hold.ErrPaying) {
			t.Errorf("in another tab: %v, want payment-running", err)
		}
		return nil
	}
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
		t.Error(err)
	}
	if n := d.asks("find"); n != 0 {
		t.Errorf("for another tab the provider was asked %d times what became of the payment", n)
	}
	d.want(sold)
}

// Many tabs get a tester of cards no further: the provider is asked as often as the place
// may ask it, and not once more.
func TestManyTabsTryNoMoreCardsThanOne(t *testing.T) {
	t.Parallel()
	const most = 30
	d := watched(t, abuse.Policy{Limits: abuse.Limits{PlaceAttempts: most, AttemptsIn: 3600}})
	h := d.hold("session", 3, 4)
	try := func() string {
		_, err := d.Checkout(context.Background(), d.request(h, sandbox.Declined))
		if e, ok := errors.AsType[*ropeline.Error](err); ok {
			return e.Code
		}
		return fmt.Sprint(err)
	}
	came := answers{}
	var mu sync.Mutex
	var tabs sync.WaitGroup
	for range 8 {
		tabs.Go(func() {
			for {
				what := try()
				mu.Lock()
				came[what]++
				tried := came[order.ErrDeclined.Code]
				mu.Unlock()
				switch what {
				case hold.ErrPaying.Code:
				case order.ErrDeclined.Code:
					if tried > most {
						return
					}
				case abuse.ErrSlowedPayments.Code:
					return
				default:
					t.Errorf("answered %s", what)
					return
				}
			}
		})
	}
	tabs.Wait()
	if came[order.ErrDeclined.Code] != most || d.asks("authorize") != most {
		t.Errorf("answered %v, and the provider was asked %d times; want %d tries", came, d.asks("authorize"), most)
	}
	if what := try(); what != abuse.ErrSlowedPayments.Code || d.asks("authorize") != most {
		t.Errorf("try 31 was answered %s", what)
	}
	d.consistent()
}

// A payment that is refused at the bank, or given up there, is one, in however many tabs
// its fan hears of it: it counts once, and its tickets are given back once.
func TestAPaymentLostAtTheBankCountsOnceForAllTabs(t *testing.T) {
	t.Parallel()
	const tabs, tickets = 40, 4
	p := abuse.Default()
	p.Payments.Place.Slow, p.Limits.AddressTickets = 2, tickets
	for name, refused := range map[string]bool{"refused": true, "given up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := watched(t, p)
			ask := func(h hold.Hold, method string) order.Request {
				return with(d.request(h, method), func(r *order.Request) { r.Return, r.From = back, netip.MustParseAddr("203.0.113.7") })
			}
			h := d.hold("session", 3, 4)
			first := ask(h, sandbox.Action)
			if o, err := d.Checkout(t.Context(), first); err != nil || o.Action == "" {
				t.Fatalf("order %+v, %v; want one that waits at the bank", o, err)
			}
			requests := make([]order.Request, tabs)
			for i := range requests {
				requests[i] = first
				if !refused {
					requests[i] = ask(h, sandbox.OK)
				}
			}
			if refused {
				d.confirm(false)
				if came := press(requests, quiet, d.Desk); came[order.ErrDeclined.Code] != tabs {
					t.Errorf("they were answered %v, want payment-declined", came)
				}
			} else if came := press(requests, quiet, d.Desk); came[hold.ErrPaying.Code]+came[hold.ErrSold.Code] != tabs-1 || len(came) > 3 {
				t.Errorf("they were answered %v, want one order, payment-running and hold-sold", came)
			}
			if refused {
				if _, err := d.Checkout(t.Context(), ask(h, sandbox.OK)); err != nil {
					t.Errorf("another card after one was refused: %v", err)
				}
			}
			if _, err := d.Checkout(t.Context(), ask(d.hold("session", 5, 6), sandbox.OK)); err != nil {
				t.Errorf("tickets 3 and 4 of 4: %v", err)
			}
			if _, err := d.Checkout(t.Context(), ask(d.hold("session", 7), sandbox.OK)); !errors.Is(err, abuse.ErrNetworkLimit) {
				t.Errorf("ticket 5 of 4: %v, want network-limit", err)
			}
			d.count(`select count(*) from orders where state = 'paid'`, 2)
			d.consistent()
		})
	}
}
