package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/auto"
	"github.com/ropeline/ropeline/queue"
)

// steering is what staff asks for.
type steering struct {
	Set    queue.Settings `json:"set,omitzero"`
	Preset string         `json:"preset,omitempty"` // instead of set
	Expect queue.Settings `json:"expect"`           // as it was seen
	Reason string         `json:"reason"`
	// Public is the reason in words for everybody, by language: then Reason is the
	// staff's alone.
	Public map[string]string `json:"public_reason,omitempty"`
}

var (
	errExpectMissing = &ropeline.Error{Kind: ropeline.Invalid, Code: "expect-missing",
		Detail: "Say in expect what you saw of everything that you change, or the version."}
	errPresetOrSet = &ropeline.Error{Kind: ropeline.Invalid, Code: "setting-invalid",
		Detail: "Give either set or the name of a preset."}
)

// seen reports whether an expectation covers a change, so that two who steer at
// once do not undo each other's. The automatic mode moves the rate all the time:
// whoever expects its settings need not have seen the rate.
func seen(set, expect queue.Settings) bool {
	if expect.Version != nil {
		return true
	}
	fields := expect.Fields()
	return !slices.ContainsFunc(set.Fields(), func(f string) bool {
		return !slices.Contains(fields, f) && (f != "rate" || !slices.Contains(fields, "auto"))
	})
}

// restrains reports whether a change lets fewer people in, whatever else is so:
// that is done even while nobody can write down who did it.
func restrains(set, expect queue.Settings) bool {
	lower := func(to, from *int64) bool { return to == nil || from != nil && *to <= *from }
	return !slices.ContainsFunc(set.Fields(), func(f string) bool { return f != "cap" && f != "rate" && f != "mode" }) &&
		(set.Mode == nil || slices.Contains([]ropeline.Mode{ropeline.ModePause, ropeline.ModeQueue, ropeline.ModeStop}, *set.Mode)) &&
		lower(set.Cap, expect.Cap) && lower(set.Rate, expect.Rate)
}

// steer changes limits of a sale.
func (o *Ops) steer(w http.ResponseWriter, r *http.Request) error {
	var body steering
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	sale, err := o.store.Sale(r.Context(), ropeline.SaleID(r.PathValue("sale")))
	if err != nil {
		return err
	}
	if body.Set, err = o.wanted(r.Context(), sale, body.Set, body.Preset); err != nil {
		return err
	}
	if !seen(body.Set, body.Expect) {
		return errExpectMissing
	}
	if err := queue.CheckPublic(body.Public); err != nil {
		return err
	}
	var came queue.Steered
	var change string
	err = o.audited(r, act{
		sale: sale.ID, action: "steer", reason: body.Reason, wanted: body, urgent: restrains(body.Set, body.Expect),
		do: func(ctx context.Context, id string) (_ any, _ time.Time, err error) {
			change = id
			came, err = steerOnce(ctx, o.store, sale.ID, queue.Change{ID: id, Set: body.Set, Expect: body.Expect, By: member(r).Role, Reason: body.Reason, Public: body.Public})
			return steered{Was: came.Was, Now: came.Now, kept: came.Kept}, came.At, err
		},
	})
	if came.Kept != nil {
		o.confirm(r.Context(), sale.ID, *came.Kept, err == nil)
	}
	if errors.Is(err, queue.ErrLimitsChanged) {
		if came.Kept != nil { // it was made, and undone: another one is kept in its place
			if state, err := o.store.State(r.Context(), sale.ID); err == nil {
				came.Now = state.Of(queue.AllSettings)
			}
		}
		return writeConflict(w, err, came.Now)
	}
	if err != nil {
		return err
	}
	answer := steerAnswer{Change: change, At: came.At, steered: steered{Was: came.Was, Now: came.Now}}
	if l, err := o.look(r.Context(), sale.ID); err == nil { // what was done is done, seen or not
		answer.Live = &l
	}
	return ropeline.WriteJSON(w, http.StatusOK, answer)
}

