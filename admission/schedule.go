package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// Schedule makes changes at the time for which they were planned, by Redis's
// clock. Any number may run: a change is a row that one of them holds locked,
// and its script makes it once, whoever dies in between.
type Schedule struct {
	db    *pgxpool.Pool
	store *queue.Store
	log   *slog.Logger
}

// Planned is a change that is planned.
type Planned struct {
	ID     string          `json:"id"`
	Sale   ropeline.SaleID `json:"sale"`
	At     time.Time       `json:"at"`
	Set    queue.Settings  `json:"set"`
	Reason string          `json:"reason"`
	// Public is the reason in words for everybody, by language; nil of none.
	Public map[string]string `json:"public_reason,omitempty"`
	Who    string            `json:"who"`
	Role   string            `json:"role"`
	State  string            `json:"state"` // planned, done, refused, missed, canceled
	Why    string            `json:"why,omitempty"`
	Closed *time.Time        `json:"closed_at,omitempty"`
}

const (
	scheduleLook  = time.Second            // how often Postgres is asked
	scheduleAhead = 2 * scheduleLook       // what comes due that soon is kept in sight
	scheduleTick  = 100 * time.Millisecond // how often Redis's clock is asked while something is
	// lateMost is how much too late a change is still made: nobody expects a
	// morning's change in the afternoon, because the database was away.
	lateMost    = 5 * time.Minute
	mostPlanned = 100 // of a sale
)

var (
	errScheduleTime = &ropeline.Error{Kind: ropeline.Invalid, Code: "schedule-time",
		Detail: "A change can be planned for a time to come, at most a year ahead. The times are those of Redis's clock."}
	errScheduleFull    = &ropeline.Error{Kind: ropeline.Conflict, Code: "schedule-full", Detail: "There are 100 changes planned for this sale already."}
	errScheduleUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "schedule-unknown", Detail: "No such change is planned: it was made, or canceled."}
)

// NewSchedule returns a Schedule.
func NewSchedule(db *pgxpool.Pool, store *queue.Store, log *slog.Logger) *Schedule {
	return &Schedule{db: db, store: store, log: log}
}

// Run makes what comes due until ctx ends.
func (s *Schedule) Run(ctx context.Context) error {
	var near []Planned
	var looked time.Time
	var complaints throttle
	every := time.NewTicker(scheduleTick)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		var err error
		if now := time.Now(); now.Sub(looked) >= scheduleLook {
			looked = now
			near, err = s.planned(ctx, `state = 'planned' and at <= now() + $1::interval order by at limit 1000`, scheduleAhead)
		}
		if err == nil {
			near, err = s.make(ctx, near)
		}
		if err != nil && ctx.Err() == nil && complaints.allow(time.Now()) {
			s.log.Error("planned changes wait", "err", err)
		}
	}
}

// make makes those that are due and returns the others.
func (s *Schedule) make(ctx context.Context, near []Planned) (rest []Planned, err error) {
	clocks := map[ropeline.SaleID]time.Time{}
	for _, p := range near {
		now, asked := clocks[p.Sale]
		if !asked {
			state, away := s.store.State(ctx, p.Sale)
			if away != nil { // the other sales may be on another server
				err = errors.Join(err, fmt.Errorf("%s: %w", p.Sale, away))
			}
			now = state.Now
			clocks[p.Sale] = now
		}
		if now.Before(p.At) { // or not known
			rest = append(rest, p)
			continue
		}
		if failed := s.one(ctx, p, now.Sub(p.At) > lateMost); failed != nil {
			rest, err = append(rest, p), errors.Join(err, failed)
		}
	}
	return rest, err
}

