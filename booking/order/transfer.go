package order

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Holder is who has a ticket by a transfer, as the ledger says it.
const Holder = "holder"

// TransferState says what became of a transfer.
type TransferState string

// The states of a transfer.
const (
	Offered  TransferState = "offered"
	Accepted TransferState = "accepted"
	Recalled TransferState = "recalled"
	Refused  TransferState = "refused"
	Over     TransferState = "over" // nobody accepted it in time, or there is no such ticket any more
)

// Transfer is a ticket that somebody offers to somebody else: it is the one's until the
// other accepts it. Then it is issued again, so that every code that the one has is dead,
// and the transfer stands for its new holder as the order does for the buyer: its link
// opens the ticket. Everything that changes a ticket locks its order first, so of two
// things that come at once one is seen by the other.
//
// The money stays where it is. What goes back of a ticket goes to who paid for it.
type Transfer struct {
	ID          string
	Performance ropeline.PerformanceID
	Order       string
	Ticket      string
	From        string // the transfer by which who gives it had got it; empty: the buyer gives it
	Giver       string // address of who gives it
	Email       string // of who is asked; empty once nothing came of it
	Language    string
	Person      string // whose account it was accepted with
	State       TransferState
	Expires     time.Time
	At, Changed time.Time
}

// Refusals of a transfer.
var (
	ErrGiven           = &ropeline.Error{Kind: ropeline.Conflict, Code: "ticket-given", Detail: "You have given this ticket to somebody else: it is theirs."}
	ErrTransferClosed  = &ropeline.Error{Kind: ropeline.Conflict, Code: "transfer-closed", Detail: "By the rules of this performance its tickets cannot be given to others, or not any more."}
	ErrTransferTimes   = &ropeline.Error{Kind: ropeline.Conflict, Code: "transfer-times", Detail: "This ticket has changed hands as often as the organizer lets it."}
	ErrTransferRunning = &ropeline.Error{Kind: ropeline.Conflict, Code: "transfer-running", Detail: "This ticket is offered to somebody. Call it back before you offer it to somebody else."}
	ErrTransferOften   = &ropeline.Error{Kind: ropeline.Limited, Code: "transfer-often", Detail: "This ticket was offered to people five times within a day. Wait until tomorrow.", RetryAfter: 24 * time.Hour}
	ErrTransferUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "transfer-unknown", Detail: "There is no such ticket."}
	ErrTransferOver    = &ropeline.Error{Kind: ropeline.Conflict, Code: "transfer-over", Detail: "This ticket is not offered to you any more: it was called back, or you had so many days."}
	ErrTransferCoupon  = &ropeline.Error{Kind: ropeline.Conflict, Code: "transfer-coupon", Detail: "What bought a coupon is not given on: give the coupon."}
	ErrTicketGone      = &ropeline.Error{Kind: ropeline.Conflict, Code: "ticket-not-valid", Detail: "This ticket is not valid, or not any more."}
	ErrTransferUsed    = &ropeline.Error{Kind: ropeline.Conflict, Code: "ticket-used", Detail: "This ticket has opened a door. It is not given to others any more."}
	ErrName            = &ropeline.Error{Kind: ropeline.Invalid, Code: "name-invalid", Detail: "A name has 1 to 100 characters, in one line."}
	ErrNames           = &ropeline.Error{Kind: ropeline.Conflict, Code: "names-none", Detail: "Tickets of this performance bear no names."}
	ErrNameClosed      = &ropeline.Error{Kind: ropeline.Conflict, Code: "name-closed", Detail: "By the rules of this performance the name on a ticket cannot be changed, or not any more."}
)

// offersADay is how often one ticket may be offered in 24 hours: each offer is a letter to an
// address that nobody has confirmed.
const offersADay = 5

// Giving is the wish of a ticket's holder to give it to somebody.
type Giving struct {
	Ticket string
	By     string // the order, or the transfer, whose link the holder has
	Email  string // of who is asked
}

