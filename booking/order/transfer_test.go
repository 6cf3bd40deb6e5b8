package order_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// passing lets tickets, which bear names, change hands twice, and be canceled for a tenth.
var passing = tariff.Tariff{FeeRate: 250, Refund: tariff.Refund{Before: 60, KeepRate: 1000}, Exchange: tariff.Exchange{Before: 60},
	Transfer: tariff.Transfer{Before: 60, Times: 2, Days: 3}, Names: tariff.Names{On: true, Before: 60}}

const bert, cleo = "bert@example.org", "cleo@example.org"

func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

func (d *desk) offers(id, by, email string) order.Transfer {
	d.t.Helper()
	x, err := d.Offer(d.t.Context(), order.Giving{Ticket: id, By: by, Email: email})
	if err != nil || x.State != order.Offered || x.Email != email {
		d.t.Fatalf("offered %+v, %v", x, err)
	}
	return x
}

// gives has a ticket that is somebody else's at the end.
func (d *desk) gives(id, by, email string) order.Transfer {
	d.t.Helper()
	x, err := d.Accept(d.t.Context(), d.offers(id, by, email).ID, order.Acceptance{Name: "Bert", Language: "de"})
	if err != nil || x.State != order.Accepted {
		d.t.Fatalf("accepted %+v, %v", x, err)
	}
	return x
}

func (d *desk) ticket(id string) order.Ticket {
	d.t.Helper()
	k, found, err := d.store.Ticket(d.t.Context(), id)
	if err != nil || !found {
		d.t.Fatal(found, err)
	}
	return k
}

// With its holder a ticket changes everything that opens a door, and nothing else: the one
// before sees no more than that it is given, and the money stays theirs.
func TestAGivenTicketIsAnothersAtOnce(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, passing)
	o := d.buys("s1", 0, 1)
	id := o.Tickets[0].ID
	before := d.ticket(id)
	wants(t, "naming it", d.Rename(t.Context(), id, o.ID, "Ada"), nil)
	x := d.offers(id, o.ID, bert)
	if again, err := d.Offer(t.Context(), order.Giving{Ticket: id, By: o.ID, Email: strings.ToUpper(bert)}); err != nil || again.ID != x.ID {
		t.Errorf("the same offer again is %+v, %v", again, err)
	}
	if x.Giver != o.Email || x.Expires.Before(time.Now().Add(50*time.Minute)) || x.Expires.After(time.Now().Add(time.Hour)) {
		t.Errorf("the offer is %+v", x) // not after transfers are closed, which is less than three days
	}
	if now := d.ticket(id); now.Code != before.Code || now.Issue != before.Issue || now.Name != "Ada" {
		t.Errorf("an offer has changed %+v to %+v", before, now)
	}
	if h, _, err := d.store.Held(t.Context(), x.ID); err != nil || len(h.Tickets) != 0 {
		t.Errorf("who is asked has %+v, %v", h.Tickets, err)
	}
	_, err := d.Accept(t.Context(), x.ID, order.Acceptance{Name: " \n"})
	wants(t, "accepting without a name", err, order.ErrName)
	for range 2 { // a repeat changes nothing
		if got, err := d.Accept(t.Context(), x.ID, order.Acceptance{Name: "Bert", Language: "de"}); err != nil || got.State != order.Accepted {
			t.Fatalf("accepted %+v, %v", got, err)
		}
	}
	now := d.ticket(id)
	if now.Code == before.Code || now.Issue != before.Issue+1 || now.Holder != x.ID || now.Name != "Bert" || now.State != ticket.Valid {
		t.Errorf("given, it is %+v", now)
	}
	seen, err := d.store.Order(t.Context(), o.ID)
	if err != nil || seen.Tickets[0].State != ticket.Given || seen.Tickets[0].Code != "" || seen.Tickets[0].Issue != 0 || seen.Tickets[0].Name != "" ||
		seen.Tickets[1].State != ticket.Valid || seen.Tickets[1].Code == "" {
		t.Errorf("its buyer sees %+v, %v", seen.Tickets, err)
	}
	held, _, err := d.store.Held(t.Context(), x.ID)
	if err != nil || held.ID != x.ID || len(held.Tickets) != 1 || held.Tickets[0].Code != now.Code || held.Email != bert || held.Total.Amount != 0 {
		t.Errorf("its holder sees %+v, %v", held, err)
	}

	// What was theirs is not, and the other one still is.
	_, err = d.Offer(t.Context(), order.Giving{Ticket: id, By: o.ID, Email: cleo})
	wants(t, "giving it again", err, order.ErrGiven)
	wants(t, "renaming it", d.Rename(t.Context(), id, o.ID, "Ada"), order.ErrGiven)
	wants(t, "calling it back", d.Recall(t.Context(), id, o.ID), order.ErrGiven)
	_, err = d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{id}, Who: order.Buyer})
	wants(t, "canceling it", err, order.ErrGiven)
	w := wishFor(o, 0)
	_, err = d.HoldExchange(t.Context(), w, d.id, nil)
	wants(t, "exchanging it", err, order.ErrGiven)
	r, err := d.Receipt(t.Context(), o.ID)
	if err != nil || r.Back[0] != 0 || r.Back[1] != 6750 {
		t.Errorf("of what is given comes back %v, %v", r.Back, err)
	}

	// It goes on, once more and no further.
	y := d.gives(id, x.ID, cleo)
	if h, _, err := d.store.Held(t.Context(), x.ID); err != nil || h.Tickets[0].State != ticket.Given || h.Tickets[0].Code != "" {
		t.Errorf("the first holder sees %+v, %v", h.Tickets, err)
	}
	_, err = d.Offer(t.Context(), order.Giving{Ticket: id, By: y.ID, Email: bert})
	wants(t, "a third time", err, order.ErrTransferTimes)
	if h, err := d.Handing(t.Context(), held); err != nil || h.Times[id] != 0 || len(h.Transfers) != 1 || h.Transfers[0].ID != y.ID || h.Closes.IsZero() {
		t.Errorf("what the first holder did: %+v, %v", h, err)
	}

	// Its holder may give it back; the money goes to who paid.
	_, err = d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{id}, Who: order.Holder, Holder: x.ID})
	wants(t, "giving back what was given on", err, order.ErrGiven)
	if _, err = d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Holder, Holder: y.ID}); err != nil {
		t.Fatal(err)
	}
	d.refunds()
	seen, err = d.store.Order(t.Context(), o.ID)
	if err != nil || seen.Tickets[0].State != ticket.Canceled || seen.Tickets[1].State != ticket.Valid || seen.State != order.Paid {
		t.Errorf("its buyer sees %+v, %v", seen, err)
	}
	d.count(`select refunded from sandbox_payments`, 6750)
	d.entries("placed 15000 buyer, authorized 15000 buyer, captured 15000 system, fee 375 system, renamed 0 buyer, offered 0 buyer, transferred 0 holder, " +
		"offered 0 holder, transferred 0 holder, canceled 7500 holder, kept 750 holder, fee_returned 187 holder, refunding 6750 holder, refunded 6750 system")
	d.adds()
}

