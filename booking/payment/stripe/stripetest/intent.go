package stripetest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// intent is a PaymentIntent with its latest charge.
type intent struct {
	id, charge, currency, status, method, back, reason string
	account                                            string // whose it is; empty: the platform's
	fee                                                *fee
	amount, received, refunded                         int64
	failed                                             string // code of the last payment error
	made                                               time.Time
	metadata                                           map[string]string
}

// json is how Stripe writes it.
func (i *intent) json(expand bool) object {
	o := object{
		"id": i.id, "object": "payment_intent", "amount": i.amount, "amount_received": i.received, "currency": i.currency,
		"status": i.status, "created": i.made.Unix(), "metadata": i.metadata, "capture_method": "manual", "livemode": false,
		"client_secret": i.id + "_secret_fake", "payment_method_types": []string{"card"}, "cancellation_reason": nil,
		"last_payment_error": nil, "latest_charge": nil, "next_action": nil, "amount_capturable": 0, "payment_method": nil,
	}
	if i.failed != "" {
		o["last_payment_error"] = object{"type": "card_error", "code": i.failed}
	} else if i.method != "" {
		o["payment_method"] = i.method
	}
	if i.status == "requires_capture" {
		o["amount_capturable"] = i.amount
	}
	if i.reason != "" {
		o["cancellation_reason"] = i.reason
	}
	if i.status == "requires_action" {
		o["next_action"] = object{"type": "redirect_to_url",
			"redirect_to_url": object{"url": "https://hooks.stripe.com/fake/" + i.id, "return_url": i.back}}
	}
	if i.charge != "" {
		o["latest_charge"] = i.charge
		if expand {
			o["latest_charge"] = object{"id": i.charge, "object": "charge", "amount": i.amount, "amount_captured": i.received,
				"amount_refunded": i.refunded, "captured": i.received > 0, "currency": i.currency, "payment_intent": i.id,
				"application_fee": nil, "payment_method_details": object{"type": "card", "card": object{"fingerprint": "fp_" + i.method}}}
			if i.fee != nil {
				o["latest_charge"].(object)["application_fee"] = i.fee.id
			}
		}
	}
	return o
}

// become moves an intent on, and tells.
func (s *Server) become(i *intent, status string) {
	i.status = status
	about := map[string]string{
		"requires_capture": "amount_capturable_updated", "succeeded": "succeeded", "canceled": "canceled",
		"requires_action": "requires_action", "requires_payment_method": "payment_failed",
	}[status]
	s.cry(i, "payment_intent."+about, i.json(false))
}

func (s *Server) findOf(account, id string) *intent {
	if i := s.find(id); i != nil && i.account == account {
		return i
	}
	return nil
}

func (s *Server) find(id string) *intent {
	for _, i := range s.intents {
		if i.id == id {
			return i
		}
	}
	return nil
}

// lapse lets go of what was reserved for too long.
func (s *Server) lapse() {
	for _, i := range s.intents {
		if i.status == "requires_capture" && s.now().Sub(i.made) >= authorization {
			i.reason, i.refunded = "automatic", i.amount
			s.become(i, "canceled")
		}
	}
}

var amountShape = regexp.MustCompile(`^[1-9][0-9]{0,7}$`)

func (s *Server) create(account string, form url.Values) *reply {
	method, confirm := form.Get("payment_method"), form.Get("confirm") == "true"
	if !amountShape.MatchString(form.Get("amount")) {
		return refuse(http.StatusBadRequest, "invalid_request_error", "parameter_invalid_integer", "amount", "Invalid integer")
	}
	if form.Get("capture_method") != "manual" {
		return refuse(http.StatusBadRequest, "invalid_request_error", "", "capture_method", "this fake knows manual capture only")
	}
	if confirm && !slices.Contains([]string{Visa, Declined, Action, ActionBad, Disputed, Inquiry, Timeout, Error, Lost, CaptureLost, Twice, Early, SavedFailure}, method) {
		return refuse(http.StatusBadRequest, "invalid_request_error", "resource_missing", "payment_method", "No such PaymentMethod: '"+method+"'")
	}
	if account != "" && !s.accounts[account] {
		return refuse(http.StatusBadRequest, "invalid_request_error", "", "", "Your account cannot currently make live charges.")
	}
	if form.Get("application_fee_amount") != "" && account == "" {
		return refuse(http.StatusBadRequest, "invalid_request_error", "", "application_fee_amount", "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment.")
	}
	if method == Error {
		return &reply{status: http.StatusOK, lost: true, unkept: true}
	}
	amount, _ := strconv.ParseInt(form.Get("amount"), 10, 64)
	i := &intent{id: s.id("pi"), amount: amount, currency: form.Get("currency"), status: "requires_payment_method", method: method,
		back: form.Get("return_url"), made: s.now(), metadata: metadata(form), account: account}
	if n, _ := strconv.ParseInt(form.Get("application_fee_amount"), 10, 64); n > 0 {
		i.fee = &fee{id: s.id("fee"), amount: n}
		s.fees = append(s.fees, i.fee)
	}
	s.intents = append(s.intents, i)
	if !confirm {
		return ok(i.json(expands(form, "latest_charge")))
	}
	return s.confirm(i, form)
}

