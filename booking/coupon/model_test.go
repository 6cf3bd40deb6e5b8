package coupon_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
)

// model is the twin: who has which copy, said with maps. Each step is done by
// several people at once, and what they came to must be what some order of them
// would have come to.
type model struct {
	*rig
	coupon coupon.Coupon
	people []string        // bags
	had    map[string]int  // copies that a bag has got
	copies map[int]*twin   // by number
	free   int             // published ones
	ended  map[string]bool // holds that are over
	over   bool            // withdrawn
}

type twin struct {
	state coupon.State
	bag   string
	code  string
	hold  hold.Hold
	ends  time.Time
}

func TestCouponsBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	shared := open(t)
	rapid.Check(t, func(t *rapid.T) {
		later := hold.NewAt(shared.rdb, func() time.Time { return shared.now().Add(1000 * time.Hour) })
		if _, err := later.Sweep(context.Background(), shared.show, 100); err != nil { // what the last one held
			t.Fatal(err)
		}
		m := &model{rig: shared.own(t), had: map[string]int{}, copies: map[int]*twin{}, ended: map[string]bool{}}
		m.coupon = m.published(func(terms *coupon.Terms) {
			terms.Shareable = true
			terms.Stock = rapid.IntRange(1, 6).Draw(t, "stock")
			terms.PerPerson = rapid.IntRange(1, 3).Draw(t, "per person")
			terms.UseWithin = 3600
		})
		m.free = m.coupon.Stock
		for range 4 {
			m.people = append(m.people, uuid.NewString())
		}
		t.Repeat(map[string]func(*rapid.T){
			"claim": m.claims, "take": m.takes, "reserve": m.reserves, "redeem": m.redeems, "spend": m.spends,
			"take off": m.takesOff, "wait": m.waits, "withdraw": m.withdraws, "": m.check,
		})
	})
}

// together does things at once and returns what each came to.
func together[T any](n int, do func(i int) (T, error)) ([]T, []error) {
	got, errs := make([]T, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { got[i], errs[i] = do(i) })
	}
	all.Wait()
	return got, errs
}

// current moves the twins along with the clock.
func (m *model) current() {
	for _, k := range m.copies {
		if (k.state == coupon.Claimed || k.state == coupon.Reserved) && !k.ends.After(m.now()) {
			k.state = coupon.Expired
		}
	}
}

func (m *model) anyOf(t *rapid.T, states ...coupon.State) (int, *twin) {
	m.current()
	var numbers []int
	for n := 1; n <= m.coupon.Stock; n++ {
		if k := m.copies[n]; k != nil {
			for _, s := range states {
				if k.state == s {
					numbers = append(numbers, n)
				}
			}
		}
	}
	if len(numbers) == 0 {
		t.Skip("there is none")
	}
	n := rapid.SampledFrom(numbers).Draw(t, "copy")
	return n, m.copies[n]
}

// claims: several tabs of several people want a copy at once. Nobody gets more
// than they may, and not one stays that somebody wants.
func (m *model) claims(t *rapid.T) {
	n := rapid.IntRange(1, 8).Draw(t, "tabs")
	who := make([]string, n)
	wish := map[string]int{}
	for i := range who {
		who[i] = rapid.SampledFrom(m.people).Draw(t, "person")
		wish[who[i]]++
	}
	got, errs := together(n, func(i int) (coupon.Copy, error) {
		k, _, err := m.Claim(context.Background(), m.coupon.ID, who[i], uuid.NewString())
		return k, err
	})
	brought, most := map[string]int{}, 0
	for _, person := range m.people {
		most += min(wish[person], m.coupon.PerPerson-m.had[person])
	}
	for i, err := range errs {
		switch {
		case err == nil:
			k := got[i]
			if m.over || m.copies[k.Number] != nil || k.State != coupon.Claimed {
				t.Fatalf("claimed %+v, which is not free", k)
			}
			m.copies[k.Number] = &twin{state: coupon.Claimed, bag: who[i], code: k.Code, ends: m.now().Add(time.Hour)}
			brought[who[i]]++
		case m.over:
			same(t, err, coupon.ErrWithdrawn)
		case !errors.Is(err, coupon.ErrLimit) && !errors.Is(err, coupon.ErrNone):
			t.Fatal(err)
		}
	}
	total := 0
	for person, n := range brought {
		if m.had[person] += n; m.had[person] > m.coupon.PerPerson {
			t.Fatalf("%d copies for one person", m.had[person])
		}
		total += n
	}
	// A tab that waits for another of the same person takes no copy meanwhile.
	if want := min(most, m.free); !m.over && total != want {
		t.Fatalf("%d were claimed, want %d of %d", total, want, m.free)
	}
	m.free -= total
}

