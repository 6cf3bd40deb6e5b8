package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

var (
	errReasonMissing = &ropeline.Error{Kind: ropeline.Invalid, Code: "reason-missing",
		Detail: "Every change needs a reason of at most 500 characters and one line; that of a pause or a stop is shown to the fans."}

	// ErrAuditAway refuses what cannot be written down. What lets fewer people in
	// is done all the same, and written to a file first.
	ErrAuditAway = &ropeline.Error{Kind: ropeline.Unavailable, Code: "audit-away", RetryAfter: 5 * time.Second,
		Detail: "The database is away, so that nobody could be asked later who did this, and why. Until it is back you can pause, queue and stop sales, and lower cap and rate."}
)

func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" || len([]rune(reason)) > 500 || strings.ContainsFunc(reason, unicode.IsControl) {
		return errReasonMissing
	}
	return nil
}

// act is something that a member of staff does. Every staff route that changes
// something does it with Ops.audited.
type act struct {
	sale   ropeline.SaleID // "" for what is of no sale
	action string          // one word or two: "steer", "end session"
	reason string
	wanted any // goes into the audit as it is: what was asked for

	// urgent may be done while nobody can write to the database: it lets fewer
	// people in.
	urgent bool

	// do does it and says what came of it. The id is the change's: a script that
	// knows it again makes no change twice. Its time is Redis's, if it has one.
	do func(ctx context.Context, id string) (outcome any, at time.Time, err error)
}

// audited does something that staff asks for: it writes down what is intended,
// does it, and writes down what came of it. What was done is never answered as an
// error because the last could not be written.
func (o *Ops) audited(r *http.Request, a act) error {
	if err := checkReason(a.reason); err != nil {
		return err
	}
	wanted, err := json.Marshal(a.wanted)
	if err != nil {
		return fmt.Errorf("writing what is intended: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("naming a change: %w", err)
	}
	m := member(r)
	row := AuditRow{Change: id.String(), Kind: Intended, Sale: a.sale, Action: a.action, Who: m.Name, Role: m.Role,
		Reason: a.reason, Detail: wanted, At: time.Now().UTC()}
	if err := o.intend(r.Context(), row, a.urgent); err != nil {
		return err
	}
	// Whoever gives up waiting does not undo it: what came of it is written down.
	ctx := context.WithoutCancel(r.Context())
	outcome, at, err := a.do(ctx, row.Change)
	if errors.Is(o.cameOf(ctx, row, outcome, at, err), errLimitsTaken) {
		err = queue.ErrLimitsChanged
		_ = o.cameOf(ctx, row, outcome, at, err)
	}
	return err
}

// intend writes the first row. While the database is away only what is urgent
// may go on.
func (o *Ops) intend(ctx context.Context, row AuditRow, urgent bool) error {
	var err error
	if urgent {
		err = o.audit.keep(ctx, row)
	} else {
		err = o.audit.enter(ctx, row)
	}
	if err != nil {
		return ErrAuditAway.Because(err)
	}
	return nil
}

// cameOf writes the second row of a change. An error may hide that it was made:
// the row says which error it was. It returns what the row was not written for.
func (o *Ops) cameOf(ctx context.Context, row AuditRow, outcome any, at time.Time, err error) error {
	row.Kind, row.At = Effective, time.Now().UTC()
	if !at.IsZero() {
		row.Effective = &at
	}
	if came, ok := outcome.(steered); ok && err == nil {
		row.Limits = came.kept
	}
	if err != nil {
		row.Kind, outcome = Refused, why(err)
	}
	detail, failed := json.Marshal(outcome)
	if failed == nil {
		row.Detail = detail
		failed = o.audit.keep(ctx, row)
	}
	if errors.Is(failed, errLimitsTaken) {
		return failed
	}
	if failed != nil {
		o.log.Error("what came of a change is written down here only", "change", row, "err", failed)
	}
	o.log.Info("staff "+row.Action, "who", row.Who, "sale", row.Sale, "kind", row.Kind, "reason", row.Reason, "detail", string(row.Detail))
	return failed
}

// refusal is the detail of a row that says why.
type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func why(err error) refusal {
	problem, _ := ropeline.ProblemOf(err)
	if e, ok := errors.AsType[*ropeline.Error](err); ok {
		return refusal{e.Code, problem.Detail}
	}
	return refusal{"internal", err.Error()}
}
