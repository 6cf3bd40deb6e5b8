package abuse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Payment is what somebody wants to pay.
type Payment struct {
	Who
	Hold    string // what it is for; empty: what it is for may be paid many times at once
	Request string // what asks for it: one of the same name is the same payment, of which at most one is made
	Method  string // the provider's token, never a card number
	Amount  booking.Money
	Tickets int
}

// Ending is what came of a payment.
type Ending int

// The endings. Undone: the provider was never asked. Failed: nothing came of it, and
// it was nobody's card's fault. Waiting: for its fan at the bank, so it is as good as paid,
// but another payment for its hold may begin instead.
const (
	Undone Ending = iota
	Failed
	Declined
	Waiting
	Paid
)

// Trial is a payment that may be made. A nil one is watched by nobody.
type Trial struct {
	guard   *Guard
	payment Payment
	card    Subject   // its name is empty while it is not known
	taken   []counter // what it was counted for
	begun   bool      // it keeps others for its hold from beginning
	again   bool      // the same request has begun before, and is what is counted
}

// Again reports whether the same request has begun before, so that it may have been made by
// now, or be about to be.
func (t *Trial) Again() bool { return t != nil && t.again }

// ErrBegun says that another payment for the same hold was begun a moment ago, in another
// tab it may be. This one is not counted.
var ErrBegun = errors.New("a payment for this hold has begun")

const (
	// begunLife is how long a payment keeps others for its hold from beginning, unless
	// nothing comes of it before. From then on the attempt that is written keeps them. If a
	// core dies in between, the same request begins at once, and any other that was told to
	// come again in two seconds finds it over.
	begunLife = 2 * time.Second
	// knownLife is how long a request is known again: longer than any lives.
	knownLife = time.Minute
	// methodLife is how long we know which card a token of the provider's stands for.
	methodLife = 24 * time.Hour
	// cardsLife is how long a place's cards are counted.
	cardsLife = 24 * time.Hour
)

// Begin asks for a payment, before the provider is. It fails with a problem that says
// why it may not be made and when it may, with ErrBegun, or with ropeline.ErrStoreAway:
// what cannot be counted is not paid.
func (g *Guard) Begin(ctx context.Context, p Payment) (*Trial, error) {
	t, who := &Trial{guard: g, payment: p}, g.counted(p.Who)
	if err := g.may(ctx, Payments, who); err != nil {
		return nil, err
	}
	c := t.count(who, p.Method, p.Hold)
	refused := c.read(try.Run(ctx, g.rdb, c.keys, c.args...))
	if t.card.Name != "" { // only now it is known which one it is
		if err := g.may(ctx, Payments, []Subject{t.card}); err != nil {
			t.End(ctx, Undone)
			return nil, err
		}
	}
	if refused != nil {
		return nil, refused
	}
	return t, nil
}

// Resume is a payment that was begun before, to tell how it ended.
func (g *Guard) Resume(ctx context.Context, p Payment) (*Trial, error) {
	t, err := g.trial(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, s := range t.subjects() {
		t.taken = append(t.taken, t.counters(s)...)
	}
	return t, nil
}

func (g *Guard) trial(ctx context.Context, p Payment) (*Trial, error) {
	t := &Trial{guard: g, payment: p}
	if p.Method == "" {
		return t, nil
	}
	card, err := g.rdb.Get(ctx, g.methodKey(p.Method)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, away("looking up the card of a payment", err)
	}
	if card != "" {
		t.card = Subject{Card, card}
	}
	return t, nil
}

// subjects are those for which it is counted.
func (t *Trial) subjects() []Subject {
	subjects := t.guard.counted(t.payment.Who)
	if t.card.Name != "" {
		subjects = append(subjects, t.card)
	}
	return subjects
}

func begunKey(hold string) string { return prefix + "begun:" + hold }

func (g *Guard) methodKey(method string) string {
	return prefix + "method:" + g.keys.name("method", method)
}

// Card says which card it turned out to be, once the amount is reserved and before it
// is taken: only the provider knows a card, and so the first time that it sees a
// token it has to be asked first. It fails as Begin does.
func (t *Trial) Card(ctx context.Context, fingerprint string) error {
	if t == nil {
		return nil
	}
	g, card := t.guard, t.guard.card(t.payment, fingerprint)
	if card.Name == "" || card == t.card {
		return nil
	}
	t.card = card
	refused := g.may(ctx, Payments, []Subject{card})
	c, key := t.count([]Subject{card}, "", ""), prefix+"cards:"+string(t.payment.Place)
	var fresh, cards *redis.IntCmd
	var counted *redis.Cmd
	_, _ = g.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each has its own error
		p.Set(ctx, g.methodKey(t.payment.Method), card.Name, methodLife)
		fresh = p.SAdd(ctx, key, card.Name)
		cards = p.SCard(ctx, key)
		p.Expire(ctx, key, cardsLife)
		if refused == nil {
			counted = try.EvalSha(ctx, p, c.keys, c.args...)
		}
		return nil
	})
	if err := errors.Join(fresh.Err(), cards.Err()); err != nil {
		return away("noting the card of a payment", err)
	}
	if fresh.Val() == 1 && cards.Val() > int64(g.policy.Points.Cards) {
		g.add(Payments, g.counted(t.payment.Who), g.policy.Points.Card)
	}
	if refused != nil {
		return refused
	}
	if redis.HasErrorPrefix(counted.Err(), "NOSCRIPT") { // a Redis that has just started
		counted = try.Eval(ctx, g.rdb, c.keys, c.args...)
	}
	return c.read(counted)
}

