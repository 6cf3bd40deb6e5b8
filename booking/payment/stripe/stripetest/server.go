// Package stripetest is Stripe for tests: the HTTP calls that package stripe
// makes, with state, on a clock of its own.
//
// The one hard idea is to be no kinder than Stripe. It keeps the answer to each
// idempotency key for a day and no longer, errors included; it refuses a key
// that comes back with other parameters, or while its first request runs;
// search is a minute behind; an authorization lapses after a week; a request
// may be carried out although its answer is lost; and webhooks come late,
// twice, or before the answer. What it knows of Stripe comes from its
// documentation; that requests have the right shape is stripe-mock's business.
package stripetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Payment methods: Stripe's own, and those that make the line to it fail.
const (
	Visa         = "pm_card_visa"
	Declined     = "pm_card_chargeDeclined"
	Action       = "pm_card_threeDSecure2Required"
	ActionBad    = "pm_card_threeDSecureRequiredChargeDeclined" // declined when the fan has confirmed
	Disputed     = "pm_card_createDispute"
	Inquiry      = "pm_card_createDisputeInquiry"
	Timeout      = "pm_fake_timeout"
	Error        = "pm_fake_error"
	Lost         = "pm_fake_lost"
	CaptureLost  = "pm_fake_capture_lost"
	Twice        = "pm_fake_twice"
	Early        = "pm_fake_early"
	SavedFailure = "pm_fake_saved_failure" // authorized, but the answer that is kept is a 500
)

// Key is the secret key that the server knows, Secret the one of its webhooks.
// Organizer is a connected account.
const (
	Organizer = "acct_organizer"

	Key    = "sk_test_fake"
	Secret = "whsec_fake"
)

const (
	keysLive      = 24 * time.Hour
	searchBehind  = time.Minute
	authorization = 7 * 24 * time.Hour
)

// Hook is where webhooks go.
type Hook func(ctx context.Context, header http.Header, body []byte) error

// Server is the fake. It is an http.Handler.
type Server struct {
	hook Hook

	mu       sync.Mutex
	ahead    time.Duration // of the real clock
	count    int           // of the ids given out
	intents  []*intent
	refunds  []*refund
	disputes []*dispute
	accounts map[string]bool // whether they can take payments
	fees     []*fee
	keys     map[string]*kept
	events   []event
}

// kept is what an idempotency key stands for.
type kept struct {
	request string
	at      time.Time
	reply   *reply // nil while the request runs
}

// reply is an answer.
type reply struct {
	status int
	body   any
	lost   bool // the caller never reads it
	hang   bool // nor does it come before the caller gives up
	unkept bool // nothing was carried out
	early  bool // webhooks come first
}

// object is JSON as Stripe writes it.
type object map[string]any

// New returns a Server whose webhooks go to hook.
func New(hook Hook) *Server {
	return &Server{hook: hook, keys: map[string]*kept{}, accounts: map[string]bool{Organizer: true}}
}

// Now is the server's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time { return time.Now().Add(s.ahead) }

// Later lets time pass.
func (s *Server) Later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func (s *Server) id(prefix string) string {
	s.count++
	return fmt.Sprintf("%s_%024d", prefix, s.count)
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a *reply
	replayed := false
	switch err := r.ParseForm(); {
	case err != nil:
		a = refuse(http.StatusBadRequest, "invalid_request_error", "parameter_invalid", "", err.Error())
	case r.Header.Get("Authorization") != "Bearer "+Key:
		a = refuse(http.StatusUnauthorized, "invalid_request_error", "", "", "Invalid API Key provided")
	case r.Method == http.MethodPost:
		a, replayed = s.once(r)
	default:
		s.mu.Lock()
		a = s.route(r)
		s.mu.Unlock()
	}
	s.answer(w, r, a, replayed)
}

