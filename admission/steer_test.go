package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/auto"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// desk is the staff's API on real servers, and what it keeps.
type desk struct {
	*testing.T
	ops      http.Handler
	key      string
	db       *pgxpool.Pool
	store    *queue.Store
	audit    *admission.Audit
	schedule *admission.Schedule
	sale     ropeline.Sale
}

// newDesk opens a desk on a database; folder is its journal's.
func newDesk(t *testing.T, db *pgxpool.Pool, folder string) *desk {
	t.Helper()
	return newDeskOn(t, newStore(t), db, folder)
}

func newDeskOn(t *testing.T, store *queue.Store, db *pgxpool.Pool, folder string) *desk {
	t.Helper()
	d := &desk{T: t, db: db, store: store}
	d.sale = publish(t, d.store, -2*time.Minute, -time.Minute)
	var err error
	if d.audit, err = admission.NewAudit(db, folder, quiet); err != nil {
		t.Fatal(err)
	}
	d.schedule = admission.NewSchedule(db, d.store, quiet)
	ops, key := newOpsWith(t, d.store, slog.New(slog.DiscardHandler))
	d.ops, d.key = ops.(*admission.Ops).WithRecords(d.audit, d.schedule), key
	return d
}

func (d *desk) call(method, path, body string) (int, string, map[string]any) {
	d.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/api/v1/ops/sales/" + string(d.sale.ID) + "/" + path
	}
	if body == "" {
		return api(d.T, d.ops, method, path, d.key, "")
	}
	return api(d.T, d.ops, method, path, d.key, body)
}

// want calls and wants this status and problem.
func (d *desk) want(method, path, body string, code int, problem string) map[string]any {
	d.Helper()
	got, is, doc := d.call(method, path, body)
	if got != code || is != problem {
		d.Fatalf("%s %s %s: %d %s %v, want %d %s", method, path, body, got, is, doc["detail"], code, problem)
	}
	return doc
}

// rows are those of the audit, the oldest first, in few words.
func (d *desk) rows() (rows []string) {
	d.Helper()
	page, _, err := d.audit.List(d.Context(), d.sale.ID, 0, 100)
	if err != nil {
		d.Fatal(err)
	}
	for _, r := range slices.Backward(page) {
		redis := ""
		if r.Effective != nil {
			redis = " by Redis"
		}
		rows = append(rows, strings.TrimSpace(fmt.Sprintf("%s %s %s%s: %s %s", r.Kind, r.Action, r.Who, redis, r.Reason, r.Via)))
	}
	return rows
}

