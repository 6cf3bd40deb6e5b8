package abuse

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// TestMain lets the model be tried 20 times, which takes two seconds. More is a flag
// away.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "20"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	devtest.Main(m)
}

// rig is a guard on real servers with a clock of its own.
type rig struct {
	*Guard
	t     testing.TB
	db    *pgxpool.Pool
	redis redis.UniversalClient
	clock *clockwork
}

type clockwork struct {
	mu sync.Mutex
	at time.Time
}

func (c *clockwork) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clockwork) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// small is a policy under which little is much.
func small() Policy {
	return Policy{
		Holds: Ladders{HalfLife: 600,
			Place:   Ladder{Slow: 3, FirstWait: 10, LongestWait: 40, Waits: 3, Forgive: 600, Block: 900},
			Address: Ladder{Slow: 20, FirstWait: 2, LongestWait: 4, Waits: 30, Forgive: 60, Block: 300}},
		Payments: Ladders{HalfLife: 1200,
			Place:   Ladder{Slow: 2, FirstWait: 20, LongestWait: 100, Waits: 2, Forgive: 1200, Block: 3600},
			Address: Ladder{Slow: 15, FirstWait: 2, LongestWait: 8, Waits: 20, Forgive: 60, Block: 300},
			Card:    Ladder{Slow: 2, FirstWait: 30, LongestWait: 60, Waits: 1, Forgive: 600, Block: 1800}},
		Points: Points{Hold: 1, Declined: 1, Small: 1, SmallAmount: 300, Card: 1, Cards: 2},
		Limits: Limits{AttemptsIn: 3600, TicketsIn: 86400},
		Keep:   3600,
	}
}

func open(t testing.TB, p Policy) *rig {
	t.Helper()
	if err := p.validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: devtest.Postgres(t), redis: devtest.PrivateRedis(t).Client, clock: &clockwork{at: time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)}}
	r.Guard = r.guard(p)
	return r
}

// guard is another core on the same servers.
func (r *rig) guard(p Policy) *Guard {
	return New(Config{Postgres: r.db, Redis: r.redis, Policy: p, Keys: make(Keys, 32), Log: slog.New(slog.DiscardHandler), Now: r.clock.now})
}

// who is somebody at an address, "" for none that is known.
func who(n int, address string) Who {
	a, _ := netip.ParseAddr(address)
	return Who{Sale: "gala", Place: ropeline.PlaceID(fmt.Sprintf("%022d", n)), Address: a}
}

func payment(w Who, method string, amount int64) Payment {
	return Payment{Who: w, Method: method, Amount: booking.Money{Amount: amount, Currency: "EUR"}, Tickets: 2}
}

