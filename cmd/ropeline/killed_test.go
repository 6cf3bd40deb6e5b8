package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// A leading controller that is killed, with SIGKILL in the middle of what it does,
// is replaced by the other one, as soon as its lease of a second has run out;
// nobody is offered twice, and never more than the cap. (How long it takes is
// measured by `make bench-gate`.)
func TestAKilledLeaderIsReplacedWithoutOneOfferTooMany(t *testing.T) {
	t.Parallel()
	r := devtest.PrivateRedis(t)
	keys := keyFolder(filepath.Join(t.TempDir(), "keys"))
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	place, placeErr := keys.secret(placeKey)
	seed, seedErr := keys.secret(seedKey)
	if placeErr != nil || seedErr != nil {
		t.Fatal(placeErr, seedErr)
	}
	store := queue.New(r.Client, queue.Keys{Place: place, Seed: seed})
	t.Cleanup(store.Close)
	opened := time.Now().Add(-time.Minute)
	sale := ropeline.Sale{
		ID: "killed", Version: 1, Title: "Killed", LobbyClosesAt: opened.Add(-time.Second), OpensAt: opened, EndsAt: opened.Add(time.Hour),
		Cap: crowdCap, Rate: ropeline.MaxRate, ClaimWindow: 1, TokenLife: 10, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
	}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	ticks := r.Client.Subscribe(t.Context(), "ropeline:{killed}:ticks")
	defer ticks.Close()
	w := &watch{t: t, heard: ticks.Channel()}
	control := func() process {
		return startProcess(t, "admission", "--redis", r.URL, "--keys", string(keys), "--listen", "127.0.0.1:0", "--private-listen", "off")
	}
	leader := control()
	ctx, stop := context.WithCancel(t.Context())
	edge, running := queue.NewLine(store, sale.ID, slog.New(slog.DiscardHandler)), sync.WaitGroup{}
	running.Go(func() { _ = edge.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	w.next("the line is drawn", func(s queue.State) bool { return s.Phase() == ropeline.PhaseOpen })
	for i := range 100 {
		if _, err := store.Join(t.Context(), sale.ID, ropeline.PlaceID(fmt.Sprintf("%022d", i)), ""); err != nil {
			t.Fatal(err)
		}
	}
	last := w.next("somebody is offered", func(s queue.State) bool { return s.LastOffer > 0 })
	for range 2 {
		heir := control() // which does not lead: the lease is taken
		before := w.next("a turn ran out and was given on", func(s queue.State) bool { return s.LastOffer > last.LastOffer+crowdCap })
		if err := syscall.Kill(leader.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if left := r.Client.PTTL(t.Context(), "ropeline:{killed}:leader").Val(); left > time.Second {
			t.Errorf("the lease of who was killed runs %v longer", left)
		}
		old := before
		last = w.next("another one ticks", func(s queue.State) bool {
			if s.Term == before.Term {
				old = s
			}
			return s.Term != before.Term
		})
		if last.Term != before.Term+1 {
			t.Errorf("the term after %d is %d", before.Term, last.Term)
		}
		t.Logf("by Redis's clock the next leader ticked %v after the last tick of the one before", last.Now.Sub(old.Now))
		last = w.next("offers go on", func(s queue.State) bool { return s.LastOffer > last.LastOffer })
		leader = heir
	}
	var numbers *redis.IntCmd
	var offers *redis.StringCmd
	_, err := r.Client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		numbers, offers = p.HLen(t.Context(), "ropeline:{killed}:numbers"), p.HGet(t.Context(), "ropeline:{killed}:state", "last_offer")
		return nil
	})
	if err != nil || fmt.Sprint(numbers.Val()) != offers.Val() {
		t.Errorf("%s offers went to %d people, %v", offers.Val(), numbers.Val(), err)
	}
}

// watch hears of every tick, and wants the cap to hold at each.
type watch struct {
	t     *testing.T
	heard <-chan *redis.Message
}

func (w *watch) next(what string, is func(queue.State) bool) queue.State {
	w.t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case m := <-w.heard:
			var s queue.State
			if err := json.Unmarshal([]byte(m.Payload), &s); err != nil {
				w.t.Fatal(err)
			}
			if s.Offered+s.Active > crowdCap || s.MaxInUse > crowdCap || !s.Proof.Holds() {
				w.t.Errorf("the cap of %d is not kept: %+v", crowdCap, s)
			}
			if is(s) {
				return s
			}
		case <-late:
			w.t.Fatal("not within a minute: " + what)
		}
	}
}
