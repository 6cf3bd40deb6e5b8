package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Whatever a master was, of lines or of the capacity, and however far its
// replica lags: the sale goes on, in its order.
func TestASaleOutlivesAMasterOfItsCluster(t *testing.T) {
	t.Parallel()
	for name, disaster := range map[string]func(*testing.T, *crowd, *devtest.RedisCluster){
		"a master of a line is killed": func(t *testing.T, c *crowd, r *devtest.RedisCluster) {
			r.Kill(r.Master(lineID{c.sale.ID, 1}.key("line")))
		},
		"its replica has lagged, and limits change around it": func(t *testing.T, c *crowd, r *devtest.RedisCluster) {
			master := r.Master(key(c.sale.ID, "state"))
			replica := r.Replica(master)
			r.Signal(replica, syscall.SIGSTOP) // it hears nothing of what follows
			before := c.offered()
			c.await("some more have had a turn", func() bool { return c.offered() >= min(before+20, 95) }) // at 100 all slots are taken by the slow
			c.steer("before", Settings{Cap: new(int64(15)), Claim: new(ropeline.Seconds(119))})
			c.await("an edge knows", func() bool { return c.lines[0].View().Cap == 15 })
			r.Kill(master)
			r.Signal(replica, syscall.SIGCONT)
			c.steer("meanwhile", Settings{Rate: new(int64(5400))})
			for range 2 { // its answer may have been lost
				c.steer("meanwhile", Settings{Rate: new(int64(5400))})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := devtest.Cluster(t)
			const people = 240
			c := gatherOn(t, cluster.Client, people, 3)
			c.await("a few have had a turn", func() bool { return c.offered() >= 60 })
			before := c.lines[0].View()
			disaster(t, c, cluster)
			c.await("the sale goes on", func() bool {
				v := c.lines[0].View()
				return !v.Settling && !v.Away && (v.Epoch != before.Epoch || v.Run != before.Run)
			})
			if c.offered() >= people {
				t.Fatal("everybody had a turn before the disaster: nothing was tried")
			}
			close(c.slow)
			c.await("everybody has had a turn", func() bool { return c.offered() == people*3/2 })
			c.await("everybody has taken it", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.claimed) == people*3/2 })
			c.judge(people * 3 / 2)
			c.holds()
		})
	}
}

// steer changes limits, however often it must be asked for.
func (c *crowd) steer(id string, to Settings) {
	c.t.Helper()
	c.await("the limits are changed", func() bool {
		_, err := c.edges[1].Steer(c.t.Context(), c.sale.ID, Change{ID: id, Set: to, By: "sre", Reason: "a test"})
		if err == nil {
			c.changes[id] = to
		}
		return err == nil
	})
}

// holds wants the limits in force to be those of the document and of every change
// that was answered, and the cap to have held.
func (c *crowd) holds() {
	c.t.Helper()
	state, err := c.edges[0].State(c.t.Context(), c.sale.ID)
	want := Limits{Cap: c.sale.Cap, Rate: c.sale.Rate, Session: c.sale.SessionMax, Claim: c.sale.ClaimWindow}
	for _, to := range c.changes {
		want.Version++
		if to.Cap != nil {
			want.Cap, want.Claim = *to.Cap, *to.Claim
		}
		if to.Rate != nil {
			want.Rate = *to.Rate
		}
	}
	l := state.Limits
	got := Limits{Cap: l.Cap, Rate: l.Rate, Session: l.Session, Claim: l.Claim, Version: l.Version}
	if err != nil || got != want || l.Mode != ropeline.ModeRun || !state.Proof.Holds() || state.MaxInUse > c.sale.Cap {
		c.t.Errorf("after all the limits are %+v, %v, want %+v; proved by %+v, at most %d in use", l, err, want, state.Proof, state.MaxInUse)
	}
}