// held makes holds that are not bought.
func (r *rig) held(w Who, n int) {
	r.t.Helper()
	for range n {
		r.heldBy(w)
	}
	if err := r.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// declined pays with a card that is declined.
func (r *rig) declined(w Who, method, card string, amount int64) error {
	r.t.Helper()
	trial, err := r.Begin(r.t.Context(), payment(w, method, amount))
	if err != nil {
		return err
	}
	_ = trial.Card(r.t.Context(), card) // it is declined anyway
	trial.End(r.t.Context(), Declined)
	return nil
}

// refused checks for an error of a code, and how long it says to wait.
func refused(t testing.TB, err error, want *ropeline.Error, wait time.Duration) *ropeline.Error {
	t.Helper()
	e, ok := errors.AsType[*ropeline.Error](err)
	if !ok || !errors.Is(err, want) || wait >= 0 && e.RetryAfter.Round(time.Second) != wait {
		t.Fatalf("answered %v (%+v), want %s after %s", err, e, want.Code, wait)
	}
	return e
}

// mayHold asks and takes nothing.
func (g *Guard) mayHold(ctx context.Context, w Who) error {
	_, err := g.Hold(ctx, w)
	return err
}

// heldBy counts a hold, whoever may make one.
func (g *Guard) heldBy(w Who) { g.add(Holds, g.counted(w), g.policy.Points.Hold) }

func (r *rig) may(w Who) {
	r.t.Helper()
	if err := r.mayHold(r.t.Context(), w); err != nil {
		r.t.Fatalf("may not hold: %v", err)
	}
}

// Waits double, are forgiven, and end in a block; who buys has lost nothing.
func TestWhoTakesPlacesAndNeverBuysWaitsLongerEachTimeAndIsBlockedThen(t *testing.T) {
	t.Parallel()
	r, w := open(t, small()), who(1, "")
	r.held(w, 2)
	r.may(w)
	wait := 10 * time.Second
	for range 3 {
		r.held(w, 2)
		refused(t, r.mayHold(t.Context(), w), ErrSlowedHolds, wait)
		r.clock.pass(wait - time.Millisecond)
		refused(t, r.mayHold(t.Context(), w), ErrSlowedHolds, time.Second)
		r.clock.pass(time.Millisecond)
		r.may(w)
		wait *= 2
	}
	r.held(w, 2)
	e := refused(t, r.mayHold(t.Context(), w), ErrBlockedHolds, 900*time.Second)
	if !booking.IsID(e.Reference) {
		t.Errorf("the block has no reference: %+v", e)
	}
	if _, err := r.Begin(t.Context(), payment(w, "pm_1", 4500)); err != nil {
		t.Errorf("who is blocked for holds may not pay for what they hold: %v", err)
	}
	other := r.guard(small())
	if err := other.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, other.mayHold(t.Context(), w), ErrBlockedHolds, 900*time.Second)
	r.may(who(2, ""))
	r.clock.pass(900 * time.Second)
	r.may(w)
}

func TestABoughtHoldCostsNothing(t *testing.T) {
	t.Parallel()
	r, w := open(t, small()), who(1, "203.0.113.7")
	for range 12 {
		r.held(w, 1)
		r.may(w)
		trial, err := r.Begin(t.Context(), payment(w, "pm_1", 4500))
		if err != nil {
			t.Fatal(err)
		}
		trial.End(t.Context(), Paid)
	}
	r.held(w, 0)
	if s, err := r.count(t.Context(), []point{{mark{Holds, Subject{Place, string(w.Place)}}, 0}}); err != nil || s[0].Score != 0 {
		t.Errorf("a buyer of twelve has %+v, %v", s, err)
	}
}

// A person who shares an address with somebody who is blocked is not slowed down before
// very much has come from it, then waits for seconds, and is blocked only after
// that has gone on for long.
func TestAnAddressIsSharedSoItsLadderBeginsHigher(t *testing.T) {
	t.Parallel()
	p := small()
	r, bot, neighbor := open(t, p), who(1, "2001:db8:1:2::bad"), who(2, "2001:db8:1:2::c0de")
	for range 4 {
		r.held(bot, 3)
		r.clock.pass(40 * time.Second)
	}
	refused(t, r.mayHold(t.Context(), bot), ErrBlockedHolds, -1)
	r.may(neighbor)
	r.held(who(3, "2001:db8:1:2::bad"), 20)
	refused(t, r.mayHold(t.Context(), neighbor), ErrSlowedNetwork, 2*time.Second)
	r.may(who(4, "2001:db8:1:3::1")) // the next /64
	r.clock.pass(2 * time.Second)
	r.may(neighbor)
	blockedAt := 0
	for i := range 40 {
		r.held(who(100+i, "2001:db8:1:2::bad"), 5)
		r.clock.pass(4 * time.Second)
		if errors.Is(r.mayHold(t.Context(), neighbor), ErrBlockedNetwork) && blockedAt == 0 {
			blockedAt = i
		}
	}
	if blockedAt < p.Holds.Address.Waits-2 {
		t.Errorf("the address was blocked after %d waits, want about %d", blockedAt, p.Holds.Address.Waits)
	}
}