func (s *Server) confirm(i *intent, form url.Values) *reply {
	expand := expands(form, "latest_charge")
	switch i.method {
	case Declined:
		return s.decline(i, "card_declined")
	case Action, ActionBad:
		if form.Get("error_on_requires_action") == "true" {
			return s.decline(i, "authentication_required")
		}
		s.become(i, "requires_action")
		return ok(i.json(expand))
	}
	i.charge = s.id("ch")
	s.become(i, "requires_capture")
	a := ok(i.json(expand))
	switch i.method {
	case Lost:
		a.lost = true
	case Timeout:
		a.hang = true
	case Early:
		a.early = true
	case SavedFailure:
		a.status, a.body = http.StatusInternalServerError, object{"error": object{"type": "api_error", "message": "An unknown error occurred"}}
	}
	return a
}

// decline fails a payment. Stripe keeps the answer.
func (s *Server) decline(i *intent, code string) *reply {
	i.failed = code
	if code != "authentication_required" {
		i.charge = s.id("ch")
	}
	s.become(i, "requires_payment_method")
	return &reply{status: http.StatusPaymentRequired, body: object{"error": object{
		"type": "card_error", "code": code, "decline_code": "generic_decline", "message": "Your card was declined.", "payment_intent": i.json(false)}}}
}

// Confirm is what the fan does on Stripe's page.
func (s *Server) Confirm(id string, yes bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(id)
	if i == nil || i.status != "requires_action" {
		return fmt.Errorf("payment intent %s does not wait for the fan", id)
	}
	switch {
	case !yes:
		s.decline(i, "payment_intent_authentication_failure")
	case i.method == ActionBad:
		s.decline(i, "card_declined")
	default:
		i.charge = s.id("ch")
		s.become(i, "requires_capture")
	}
	return nil
}

// Retry is what a fan's browser can do with the client secret: pay with another
// card after the first one was declined.
func (s *Server) Retry(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(id)
	if i == nil || i.status != "requires_payment_method" {
		return errors.New("there is nothing to pay")
	}
	i.failed, i.charge, i.method = "", s.id("ch"), Visa
	s.become(i, "requires_capture")
	return nil
}

func (s *Server) capture(i *intent, form url.Values) *reply {
	if i.status != "requires_capture" {
		return unexpected(i)
	}
	i.received = i.amount
	s.become(i, "succeeded")
	if i.method == Disputed || i.method == Inquiry {
		s.dispute(i)
	}
	a := ok(i.json(expands(form, "latest_charge")))
	a.lost = i.method == CaptureLost
	return a
}

func (s *Server) cancel(i *intent, form url.Values) *reply {
	switch i.status {
	case "requires_payment_method", "requires_capture", "requires_confirmation", "requires_action":
	default:
		return unexpected(i)
	}
	if i.status == "requires_capture" {
		i.refunded = i.amount // so the charge says
	}
	// Whether the last error outlives this, Stripe does not promise: it does not.
	i.reason, i.failed = form.Get("cancellation_reason"), ""
	s.become(i, "canceled")
	return ok(i.json(expands(form, "latest_charge")))
}

// unexpected is what Stripe says of an intent in the wrong state.
func unexpected(i *intent) *reply {
	a := refuse(http.StatusBadRequest, "invalid_request_error", "payment_intent_unexpected_state", "",
		"This PaymentIntent has a status of "+i.status+".")
	a.body.(object)["error"].(object)["payment_intent"] = i.json(false)
	a.unkept = false
	return a
}

func (s *Server) list(account string, form url.Values) *reply {
	from, _ := strconv.ParseInt(form.Get("created[gte]"), 10, 64)
	var found []object
	for _, i := range slices.Backward(s.intents) { // newest first
		if i.account == account && i.made.Unix() >= from {
			found = append(found, i.json(expands(form, "data.latest_charge")))
		}
	}
	return page("/v1/payment_intents", form, found)
}

var queryShape = regexp.MustCompile(`^metadata\['(\w+)'\]:'([\w-]+)'$`)

func (s *Server) search(account string, form url.Values) *reply {
	query := queryShape.FindStringSubmatch(form.Get("query"))
	if query == nil {
		return refuse(http.StatusBadRequest, "invalid_request_error", "", "query", "We were unable to parse your search query.")
	}
	found := []object{}
	for _, i := range s.intents {
		if i.account == account && i.metadata[query[1]] == query[2] && s.now().Sub(i.made) >= searchBehind {
			found = append(found, i.json(false))
		}
	}
	return ok(object{"object": "search_result", "url": "/v1/payment_intents/search", "has_more": false, "data": found})
}