func TestWhatStaffDoIsWrittenDownBeforeAndAfter(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	d := newDesk(t, db, t.TempDir())
	d.want("POST", "steer", `{"set":{"cap":9},"expect":{"cap":2},"reason":"more doors"}`, 200, "")
	d.want("POST", "steer", `{"set":{"cap":5},"expect":{"cap":2},"reason":"too late"}`, 409, "limits-changed")
	d.want("POST", "steer", `{"set":{"min_cap":4,"max_cap":20},"expect":{"min_cap":0,"max_cap":10000000},"reason":"the hall"}`, 200, "")
	d.want("POST", "steer", `{"set":{"cap":21},"expect":{"cap":9},"reason":"greedy"}`, 409, "out-of-bounds")
	d.want("POST", "message", `{"texts":{"en":"Hello"},"default":"en","reason":"they ask"}`, 200, "")
	for _, public := range []string{`{}`, `{"en":""}`, `{"en":"a\nb"}`, `{"not a tag":"x"}`, `{"en":"` + strings.Repeat("x", 501) + `"}`} {
		d.want("POST", "steer", `{"set":{"mode":"pause"},"expect":{"version":2},"reason":"r","public_reason":`+public+`}`, 422, "message-invalid")
	}
	doc := d.want("POST", "steer", `{"set":{"mode":"pause"},"expect":{"mode":"run"},"reason":"INC-7","public_reason":{"de":"Kurze Pause.","en":"A short break."}}`, 200, "")
	if inner(doc, "live")["reason"] != "A short break." {
		t.Errorf("fans read %v", inner(doc, "live")["reason"])
	}
	want := []string{
		"intended steer ada: more doors", "effective steer ada by Redis: more doors",
		"intended steer ada: too late", "refused steer ada by Redis: too late",
		"intended steer ada: the hall", "effective steer ada by Redis: the hall",
		"intended steer ada: greedy", "refused steer ada: greedy",
		"intended set message ada: they ask", "effective set message ada: they ask",
		"intended steer ada: INC-7", "effective steer ada by Redis: INC-7",
	}
	if got := d.rows(); !slices.Equal(got, want) {
		t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// By pages, the newest first.
	var seen []any
	for path := "audit?limit=3"; path != ""; {
		doc := d.want("GET", path, "", 200, "")
		rows, _ := doc["rows"].([]any)
		seen, path = append(seen, rows...), ""
		if next, more := doc["next"].(float64); more {
			path = fmt.Sprintf("audit?limit=3&before=%.0f", next)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("pages have %d rows, want %d", len(seen), len(want))
	}
	if first := seen[len(seen)-2].(map[string]any); inner(inner(first, "detail"), "was")["cap"] != 2.0 || inner(inner(first, "detail"), "now")["cap"] != 9.0 {
		t.Errorf("the first change came to %v", first)
	}
	for _, path := range []string{"audit?limit=0", "audit?limit=501", "audit?before=-1", "audit?before=x"} {
		d.want("GET", path, "", 422, "page-invalid")
	}
	for _, sql := range []string{"update ops_audit set who = 'eve'", "delete from ops_audit", "truncate ops_audit"} {
		if _, err := db.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v, want it refused", sql, err)
		}
	}
}

// Ten at once, who all saw the same: one is made, nine are told what is now.
func TestOfManyWhoSteerAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	codes := make([]int, 10)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			codes[i], _, _ = d.call("POST", "steer", fmt.Sprintf(`{"set":{"cap":%d},"expect":{"cap":2},"reason":"r"}`, 10+i))
		})
	}
	all.Wait()
	slices.Sort(codes)
	if want := append([]int{200}, slices.Repeat([]int{409}, 9)...); !slices.Equal(codes, want) {
		t.Errorf("answered %v, want %v", codes, want)
	}
	if rows := d.rows(); len(rows) != 20 {
		t.Errorf("the audit has %d rows of ten changes", len(rows))
	}
}

