package coupon_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// TestMain lets the model be tried six times, which takes two seconds. More is a
// flag away.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	devtest.Main(m)
}

// rig is a shop with a product whose coupons lower tickets of a show, and one
// whose coupons are for its till, on real servers.
type rig struct {
	*coupon.Store
	t     tester
	db    *pgxpool.Pool
	rdb   redis.UniversalClient
	holds *hold.Store
	show  ropeline.PerformanceID
	shop  string
	other string // another shop
	event string
	tier  catalogue.Tier // 20 places without seats, 40.00 each

	mu sync.Mutex
	at time.Time
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
	Context() context.Context
}

// recorded stands for what Postgres says of the show's units: nothing is sold.
type recorded struct{}

func (recorded) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded{Units: 60}, nil
}

func open(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, db: devtest.Postgres(t), rdb: devtest.Redis(t), at: time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)}
	shows := catalogue.New(r.db, time.Now)
	sale, err := shows.Seed(t.Context(), catalogue.Plan{
		Sale: ropeline.Sale{
			ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala",
			LobbyClosesAt: r.at.Add(-time.Second), OpensAt: r.at, EndsAt: r.at.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
		},
		Venue: "Opera", StartsAt: r.at.Add(time.Hour), Seats: 40, General: 20,
	})
	r.must(err)
	r.show = sale.Performances[0]
	p, err := shows.Performance(t.Context(), r.show)
	r.must(err)
	r.tier = p.Map.Tiers[len(p.Map.Tiers)-1]
	_, err = inventory.New(r.rdb).Rebuild(t.Context(), r.show, recorded{})
	r.must(err)
	r.must(r.db.QueryRow(t.Context(), `select event_id from performances where id = $1`, r.show).Scan(&r.event))
	return r.own(t)
}

// own is a rig for another test on the same servers, with a shop and a clock of
// its own.
func (r *rig) own(t tester) *rig {
	t.Helper()
	mine := &rig{t: t, db: r.db, rdb: r.rdb, show: r.show, event: r.event, tier: r.tier, at: r.now(), shop: "opera-" + uuid.NewString(), other: "cinema-" + uuid.NewString()}
	mine.holds = hold.NewAt(r.rdb, mine.now)
	mine.Store = coupon.New(r.db, r.rdb, mine.holds, make(coupon.Keys, 32)).At(mine.now)
	mine.must(mine.PutShop(t.Context(), coupon.Shop{ID: mine.shop, Name: "The Opera"}))
	mine.must(mine.PutProduct(t.Context(), mine.shop, coupon.Product{ID: "tickets", Name: "Tickets", Category: "shows", Event: r.event}))
	mine.must(mine.PutProduct(t.Context(), mine.shop, coupon.Product{ID: "coffee", Name: "Coffee", Category: "drinks"}))
	return mine
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// refused checks for one of our errors.
func (r *rig) refused(err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("got %v, want %v", err, want)
	}
}

// terms are a fifth off any order, for a week.
func (r *rig) terms(change func(*coupon.Terms)) coupon.Terms {
	t := coupon.Terms{Product: "tickets", Title: "A fifth off", Percent: 20, Currency: r.tier.Price.Currency, Stock: 5, PerPerson: 1,
		PublishFrom: r.now(), PublishUntil: r.now().Add(24 * time.Hour), ExpiresAt: r.now().Add(7 * 24 * time.Hour)}
	if change != nil {
		change(&t)
	}
	return t
}

func (r *rig) make(change func(*coupon.Terms)) coupon.Coupon {
	r.t.Helper()
	c, err := r.Make(context.Background(), r.shop, "opera.rosa", uuid.NewString(), r.terms(change))
	r.must(err)
	return c
}

func (r *rig) published(change func(*coupon.Terms)) coupon.Coupon {
	r.t.Helper()
	c, err := r.Publish(context.Background(), r.shop, r.make(change).ID, "opera.rosa", nil)
	r.must(err)
	return c
}

func (r *rig) claim(c coupon.Coupon) (string, coupon.Copy) {
	r.t.Helper()
	bag := uuid.NewString()
	got, fresh, err := r.Claim(context.Background(), c.ID, bag, "k")
	if err != nil || !fresh {
		r.t.Fatalf("claimed %v, %v", fresh, err)
	}
	return bag, got
}

