package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// Audit keeps what staff did, in Postgres: a row before a change is made, and
// one of what came of it. What Postgres does not take is written to a file and
// entered later.
type Audit struct {
	db     *pgxpool.Pool // nil: none
	folder string        // of the files; "": none
	log    *slog.Logger

	failures *prometheus.CounterVec // by what did not take a row
	waiting  atomic.Int64           // rows in files
}

// AuditKind says what a row is of.
type AuditKind string

// A change is intended, and then effective or refused.
const (
	Intended  AuditKind = "intended"
	Effective AuditKind = "effective"
	Refused   AuditKind = "refused"
)

// AuditRow is one row.
type AuditRow struct {
	ID        int64           `json:"id,omitempty"`
	Change    string          `json:"change"` // the rows of one change have the same
	Kind      AuditKind       `json:"kind"`
	Sale      ropeline.SaleID `json:"sale,omitempty"`
	Action    string          `json:"action"`
	Who       string          `json:"who"`
	Role      string          `json:"role"`
	Via       string          `json:"via,omitempty"` // "schedule": it did what who had planned
	Reason    string          `json:"reason"`
	Detail    json.RawMessage `json:"detail"`
	At        time.Time       `json:"at"`
	Effective *time.Time      `json:"effective_at,omitempty"` // by Redis's clock
	Entered   *time.Time      `json:"entered_at,omitempty"`

	// Limits is what it made of a sale's limits, to be put back where Redis loses it.
	Limits *queue.LimitChange `json:"limits,omitempty"`
}

const (
	auditPatience = time.Second // a stop of the sale waits for it
	auditPage     = 50
	auditPageMost = 500
)

// NewAudit returns an Audit that leaves its files in this folder.
func NewAudit(db *pgxpool.Pool, folder string, log *slog.Logger) (*Audit, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w", err)
	}
	a := &Audit{db: db, folder: folder, log: log}
	a.waiting.Store(int64(len(a.files())))
	return a.WithMetrics(nil), nil
}

// WithMetrics registers what the audit counts, with nil nothing.
func (a *Audit) WithMetrics(reg prometheus.Registerer) *Audit {
	add := promauto.With(reg)
	a.failures = add.NewCounterVec(prometheus.CounterOpts{
		Name: "ropeline_audit_failures_total",
		Help: "Times that a row of what staff did was not taken: by postgres, which the journal stands in for, or by the journal, so that it is nowhere.",
	}, []string{"by"})
	for _, by := range []string{"postgres", "journal"} {
		a.failures.WithLabelValues(by)
	}
	add.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ropeline_audit_journal_rows", Help: "Rows of what staff did that lie in files until Postgres takes them.",
	}, func() float64 { return float64(a.waiting.Load()) })
	return a
}

var errNoDatabase = errors.New("there is no database")

// executor is a pool or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// enter writes a row into Postgres. Who runs without a database has the files.
func (a *Audit) enter(ctx context.Context, row AuditRow) error {
	if a.db == nil {
		return a.journal(row)
	}
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	err := enterRow(ctx, a.db, row)
	if err != nil && !errors.Is(err, errLimitsTaken) {
		a.failures.WithLabelValues("postgres").Inc()
	}
	return err
}

func enterRow(ctx context.Context, db executor, row AuditRow) error {
	version, limits := limitsOf(row.Limits)
	_, err := db.Exec(ctx, `
		insert into ops_audit (change, kind, sale_id, action, who, role, via, reason, detail, at, effective_at, limits_version, limits)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		on conflict (change, kind) do nothing`,
		row.Change, row.Kind, row.Sale, row.Action, row.Who, row.Role, row.Via, row.Reason, row.Detail, row.At, row.Effective, version, limits)
	if isLimitsTaken(err) {
		return errLimitsTaken
	}
	if err != nil {
		return fmt.Errorf("entering what %s did: %w", row.Who, err)
	}
	return nil
}

