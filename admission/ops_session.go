package admission

import (
	"context"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
)

// revoked is what came of the end of a session.
type revoked struct {
	Session string `json:"session"`
	// Acknowledged says that every gate refuses it and its slot is free; else both
	// come about when its last token has expired, or its payment is over.
	Acknowledged bool `json:"acknowledged"`
}

// reenter gives the fan of a session that the shop failed a re-entry pass: staff
// with a reason, or the backend of a shop whose proxy does not see it fail.
func (o *Ops) reenter(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	sale, session := ropeline.SaleID(r.PathValue("sale")), r.PathValue("id")
	if err := o.known(r, sale); err != nil {
		return err
	}
	err := o.audited(r, act{sale: sale, action: "grant re-entry", reason: body.Reason, wanted: map[string]string{"session": session},
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			return struct{}{}, time.Time{}, o.store.Grant(ctx, sale, session, true)
		}})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revoke ends somebody's session: staff with a reason, or the backend of a shop
// whose fan is done. Every gate knows within a second.
func (o *Ops) revoke(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Reason string `json:"reason"`
		Force  bool   `json:"force"` // though it holds something or pays
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	sale, session := ropeline.SaleID(r.PathValue("sale")), r.PathValue("id")
	if err := o.known(r, sale); err != nil {
		return err
	}
	came := revoked{Session: session}
	err := o.audited(r, act{sale: sale, action: "end session", reason: body.Reason, urgent: true,
		wanted: map[string]any{"session": session, "force": body.Force},
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			var err error
			came.Acknowledged, err = o.store.EndSession(ctx, sale, session, body.Force)
			return came, time.Time{}, err
		}})
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, came)
}