// page is a part of a list.
func page(path string, form url.Values, all []object) *reply {
	limit, err := strconv.Atoi(form.Get("limit"))
	if err != nil {
		limit = 10
	}
	if after := form.Get("starting_after"); after != "" {
		n := slices.IndexFunc(all, func(o object) bool { return o["id"] == after })
		all = all[n+1:]
	}
	more := len(all) > limit
	if more {
		all = all[:limit]
	}
	if all == nil {
		all = []object{}
	}
	return ok(object{"object": "list", "url": path, "has_more": more, "data": all})
}

func metadata(form url.Values) map[string]string {
	m := map[string]string{}
	for name, values := range form {
		if key, ok := strings.CutPrefix(name, "metadata["); ok {
			m[strings.TrimSuffix(key, "]")] = values[0]
		}
	}
	return m
}

// refund is one of an intent.
type refund struct {
	id       string
	of       *intent
	amount   int64
	made     time.Time
	metadata map[string]string
	failed   bool
}

func (r *refund) json() object {
	o := object{"id": r.id, "object": "refund", "amount": r.amount, "currency": r.of.currency, "charge": r.of.charge,
		"payment_intent": r.of.id, "status": "succeeded", "created": r.made.Unix(), "metadata": r.metadata}
	if r.failed {
		o["status"], o["failure_reason"] = "failed", "lost_or_stolen_card"
	}
	return o
}

func (s *Server) refund(account string, form url.Values) *reply {
	i := s.findOf(account, form.Get("payment_intent"))
	amount, err := strconv.ParseInt(form.Get("amount"), 10, 64)
	switch {
	case i == nil:
		return refuse(http.StatusNotFound, "invalid_request_error", "resource_missing", "payment_intent", "No such payment_intent")
	case i.status != "succeeded":
		return unexpected(i)
	case err != nil || amount <= 0:
		return refuse(http.StatusBadRequest, "invalid_request_error", "parameter_invalid_integer", "amount", "Invalid positive integer")
	case s.isDisputed(i):
		return refuse(http.StatusBadRequest, "invalid_request_error", "charge_disputed", "", "Charge has been charged back; cannot issue a refund.")
	case i.refunded == i.amount:
		return refuse(http.StatusBadRequest, "invalid_request_error", "charge_already_refunded", "", "Charge has already been refunded.")
	case i.refunded+amount > i.amount:
		return refuse(http.StatusBadRequest, "invalid_request_error", "", "amount", "Refund amount is greater than unrefunded amount on charge")
	}
	return ok(s.giveBack(i, amount, metadata(form)).json())
}

// giveBack makes a refund.
func (s *Server) giveBack(i *intent, amount int64, metadata map[string]string) *refund {
	i.refunded += amount
	r := &refund{id: s.id("re"), of: i, amount: amount, made: s.now(), metadata: metadata}
	s.refunds = append(s.refunds, r)
	s.cry(i, "refund.created", r.json())
	return r
}

// RefundByHand is what somebody does on Stripe's dashboard.
func (s *Server) RefundByHand(id string, amount int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(id)
	if i == nil || i.status != "succeeded" || i.refunded+amount > i.amount {
		return fmt.Errorf("%d of payment intent %s cannot be given back", amount, id)
	}
	s.giveBack(i, amount, map[string]string{})
	return nil
}

// SendBack has a refund fail that had succeeded, as banks do days later. Stripe tells of
// that in two events.
func (s *Server) SendBack(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.refunds, func(r *refund) bool { return r.id == id && !r.failed })
	if n < 0 {
		return fmt.Errorf("refund %s is not there, or has failed", id)
	}
	r := s.refunds[n]
	r.failed = true
	r.of.refunded -= r.amount
	s.cry(r.of, "refund.updated", r.json())
	s.cry(r.of, "refund.failed", r.json())
	return nil
}

func (s *Server) listRefunds(account string, form url.Values) *reply {
	from, _ := strconv.ParseInt(form.Get("created[gte]"), 10, 64)
	of := form.Get("payment_intent")
	var found []object
	for _, r := range slices.Backward(s.refunds) {
		if r.of.account == account && (of == "" || r.of.id == of) && r.made.Unix() >= from {
			found = append(found, r.json())
		}
	}
	return page("/v1/refunds", form, found)
}

// Paid says what is reserved and what was taken and not given back, of all
// intents together.
func (s *Server) Paid() (reserved, taken int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lapse()
	for _, i := range s.intents {
		switch i.status {
		case "requires_capture":
			reserved += i.amount
		case "succeeded":
			taken += i.received - i.refunded
		}
	}
	return reserved, taken
}