// away is a database that nobody answers for.
func away(t *testing.T) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(t.Context(), "host="+filepath.Join(t.TempDir(), "nothing")+" user=nobody dbname=none sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func TestWithoutTheDatabaseOnlyFewerAreLetIn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d := newDesk(t, away(t), folder)
	for _, body := range []string{
		`{"set":{"cap":3},"expect":{"cap":2},"reason":"more"}`,
		`{"set":{"cap":1,"rate":9000},"expect":{"cap":2,"rate":6000},"reason":"faster"}`,
		`{"set":{"cap":1},"expect":{"version":0},"reason":"lower than what?"}`,
		`{"set":{"mode":"pass"},"expect":{"mode":"run"},"reason":"let them in"}`,
		`{"set":{"mode":"drain"},"expect":{"mode":"run"},"reason":"drain"}`,
		`{"set":{"session":60},"expect":{"session":600},"reason":"shorter"}`,
	} {
		d.want("POST", "steer", body, 503, "audit-away")
	}
	d.want("POST", "message", `{"texts":{"en":"Hello"},"default":"en","reason":"they ask"}`, 503, "audit-away")
	d.want("POST", "schedule", `{"at":"2999-01-01T00:00:00Z","set":{"cap":1},"reason":"r"}`, 422, "schedule-time")
	d.want("GET", "schedule", "", 503, "store-away")
	d.want("GET", "audit", "", 503, "audit-away")
	if s, err := d.store.State(t.Context(), d.sale.ID); err != nil || s.Version != 0 {
		t.Fatalf("changed without a word: %+v, %v", s.Limits, err)
	}
	d.want("POST", "steer", `{"set":{"cap":1,"rate":5000},"expect":{"cap":2,"rate":6000},"reason":"slower"}`, 200, "")
	d.want("POST", "steer", `{"set":{"mode":"stop"},"expect":{"mode":"run"},"reason":"The power is out."}`, 200, "")
	d.want("POST", "steer", `{"set":{"mode":"queue"},"expect":{"mode":"run"},"reason":"late"}`, 409, "limits-changed")
	d.want("POST", "steer", `{"set":{"mode":"run"},"expect":{"mode":"stop"},"reason":"on again"}`, 503, "audit-away")

	// It is entered when there is a database again, once.
	entering, err := admission.NewAudit(devtest.Postgres(t), folder, quiet)
	if err != nil {
		t.Fatal(err)
	}
	d.audit = entering
	run(t, entering)
	want := []string{
		"intended steer ada: slower", "effective steer ada by Redis: slower",
		"intended steer ada: The power is out.", "effective steer ada by Redis: The power is out.",
		"intended steer ada: late", "refused steer ada by Redis: late",
	}
	waitUntil(t, "the journal is entered", func() bool { return len(d.rows()) == len(want) })
	if got := d.rows(); !slices.Equal(got, want) {
		t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	waitUntil(t, "the files are gone", func() bool {
		left, err := filepath.Glob(filepath.Join(folder, "*"))
		return err == nil && len(left) == 0
	})
}

// The second row cannot be written: what was done is done.
func TestWhatWasDoneIsNeverAnsweredAsAnError(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	folder := t.TempDir()
	d := newDesk(t, db, folder)
	if _, err := db.Exec(t.Context(), `alter table ops_audit add constraint broken check (kind = 'intended')`); err != nil {
		t.Fatal(err)
	}
	doc := d.want("POST", "steer", `{"set":{"cap":9},"expect":{"cap":2},"reason":"more doors"}`, 200, "")
	if inner(doc, "live")["cap"] != 9.0 {
		t.Errorf("answered %v", doc)
	}
	if files, err := filepath.Glob(filepath.Join(folder, "*.2.audit.json")); err != nil || len(files) != 1 {
		t.Errorf("the journal has %v, %v", files, err)
	}
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(15 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("in vain: ", what)
		}
	}
}

func TestPresetsAreMadeAndApplied(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	const presets = "/api/v1/ops/presets"
	for path, body := range map[string]string{
		presets + "/gentle":    `{"set":{"cap":1},"reason":"r"}`,
		presets + "/No%20Name": `{"set":{"cap":1},"reason":"r"}`,
		presets + "/nothing":   `{"reason":"r"}`,
		presets + "/too-much":  `{"share":101,"reason":"r"}`,
		presets + "/both":      `{"share":10,"set":{"cap":1},"reason":"r"}`,
	} {
		d.want("PUT", path, body, 422, "preset-invalid")
	}
	d.want("PUT", presets+"/negative", `{"set":{"cap":-1},"reason":"r"}`, 422, "setting-invalid")
	d.want("PUT", presets+"/absurd", `{"set":{"auto":{"on":true,"target_ms":0}},"reason":"r"}`, 422, "auto-invalid")
	d.want("PUT", presets+"/half", `{"note":"Half of everything.","share":50,"set":{"session":300},"reason":"often used"}`, 200, "")
	d.want("POST", "steer", `{"preset":"half","expect":{"version":0},"reason":"calmer"}`, 200, "")
	if s, err := d.store.State(t.Context(), d.sale.ID); err != nil || s.Cap != 1 || s.Rate != 3000 || s.Session != 300 {
		t.Errorf("half: %+v, %v", s.Limits, err)
	}
	names := func() (names []string) {
		list, _ := d.want("GET", presets, "", 200, "")["presets"].([]any)
		for _, p := range list {
			name, _ := p.(map[string]any)["name"].(string)
			names = append(names, name)
		}
		return names
	}
	if got := names(); !slices.Equal(got, []string{"drain", "full", "gentle", "half"}) {
		t.Errorf("the presets are %v", got)
	}
	d.want("POST", presets+"/half/remove", `{"reason":"not any more"}`, 204, "")
	d.want("POST", presets+"/half/remove", `{"reason":"again"}`, 404, "preset-unknown")
	if got := names(); len(got) != 3 {
		t.Errorf("the presets are %v", got)
	}
}

