package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
)

// Dispute is an order whose buyer's bank wants the money back. Its tickets open no
// door before that is decided.
type Dispute struct {
	ID          string                 `json:"id"`
	Order       string                 `json:"order"`
	Performance ropeline.PerformanceID `json:"performance"`
	Sale        ropeline.SaleID        `json:"sale"`
	Payment     string                 `json:"payment" doc:"the provider's id of the payment"`
	Ref         string                 `json:"provider_dispute" doc:"and of the dispute, under which it is answered there"`
	State       payment.DisputeState   `json:"state" enum:"asked,open,won,lost" doc:"asked: no money has moved; open: it is away for now"`
	Amount      booking.Money          `json:"amount"`
	Reason      string                 `json:"reason" doc:"a word of the provider's"`
	Withdrawn   int64                  `json:"withdrawn" doc:"what the provider took from us for it"`
	Reinstated  int64                  `json:"reinstated" doc:"and gave us again"`
	Fee         booking.Money          `json:"fee" doc:"what the provider keeps for it, in the currency of our account there"`
	EvidenceDue *time.Time             `json:"evidence_due,omitempty" doc:"until when the provider takes our answer"`
	Void        int                    `json:"void_tickets" doc:"tickets of a dispute that was lost: their places can be released"`
	OpenedAt    time.Time              `json:"opened_at"`
	ChangedAt   time.Time              `json:"changed_at"`
}

func disputeAnswer(d order.Dispute) Dispute {
	answer := Dispute{ID: d.ID, Order: d.Order, Performance: d.Performance, Sale: d.Sale, Payment: d.Payment, Ref: d.Ref, State: d.State,
		Amount: d.Amount, Reason: d.Reason, Withdrawn: d.Withdrawn, Reinstated: d.Reinstated, Void: d.Void,
		Fee: booking.Money{Amount: d.Fee.Taken - d.Fee.Returned, Currency: d.Fee.Currency}, OpenedAt: d.OpenedAt, ChangedAt: d.Changed}
	if answer.Fee.Currency == "" { // nothing was moved yet
		answer.Fee.Currency = d.Amount.Currency
	}
	if !d.EvidenceDue.IsZero() {
		answer.EvidenceDue = &d.EvidenceDue
	}
	return answer
}

type gotDisputes struct {
	Body struct {
		Disputes []Dispute `json:"disputes" doc:"those that are not decided first, then the newest"`
		Next     string    `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	}
}

func (s *server) listDisputes(ctx context.Context, in *Page) (*gotDisputes, error) {
	found, next, err := s.orders.Disputes(ctx, in.of())
	if err != nil {
		return nil, err
	}
	out := &gotDisputes{}
	out.Body.Next = next
	out.Body.Disputes = make([]Dispute, len(found))
	for i, d := range found {
		out.Body.Disputes[i] = disputeAnswer(d)
	}
	return out, nil
}

// ReleaseRequest says why the places of a dispute that was lost are sold again.
type ReleaseRequest struct {
	Reason string `json:"reason" doc:"1 to 200 characters; no personal data"`
}

type releaseDispute struct {
	ID   string `path:"id" doc:"of the dispute"`
	Body ReleaseRequest
}

type gotDispute struct{ Body Dispute }

func (s *server) releaseDispute(ctx context.Context, in *releaseDispute) (*gotDispute, error) {
	switch {
	case !booking.IsID(in.ID):
		return nil, order.ErrDisputeUnknown
	case !isReason(in.Body.Reason):
		return nil, order.ErrReason
	}
	d, err := s.desk.Release(ctx, in.ID, by(ctx), in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &gotDispute{Body: disputeAnswer(d)}, nil
}