// steerAnswer is what came of a change.
type steerAnswer struct {
	Change string    `json:"change"`
	At     time.Time `json:"at"` // by Redis's clock
	steered
	Live *live `json:"live,omitempty"` // the sale after it
}

// wanted is what is to be set: what is given, or a preset's.
func (o *Ops) wanted(ctx context.Context, sale ropeline.Sale, set queue.Settings, name string) (queue.Settings, error) {
	if name != "" {
		if len(set.Fields()) > 0 {
			return set, errPresetOrSet
		}
		preset, err := o.presets.find(ctx, name)
		if err != nil {
			return set, err
		}
		set = preset.of(sale)
	}
	if err := checkSettings(set); err != nil {
		return set, err
	}
	return set, o.mayFly(ctx, sale.ID, set)
}

// Plans say what organizers' plans allow. That is the booking core's to say, so this part
// is given them.
type Plans interface {
	// Automatic refuses the automatic mode for a sale whose plan does not have it.
	Automatic(ctx context.Context, sale ropeline.SaleID) error
}

// WithPlans asks organizers' plans before the automatic mode is switched on.
func (o *Ops) WithPlans(p Plans) *Ops {
	o.plans = p
	return o
}

// mayFly asks the plan when the automatic mode is to be switched on. Where it is on it
// stays on and may be tuned, whatever became of the plan; and nobody who steers a sale waits for a
// database that is away.
func (o *Ops) mayFly(ctx context.Context, sale ropeline.SaleID, set queue.Settings) error {
	if wants, err := auto.Parse(set.Auto); err != nil || !wants.On || o.plans == nil {
		return err
	}
	state, err := o.store.State(ctx, sale)
	if err != nil {
		return err
	}
	if is, err := auto.Parse([]byte(state.Auto)); err == nil && is.On {
		return nil
	}
	err = o.plans.Automatic(ctx, sale)
	if errors.Is(err, ropeline.ErrStoreAway) {
		o.log.Warn("switching the automatic mode on without asking the plan", "sale", sale, "err", err)
		return nil
	}
	return err
}

// steered is what the audit says of a change that was made.
type steered struct {
	Was queue.Settings `json:"was"`
	Now queue.Settings `json:"now"`

	kept *queue.LimitChange // goes into the row's own column
}

// confirm makes sure that what the audit has of a change is in force, before the change
// is answered: the change itself, or the one that is kept in its place. A server that
// cannot be asked now is compared when it is back.
func (o *Ops) confirm(ctx context.Context, sale ropeline.SaleID, c queue.LimitChange, kept bool) {
	looks := o.store.ConfirmLimits
	if !kept {
		looks = o.store.UndoLimits
	}
	if err := looks(context.WithoutCancel(ctx), sale, c); err != nil {
		o.log.Warn("looking whether a change of the limits is in force", "sale", sale, "version", c.Version, "kept", kept, "err", err)
	}
}

// steerOnce asks a second time if the answer to the first was lost: the same
// change is made once.
func steerOnce(ctx context.Context, store *queue.Store, sale ropeline.SaleID, c queue.Change) (queue.Steered, error) {
	came, err := store.Steer(ctx, sale, c)
	if errors.Is(err, ropeline.ErrStoreAway) {
		return store.Steer(ctx, sale, c)
	}
	return came, err
}

// conflict is the problem document for whoever comes second, with the settings
// as they are.
type conflict struct {
	ropeline.Problem
	Now queue.Settings `json:"now"`
}

func writeConflict(w http.ResponseWriter, err error, now queue.Settings) error {
	problem, _ := ropeline.ProblemOf(err)
	body, err := json.Marshal(conflict{problem, now})
	if err != nil {
		return fmt.Errorf("writing a conflict: %w", err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(problem.Status)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// checkSettings refuses settings that no sale can have, those of the automatic mode
// among them.
func checkSettings(set queue.Settings) error {
	if err := set.Check(); err != nil {
		return err
	}
	_, err := auto.Parse(set.Auto)
	return err
}
