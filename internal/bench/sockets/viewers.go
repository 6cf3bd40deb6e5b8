package sockets

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/bench"
)

// Viewers measures what somebody who watches a seat map costs an edge.
func Viewers() bench.Part { return bench.Part{Name: "viewers", Measure: viewerRows} }

const (
	mapUnits   = 20_000
	takenEvery = 2 * time.Second // a unit; each is a frame to every viewer
)

func viewerRows(ctx context.Context, p bench.Plan, out io.Writer) ([]bench.Row, error) {
	sockets := p.Of(19_000)
	if err := checkRoom(sockets); err != nil {
		return nil, err
	}
	kb, us, err := measureViewers(ctx, sockets, spansOf(p)) // once: it hardly differs, and takes half a minute
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%.2f KB a viewer, %.2f µs a frame\n", kb, us)
	return []bench.Row{
		bench.Alone(fmt.Sprintf("memory of the edge a viewer of a map of %d units, %d in one process", mapUnits, sockets), "KB", []float64{kb}).AtMost(6),
		bench.Alone("edge CPU a frame of what was taken, same", "µs", []float64{us}).Untargeted(),
	}, nil
}

// unsold is what Postgres says of a performance that has sold nothing.
type unsold int

func (n unsold) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded{Units: int(n)}, nil
}

func measureViewers(ctx context.Context, sockets int, t spans) (kb, us float64, err error) {
	server, err := bench.StartRedis(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer closing(&err, server)
	show := ropeline.PerformanceID(uuid.NewString())
	if _, err := inventory.New(server.Client).Rebuild(ctx, show, unsold(mapUnits)); err != nil {
		return 0, 0, err
	}
	p, err := openPair(ctx, "edge", server.URL, order{Path: "/api/v1/performances/" + string(show) + "/availability/live", Sockets: sockets})
	if err != nil {
		return 0, 0, err
	}
	defer closing(&err, p)
	if err := p.opened(ctx); err != nil {
		return 0, 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	var taking sync.WaitGroup
	defer taking.Wait()
	defer stop()
	taking.Go(func() {
		for unit := int64(0); pass(ctx, takenEvery) == nil; unit++ {
			_ = server.Client.SetBit(ctx, inventory.KeysOf(show).Taken(), unit, 1).Err() // then no frames come, which is noticed
		}
	})
	if err := pass(ctx, t.settle); err != nil {
		return 0, 0, err
	}
	before, err := p.whole(ctx)
	if err != nil {
		return 0, 0, err
	}
	used, err := p.server.cpu()
	if err != nil {
		return 0, 0, err
	}
	if err := pass(ctx, t.watch); err != nil {
		return 0, 0, err
	}
	after, err := p.whole(ctx)
	if err != nil {
		return 0, 0, err
	}
	now, err := p.server.cpu()
	if err != nil {
		return 0, 0, err
	}
	frames := after.frames - before.frames
	if frames < int64(sockets) {
		return 0, 0, fmt.Errorf("%d frames came for %d viewers in %s", frames, sockets, t.watch)
	}
	kb, err = p.perSocket()
	return kb, (now - used).Seconds() * 1e6 / float64(frames), err
}
