package loadtest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Casual lets fans come, wait and buy until ctx ends, for people who want to
// see a line move: nothing is audited or judged. At most as many fans as the
// profile has are there at a time; who has gone is replaced after a while.
func Casual(ctx context.Context, o Options) error {
	r := newRun(o)
	if err := r.look(ctx); err != nil {
		return err
	}
	fans := o.Profile.Lobby + o.Profile.Late
	pace := NewPace(o.Profile.Lobby, o.Profile.Late, time.Until(r.hall.about.LobbyClosesAt), o.Profile.Span)
	r.Log.Info("fans arrive", "fans", fans, "sale", r.hall.sale, "seed", r.Seed)

	var guests sync.WaitGroup
	for n := range fans {
		guests.Go(func() {
			rng := rand.New(rand.NewPCG(r.Seed, uint64(n)))
			wait := pace.At(n)
			for guest := n; sleep(ctx, wait); guest += fans {
				r.fan(guest).live(ctx, ctx)
				wait = time.Minute/2 + time.Duration(rng.Int64N(int64(time.Minute)))
			}
		})
	}
	guests.Wait()
	return nil
}
