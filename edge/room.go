package edge

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/hub"
	"github.com/ropeline/ropeline/queue"
)

// room is one sale at this edge: it follows the sale's line for everybody who
// waits here.
type room struct {
	id      ropeline.SaleID
	line    *queue.Line
	stop    context.CancelFunc
	over    <-chan struct{} // closed when the line is not followed any more
	sockets hub.Group
	shared  [ropeline.MaxLanes]atomic.Pointer[shared]
	cookies atomic.Pointer[placeCookies]
	said    atomic.Pointer[said] // the organizer's message
	pause   atomic.Pointer[said] // why it is paused
	odds    atomic.Pointer[chances]
	usedAt  atomic.Int64 // ns

	mu     sync.Mutex // guards the rest
	sale   ropeline.Sale
	drawn  queue.Drawing
	readAt time.Time
}

func newRoom(store *queue.Store, sale ropeline.Sale, now time.Time, log *slog.Logger) *room {
	m := &room{
		id: sale.ID, line: queue.NewLine(store, sale.ID, log),
		sale: sale, readAt: now,
	}
	m.use(now)
	return m
}

// run follows the line until ctx, which is the room's own, ends.
func (m *room) run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer m.sockets.Wake() // they see that it is over
	defer watching.Wait()
	defer m.stop()
	watching.Go(func() { m.watch(ctx) })
	return m.line.Run(ctx)
}

// watch wakes the sockets for every change that may not wait until they look by
// themselves.
func (m *room) watch(ctx context.Context) {
	select {
	case <-m.line.Ready():
	case <-ctx.Done():
		return
	}
	shown := m.line.View()
	left, woken := soldOut(shown), time.Time{}
	for {
		select {
		case <-shown.Superseded():
		case <-ctx.Done():
			return
		}
		next := m.line.View()
		if next.Phase() != shown.Phase() || next.Paused() != shown.Paused() || next.Reason != shown.Reason || next.Epoch != shown.Epoch || trouble(next) != trouble(shown) ||
			next.Board.Newest() != shown.Board.Newest() || messageNumber(next) != messageNumber(shown) || pauseNumber(next) != pauseNumber(shown) {
			m.sockets.Wake()
		}
		if now := soldOut(next); now != left && next.Now.Sub(woken).Abs() >= wakeAgain {
			left, woken = now, next.Now
			m.sockets.Wake()
		}
		shown = next
	}
}

// viewWait is how long a request waits for the first view of a new room.
const viewWait = 2 * time.Second