// takes: several people take one copy with its code at once; one has it.
func (m *model) takes(t *rapid.T) {
	number, k := m.anyOf(t, coupon.Claimed, coupon.Reserved, coupon.Redeemed, coupon.Expired, coupon.Withdrawn)
	n := rapid.IntRange(1, 3).Draw(t, "takers")
	code := k.code
	var who []string
	for range n {
		who = append(who, rapid.SampledFrom(m.people).Draw(t, "person"))
	}
	was := *k
	got, errs := together(n, func(i int) (coupon.Copy, error) {
		return m.Take(context.Background(), who[i], uuid.NewString(), code)
	})
	moved := 0
	for i, err := range errs {
		switch {
		case err == nil && who[i] == was.bag && (got[i].Code == code || was.state != coupon.Claimed): // one's own
		case err == nil:
			if was.state != coupon.Claimed || m.had[who[i]] >= m.coupon.PerPerson || got[i].Number != number {
				t.Fatalf("took %+v from %+v", got[i], was)
			}
			moved++
			m.had[who[i]]++
			k.bag, k.code = who[i], got[i].Code
		}
	}
	could := false
	for _, person := range who {
		could = could || was.state == coupon.Claimed && person != was.bag && m.had[person] < m.coupon.PerPerson
	}
	if moved > 1 || moved == 0 && could {
		t.Fatalf("%d have the one copy, of %d: %v", moved, n, errs)
	}
}

// reserves: one copy for several holds at once; one hold has it.
func (m *model) reserves(t *rapid.T) {
	_, k := m.anyOf(t, coupon.Claimed, coupon.Reserved, coupon.Redeemed, coupon.Expired, coupon.Withdrawn)
	n := rapid.IntRange(1, 3).Draw(t, "holds")
	holds := make([]hold.Hold, n)
	for i := range holds {
		holds[i] = m.hold(1)
	}
	free := k.state == coupon.Claimed || k.state == coupon.Reserved && m.gone(k.hold)
	_, errs := together(n, func(i int) (coupon.Copy, error) {
		return m.Reserve(context.Background(), "", k.code, holds[i], m.total(holds[i]))
	})
	got := 0
	for i, err := range errs {
		if err == nil {
			got++
			k.state, k.hold = coupon.Reserved, holds[i]
			continue
		}
		if !free {
			same(t, err, map[coupon.State]error{coupon.Reserved: coupon.ErrReserved, coupon.Redeemed: coupon.ErrUsed,
				coupon.Expired: coupon.ErrExpired, coupon.Withdrawn: coupon.ErrWithdrawn}[k.state])
		} else {
			same(t, err, coupon.ErrReserved)
		}
		m.release(holds[i])
	}
	if free && got != 1 || !free && got != 0 {
		t.Fatalf("%d holds have the one copy (free %v): %v", got, free, errs)
	}
}

func (m *model) release(h hold.Hold) {
	m.must(m.holds.Release(context.Background(), h.Performance, h.ID, h.Session))
	m.ended[h.ID] = true
}

func (m *model) gone(h hold.Hold) bool { return m.ended[h.ID] || !h.Expires.After(m.now()) }

// redeems: an order is written twice at once; it uses the copy once, or not at
// all if the hold has lost it. Then, it may be, the order is canceled.
func (m *model) redeems(t *rapid.T) {
	number, k := m.anyOf(t, coupon.Reserved, coupon.Expired, coupon.Withdrawn)
	if k.hold.ID == "" {
		t.Skip("it was never for an order")
	}
	good := k.state == coupon.Reserved
	_, errs := together(2, func(int) (bool, error) {
		return true, pgx.BeginFunc(context.Background(), m.db, func(tx pgx.Tx) error {
			return m.Redeem(context.Background(), tx, m.show, k.hold.ID, uuid.NewString(), booking.Money{Amount: 100, Currency: m.coupon.Currency})
		})
	})
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		}
	}
	if good && done != 1 || !good && done != 0 {
		t.Fatalf("copy %d (%s) was redeemed %d times: %v", number, k.state, done, errs)
	}
	if good {
		k.state = coupon.Redeemed
		m.release(k.hold)
	}
}

// spends: a till and another till use one copy at once.
func (m *model) spends(t *rapid.T) {
	_, k := m.anyOf(t, coupon.Claimed, coupon.Reserved, coupon.Redeemed, coupon.Expired, coupon.Withdrawn)
	_, errs := together(2, func(i int) (coupon.Lowered, error) {
		return m.Spend(context.Background(), m.shop, m.shop, fmt.Sprint("till-", uuid.NewString()), k.code, booking.Money{Amount: 1000, Currency: m.coupon.Currency})
	})
	used := 0
	for _, err := range errs {
		if err == nil {
			used++
		}
	}
	if want := map[bool]int{true: 1}[k.state == coupon.Claimed]; used != want {
		t.Fatalf("a %s copy was used %d times: %v", k.state, used, errs)
	}
	if used == 1 {
		k.state = coupon.Redeemed
	}
}

