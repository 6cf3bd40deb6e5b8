package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

func TestMain(m *testing.M) { devtest.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

var newStoreKeys = queue.Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32), Code: bytes.Repeat([]byte{3}, 32)}

func newStore(t *testing.T) *queue.Store {
	t.Helper()
	s := queue.New(devtest.Redis(t), newStoreKeys)
	t.Cleanup(s.Close)
	return s
}

// ownStore is a store on a Redis of its own. Controllers tick every sale there is:
// those of another test would tick this one's.
func ownStore(t *testing.T) (*queue.Store, redis.UniversalClient) {
	t.Helper()
	rdb := devtest.PrivateRedis(t).Client
	s := queue.New(rdb, queue.Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32)})
	t.Cleanup(s.Close)
	return s, rdb
}

func publish(t *testing.T, store *queue.Store, closes, opens time.Duration) ropeline.Sale {
	t.Helper()
	now := time.Now()
	sale := ropeline.Sale{
		ID: ropeline.SaleID(fmt.Sprintf("c-%d", now.UnixNano())), Version: 1, Title: "Test",
		LobbyClosesAt: now.Add(closes), OpensAt: now.Add(opens), EndsAt: now.Add(time.Hour),
		Cap: 2, Rate: 6000, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
	}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	return sale
}

// A sale that cannot be read hides none of the others.
func TestTheListTellsOfTheOthersWhereOneSaleIsDamaged(t *testing.T) {
	t.Parallel()
	store, rdb := ownStore(t)
	well, damaged := publish(t, store, -2*time.Minute, -time.Minute), publish(t, store, -2*time.Minute, -time.Minute)
	ops, key := newOps(t, store)
	list := func() (sales, failed []any) {
		t.Helper()
		code, problem, doc := api(t, ops, "GET", "/api/v1/ops/sales", key, "")
		if code != http.StatusOK {
			t.Fatalf("the list of sales: %d %s", code, problem)
		}
		sales, _ = doc["sales"].([]any)
		failed, _ = doc["failed"].([]any)
		return sales, failed
	}
	if sales, failed := list(); len(sales) != 2 || len(failed) != 0 {
		t.Fatalf("before: %v, failed %v", sales, failed)
	}
	if err := rdb.Set(t.Context(), "ropeline:{"+string(damaged.ID)+"}:sale", "no JSON", 0).Err(); err != nil {
		t.Fatal(err)
	}
	sales, failed := list()
	if len(sales) != 1 || len(failed) != 1 {
		t.Fatalf("%d sales are told of, and %d failed; want 1 and 1", len(sales), len(failed))
	}
	one, _ := sales[0].(map[string]any)
	other, _ := failed[0].(map[string]any)
	problem, _ := other["problem"].(map[string]any)
	if one["sale"] != string(well.ID) || other["sale"] != string(damaged.ID) || problem["type"] == "" || problem["detail"] == "" {
		t.Errorf("it tells of %v, and of %v as failed", one["sale"], other)
	}
	for _, word := range []string{"JSON", "invalid character"} { // what is inside is for the log
		if text, _ := problem["detail"].(string); strings.Contains(text, word) {
			t.Errorf("it gives away %q", text)
		}
	}
}

// run runs parts until the test ends.
func run(t *testing.T, parts ...interface{ Run(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, c := range parts {
		all.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); all.Wait() })
}

// await polls Redis until the line is as wanted.
func await(t *testing.T, store *queue.Store, sale ropeline.SaleID, wanted func(queue.State) bool) queue.State {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(15 * time.Second); ; {
		s, err := store.State(t.Context(), sale)
		if err != nil {
			t.Fatal(err)
		}
		if wanted(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the line never came there; it is %+v", s)
		}
	}
}