func TestAnOfferMayComeToNothing(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, passing)
	o := d.buys("s1", 0, 1, 2)
	id := o.Tickets[0].ID
	accept := func(what, id string, want error) {
		t.Helper()
		_, err := d.Accept(t.Context(), id, order.Acceptance{Name: "Bert"})
		wants(t, what, err, want)
	}
	for _, bad := range []string{"", "bert", "bert@example.org\r\nBcc: all@example.org", "a b@example.org"} {
		_, err := d.Offer(t.Context(), order.Giving{Ticket: id, By: o.ID, Email: bad})
		wants(t, "to "+bad, err, order.ErrEmail)
	}
	x := d.offers(id, o.ID, bert)
	_, err := d.Offer(t.Context(), order.Giving{Ticket: id, By: o.ID, Email: cleo})
	wants(t, "to somebody else as well", err, order.ErrTransferRunning)
	for range 2 {
		wants(t, "calling it back", d.Recall(t.Context(), id, o.ID), nil)
	}
	accept("what was called back", x.ID, order.ErrTransferOver)
	x = d.offers(id, o.ID, bert)
	for range 2 {
		wants(t, "refusing it", d.Refuse(t.Context(), x.ID), nil)
	}
	accept("what was refused", x.ID, order.ErrTransferOver)
	x = d.offers(id, o.ID, bert)
	_, err = d.db.Exec(t.Context(), `update transfers set expires_at = now() where id = $1`, x.ID)
	d.must(err)
	accept("too late", x.ID, order.ErrTransferOver)
	if got, err := d.store.Transfer(t.Context(), x.ID); err != nil || got.State != order.Over {
		t.Errorf("late it is %+v, %v", got, err)
	}
	d.must(d.store.EndOffers(t.Context()))
	d.count(`select count(*) from transfers where email <> '' or giver <> ''`, 0)

	// Canceled meanwhile.
	x = d.offers(id, o.ID, bert)
	_, err = d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{id}, Who: order.Buyer})
	d.must(err)
	accept("canceled meanwhile", x.ID, order.ErrTransferOver)
	_, err = d.Offer(t.Context(), order.Giving{Ticket: id, By: o.ID, Email: bert})
	wants(t, "what is canceled", err, order.ErrTicketGone)

	// No more than five letters a day.
	other := o.Tickets[1].ID
	for i := range 5 {
		d.offers(other, o.ID, fmt.Sprintf("fan%d@example.org", i))
		d.must(d.Recall(t.Context(), other, o.ID))
	}
	_, err = d.Offer(t.Context(), order.Giving{Ticket: other, By: o.ID, Email: bert})
	wants(t, "a sixth time", err, order.ErrTransferOften)

	// Disputed, unpaid, closed, and none at all.
	third := o.Tickets[2].ID
	for state, want := range map[string]error{"blocked": order.ErrDisputed, "void": order.ErrDisputeLost, "unpaid": order.ErrTicketGone} {
		_, err = d.db.Exec(t.Context(), `update tickets set state = $2 where id = $1`, third, state)
		d.must(err)
		_, err = d.Offer(t.Context(), order.Giving{Ticket: third, By: o.ID, Email: bert})
		wants(t, state, err, want)
	}
	_, err = d.db.Exec(t.Context(), `update tickets set state = 'valid' where id = $1`, third)
	d.must(err)

	// Used: while it is offered, and after that.
	x = d.offers(third, o.ID, bert)
	_, err = d.db.Exec(t.Context(), `insert into door_entries (performance_id, ticket_id, zone, inside, scan_id, at, door, who)
		select performance_id, id, '', true, gen_random_uuid(), now(), 'A', 'staff:olga' from tickets where id = $1`, third)
	d.must(err)
	accept("what has opened a door", x.ID, order.ErrTransferUsed)
	d.must(d.Recall(t.Context(), third, o.ID))
	_, err = d.Offer(t.Context(), order.Giving{Ticket: third, By: o.ID, Email: bert})
	wants(t, "what has opened a door", err, order.ErrTransferUsed)
	_, err = d.db.Exec(t.Context(), `delete from door_entries`)
	d.must(err)
	d.At(func() time.Time { return time.Now().Add(59*time.Minute + time.Second) })
	_, err = d.Offer(t.Context(), order.Giving{Ticket: third, By: o.ID, Email: bert})
	wants(t, "a minute before the start", err, order.ErrTransferClosed)
	wants(t, "a first name then", d.Rename(t.Context(), third, o.ID, "Ada"), nil)
	wants(t, "another name then", d.Rename(t.Context(), third, o.ID, "Bert"), order.ErrNameClosed)
	wants(t, "a name with a line", d.Rename(t.Context(), third, o.ID, "Ada\nBert"), order.ErrName)
	_, err = d.Offer(t.Context(), order.Giving{Ticket: uuid.NewString(), By: o.ID, Email: bert})
	wants(t, "no ticket", err, order.ErrTicketUnknown)
	_, err = d.store.Transfer(t.Context(), uuid.NewString())
	wants(t, "no transfer", err, order.ErrTransferUnknown)
}

