package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	bookingapi "github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// An SRE steers a sale from the command line, against the staff's API on real
// servers.
func TestAnSRESteersFromTheCommandLine(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	store := queue.New(devtest.Redis(t), queue.Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32)})
	t.Cleanup(store.Close)
	now := time.Now()
	sale := ropeline.Sale{
		ID: ropeline.SaleID(fmt.Sprintf("cli-%d", now.UnixNano())), Version: 1, Title: "Test",
		LobbyClosesAt: now.Add(time.Hour), OpensAt: now.Add(2 * time.Hour), EndsAt: now.Add(3 * time.Hour),
		Cap: 20, Rate: 600, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
		Lanes: []ropeline.Lane{
			{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}},
			{Name: "press", Title: "Press", Share: 5, Entry: []ropeline.LaneEntry{ropeline.EntryCode}},
		},
	}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	key, line, err := admission.NewStaffKey("ada", admission.RoleSRE, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"staff": line, "key": key + "\n", "wrong": "wrong"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	staff, err := admission.LoadStaff(filepath.Join(dir, "staff"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	audit, err := admission.NewAudit(db, t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(admission.NewOps(store, staff, quiet).WithRecords(audit, admission.NewSchedule(db, store, quiet)).WithPayments(paymentList{db}))
	t.Cleanup(api.Close)

	id, when := string(sale.ID), regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[0-9a-f]{8}-[0-9a-f-]{27}`)
	ops := func(args ...string) string {
		t.Helper()
		text := session(t, dir, append([]string{"ops", "--edge", api.URL, "--staff-key-file", "DIR/key"}, args...)...)
		return strings.ReplaceAll(when.ReplaceAllString(text, "…"), id, "SALE")
	}
	expect(t, ops("set", id, "--cap", "9", "--session", "5m", "--reason", "a smaller hall"), "was {\"cap\":20,\"session\":600}\nnow {\"cap\":9,\"session\":300}\n")
	expect(t, ops("set", id, "--share", "members=40", "--reason", "many of them"), "was {\"shares\":{\"members\":30,\"press\":5}}\nnow {\"shares\":{\"members\":40,\"press\":5}}\n")
	expect(t, ops("set", id, "--share", "press=60", "--reason", "r"), "ropeline: setting-invalid: Lane press has a share of 60: each must be at least 1 and leave as much to the main lane.\nhint: ropeline ops --help\n[1]\n")
	expect(t, ops("set", id, "--share", "staff=2", "--reason", "r"), "ropeline: setting-invalid: Shares must say that of each lane beside the main one: members, press.\nhint: ropeline ops --help\n[1]\n")
	expect(t, ops("queue", id, "--reason", "INC-7", "--public", "en=The band, and its bus, are late.", "--public", "de=Die Band steht im Stau."), "was {\"mode\":\"run\"}\nnow {\"mode\":\"queue\"}\n")
	if got := ops("status", id); !strings.Contains(got, "The band, and its bus, are late.") || strings.Contains(got, "INC-7") {
		t.Errorf("fans read\n%s", got)
	}
	expect(t, ops("pause", id, "--reason", "The band is late."), "was {\"mode\":\"queue\"}\nnow {\"mode\":\"pause\"}\n")
	if got := ops("status", id); !strings.Contains(got, "lobby  pause  0        0        0       9    0    600/min  0         The band is late.") {
		t.Errorf("status says\n%s", got)
	}
	if got := ops("status", id, "--json"); !strings.HasPrefix(got, `{"sale":"SALE"`) || !strings.Contains(got, `"mode":"pause"`) {
		t.Errorf("status --json says %s", got)
	}
	expect(t, ops("resume", id, "--reason", "They are here."), "was {\"mode\":\"pause\"}\nnow {\"mode\":\"run\"}\n")
	expect(t, ops("presets", "apply", id, "gentle", "--reason", "carefully"), "was {\"cap\":9,\"rate\":600,\"mode\":\"run\"}\nnow {\"cap\":2,\"rate\":60,\"mode\":\"run\"}\n")
	if got := ops("presets", "list"); !strings.Contains(got, "gentle  10%") {
		t.Errorf("presets are\n%s", got)
	}
	expect(t, ops("presets", "save", "quarter", "--percent", "25", "--note", "After a restart", "--reason", "often needed"), "saved quarter: share 25%, sets {}\n")
	expect(t, ops("presets", "save", "closing", "--mode", "drain", "--rate", "60", "--reason", "often needed"), "saved closing: share 0%, sets {\"rate\":60,\"mode\":\"drain\"}\n")
	expect(t, ops("presets", "apply", id, "quarter", "--reason", "after a restart"), "was {\"cap\":2,\"rate\":60}\nnow {\"cap\":5,\"rate\":150}\n")
	expect(t, ops("presets", "remove", "quarter", "--reason", "never used"), "removed\n")
	expect(t, ops("presets", "remove", "quarter", "--reason", "never used"), "ropeline: preset-unknown: There is no preset of this name.\nhint: which presets there are says: ropeline ops presets list\n[1]\n")
	if got := ops("presets", "save", "full", "--percent", "5", "--reason", "r"); !strings.HasPrefix(got, "ropeline: preset-invalid: ") || !strings.HasSuffix(got, "hint: ropeline ops --help\n[1]\n") {
		t.Errorf("a built-in preset was changed: %s", got)
	}
	expect(t, ops("set", id, "--max-cap", "6", "--reason", "no more than that"), "was {\"max_cap\":10000000}\nnow {\"max_cap\":6}\n")
	expect(t, ops("set", id, "--cap", "7", "--reason", "r"), "ropeline: out-of-bounds: The sale's bounds let cap lie between 0 and 6.\nhint: widen the bounds first, with: ropeline ops set --min-cap, --max-cap, --min-rate or --max-rate\n[3]\n")
	expect(t, ops("history", id), "AT  WAITING  OFFERED  ACTIVE  CAP  RATE  OFFERS  MISSED  CLAIMED  WAIT  FREE  HELD  P95\n")
	if err := store.SayReport(t.Context(), queue.Report{Host: "edge-1", Sockets: 7}); err != nil {
		t.Fatal(err)
	}
	if got := ops("edges"); !regexp.MustCompile(`(?m)^edge-1 +` + store.Edge() + ` +\S+ ago +… +7 +0 +0 +0 +false$`).MatchString(got) {
		t.Errorf("the edges are\n%s", got)
	}
	if got := ops("edges", "--json"); !strings.Contains(got, `"host":"edge-1"`) {
		t.Errorf("the edges are %s", got)
	}
	expect(t, ops("payments"), "no payment is in trouble\n")
	if _, err := db.Exec(t.Context(), `insert into payment_troubles (attempt_id, kind, state, provider_ref, amount, currency) values ($1, 'unknown', 'open', 'pi_7', 4500, 'EUR')`, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	if got := ops("payments"); !regexp.MustCompile(`(?m)^unknown +open +4500 EUR +… +pi_7 +… +…$`).MatchString(got) {
		t.Errorf("the payments are\n%s", got)
	}
	if got := ops("payments", "--json"); !strings.HasPrefix(got, `{"kind":"unknown","state":"open","attempt":"…","payment":"pi_7","amount":{"amount":4500,"currency":"EUR"},`) {
		t.Errorf("the payments are %s", got)
	}
	expect(t, ops("beacon", id, "12", "--reason", "the source is away"), "ropeline: beacon-invalid: A beacon's value has 64 hexadecimal digits, not all of them zero.\nhint: ropeline ops --help\n[1]\n")
	expect(t, ops("beacon", id, strings.Repeat("ab", 32), "--reason", "the source is away"), "ropeline: "+problemOf(queue.ErrBeaconNotAwaited)+"\n[3]\n")
	expect(t, ops("schedule", "add", id, "--at", "2999-01-01T00:00:00Z", "--mode", "run", "--reason", "one day"),
		"ropeline: schedule-time: A change can be planned for a time to come, at most a year ahead. The times are those of Redis's clock.\nhint: ropeline ops --help\n[1]\n")
	planned := ops("schedule", "add", id, "--at", "+1h", "--mode", "pass", "--reason", "at the end")
	expect(t, planned, "planned for …: {\"mode\":\"pass\"}\nid …\n")
	if got := ops("schedule", "list", id); !strings.Contains(got, "planned  ada  {\"mode\":\"pass\"}  at the end  …") {
		t.Errorf("the schedule is\n%s", got)
	}
	expect(t, ops("schedule", "cancel", id, "nothing", "--reason", "no"), "ropeline: schedule-unknown: No such change is planned: it was made, or canceled.\nhint: what is planned says: ropeline ops schedule list\n[1]\n")
	if got := ops("audit", id, "--limit", "2"); !strings.Contains(got, "ada  refused   cancel  no") || !strings.Contains(got, "older ones: --before ") {
		t.Errorf("the audit says\n%s", got)
	}
	expect(t, ops("reentry", id, "nobody", "--reason", "the checkout failed"), "ropeline: session-unknown: This sale has no such session.\n[1]\n")
	expect(t, ops("message", id), "no message\n")
	expect(t, ops("message", id, "--text", "en=Doors at 8, not 7; sorry", "--reason", "they ask"), "en: Doors at 8, not 7; sorry\n")
	expect(t, ops("message", id, "--text", "en=Soon", "--text", "de=Bald", "--default", "en", "--for", "1h", "--reason", "they ask"), "until …\nde: Bald\nen: Soon\n")

	// What goes wrong.
	expect(t, ops("message", id, "--text", "en=Soon", "--text", "de=Bald", "--reason", "r"), "ropeline: message-invalid: "+queue.ErrMessageInvalid.Detail+"\nhint: ropeline ops --help\n[1]\n")
	expect(t, ops("message", id, "--clear"), "ropeline: reason-missing: Every change needs a reason of at most 500 characters and one line; that of a pause or a stop is shown to the fans.\n[1]\n")
	expect(t, ops("message", id, "--clear", "--reason", "over"), "no message\n")
	expect(t, ops("set", id, "--cap=-1", "--reason", "r"), "ropeline: setting-invalid: cap is -1, and must lie between 0 and 10000000.\nhint: ropeline ops --help\n[1]\n")
	expect(t, ops("set", id, "--reason", "r"), "ropeline: give --cap, --rate or another value to set\n[1]\n")
	expect(t, ops("stop", id), "ropeline: missing flags: --reason=STRING\nhint: ropeline --help\n[2]\n")
	expect(t, ops("stop", "nowhere", "--reason", "r"), "ropeline: sale-unknown: There is no such sale.\nhint: which sales there are says: ropeline ops status\n[1]\n")
	expect(t, session(t, dir, "ops", "--edge", api.URL, "--staff-key-file", "DIR/wrong", "status"), "ropeline: staff-required: Sign in as staff to do this.\nhint: is the key one of the file staff on the admission servers? Make one with: ropeline keygen staff\n[1]\n")
	expect(t, session(t, dir, "ops", "--edge", "nowhere", "--staff-key-file", "DIR/key", "status"), "ropeline: --edge nowhere: want an address as https://tickets.example\nhint: ropeline --help\n[2]\n")
	if got := session(t, dir, "ops", "status"); !strings.Contains(got, "ROPELINE_STAFF_KEY") || !strings.HasSuffix(got, "[2]\n") {
		t.Errorf("without a key: %s", got)
	}
}

func problemOf(e *ropeline.Error) string { return e.Code + ": " + e.Detail }

// What staff can do over HTTP they can do from the command line.
func TestEveryRouteOfTheStaffHasItsCommand(t *testing.T) {
	t.Parallel()
	does := map[string]string{
		"POST /sign-in": "", "DELETE /sign-in": "", "GET /sign-in": "", // the key goes along with every request
		"GET /sales": "ops status", "GET /sales/{sale}": "ops status", "GET /sales/{sale}/history": "ops history", "GET /edges": "ops edges", "GET /payments": "ops payments list",
		"POST /sales/{sale}/steer": "ops set", "GET /sales/{sale}/audit": "ops audit", "POST /sales/{sale}/beacon": "ops beacon",
		"GET /sales/{sale}/schedule": "ops schedule list", "POST /sales/{sale}/schedule": "ops schedule add",
		"POST /sales/{sale}/schedule/{id}/cancel": "ops schedule cancel",
		"GET /presets": "ops presets list", "PUT /presets/{name}": "ops presets save", "POST /presets/{name}/remove": "ops presets remove",
		"GET /sales/{sale}/terms": "ops terms show", "POST /sales/{sale}/terms": "ops terms publish",
		"GET /sales/{sale}/message": "ops message", "POST /sales/{sale}/message": "ops message",
		"POST /sales/{sale}/sessions/{id}/revoke":  "ops revoke",
		"POST /sales/{sale}/sessions/{id}/reentry": "ops reentry",
		"GET /sales/{sale}/codes":                  "codes counts", "POST /sales/{sale}/codes": "codes generate", "POST /sales/{sale}/codes/revoke": "codes revoke",
	}
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range admission.Routes() {
		words, known := does[r.Method+" "+strings.TrimPrefix(r.Path, "/api/v1/ops")]
		if !known {
			t.Errorf("no command does what %s %s does", r.Method, r.Path)
		}
		node := parser.Model.Node
		for _, word := range strings.Fields(words) {
			i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word })
			if i < 0 {
				t.Fatalf("there is no command %q", words)
			}
			node = node.Children[i]
		}
		if words != "" && !node.Leaf() {
			t.Errorf("ropeline %s is no command by itself", words)
		}
	}
}

func TestOpsStatusNamesASaleThatCannotBeRead(t *testing.T) {
	t.Parallel()
	edge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"sales":[{"sale":"a","phase":"open","mode":"run","holds":true}],"failed":[{"sale":"b","problem":{"type":"urn:ropeline:problem:store-away","title":"x","status":503,"detail":"Not now."}}]}`)
	}))
	t.Cleanup(edge.Close)
	got := session(t, "", "ops", "--edge", edge.URL, "--staff-key", "k", "status")
	if lines := strings.Split(got, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[1], "a ") || !strings.HasPrefix(lines[2], "b ") || !strings.HasSuffix(lines[2], "store-away: Not now.") {
		t.Errorf("status says\n%s", got)
	}
}

// Somebody steers between the look and the change.
func TestOpsSaysThatSomebodyElseWasFaster(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/ops/sales/demo", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"sale":"demo","cap":9,"mode":"run"}`) })
	mux.HandleFunc("POST /api/v1/ops/sales/demo/steer", func(w http.ResponseWriter, r *http.Request) {
		var sent bytes.Buffer
		_, _ = sent.ReadFrom(r.Body)
		if sent.String() != `{"expect":{"cap":9},"reason":"r","set":{"cap":5}}` {
			t.Errorf("sent %s", &sent)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"type":"urn:ropeline:problem:limits-changed","title":"Conflict","status":409,"detail":"Somebody was faster.","now":{"cap":7}}`)
	})
	mux.HandleFunc("POST /api/v1/ops/sales/demo/sessions/s1/reentry", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /api/v1/ops/sales", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
	})
	edge := httptest.NewServer(mux)
	t.Cleanup(edge.Close)
	expect(t, session(t, "", "ops", "--edge", edge.URL, "--staff-key", "k", "set", "demo", "--cap", "5", "--reason", "r"),
		"ropeline: limits-changed: Somebody was faster.\nnow: {\"cap\":7}\nhint: look again with: ropeline ops status\n[3]\n")
	expect(t, session(t, "", "ops", "--edge", edge.URL, "--staff-key", "k", "reentry", "demo", "s1", "--reason", "the checkout failed"),
		"the fan of session s1 may come in again, once\n")
	expect(t, session(t, "", "ops", "--edge", edge.URL, "--staff-key", "k", "status"),
		"ropeline: Found: this is no answer of an edge: is the address right?\n[1]\n")
}

func TestWhatIsNotKnownIsNoNumber(t *testing.T) {
	t.Parallel()
	if got := known(-1, "s") + known(0, "") + known(250, "ms"); got != "-0250ms" {
		t.Errorf("known numbers are written as %s", got)
	}
}

// Disputes are the booking core's, behind the same edge and the same key.
func TestOpsDisputes(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	d := bookingapi.Dispute{ID: "d1", Order: "o1", Sale: "gala", Ref: "dp_1", State: "open", Reason: "fraudulent", EvidenceDue: &due, Void: 2}
	d.Amount.Amount, d.Amount.Currency = 4500, "EUR"
	var list []bookingapi.Dispute
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/organizer/disputes", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("asked with %q", r.Header.Get("Authorization"))
		}
		_ = ropeline.WriteJSON(w, http.StatusOK, map[string]any{"disputes": list})
	})
	mux.HandleFunc("POST /api/v1/organizer/disputes/{id}/release", func(w http.ResponseWriter, r *http.Request) {
		var body bookingapi.ReleaseRequest
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Reason != "the door knows" {
			t.Errorf("asked for %+v, %v", body, err)
		}
		if r.PathValue("id") != "d1" {
			ropeline.WriteProblem(w, order.ErrDisputeUnknown)
			return
		}
		_ = ropeline.WriteJSON(w, http.StatusOK, d)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	ops := func(args ...string) string {
		return session(t, t.TempDir(), append([]string{"ops", "--edge", srv.URL, "--staff-key", "k", "payments"}, args...)...)
	}
	expect(t, ops("disputes"), "no order is in dispute\n")
	list = []bookingapi.Dispute{d}
	if got := ops("disputes"); !regexp.MustCompile(`(?m)^d1 +open +4500 EUR +fraudulent +gala +o1 +dp_1 +2026-12-01T12:00:00Z +2$`).MatchString(got) {
		t.Errorf("the disputes are\n%s", got)
	}
	expect(t, ops("release", "d1", "--reason", "the door knows"), "the places of order o1 are for sale again\n")
	expect(t, ops("release", "d2", "--reason", "the door knows"), "ropeline: "+problemOf(order.ErrDisputeUnknown)+"\nhint: which disputes there are says: ropeline ops payments disputes\n[1]\n")
}
