package api

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// A ticket goes from hand to hand: what each link opens, and what it does not.
func TestATicketIsGivenToSomebodyElse(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff =
		'{"refund": {"before": 60}, "exchange": {"before": 60}, "transfer": {"before": 60, "times": 2}, "names": {"on": true, "before": 60}}'`)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	k, order := o.Tickets[0], "/api/v1/orders/"+o.ID
	at := "/api/v1/tickets/" + k.ID
	var was Passes
	c.get(order+"/passes", o.Key).is(http.StatusOK, &was)
	if was.GiveUntil == nil || !was.GiveUntil.Equal(was.For.StartsAt.Add(-time.Minute)) {
		t.Errorf("tickets may be given until %v, and it starts at %v", was.GiveUntil, was.For.StartsAt)
	}

	c.do(http.MethodPut, at+"/name", o.Key, c.json(m{"name": "<b>Ada</b>"})).is(http.StatusNoContent, nil)
	c.do(http.MethodPut, at+"/name", o.Key, c.json(m{"name": strings.Repeat("x", 101)})).refused(http.StatusUnprocessableEntity, "name-invalid")
	c.do(http.MethodPut, at+"/name", o.Key, c.json(m{"name": "Ada\r\nBcc: x"})).refused(http.StatusUnprocessableEntity, "name-invalid")
	c.do(http.MethodPost, at+"/transfer", o.Key, c.json(m{"email": "bert@example.org\r\nBcc: all@example.org"})).refused(http.StatusUnprocessableEntity, "email-invalid")
	var x TicketTransfer
	for range 2 { // the same again is the same
		before := x.ID
		c.do(http.MethodPost, at+"/transfer", o.Key, c.json(m{"email": "bert@example.org"})).is(http.StatusOK, &x)
		if before != "" && x.ID != before || x.State != "offered" || x.Ticket != k.ID {
			t.Errorf("%+v", x)
		}
	}
	c.do(http.MethodPost, at+"/transfer", o.Key, c.json(m{"email": "cleo@example.org"})).refused(http.StatusConflict, "transfer-running")
	var h Handing
	c.get(order+"/handing", o.Key).is(http.StatusOK, &h)
	if h.GiveUntil == nil || !h.Names || h.ReturnUntil != nil || len(h.Tickets) != 2 || *h.Tickets[0].Times != 2 || h.Tickets[0].Name != "<b>Ada</b>" ||
		h.Tickets[0].Transfer.Email != "bert@example.org" || h.Tickets[1].Transfer != nil {
		t.Errorf("%+v", h)
	}

	// Its link opens an offer, and no ticket, before it is accepted.
	link, held := c.api.server.links.Key(x.ID), "/api/v1/orders/"+x.ID
	var p Passes
	c.get(held+"/passes", link).is(http.StatusOK, &p)
	if len(p.Tickets) != 0 || p.Offer == nil || p.Offer.State != "offered" || p.Offer.Giver != o.Email || p.Offer.Label != k.Label || !p.Offer.Named {
		t.Errorf("%+v", p.Offer)
	}
	c.get(at, link).refused(http.StatusNotFound, "ticket-unknown")
	c.get(held+"/tickets.pdf", link).refused(http.StatusConflict, "tickets-none-valid")
	c.get(held, link).refused(http.StatusNotFound, "order-unknown")
	transfer := "/api/v1/transfers/" + x.ID
	c.do(http.MethodPost, transfer+"/return", link, "{}").refused(http.StatusConflict, "transfer-over")
	c.do(http.MethodPost, transfer+"/accept", o.Key, "{}").refused(http.StatusNotFound, "transfer-unknown")
	c.do(http.MethodPost, transfer+"/accept", link, "{}").refused(http.StatusUnprocessableEntity, "name-invalid")
	c.do(http.MethodPost, "/api/v1/transfers/"+o.ID+"/accept", o.Key, c.json(m{"name": "Bert"})).refused(http.StatusNotFound, "transfer-unknown")

	// Who is signed in has it in the account, too.
	bert := c.member("bert@example.org")
	for range 2 {
		c.do(http.MethodPost, transfer+"/accept", link, c.json(m{"name": "Bert"}), "Cookie", ropeline.AccountCookie+"="+strings.TrimPrefix(bert, cookie), "Sec-Fetch-Site", "same-origin").is(http.StatusOK, &p)
	}
	if len(p.Tickets) != 1 || p.Tickets[0].ID != k.ID || p.Tickets[0].Issue != 2 || p.Tickets[0].Name != "Bert" || p.Tickets[0].Key == nil || *p.Tickets[0].Key == *was.Tickets[0].Key {
		t.Errorf("%+v", p.Tickets)
	}
	var now, returned Passes
	c.get(order+"/passes", o.Key).is(http.StatusOK, &now)
	if now.Tickets[0].State != "given" || now.Tickets[0].Key != nil || now.Tickets[0].Name != "" || now.Tickets[1].State != "valid" {
		t.Errorf("%+v", now.Tickets)
	}
	var seen Order
	c.get(order, o.Key).is(http.StatusOK, &seen)
	if seen.Tickets[0].State != "given" || seen.Tickets[0].Code != "" || seen.Tickets[0].QR != "" || seen.Tickets[1].Code == "" {
		t.Errorf("%+v", seen.Tickets[0])
	}
	var one Ticket
	c.get(at, o.Key).is(http.StatusOK, &one)
	if one.State != "given" || one.Code != "" {
		t.Errorf("%+v", one)
	}
	c.get(at, link).is(http.StatusOK, &one)
	if one.State != "valid" || one.Code == "" || one.Code == k.Code {
		t.Errorf("%+v", one)
	}
	pdf := string(c.get(order+"/tickets.pdf", o.Key).Body)
	if n := strings.Count(pdf, "/Type /Page\n"); n != 1 {
		t.Errorf("the buyer's PDF has %d pages", n)
	}
	if a := c.get(held+"/tickets.pdf", link); a.Status != http.StatusOK || !strings.HasPrefix(string(a.Body), "%PDF") {
		t.Errorf("%d", a.Status)
	}
	if a := c.get(held+"/calendar.ics", link); a.Status != http.StatusOK {
		t.Errorf("%d", a.Status)
	}
	c.do(http.MethodDelete, at+"/transfer", o.Key, "").refused(http.StatusConflict, "ticket-given")
	c.do(http.MethodPut, at+"/name", o.Key, c.json(m{"name": "Ada"})).refused(http.StatusConflict, "ticket-given")
	c.do(http.MethodPost, order+"/cancel", o.Key, c.json(m{"tickets": []string{k.ID}})).refused(http.StatusConflict, "ticket-given")

	var mine MyTickets
	c.get(mePath+"/tickets", bert).is(http.StatusOK, &mine)
	if len(mine.Tickets) != 1 || mine.Tickets[0].ID != x.ID || mine.Tickets[0].Key != link {
		t.Errorf("%+v", mine)
	}
	var export Export
	c.get(mePath+"/export", bert).is(http.StatusOK, &export)
	if len(export.Tickets) != 1 || export.Tickets[0].Key != "" {
		t.Errorf("%+v", export.Tickets)
	}

	// Given back, it is for sale again, and the money is on its way to who paid.
	c.do(http.MethodPost, transfer+"/return", link, "{}").is(http.StatusOK, &returned)
	if returned.Tickets[0].State != "canceled" || returned.Tickets[0].Key != nil {
		t.Errorf("%+v", returned.Tickets[0])
	}
	var r Receipt
	c.get(order+"/receipt", o.Key).is(http.StatusOK, &r)
	if len(r.Refunds) != 1 || r.Refunds[0].Amount != r.Lines[0].Paid || r.Lines[0].State != "canceled" {
		t.Errorf("%+v", r)
	}
	c.do(http.MethodPost, "/api/v1/transfers/"+uuid.NewString()+"/refuse", link, "{}").refused(http.StatusNotFound, "transfer-unknown")
}

// Who is offered a ticket may say no, and then the link opens nothing.
func TestAnOfferThatIsRefusedOpensNothing(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"transfer": {"before": 60}}'`)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1).ID, sandbox.OK).is(http.StatusCreated, &o)
	at := "/api/v1/tickets/" + o.Tickets[0].ID
	c.do(http.MethodPut, at+"/name", o.Key, c.json(m{"name": "Ada"})).refused(http.StatusConflict, "names-none")
	var x TicketTransfer
	for _, end := range []func(link string){
		func(link string) {
			c.do(http.MethodPost, "/api/v1/transfers/"+x.ID+"/refuse", link, "{}").is(http.StatusNoContent, nil)
		},
		func(string) { c.do(http.MethodDelete, at+"/transfer", o.Key, "").is(http.StatusNoContent, nil) },
	} {
		c.do(http.MethodPost, at+"/transfer", o.Key, c.json(m{"email": "bert@example.org"})).is(http.StatusOK, &x)
		link := c.api.server.links.Key(x.ID)
		end(link)
		c.do(http.MethodPost, "/api/v1/transfers/"+x.ID+"/accept", link, "{}").refused(http.StatusConflict, "transfer-over")
		var p Passes
		c.get("/api/v1/orders/"+x.ID+"/passes", link).is(http.StatusOK, &p)
		if len(p.Tickets) != 0 || p.Offer.State == "offered" || p.Offer.Giver != "" || p.Offer.Label != "" {
			t.Errorf("%+v", p)
		}
	}
}

