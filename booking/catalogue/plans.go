package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/plan"
)

// Refusals about plans.
var (
	ErrPlanUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "plan-unknown", Detail: "There is no such plan."}
	ErrPlanClosed  = &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-closed", Detail: "This plan cannot be chosen any more. Nothing was changed."}
)

// KeptPlan is a version of a plan.
type KeptPlan struct {
	plan.Version
	Fresh bool // PutPlan has made the version
}

// readPlan reads the version of a plan that was the newest at a time, or the one that is
// asked for.
func readPlan(ctx context.Context, tx pgx.Tx, id string, version int, at time.Time) (v plan.Version, err error) {
	if !accountName.MatchString(id) { // both are slugs
		return v, ErrPlanUnknown
	}
	var doc []byte
	err = tx.QueryRow(ctx, `select version, document from plans where id = $1 and $2::bigint in (0, version) and ($3::timestamptz is null or created_at <= $3 or version = 1)
		order by version desc limit 1`, id, version, orNull(at)).Scan(&v.Version, &doc)
	if errors.Is(err, pgx.ErrNoRows) {
		return v, ErrPlanUnknown
	}
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(doc, &v.Plan); err != nil {
		return v, fmt.Errorf("reading plan %s: %w", id, err)
	}
	return v, nil
}

func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// Plan reads a version of a plan, the newest if version is 0.
func (s *Store) Plan(ctx context.Context, id string, version int) (v plan.Version, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		v, err = readPlan(ctx, tx, id, version, time.Time{})
		return err
	})
	return v, storeError("reading a plan", err)
}

// PlanLine is the newest version of a plan, in the list of all.
type PlanLine struct {
	Version int       `json:"version"`
	Since   time.Time `json:"since" doc:"when the version was made"`
	Plan    plan.Plan `json:"plan"`
}

// Plans lists the newest versions by their ids.
func (s *Store) Plans(ctx context.Context, p booking.Page) (page []PlanLine, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !accountName.MatchString(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	rows, err := s.db.Query(ctx, `select distinct on (id) version, created_at, document from plans where id > $1 order by id, version desc limit $2`, p.Cursor, size+1)
	if err != nil {
		return nil, "", storeError("listing plans", err)
	}
	lines, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (l PlanLine, err error) {
		err = r.Scan(&l.Version, &l.Since, &l.Plan)
		l.Since = l.Since.UTC()
		return l, err
	})
	page, next = booking.Cut(lines, size, func(l PlanLine) string { return l.Plan.ID })
	return page, next, storeError("listing plans", err)
}

// PutPlan makes a plan, or its next version. Whoever has an older one stays on it until
// their period ends.
func (s *Store) PutPlan(ctx context.Context, p plan.Plan, by audit.Change) (k KeptPlan, err error) {
	if err := errors.Join(p.Validate(), by.Validate(by.Seen > 0)); err != nil {
		return KeptPlan{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		k, err = putPlan(ctx, tx, p, by)
		return err
	})
	return k, storeError("putting plan "+p.ID, err)
}

func putPlan(ctx context.Context, tx pgx.Tx, p plan.Plan, by audit.Change) (KeptPlan, error) {
	old, err := readPlan(ctx, tx, p.ID, 0, time.Time{})
	switch {
	case errors.Is(err, ErrPlanUnknown):
		if by.Seen > 0 {
			return KeptPlan{}, err
		}
	case err != nil:
		return KeptPlan{}, err
	default:
		if same, err := alike(old.Plan, p); same || err != nil {
			return KeptPlan{Version: old}, err
		}
		if !by.Blind && by.Seen != old.Version {
			return KeptPlan{}, audit.ErrChanged
		}
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return KeptPlan{}, fmt.Errorf("writing plan: %w", err)
	}
	made := KeptPlan{Version: plan.Version{Plan: p, Version: old.Version + 1}, Fresh: true}
	tag, err := tx.Exec(ctx, `insert into plans (id, version, document) values ($1, $2, $3) on conflict do nothing`, p.ID, made.Version.Version, doc)
	if err == nil && tag.RowsAffected() == 0 { // another request has made it in this moment
		err = audit.ErrChanged
	}
	if err != nil {
		return KeptPlan{}, err
	}
	_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfPlan, Subject: p.ID, Version: made.Version.Version})
	return made, err
}