// Offer offers a ticket to somebody, who is written to. The same again is answered with the
// offer that there is.
func (d *Desk) Offer(ctx context.Context, g Giving) (t Transfer, err error) {
	if !booking.IsEmail(g.Email) {
		return t, ErrEmail
	}
	if t.ID, err = booking.NewID(); err != nil {
		return t, err
	}
	err = d.inHand(ctx, g.Ticket, g.By, func(tx pgx.Tx, h hand) error {
		rules := h.show.Map.Tariff
		if !d.now().Before(rules.TransferCloses(h.show.Map.StartsAt)) {
			return ErrTransferClosed
		}
		if _, err := tx.Exec(ctx, `update transfers set state = 'over', email = '', giver = '', updated_at = now()
			where performance_id = $1 and ticket_id = $2 and state = 'offered' and expires_at <= now()`, h.Performance, g.Ticket); err != nil {
			return err
		}
		if err := unused(ctx, tx, h.locked, g.Ticket); err != nil {
			return err
		}
		old, found, err := oneTransfer(ctx, tx, `performance_id = $1 and ticket_id = $2 and state = 'offered'`, h.Performance, g.Ticket)
		switch {
		case err != nil:
			return err
		case found && strings.EqualFold(old.Email, g.Email):
			t = old
			return nil
		case found:
			return ErrTransferRunning
		}
		if err := noCoupons(ctx, tx, h.locked, []string{g.Ticket}); errors.Is(err, ErrExchangeCoupon) {
			return ErrTransferCoupon
		} else if err != nil {
			return err
		}
		var done, today int
		if err := tx.QueryRow(ctx, `select count(*) filter (where state = 'accepted'), count(*) filter (where created_at > now() - interval '1 day')
			from transfers where performance_id = $1 and ticket_id = $2`, h.Performance, g.Ticket).Scan(&done, &today); err != nil {
			return err
		}
		if rules.Transfer.Times > 0 && done >= rules.Transfer.Times {
			return ErrTransferTimes
		}
		if today >= offersADay {
			return ErrTransferOften
		}
		if _, err := tx.Exec(ctx, `
			insert into transfers (performance_id, id, order_id, ticket_id, from_transfer, giver, email, language, expires_at)
			select $1, $2, o.id, $4, f.id, coalesce(f.email, b.email), $6, coalesce(f.language, b.language), least(now() + $7, $8)
			from orders o join buyers b on b.id = o.buyer_id left join transfers f on f.id = nullif($5, '')::uuid
			where o.performance_id = $1 and o.id = $3`,
			h.Performance, t.ID, h.ID, g.Ticket, h.ticket.Holder, g.Email, rules.Transfer.Patience(), rules.TransferCloses(h.show.Map.StartsAt)); err != nil {
			return err
		}
		if t, _, err = oneTransfer(ctx, tx, `id = $1`, t.ID); err != nil {
			return err
		}
		return write(ctx, tx, h.Order, h.who(), []entry{{name: "offered", ticket: g.Ticket}})
	})
	return t, err
}

// Recall ends the offer of a ticket that nobody has accepted; if there is none it does
// nothing.
func (d *Desk) Recall(ctx context.Context, id, by string) error {
	return d.inHand(ctx, id, by, func(tx pgx.Tx, h hand) error {
		return h.end(ctx, tx, `ticket_id = $4`, Recalled, h.who(), id)
	})
}

// Refuse ends the offer of a ticket for who was asked. Once it is over that changes nothing.
func (d *Desk) Refuse(ctx context.Context, id string) error {
	t, err := d.store.Transfer(ctx, id)
	if err != nil {
		return err
	}
	o, err := d.store.Order(ctx, t.Order)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, d.store.db, func(tx pgx.Tx) error {
		l, err := lock(ctx, tx, o)
		if err != nil {
			return err
		}
		return hand{locked: l, ticket: Ticket{ID: t.Ticket}}.end(ctx, tx, `id = $4`, Refused, Holder, id)
	})
	return ours("refusing", id, err)
}

// end ends an offer that is open, and forgets whom it was for.
func (h hand) end(ctx context.Context, tx pgx.Tx, which string, state TransferState, who, arg string) error {
	tag, err := tx.Exec(ctx, `update transfers set state = $3, email = '', giver = '', updated_at = now()
		where performance_id = $1 and order_id = $2 and state = 'offered' and `+which, h.Performance, h.ID, state, arg)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return write(ctx, tx, h.Order, who, []entry{{name: "recalled", ticket: h.ticket.ID}})
}

// Acceptance is what who accepts a ticket says.
type Acceptance struct {
	Name     string // for the ticket, where tickets bear names
	Language string // in which they are written to
	Person   string // their account; empty: they have shown none
}