// Whoever erases their account is in no ticket and no transfer any more, neither as who gave
// nor as who got; the ticket stays good, for whoever has its link.
func TestWhoIsErasedIsInNoTransfer(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"refund": {"before": 60}, "transfer": {"before": 60}, "names": {"on": true, "before": 60}}'`)
	fan, giver, holder := c.fan(), c.member("fan@example.org"), c.member("bert@example.org")
	var o Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	c.do(http.MethodPost, mePath+"/orders/claim", giver, "{}").is(http.StatusOK, nil)
	at := "/api/v1/tickets/" + o.Tickets[0].ID
	c.do(http.MethodPut, "/api/v1/tickets/"+o.Tickets[1].ID+"/name", o.Key, c.json(m{"name": "Ada Erased"})).is(http.StatusNoContent, nil)
	var x, y TicketTransfer
	c.do(http.MethodPost, at+"/transfer", o.Key, c.json(m{"email": "bert@example.org"})).is(http.StatusOK, &x)
	link := c.api.server.links.Key(x.ID)
	c.do(http.MethodPost, "/api/v1/transfers/"+x.ID+"/accept", link, c.json(m{"name": "Bert Erased"})).is(http.StatusOK, nil) // without signing in
	c.do(http.MethodPost, mePath+"/orders/claim", holder, "{}").is(http.StatusOK, nil)
	c.do(http.MethodPost, at+"/transfer", link, c.json(m{"email": "cleo@example.org"})).is(http.StatusOK, &y)
	found := func() (n int) {
		t.Helper()
		for _, table := range []string{"transfers", "tickets", "buyers", "mails"} {
			var rows int
			if err := c.db.QueryRow(t.Context(), `select count(*) from `+table+` x where x::text ~ '(Erased|(bert|fan)@example)'`).Scan(&rows); err != nil {
				t.Fatal(err)
			}
			n += rows
		}
		return n
	}
	if found() != 5 { // two names, two transfers, a buyer
		t.Fatalf("%d rows say who they are", found())
	}
	for _, who := range []string{giver, holder} {
		c.do(http.MethodPost, mePath+"/erase", who, c.json(m{"password": password})).is(http.StatusNoContent, nil)
	}
	if n := found(); n != 0 {
		t.Errorf("%d rows still say who they were", n)
	}
	c.get(at, link).is(http.StatusOK, nil)
	c.do(http.MethodPost, "/api/v1/transfers/"+y.ID+"/accept", c.api.server.links.Key(y.ID), c.json(m{"name": "Cleo"})).is(http.StatusOK, nil)
}
