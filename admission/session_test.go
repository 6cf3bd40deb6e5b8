package admission_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// Every gate refuses a session within a second of its revocation, and the slot is
// free; one that holds something is ended only by force.
func TestASessionIsRevokedByStaffAndByAShop(t *testing.T) {
	t.Parallel()
	rdb := devtest.PrivateRedis(t).Client // gates are known to a whole Redis
	store := queue.New(rdb, newStoreKeys)
	t.Cleanup(store.Close)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	gates := make([]*queue.Revocations, 4)
	for i := range gates {
		gates[i] = queue.NewRevocations(store, string(rune('a'+i)), quiet)
		run(t, gates[i])
	}
	sre, shopKey, ops := opsOfTwo(t, store)
	if err := store.Draw(t.Context(), sale.ID); err != nil {
		t.Fatal(err)
	}
	place, err := queue.NewPlaceID(strings.NewReader("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Join(t.Context(), sale.ID, place, ""); err != nil {
		t.Fatal(err)
	}
	var session queue.Session
	await(t, store, sale.ID, func(queue.State) bool {
		if _, err := store.Tick(t.Context(), sale.ID, "controller", time.Minute); err != nil {
			t.Fatal(err)
		}
		session, err = store.Claim(t.Context(), sale.ID, place)
		return err == nil
	})
	await(t, store, sale.ID, func(queue.State) bool {
		for _, g := range gates {
			if _, err := g.Ended(session.ID); err != nil {
				return false
			}
		}
		return true
	})
	ask := func(key, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/api/v1/ops/sales/"+string(sale.ID)+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		ops.ServeHTTP(w, r)
		return w
	}
	if err := store.Keep(t.Context(), sale.ID, session.ID, "hold", time.Now().Add(time.Minute), false); err != nil {
		t.Fatal(err)
	}
	revoke := "/sessions/" + session.ID + "/revoke"
	for name, c := range map[string]struct {
		key, path, body string
		status          int
		code            string
	}{
		"no reason":             {sre, revoke, `{}`, http.StatusUnprocessableEntity, "reason-missing"},
		"it holds something":    {sre, revoke, `{"reason":"a bot"}`, http.StatusConflict, "session-holds"},
		"no such session":       {sre, "/sessions/x/revoke", `{"reason":"a bot","force":true}`, http.StatusNotFound, "session-unknown"},
		"nobody":                {"key", revoke, `{"reason":"a bot"}`, http.StatusUnauthorized, "staff-required"},
		"a shop steers nothing": {shopKey, "/steer", `{"reason":"a bot"}`, http.StatusForbidden, "shop-key"},
	} {
		if w := ask(c.key, c.path, c.body); w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, c.status, c.code)
		}
	}
	// The shop says, after all, that it failed the fan.
	reentry := "/sessions/" + session.ID + "/reentry"
	for name, c := range map[string]struct {
		key, path, body string
		status          int
		code            string
	}{
		"re-entry without a reason":  {sre, reentry, `{}`, http.StatusUnprocessableEntity, "reason-missing"},
		"re-entry of no session":     {sre, "/sessions/x/reentry", `{"reason":"it failed"}`, http.StatusNotFound, "session-unknown"},
		"re-entry by nobody":         {"key", reentry, `{"reason":"it failed"}`, http.StatusUnauthorized, "staff-required"},
		"re-entry with other fields": {sre, reentry, `{"reason":"it failed","times":9}`, http.StatusBadRequest, ""},
	} {
		if w := ask(c.key, c.path, c.body); w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, c.status, c.code)
		}
	}
	for i, want := range []int{http.StatusNoContent, http.StatusConflict} { // one for a session
		if w := ask(shopKey, reentry, `{"reason":"the checkout failed"}`); w.Code != want {
			t.Errorf("re-entry %d: %d %s, want %d", i, w.Code, w.Body, want)
		}
	}
	if p, err := store.Find(t.Context(), sale.ID, place); err != nil || !p.Pass.Open() {
		t.Errorf("the place has the pass %q, %v", p.Pass, err)
	}
	before, err := rdb.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	w := ask(shopKey, revoke, `{"reason":"the order is complete","force":true}`)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"acknowledged":true`) {
		t.Fatalf("revoking: %d %s", w.Code, w.Body)
	}
	for i, g := range gates {
		if over, err := g.Ended(session.ID); !over || err != nil {
			t.Errorf("gate %d after the answer: %v, %v", i, over, err)
		}
	}
	after, err := rdb.Time(t.Context()).Result()
	if err != nil || after.Sub(before) > time.Second {
		t.Errorf("by Redis's clock it took %v, %v", after.Sub(before), err)
	}
	if s, err := store.State(t.Context(), sale.ID); err != nil || s.Active != 0 {
		t.Errorf("%d slots are counted, %v", s.Active, err)
	}
	if p, err := store.Find(t.Context(), sale.ID, place); err != nil || p.Pass.Open() {
		t.Errorf("whoever is put out keeps the pass %q, %v", p.Pass, err)
	}
	if w := ask(sre, revoke, `{"reason":"again"}`); w.Code != http.StatusOK { // twice is no error
		t.Errorf("revoking again: %d %s", w.Code, w.Body)
	}
}

// opsOfTwo is the staff's API for an SRE and a shop.
func opsOfTwo(t *testing.T, store *queue.Store) (sre, shopKey string, ops http.Handler) {
	t.Helper()
	sre, first, err := admission.NewStaffKey("ada", admission.RoleSRE, "")
	if err != nil {
		t.Fatal(err)
	}
	shopKey, second, err := admission.NewStaffKey("shop-1", admission.RoleShop, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "staff")
	if err := os.WriteFile(path, []byte(first+second), 0o600); err != nil {
		t.Fatal(err)
	}
	staff, err := admission.LoadStaff(path)
	if err != nil {
		t.Fatal(err)
	}
	return sre, shopKey, admission.NewOps(store, staff, slog.New(slog.DiscardHandler))
}