// Many sales are spread over a cluster by their hash tags: each is drawn and
// served by itself.
func TestManySalesSpreadOverACluster(t *testing.T) {
	t.Parallel()
	ctx, cluster := t.Context(), devtest.Cluster(t)
	store := New(cluster.Client, testKeys)
	t.Cleanup(store.Close)
	masters := map[string]int{}
	var sales sync.WaitGroup
	for i := range 50 {
		sale := testSale(fmt.Sprintf("sale-%d", i), time.Now().Add(-time.Minute))
		masters[cluster.Master(key(sale.ID, "state"))]++
		sales.Go(func() {
			var ids []ropeline.PlaceID
			for n := range 3 {
				ids = append(ids, ropeline.PlaceID(fmt.Sprintf("fan-%d-of-%s", n, sale.ID)))
			}
			if err := errors.Join(store.PublishSale(ctx, sale), store.Draw(ctx, sale.ID)); err != nil {
				t.Error(err)
				return
			}
			for n, id := range ids {
				if p, err := store.Join(ctx, sale.ID, id, ""); err != nil || p.Ordinal != int64(n) {
					t.Errorf("%s joins %s: %+v, %v", id, sale.ID, p, err)
					return
				}
			}
			state, err := store.State(ctx, sale.ID)
			if err := errors.Join(err, store.attend(ctx, lineID{sale.ID, 0}, state.Epoch, true, nil, nil, nil)); err != nil {
				t.Error(err)
				return
			}
			for {
				ticked, err := store.Tick(ctx, sale.ID, "controller", testLease)
				if err != nil {
					t.Error(err)
					return
				}
				if ticked.LastOffer == 3 {
					break
				}
			}
			for _, id := range ids {
				if _, err := store.Claim(ctx, sale.ID, id); err != nil {
					t.Errorf("%s claims in %s: %v", id, sale.ID, err)
				}
			}
		})
	}
	sales.Wait()
	if len(masters) != 3 {
		t.Errorf("the sales are on %v; want each of three masters to have some", masters)
	}
	if ids, err := store.Sales(ctx); err != nil || len(ids) != 50 {
		t.Errorf("%d sales are listed, %v", len(ids), err)
	}
}