func TestAddressesOfThePolicyAreNotCounted(t *testing.T) {
	t.Parallel()
	p := small()
	p.Uncounted = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	r := open(t, p)
	for i := range 30 {
		r.held(who(i, "::ffff:198.51.100.9"), 1)
	}
	r.may(who(99, "198.51.100.9"))
	for i := range 30 {
		r.held(who(i, "192.0.2.1"), 1)
	}
	refused(t, r.mayHold(t.Context(), who(99, "192.0.2.1")), ErrSlowedNetwork, 2*time.Second)
}

// Whoever tries cards is slowed down before the provider is asked again, whichever card
// comes next; a card that is known is refused to everybody.
func TestWhoTriesCardsIsSlowedDownAndBlocked(t *testing.T) {
	t.Parallel()
	r, w := open(t, small()), who(1, "203.0.113.7")
	for i, wait := range []time.Duration{0, 20 * time.Second, 40 * time.Second} {
		if err := r.declined(w, fmt.Sprint("pm_", i), fmt.Sprint("card", i), 4500); err != nil {
			t.Fatalf("card %d: %v", i, err)
		}
		if wait > 0 {
			refused(t, r.declined(w, "pm_9", "card9", 4500), ErrSlowedPayments, wait)
			r.clock.pass(wait)
		}
	}
	if err := r.declined(w, "pm_3", "card3", 4500); err != nil {
		t.Fatal(err)
	}
	e := refused(t, r.declined(w, "pm_9", "card9", 4500), ErrBlockedPayments, time.Hour)
	refused(t, r.mayHold(t.Context(), w), ErrBlockedPayments, time.Hour)
	if _, err := r.Begin(t.Context(), payment(who(2, "203.0.113.7"), "pm_9", 4500)); err != nil {
		t.Errorf("a neighbor may not pay: %v", err)
	}
	b, history, rungs, err := r.Inspect(t.Context(), e.Reference)
	if err != nil || b.Signal != Payments || b.Kind != Place || b.Subject != string(w.Place) || b.By != byPolicy || len(history) != 1 || history[0].Entry != "blocked" || rungs[1].Waits != 3 {
		t.Errorf("the block is %+v, %+v, %+v, %v", b, history, rungs, err)
	}
}

func TestManyCardsOfOnePlaceAndSmallAmountsCountBesides(t *testing.T) {
	t.Parallel()
	r, w := open(t, small()), who(1, "")
	if err := r.declined(w, "pm_1", "card1", 300); err != nil { // small: two points
		t.Fatal(err)
	}
	refused(t, r.declined(w, "pm_2", "card2", 300), ErrSlowedPayments, 20*time.Second)

	w = who(2, "")
	for i := range 4 { // they all work
		trial, err := r.Begin(t.Context(), payment(w, fmt.Sprint("pm_1", i), 4500))
		if err == nil {
			err = trial.Card(t.Context(), fmt.Sprint("good", i))
		}
		if err != nil {
			t.Fatalf("card %d: %v", i, err)
		}
		trial.End(t.Context(), Paid)
	}
	r.held(w, 0)
	refused(t, r.declined(w, "pm_19", "good9", 4500), ErrSlowedPayments, 20*time.Second)
}

func TestACardThatIsDeclinedIsRefusedToEverybodyWhoBringsIt(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	for i := range 2 {
		if err := r.declined(who(i, ""), fmt.Sprint("pm_", i), "stolen", 4500); err != nil {
			t.Fatal(err)
		}
	}
	// A token that was seen is refused before the provider is asked, a new one of the
	// same card as soon as it says which it is.
	refused(t, r.declined(who(5, ""), "pm_1", "stolen", 4500), ErrSlowedCard, 30*time.Second)
	trial, err := r.Begin(t.Context(), payment(who(6, ""), "pm_6", 4500))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, trial.Card(t.Context(), "stolen"), ErrSlowedCard, 30*time.Second)
	trial.End(t.Context(), Failed)
	r.clock.pass(30 * time.Second)
	if err := r.declined(who(7, ""), "pm_7", "stolen", 4500); err != nil {
		t.Fatal(err)
	}
	e := refused(t, r.declined(who(8, ""), "pm_1", "stolen", 4500), ErrBlockedCard, 1800*time.Second)
	b, _, _, err := r.Inspect(t.Context(), e.Reference)
	if err != nil || b.Kind != Card || b.Subject == "stolen" || len(b.Subject) != 22 {
		t.Errorf("the card is kept as %+v, %v", b, err)
	}
	if err := r.declined(who(8, ""), "pm_8", "another", 4500); err != nil {
		t.Errorf("another card: %v", err)
	}
}

