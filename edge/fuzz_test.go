package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/edge/wire"
)

// FuzzPlaceTicket sends anything as a place ticket, as a cookie and as a
// header: the answer is that of its holder or 401, never a 500, and nobody
// else's place is touched.
func FuzzPlaceTicket(f *testing.F) {
	g := newRig(f)
	holder := g.phone()
	holder.join()
	place, err := g.store.ReadTicket(g.sale.ID, holder.ticket)
	must(f, err)
	for _, seed := range []string{holder.ticket, holder.ticket[:20], holder.ticket + "=", "", "1.", "1.a.b.c", strings.Repeat(".", 99), "\x00", "%", `";\`} {
		f.Add(seed)
	}
	handler := g.server.Handler()
	f.Fuzz(func(t *testing.T, ticket string) {
		for _, carry := range []func(*http.Request){
			func(r *http.Request) { r.Header.Set("Cookie", wire.PlaceCookie(g.sale.ID)+"="+ticket) },
			func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+ticket) },
		} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", placePath(g.sale.ID)+"/place", nil)
			carry(r)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			switch {
			case w.Code == http.StatusUnauthorized && w.Header().Get("Content-Type") == "application/problem+json":
			case w.Code == http.StatusOK:
				if got, err := g.store.ReadTicket(g.sale.ID, strings.Trim(strings.TrimSpace(ticket), `"`)); err != nil || got.Place != place.Place {
					t.Errorf("%q was taken: %v", ticket, err)
				}
			default:
				t.Errorf("%q: %d %s", ticket, w.Code, w.Body)
			}
		}
	})
}

// FuzzBody sends anything as the body of a join: it joins, or it is refused
// with a problem document.
func FuzzBody(f *testing.F) {
	g := newRig(f)
	for _, seed := range []string{"", "{}", " {} ", "{", "[]", "null", `{"a":1}`, "\xff", "{}{}", strings.Repeat("[", 20_000)} {
		f.Add(seed)
	}
	handler := g.server.Handler()
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", placePath(g.sale.ID)+"/place", strings.NewReader(body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusCreated && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}

// FuzzPath holds that what passes the check is one path to everybody: cleaning
// or decoding it once more changes nothing.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "/api/v1/holds/x", "/a/../b", "/a%2fb", "/a%2e%2e/b", "//", "/a\\b", "/%00", "/a;b", "/é", "/%c3%a9", "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.NewRequest("GET", "http://edge", nil)
		must(t, err)
		u, err := r.URL.Parse(target)
		if err != nil {
			return
		}
		r.URL = u
		if checkPath(r) != nil {
			return
		}
		for _, forbidden := range []string{"\\", "\x00", "//", "/../", "/./", ";", "%"} {
			if strings.Contains(strings.TrimSuffix(u.Path, "/")+"/", forbidden) {
				t.Errorf("%q passed as %q", target, u.Path)
			}
		}
	})
}