// AccountPlan is what plan an account has, until when, and what it uses of it.
type AccountPlan struct {
	Account  string     `json:"account"`
	Plan     plan.Plan  `json:"plan"`
	Version  int        `json:"version" doc:"of the plan"`
	BeginsAt *time.Time `json:"begins_at,omitempty" doc:"the present period; left out: nothing was chosen, or it is over"`
	EndsAt   *time.Time `json:"ends_at,omitempty"`
	Next     string     `json:"next,omitempty" doc:"the plan that follows then; free: nothing does"`
	Used     Used       `json:"used"`
}

// Used is how much of its entitlements an account uses.
type Used struct {
	Rooms int `json:"rooms" doc:"waiting rooms that are open"`
	Lanes int `json:"lanes" doc:"the most that one of them has beside its main lane"`
}

// contract is what an account has chosen, as it is now.
type contract struct {
	plan.Subscription
	account string
	charges bool // it takes payments
	at      time.Time
	plan    plan.Version // the free one if nothing was chosen, or it is over
}

// contract reads what an account has chosen, writes down what has followed, and keeps
// others from changing it until the transaction ends.
func (s *Store) contract(ctx context.Context, tx pgx.Tx, account string) (c contract, err error) {
	if !accountName.MatchString(account) {
		return c, ErrAccountUnknown
	}
	err = tx.QueryRow(ctx, `select charges from payment_accounts where name = $1 for no key update`, account).Scan(&c.charges)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, ErrAccountUnknown
	}
	if err != nil {
		return c, err
	}
	var test *time.Time
	if s.planTime != nil {
		test = orNull(s.planTime())
	}
	c.account = account
	// Not now(): that is when the transaction began, before the lock was had.
	if err := tx.QueryRow(ctx, `select coalesce($1, clock_timestamp())`, test).Scan(&c.at); err != nil {
		return c, err
	}
	c.at = c.at.UTC()
	var id string
	var version int
	err = tx.QueryRow(ctx, `select plan, version, anchor, count, next from subscriptions where account = $1`, account).
		Scan(&id, &version, &c.Anchor, &c.Count, &c.Next)
	if err == nil {
		c.Anchor = c.Anchor.UTC()
		if c.Has, err = readPlan(ctx, tx, id, version, time.Time{}); err == nil {
			err = c.follow(ctx, tx)
		}
	} else if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	if err != nil {
		return c, err
	}
	if c.plan = c.Has; c.Over(c.at) {
		c.plan, err = readPlan(ctx, tx, plan.Free, 0, time.Time{})
	}
	return c, err
}

// follow writes down the periods that have begun since somebody looked.
func (c *contract) follow(ctx context.Context, tx pgx.Tx) error {
	for c.Over(c.at) && c.Next != plan.Free {
		next, err := readPlan(ctx, tx, c.Next, 0, c.Ends())
		if err != nil {
			return err
		}
		c.Subscription = c.Follow(next)
		if err := c.keep(ctx, tx, "renewal"); err != nil {
			return err
		}
	}
	return nil
}

