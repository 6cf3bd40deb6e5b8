package queue

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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
		"its replica has lagged": func(t *testing.T, c *crowd, r *devtest.RedisCluster) {
			master := r.Master(key(c.sale.ID, "state"))
			replica := r.Replica(master)
			r.Signal(replica, syscall.SIGSTOP) // it hears nothing of what follows
			before := c.offered()
			c.await("some more have had a turn", func() bool { return c.offered() >= before+20 })
			r.Kill(master)
			r.Signal(replica, syscall.SIGCONT)
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
		})
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
		id             ropeline.PlaceID
		began, came    time.Time
		score, ordered int64
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
