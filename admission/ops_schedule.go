package admission

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// readReason reads a body that is a reason and nothing else.
func readReason(w http.ResponseWriter, r *http.Request) (string, error) {
	var body struct {
		Reason string `json:"reason"`
	}
	err := ropeline.ReadJSON(w, r, &body)
	return body.Reason, err
}

func (o *Ops) listSchedule(w http.ResponseWriter, r *http.Request) error {
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	// What was planned and made stays in sight for a while; the audit has all.
	rows, err := o.schedule.planned(r.Context(), `sale_id = $1 and (state = 'planned' or closed_at > now() - interval '1 day') order by at limit 500`, sale)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, struct {
		Planned []Planned `json:"planned"`
	}{append([]Planned{}, rows...)})
}

// plan plans a change for a time to come.
func (o *Ops) plan(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		At     time.Time         `json:"at"`
		Set    queue.Settings    `json:"set"`
		Preset string            `json:"preset"`
		Reason string            `json:"reason"`
		Public map[string]string `json:"public_reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	sale, err := o.store.Sale(r.Context(), ropeline.SaleID(r.PathValue("sale")))
	if err != nil {
		return err
	}
	set, err := o.wanted(r.Context(), sale, body.Set, body.Preset)
	if err != nil {
		return err
	}
	if err := queue.CheckPublic(body.Public); err != nil {
		return err
	}
	state, err := o.store.State(r.Context(), sale.ID)
	if err != nil {
		return err
	}
	if !body.At.After(state.Now) || body.At.After(state.Now.AddDate(1, 0, 0)) {
		return errScheduleTime
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("naming a planned change: %w", err)
	}
	m := member(r)
	p := Planned{ID: id.String(), Sale: sale.ID, At: body.At.UTC(), Set: set, Reason: body.Reason, Public: body.Public, Who: m.Name, Role: m.Role, State: "planned"}
	err = o.audited(r, act{sale: sale.ID, action: "plan", reason: body.Reason, wanted: p,
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			return map[string]string{"id": p.ID}, time.Time{}, o.schedule.add(ctx, p)
		}})
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusCreated, p)
}

func (o *Ops) cancel(w http.ResponseWriter, r *http.Request) error {
	reason, err := readReason(w, r)
	if err != nil {
		return err
	}
	sale, id := ropeline.SaleID(r.PathValue("sale")), r.PathValue("id")
	if err := o.known(r, sale); err != nil {
		return err
	}
	err = o.audited(r, act{sale: sale, action: "cancel", reason: reason, wanted: map[string]string{"id": id},
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			return map[string]string{"id": id}, time.Time{}, o.schedule.cancel(ctx, sale, id)
		}})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

var errPageInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "page-invalid", Detail: "Give limit from 1 to 500, and before as the page before told as next."}

// listAudit answers with a page of the audit of a sale, the newest first.
func (o *Ops) listAudit(w http.ResponseWriter, r *http.Request) error {
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	before, most := int64(0), int64(auditPage)
	for name, into := range map[string]*int64{"before": &before, "limit": &most} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 1 {
				return errPageInvalid
			}
			*into = n
		}
	}
	if most > auditPageMost {
		return errPageInvalid
	}
	rows, next, err := o.audit.List(r.Context(), sale, before, int(most))
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, struct {
		Rows []AuditRow `json:"rows"`
		Next int64      `json:"next,omitempty"` // before of the next page
	}{append([]AuditRow{}, rows...), next})
}