func TestControllersTakeASaleFromLobbyToAdmission(t *testing.T) {
	t.Parallel()
	store, _ := ownStore(t)
	sale := publish(t, store, 500*time.Millisecond, 900*time.Millisecond)
	line := queue.NewLine(store, sale.ID, quiet) // of an edge with five fans
	for i := range 5 {
		p, err := store.Join(t.Context(), sale.ID, ropeline.PlaceID(fmt.Sprint("p", i)), "")
		if err != nil {
			t.Fatal(err)
		}
		line.Attend(queue.Ticket{Place: p.ID}, p, false, func(ropeline.PlaceState) {})
	}
	run(t, admission.NewController(store, quiet), admission.NewController(store, quiet), line)
	s := await(t, store, sale.ID, func(s queue.State) bool { return s.Drawn })
	if s.Size != 5 || (s.Now.Before(sale.OpensAt) && s.LastOffer != 0) {
		t.Errorf("after the draw: %+v; want five in line and nobody offered before the opening", s)
	}
	// An offer and the cursor are two scripts: a state may be read between them.
	s = await(t, store, sale.ID, func(s queue.State) bool { return s.LastOffer > 0 && s.Offered == 2 && s.Cursor > 0 })
	if s.Now.Before(sale.OpensAt) {
		t.Error("somebody was offered before the opening")
	}
	if s.LastOffer != 2 || s.MaxInUse != 2 || s.Waiting() != 3 {
		t.Errorf("%+v; want two offered with a cap of two, three waiting", s)
	}
}

// api calls Ops and returns the status, the problem's code and the document.
func api(t *testing.T, o http.Handler, method, path, key, body string, change ...func(*http.Request)) (int, string, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	var doc map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%s %s answered %q: %v", method, path, w.Body, err)
		}
	}
	kind, _ := doc["type"].(string)
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: %d is no problem document", method, path, w.Code)
	}
	return w.Code, strings.TrimPrefix(kind, ropeline.ProblemType), doc
}

// inner is a document in a document.
func inner(doc map[string]any, name string) map[string]any {
	d, _ := doc[name].(map[string]any)
	return d
}

func newOps(t *testing.T, store *queue.Store) (ops http.Handler, key string) {
	t.Helper()
	return newOpsWith(t, store, quiet)
}

func newOpsWith(t *testing.T, store *queue.Store, log *slog.Logger) (ops http.Handler, key string) {
	t.Helper()
	staff, keys := staffOf(t, admission.Member{Name: "ada", Role: admission.RoleSRE})
	return admission.NewOps(store, staff, log), keys[0]
}

// staffOf is a list of these, and their keys.
func staffOf(t *testing.T, members ...admission.Member) (staff *admission.Staff, keys []string) {
	t.Helper()
	text := "# staff\n\n"
	for _, m := range members {
		key, line, err := admission.NewStaffKey(m.Name, m.Role, m.Organization)
		if err != nil {
			t.Fatal(err)
		}
		keys, text = append(keys, key), text+line
	}
	path := filepath.Join(t.TempDir(), "staff")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	staff, err := admission.LoadStaff(path)
	if err != nil {
		t.Fatal(err)
	}
	return staff, keys
}

func TestAnSRETunesPausesAndResumes(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	var log bytes.Buffer
	ops, key := newOpsWith(t, store, slog.New(slog.NewTextHandler(&log, nil)))
	base := "/api/v1/ops/sales/" + string(sale.ID)

	if code, _, doc := api(t, ops, "GET", base, key, ""); code != 200 || doc["cap"] != 2.0 || doc["title"] != "Test" {
		t.Errorf("show: %d %v", code, doc)
	}
	code, _, doc := api(t, ops, "POST", base+"/steer", key, `{"set":{"cap":9,"rate":90},"expect":{"cap":2,"rate":6000},"reason":"more doors"}`)
	if live := inner(doc, "live"); code != 200 || live["cap"] != 9.0 || live["rate"] != 90.0 || inner(doc, "was")["cap"] != 2.0 || doc["change"] == "" {
		t.Errorf("steered: %d %v", code, doc)
	}
	code, problem, doc := api(t, ops, "POST", base+"/steer", key, `{"set":{"cap":5,"rate":50},"expect":{"cap":2,"rate":6000},"reason":"late"}`)
	if now := inner(doc, "now"); code != 409 || problem != "limits-changed" || now["cap"] != 9.0 || now["rate"] != 90.0 {
		t.Errorf("two at once: %d %s %v, want the values as they are", code, problem, doc)
	}
	code, _, doc = api(t, ops, "POST", base+"/steer", key, `{"set":{"mode":"pause"},"expect":{"mode":"run"},"reason":"The band is late."}`)
	if live := inner(doc, "live"); code != 200 || live["paused"] != true || live["mode"] != "pause" || live["reason"] != "The band is late." {
		t.Errorf("pause: %d %v", code, doc)
	}
	code, _, doc = api(t, ops, "POST", base+"/steer", key, `{"preset":"gentle","expect":{"version":2},"reason":"They are here."}`)
	if live := inner(doc, "live"); code != 200 || live["paused"] != false || live["reason"] != "" || live["cap"] != 1.0 || live["rate"] != 600.0 {
		t.Errorf("a tenth of everything: %d %v", code, doc)
	}
	for _, want := range []string{`who=ada`, `reason="more doors"`, `reason="The band is late."`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, &log)
		}
	}
	if code, _, doc := api(t, ops, "GET", "/api/v1/ops/sales", key, ""); code != 200 || len(doc["sales"].([]any)) == 0 {
		t.Errorf("list: %d %v", code, doc)
	}
}