// A plan for the automatic mode is read when it is made, not when its time has come;
// one that is good switches it on.
func TestThePlanChecksTheAutomaticMode(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	at := func(in time.Duration) string { return time.Now().Add(in).Format(time.RFC3339Nano) }
	for _, bad := range []string{`{"on":true,"target_ms":0}`, `{"on":true,"slow":0.9}`, `{"on":true,"errors":-1}`, `{"on":true,"in_flight":-1}`,
		`{"on":true,"target":300}`, `{"on":"yes"}`, `[]`} {
		d.want("POST", "schedule", `{"at":"`+at(time.Hour)+`","set":{"auto":`+bad+`},"reason":"r"}`, 422, "auto-invalid")
	}
	if list, _ := d.want("GET", "schedule", "", 200, "")["planned"].([]any); len(list) != 0 {
		t.Errorf("what was refused is planned: %v", list)
	}
	d.want("POST", "schedule", `{"at":"`+at(300*time.Millisecond)+`","set":{"auto":{"on":true,"target_ms":200},"rate":600,"max_rate":900},"reason":"opening"}`, 201, "")
	run(t, admission.NewSchedule(d.db, d.store, quiet))
	waitUntil(t, "the automatic mode is on", func() bool {
		s, err := d.store.State(t.Context(), d.sale.ID)
		set, bad := auto.Parse([]byte(s.Auto))
		return err == nil && bad == nil && set.On && set.TargetMS == 200 && s.MaxRate == 900
	})
}

// Several schedules run, and one of them dies after the script and before it has
// written down what it did.
func TestAPlannedChangeIsMadeOnceAtItsTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	at := func(in time.Duration) string { return time.Now().Add(in).Format(time.RFC3339Nano) }
	soon := d.want("POST", "schedule", `{"at":"`+at(700*time.Millisecond)+`","set":{"cap":7,"mode":"drain"},"reason":"doors close"}`, 201, "")
	d.want("POST", "schedule", `{"at":"`+at(800*time.Millisecond)+`","set":{"max_cap":3},"reason":"impossible"}`, 201, "")
	d.want("POST", "schedule", `{"at":"`+at(900*time.Millisecond)+`","set":{"mode":"pause"},"reason":"INC-7","public_reason":{"de":"Um neun geht es weiter.","en":"Back at nine."}}`, 201, "")
	later := d.want("POST", "schedule", `{"at":"`+at(time.Hour)+`","preset":"full","reason":"tomorrow"}`, 201, "")
	id, _ := soon["id"].(string)
	if _, err := d.store.Steer(t.Context(), d.sale.ID, queue.Change{ID: id, Set: queue.Settings{Cap: new(int64(7)), Mode: new(ropeline.ModeDrain)}, By: "schedule", Reason: "doors close"}); err != nil {
		t.Fatal(err) // as if another had come so far
	}
	if _, err := d.store.Steer(t.Context(), d.sale.ID, queue.Change{Set: queue.Settings{Cap: new(int64(8))}}); err != nil {
		t.Fatal(err) // and somebody steered after it
	}
	for range 3 {
		run(t, admission.NewSchedule(d.db, d.store, quiet))
	}
	states := func() (states []string) {
		list, _ := d.want("GET", "schedule", "", 200, "")["planned"].([]any)
		for _, p := range list {
			state, _ := p.(map[string]any)["state"].(string)
			states = append(states, state)
		}
		return states
	}
	waitUntil(t, "all were tried", func() bool { return slices.Equal(states(), []string{"done", "refused", "done", "planned"}) })
	s, err := d.store.State(t.Context(), d.sale.ID)
	if err != nil || s.Cap != 8 || s.Mode != ropeline.ModePause || s.Version != 3 {
		t.Errorf("after the planned changes: %+v, %v; want none made twice", s.Limits, err)
	}
	if b, err := d.store.Board(t.Context(), d.sale.ID); err != nil || s.Reason != "Back at nine." || b.Pause == nil || b.Pause.Texts["de"] != "Um neun geht es weiter." {
		t.Errorf("fans read %q, and of the board %+v, %v", s.Reason, b.Pause, err)
	}
	laterID, _ := later["id"].(string)
	d.want("POST", "schedule/"+laterID+"/cancel", `{"reason":"no"}`, 204, "")
	for _, gone := range []string{laterID, id, "nonsense"} {
		d.want("POST", "schedule/"+gone+"/cancel", `{"reason":"no"}`, 404, "schedule-unknown")
	}
	var made []string
	for _, row := range d.rows() {
		if strings.HasSuffix(row, "schedule") {
			made = append(made, row)
		}
	}
	if want := []string{"effective steer ada by Redis: doors close schedule", "refused steer ada: impossible schedule", "effective steer ada by Redis: INC-7 schedule"}; !slices.Equal(made, want) {
		t.Errorf("the audit says of the schedule: %q", made)
	}
}

