package stripe_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
)

// calls are all that the adapter asks of Stripe, in the paths of its OpenAPI
// document.
var calls = []string{
	"GET /v1/accounts/{account}",
	"GET /v1/application_fees/{id}/refunds",
	"GET /v1/disputes",
	"GET /v1/disputes/{dispute}",
	"GET /v1/payment_intents",
	"GET /v1/payment_intents/search",
	"GET /v1/payment_intents/{intent}",
	"GET /v1/refunds",
	"POST /v1/application_fees/{id}/refunds",
	"POST /v1/payment_intents",
	"POST /v1/payment_intents/{intent}/cancel",
	"POST /v1/payment_intents/{intent}/capture",
	"POST /v1/refunds",
}

// mock is stripe-mock, which checks requests against Stripe's OpenAPI document.
// It is given the paths of our calls only, and none of the answers, which it
// would make up: reading all takes three seconds and more.
var mock = sync.OnceValues(func() (http.Handler, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(embedded.OpenAPISpec, &doc); err != nil {
		return nil, err
	}
	var paths map[string]map[string]map[string]json.RawMessage
	if err := json.Unmarshal(doc["paths"], &paths); err != nil {
		return nil, err
	}
	maps.DeleteFunc(paths, func(path string, verbs map[string]map[string]json.RawMessage) bool {
		maps.DeleteFunc(verbs, func(verb string, operation map[string]json.RawMessage) bool {
			operation["responses"] = json.RawMessage(
				`{"200":{"description":"","content":{"application/json":{"schema":{"type":"object","properties":{}}}}}}`)
			return !slices.Contains(calls, strings.ToUpper(verb)+" "+path)
		})
		return len(verbs) == 0
	})
	doc["components"] = json.RawMessage(`{"schemas":{}}`)
	var err error
	if doc["paths"], err = json.Marshal(paths); err != nil {
		return nil, err
	}
	small, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	spec, err := server.LoadSpec(small, "")
	if err != nil {
		return nil, err
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		return nil, err
	}
	stub, err := server.NewStubServer(fixtures, spec, false, false)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(stub.HandleRequest), nil
})

// shape is a transport that has stripe-mock look at each request, and counts
// them.
type shape struct {
	tb   testing.TB
	next http.RoundTripper
	mock http.Handler

	mu   sync.Mutex
	seen map[string]int
}

var (
	intentID  = regexp.MustCompile(`/pi_\w+`)
	disputeID = regexp.MustCompile(`/dp_\w+`)
	accountID = regexp.MustCompile(`/acct_\w+`)
	feeID     = regexp.MustCompile(`/fee_\w+`)
)

func (s *shape) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	copied := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	copied.Header = r.Header.Clone()
	answer := httptest.NewRecorder()
	s.mock.ServeHTTP(answer, copied)
	if answer.Code != http.StatusOK {
		s.tb.Errorf("stripe-mock refuses %s %s %s: %s", r.Method, r.URL.RequestURI(), body, answer.Body)
	}
	s.mu.Lock()
	path := r.URL.Path
	for name, id := range map[string]*regexp.Regexp{"/{intent}": intentID, "/{dispute}": disputeID, "/{account}": accountID, "/{id}": feeID} {
		path = id.ReplaceAllString(path, name)
	}
	s.seen[r.Method+" "+path]++
	s.mu.Unlock()
	return s.next.RoundTrip(r)
}

// count is how many requests there were so far.
func (s *shape) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, times := range s.seen {
		n += times
	}
	return n
}

// The checker can say no.
func TestMockRefusesAWrongShape(t *testing.T) {
	t.Parallel()
	checker, err := mock()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		request, body string
		want          int
	}{
		{"POST /v1/payment_intents", "amount=100&currency=eur", http.StatusOK},
		{"POST /v1/payment_intents", "amount=100", http.StatusBadRequest},
		{"POST /v1/payment_intents", "amount=100&currency=eur&colour=red", http.StatusBadRequest},
		{"POST /v1/payment_intents/pi_1/cancel", "cancellation_reason=whim", http.StatusBadRequest},
		{"GET /v1/payment_intents/search", "", http.StatusBadRequest},
		{"GET /v1/charges", "", http.StatusNotFound},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		r := httptest.NewRequest(method, path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer sk_test_123")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		checker.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.request, c.body, w.Code, w.Body, c.want)
		}
	}
}

// The fake's objects have no field that Stripe's lack.
func checkFields(tb testing.TB, kind string, got map[string]any) {
	tb.Helper()
	var fixtures struct {
		Resources map[string]map[string]any `json:"resources"`
	}
	if err := json.Unmarshal(embedded.OpenAPIFixtures, &fixtures); err != nil {
		tb.Fatal(err)
	}
	want := fixtures.Resources[kind]
	for field := range got {
		if _, ok := want[field]; !ok {
			tb.Errorf("Stripe's %s has no field %s", kind, field)
		}
	}
	if len(want) == 0 {
		tb.Errorf("Stripe has no %s", kind)
	}
}
