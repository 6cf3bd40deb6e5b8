package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// LimitBook is the audit as far as it keeps what limits were set: the truth of which
// change of a sale was the last.
type LimitBook struct{ db *pgxpool.Pool }

// NewLimitBook returns the limit book of a database.
func NewLimitBook(db *pgxpool.Pool) *LimitBook { return &LimitBook{db} }

// LimitChanges is of queue.LimitBook.
func (b *LimitBook) LimitChanges(ctx context.Context, sale ropeline.SaleID, from int64, most int) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	rows, err := b.db.Query(ctx, `
		select limits from ops_audit where sale_id = $1 and limits_version >= $2 order by limits_version desc limit $3`, sale, from, most)
	if err != nil {
		return nil, limitsAway(err)
	}
	changes, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	if err != nil {
		return nil, limitsAway(err)
	}
	slices.Reverse(changes)
	return changes, nil
}

// Newest returns the newest version of the limits of each of these sales that is kept.
func (b *LimitBook) Newest(ctx context.Context, sales []ropeline.SaleID) (map[ropeline.SaleID]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	rows, err := b.db.Query(ctx, `
		select sale_id, max(limits_version) from ops_audit where sale_id = any($1) and limits_version is not null group by sale_id`, sales)
	if err != nil {
		return nil, limitsAway(err)
	}
	newest := map[ropeline.SaleID]int64{}
	var sale ropeline.SaleID
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&sale, &version}, func() error {
		newest[sale] = version
		return nil
	})
	if err != nil {
		return nil, limitsAway(err)
	}
	return newest, nil
}

func limitsAway(err error) error {
	return ropeline.ErrStoreAway.Because(fmt.Errorf("reading changes of limits: %w", err))
}

// errLimitsTaken means that another change has the version of this one: it was made
// on a server that took over from that of this one, or the other way round.
var errLimitsTaken = errors.New("another change of the limits has this version")

func isLimitsTaken(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505" && e.ConstraintName == "ops_audit_limits"
}

// limitsOf are what a row keeps of a change, nulls if it was none.
func limitsOf(c *queue.LimitChange) (version *int64, change json.RawMessage) {
	if c == nil {
		return nil, nil
	}
	return &c.Version, c.Change
}

// limitKeeper puts limits back that Redis lost when it failed over, of the sales that a
// controller leads. The database is asked here and not by who ticks: a tick waits for
// nobody.
type limitKeeper struct {
	store *queue.Store
	book  *LimitBook // nil: what edges know is all there is
	log   *slog.Logger
	asked chan ropeline.SaleID // whose limits are to be compared; what is dropped is asked again by the next tick

	mu  sync.Mutex
	led map[ropeline.SaleID]int64 // the version of the limits that the last tick saw
}

// limitsLook is how often the newest versions are compared, whatever happened: a
// change may come into the book late, from the journal of a process that died.
const limitsLook = 5 * time.Second

func newLimitKeeper(store *queue.Store, log *slog.Logger) *limitKeeper {
	return &limitKeeper{store: store, log: log, asked: make(chan ropeline.SaleID, wokenBacklog), led: map[ropeline.SaleID]int64{}}
}

// saw takes in what came of a tick.
func (k *limitKeeper) saw(sale ropeline.SaleID, t queue.Ticked, err error) {
	if k.book == nil || err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !t.Leads {
		delete(k.led, sale)
		return
	}
	k.led[sale] = t.Version
	if t.Unsure {
		select {
		case k.asked <- sale:
		default:
		}
	}
}

func (k *limitKeeper) run(ctx context.Context) {
	var faults throttle
	every := time.NewTicker(limitsLook)
	defer every.Stop()
	for {
		var err error
		doing := "comparing the limits with those that are kept"
		select {
		case <-ctx.Done():
			return
		case sale := <-k.asked:
			doing = "nobody is offered before the database has said which limits hold"
			_, err = k.store.MendLimits(ctx, sale)
		case <-every.C:
			err = k.look(ctx)
		}
		if err != nil && ctx.Err() == nil && faults.allow(time.Now()) {
			k.log.Error(doing, "err", err)
		}
	}
}

// look puts back what the book has and Redis has not.
func (k *limitKeeper) look(ctx context.Context) error {
	k.mu.Lock()
	led := maps.Clone(k.led)
	k.mu.Unlock()
	if k.book == nil || len(led) == 0 {
		return nil
	}
	newest, err := k.book.Newest(ctx, slices.Collect(maps.Keys(led)))
	for sale, version := range newest {
		if version > led[sale] {
			err = errors.Join(err, k.store.ConfirmLimits(ctx, sale, queue.LimitChange{Version: version}))
		}
	}
	return err
}