// trips counts the ways to Redis and back.
type trips struct{ atomic.Int64 }

func (n *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (n *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		n.Add(1)
		return next(ctx, cmd)
	}
}

func (n *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		n.Add(1)
		return next(ctx, cmds)
	}
}

// A checkout waits for Redis once before the provider is asked and once after, and not
// again where the card was known; also on a Redis that has forgotten the scripts.
func TestACheckoutGoesToRedisTwice(t *testing.T) {
	t.Parallel()
	p := small()
	p.Limits.CardAttempts, p.Limits.PlaceAttempts = 3, 10
	r := open(t, p)
	if err := r.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n trips
	pay := func(i int, method string) (int64, error) {
		n.Store(0)
		trial, err := r.Begin(t.Context(), payment(who(i, ""), method, 4500))
		if err != nil {
			return n.Load(), err
		}
		return n.Load(), trial.Card(t.Context(), "visa")
	}
	if _, err := pay(1, "pm_1"); err != nil { // scripts come with their text
		t.Fatal(err)
	}
	r.redis.AddHook(&n)
	if begun, err := pay(2, "pm_2"); err != nil || begun != 1 || n.Load() != 2 {
		t.Errorf("a new card: %d ways to begin, %d in all, %v", begun, n.Load(), err)
	}
	if begun, err := pay(2, "pm_2"); err != nil || begun != 1 || n.Load() != 1 {
		t.Errorf("a known card: %d ways to begin, %d in all, %v", begun, n.Load(), err)
	}
	begun, err := pay(3, "pm_1") // the fourth with this card
	refused(t, err, ErrSlowedCard, -1)
	if begun != 1 {
		t.Errorf("a card at its limit: %d ways", begun)
	}
	if tries, err := r.redis.Get(t.Context(), prefix+"attempts:place:"+string(who(3, "").Place)).Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("whose card was refused has %s tries, %v", tries, err)
	}
	trial, err := r.Begin(t.Context(), payment(who(4, ""), "pm_4", 4500))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.redis.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := trial.Card(t.Context(), "mastercard"); err != nil {
		t.Errorf("on a Redis without the script: %v", err)
	}
	if tries, err := r.redis.Get(t.Context(), prefix+"attempts:card:"+r.keys.Card("mastercard").Name).Int(); err != nil || tries != 1 {
		t.Errorf("it has %d tries, %v", tries, err)
	}
	// One that is blocked is found out by the same question, and nothing stays counted.
	r.mu.Lock()
	r.blocks[mark{Payments, r.keys.Card("mastercard")}] = Block{Subject: r.keys.Card("mastercard").Name, Kind: Card, Signal: Payments, Until: r.clock.now().Add(time.Hour)}
	r.mu.Unlock()
	_, err = pay(5, "pm_4")
	refused(t, err, ErrBlockedCard, -1)
	for _, key := range []string{"attempts:place:" + string(who(5, "").Place), "attempts:card:" + r.keys.Card("mastercard").Name} {
		want := 0
		if strings.HasPrefix(key, "attempts:card") {
			want = 1
		}
		if tries, err := r.redis.Get(t.Context(), prefix+key).Int(); err != nil || tries != want {
			t.Errorf("%s: %d tries, %v; want %d", key, tries, err, want)
		}
	}
}

