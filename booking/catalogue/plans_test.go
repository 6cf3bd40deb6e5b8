package catalogue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	plans "github.com/ropeline/ropeline/booking/plan"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// owned seeds a sale of which an account is paid.
func owned(t *testing.T, db *pgxpool.Pool, shows *catalogue.Store, account string) ropeline.Sale {
	t.Helper()
	sale, err := shows.Seed(t.Context(), plan(1, 1))
	if err == nil {
		_, err = db.Exec(t.Context(), `update performances set account = $2 where id = $1`, sale.Performances[0], account)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sale
}

// twin is what an account has chosen, said without any arithmetic of periods but the
// calendar's: time goes on step by step, and what follows follows at once.
type twin struct {
	has     *plans.Plan // nil: the free one
	version int
	first   time.Time // the day from which it counts
	months  int       // since then, to the end of this period
	next    string
	periods []string             // every one that began
	rooms   map[string]time.Time // until when they are open
}

// end is so many months after the first day, or the last day of a shorter month.
func (w *twin) end() time.Time {
	y, m, d := w.first.Date()
	last := time.Date(y, m+time.Month(w.months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	h, mi, s := w.first.Clock()
	return time.Date(y, m+time.Month(w.months), min(d, last), h, mi, s, w.first.Nanosecond(), time.UTC)
}

func monthsOf(p plans.Plan) int {
	if p.Period == plans.Year {
		return 12
	}
	return 1
}

func (w *twin) begin(p plans.Plan, version int, at time.Time) {
	w.has, w.version, w.first, w.months, w.next = &p, version, at, monthsOf(p), p.ID
	w.note(at)
}

func (w *twin) note(at time.Time) {
	w.periods = append(w.periods, fmt.Sprint(at.Format(time.RFC3339), " ", w.end().Format(time.RFC3339), " ", w.has.ID, w.version, " ", w.has.Price.Amount))
}

// market is what there is to choose, every version with the time it was made.
type market struct {
	versions map[string][]plans.Plan
	made     map[string][]time.Time
}

func (k *market) newest(id string, at time.Time) (plans.Plan, int) {
	n := 1
	for i, made := range k.made[id] {
		if !made.After(at) {
			n = i + 1
		}
	}
	return k.versions[id][n-1], n
}

// pass lets time go on to a moment.
func (w *twin) pass(k *market, to time.Time) {
	for w.has != nil && !to.Before(w.end()) {
		ended := w.end()
		if w.next == plans.Free {
			w.has = nil
			return
		}
		p, version := k.newest(w.next, ended)
		if p.ID == w.has.ID && p.Period == w.has.Period {
			w.has, w.version = &p, version
			w.months += monthsOf(p)
			w.note(ended)
		} else {
			w.begin(p, version, ended)
		}
	}
}

// Whatever is chosen, made, opened and waited for in any order: plan, period, what
// follows, every period that began, and which rooms may be opened are as the twin says. A
// room that was opened is open until it ends.
func TestPlansBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	ctx := context.Background()
	if _, err := db.Exec(ctx, `alter table plans disable trigger plans_append_only`); err != nil { // versions are made at the twin's time
		t.Fatal(err)
	}
	var pool []ropeline.Sale // making a sale takes longer than all else
	seeds := catalogue.New(db, time.Now)
	if err := seeds.KeepAccount(ctx, catalogue.Account{Name: "pool", Provider: "acct_0", Charges: true}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		pool = append(pool, owned(t, db, seeds, "pool"))
	}
	rapid.Check(t, func(t *rapid.T) {
		tag := uuid.NewString()[:8]
		account := "a-" + tag
		now := time.Date(2027, time.January, 28+rapid.IntRange(0, 3).Draw(t, "day"), 9, 30, 0, 0, time.UTC)
		shows := catalogue.New(db, time.Now)
		shows.SetPlanTime(func() time.Time { return now })
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(shows.KeepAccount(ctx, catalogue.Account{Name: account, Provider: "acct_" + tag, Charges: true}))
		k := &market{versions: map[string][]plans.Plan{}, made: map[string][]time.Time{}}
		free, err := shows.Plan(ctx, plans.Free, 0)
		must(err)
		put := func(id string) {
			p := plans.Plan{ID: id, Name: id, Period: plans.Month, Price: booking.Money{Amount: rapid.Int64Range(0, 9).Draw(t, "price"), Currency: "EUR"},
				Entitlements: plans.Entitlements{Rooms: rapid.Ptr(rapid.IntRange(0, 3), true).Draw(t, "rooms"), Lanes: rapid.Ptr(rapid.IntRange(0, 2), true).Draw(t, "lanes")}}
			if rapid.Bool().Draw(t, "yearly") {
				p.Period = plans.Year
			}
			kept, err := shows.PutPlan(ctx, p, audit.Change{Who: audit.Command, Blind: true})
			must(err)
			if kept.Fresh {
				_, err := db.Exec(ctx, `update plans set created_at = $3 where id = $1 and version = $2`, id, kept.Version.Version, now)
				must(err)
				k.versions[id], k.made[id] = append(k.versions[id], p), append(k.made[id], now)
			}
		}
		ids := []string{"small-" + tag, "large-" + tag, "other-" + tag}
		for _, id := range ids {
			put(id)
		}
		_, err = db.Exec(ctx, `delete from rooms`)
		must(err)
		_, err = db.Exec(ctx, `update performances set account = $1`, account)
		must(err)
		left := pool
		w := &twin{rooms: map[string]time.Time{}}
		sales := map[string]ropeline.Sale{}
		wait := func(d time.Duration) {
			now = now.Add(d)
			w.pass(k, now)
		}
		having := func() plans.Plan {
			if w.has == nil {
				return free.Plan
			}
			return *w.has
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				wait(time.Second)
				put(rapid.SampledFrom(ids).Draw(t, "plan"))
			},
			"choose": func(t *rapid.T) {
				wait(time.Second)
				id := rapid.SampledFrom(append(ids, plans.Free)).Draw(t, "plan")
				_, err := shows.ChoosePlan(ctx, account, id, audit.Change{Who: audit.Command})
				must(err)
				switch {
				case id == plans.Free:
					w.next = plans.Free
				case w.has != nil && w.has.ID == id:
					w.next = id
				default:
					p, version := k.newest(id, now)
					if w.has == nil || p.Entitlements.Cover(w.has.Entitlements) {
						w.begin(p, version, now)
					} else {
						w.next = id
					}
				}
			},
			"wait": func(t *rapid.T) {
				if w.has != nil && rapid.Bool().Draw(t, "to the end") {
					wait(w.end().Sub(now) + time.Duration(rapid.IntRange(-1, 1).Draw(t, "by"))*time.Microsecond)
					return
				}
				wait(time.Duration(rapid.IntRange(1, 100).Draw(t, "days")) * 24 * time.Hour)
			},
			"open": func(t *rapid.T) {
				if len(left) == 0 {
					t.Skip("every sale is open or over")
				}
				wait(time.Second)
				lanes := rapid.IntRange(0, 2).Draw(t, "lanes")
				ends := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "days")) * 24 * time.Hour)
				sale := left[0]
				sale.EndsAt, sale.Lanes = ends, make([]ropeline.Lane, lanes)
				open, e := 0, having().Entitlements
				for _, ends := range w.rooms {
					if ends.After(now) {
						open++
					}
				}
				want := (e.Rooms == nil || open < *e.Rooms) && (e.Lanes == nil || lanes <= *e.Lanes)
				err := shows.OpenRoom(ctx, sale)
				if want != (err == nil) || err != nil && !errors.Is(err, plans.ErrRooms) && !errors.Is(err, plans.ErrLanes) {
					t.Fatalf("%d rooms open and %d lanes with %+v: %v", open, lanes, e, err)
				}
				if err == nil {
					w.rooms[string(sale.ID)], sales[string(sale.ID)] = ends, sale
					left = left[1:]
				}
			},
			"publish again": func(t *rapid.T) {
				for id, ends := range w.rooms { // whatever became of the plan
					if ends.After(now) {
						must(shows.OpenRoom(ctx, sales[id]))
					}
				}
			},
			"": func(t *rapid.T) {
				st, err := shows.PlanOf(ctx, account)
				must(err)
				open := 0
				for _, ends := range w.rooms {
					if ends.After(now) {
						open++
					}
				}
				if want := having(); st.Plan.ID != want.ID || st.Plan.Price != want.Price || st.Used.Rooms != open {
					t.Fatalf("has %+v, want %+v with %d rooms open", st, want, open)
				}
				if w.has == nil && st.EndsAt != nil || w.has != nil && (st.EndsAt == nil || !st.EndsAt.Equal(w.end()) || st.Next != w.next || st.Version != w.version) {
					t.Fatalf("has %+v until %v, want until %v, version %d, then %s", st, st.EndsAt, w.end(), w.version, w.next)
				}
				list, _, err := shows.PlanPeriods(ctx, account, booking.Page{Limit: booking.PageMost})
				must(err)
				for i, p := range list {
					said := fmt.Sprint(p.BeginsAt.Format(time.RFC3339), " ", p.EndsAt.Format(time.RFC3339), " ", p.Plan, p.Version, " ", p.Price.Amount)
					if at := len(w.periods) - 1 - i; len(w.periods) <= booking.PageMost && (len(list) != len(w.periods) || w.periods[at] != said) {
						t.Fatalf("%d periods, with %s, want\n%v", len(list), said, w.periods)
					}
				}
			},
		})
	})
}

