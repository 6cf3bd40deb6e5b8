package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue/draw"
)

// A crowd at two edges, served by a controller: everybody who is offered claims
// and leaves the shop at once, but for every fifth, who takes the time until
// slow is closed.
type crowd struct {
	t     *testing.T
	sale  ropeline.Sale
	edges [2]*Store
	lines [2]*Line

	mu      sync.Mutex
	offers  map[ropeline.PlaceID][]int64 // the numbers each was offered under
	order   []Place                      // as they were offered by the order of the line
	claimed map[ropeline.PlaceID]bool
	running sync.WaitGroup

	slow    chan struct{}
	changes map[string]Settings // of the limits that were answered, by their ids
}

// gather publishes a sale, lets people join its lobby and behind it, and draws.
func gather(t *testing.T, server *devtest.RedisServer, people int) *crowd {
	t.Helper()
	return gatherOn(t, server.Client, people, 1)
}

func gatherOn(t *testing.T, rdb redis.UniversalClient, people, shards int) *crowd {
	t.Helper()
	c := &crowd{t: t, offers: map[ropeline.PlaceID][]int64{}, claimed: map[ropeline.PlaceID]bool{}, changes: map[string]Settings{}, slow: make(chan struct{})}
	now := time.Now()
	c.sale = testSale(fmt.Sprintf("crowd-%d", now.UnixNano()), now)
	c.sale.LobbyClosesAt, c.sale.OpensAt = now.Add(time.Second), now.Add(1500*time.Millisecond)
	c.sale.Cap, c.sale.Rate, c.sale.ClaimWindow, c.sale.Shards = 20, 6000, 120, shards
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); c.running.Wait() })
	for i := range c.edges {
		c.edges[i] = New(rdb, testKeys)
		t.Cleanup(c.edges[i].Close)
	}
	if err := c.edges[0].PublishSale(t.Context(), c.sale); err != nil {
		t.Fatal(err)
	}
	for i, store := range c.edges {
		c.lines[i] = NewLine(store, c.sale.ID, slog.New(slog.DiscardHandler))
		c.running.Go(func() { _ = c.lines[i].Run(ctx) })
		<-c.lines[i].Ready()
	}
	c.running.Go(func() { c.control(ctx) })
	for i := range people {
		c.come(ctx, i%2)
	}
	awaitView(t, c.lines[0], func(v *View) bool { return v.Epoch != "" })
	for i := range people / 2 {
		c.come(ctx, i%2)
	}
	// Somebody has left through an edge, which remembers it for the case of a
	// loss: told again and again, it once kept a line from ever settling.
	gone := join(t, c.edges[0], c.sale.ID)
	if _, err := c.edges[0].Leave(ctx, c.sale.ID, gone.ID); err != nil {
		t.Fatal(err)
	}
	c.lines[0].Left(gone.ID)
	return c
}

// come lets one more person join and wait at an edge.
func (c *crowd) come(ctx context.Context, edge int) {
	c.t.Helper()
	p := join(c.t, c.edges[edge], c.sale.ID)
	var k *Link
	ready := make(chan struct{})
	k = c.lines[edge].Attend(Ticket{Sale: c.sale.ID, Place: p.ID, Score: p.Score, Epoch: p.Epoch}, p, false, func(ropeline.PlaceState) {
		c.running.Go(func() {
			select {
			case <-ready:
				c.serve(ctx, edge, k)
			case <-ctx.Done():
			}
		})
	})
	close(ready)
}

// serve claims an offer that has not been seen before.
func (c *crowd) serve(ctx context.Context, edge int, k *Link) {
	p := k.Place()
	if p.State != ropeline.PlaceOffered {
		return
	}
	c.mu.Lock()
	seen := slices.Contains(c.offers[p.ID], p.Offer.Number)
	if !seen {
		c.offers[p.ID] = append(c.offers[p.ID], p.Offer.Number)
		if !p.Offer.Beside {
			c.order = append(c.order, p)
		}
	}
	c.mu.Unlock()
	if seen {
		return
	}
	if p.Offer.Number%5 == 0 {
		select {
		case <-c.slow:
		case <-ctx.Done():
			return
		}
	}
	c.claim(ctx, c.edges[edge], p)
}