// view returns the newest view of the line.
func (m *room) view(ctx context.Context) (*queue.View, error) {
	select {
	case <-m.line.Ready():
		return m.line.View(), nil
	default:
	}
	late := time.NewTimer(viewWait)
	defer late.Stop()
	select {
	case <-m.line.Ready():
		return m.line.View(), nil
	case <-m.over:
		return nil, errStarting
	case <-late.C:
		return nil, ropeline.ErrStoreAway.Because(errors.New("the line has no view yet"))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settingsKept is how long a sale's settings are used before they are read
// again. What moves by the second is in the view.
const settingsKept = 2 * time.Second

// settings returns the sale's newest settings; while Redis is away, the last
// that were seen.
func (m *room) settings(ctx context.Context, store *queue.Store, now time.Time) ropeline.Sale {
	m.mu.Lock()
	known, due := m.sale, now.Sub(m.readAt) >= settingsKept
	if due {
		m.readAt = now // one asks, the others use what is known; also when it does not work
	}
	m.mu.Unlock()
	if !due {
		return known
	}
	sale, err := store.Sale(ctx, m.id) // not under the lock: a slow Redis may not stop the other sales
	if err != nil {
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sale = sale
	return sale
}

// drawing returns what is public of the sale's draw. Once the seed is revealed
// nothing of it changes any more; while Redis is away, the last that was seen.
func (m *room) drawing(ctx context.Context, store *queue.Store) queue.Drawing {
	m.mu.Lock()
	known := m.drawn
	m.mu.Unlock()
	if known.Seed != "" {
		return known
	}
	d, err := store.Drawing(ctx, m.id)
	if err != nil {
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drawn = d
	return d
}

// rooms holds one room per sale, made when a sale is first asked for. When it
// is full the room that was not used for longest and has no socket makes way;
// if there is none, the sale is refused here.
type rooms struct {
	store *queue.Store
	most  int
	log   *slog.Logger

	running sync.WaitGroup

	mu   sync.Mutex // guards the rest
	ctx  context.Context
	byID map[ropeline.SaleID]*room
}

// roomIdle is how long a room must have been unused to make way.
const roomIdle = time.Minute

var errRoomsFull = &ropeline.Error{
	Kind: ropeline.Unavailable, Code: "edge-full", RetryAfter: 10 * time.Second,
	Detail: "This server is busy with other sales. Please try again.",
}

func newRooms(store *queue.Store, most int, log *slog.Logger) *rooms {
	return &rooms{store: store, most: most, log: log, byID: map[ropeline.SaleID]*room{}}
}

// open lets rooms run until ctx ends.
func (m *rooms) open(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx != nil {
		return errors.New("edge: Run was called twice")
	}
	m.ctx = ctx
	return nil
}

// wait returns when all rooms have ended, after the ctx of open has.
func (m *rooms) wait() { m.running.Wait() }

// get returns a sale's room, made if need be, or ropeline.ErrSaleUnknown.
func (m *rooms) get(ctx context.Context, id ropeline.SaleID, now time.Time) (*room, error) {
	if found, err := m.known(id, now); found != nil || err != nil {
		return found, err
	}
	sale, err := m.store.Sale(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.add(sale, now)
}

// all are the rooms that there are.
func (m *rooms) all() []*room {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.byID))
}

// len is how many sales are followed.
func (m *rooms) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byID)
}

func (m *rooms) known(id ropeline.SaleID, now time.Time) (*room, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx == nil || m.ctx.Err() != nil {
		return nil, errStarting
	}
	found := m.byID[id]
	if found != nil {
		found.use(now)
	}
	return found, nil
}

func (m *room) use(now time.Time)      { m.usedAt.Store(now.UnixNano()) }
func (m *room) unusedSince() time.Time { return time.Unix(0, m.usedAt.Load()) }

// add makes a room, unless another request was faster.
func (m *rooms) add(sale ropeline.Sale, now time.Time) (*room, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return nil, errStarting
	}
	if found := m.byID[sale.ID]; found != nil {
		return found, nil
	}
	if len(m.byID) >= m.most && !m.makeWay(now) {
		return nil, errRoomsFull
	}
	ctx, stop := context.WithCancel(m.ctx)
	made := newRoom(m.store, sale, now, m.log)
	made.over, made.stop = ctx.Done(), stop
	m.byID[sale.ID] = made
	m.running.Go(func() {
		if err := made.run(ctx); err != nil && ctx.Err() == nil {
			m.log.Error("a line is not followed any more", "sale", sale.ID, "err", err)
		}
		m.forget(made)
	})
	return made, nil
}

// count returns how many rooms there are, and of how many the line is not heard.
func (m *rooms) count() (all, away int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.byID {
		select {
		case <-r.line.Ready():
			if r.line.View().Away {
				away++
			}
		default:
			away++
		}
	}
	return len(m.byID), away
}

// makeWay ends the idle room that was not used for longest. mu is held.
func (m *rooms) makeWay(now time.Time) bool {
	var oldest *room
	for _, r := range m.byID {
		if r.sockets.Len() > 0 || now.Sub(r.unusedSince()) < roomIdle {
			continue
		}
		if oldest == nil || r.unusedSince().Before(oldest.unusedSince()) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	delete(m.byID, oldest.id)
	oldest.stop()
	return true
}

func (m *rooms) forget(r *room) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[r.id] == r {
		delete(m.byID, r.id)
	}
}