// one makes a planned change and writes down that it was made, in a transaction
// that keeps others from making or canceling it. If that is lost, it is done
// again, and the script answers as before.
func (s *Schedule) one(ctx context.Context, p Planned, late bool) error {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	var kept *queue.LimitChange
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var state string
		err := tx.QueryRow(ctx, `select state from ops_schedule where id = $1 for update skip locked`, p.ID).Scan(&state)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && state != "planned" {
			return nil // somebody else makes it, or it was canceled
		}
		if err != nil {
			return fmt.Errorf("locking a planned change: %w", err)
		}
		row := AuditRow{Change: p.ID, Kind: Effective, Sale: p.Sale, Action: "steer", Who: p.Who, Role: p.Role, Via: "schedule", Reason: p.Reason, At: time.Now().UTC()}
		var outcome any
		state, outcome, row.Effective, err = s.steer(ctx, p, late)
		if came, ok := outcome.(steered); ok {
			kept = came.kept
			row.Limits = kept
		}
		if err != nil {
			return err
		}
		why := ""
		if refused, ok := outcome.(refusal); ok {
			row.Kind, why = Refused, refused.Code+": "+refused.Detail
		}
		if row.Detail, err = json.Marshal(outcome); err != nil {
			return fmt.Errorf("writing what came of a planned change: %w", err)
		}
		if _, err := tx.Exec(ctx, `update ops_schedule set state = $2, why = $3, closed_at = now() where id = $1`, p.ID, state, why); err != nil {
			return fmt.Errorf("closing a planned change: %w", err)
		}
		s.log.Info("a planned change came due", "sale", p.Sale, "who", p.Who, "state", state, "detail", string(row.Detail))
		return enterRow(ctx, tx, row)
	})
	switch {
	case errors.Is(err, errLimitsTaken): // this one is made anew, behind the one that is kept
		return errors.Join(err, s.store.UndoLimits(ctx, p.Sale, *kept))
	case err != nil || kept == nil:
		return err
	}
	return s.store.ConfirmLimits(ctx, p.Sale, *kept)
}

// steer makes the change. Only an error that may pass is one; a change that can
// never be made is refused.
func (s *Schedule) steer(ctx context.Context, p Planned, late bool) (state string, outcome any, at *time.Time, err error) {
	if late {
		return "missed", refusal{"too-late", "The database could not be asked when the time came."}, nil, nil
	}
	came, err := steerOnce(ctx, s.store, p.Sale, queue.Change{ID: p.ID, Set: p.Set, By: "schedule", Reason: p.Reason, Public: p.Public})
	e, known := errors.AsType[*ropeline.Error](err)
	switch {
	case err == nil:
		return "done", steered{Was: came.Was, Now: came.Now, kept: came.Kept}, &came.At, nil
	case known && e.Kind != ropeline.Unavailable:
		return "refused", why(err), nil, nil
	}
	return "", nil, nil, err
}

// planned reads rows of the schedule.
func (s *Schedule) planned(ctx context.Context, where string, args ...any) ([]Planned, error) {
	if s.db == nil {
		return nil, ropeline.ErrStoreAway.Because(errNoDatabase)
	}
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	found, err := s.db.Query(ctx, `select id, sale_id, at, settings, reason, public_reason, who, role, state, why, closed_at from ops_schedule where `+where, args...)
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading the schedule: %w", err))
	}
	rows, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (p Planned, err error) {
		var set []byte
		if err := r.Scan(&p.ID, &p.Sale, &p.At, &set, &p.Reason, &p.Public, &p.Who, &p.Role, &p.State, &p.Why, &p.Closed); err != nil {
			return p, err
		}
		p.At = p.At.UTC()
		return p, json.Unmarshal(set, &p.Set)
	})
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading the schedule: %w", err))
	}
	return rows, nil
}

// add plans a change.
func (s *Schedule) add(ctx context.Context, p Planned) error {
	if s.db == nil {
		return ropeline.ErrStoreAway.Because(errNoDatabase)
	}
	set, err := json.Marshal(p.Set)
	if err != nil {
		return fmt.Errorf("writing a planned change: %w", err)
	}
	tag, err := s.db.Exec(ctx, `
		insert into ops_schedule (id, sale_id, at, settings, reason, public_reason, who, role)
		select $1, $2, $3, $4, $5, $6, $7, $8 where (select count(*) from ops_schedule where sale_id = $2 and state = 'planned') < $9`,
		p.ID, p.Sale, p.At, set, p.Reason, p.Public, p.Who, p.Role, mostPlanned)
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("planning a change: %w", err))
	}
	if tag.RowsAffected() == 0 {
		return errScheduleFull
	}
	return nil
}

// cancel takes a change off the schedule that was not made yet.
func (s *Schedule) cancel(ctx context.Context, sale ropeline.SaleID, id string) error {
	if uuid.Validate(id) != nil {
		return errScheduleUnknown
	}
	if s.db == nil {
		return ropeline.ErrStoreAway.Because(errNoDatabase)
	}
	tag, err := s.db.Exec(ctx, `
		update ops_schedule set state = 'canceled', closed_at = now() where id = $1 and sale_id = $2 and state = 'planned'`, id, sale)
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("canceling a planned change: %w", err))
	}
	if tag.RowsAffected() == 0 {
		return errScheduleUnknown
	}
	return nil
}
