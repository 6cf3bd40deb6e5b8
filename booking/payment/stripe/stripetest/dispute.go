package stripetest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// disputeFee is what a dispute costs, in minor units.
const disputeFee = 1500

// dispute is one of an intent.
type dispute struct {
	id, status string
	of         *intent
	made       time.Time
	moves      []object // balance transactions
}

func (d *dispute) json(expand bool) object {
	o := object{"id": d.id, "object": "dispute", "amount": d.of.amount, "currency": d.of.currency, "charge": d.of.charge,
		"payment_intent": d.of.id, "reason": "fraudulent", "status": d.status, "metadata": object{}, "created": d.made.Unix(),
		"livemode": false, "is_charge_refundable": d.status == "warning_needs_response", "balance_transactions": slices.Clone(d.moves),
		"evidence_details": object{"due_by": d.made.Add(7 * 24 * time.Hour).Unix(), "has_evidence": false, "past_due": false, "submission_count": 0}}
	if expand {
		o["payment_intent"] = d.of.json(false)
	}
	return o
}

// move has money of a dispute go one way.
func (s *Server) move(d *dispute, amount, fee int64) {
	d.moves = append(d.moves, object{"id": s.id("txn"), "object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee,
		"currency": d.of.currency, "type": "adjustment", "reporting_category": "dispute", "created": s.now().Unix()})
}

// dispute has the fan's bank ask for a payment. The events come in no order that
// counts: what moved is told before there is a dispute.
func (s *Server) dispute(i *intent) {
	d := &dispute{id: s.id("dp"), status: "warning_needs_response", of: i, made: s.now(), moves: []object{}}
	s.disputes = append(s.disputes, d)
	if i.method != Inquiry {
		s.withdraw(d)
		s.cry(i, "charge.dispute.funds_withdrawn", d.json(false))
	}
	s.cry(i, "charge.dispute.created", d.json(false))
}

func (s *Server) withdraw(d *dispute) {
	d.status = "needs_response"
	s.move(d, -d.of.amount, disputeFee)
}

// isDisputed says that the money of an intent is away.
func (s *Server) isDisputed(i *intent) bool {
	return slices.ContainsFunc(s.disputes, func(d *dispute) bool {
		return d.of == i && (d.status == "needs_response" || d.status == "lost")
	})
}

// Judge decides the dispute of an intent. An inquiry that is lost becomes a dispute
// first.
func (s *Server) Judge(id string, won bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.disputes, func(d *dispute) bool { return d.of.id == id })
	if n < 0 {
		return fmt.Errorf("payment intent %s is in no dispute", id)
	}
	d := s.disputes[n]
	switch {
	case d.status == "warning_needs_response" && won:
		d.status = "warning_closed"
	case d.status == "needs_response" && won:
		d.status = "won"
		s.move(d, d.of.amount, 0)
		s.cry(d.of, "charge.dispute.funds_reinstated", d.json(false))
	case d.status == "warning_needs_response":
		s.withdraw(d)
		s.cry(d.of, "charge.dispute.funds_withdrawn", d.json(false))
		d.status = "lost"
	case d.status == "needs_response":
		d.status = "lost"
	default:
		return fmt.Errorf("dispute %s is %s", d.id, d.status)
	}
	s.cry(d.of, "charge.dispute.closed", d.json(false))
	return nil
}

// readDisputes answers for one of them, or lists them.
func (s *Server) readDisputes(account string, path []string, form url.Values) *reply {
	if len(path) == 1 {
		n := slices.IndexFunc(s.disputes, func(d *dispute) bool { return d.id == path[0] && d.of.account == account })
		if n < 0 {
			return refuse(http.StatusNotFound, "invalid_request_error", "resource_missing", "dispute", "No such dispute: '"+path[0]+"'")
		}
		return ok(s.disputes[n].json(expands(form, "payment_intent")))
	}
	from, _ := strconv.ParseInt(form.Get("created[gte]"), 10, 64)
	var found []object
	for _, d := range slices.Backward(s.disputes) {
		if d.of.account == account && d.made.Unix() >= from {
			found = append(found, d.json(expands(form, "data.payment_intent")))
		}
	}
	return page("/v1/disputes", form, found)
}