// card is the one that was paid with. The sandbox calls a card by its token: that is
// everybody's, and nobody's.
func (g *Guard) card(p Payment, fingerprint string) Subject {
	if fingerprint == "" || fingerprint == p.Method {
		return Subject{}
	}
	return g.keys.Card(fingerprint)
}

// Allowance is how many tickets of a sale a card may pay for. Who writes orders counts
// them and has the last word: what Redis counts is forgotten with it.
type Allowance struct {
	Card string        // its name in this sale and no other; empty: it is not known, or nothing is bought with it
	Most int64         // 0: any number
	For  time.Duration // how long a ticket counts
}

// Limits reports whether there is something to count.
func (a Allowance) Limits() bool { return a.Card != "" && a.Most > 0 }

// Allowance is that of the payment's card, as far as it is known by now.
func (t *Trial) Allowance() Allowance {
	if t == nil {
		return Allowance{}
	}
	return t.guard.allowance(t.payment, t.card)
}

// Allowance is that of a payment's card that was not known before its fan had been
// at the bank.
func (g *Guard) Allowance(p Payment, fingerprint string) Allowance {
	return g.allowance(p, g.card(p, fingerprint))
}

func (g *Guard) allowance(p Payment, card Subject) Allowance {
	if card.Name == "" || p.Tickets == 0 {
		return Allowance{}
	}
	l := g.policy.Limits
	return Allowance{g.keys.name("card of a sale", string(p.Sale)+"\x00"+card.Name), l.CardTickets, l.TicketsIn.Duration()}
}

// counter is one of the limits.
type counter struct {
	key     string
	by, max int64
	within  time.Duration
	tickets bool
	refusal *ropeline.Error
}

// counters are those of a subject.
func (t *Trial) counters(s Subject) []counter {
	l, sale, n := t.guard.policy.Limits, string(t.payment.Sale), int64(t.payment.Tickets)
	attempts := func(most int64, refusal *ropeline.Error) counter {
		return counter{prefix + "attempts:" + string(s.Kind) + ":" + s.Name, 1, most, l.AttemptsIn.Duration(), false, refusal}
	}
	tickets := func(most int64, refusal *ropeline.Error) counter {
		return counter{prefix + "tickets:" + string(s.Kind) + ":" + s.Name + ":" + sale, n, most, l.TicketsIn.Duration(), true, refusal}
	}
	var all []counter
	switch s.Kind {
	case Place:
		all = []counter{attempts(l.PlaceAttempts, ErrSlowedPayments)}
	case Address:
		all = []counter{attempts(l.AddressAttempts, ErrSlowedNetwork), tickets(l.AddressTickets, ErrNetworkLimit)}
	case Card:
		all = []counter{attempts(l.CardAttempts, ErrSlowedCard)} // of its tickets, see Allowance
	}
	kept := all[:0]
	for _, c := range all {
		if c.max > 0 {
			kept = append(kept, c)
		}
	}
	return kept
}

// count is a call of try.lua, which counts a payment of some subjects, all or nothing.
type count struct {
	trial    *Trial
	keys     []string
	args     []any
	subjects []Subject // of the keys that come first
	limits   []counter // of those behind them
	alone    bool      // no other payment for its hold may begin beside it
}