// claim takes an offer, however often it must be asked for: the server may be
// away or have to be reminded of it.
func (c *crowd) claim(ctx context.Context, store *Store, p Place) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for time.Now().Before(p.Offer.ClaimBy) {
		if _, err := store.Claim(ctx, c.sale.ID, p.ID); err == nil {
			c.mu.Lock()
			c.claimed[p.ID] = true
			c.mu.Unlock()
			_, _ = store.End(ctx, c.sale.ID, p.ID) // a server that is away now lets the token run out
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// control ticks as a controller would, and draws.
func (c *crowd) control(ctx context.Context) {
	store := c.edges[0]
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for ctx.Err() == nil {
		ticked, err := store.Tick(ctx, c.sale.ID, "controller", time.Minute)
		switch {
		case err == nil && ticked.Offered+ticked.Active > c.sale.Cap:
			c.t.Errorf("%d offered and %d active with a cap of %d", ticked.Offered, ticked.Active, c.sale.Cap)
		case err == nil && ticked.Phase() == ropeline.PhaseDrawing && !ticked.Settling:
			_ = store.Draw(ctx, c.sale.ID) // again with the next tick
		}
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
}

// offered is how many people had a turn.
func (c *crowd) offered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.offers)
}

func (c *crowd) await(what string, done func() bool) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(60 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("%s: not within a minute; %d had a turn, the view is %+v", what, c.offered(), c.lines[0].View().State)
		}
	}
}

// judge looks at everything that was promised.
func (c *crowd) judge(people int) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.offers) != people {
		c.t.Errorf("%d of %d people had a turn", len(c.offers), people)
	}
	if len(c.claimed) != people {
		c.t.Errorf("%d of %d people could take their turn", len(c.claimed), people)
	}
	for id, numbers := range c.offers {
		if len(numbers) != 1 {
			c.t.Errorf("%s was offered %d times: %v", id, len(numbers), numbers)
		}
	}
	slices.SortFunc(c.order, func(a, b Place) int { return int(a.Offer.Number - b.Offer.Number) })
	inversions, last := 0, int64(-1)
	for _, p := range c.order {
		score, err := strconv.ParseInt(p.Score, 10, 64)
		if err != nil {
			c.t.Fatalf("%+v has no score", p)
		}
		if score < last {
			inversions++
		}
		last = max(last, score)
	}
	if inversions > 0 || len(c.order) < people*9/10 {
		c.t.Errorf("%d inversions among %d offers by the order of the line", inversions, len(c.order))
	}
}

// Whatever happens to the server in the middle of a sale: the order stays,
// everybody has one turn, and the cap holds.
func TestALineOutlivesItsServer(t *testing.T) {
	t.Parallel()
	for name, disaster := range map[string]func(*testing.T, *devtest.RedisServer){
		"it loses everything": func(t *testing.T, s *devtest.RedisServer) {
			if err := s.Client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
		"it is killed and starts on its file":    func(t *testing.T, s *devtest.RedisServer) { s.Kill(); s.Start() },
		"it is killed and its file is destroyed": func(t *testing.T, s *devtest.RedisServer) { s.Kill(); s.Destroy(); s.Start() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := devtest.PrivateRedis(t)
			const people = 400
			c := gather(t, server, people)
			c.await("a few have had a turn", func() bool { return c.offered() >= 60 })
			said := c.post()
			epoch := c.lines[0].View().Epoch
			disaster(t, server)
			c.await("the line settles", func() bool {
				v := c.lines[0].View()
				return v.Epoch != epoch && !v.Settling && !v.Away
			})
			before := c.offered()
			if before >= people {
				t.Fatal("everybody had a turn before the disaster: nothing was tried")
			}
			close(c.slow)
			c.await("everybody has had a turn", func() bool { return c.offered() == people*3/2 })
			c.await("everybody has taken it", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.claimed) == people*3/2 })
			c.judge(people * 3 / 2)
			c.await("what was posted is there again", func() bool {
				b, err := c.edges[1].Board(t.Context(), c.sale.ID)
				return err == nil && b.Message != nil && b.Message.Number == said && b.Newest() == 2
			})
		})
	}
}

