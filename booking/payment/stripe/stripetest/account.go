package stripetest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// fee is what an account leaves to the platform of a payment.
type fee struct {
	id               string
	amount, returned int64
	refunds          []object
}

func (s *Server) accountJSON(id string) object {
	o := object{"id": id, "object": "account", "charges_enabled": s.accounts[id], "payouts_enabled": true, "details_submitted": true,
		"requirements": object{"disabled_reason": nil}}
	if !s.accounts[id] {
		o["requirements"] = object{"disabled_reason": "requirements.past_due"}
	}
	return o
}

// SetCharges lets an account take payments, or not any more.
func (s *Server) SetCharges(id string, can bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[id] = can
	s.cryOf(id, "account.updated", s.accountJSON(id), 1)
}

// Disconnect is what an organizer does who does not want us any more.
func (s *Server) Disconnect(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, id)
	s.cryOf(id, "account.application.deauthorized", object{"id": "ca_fake", "object": "application", "name": "us"}, 1)
}

// Earned is what the fees of all accounts came to.
func (s *Server) Earned() (earned int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.intents {
		if i.fee != nil && i.status == "succeeded" {
			earned += i.fee.amount - i.fee.returned
		}
	}
	return earned
}

func noAccess(id string) *reply {
	return refuse(http.StatusForbidden, "invalid_request_error", "account_invalid", "",
		"The provided key does not have access to account '"+id+"' (or that account does not exist).")
}

func (s *Server) readAccount(id string) *reply {
	if _, known := s.accounts[id]; !known {
		return noAccess(id)
	}
	return ok(s.accountJSON(id))
}

// feeRefunds lists what was given back of a fee, or gives back.
func (s *Server) feeRefunds(method, id string, form url.Values) *reply {
	n := slices.IndexFunc(s.fees, func(f *fee) bool { return f.id == id })
	if n < 0 {
		return refuse(http.StatusNotFound, "invalid_request_error", "resource_missing", "id", "No such application fee: '"+id+"'")
	}
	f := s.fees[n]
	if method == http.MethodGet {
		return page("/v1/application_fees/"+id+"/refunds", form, f.refunds)
	}
	amount, err := strconv.ParseInt(form.Get("amount"), 10, 64)
	if err != nil || amount <= 0 || amount > f.amount-f.returned {
		return refuse(http.StatusBadRequest, "invalid_request_error", "", "amount", "Refund amount is greater than unrefunded amount on fee")
	}
	f.returned += amount
	r := object{"id": s.id("fr"), "object": "fee_refund", "amount": amount, "fee": id, "metadata": metadata(form), "created": s.now().Unix()}
	f.refunds = append(f.refunds, r)
	return ok(r)
}
