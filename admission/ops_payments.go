package admission

import (
	"context"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
)

// Payments tell which payments staff should know of. What money and orders are is
// the booking core's to say, so this part is given them.
type Payments interface {
	// Troubles are those about which somebody has to do something, and then the
	// others, the newest first, as many as one can read.
	Troubles(ctx context.Context) ([]PaymentTrouble, error)
}

// PaymentTrouble is a payment that did not come together with its tickets.
type PaymentTrouble struct {
	Kind        string                 `json:"kind"`  // late, unknown, unpaid or amount
	State       string                 `json:"state"` // open and failed: somebody has to do something
	Sale        ropeline.SaleID        `json:"sale,omitempty"`
	Performance ropeline.PerformanceID `json:"performance,omitempty"`
	Attempt     string                 `json:"attempt"`
	Payment     string                 `json:"payment"` // the provider's id
	Amount      PaymentAmount          `json:"amount"`
	At          time.Time              `json:"at"`
	ChangedAt   time.Time              `json:"changed_at"`
}

// PaymentAmount is an amount in minor units.
type PaymentAmount struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

var errPaymentsAway = &ropeline.Error{Kind: ropeline.Unavailable, Code: "payments-away", RetryAfter: time.Minute,
	Detail: "This installation's admission part has no database; the booking core's is where payments are."}

// WithPayments lets staff see payments.
func (o *Ops) WithPayments(p Payments) *Ops {
	o.payments = p
	return o
}

func (o *Ops) listPayments(w http.ResponseWriter, r *http.Request) error {
	if o.payments == nil {
		return errPaymentsAway
	}
	found, err := o.payments.Troubles(r.Context())
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, struct {
		Payments []PaymentTrouble `json:"payments"`
	}{append([]PaymentTrouble{}, found...)})
}
