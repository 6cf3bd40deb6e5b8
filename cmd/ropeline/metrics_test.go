package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/webhook"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/monitor"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md anew")

// described is a metric as the page about them shows it.
type described struct{ parts, labels, help string }

// recorder is a Registerer that writes down what could ever be told: a vector
// tells nothing before its first value.
type recorder struct {
	*prometheus.Registry // refuses what does not fit together
	seen                 map[string]described
}

var descText = regexp.MustCompile(`^Desc\{fqName: "(.*?)", help: ("(?:[^"\\]|\\.)*"), (?:unit: ".*?", )?constLabels: \{part="(.*?)"\}, variableLabels: \{(.*?)\}\}$`)

func (r *recorder) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	for d := range descs {
		found := descText.FindStringSubmatch(d.String())
		if found == nil {
			return fmt.Errorf("a metric without a part: %s", d)
		}
		help, err := strconv.Unquote(found[2])
		if err != nil {
			return err
		}
		was, again := r.seen[found[1]]
		parts := found[3]
		if again {
			if was.help != help || was.labels != found[4] {
				return fmt.Errorf("%s is told by %s and %s, and not in the same words", found[1], was.parts, parts)
			}
			parts = was.parts + ", " + parts
		}
		r.seen[found[1]] = described{parts, found[4], help}
	}
	return r.Registry.Register(c)
}

func (r *recorder) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// everything wires all parts, which ask no server before they run.
func everything(t *testing.T) map[string]described {
	t.Helper()
	reg := &recorder{prometheus.NewRegistry(), map[string]described{}}
	keys := keyFolder(filepath.Join(t.TempDir(), "keys"))
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	rdb, err := dial.Redis("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	db, err := dial.Postgres(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ln net.Listener // nobody listens
	log := slog.New(slog.DiscardHandler)
	_, failed := newAdmission(rdb, db, keys, t.TempDir(), nil, nil, ln, reg, log)
	somewhere := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	if _, err := newEdge(t.Context(), rdb, keys, somewhere, somewhere, ln, edgeLimits{Routes: "../../docs/gate/routes.yaml"}, reg, log); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	if _, err := newBooking(rdb, db, payments{Provider: sandbox.New(db)}, keys, "gate", 0, siteFlags{}, abuseFlags{}, receiverFlags{}, ln, reg, log); err != nil {
		t.Fatal(err)
	}
	if _, err := (mailFlags{SMTP: "smtp://127.0.0.1:1", MailFrom: "tickets@example.org"}).letters(rdb, db, keys, reg, log); err != nil {
		t.Fatal(err)
	}
	newWorker(rdb, db, sandbox.New(db), make(webhook.Keys, 32), receiverFlags{}, reg, log)
	return reg.seen
}

const page = "../../docs/metrics.md"

func TestThePageOnMetricsTellsAll(t *testing.T) {
	t.Parallel()
	seen := everything(t)
	rows := "| metric | part | labels | what |\n|---|---|---|---|\n"
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		d := seen[name]
		if !regexp.MustCompile(`^ropeline(_[a-z]+)+$`).MatchString(name) {
			t.Errorf("%s is no name for a metric of ours", name)
		}
		if d.help == "" || !strings.HasSuffix(d.help, ".") {
			t.Errorf("%s: the help is no sentence: %q", name, d.help)
		}
		for label := range strings.SplitSeq(d.labels, ",") {
			if slices.Contains([]string{"place", "session", "visitor", "address", "request", "path"}, label) {
				t.Errorf("%s has a label %q: that is a series for each fan", name, label)
			}
		}
		rows += fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, d.parts, strings.ReplaceAll(d.labels, ",", ", "), d.help)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table -->\n", "<!-- end of table -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	shown, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table between %q and %q", page, begin, end)
	}
	if shown == rows {
		return
	}
	if !*update {
		t.Fatalf("%s does not tell what the program does; write it anew with: go test ./cmd/ropeline -run ThePageOnMetrics -update", page)
	}
	if err := os.WriteFile(page, []byte(head+begin+rows+end+tail), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAProcessCanBeLookedInto(t *testing.T) {
	t.Parallel()
	reg := monitor.NewRegistry()
	log := slog.New(slog.DiscardHandler)
	taken, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ln, err := privateListener{PrivateListen: taken.Addr().String()}.open(t.Context(), log)
	if err != nil {
		t.Fatalf("an address that is taken: %v", err)
	}
	ctx, end := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- privatePart(ln, reg, log).run(ctx) }()
	for path, want := range map[string]string{
		"/metrics": "go_goroutines", "/healthz": "ok", "/debug/pprof/goroutine?debug=1": "goroutine profile",
	} {
		if status, body := fetch(t, address(ln).String()+path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d: %.200s", path, status, body)
		}
	}
	end()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if parts, err := (privateListener{PrivateListen: "off"}).watched(t.Context(), reg, log, nil); err != nil || len(parts) != 0 {
		t.Errorf("off: %v, %v", parts, err)
	}
}

// fetch reads a page and leaves no connection behind.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