// Accept makes a ticket that of who was asked. In that moment it is issued again: no code
// that was ever seen of it opens a door. The same again changes nothing.
func (d *Desk) Accept(ctx context.Context, id string, a Acceptance) (t Transfer, err error) {
	if t, err = d.store.Transfer(ctx, id); err != nil {
		return t, err
	}
	o, err := d.store.Order(ctx, t.Order)
	if err != nil {
		return t, err
	}
	p, err := d.catalogue.Performance(ctx, t.Performance)
	if err != nil {
		return t, err
	}
	a.Name = strings.TrimSpace(a.Name)
	if !p.Map.Tariff.Names.On {
		a.Name = ""
	} else if !isName(a.Name) {
		return t, ErrName
	}
	code, err := ticket.DrawPrinted(d.random)
	if err != nil {
		return t, err
	}
	err = pgx.BeginFunc(ctx, d.store.db, func(tx pgx.Tx) error {
		l, err := lock(ctx, tx, o)
		if err != nil {
			return err
		}
		if t, _, err = oneTransfer(ctx, tx, `id = $1`, id); err != nil || t.State == Accepted {
			return err
		}
		if t.State != Offered {
			return ErrTransferOver
		}
		if _, err := l.good(t.Ticket); err != nil {
			return err
		}
		if err := unused(ctx, tx, l, t.Ticket); err != nil {
			return err
		}
		// An account that is erased at this moment is waited for: then it is a guest who accepts.
		rows, err := ids(ctx, tx, `
			with known as materialized (select id from people where id = nullif($2, '')::uuid and state = 'active' for share),
			taken as (
				update transfers set state = 'accepted', language = $3, person_id = (select id from known), updated_at = now()
				where id = $1 and state = 'offered' and expires_at > now() returning performance_id, ticket_id, from_transfer
			)
			update tickets k set holder = $1, issue = k.issue + 1, code = $4, name = $5, updated_at = now() from taken
			where k.performance_id = taken.performance_id and k.id = taken.ticket_id and k.state = 'valid' and k.holder is not distinct from taken.from_transfer
			returning k.id::text`, id, a.Person, a.Language, code, a.Name)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return ErrTransferOver
		}
		t.State, t.Language, t.Person = Accepted, a.Language, a.Person
		return write(ctx, tx, l.Order, Holder, []entry{{name: "transferred", ticket: t.Ticket}})
	})
	return t, ours("accepting", id, err)
}

// Rename puts a name on a ticket. The first one may be put on it at any time.
func (d *Desk) Rename(ctx context.Context, id, by, name string) error {
	if name = strings.TrimSpace(name); !isName(name) {
		return ErrName
	}
	return d.inHand(ctx, id, by, func(tx pgx.Tx, h hand) error {
		rules := h.show.Map.Tariff
		switch {
		case !rules.Names.On:
			return ErrNames
		case h.ticket.Name == name:
			return nil
		case h.ticket.Name != "" && !d.now().Before(rules.NamesClose(h.show.Map.StartsAt)):
			return ErrNameClosed
		}
		if _, err := tx.Exec(ctx, `update tickets set name = $3, updated_at = now() where performance_id = $1 and id = $2`, h.Performance, id, name); err != nil {
			return err
		}
		return write(ctx, tx, h.Order, h.who(), []entry{{name: "renamed", ticket: id}})
	})
}

func isName(s string) bool {
	n := utf8.RuneCountInString(s)
	return n > 0 && n <= 100 && booking.IsPlain(s)
}

// hand is a valid ticket of an order that is locked.
type hand struct {
	locked
	ticket Ticket
	show   catalogue.Performance
}

// who has it, as the ledger says it.
func (h hand) who() string {
	if h.ticket.Holder != "" {
		return Holder
	}
	return Buyer
}

// inHand does something with a ticket whose holder has the link of an order, or of a
// transfer.
func (d *Desk) inHand(ctx context.Context, id, by string, do func(pgx.Tx, hand) error) error {
	k, found, err := d.store.Ticket(ctx, id)
	if err == nil && !found {
		err = ErrTicketUnknown
	}
	if err != nil {
		return err
	}
	o, err := d.store.Order(ctx, k.Order)
	if err != nil {
		return err
	}
	p, err := d.catalogue.Performance(ctx, o.Performance)
	if err != nil {
		return err
	}
	return ours("changing ticket", id, pgx.BeginFunc(ctx, d.store.db, func(tx pgx.Tx) error {
		l, err := lock(ctx, tx, o)
		if err != nil {
			return err
		}
		k, err := l.good(id)
		if err == nil && k.HeldBy() != by {
			err = ErrGiven
		}
		if err != nil {
			return err
		}
		return do(tx, hand{locked: l, ticket: k, show: p})
	}))
}