// What the limits count is counted before the provider is asked: many at once are no
// way round, and what was not bought is given back.
func TestLimitsOfCardsAndAddressesHoldForManyAtOnce(t *testing.T) {
	t.Parallel()
	p := small()
	p.Limits = Limits{PlaceAttempts: 3, AddressAttempts: 50, CardAttempts: 4, AttemptsIn: 3600, AddressTickets: 20, TicketsIn: 86400}
	r := open(t, p)
	var mu sync.Mutex
	var all sync.WaitGroup
	var trials []*Trial
	for i := range 40 {
		all.Go(func() {
			trial, err := r.Begin(t.Context(), payment(who(i, "203.0.113.7"), fmt.Sprint("pm_", i), 4500))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				trials = append(trials, trial)
			} else if !errors.Is(err, ErrNetworkLimit) {
				t.Errorf("refused with %v", err)
			}
		})
	}
	all.Wait()
	if len(trials) != 10 {
		t.Fatalf("%d payments of two tickets were let begin, want 10", len(trials))
	}
	for i, trial := range trials {
		if err := trial.Card(t.Context(), "mine"); i < 4 && err != nil || i >= 4 && !errors.Is(err, ErrSlowedCard) {
			t.Errorf("payment %d with one card: %v", i, err)
		}
		trial.End(t.Context(), []Ending{Paid, Failed}[min(i/3, 1)])
	}
	for i := range 10 {
		_, err := r.Begin(t.Context(), payment(who(100+i, "203.0.113.7"), "", 4500))
		if i < 7 && err != nil || i >= 7 && !errors.Is(err, ErrNetworkLimit) {
			t.Errorf("payment %d after seven were given back: %v", i, err)
		}
	}
	for i := range 4 {
		trial, err := r.Begin(t.Context(), payment(who(200, ""), "", 4500))
		if i < 3 && err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			refused(t, err, ErrSlowedPayments, 3600*time.Second)
		}
		trial.End(t.Context(), Failed)
	}
	trial, err := r.Begin(t.Context(), payment(who(201, ""), "", 4500))
	for range 5 { // the provider was never asked
		if err != nil {
			t.Fatal(err)
		}
		trial.End(t.Context(), Undone)
		trial, err = r.Begin(t.Context(), payment(who(201, ""), "", 4500))
	}
}