// hold holds places of the show for a new session.
func (r *rig) hold(n int) hold.Hold {
	r.t.Helper()
	h, err := r.holds.Any(context.Background(), hold.Request{ID: uuid.NewString(), Performance: r.show, Sale: "gala", Session: uuid.NewString(),
		SessionEnds: r.now().Add(time.Hour), Life: 10 * time.Minute, Extensions: 1}, n, catalogue.Range{First: r.tier.First, Count: r.tier.Count})
	r.must(err)
	return h
}

func (r *rig) total(h hold.Hold) booking.Money {
	return booking.Money{Amount: int64(len(h.Units)) * r.tier.Price.Amount, Currency: r.tier.Price.Currency}
}

// queues says how many copies stand where, in a line that can be read.
func (r *rig) queues(c coupon.Coupon, want string) {
	r.t.Helper()
	report, err := r.Report(context.Background(), r.shop, c.ID)
	r.must(err)
	var parts []string
	sum := 0
	for _, s := range coupon.States {
		if n := report.Queues[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", s, n))
			sum += n
		}
	}
	if got := strings.Join(parts, ", "); got != want || sum != c.Stock {
		r.t.Errorf("copies: %s; want %s (%d of %d)", got, want, sum, c.Stock)
	}
}

// story is the history of a copy, as one line.
func (r *rig) story(c coupon.Coupon, number int, want string) {
	r.t.Helper()
	entries, _, err := r.History(context.Background(), r.shop, c.ID, number, booking.Page{})
	r.must(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Entry)
	}
	if strings.Join(got, " ") != want {
		r.t.Errorf("history %v, want %s", got, want)
	}
}

// Databases are dear: tests that move nobody else's coupons share one.
func TestCoupons(t *testing.T) {
	t.Parallel()
	r := open(t)
	for name, test := range map[string]func(*testing.T, *rig){
		"FromTheDeskToTheTill":             fromTheDeskToTheTill,
		"QueuesAreInOrder":                 queuesAreInOrder,
		"AThousandTabsGetWhatOnePersonMay": aThousandTabsGetWhatOnePersonMay,
		"TheLastOnesGoToExactlySoMany":     theLastOnesGoToExactlySoMany,
		"Withdrawing":                      withdrawing,
		"PassingACouponOn":                 passingACouponOn,
		"OneOfManyTakesACoupon":            oneOfManyTakesACoupon,
		"ACouponIsForWhatItSays":           aCouponIsForWhatItSays,
		"ManyAskAtOnce":                    manyAskAtOnce,
		"GuessingIsLimited":                guessingIsLimited,
		"CodesAreNotKept":                  codesAreNotKept,
		"MakeIsCheckedAndDoneOnce":         makeIsCheckedAndDoneOnce,
		"MetacharactersAreText":            metacharactersAreText,
		"ACouponAsJSON":                    aCouponAsJSON,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, r.own(t))
		})
	}
}

// Those that sweep, or look at all there is, go one after the other.
func TestCouponsAndTheClock(t *testing.T) {
	t.Parallel()
	r := open(t)
	t.Run("TheWindowAndTheLifeOfACoupon", func(t *testing.T) { theWindowAndTheLifeOfACoupon(t, r.own(t)) })
	t.Run("BrowseByShopCategoryAndProduct", func(t *testing.T) { browseByShopCategoryAndProduct(t, r.own(t)) }) // while nobody else shows any
	t.Run("AReservationReturnsWithItsHold", func(t *testing.T) { aReservationReturnsWithItsHold(t, r.own(t)) })
	t.Run("ACouponStaysWhileAPaymentIsOpen", func(t *testing.T) { aCouponStaysWhileAPaymentIsOpen(t, r.own(t)) })
	t.Run("ACouponThatEndsAtTheTill", func(t *testing.T) { aCouponThatEndsAtTheTill(t, r.own(t)) })
	t.Run("TheDatabaseRefuses", func(t *testing.T) { theDatabaseRefuses(t, r.own(t)) })
}