// keep writes a row to Postgres, else to a file. It fails with errLimitsTaken if it is
// of a change that is none, because another one is kept in its place.
func (a *Audit) keep(ctx context.Context, row AuditRow) error {
	err := a.enter(ctx, row)
	if err == nil || errors.Is(err, errLimitsTaken) {
		return err
	}
	a.log.Warn("what staff do goes to a file first", "change", row.Change, "kind", row.Kind, "err", err)
	return a.journal(row)
}

// journal writes a row to a file, if there is a folder for it.
func (a *Audit) journal(row AuditRow) error {
	if a.folder == "" {
		return nil
	}
	text, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("writing an audit row: %w", err)
	}
	if err := writeWhole(a.file(row), text); err != nil {
		a.failures.WithLabelValues("journal").Inc()
		return err
	}
	a.waiting.Add(1)
	return nil
}

const auditEnd = ".audit.json"

// file names a row's file so that files sort as they were written: a change's id
// begins with the time, and intended comes first.
func (a *Audit) file(row AuditRow) string {
	turn := 2
	if row.Kind == Intended {
		turn = 1
	}
	return filepath.Join(a.folder, fmt.Sprintf("%s.%d%s", row.Change, turn, auditEnd))
}

// Run enters what lies in files, until ctx ends.
func (a *Audit) Run(ctx context.Context) error {
	every := time.NewTicker(enterEvery)
	defer every.Stop()
	for {
		files := a.files()
		a.waiting.Store(int64(len(files)))
		if a.db != nil {
			a.enterFiles(ctx, files)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// files are the rows in files, in their order.
func (a *Audit) files() []string {
	if a.folder == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(a.folder, "*"+auditEnd))
	if err != nil {
		a.log.Error("looking for audit rows in files", "err", err)
	}
	slices.Sort(files)
	return files
}

func (a *Audit) enterFiles(ctx context.Context, files []string) {
	for _, file := range files {
		if err := a.enterFile(ctx, file); err != nil && ctx.Err() == nil {
			a.log.Warn("an audit row stays in its file", "file", file, "err", err)
			return // the others would fare no better
		}
	}
}

func (a *Audit) enterFile(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var row AuditRow
	if err := json.Unmarshal(text, &row); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	err = a.enter(ctx, row)
	if errors.Is(err, errLimitsTaken) {
		a.log.Error("a change of limits from the time without the database was overtaken by another one; set the limits again", "change", row)
		row.Limits = nil
		err = a.enter(ctx, row)
	}
	if err != nil {
		return err
	}
	a.waiting.Add(-1)
	return os.Remove(file)
}

// List returns the newest rows before one of this id (0: the newest), at most so
// many, and the id to go on from, 0 if that was all.
func (a *Audit) List(ctx context.Context, sale ropeline.SaleID, before int64, most int) (rows []AuditRow, next int64, err error) {
	if a.db == nil {
		return nil, 0, ErrAuditAway.Because(errNoDatabase)
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	found, err := a.db.Query(ctx, `
		select id, change, kind, sale_id, action, who, role, via, reason, detail, at, effective_at, entered_at
		from ops_audit where sale_id = $1 and ($2 = 0 or id < $2) order by id desc limit $3`, sale, before, most+1)
	if err != nil {
		return nil, 0, ErrAuditAway.Because(err)
	}
	rows, err = pgx.CollectRows(found, func(r pgx.CollectableRow) (row AuditRow, err error) {
		err = r.Scan(&row.ID, &row.Change, &row.Kind, &row.Sale, &row.Action, &row.Who, &row.Role, &row.Via, &row.Reason,
			&row.Detail, &row.At, &row.Effective, &row.Entered)
		return row, err
	})
	if err != nil {
		return nil, 0, ErrAuditAway.Because(err)
	}
	if len(rows) > most {
		rows = rows[:most]
		next = rows[most-1].ID
	}
	return rows, next, nil
}