// An address begins so many payments an hour, whoever shares it and whatever came of them.
func TestAnAddressBeginsSoManyPaymentsAnHour(t *testing.T) {
	t.Parallel()
	p := small()
	p.Limits.AddressAttempts = 5
	r := open(t, p)
	begin := func(n int, address string) error {
		trial, err := r.Begin(t.Context(), payment(who(n, address), "", 4500))
		trial.End(t.Context(), Failed)
		return err
	}
	for i := range 5 {
		if err := begin(i, "203.0.113.7"); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, begin(5, "203.0.113.7"), ErrSlowedNetwork, time.Hour)
	if err := begin(5, "203.0.113.8"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

// asking is a payment for a hold by a request.
func asking(hold, request string) Payment {
	p := payment(who(1, "203.0.113.7"), "", 4500)
	p.Hold, p.Request = hold, request
	return p
}

// Of many that begin at once for one hold, at two cores, one does, and the others are not
// counted. It keeps them for a moment, whatever becomes of it, or until nothing has.
func TestOfManyPaymentsForAHoldOneBegins(t *testing.T) {
	t.Parallel()
	p := small()
	p.Limits.PlaceAttempts = 3
	r := open(t, p)
	cores := []*Guard{r.Guard, r.guard(p)}
	var mu sync.Mutex
	var all sync.WaitGroup
	var trials []*Trial
	for i := range 40 {
		all.Go(func() {
			trial, err := cores[i%2].Begin(t.Context(), asking("one", fmt.Sprint("tab ", i)))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				trials = append(trials, trial)
			} else if !errors.Is(err, ErrBegun) {
				t.Errorf("refused with %v", err)
			}
		})
	}
	all.Wait()
	if len(trials) != 1 {
		t.Fatalf("%d payments began, want 1", len(trials))
	}
	begin := func(hold string) (*Trial, error) { return r.Begin(t.Context(), asking(hold, rand.Text())) }
	if _, err := begin("two"); err != nil {
		t.Errorf("the second of three, for another hold: %v", err)
	}
	trials[0].End(t.Context(), Failed)
	trial, err := begin("one")
	if err != nil {
		t.Fatalf("the third of three, after nothing came of the first: %v", err)
	}
	if _, err := begin("one"); !errors.Is(err, ErrBegun) {
		t.Errorf("beside the last that the limit lets begin: %v", err)
	}
	trial.End(t.Context(), Paid)
	r.clock.pass(begunLife - time.Millisecond)
	if _, err := begin("one"); !errors.Is(err, ErrBegun) {
		t.Errorf("when it was paid a moment ago: %v", err)
	}
	r.clock.pass(time.Millisecond)
	_, err = begin("one")
	refused(t, err, ErrSlowedPayments, 3600*time.Second) // it is the limit by now that keeps it
	if left := r.redis.PTTL(t.Context(), begunKey("one")).Val(); left <= 0 || left > knownLife {
		t.Errorf("its request is known for %s", left)
	}
	trial.End(t.Context(), Waiting) // at the bank, instead
	r.clock.pass(-begunLife)
	_, err = begin("one")
	refused(t, err, ErrSlowedPayments, 3600*time.Second)
}

// A request that comes again begins at once: the core that it came to first may have died. It
// is counted once, and a limit that it fills does not stop it. Another one has its turn a
// moment after the last of them began.
func TestARequestThatComesAgainBeginsAtOnce(t *testing.T) {
	t.Parallel()
	p := small()
	p.Limits.PlaceAttempts, p.Limits.AddressAttempts, p.Limits.AddressTickets = 1, 1, 2
	r := open(t, p)
	begin := func(g *Guard, request string) (*Trial, error) { return g.Begin(t.Context(), asking("one", request)) }
	if trial, err := begin(r.Guard, "mine"); err != nil || trial.Again() { // and its core dies
		t.Fatal(trial.Again(), err)
	}
	r.clock.pass(begunLife - time.Millisecond)
	trial, err := begin(r.guard(p), "mine")
	if err != nil || !trial.Again() {
		t.Fatalf("the same request at another core: again %v, %v", trial.Again(), err)
	}
	r.clock.pass(begunLife - time.Millisecond)
	if _, err := begin(r.Guard, "yours"); !errors.Is(err, ErrBegun) {
		t.Errorf("another request: %v", err)
	}
	r.clock.pass(begunLife)
	_, err = begin(r.Guard, "yours")
	refused(t, err, ErrSlowedPayments, 3600*time.Second)
	trial.End(t.Context(), Failed)
	if n, err := r.redis.Exists(t.Context(), begunKey("one")).Result(); n != 0 || err != nil {
		t.Errorf("nothing came of it, and it keeps others from beginning: %d, %v", n, err)
	}
	if left := r.counts(t, trial.payment); left != [2]int{1, 0} {
		t.Errorf("counted are %v attempts and tickets, want the attempt", left)
	}
}

// counts are the attempts of a payment's place, and the tickets of its address.
func (r *rig) counts(t testing.TB, p Payment) (n [2]int) {
	t.Helper()
	trial := &Trial{guard: r.Guard, payment: p}
	for _, s := range r.Guard.counted(p.Who) {
		for _, c := range trial.counters(s) {
			v, err := r.redis.Get(t.Context(), c.key).Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}
			switch {
			case c.tickets:
				n[1] = v
			case s.Kind == Place:
				n[0] = v
			}
		}
	}
	return n
}