// good finds a ticket of an order, if it is valid.
func (l locked) good(id string) (Ticket, error) {
	picked, err := l.pick([]string{id})
	if err == nil && len(picked) == 0 {
		err = ErrTicketGone
	}
	if err != nil {
		return Ticket{}, err
	}
	return l.Tickets[picked[0]], nil
}

// unused refuses a ticket that has opened a door.
func unused(ctx context.Context, tx pgx.Tx, l locked, id string) error {
	var used bool
	err := tx.QueryRow(ctx, `select exists (select from door_entries where performance_id = $1 and ticket_id = $2)`, l.Performance, id).Scan(&used)
	if err == nil && used {
		err = ErrTransferUsed
	}
	return err
}

// theirs are those of an order's tickets, of the named ones or of all, that a holder has:
// nobody gives back what is somebody else's.
func (l locked) theirs(named []string, holder string) (own []string, err error) {
	for _, id := range named {
		if !slices.ContainsFunc(l.Tickets, func(k Ticket) bool { return k.ID == id }) {
			return nil, ErrTicketUnknown
		}
	}
	for _, k := range l.Tickets {
		switch asked := len(named) == 0 || slices.Contains(named, k.ID); {
		case asked && k.Holder == holder:
			own = append(own, k.ID)
		case asked && len(named) > 0 && k.State != ticket.Canceled:
			return nil, ErrGiven
		}
	}
	return own, nil
}

// Transfer reads a transfer.
func (s *Store) Transfer(ctx context.Context, id string) (Transfer, error) {
	t, found, err := oneTransfer(ctx, s.db, `id = $1`, id)
	if err == nil && !found {
		err = ErrTransferUnknown
	}
	return t, err
}

func oneTransfer(ctx context.Context, db querier, where string, args ...any) (Transfer, bool, error) {
	all, err := transfers(ctx, db, where, args...)
	if err != nil || len(all) == 0 {
		return Transfer{}, false, err
	}
	return all[0], true, nil
}

// transfers reads them, the newest first. An offer whose time is over, or whose ticket is
// not valid, is over whether that was written down or not.
func transfers(ctx context.Context, db querier, where string, args ...any) ([]Transfer, error) {
	rows, err := db.Query(ctx, `
		select id, performance_id, order_id, ticket_id, coalesce(from_transfer::text, ''), giver, email, language, coalesce(person_id::text, ''),
			case when state = 'offered' and (expires_at <= now() or not exists (
				select from tickets k where k.performance_id = transfers.performance_id and k.id = ticket_id and k.state in ('valid', 'blocked'))) then 'over' else state end,
			expires_at, created_at, updated_at
		from transfers where `+where+` order by created_at desc, id desc`, args...)
	if err != nil {
		return nil, away("reading", "transfers", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Transfer, err error) {
		err = r.Scan(&t.ID, &t.Performance, &t.Order, &t.Ticket, &t.From, &t.Giver, &t.Email, &t.Language, &t.Person, &t.State, &t.Expires, &t.At, &t.Changed)
		t.Expires, t.At, t.Changed = t.Expires.UTC(), t.At.UTC(), t.Changed.UTC()
		return t, err
	})
	if err != nil {
		return nil, away("reading", "transfers", err)
	}
	return all, nil
}

// Held is what the link of a transfer opens: an order of that one ticket, whose number is
// the transfer's, as its holder sees it. There is no ticket in it before it is accepted.
func (s *Store) Held(ctx context.Context, id string) (Order, Transfer, error) {
	t, err := s.Transfer(ctx, id)
	if err != nil {
		return Order{}, t, err
	}
	o, err := s.Order(ctx, t.Order)
	if err != nil {
		return Order{}, t, err
	}
	h := Order{ID: t.ID, Performance: o.Performance, Sale: o.Sale, State: o.State, Email: t.Email, Language: t.Language, Person: t.Person, CreatedAt: t.At}
	h.Total.Currency, h.Discount.Currency = o.Total.Currency, o.Total.Currency
	if t.State != Accepted {
		return h, t, nil
	}
	k, _, err := s.Ticket(ctx, t.Ticket)
	h.Tickets = []Ticket{k.Seen(t.ID)}
	return h, t, err
}