// once carries a POST out, unless its key is known.
func (s *Server) once(r *http.Request) (a *reply, replayed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, request := r.Header.Get("Idempotency-Key"), r.URL.Path+"?"+r.PostForm.Encode()
	if key == "" {
		return s.route(r), false
	}
	key = r.Header.Get("Stripe-Account") + " " + key // each account has its own
	if k := s.keys[key]; k != nil && s.now().Sub(k.at) < keysLive {
		switch {
		case k.request != request:
			return refuse(http.StatusBadRequest, "idempotency_error", "", "",
				"Keys for idempotent requests can only be used with the same parameters they were first used with."), false
		case k.reply == nil:
			return refuse(http.StatusConflict, "idempotency_error", "idempotency_key_in_use", "",
				"There is currently another in-progress request using this Idempotent Key."), false
		}
		return &reply{status: k.reply.status, body: k.reply.body}, true
	}
	k := &kept{request: request, at: s.now()}
	s.keys[key] = k
	s.mu.Unlock() // others may come meanwhile, and find the key in use
	runtime.Gosched()
	s.mu.Lock()
	a = s.route(r)
	if a.unkept {
		delete(s.keys, key)
	} else {
		k.reply = frozen(a)
	}
	return a, false
}

// frozen is an answer as it was given: what it tells of may change.
func frozen(a *reply) *reply {
	text, err := json.Marshal(a.body)
	if err != nil {
		panic(err) // what we build of maps and strings has a text
	}
	a.body = json.RawMessage(text)
	return a
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, a *reply, replayed bool) {
	if a.early {
		if err := s.Deliver(r.Context()); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if a.hang {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_fake")
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	if a.lost {
		// Some of it arrives: else the client's transport would send the
		// request again by itself.
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte("{"))
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

// route does what a request asks for. The caller holds the lock.
func (s *Server) route(r *http.Request) *reply {
	s.lapse()
	account, method, form := r.Header.Get("Stripe-Account"), r.Method, r.Form
	if _, known := s.accounts[account]; account != "" && !known {
		return noAccess(account)
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	at := method + " " + parts[0]
	if len(parts) > 1 {
		at += "/" + parts[len(parts)-1]
	}
	switch {
	case at == "POST payment_intents":
		return s.create(account, form)
	case at == "GET payment_intents":
		return s.list(account, form)
	case at == "GET payment_intents/search":
		return s.search(account, form)
	case at == "POST refunds":
		return s.refund(account, form)
	case at == "GET refunds":
		return s.listRefunds(account, form)
	case parts[0] == "accounts" && len(parts) == 2 && method == http.MethodGet:
		return s.readAccount(parts[1])
	case parts[0] == "application_fees" && len(parts) == 3 && parts[2] == "refunds" && account == "": // they are the platform's
		return s.feeRefunds(method, parts[1], form)
	case parts[0] == "disputes" && method == http.MethodGet:
		return s.readDisputes(account, parts[1:], form)
	case parts[0] != "payment_intents" || len(parts) < 2 || len(parts) > 3:
		return refuse(http.StatusNotFound, "invalid_request_error", "", "", "Unrecognized request URL ("+at+").")
	}
	i := s.findOf(account, parts[1])
	switch {
	case i == nil:
		return refuse(http.StatusNotFound, "invalid_request_error", "resource_missing", "intent", "No such payment_intent: '"+parts[1]+"'")
	case method == http.MethodGet && len(parts) == 2:
		return ok(i.json(expands(form, "latest_charge")))
	case at == "POST payment_intents/capture":
		return s.capture(i, form)
	case at == "POST payment_intents/cancel":
		return s.cancel(i, form)
	}
	return refuse(http.StatusNotFound, "invalid_request_error", "", "", "Unrecognized request URL ("+at+").")
}

func ok(body any) *reply { return &reply{status: http.StatusOK, body: body} }

// refuse is an error of a kind that Stripe keeps no answer of.
func refuse(status int, kind, code, param, message string) *reply {
	e := object{"type": kind, "message": message}
	if code != "" {
		e["code"] = code
	}
	if param != "" {
		e["param"] = param
	}
	return &reply{status: status, body: object{"error": e}, unkept: true}
}

func expands(form url.Values, what string) bool {
	for name, values := range form {
		if strings.HasPrefix(name, "expand[") && values[0] == what {
			return true
		}
	}
	return false
}