// A leader that is gone is replaced within two seconds of Redis's time.
func TestAnotherControllerTicksTwoSecondsAfterTheFirstIsGone(t *testing.T) {
	t.Parallel()
	store, rdb := ownStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	ticks := rdb.Subscribe(t.Context(), "ropeline:{"+string(sale.ID)+"}:ticks")
	defer ticks.Close()
	heard := ticks.Channel()
	leader := func() string { return rdb.Get(t.Context(), "ropeline:{"+string(sale.ID)+"}:leader").Val() }
	next := func() time.Time {
		t.Helper()
		select {
		case m := <-heard:
			var state queue.State
			if err := json.Unmarshal([]byte(m.Payload), &state); err != nil {
				t.Fatal(err)
			}
			return state.Now
		case <-time.After(15 * time.Second):
			t.Fatal("nobody ticks")
		}
		return time.Time{}
	}
	ctx, die := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() { _ = admission.NewController(store, quiet).Run(ctx) })
	last, name := next(), leader()
	run(t, admission.NewController(store, quiet))
	die() // it gives nothing back, as if it had been killed
	first.Wait()
	for replaced := false; !replaced; {
		now := next()
		if gap := now.Sub(last); gap > 2*time.Second {
			t.Errorf("the line stood still for %v", gap)
		}
		last, replaced = now, leader() != name
	}
}

// planner is what an organizer's plan says.
type planner struct{ says error }

func (p *planner) Automatic(context.Context, ropeline.SaleID) error { return p.says }

// Whoever switches the automatic mode on needs a plan that has it, now or later; where it
// is on it stays on, and may be tuned. Nobody waits for a database.
func TestTheAutomaticModeIsAskedOfThePlan(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.Postgres(t), t.TempDir())
	none := &ropeline.Error{Kind: ropeline.Conflict, Code: "plan-automatic", Detail: "The plan has none."}
	book := &planner{says: none}
	d.ops.(*admission.Ops).WithPlans(book)
	on := func(target, code int, problem string) {
		t.Helper()
		d.want("POST", "steer", fmt.Sprintf(`{"set":{"auto":{"on":true,"target_ms":%d}},"expect":{"auto":null},"reason":"r"}`, target), code, problem)
	}
	on(200, 409, "plan-automatic")
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	d.want("POST", "schedule", `{"at":"`+later+`","set":{"auto":{"on":true}},"reason":"r"}`, 409, "plan-automatic")
	if s, err := d.store.State(t.Context(), d.sale.ID); err != nil || s.Auto != "" {
		t.Errorf("what was refused is on: %q, %v", s.Auto, err)
	}
	d.want("POST", "steer", `{"set":{"auto":{"on":false}},"expect":{"auto":null},"reason":"r"}`, 200, "")
	d.want("POST", "steer", `{"set":{"auto":null},"expect":{"auto":{"on":false}},"reason":"r"}`, 200, "")
	book.says = ropeline.ErrStoreAway
	on(200, 200, "")
	book.says = none // the plan is over
	d.want("POST", "steer", `{"set":{"auto":{"on":true,"target_ms":400}},"expect":{"auto":{"on":true,"target_ms":200}},"reason":"r"}`, 200, "")
}