// Of many who ask at once for the last room one has it.
func TestTheLastRoomIsGivenOnce(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	shows := catalogue.New(db, time.Now)
	if err := shows.KeepAccount(t.Context(), catalogue.Account{Name: "opera", Provider: "acct_7", Charges: true}); err != nil {
		t.Fatal(err)
	}
	one := 1
	by := audit.Change{Who: audit.Command, Blind: true}
	if _, err := shows.PutPlan(t.Context(), plans.Plan{ID: "one", Name: "One", Period: plans.Month, Entitlements: plans.Entitlements{Rooms: &one}}, by); err != nil {
		t.Fatal(err)
	}
	if _, err := shows.ChoosePlan(t.Context(), "opera", "one", by); err != nil {
		t.Fatal(err)
	}
	const many = 8
	var wg sync.WaitGroup
	came, sales := make([]error, many), make([]ropeline.Sale, many)
	for i := range sales {
		sales[i] = owned(t, db, shows, "opera")
	}
	for i, sale := range sales { // all at once: making one takes longer than opening it
		wg.Go(func() { came[i] = shows.OpenRoom(t.Context(), sale) })
	}
	wg.Wait()
	opened := 0
	for _, err := range came {
		switch {
		case err == nil:
			opened++
		case !errors.Is(err, plans.ErrRooms):
			t.Error(err)
		}
	}
	if opened != 1 {
		t.Errorf("%d rooms were opened, want 1", opened)
	}
	for _, change := range []string{`update plan_periods set amount = 0`, `delete from plan_periods`, `update plans set document = '{}'`, `truncate plan_periods`} {
		if _, err := db.Exec(t.Context(), change); err == nil {
			t.Errorf("%s is allowed", change)
		}
	}
}