// count is of these subjects and, if there is a method, of the card that it is known to
// stand for: the trial learns which one that is. Of those that begin at once for a hold, if
// there is one, it counts one.
func (t *Trial) count(subjects []Subject, method, hold string) *count {
	g := t.guard
	c := &count{trial: t, subjects: subjects, alone: hold != ""}
	var alone time.Duration
	if c.alone {
		alone = begunLife
	}
	for _, s := range subjects {
		c.keys = append(c.keys, mark{Payments, s}.key())
		c.limits = append(c.limits, t.counters(s)...)
	}
	c.args = []any{g.clock(), len(subjects), len(c.limits), alone.Milliseconds(), t.payment.Request, knownLife.Milliseconds()}
	for _, l := range c.limits {
		c.keys, c.args = append(c.keys, l.key), append(c.args, l.by, l.max, l.within.Milliseconds())
	}
	if c.alone {
		c.keys = append(c.keys, begunKey(hold))
	}
	if method == "" {
		return c
	}
	nameless := Subject{Kind: Card}
	c.keys, c.args = append(c.keys, g.methodKey(method)), append(c.args, mark{Payments, nameless}.key())
	for _, l := range t.counters(nameless) {
		c.args = append(c.args, l.key, l.by, l.max, l.within.Milliseconds())
	}
	return c
}

// What the script says instead of who refuses.
const (
	another = -1 // another request for the hold has begun
	again   = -2 // the same one has
)

// read reads what the script says.
func (c *count) read(said *redis.Cmd) error {
	t := c.trial
	answer, err := said.Slice()
	if err != nil {
		return away("counting a payment", err)
	}
	var which, left int64
	var card string
	if len(answer) == 3 {
		which, _ = answer[0].(int64)
		left, _ = answer[1].(int64)
		card, _ = answer[2].(string)
	}
	if card != "" {
		t.card = Subject{Card, card}
		c.subjects = append(c.subjects, t.card)
		c.limits = append(c.limits, t.counters(t.card)...)
	}
	switch {
	case len(answer) != 3 || which < again || int(which) > len(c.subjects)+len(c.limits):
		return fmt.Errorf("counting a payment: the script answered %v", answer)
	case which == another:
		return ErrBegun
	case which <= 0:
		t.taken, t.begun, t.again = append(t.taken, c.limits...), t.begun || c.alone, t.again || which == again
		return nil
	}
	wait, i := time.Duration(left)*time.Millisecond, int(which)-1
	if i < len(c.subjects) {
		m := mark{Payments, c.subjects[i]}
		t.guard.remember(m, wait)
		return slowed(m, wait)
	}
	return limited(c.limits[i-len(c.subjects)], wait)
}

// End tells what came of the payment. It does what it can, whether or not the request
// is still there: what cannot be counted is forgotten.
func (t *Trial) End(ctx context.Context, how Ending) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := t.end(ctx, how); err != nil {
		t.guard.metrics.uncounted.Inc()
		t.guard.log.Warn("abuse: what came of a payment is not counted", "err", err)
	}
}

func (t *Trial) end(ctx context.Context, how Ending) error {
	g, p := t.guard, t.guard.policy.Points
	if how == Paid || how == Waiting {
		g.add(Holds, g.counted(t.payment.Who), -p.Hold)
	}
	switch {
	case how == Paid, how == Waiting && t.payment.Hold == "":
		return nil
	case how == Waiting:
		return wrap("letting another payment begin", g.rdb.Del(ctx, begunKey(t.payment.Hold)).Err())
	}
	err := t.giveBack(ctx, how)
	if how != Declined {
		return err
	}
	points := p.Declined
	if t.payment.Amount.Amount <= p.SmallAmount {
		points += p.Small
	}
	var marks []point
	for _, s := range t.subjects() {
		if g.policy.Payments.of(s.Kind).Slow > 0 && points > 0 {
			marks = append(marks, point{mark{Payments, s}, points})
		}
	}
	return errors.Join(err, g.score(ctx, marks))
}

// giveBack takes back what a payment was counted for: the tickets that were not
// bought, and the attempt too if the provider was not asked. Another payment for its hold
// may begin.
func (t *Trial) giveBack(ctx context.Context, how Ending) error {
	if len(t.taken) == 0 && !t.begun {
		return nil
	}
	request, made := "", how != Undone
	if t.begun {
		request = t.payment.Request
	}
	keys, args := []string{begunKey(t.payment.Hold)}, []any{request, made}
	for _, c := range t.taken {
		if c.tickets || !made {
			keys, args = append(keys, c.key), append(args, c.by, c.within.Milliseconds())
		}
	}
	return wrap("giving back what a payment was counted for", untry.Run(ctx, t.guard.rdb, keys, args...).Err())
}