func TestBadOperationsChangeNothing(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	ops, key := newOps(t, store)
	base := "/api/v1/ops/sales/" + string(sale.ID)
	const expect = `"expect":{"cap":2,"rate":6000}`
	steer := func(set string) string { return `{"set":` + set + `,` + expect + `,"reason":"r"}` }
	for _, c := range []struct {
		path, body, problem string
		status              int
	}{
		{base + "/steer", steer(`{"cap":-1}`), "setting-invalid", 422},
		{base + "/steer", steer(`{"rate":99999999999}`), "setting-invalid", 422},
		{base + "/steer", steer(`{}`), "setting-invalid", 422},
		{base + "/steer", steer(`{"version":3}`), "setting-invalid", 422},
		{base + "/steer", steer(`{"session":1}`), "setting-invalid", 422},
		{base + "/steer", steer(`{"mode":"open"}`), "setting-invalid", 422},
		{base + "/steer", steer(`{"mode":"pass"}`), "expect-missing", 422},
		{base + "/steer", steer(`{"max_cap":1}`), "expect-missing", 422},
		{base + "/steer", `{"set":{"cap":1},"reason":"r"}`, "expect-missing", 422},
		{base + "/steer", `{"set":{"max_cap":1},"expect":{"max_cap":10000000},"reason":"r"}`, "out-of-bounds", 409},
		{base + "/steer", `{"set":{"min_cap":9,"max_cap":3},"expect":{"version":0},"reason":"r"}`, "out-of-bounds", 409},
		{base + "/steer", `{"preset":"gentle","set":{"cap":1},` + expect + `,"reason":"r"}`, "setting-invalid", 422},
		{base + "/steer", `{"preset":"none","expect":{"version":0},"reason":"r"}`, "preset-unknown", 404},
		{base + "/steer", `{"set":{"cap":1},` + expect + `,"reason":"  "}`, "reason-missing", 422},
		{base + "/steer", `{"set":{"cap":1},` + expect + `}`, "reason-missing", 422},
		{base + "/steer", steer(`{"cap":1.5}`), "body-malformed", 400},
		{base + "/steer", steer(`{"cap":1,"more":1}`), "body-malformed", 400},
		{base + "/steer", `{"cap":1`, "body-malformed", 400},
		{base + "/steer", `{}{}`, "body-malformed", 400},
		{base + "/steer", ``, "setting-invalid", 422},
		{base + "/steer", `{"set":{"cap":1},` + expect + `,"reason":"two\nlines\u0000"}`, "reason-missing", 422},
		{base + "/steer", `{"set":{"cap":1},` + expect + `,"reason":"` + strings.Repeat("x", 501) + `"}`, "reason-missing", 422},
		{base + "/steer", `{"reason":"` + strings.Repeat("x", ropeline.MaxBody) + `"}`, "body-too-large", 413},
		{base + "/schedule", `{"at":"2020-01-01T00:00:00Z","set":{"cap":1},"reason":"r"}`, "schedule-time", 422},
		{base + "/schedule", `{"at":"tomorrow","set":{"cap":1},"reason":"r"}`, "body-malformed", 400},
		{"/api/v1/ops/sales/nobody/steer", steer(`{"cap":1}`), "sale-unknown", 404},
		{"/api/v1/ops/sales/NO%20SALE/steer", steer(`{"cap":1}`), "sale-unknown", 404},
		{"/api/v1/ops/nothing", `{}`, "route-unknown", 404},
	} {
		if code, problem, _ := api(t, ops, "POST", c.path, key, c.body); code != c.status || problem != c.problem {
			t.Errorf("POST %s %.60s: %d %s, want %d %s", c.path, c.body, code, problem, c.status, c.problem)
		}
	}
	s, err := store.State(t.Context(), sale.ID)
	if err != nil || s.Cap != 2 || s.Rate != 6000 || s.Paused() {
		t.Errorf("after bad requests: %+v, %v; want nothing changed", s, err)
	}
}

