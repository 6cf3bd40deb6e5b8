package insight_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/insight"
)

// What is shown live is the ledger's and the tickets', and the points add up to the money.
func TestLiveSaysWhatWasSold(t *testing.T) {
	t.Parallel()
	b := open(t)
	m, other := b.sale(), b.sale()
	b.sold(m, 0, "a@example.org", "paid", "EUR", entry{"placed", 4500, ""}, entry{"captured", 4500, ""})
	b.sold(m, 1, "b@example.org", "paid", "EUR", entry{"placed", 4500, ""}, entry{"captured", 4500, "cash"})
	b.sold(m, 2, "c@example.org", "canceled", "EUR", entry{"placed", 4500, ""}, entry{"captured", 4500, ""}, entry{"canceled", 4500, ""}, entry{"refunded", 4500, ""})
	b.sold(m, 45, "d@example.org", "pending", "EUR", entry{"placed", 4500, ""})
	b.sold(other, 0, "e@example.org", "paid", "EUR", entry{"placed", 4500, ""}, entry{"captured", 4500, ""})
	c := insight.NewCounter(b.db, slog.New(slog.DiscardHandler))
	for range 3 {
		c.View(m.ID)
	}
	c.Hold(m.ID)
	c.Write(t.Context())
	l, err := b.Live(t.Context(), b.of(insight.Scope{Performance: m.ID})[0])
	b.must(err)
	sum, orders := int64(0), 0
	for _, p := range l.Points {
		sum, orders = sum+p.Amount, orders+p.Orders
	}
	if sum != 9000 || orders != 3 || l.Every != 60 || len(l.Money) != 1 || l.Money[0].Taken != 9000 || l.Money[0].Cash != 4500 || l.Money[0].Refunded != 4500 {
		t.Errorf("money %+v, points %+v every %d", l.Money, l.Points, l.Every)
	}
	if f := l.Funnel; f.Views != 3 || f.Holds != 1 || f.Paying != 4 || f.Bought != 3 || f.Joined != nil {
		t.Errorf("the funnel is %+v", f)
	}
	sold, unpaid, canceled, prices := 0, 0, 0, int64(0)
	for _, tier := range l.Tiers {
		sold, unpaid, canceled, prices = sold+tier.Sold, unpaid+tier.Unpaid, canceled+tier.Canceled, prices+tier.Prices
	}
	if len(l.Tiers) != len(m.Tiers) || sold != 2 || unpaid != 1 || canceled != 1 || prices != 10_000 {
		t.Errorf("the tiers are %+v", l.Tiers)
	}
	list, _, err := b.Popularity(t.Context(), booking.Page{})
	b.must(err)
	if len(list) != 2 || list[1].Performance != m.ID || list[1].Views != 3 || list[1].Holds != 1 || list[1].Orders != 2 || list[1].Sold != 2 || list[0].Views != 0 {
		t.Errorf("popularity %+v", list)
	}
}

// However long a sale goes, its series stays short.
func TestASeriesIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0)
		to := from.Add(time.Duration(rapid.Int64Range(0, 40*365*86400).Draw(t, "seconds")) * time.Second)
		every := int64(insight.SpanOf(from, to))
		if n := to.Unix()/every - from.Unix()/every + 1; n > insight.MostPoints {
			t.Fatalf("%d spans of %d s", n, every)
		}
	})
}

// However many watch however many performances, there is one look in each pace.
func TestWatchersShareALook(t *testing.T) {
	t.Parallel()
	b := open(t)
	var shows []insight.Show
	for range 2 {
		shows = append(shows, b.of(insight.Scope{Performance: b.sale().ID})[0])
	}
	began := time.Now()
	var mu sync.Mutex
	looks := map[string]bool{}
	var watching sync.WaitGroup
	for i := range 16 {
		watching.Go(func() {
			for time.Since(began) < 2*insight.Pace {
				l, err := b.Live(t.Context(), shows[i%2])
				if err != nil || l.Performance != shows[i%2].ID {
					t.Errorf("%+v, %v", l, err)
					return
				}
				mu.Lock()
				looks[fmt.Sprint(l.Performance, l.AsOf)] = true
				mu.Unlock()
			}
		})
	}
	watching.Wait()
	most := int(time.Since(began)/insight.Pace) + 1
	if len(looks) < 2 || len(looks) > most {
		t.Errorf("%d looks in %v, want 2 to %d", len(looks), time.Since(began), most)
	}
}

