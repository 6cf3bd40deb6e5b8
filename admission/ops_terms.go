package admission

import (
	"context"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/terms"
)

// Terms make versions of the terms of sales. What a sale sells is the booking
// core's to say, so this part is given them.
type Terms interface {
	// Terms are the newest version of a sale, and what the next would change.
	Terms(ctx context.Context, sale ropeline.SaleID) (TermsState, error)
	// PublishTerms tells the line what the database says of a sale, as a new version
	// if it is other than the newest, which must be the expected one. The reason is
	// told to the fans.
	PublishTerms(ctx context.Context, sale ropeline.SaleID, expect int, reason string) (TermsState, error)
}

// TermsState is how far the terms of a sale are published.
type TermsState struct {
	Version int            `json:"version"` // 0: none is published
	Hash    string         `json:"hash,omitempty"`
	At      *time.Time     `json:"at,omitempty"`
	Reason  string         `json:"reason,omitempty"` // of its changes, as fans read it
	Changes []terms.Change `json:"changes"`          // against the version before
	Pending []terms.Change `json:"pending"`          // what the database says now, and no version does yet
	Fresh   bool           `json:"fresh,omitempty"`  // the version was just made
}

var (
	errTermsAway = &ropeline.Error{Kind: ropeline.Unavailable, Code: "terms-away", RetryAfter: time.Minute,
		Detail: "This installation's admission part has no terms.key or no database; ropeline publish makes versions where they are."}
	errExpectTerms = &ropeline.Error{Kind: ropeline.Invalid, Code: "expect-missing",
		Detail: "Say in expect which version of the terms you saw, 0 for none."}
)

// WithTerms lets staff publish the terms of sales.
func (o *Ops) WithTerms(t Terms) *Ops {
	o.terms = t
	return o
}

func (o *Ops) showTerms(w http.ResponseWriter, r *http.Request) error {
	if o.terms == nil {
		return errTermsAway
	}
	state, err := o.terms.Terms(r.Context(), ropeline.SaleID(r.PathValue("sale")))
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, state)
}

// publishTerms makes the next version. Whoever stands in line keeps the one that
// they joined under, and is told what changed.
func (o *Ops) publishTerms(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Expect *int   `json:"expect"`
		Reason string `json:"reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if o.terms == nil {
		return errTermsAway
	}
	if body.Expect == nil || *body.Expect < 0 {
		return errExpectTerms
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if _, err := o.terms.Terms(r.Context(), sale); err != nil { // a sale that is not there is in no audit
		return err
	}
	var state TermsState
	err := o.audited(r, act{sale: sale, action: "publish terms", reason: body.Reason, wanted: body,
		do: func(ctx context.Context, _ string) (_ any, _ time.Time, err error) {
			state, err = o.terms.PublishTerms(ctx, sale, *body.Expect, body.Reason)
			return map[string]any{"version": state.Version, "hash": state.Hash, "fresh": state.Fresh}, time.Time{}, err
		}})
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, state)
}