// Without rules nothing is given, and nothing bears a name.
func TestTicketsStayWithTheirBuyersUnlessTheOrganizerSaysOtherwise(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, swaps)
	o := d.buys("s1", 0)
	_, err := d.Offer(t.Context(), order.Giving{Ticket: o.Tickets[0].ID, By: o.ID, Email: bert})
	wants(t, "giving", err, order.ErrTransferClosed)
	wants(t, "naming", d.Rename(t.Context(), o.Tickets[0].ID, o.ID, "Ada"), order.ErrNames)
}

// Many do everything with one ticket at the same instant: it has one holder, whom its row,
// its transfers and the ledger agree on, and no code of anybody before opens it.
func TestATicketHasOneHolderWhoeverComesAtOnce(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, passing)
	for round := range 12 {
		o := d.buys(fmt.Sprint("s", round), round)
		id := o.Tickets[0].ID
		x := d.offers(id, o.ID, bert)
		var accepted, recalled, canceled atomic.Int32
		var g errgroup.Group
		try := func(n *atomic.Int32, do func() error) {
			g.Go(func() error {
				err := do()
				switch {
				case err == nil:
					n.Add(1)
				case errors.Is(err, order.ErrTransferOver), errors.Is(err, order.ErrGiven), errors.Is(err, order.ErrTicketGone), errors.Is(err, order.ErrTransferRunning):
				default:
					return err
				}
				return nil
			})
		}
		for range 3 {
			try(&accepted, func() error {
				_, err := d.Accept(t.Context(), x.ID, order.Acceptance{Name: "Bert"})
				return err
			})
		}
		try(&recalled, func() error { return d.Recall(t.Context(), id, o.ID) })
		if round%2 == 0 {
			try(&canceled, func() error {
				_, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{id}, Who: order.Buyer})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		k, got := d.ticket(id), must(d.store.Transfer(t.Context(), x.ID))
		switch {
		case accepted.Load() == 3 && (k.Holder != x.ID || k.Issue != 2 || got.State != order.Accepted || k.State != ticket.Valid || recalled.Load()+canceled.Load() > 0),
			accepted.Load() == 0 && (k.Holder != "" || k.Issue != 1 || k.Code != o.Tickets[0].Code || got.State == order.Accepted),
			accepted.Load() != 0 && accepted.Load() != 3:
			t.Errorf("round %d: %d accepted, %d called it back, %d canceled it: %+v, %+v", round, accepted.Load(), recalled.Load(), canceled.Load(), k, got)
		}
	}
	d.refunds()
	d.count(`select count(*) from transfers t where state = 'accepted' and 1 <> (select count(*) from order_ledger l where l.ticket_id = t.ticket_id and entry = 'transferred')`, 0)
	d.adds()
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// A model: a ticket, its holder, and who is asked. Whatever people do, the one it has is the
// model's, and each holder's codes are others than all before.
func TestTransfersFollowTheModel(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, tariff.Tariff{Refund: tariff.Refund{Before: 60}, Transfer: tariff.Transfer{Before: 60}})
	_, err := d.db.Exec(t.Context(), `create function lets_all() returns void language sql as $$ update transfers set created_at = created_at - interval '2 days' $$`)
	d.must(err)
	unit := 0
	rapid.Check(t, func(t *rapid.T) {
		if unit == 40 {
			return // a house has so many seats; those before were walked
		}
		o := d.buys(fmt.Sprint("m", unit), unit)
		unit++
		id := o.Tickets[0].ID
		links, holder, asked, dead := []string{o.ID}, 0, "", false
		codes := map[string]bool{o.Tickets[0].Code: true}
		issue := 1
		link := func(t *rapid.T) int { return rapid.IntRange(0, len(links)-1).Draw(t, "link") }
		refuses := func(t *rapid.T, what string, err, want error) {
			if !errors.Is(err, want) {
				t.Fatalf("%s: %v; want %v", what, err, want)
			}
		}
		mine := func(by int) error { // what a link that is, or is not, the holder's is told
			switch {
			case dead:
				return order.ErrTicketGone
			case by != holder:
				return order.ErrGiven
			}
			return nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"offer": func(t *rapid.T) {
				by, email := link(t), rapid.SampledFrom([]string{bert, cleo}).Draw(t, "email")
				d.db.Exec(d.t.Context(), `select lets_all()`)
				want := mine(by)
				if want == nil && asked != "" && must(d.store.Transfer(d.t.Context(), asked)).Email != email {
					want = order.ErrTransferRunning
				}
				x, err := d.Offer(d.t.Context(), order.Giving{Ticket: id, By: links[by], Email: email})
				refuses(t, "offer", err, want)
				if want == nil {
					if asked != "" && asked != x.ID {
						t.Fatal("there are two offers")
					}
					asked = x.ID
				}
			},
			"recall": func(t *rapid.T) {
				by := link(t)
				want := mine(by)
				refuses(t, "recall", d.Recall(d.t.Context(), id, links[by]), want)
				if want == nil {
					asked = ""
				}
			},
			"accept": func(t *rapid.T) {
				if asked == "" {
					t.Skip("nobody is asked") // rapid takes another step
				}
				_, err := d.Accept(d.t.Context(), asked, order.Acceptance{})
				if dead {
					refuses(t, "accept", err, order.ErrTransferOver)
					return
				}
				refuses(t, "accept", err, nil)
				links, holder, asked, issue = append(links, asked), len(links), "", issue+1
				if k := d.ticket(id); codes[k.Code] {
					t.Fatal("a code has come back")
				} else {
					codes[k.Code] = true
				}
			},
			"give back": func(t *rapid.T) {
				by := link(t)
				c := order.Cancel{Order: o.ID, Tickets: []string{id}, Who: order.Buyer}
				if by > 0 {
					c.Who, c.Holder = order.Holder, links[by]
				}
				want := mine(by)
				if dead {
					want = nil // a repeat
				}
				_, err := d.Cancel(d.t.Context(), c)
				refuses(t, "give back", err, want)
				dead = dead || want == nil
			},
			"": func(t *rapid.T) {
				k := d.ticket(id)
				if k.HeldBy() != links[holder] || k.Issue != issue || (k.State == ticket.Canceled) != dead {
					t.Fatalf("it is %+v; the model says %s, issue %d, dead %t", k, links[holder], issue, dead)
				}
				for i, by := range links {
					var seen order.Order
					if i == 0 {
						seen = must(d.store.Order(d.t.Context(), by))
					} else {
						seen, _, _ = d.store.Held(d.t.Context(), by)
					}
					if has := seen.Tickets[0].Code != ""; has != (i == holder) {
						t.Fatalf("link %d of %d shows a code: %t", i, len(links), has)
					}
				}
			},
		})
	})
	d.adds()
}