// A card has one name in a sale, whatever token it is paid with, and another one in
// another sale, so that nobody sees that both were bought with it.
func TestACardHasAnAllowanceOfEachSale(t *testing.T) {
	t.Parallel()
	p := small()
	p.Limits.CardTickets = 6
	r := open(t, p)
	name := func(sale ropeline.SaleID, method, fingerprint string) string {
		t.Helper()
		pay := payment(who(1, ""), method, 4500)
		pay.Sale = sale
		trial, err := r.Begin(t.Context(), pay)
		if err == nil {
			err = trial.Card(t.Context(), fingerprint)
		}
		if err != nil {
			t.Fatal(err)
		}
		a := trial.Allowance()
		if later := r.Allowance(pay, fingerprint); later != a {
			t.Errorf("before the bank %+v, after it %+v", a, later)
		}
		if a.Card != "" && (a.Most != 6 || a.For != 24*time.Hour || len(a.Card) != 22 || !a.Limits()) {
			t.Errorf("%+v", a)
		}
		return a.Card
	}
	mine := name("gala", "pm_1", "mine")
	if mine == "" || mine == r.keys.Card("mine").Name || name("gala", "pm_2", "mine") != mine || name("gala", "pm_3", "yours") == mine || name("ball", "pm_1", "mine") == mine {
		t.Error("a card is not known by one name in one sale")
	}
	if name("gala", "sandbox_ok", "sandbox_ok") != "" || name("gala", "pm_9", "") != "" {
		t.Error("what is nobody's card has an allowance")
	}
	exchange := payment(who(1, ""), "pm_1", 4500)
	exchange.Tickets = 0
	trial, err := r.Begin(t.Context(), exchange) // its card is known by its token
	if err != nil || trial.card.Name == "" || trial.Allowance() != (Allowance{}) || (*Trial)(nil).Allowance() != (Allowance{}) {
		t.Errorf("what buys nothing has an allowance, %v", err)
	}
}

// While Redis is away nothing is paid for, and who is blocked stays so.
func TestNothingIsPaidForWhileNobodyCounts(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	g := New(Config{Postgres: devtest.Postgres(t), Redis: server.Client, Policy: small(), Keys: make(Keys, 32), Log: slog.New(slog.DiscardHandler)})
	b, err := g.Block(t.Context(), Wish{Who: "staff:ada", Key: "k", Place: who(1, "").Place, For: 600, Reason: "sold at the door"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, method := range []string{"", "pm_1"} {
		if _, err := g.Begin(ctx, payment(who(2, ""), method, 4500)); !errors.Is(err, ropeline.ErrStoreAway) {
			t.Errorf("a payment without a count: %v", err)
		}
	}
	if e := refused(t, g.mayHold(ctx, who(1, "")), ErrBlockedStaff, -1); e.Reference != b.ID {
		t.Errorf("the reference is %q, not %q", e.Reference, b.ID)
	}
	g.heldBy(who(2, ""))
	if err := g.Flush(ctx); err == nil {
		t.Error("points are counted without Redis")
	}
	if err := g.mayHold(ctx, who(2, "")); err != nil { // package hold refuses it, which needs Redis
		t.Error(err)
	}
}

// Who was never read is not known: before that nobody may anything.
func TestNobodyBuysBeforeBlocksWereRead(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.mayHold(ctx, who(1, "")); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("before blocks were read: %v", err)
	}
	r.may(who(1, ""))
}

// A run has an end, at which what was noted is counted.
func TestRunCountsWhatIsLeft(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for range 3 {
		r.heldBy(who(1, ""))
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	refused(t, r.mayHold(t.Context(), who(1, "")), ErrSlowedHolds, 10*time.Second)
}

// What the guard costs a hold that nobody has anything against, but for the counting,
// which is done together ten times a second.
func BenchmarkHold(b *testing.B) {
	r := open(b, Default())
	if err := r.Read(b.Context()); err != nil {
		b.Fatal(err)
	}
	people := make([]Who, 1000)
	for i := range people {
		people[i] = who(i, fmt.Sprintf("203.0.113.%d", i%250))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		held, err := r.Hold(b.Context(), people[i%1000])
		if err != nil {
			b.Fatal(err)
		}
		held()
	}
}

// And what counting costs, for each subject of those that are counted together.
func BenchmarkFlush(b *testing.B) {
	r := open(b, Default())
	points := make([]point, scoreMost)
	for b.Loop() {
		for i := range points {
			points[i] = point{mark{Holds, Subject{Place, fmt.Sprintf("%022d", i)}}, 1}
		}
		if _, err := r.count(b.Context(), points); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(points)), "ns/subject")
}