func TestOnlyStaffOperates(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	ops, key := newOps(t, store)
	for _, route := range admission.Routes() {
		path := strings.Replace(route.Path, "{sale}", string(sale.ID), 1)
		for name, k := range map[string]string{"no key": "", "a wrong key": "wrong", "half a key": key[:10]} {
			code, problem, _ := api(t, ops, route.Method, path, k, `{"reason":"r"}`)
			if route.Staff && (code != 401 || problem != "staff-required") {
				t.Errorf("%s %s with %s: %d %s, want 401", route.Method, path, name, code, problem)
			}
		}
	}
	cookie := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: ropeline.StaffCookie, Value: key}) }
	pause := "/api/v1/ops/sales/" + string(sale.ID) + "/steer"
	const paused = `{"set":{"mode":"pause"},"expect":{"mode":"run"},"reason":"r"}`
	for name, origin := range map[string]func(*http.Request){
		"another site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a sister site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"a null origin":  func(r *http.Request) { r.Header.Set("Origin", "null") },
	} {
		if code, problem, _ := api(t, ops, "POST", pause, "", paused, cookie, origin); code != 403 || problem != "origin-mismatch" {
			t.Errorf("a cookie from %s: %d %s, want 403", name, code, problem)
		}
	}
	same := func(r *http.Request) { r.Header.Set("Origin", "http://"+r.Host) }
	if code, _, _ := api(t, ops, "POST", pause, "", paused, cookie, same); code != 200 {
		t.Errorf("a cookie from our own page: %d", code)
	}

	r := httptest.NewRequest("POST", "/api/v1/ops/sign-in", strings.NewReader(`{"key":"`+key+`"}`))
	w := httptest.NewRecorder()
	ops.ServeHTTP(w, r)
	set := w.Header().Values("Set-Cookie")
	if w.Code != 204 || len(set) != 3 || !strings.HasPrefix(set[2], ropeline.BadgeCookie+"=; Path=/api/v1/ops; Max-Age=0") { // whoever shows a key is not an account any more
		t.Fatalf("sign-in: %d, cookies %q", w.Code, set)
	}
	for i, path := range []string{"Path=/api/v1/ops;", "Path=/api/v1/organizer;"} { // and nowhere else
		for _, want := range []string{"HttpOnly", "Secure", "SameSite=Strict", path} {
			if !strings.Contains(set[i]+";", want) {
				t.Errorf("sign-in: cookie %q lacks %s", set[i], want)
			}
		}
	}
	w = httptest.NewRecorder()
	ops.ServeHTTP(w, httptest.NewRequest("DELETE", "/api/v1/ops/sign-in", nil))
	for _, gone := range w.Header().Values("Set-Cookie") {
		if !strings.Contains(gone, "Max-Age=0") || strings.Contains(gone, key) {
			t.Errorf("sign-out: cookie %q", gone)
		}
	}
	if len(w.Header().Values("Set-Cookie")) != 3 {
		t.Error("sign-out leaves a cookie")
	}
	if code, _, _ := api(t, ops, "POST", "/api/v1/ops/sign-in", "", `{"key":"wrong"}`); code != 401 {
		t.Errorf("signing in with a wrong key: %d", code)
	}
}

func TestStaffListsSayWhatIsWrongWithThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "staff")
	for _, text := range []string{"ada sre", "ada sre zz", "ada sre abcd", "ada king " + strings.Repeat("00", 32), "ada organizer " + strings.Repeat("00", 32) + " Opera!", "ada sre " + strings.Repeat("00", 32) + " opera", "ada organizer " + strings.Repeat("00", 32) + " opera x"} {
		if err := os.WriteFile(path, []byte("# fine\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := admission.LoadStaff(path); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want an error that names line 2", text, err)
		}
	}
	if _, err := admission.LoadStaff(path + "-not-there"); err != nil {
		t.Errorf("no list: %v, want an empty one", err)
	}
	for _, bad := range [][3]string{{"Ada Lovelace", "sre"}, {"ada", "king"}, {"", "sre"}, {"ada", "organizer", "The Opera"}, {"ada", "sre", "opera"}} {
		if _, _, err := admission.NewStaffKey(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("made a key for %q %q", bad[0], bad[1])
		}
	}
	key, line, err := admission.NewStaffKey("ada", admission.RoleOrganizer, "opera")
	if err == nil {
		err = os.WriteFile(path, []byte(line), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	list, err := admission.LoadStaff(path)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := list.Find(key); err != nil || m.Name != "ada" || m.Organization != "opera" {
		t.Errorf("she is %+v, %v", m, err)
	}
	for range 1000 { // one of 64 would
		if key, _, err := admission.NewStaffKey("ada", admission.RoleSRE, ""); err != nil || key[0] == '-' {
			t.Fatalf("a key that a command line takes for a flag: %q, %v", key, err)
		}
	}
	if _, err := (&admission.Staff{}).Find(""); !errors.Is(err, ropeline.ErrStaffRequired) {
		t.Errorf("an empty list lets an empty key in: %v", err)
	}
}

func TestTheDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(admission.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	documented := 0
	for _, path := range doc.Paths {
		for method := range path {
			if method != "parameters" {
				documented++
			}
		}
	}
	for _, route := range admission.Routes() {
		if doc.Paths[route.Path][strings.ToLower(route.Method)] == nil {
			t.Errorf("%s %s is not documented", route.Method, route.Path)
		}
	}
	if documented != len(admission.Routes()) {
		t.Errorf("%d routes documented, %d served", documented, len(admission.Routes()))
	}
}

// FuzzOps: whatever staff sends, the answer is a document or a problem of
// theirs, never a fault of ours, and only a whole and valid request changes
// the limits.
func FuzzOps(f *testing.F) {
	store := queue.New(devtest.Redis(f), queue.Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32)})
	f.Cleanup(store.Close)
	now := time.Now()
	sale := ropeline.Sale{
		ID: ropeline.SaleID(fmt.Sprintf("fuzz-%d", now.UnixNano())), Version: 1, Title: "Fuzz", LobbyClosesAt: now.Add(time.Hour),
		OpensAt: now.Add(2 * time.Hour), EndsAt: now.Add(3 * time.Hour), Cap: 2, Rate: 3,
		ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
	}
	if err := store.PublishSale(f.Context(), sale); err != nil {
		f.Fatal(err)
	}
	staffKey, line, err := admission.NewStaffKey("ada", admission.RoleSRE, "")
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "staff")
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		f.Fatal(err)
	}
	staff, err := admission.LoadStaff(path)
	if err != nil {
		f.Fatal(err)
	}
	ops := admission.NewOps(store, staff, quiet)
	for i, seed := range []string{`{"set":{"cap":1},"expect":{"cap":9},"reason":"r"}`, `{"preset":"gentle","expect":{"version":1},"reason":"r"}`, `{"set":{"auto":null,"mode":"stop"},"expect":{},"reason":"r"}`, `{"key":"k"}`, `{}`, ``, `[`, `null`,
		`{"cap":-1,"rate":1e99,"expect":null,"reason":"\u0000"}`, `{"reason":"` + strings.Repeat("é", 501) + `"}`} {
		f.Add(i%4, seed)
	}
	paths := []string{"sign-in", "sales/" + string(sale.ID) + "/steer", "sales/" + string(sale.ID) + "/schedule", "sales/" + string(sale.ID) + "/message"}
	f.Fuzz(func(t *testing.T, route int, body string) {
		r := httptest.NewRequest("POST", "/api/v1/ops/"+paths[uint(route)%4], strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+staffKey)
		w := httptest.NewRecorder()
		ops.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s with %q: %d %s", r.URL.Path, body, w.Code, w.Body)
		}
		s, err := store.State(t.Context(), sale.ID)
		if err != nil {
			t.Fatal(err)
		}
		if changed := s.Cap != 2 || s.Rate != 3; changed && w.Code != 200 {
			t.Fatalf("%q answered %d and changed the limits to %d and %d", body, w.Code, s.Cap, s.Rate)
		}
		if _, err := store.Steer(t.Context(), sale.ID, queue.Change{Set: queue.Settings{Cap: new(int64(2)), Rate: new(int64(3))}}); err != nil {
			t.Fatal(err)
		}
	})
}