// Several lines give the order of one: by the draw in the lobby, then as people
// came. Here from several edges at once, so that only pairs whose joins did not
// overlap have an order to be kept.
func TestShardsKeepTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	ctx, cluster := t.Context(), devtest.Cluster(t)
	sale := testSale("arrivals", time.Now().Add(-time.Minute))
	sale.Shards, sale.Cap, sale.Rate = 5, 1000, ropeline.MaxRate
	stores := [3]*Store{}
	for i := range stores {
		stores[i] = New(cluster.Client, testKeys)
		t.Cleanup(stores[i].Close)
	}
	if err := errors.Join(stores[0].PublishSale(ctx, sale), stores[0].Draw(ctx, sale.ID)); err != nil {
		t.Fatal(err)
	}
	type arrival struct {
		id          ropeline.PlaceID
		began, came time.Time
		score       int64
	}
	var mu sync.Mutex
	var arrivals []arrival
	var edges sync.WaitGroup
	for e, store := range stores {
		edges.Go(func() {
			for n := range 60 {
				a := arrival{id: ropeline.PlaceID(fmt.Sprintf("%d-of-edge-%d", n, e)), began: time.Now()}
				p, err := store.Join(ctx, sale.ID, a.id, "")
				if err != nil || p.Epoch == "" {
					t.Errorf("joining: %+v, %v", p, err)
					return
				}
				a.came = time.Now()
				a.score, _ = scoreOf(p.Score)
				mu.Lock()
				arrivals = append(arrivals, a)
				mu.Unlock()
			}
		})
	}
	edges.Wait()
	slices.SortFunc(arrivals, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(string(a.id), string(b.id)))
	})
	latest := time.Time{}
	v := view(t, stores[0], sale.ID)
	for i, a := range arrivals {
		if a.came.Before(latest) {
			t.Errorf("%s came %v before somebody who stands before it began to join", a.id, latest.Sub(a.came))
		}
		if a.began.After(latest) {
			latest = a.began
		}
		p, err := stores[1].Find(ctx, sale.ID, a.id)
		if err != nil || v.Position(p) != int64(i) {
			t.Errorf("%s is shown %d people ahead, %v; want %d", a.id, v.Position(p), err, i)
		}
	}
	// They are offered in that order.
	for i := range sale.Lines() {
		for _, store := range stores {
			if err := store.attend(ctx, lineID{sale.ID, i}, v.Lines[i].Epoch, true, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for state := (Ticked{}); state.LastOffer < int64(len(arrivals)); {
		var err error
		if state, err = stores[0].Tick(ctx, sale.ID, "controller", testLease); err != nil {
			t.Fatal(err)
		}
	}
	for i, a := range arrivals {
		if p, err := stores[0].Find(ctx, sale.ID, a.id); err != nil || p.Offer == nil || p.Offer.Number != int64(i+1) {
			t.Errorf("%s: %+v, %v; want offer %d", a.id, p, err, i+1)
		}
	}
}

// A draw that was killed when it had come to one of the lines only: nobody has
// an ordinal, and the next draw comes to the order that the first would have.
func TestADrawThatWasKilledBetweenTwoLinesEndsTheSame(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.Redis(t)
	now := time.Date(2047, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("shards-%d", time.Now().UnixNano()), now)
	sale.Shards = 3
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	var lobby []ropeline.PlaceID
	for i := range 60 {
		lobby = append(lobby, ropeline.PlaceID(fmt.Sprintf("lobby-%d", i)))
		if _, err := store.Join(ctx, sale.ID, lobby[i], ""); err != nil {
			t.Fatal(err)
		}
	}
	now = sale.LobbyClosesAt.Add(time.Second)
	// The last line cannot be drawn: a stranger stands among its scores.
	if err := rdb.ZAdd(ctx, lineID{sale.ID, 2}.key("drawing"), redis.Z{Member: "stranger", Score: 1}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.Draw(ctx, sale.ID); !errors.Is(err, errDrawIncomplete) {
		t.Fatalf("a draw with a stranger in it: %v", err)
	}
	for _, id := range lobby {
		if p, err := store.Find(ctx, sale.ID, id); err != nil || p.Epoch != "" {
			t.Fatalf("before all lines are drawn %s is %+v, %v", id, p, err)
		}
	}
	if v := view(t, store, sale.ID); v.Drawn || v.Epoch != "" {
		t.Fatalf("before all lines are drawn the sale is %+v", v.Stand)
	}
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	f, err := store.DrawFile(ctx, sale.ID)
	if err != nil || len(f.Places) != len(lobby) {
		t.Fatalf("%d places in the file, %v", len(f.Places), err)
	}
	v := view(t, store, sale.ID)
	for i, id := range f.Places {
		if p, err := store.Find(ctx, sale.ID, id); err != nil || p.Epoch != v.Epoch || v.Position(p) != int64(i) {
			t.Errorf("%s is shown %d ahead, %v; the file has it at %d", id, v.Position(p), err, i)
		}
	}
}

func TestHowManyLinesASaleHasIsFixed(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, func(s *ropeline.Sale) { s.Shards = 2 })
	sale.Shards, sale.Version = 3, 2
	if err := store.PublishSale(t.Context(), sale); !errors.Is(err, ErrShardsFixed) {
		t.Errorf("publishing with a third line: %v", err)
	}
	if n := rdb.Exists(t.Context(), lineID{sale.ID, 2}.key("line")).Val(); n != 0 {
		t.Error("the third line is there")
	}
}

// The capacity of a sale may be on another node than its lines and lose its last
// moments alone. An edge that has told a fan of an offer knows better.
func TestAnEdgeRemindsTheStoreOfATurn(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, func(s *ropeline.Sale) { s.ClaimWindow = 60 })
	ctx, stop := context.WithCancel(t.Context())
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	var running sync.WaitGroup
	running.Go(func() { _ = line.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	<-line.Ready()
	p := join(t, store, sale.ID)
	told := make(chan struct{}, 100)
	link := line.Attend(Ticket{Sale: sale.ID, Place: p.ID, Score: p.Score, Epoch: p.Epoch}, p, false, func(ropeline.PlaceState) {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	deadline := time.After(30 * time.Second)
	until := func(what string, done func(Place) bool) {
		t.Helper()
		for every := time.Tick(20 * time.Millisecond); !done(link.Place()); {
			tick(t, store, sale.ID)
			select {
			case <-told:
			case <-every:
			case <-deadline:
				t.Fatalf("%s: not in time, the place is %+v", what, link.Place())
			}
		}
	}
	until("the offer", func(p Place) bool { return p.State == ropeline.PlaceOffered })
	offer := *link.Place().Offer

	_, err := rdb.Pipelined(ctx, func(r redis.Pipeliner) error {
		r.HDel(ctx, key(sale.ID, "numbers"), string(p.ID))
		r.ZRem(ctx, key(sale.ID, "offered"), string(p.ID))
		r.HSet(ctx, key(sale.ID, "state"), "run_id", "of the master that was")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	until("the offer is back", func(Place) bool {
		n, err := rdb.ZCard(ctx, key(sale.ID, "offered")).Result()
		return err == nil && n == 1
	})
	if found, err := store.Find(ctx, sale.ID, p.ID); err != nil || found.Offer == nil || *found.Offer != offer {
		t.Errorf("the place is %+v, %v; want its offer %+v", found, err, offer)
	}
}
