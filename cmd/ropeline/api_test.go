package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/internal/contract"
)

// servesAll looks at what an edge says of all parts, and finds every route of the
// booking core behind it, where each request is counted and told what is left.
func (r *running) servesAll(t *testing.T) {
	t.Helper()
	_, _, text := r.ask(t, http.MethodGet, "/openapi.json")
	document, err := contract.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Valid(); err != nil {
		t.Errorf("the document of all parts: %v", err)
	}
	for _, route := range api.Routes {
		path := strings.NewReplacer("{id}", uuid.NewString(), "{shop}", "none", "{product}", "none", "{number}", "1", "{state}", "claimed").Replace(route.Path)
		status, header, body := r.ask(t, route.Method, path)
		there := route.Access == api.Address || route.Access == api.Signed // if the provider is the one that is used here
		if strings.Contains(body, ropeline.ProblemType+ropeline.ErrRouteUnknown.Code) && !there || status == http.StatusMethodNotAllowed {
			t.Errorf("%s is not to be had from an edge: %d %s", route.ID, status, body)
		}
		if limits := header.Values("RateLimit"); len(limits) == 0 || !strings.HasPrefix(limits[0], `"`) || header.Get("RateLimit-Policy") == "" {
			t.Errorf("%s: RateLimit %q, RateLimit-Policy %q", route.ID, limits, header.Values("RateLimit-Policy"))
		}
	}
}

func (r *running) ask(t *testing.T, method, path string) (int, http.Header, string) {
	t.Helper()
	var body io.Reader
	if method == http.MethodPost || method == http.MethodPut {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.Edge+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // leaves no connection behind
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}