// What is counted on several cores is added up, and what cannot be written is kept.
func TestCountsAreAddedUp(t *testing.T) {
	t.Parallel()
	b := open(t)
	one, two := b.sale(), b.sale()
	away, cancel := context.WithCancel(t.Context())
	cancel()
	var cores sync.WaitGroup
	for range 4 {
		cores.Go(func() {
			c := insight.NewCounter(b.db, slog.New(slog.DiscardHandler))
			for range 25 {
				c.View(two.ID)
				c.View(one.ID)
				c.Hold(one.ID)
				c.Write(away)
			}
			c.Write(t.Context())
			c.Write(t.Context()) // once
		})
	}
	cores.Wait()
	var got string
	b.must(b.db.QueryRow(t.Context(), `select concat((select sum(views) || ' ' || sum(holds) from insight_counts where performance_id = $1), ' ', (select sum(views) || ' ' || sum(holds) from insight_counts where performance_id = $2))`,
		one.ID, two.ID).Scan(&got))
	if got != "100 100 100 0" {
		t.Errorf("counted %s, want 100 100 100 0", got)
	}
	full := insight.NewCounter(b.db, slog.New(slog.DiscardHandler))
	for range insight.MostCounted {
		full.View(ropeline.PerformanceID(uuid.NewString()))
	}
	full.View(one.ID) // one too many
	full.Write(t.Context())
	b.must(b.db.QueryRow(t.Context(), `select sum(views)::text from insight_counts`).Scan(&got))
	if got != "200" {
		t.Errorf("counted %s views, want 200", got)
	}
}

// Orders are found by what staff know of them, in this performance alone, and no text means
// anything but itself.
func TestOrdersAreFound(t *testing.T) {
	t.Parallel()
	b := open(t)
	m, other := b.sale(), b.sale()
	var made []string
	for unit, who := range []string{"Ada@Example.org", "bob_1@example.org", "bobx1@example.org", "100%@example.org"} {
		made = append(made, b.sold(m, unit, who, []string{"paid", "canceled", "paid", "pending"}[unit], "EUR"))
	}
	b.sold(other, 0, "ada@example.org", "paid", "EUR")
	lines, _, err := m.Lines([]int{2})
	b.must(err)
	seat := strings.ToLower(lines[0].Label)
	hour := time.Hour
	for name, c := range map[string]struct {
		w    insight.Wanted
		want []int // newest first
	}{
		"all": {insight.Wanted{}, []int{3, 2, 1, 0}}, "as typed": {insight.Wanted{Email: " ada@example "}, []int{0}},
		"an underscore": {insight.Wanted{Email: "bob_1"}, []int{1}}, "a percent sign": {insight.Wanted{Email: "%"}, []int{3}}, "a backslash": {insight.Wanted{Email: `\`}, nil},
		"a quote": {insight.Wanted{Email: `' or ''='`}, nil}, "by seat": {insight.Wanted{Seat: seat}, []int{2}}, "by state": {insight.Wanted{State: "paid"}, []int{2, 0}},
		"since": {insight.Wanted{Since: time.Now().Add(hour)}, nil}, "before": {insight.Wanted{Before: time.Now().Add(hour), State: "canceled"}, []int{1}},
	} {
		list, next, err := b.Find(t.Context(), m.ID, c.w, booking.Page{})
		var got, want []string
		for _, o := range list {
			got = append(got, o.ID)
		}
		for _, i := range c.want {
			want = append(want, made[i])
		}
		if err != nil || next != "" || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: found %v, %v, want %v", name, got, err, want)
		}
	}
	for _, w := range []insight.Wanted{{Email: strings.Repeat("a", 101)}, {Seat: "a\x00"}, {Email: "\xff"}} {
		if _, _, err := b.Find(t.Context(), m.ID, w, booking.Page{}); err != insight.ErrSearch {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if o, err := b.Order(t.Context(), made[0]); err != nil || o.Email != "Ada@Example.org" || len(o.Tickets) != 1 || o.Amount.Amount != 4500 {
		t.Errorf("by its id: %+v, %v", o, err)
	}
}
