package admission_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// owned tells whose sales are, as the database would.
type owned struct {
	of   map[ropeline.SaleID]string
	away bool
}

func (o *owned) Owns(_ context.Context, organization string, sale ropeline.SaleID) (bool, error) {
	if o.away {
		return false, errors.New("away")
	}
	return organization == o.of[sale], nil
}

// forEverybody are routes that need no credential, and why.
var forEverybody = map[string]string{"POST /api/v1/ops/sign-in": "it takes one", "DELETE /api/v1/ops/sign-in": "it takes cookies off"}

// Whoever works for one organization steers nothing of another's, and little of their own:
// every route is called with each key of a rival's, and with what lets a fan of the sale in.
func TestNobodyOfAnotherOrganizationOperates(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	theirs := publish(t, d.store, -2*time.Minute, -time.Minute)
	staff, keys := staffOf(t,
		admission.Member{Name: "ada", Role: admission.RoleSRE},
		admission.Member{Name: "shop", Role: admission.RoleShop, Organization: "rival"}, admission.Member{Name: "rita", Role: admission.RoleOrganizer, Organization: "rival"},
		admission.Member{Name: "opera.vic", Role: admission.RoleVendor, Organization: "rival"}, admission.Member{Name: "bo", Role: admission.RoleBoxOffice, Organization: "rival"})
	whose := &owned{of: map[ropeline.SaleID]string{d.sale.ID: "opera", theirs.ID: "rival"}}
	d.ops, d.key = admission.NewOps(d.store, staff, quiet).WithRecords(d.audit, d.schedule).WithOwners(whose), keys[0]
	signer := newSigner(t)
	admitted, err := signer.Sign(token.Claims{Sale: d.sale.ID, Place: "place", Session: "session", IssuedAt: time.Now(), Expires: time.Now().Add(time.Minute), SessionEnds: time.Now().Add(time.Hour)})
	check(t, err)

	for _, route := range admission.Routes() {
		name := route.Method + " " + route.Path
		if route.Staff == (forEverybody[name] != "") {
			t.Errorf("%s: nobody says whose it is", name)
		}
		if !route.Staff {
			continue
		}
		path := strings.NewReplacer("{sale}", string(d.sale.ID), "{id}", "x", "{name}", "gentle").Replace(route.Path)
		for i, key := range append(keys[1:], admitted) {
			code, problem, doc := api(t, d.ops, route.Method, path, key, `{"reason":"r"}`)
			want := http.StatusForbidden
			switch {
			case key == admitted:
				want = http.StatusUnauthorized
			case i == 0 && strings.Contains(path, "/sessions/"):
				want = http.StatusNotFound // as a sale that there is not
			}
			if code != want || strings.Contains(doc["detail"].(string), string(d.sale.ID)) {
				t.Errorf("%s with key %d: %d %s %v, want %d", name, i, code, problem, doc, want)
			}
		}
	}
	if rows := d.rows(); len(rows) > 0 {
		t.Errorf("something was done: %q", rows)
	}
	const body = `{"reason":"r"}`
	own, shop := "/api/v1/ops/sales/"+string(theirs.ID)+"/sessions/nobody/revoke", keys[1]
	if code, problem, _ := api(t, d.ops, "POST", own, shop, body); code != 404 || problem == "sale-unknown" {
		t.Errorf("a session of their own sale, that there is not: %d %s", code, problem)
	}
	whose.away = true // who cannot be told whose it is lets nobody in
	if code, problem, _ := api(t, d.ops, "POST", own, shop, body); code != 503 || problem != "store-away" {
		t.Errorf("with the database away: %d %s", code, problem)
	}
	d.ops.(*admission.Ops).WithOwners(nil)
	if code, problem, _ := api(t, d.ops, "POST", own, shop, body); code != 503 || problem != "store-away" {
		t.Errorf("without a database: %d %s", code, problem)
	}
}
