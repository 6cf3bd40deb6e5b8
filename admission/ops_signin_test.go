package admission_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/badge"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// An SRE who came with an account steers, by the word of a booking core that nobody is asked
// about, and what they do is written down as theirs; keys of the file are as they were.
func TestAnAccountOperatesByItsBadge(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	signer, now := newSigner(t), time.Now()
	ops := d.ops.(*admission.Ops).WithBadges(badge.NewVerifier(signer.KeySet(), func() time.Time { return now }))
	of := func(who, role string, at time.Time) func(*http.Request) {
		raw, err := signer.Badge(badge.Claims{Who: who, Role: role, IssuedAt: at, Expires: at.Add(badge.Life)})
		check(t, err)
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: ropeline.BadgeCookie, Value: raw}) }
	}
	key := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: ropeline.StaffCookie, Value: d.key}) }
	same := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }
	grace, worn := of("account-grace", badge.SRE, now), of("account-worn", badge.SRE, now.Add(-time.Hour))
	const signIn = "/api/v1/ops/sign-in"
	steer := "/api/v1/ops/sales/" + string(d.sale.ID) + "/steer"
	const pause, run = `{"set":{"mode":"pause"},"expect":{"mode":"run"},"reason":"INC-7"}`, `{"set":{"mode":"run"},"expect":{"mode":"pause"},"reason":"INC-7"}`

	if code, _, doc := api(t, ops, "GET", signIn, "", "", grace); code != 200 || doc["who"] != "account-grace" || doc["by"] != "account" || doc["left"].(float64) < 800 {
		t.Errorf("who is it: %d %v", code, doc)
	}
	if code, _, doc := api(t, ops, "GET", signIn, d.key, "", grace); code != 200 || doc["who"] != "ada" || doc["by"] != "key" || doc["left"] != nil { // the header counts
		t.Errorf("a key beside it: %d %v", code, doc)
	}
	if code, _, doc := api(t, ops, "GET", signIn, "", "", worn, key); code != 200 || doc["who"] != "ada" { // one that is over hides no key
		t.Errorf("a key beside one that is over: %d %v", code, doc)
	}
	for name, c := range map[string]struct {
		by     []func(*http.Request)
		code   int
		refuse string
	}{
		"from another site":      {[]func(*http.Request){grace, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }}, 403, "origin-mismatch"},
		"from a page that hides": {[]func(*http.Request){grace, func(r *http.Request) { r.Header.Set("Origin", "null") }}, 403, "origin-mismatch"},
		"over":                   {[]func(*http.Request){worn, same}, 401, "staff-required"},
		"of an organizer":        {[]func(*http.Request){of("account-o", "organizer", now), same}, 401, "staff-required"},
		"of who is at a door":    {[]func(*http.Request){of("account-d", "door", now), same}, 401, "staff-required"},
		"nonsense":               {[]func(*http.Request){func(r *http.Request) { r.AddCookie(&http.Cookie{Name: ropeline.BadgeCookie, Value: "a.b.c"}) }, same}, 401, "staff-required"},
	} {
		if code, problem, _ := api(t, ops, "POST", steer, "", pause, c.by...); code != c.code || problem != c.refuse {
			t.Errorf("%s: %d %s, want %d %s", name, code, problem, c.code, c.refuse)
		}
	}
	if code, _, doc := api(t, ops, "POST", steer, "", pause, grace, same); code != 200 {
		t.Errorf("pausing: %d %v", code, doc)
	}
	now = now.Add(badge.Life + ropeline.TokenMargin + time.Second) // by the clock of this part
	if code, problem, _ := api(t, ops, "POST", steer, "", run, grace, same); code != 401 || problem != "staff-required" {
		t.Errorf("a quarter of an hour later: %d %s", code, problem)
	}
	if code, _, doc := api(t, ops, "POST", steer, d.key, run); code != 200 {
		t.Errorf("running by the key: %d %v", code, doc)
	}
	want := []string{"intended steer account-grace: INC-7", "effective steer account-grace by Redis: INC-7", "intended steer ada: INC-7", "effective steer ada by Redis: INC-7"}
	if got := d.rows(); !slices.Equal(got, want) {
		t.Errorf("the audit has %q, want %q", got, want)
	}
	ops.WithBadges(nil) // no badge.pub
	if code, problem, _ := api(t, ops, "GET", signIn, "", "", of("account-grace", badge.SRE, now)); code != 401 || problem != "staff-required" {
		t.Errorf("without a key for badges: %d %s", code, problem)
	}
}