// keep writes a period down that begins.
func (c *contract) keep(ctx context.Context, tx pgx.Tx, who string) error {
	_, err := tx.Exec(ctx, `insert into plan_periods (account, begins_at, ends_at, plan, version, amount, currency, who) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		c.account, c.Begins(), c.Ends(), c.Has.ID, c.Has.Version, c.Has.Price.Amount, c.Has.Price.Currency, who)
	if err != nil {
		return err
	}
	return c.write(ctx, tx)
}

func (c *contract) write(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `insert into subscriptions (account, plan, version, anchor, count, next) values ($1, $2, $3, $4, $5, $6)
		on conflict (account) do update set plan = excluded.plan, version = excluded.version, anchor = excluded.anchor, count = excluded.count, next = excluded.next`,
		c.account, c.Has.ID, c.Has.Version, c.Anchor, c.Count, c.Next)
	return err
}

func (c *contract) standing(ctx context.Context, tx pgx.Tx) (AccountPlan, error) {
	st := AccountPlan{Account: c.account, Plan: c.plan.Plan, Version: c.plan.Version}
	if !c.Over(c.at) {
		begins, ends := c.Begins(), c.Ends()
		st.BeginsAt, st.EndsAt, st.Next = &begins, &ends, c.Next
	}
	err := tx.QueryRow(ctx, `select count(*), coalesce(max(jsonb_array_length(coalesce(s.document->'lanes', '[]'))), 0)
		from rooms r join sales s on s.id = r.sale_id where r.account = $1 and r.ends_at > $2`, c.account, c.at).Scan(&st.Used.Rooms, &st.Used.Lanes)
	return st, err
}

// PlanOf says what plan an account has.
func (s *Store) PlanOf(ctx context.Context, account string) (st AccountPlan, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		c, err := s.contract(ctx, tx, account)
		if err == nil {
			st, err = c.standing(ctx, tx)
		}
		return err
	})
	return st, storeError("reading the plan of "+account, err)
}

// ChoosePlan chooses a plan for an account: at once if it takes nothing away, else for
// when the present period ends. The same choice again changes nothing. The free plan means that
// nothing follows.
func (s *Store) ChoosePlan(ctx context.Context, account, id string, by audit.Change) (st AccountPlan, err error) {
	if err := by.Validate(false); err != nil {
		return AccountPlan{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		c, err := s.contract(ctx, tx, account)
		if err == nil {
			err = c.choose(ctx, tx, id, by)
		}
		if err == nil {
			st, err = c.standing(ctx, tx)
		}
		return err
	})
	return st, storeError("choosing a plan for "+account, err)
}

func (c *contract) choose(ctx context.Context, tx pgx.Tx, id string, by audit.Change) error {
	v, err := readPlan(ctx, tx, id, 0, time.Time{})
	if err != nil {
		return err
	}
	was := c.Subscription
	if c.Subscription = was.Choose(v, c.at); c.Next == was.Next && c.Begins().Equal(was.Begins()) {
		return nil
	}
	if v.Closed && v.ID != plan.Free && (was.Over(c.at) || v.ID != was.Has.ID) {
		return ErrPlanClosed
	}
	if _, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfSubscription, Subject: c.account, Version: v.Version, Name: id}); err != nil {
		return err
	}
	if c.Begins().Equal(was.Begins()) {
		return c.write(ctx, tx)
	}
	c.plan = c.Has
	return c.keep(ctx, tx, by.Who)
}

// PlanPeriod is a period of a plan that began, and what it cost.
type PlanPeriod struct {
	BeginsAt time.Time     `json:"begins_at"`
	EndsAt   time.Time     `json:"ends_at" doc:"or when the period before it in this list began, if that is earlier"`
	Plan     string        `json:"plan"`
	Version  int           `json:"version"`
	Price    booking.Money `json:"price"`
	Who      string        `json:"who" doc:"who chose it; renewal: it followed by itself"`
}

// PlanPeriods lists the periods of an account, the newest first: what the platform may
// charge for.
func (s *Store) PlanPeriods(ctx context.Context, account string, p booking.Page) (page []PlanPeriod, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	var before time.Time
	if p.Cursor != "" {
		if before, err = time.Parse(time.RFC3339Nano, p.Cursor); err != nil {
			return nil, "", booking.ErrPage
		}
	}
	if _, err := s.PlanOf(ctx, account); err != nil { // which writes down what has begun
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select begins_at, ends_at, plan, version, amount, currency, who from plan_periods
		where account = $1 and ($2::timestamptz is null or begins_at < $2) order by begins_at desc limit $3`, account, orNull(before), size+1)
	if err != nil {
		return nil, "", storeError("listing periods", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (l PlanPeriod, err error) {
		err = r.Scan(&l.BeginsAt, &l.EndsAt, &l.Plan, &l.Version, &l.Price.Amount, &l.Price.Currency, &l.Who)
		l.BeginsAt, l.EndsAt = l.BeginsAt.UTC(), l.EndsAt.UTC()
		return l, err
	})
	page, next = booking.Cut(list, size, func(l PlanPeriod) string { return l.BeginsAt.Format(time.RFC3339Nano) })
	return page, next, storeError("listing periods", err)
}