// Holders are all whose links have opened a ticket, whoever has it now: its order, and the
// transfers by which it changed hands.
func (s *Store) Holders(ctx context.Context, t Ticket) ([]string, error) {
	if t.Holder == "" {
		return []string{t.Order}, nil
	}
	rows, err := s.db.Query(ctx, `select id::text from transfers where ticket_id = $1 and order_id = $2 and state = 'accepted'
		and performance_id = (select performance_id from transfers where id = $3)`, t.ID, t.Order, t.Holder)
	if err != nil {
		return nil, away("reading the holders of", t.ID, err)
	}
	holders, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, away("reading the holders of", t.ID, err)
	}
	return append(holders, t.Order), nil
}

// Handing is what can be done with the tickets of a holder, and what was.
type Handing struct {
	Closes     time.Time // until when they may be given to others; zero: they may not
	Names      bool      // they bear names
	NamesClose time.Time // until when a name may be changed; zero: it may not
	Closing    time.Time // until when the holder of a transfer may give its ticket back; zero: they may not
	Transfers  []Transfer
	Times      map[string]int // how often more each ticket may change hands; nothing of one that may as often as they like
}

// Handing reads that of an order, or of a transfer.
func (d *Desk) Handing(ctx context.Context, o Order) (h Handing, err error) {
	p, err := d.catalogue.Performance(ctx, o.Performance)
	if err != nil {
		return h, err
	}
	rules, starts := p.Map.Tariff, p.Map.StartsAt
	h = Handing{Closes: rules.TransferCloses(starts), Names: rules.Names.On, NamesClose: rules.NamesClose(starts), Closing: rules.Closes(starts), Times: map[string]int{}}
	tickets := column(o.Tickets, func(t Ticket) string { return t.ID })
	all, err := transfers(ctx, d.store.db, `performance_id = $1 and ticket_id = any($2::uuid[])`, o.Performance, tickets)
	if err != nil {
		return h, err
	}
	for _, t := range all {
		if o.ID == t.Order && t.From == "" || t.From == o.ID {
			h.Transfers = append(h.Transfers, t)
		}
	}
	if rules.Transfer.Times > 0 {
		for _, id := range tickets {
			h.Times[id] = rules.Transfer.Times
		}
		for _, t := range all {
			if t.State == Accepted {
				h.Times[t.Ticket] = max(0, h.Times[t.Ticket]-1)
			}
		}
	}
	return h, nil
}

// endOffers writes down which offers are over, and forgets whom they were for.
func (s *Store) endOffers(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `
		update transfers set state = 'over', email = '', giver = '', updated_at = now()
		where id in (select id from transfers where state = 'offered' and expires_at <= now() order by expires_at limit $1)`, forgetMost)
	if err != nil {
		return away("ending", "offers of tickets", err)
	}
	return nil
}

// Gift is a ticket that an account has got from somebody.
type Gift struct {
	ID          string // of the transfer
	Ticket      string
	Performance ropeline.PerformanceID
	Event       string
	Venue       string
	Zone        string // of the venue
	Label       string
	Starts, At  time.Time
	Good        bool // it is valid, and still theirs
}

// Got lists the tickets that an account has got from others, the newest first.
func (s *Store) Got(ctx context.Context, person string, most int) ([]Gift, error) {
	rows, err := s.db.Query(ctx, `
		select x.id, x.ticket_id, x.performance_id, e.title, v.name, v.time_zone, k.label, p.starts_at, x.updated_at, k.state = 'valid' and k.holder = x.id
		from transfers x join tickets k on k.performance_id = x.performance_id and k.id = x.ticket_id join performances p on p.id = x.performance_id
			join events e on e.id = p.event_id join venues v on v.id = p.venue_id
		where x.person_id = $1 and x.state = 'accepted' order by x.id desc limit $2`, person, most)
	if err != nil {
		return nil, away("listing tickets that were given to", person, err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (g Gift, err error) {
		err = r.Scan(&g.ID, &g.Ticket, &g.Performance, &g.Event, &g.Venue, &g.Zone, &g.Label, &g.Starts, &g.At, &g.Good)
		g.Starts, g.At = g.Starts.UTC(), g.At.UTC()
		return g, err
	})
	if err != nil {
		return nil, away("listing tickets that were given to", person, err)
	}
	return all, nil
}