func (m *model) takesOff(t *rapid.T) {
	_, k := m.anyOf(t, coupon.Reserved)
	m.must(m.TakeOff(context.Background(), k.hold))
	k.state = coupon.Claimed
	m.release(k.hold)
}

// waits: the clock goes on, and it may be that somebody sweeps.
func (m *model) waits(t *rapid.T) {
	m.pass(time.Duration(rapid.IntRange(1, 20).Draw(t, "minutes")) * time.Minute)
	_, err := m.holds.Sweep(context.Background(), m.show, 100)
	m.must(err)
	m.current()
	if !rapid.Bool().Draw(t, "sweep") {
		return
	}
	_, err = m.Lapse(context.Background())
	m.must(err)
	_, err = m.Expire(context.Background())
	m.must(err)
	for _, k := range m.copies {
		if k.state == coupon.Reserved && m.gone(k.hold) {
			k.state = coupon.Claimed
		}
	}
}

func (m *model) withdraws(t *rapid.T) {
	if m.over || rapid.IntRange(0, 9).Draw(t, "seldom") > 0 {
		t.Skip("not now")
	}
	_, err := m.Withdraw(context.Background(), m.shop, m.coupon.ID, m.shop, "a mistake")
	m.must(err)
	m.over = true
	for _, k := range m.copies {
		if k.state == coupon.Claimed || k.state == coupon.Reserved {
			k.state = coupon.Withdrawn
		}
	}
}

// check compares every copy: as its bag shows it, and by the lengths of queues.
func (m *model) check(t *rapid.T) {
	m.current()
	for number, k := range m.copies {
		got, err := m.Copy(context.Background(), k.bag, m.coupon.ID, number)
		if err != nil || got.State != k.state {
			t.Fatalf("copy %d is %s, want %s (%v)", number, got.State, k.state, err)
		}
		if usable := k.state == coupon.Claimed || k.state == coupon.Reserved; usable != (got.Code == k.code) {
			t.Fatalf("a %s copy shows the code %q, want %q", k.state, got.Code, k.code)
		}
	}
	report, err := m.Report(context.Background(), m.shop, m.coupon.ID)
	m.must(err)
	sum := 0
	for _, n := range report.Queues {
		sum += n
	}
	if waiting := report.Queues[coupon.Published] + report.Queues[coupon.Withdrawn]; sum != m.coupon.Stock || !m.over && waiting != m.free {
		t.Fatalf("queues %v, want %d free of %d", report.Queues, m.free, m.coupon.Stock)
	}
}

func same(t *rapid.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// Whatever the total, a discount is what arithmetic without bounds comes to:
// rounded down, within its bound and the total, and never nothing.
func TestDiscountsAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			discounted(t)
		}
	})
}

func discounted(t *rapid.T) {
	terms := coupon.Terms{Currency: "EUR", MinSpend: rapid.Int64Range(0, coupon.MaxAmount).Draw(t, "minimum")}
	if rapid.Bool().Draw(t, "percent") {
		terms.Percent = rapid.Int64Range(1, 100).Draw(t, "percent off")
	} else {
		terms.Amount = rapid.Int64Range(1, coupon.MaxAmount).Draw(t, "amount off")
	}
	bound := int64(coupon.MaxAmount)
	if rapid.Bool().Draw(t, "bounded") {
		terms.AtMost = rapid.Int64Range(1, coupon.MaxAmount).Draw(t, "at most")
		bound = terms.AtMost
	}
	total := rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, 1<<63-1)).Draw(t, "total")
	want := big.NewInt(terms.Amount)
	if terms.Percent > 0 {
		want = new(big.Int).Mul(big.NewInt(total), big.NewInt(terms.Percent))
		want.Div(want, big.NewInt(100))
	}
	for _, most := range []int64{bound, total} {
		if want.Cmp(big.NewInt(most)) > 0 {
			want = big.NewInt(most)
		}
	}
	got, err := terms.Discount(booking.Money{Amount: total, Currency: "EUR"})
	if total < terms.MinSpend || want.Sign() == 0 {
		same(t, err, coupon.ErrMinimum)
		return
	}
	if err != nil || big.NewInt(got.Amount).Cmp(want) != 0 || got.Currency != "EUR" {
		t.Fatalf("%+v off %d is %+v, %v; want %v", terms, total, got, err, want)
	}
	if _, err := terms.Discount(booking.Money{Amount: total, Currency: "USD"}); !errors.Is(err, coupon.ErrElsewhere) {
		t.Fatalf("another currency: %v", err)
	}
	if _, err := terms.Discount(booking.Money{Amount: -1 - total, Currency: "EUR"}); !errors.Is(err, coupon.ErrInvalid) {
		t.Fatalf("less than nothing: %v", err)
	}
}