// A lobby has no order to lose, but everybody's part in the draw.
func TestALobbyOutlivesItsServer(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.Redis(t)
	now := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("lobby-%d", time.Now().UnixNano()), now)
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	remembered, away, asleep, gone := join(t, store, sale.ID), join(t, store, sale.ID), join(t, store, sale.ID), join(t, store, sale.ID)
	if _, err := store.Leave(ctx, sale.ID, gone.ID); err != nil {
		t.Fatal(err)
	}
	settings, err := store.charter(ctx, sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	known, err := store.State(ctx, sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	before, err := store.Drawing(ctx, sale.ID)
	if err != nil {
		t.Fatal(err)
	}

	names, err := rdb.Keys(ctx, "ropeline:{"+string(sale.ID)+"[.}]*").Result()
	if err != nil || rdb.Del(ctx, names...).Err() != nil {
		t.Fatal("losing everything:", err)
	}
	// An edge remembers one who is there and one who left.
	err = errors.Join(store.restore(ctx, sale.ID, settings, known),
		store.register(ctx, sale.ID, known, []ropeline.PlaceID{gone.ID}, []Place{remembered}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := store.Tick(ctx, sale.ID, "controller", time.Minute); err != nil {
			t.Fatal(err)
		}
		now = now.Add(settleLeast + time.Second)
	}
	if p, err := store.Present(ctx, sale.ID, Ticket{Place: away.ID}); err != nil || p.State != ropeline.PlaceCollected {
		t.Errorf("a ticket of the lobby: %+v, %v; want the place back in it", p, err)
	}
	if p, err := store.Present(ctx, sale.ID, Ticket{Place: gone.ID}); !errors.Is(err, ErrPlaceUnknown) {
		t.Errorf("the ticket of somebody who left: %+v, %v", p, err)
	}
	if after, err := store.Drawing(ctx, sale.ID); err != nil || after != before {
		t.Errorf("the draw is bound to %+v, %v; was %+v", after, err, before)
	}

	// Whoever comes only after the close is too late for the root, and stands
	// where the draw would have put them.
	now = sale.LobbyClosesAt
	if _, err := store.Present(ctx, sale.ID, Ticket{Place: asleep.ID}); !errors.Is(err, ErrPlaceUnknown) {
		t.Errorf("a ticket that comes while the draw runs: %v", err)
	}
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	f, err := store.DrawFile(ctx, sale.ID)
	if err != nil || len(f.Places) != 2 {
		t.Fatalf("drawn among %v, %v; want the two who were back", f.Places, err)
	}
	if settings, err = store.charter(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	score := settings.lobbyScore(asleep.ID)
	if want := draw.Score(draw.Key(f.Seed, f.Root, f.Value), asleep.ID); score != fmt.Sprint(want) {
		t.Errorf("an edge computes the score %s, want %d", score, want)
	}
	if p, err := store.Present(ctx, sale.ID, Ticket{Place: asleep.ID, Score: score}); err != nil || !p.Beside || p.State != ropeline.PlaceWaiting {
		t.Errorf("the same ticket after the draw: %+v, %v; want it beside the line", p, err)
	}
	if p, err := store.Find(ctx, sale.ID, gone.ID); err != nil || p.State != ropeline.PlaceLeft {
		t.Errorf("who left the lobby is %+v after the draw, %v", p, err)
	}
}

// An edge that remembers who left told so before the line itself had taken them
// out. Ordinals did not hold any more then: if it was the last of the line, the
// line could not be put together again and the sale stood still for ever; else
// whoever stood behind was taken for the one who had left.
func TestOnlyWhoLeftIsTakenOutOfALineThatSettles(t *testing.T) {
	t.Parallel()
	for name, leaver := range map[string]int{"the first": 0, "one in the middle": 2, "the last": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, rdb := t.Context(), devtest.Redis(t)
			now := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
			store := New(rdb, testKeys).WithClock(func() time.Time { return now })
			t.Cleanup(store.Close)
			sale := testSale(fmt.Sprintf("left-%d", time.Now().UnixNano()), now.Add(-time.Minute))
			if err := errors.Join(store.PublishSale(ctx, sale), store.Draw(ctx, sale.ID)); err != nil {
				t.Fatal(err)
			}
			var places []Place
			for range 6 {
				places = append(places, join(t, store, sale.ID))
			}
			gone := places[leaver].ID
			if _, err := store.Leave(ctx, sale.ID, gone); err != nil {
				t.Fatal(err)
			}
			known, err := store.State(ctx, sale.ID)
			if err != nil {
				t.Fatal(err)
			}
			// A replica takes over, which may not have heard of the last one yet.
			line := lineID{sale.ID, 0}
			err = rdb.HSet(ctx, line.key("line"), "run_id", "of the master that was").Err()
			if leaver < 5 {
				err = errors.Join(err, rdb.ZRem(ctx, line.key("order"), string(places[5].ID)).Err())
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := store.Tick(ctx, sale.ID, "controller", testLease); err != nil {
					t.Fatal("the sale stands still:", err)
				}
				stand, _, _, err := store.stand(ctx, line, false)
				if err == nil && stand.Settling {
					err = store.register(ctx, sale.ID, known, []ropeline.PlaceID{gone}, slices.Delete(slices.Clone(places), leaver, leaver+1))
				}
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(settleLeast)
			}
			ordinal := int64(0)
			for i, p := range places {
				switch found, err := store.Find(ctx, sale.ID, p.ID); {
				case err != nil:
					t.Errorf("place %d: %v", i, err)
				case i == leaver:
					if found.State != ropeline.PlaceLeft {
						t.Errorf("place %d, which has left, is %s", i, found.State)
					}
				case found.State != ropeline.PlaceWaiting || found.Ordinal != ordinal:
					t.Errorf("place %d is %s at %d; want it waiting at %d", i, found.State, found.Ordinal, ordinal)
					fallthrough
				default:
					ordinal++
				}
			}
		})
	}
}

// Edges cannot beat while a line settles, so that an edge which told of its places
// later than another after it was not waited for: its fans were passed over, and
// came back beside the line, in another order than that of the line.
func TestAfterALossEdgesThatRegisteredPlacesAreWaitedFor(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.Redis(t)
	now := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	quick := New(rdb, testKeys).WithClock(func() time.Time { return now })
	slow := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(quick.Close)
	t.Cleanup(slow.Close)
	sale := testSale(fmt.Sprintf("slow-%d", time.Now().UnixNano()), now.Add(-time.Minute))
	sale.Cap = 10_000 // there is room beside the ghosts
	if err := errors.Join(quick.PublishSale(ctx, sale), quick.Draw(ctx, sale.ID)); err != nil {
		t.Fatal(err)
	}
	first, second := join(t, slow, sale.ID), join(t, quick, sale.ID)
	settings, err := quick.charter(ctx, sale.ID)
	known, stateErr := quick.State(ctx, sale.ID)
	names, namesErr := rdb.Keys(ctx, "ropeline:{"+string(sale.ID)+"[.}]*").Result()
	if err := errors.Join(err, stateErr, namesErr, rdb.Del(ctx, names...).Err()); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(quick.restore(ctx, sale.ID, settings, known),
		quick.register(ctx, sale.ID, known, nil, []Place{second}), slow.register(ctx, sale.ID, known, nil, []Place{first}))
	if err != nil {
		t.Fatal(err)
	}
	ticked := func(after time.Duration) State {
		t.Helper()
		now = now.Add(after)
		state, err := quick.Tick(ctx, sale.ID, "controller", testLease)
		if err != nil {
			t.Fatal(err)
		}
		return state.State
	}
	ticked(0)
	ticked(settleLeast + time.Second)
	line, epoch := lineID{sale.ID, 0}, view(t, quick, sale.ID).Epoch
	if err := quick.attend(ctx, line, epoch, true, []told{{second.ID, 1}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if s := ticked(time.Second); s.Offered != 0 || s.Cursor != 0 {
		t.Errorf("before the slow edge has told who is there, %d are offered and the cursor is at %d", s.Offered, s.Cursor)
	}
	if err := slow.attend(ctx, line, epoch, true, []told{{first.ID, 0}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	ticked(time.Second)
	for i, p := range []Place{first, second} {
		found, err := quick.Find(ctx, sale.ID, p.ID)
		if err != nil || found.Offer == nil || found.Offer.Beside || found.Offer.Number != known.LastOffer+1000+int64(i)+1 {
			t.Errorf("number %d of the line is %+v, %v; want it offered in that order", i, found, err)
		}
	}
}

// A clock that a failover set back gives a score a second time. Who came back with it
// was said to stand before a place of that score, but went in behind it by its id.
func TestAPlaceBesideTheLineStandsBehindOneOfTheSameScoreByItsID(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.Redis(t)
	now := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("tie-%d", time.Now().UnixNano()), now.Add(-2*time.Hour))
	sale.EndsAt = now.Add(time.Hour)
	if err := errors.Join(store.PublishSale(ctx, sale), store.Draw(ctx, sale.ID)); err != nil {
		t.Fatal(err)
	}
	join(t, store, sale.ID)
	second, line := join(t, store, sale.ID), lineID{sale.ID, 0}
	if err := rdb.HSet(ctx, line.key("line"), "run_id", "another").Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := store.settle(ctx, line); err != nil {
			t.Fatal(err)
		}
		now = now.Add(settleLeast + time.Second)
	}
	for id, ahead := range map[ropeline.PlaceID]int64{"!": 1, "~": 2} { // before and behind every id of a line
		if p, err := store.Present(ctx, sale.ID, Ticket{Place: id, Score: second.Score, Epoch: "before"}); err != nil || !p.Beside {
			t.Fatalf("%s is put back as %+v, %v; want it beside the line", id, p, err)
		}
		if p, err := store.Find(ctx, sale.ID, id); err != nil || p.Ordinal != ahead {
			t.Errorf("%s stands at %+v, %v; want %d before it", id, p, err, ahead)
		}
	}
}

// A clock that is set back while a line settles does not keep it settling for as
// long as the clock went back; it waits anew for who registers.
func TestALineSettlesThoughTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.Redis(t)
	now := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("back-%d", time.Now().UnixNano()), now.Add(-2*time.Hour))
	sale.EndsAt = now.Add(time.Hour)
	if err := errors.Join(store.PublishSale(ctx, sale), store.Draw(ctx, sale.ID)); err != nil {
		t.Fatal(err)
	}
	p := join(t, store, sale.ID)
	line := lineID{sale.ID, 0}
	if err := rdb.HSet(ctx, line.key("line"), "run_id", "another").Err(); err != nil {
		t.Fatal(err)
	}
	settling := func() bool {
		t.Helper()
		if err := store.settle(ctx, line); err != nil {
			t.Fatal(err)
		}
		stand, _, _, err := store.stand(ctx, line, false)
		if err != nil {
			t.Fatal(err)
		}
		return stand.Settling
	}
	if !settling() {
		t.Fatal("a line of another server does not settle")
	}
	now = now.Add(-time.Hour)
	if !settling() {
		t.Error("it has settled at once when the clock went back")
	}
	now = now.Add(settleLeast - time.Second)
	if !settling() {
		t.Error("it does not wait anew after the clock went back")
	}
	now = now.Add(2 * time.Second)
	if settling() {
		t.Fatal("it still settles a moment later")
	}
	if found, err := store.Find(ctx, sale.ID, p.ID); err != nil || found.State != ropeline.PlaceWaiting || found.Ordinal != 0 {
		t.Errorf("the place is %+v, %v", found, err)
	}
}
