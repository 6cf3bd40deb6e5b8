package ropeline_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ropeline/ropeline"

// room says what one package may import of the product and which libraries it
// has for itself. Everybody may import the standard library; nobody may import
// what is not in this table.
type room struct {
	pkg string
	may []string // packages of the product, besides the root
	why string
}

// layout is the import table of design and ARCHITECTURE.md. Imports run one
// way, from the bottom of this list upwards.
var layout = []room{
	{"", nil, "the words everybody says depend on nothing"},
	{"internal/batch", nil, "a leaf that knows one thing"},
	{"odds", nil, "arithmetic: it knows neither the line nor the shop"},
	{"terms", nil, "whoever checks a sheet needs no sale"},
	{"look", nil, "what a page gets is written in one place; it reads nothing and keeps nothing"},
	{"internal/tenant", nil, "a leaf that knows one thing"},
	{"internal/dial", []string{"internal/tenant"}, "how we connect, and as whom"},
	{"internal/periodic", nil, "a leaf that knows one thing"},
	{"internal/watched", nil, "a leaf that knows one thing"},
	{"internal/monitor", nil, "a leaf: it serves metrics and knows none of a part's"},
	{"internal/tries", nil, "a leaf that knows one thing"},
	{"internal/outward", nil, "a leaf that knows one thing"},
	{"internal/qr", nil, "a leaf that knows one thing"},
	{"queue/draw", nil, "whoever checks a draw needs no line"},
	{"queue/ledger", []string{"queue/draw"}, "whoever checks a ledger needs no line"},
	{"queue", []string{"internal/batch", "queue/draw", "queue/ledger"}, "the line knows nobody who uses it"},
	{"admission/token", []string{"internal/watched"}, "who verifies must not be able to sign"},
	{"admission/auto", nil, "a law of numbers: it can be proved without a shop"},
	{"admission/badge", []string{"admission/token"}, "who verifies must not be able to sign"},
	{"admission", []string{"admission/auto", "admission/badge", "queue", "queue/draw", "queue/ledger", "admission/token", "internal/outward", "internal/watched", "terms"}, "policy and signing above the line"},
	{"admission/gate", []string{"admission/token"}, "a gate is for any shop: it brings no Redis"},
	{"admission/gate/fibergate", []string{"admission/gate", "admission/token"}, "the gate for Fiber"},
	{"edge/wire", nil, "what both ends say; the load test imports it too"},
	{"web", nil, "the built pages"},
	{"edge/visitor", []string{"edge/wire", "admission/token"}, "who somebody is depends on what they bring, not on the line; a foreign login's key set is read as ours is"},
	{"edge/hub", nil, "it writes what it is told to, to whoever it is told to"},
	{"edge/seats", []string{"edge/hub", "edge/wire"}, "it looks through a function that it is given: the edge knows no inventory"},
	{"edge/tcp", nil, "a connection knows nothing of what goes through it"},
	{"edge/http1", []string{"edge/tcp"}, "it reads and writes requests, whatever they are for"},
	{"edge/passage", nil, "what a gate lets through is a question of addresses alone"},
	{"edge/relay", []string{"edge/http1", "edge/tcp"}, "it forwards what it is told to; who may pass is not its business"},
	{"edge", []string{"queue", "queue/draw", "edge/http1", "edge/hub", "edge/passage", "edge/relay", "edge/seats", "edge/visitor", "edge/wire", "admission/gate", "admission/token", "internal/qr", "look", "odds", "terms"}, "the edge goes on when the booking core is down, so it cannot need it"},
	{"booking", nil, "the words of the booking core"},
	{"booking/venue", nil, "a map of seats knows no prices and no shop"},
	{"booking/picture", nil, "it draws what it is given"},
	{"booking/ticket", nil, "a leaf that knows one thing"},
	{"booking/door", []string{"booking", "booking/audit", "booking/ticket", "internal/batch"}, "who comes in knows nothing of how tickets are sold"},
	{"booking/tariff", nil, "arithmetic of prices: it reads nothing and writes nothing"},
	{"booking/plan", []string{"booking", "booking/tariff"}, "arithmetic of periods and of what is allowed: it reads nothing and writes nothing"},
	{"booking/audit", []string{"booking"}, "it writes down what it is told, whatever was changed"},
	{"booking/readiness", nil, "a law of facts: it can be tried without a sale"},
	{"booking/catalogue", []string{"booking", "booking/audit", "booking/picture", "booking/plan", "booking/tariff", "booking/venue", "internal/tenant", "look", "terms"}, "what there is to sell knows nothing of who buys it"},
	{"booking/catalogue", []string{"booking", "booking/audit", "booking/plan", "booking/tariff", "booking/venue", "terms"}, "what there is to sell knows nothing of who buys it"},
	{"booking/oidc", nil, "who somebody is elsewhere; whose account that is here, others say"},
	{"booking/guide", []string{"booking", "booking/audit", "booking/picture"}, "what is on, as people read it, knows nothing of what is sold"},
	{"booking/people", []string{"booking", "booking/audit", "internal/periodic", "internal/tries"}, "who somebody is does not depend on what they do"},
	{"booking/mail", []string{"booking", "internal/batch"}, "it sends what it is given, and knows nobody who writes"},
	{"booking/wording", []string{"booking", "booking/audit", "booking/tariff"}, "what letters say knows neither who gets them nor how they are sent"},
	{"booking/optin", []string{"booking/wording"}, "the links of letters know not what somebody says yes to"},
	{"booking/notice", []string{"booking", "booking/audit", "booking/mail", "booking/wording", "internal/periodic"}, "it asks the database who holds a ticket, and nobody needs it to sell one"},
	{"booking/newsletter", []string{"booking", "booking/audit", "booking/mail", "booking/optin", "booking/wording", "internal/periodic"}, "it asks the database who was sold an order, and nobody needs it to sell one"},
	{"booking/review", []string{"booking", "booking/audit"}, "it asks the database who came in, and nobody needs it to sell a ticket or to open a door"},
	{"booking/wish", []string{"booking", "booking/mail", "booking/optin", "booking/wording"}, "who waits for a sale is nobody who has bought"},
	{"booking/tidings", []string{"booking/catalogue", "booking/hold", "booking/mail", "booking/order", "booking/paper", "booking/wish", "booking/wording", "internal/periodic", "internal/tenant"}, "it asks the database what was bought, and nobody needs it to sell"},
	{"booking/inventory", []string{"internal/periodic"}, "what is free knows nothing of holds' rules or orders"},
	{"booking/payment", []string{"booking"}, "a provider knows amounts, not what they are for"},
	{"booking/payment/signature", nil, "a leaf that knows one thing"},
	{"booking/payment/sandbox", []string{"booking", "booking/payment", "booking/payment/signature"}, "a foreign system in all but address: it shares no code with orders"},
	{"booking/payment/stripe", []string{"booking", "booking/payment", "booking/payment/signature"}, "what Stripe is called stays in here"},
	{"booking/payment/stripe/stripetest", nil, "a fake that shared code with what it tests would share its mistakes"},
	{"booking/payment/paymenttest", []string{"booking", "booking/payment"}, "for tests only: it judges any provider"},
	{"booking/hold", []string{"booking/inventory", "booking/catalogue", "internal/batch"}, "a hold ends by itself, whether or not there are orders"},
	{"booking/stock", []string{"booking/catalogue", "booking/inventory"}, "it counts; the line hears of it through an interface"},
	{"booking/coupon", []string{"booking", "booking/catalogue", "booking/hold", "internal/batch", "internal/periodic", "internal/tries"}, "a coupon is reserved for as long as its hold lives; it knows no orders: they redeem it"},
	{"booking/abuse", []string{"booking"}, "it counts places, addresses and cards, and knows neither holds nor orders: they ask it"},
	{"booking/returns", []string{"booking", "booking/catalogue", "booking/hold", "booking/inventory"}, "an offer is a hold; it knows no orders: they pay for it"},
	{"booking/order", []string{"booking", "booking/abuse", "booking/coupon", "booking/hold", "booking/inventory", "booking/catalogue", "booking/payment", "booking/tariff", "booking/ticket", "internal/batch", "internal/periodic"}, "checkout joins them; the provider comes through its interface"},
	{"booking/paper", []string{"booking/order", "booking/tariff", "booking/ticket", "internal/qr"}, "it writes what is sold, and nobody needs it to sell"},
	{"booking/insight", []string{"booking", "booking/catalogue", "booking/order", "booking/tariff"}, "it adds up what orders have written, and nobody needs it to sell"},
	{"booking/find", []string{"booking"}, "it reads what guide and catalogue have written, and knows neither: both are told of by triggers"},
	{"booking/presale", []string{"booking", "booking/audit"}, "it makes codes and knows no line: where they are looked up comes through its interface"},
	{"booking/webhook", []string{"booking", "booking/catalogue", "booking/inventory", "internal/outward", "internal/periodic"}, "it sends what the database wrote down, and knows nobody who made it happen"},
	{"booking/api", []string{"booking", "booking/*", "admission/badge", "admission/token", "admission/gate", "admission/gate/fibergate", "internal/qr", "internal/tenant", "look"}, "the core sees a public key, never package admission, which can sign"},
	{"docs/gate", nil, "files that are documentation and configuration"},
	{"loadtest", []string{"edge/wire", "docs/gate"}, "it judges from outside, so it may not know the inside"},
	{"loadtest/*", []string{"loadtest"}, "it judges from outside, so it may not know the inside"},
	{"internal/migrations", nil, "one folder of SQL, run by cmd and by tests"},
	{"internal/devstack", []string{"internal/dial"}, "servers for dev and tests, no product code"},
	{"internal/devstack/mailbox", nil, "a foreign system in all but address"},
	{"internal/devstack/elsewhere", nil, "a foreign system in all but address, for tests only"},
	{"internal/devstack/elsewhere/serve", []string{"internal/devstack/elsewhere"}, "it runs that for tests in a browser"},
	{"internal/devstack/devtest", []string{"internal/devstack", "internal/dial", "internal/migrations"}, "for tests only"},
	{"internal/contract", nil, "for tests only: it reads a document, whoever wrote it"},
	{"internal/bench", []string{"internal/devstack", "internal/dial", "internal/migrations"}, "how results are handed over, whatever was measured, and the servers that it is measured on"},
	{"internal/bench/sockets", []string{"internal/bench", "internal/dial", "queue", "edge", "edge/seats", "booking/inventory", "admission/token"}, "whole edges are measured, from outside"},
	{"internal/bench/line", []string{"internal/bench", "internal/bench/sockets", "internal/dial", "queue"}, "the line by itself: no other part is measured with it"},
	{"internal/bench/gate", []string{"internal/bench", "queue", "admission", "admission/token", "admission/gate", "admission/gate/fibergate"}, "the gate from outside, and what it is made of"},
	{"internal/bench/caller", nil, "asks, whatever is measured"},
	{"internal/bench/catalogue", []string{"internal/bench", "internal/bench/caller", "booking", "booking/*", "admission", "admission/token", "admission/gate"}, "how people find what is on, beside the plain way to answer"},
	{"internal/bench/booking", []string{"internal/bench", "internal/bench/caller", "internal/bench/sockets", "booking", "booking/*", "queue", "admission", "admission/token", "admission/gate"}, "what the booking core writes, beside the plain way to write it"},
	{"internal/bench/door", []string{"internal/bench", "internal/bench/caller", "booking/*", "admission/gate", "admission/token"}, "a booking core as its scanners see it"},
	{"internal/bench/letters", []string{"internal/bench", "booking/mail", "booking/people", "internal/devstack/mailbox"}, "letters from outside, beside the plain way to send them"},
	{"cmd/ropeline", []string{"*"}, "wires everything"},
	{"cmd/ropeline-loadtest", []string{"loadtest"}, "wires the load test"},
}

// owners names libraries that may be imported in some packages only.
var owners = map[string][]string{
	"github.com/gofiber/":           {"booking/api", "admission/gate/fibergate", "internal/bench/gate", "internal/bench/booking", "internal/bench/catalogue"},
	"github.com/danielgtaylor/":     {"booking/api"},
	"github.com/pb33f/":             {"internal/contract"},
	"github.com/coder/websocket":    {"edge", "loadtest", "internal/bench/sockets"},
	"github.com/ulule/limiter":      {"edge"},
	"github.com/alecthomas/kong":    {"cmd/ropeline", "cmd/ropeline-loadtest"},
	"github.com/pressly/goose":      {"internal/migrations"},
	"github.com/golang-jwt/":        {"admission", "admission/badge", "admission/token", "edge/visitor"},
	"github.com/MicahParks/":        {"admission/token"},
	"github.com/boombuler/":         {"internal/qr"},
	"rsc.io/qr":                     {"internal/qr"},
	"github.com/stripe/":            {"booking/payment/stripe", "booking/payment/stripe/stripetest"},
	"github.com/alexedwards/":       {"booking/people"},
	"github.com/pquerna/":           {"booking/people"},
	"github.com/wneessen/":          {"booking/mail", "internal/bench/letters"},
	"github.com/riverqueue/":        {"booking/mail", "internal/migrations"},
	"github.com/emersion/":          {"internal/devstack/mailbox"},
	"go.yaml.in/":                   {"edge/passage"},
	"codeberg.org/go-pdf/":          {"booking/insight", "booking/paper"},
	"github.com/arran4/":            {"booking/paper"},
	"github.com/coreos/go-oidc":     {"booking/oidc"},
	"golang.org/x/oauth2":           {"booking/oidc"},
	"github.com/zitadel/":           {"internal/devstack/elsewhere"},
	"github.com/gowebpki/jcs":       {"queue/ledger"},
	"github.com/standard-webhooks/": {"booking/webhook", "booking/mail"},
	"github.com/Shopify/":           {"internal/devstack/devtest"},
	"github.com/rs/zerolog":         {"internal/devstack/devtest"},
	module + "/internal/devstack":   {"cmd/ropeline", "internal/devstack/devtest", "internal/devstack/elsewhere/serve", "internal/bench", "internal/bench/letters"},
}

func matches(pkg, pattern string) bool {
	return pattern == "*" || pkg == pattern ||
		strings.HasSuffix(pattern, "/*") && strings.HasPrefix(pkg, strings.TrimSuffix(pattern, "*"))
}

// roomOf finds the row of a package, -1 if it has none.
func roomOf(pkg string) int {
	return slices.IndexFunc(layout, func(r room) bool { return matches(pkg, r.pkg) })
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	seen := 0
	walkGo(t, func(file, pkg string, imports []string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		seen++
		i := roomOf(pkg)
		if i < 0 {
			t.Errorf("%s: package %q is not in the layout table", file, pkg)
			return
		}
		for _, imp := range imports {
			for prefix, allowed := range owners {
				if strings.HasPrefix(imp, prefix) && !slices.ContainsFunc(allowed, func(p string) bool { return matches(pkg, p) }) && imp != module+"/"+pkg {
					t.Errorf("%s imports %s, which is only for %v", file, imp, allowed)
				}
			}
			inside, ok := strings.CutPrefix(imp, module+"/")
			if !ok || slices.ContainsFunc(layout[i].may, func(p string) bool { return matches(inside, p) }) {
				continue
			}
			t.Errorf("%s: %s may not import %s (%s)", file, pkg, inside, layout[i].why)
		}
	})
	if seen < 20 {
		t.Errorf("looked at %d files only: is the test run from the module's root?", seen)
	}
}

// A permission that nobody uses is an import that nobody would be asked about.
func TestEveryPermissionIsUsed(t *testing.T) {
	t.Parallel()
	imported := map[string][]string{} // by each row's packages
	walkGo(t, func(file, pkg string, imports []string) {
		if i := roomOf(pkg); i >= 0 && !strings.HasSuffix(file, "_test.go") {
			imported[layout[i].pkg] = append(imported[layout[i].pkg], imports...)
		}
	})
	for _, r := range layout {
		if _, ok := imported[r.pkg]; !ok {
			t.Errorf("the layout table has a row for %q, which does not exist", r.pkg)
		}
		for _, p := range r.may {
			if !slices.ContainsFunc(imported[r.pkg], func(imp string) bool {
				inside, ok := strings.CutPrefix(imp, module+"/")
				return ok && matches(inside, p)
			}) {
				t.Errorf("%s may import %s and does not: take the permission away", r.pkg, p)
			}
		}
	}
	for prefix, allowed := range owners {
		for _, pkg := range allowed {
			if !slices.ContainsFunc(imported[pkg], func(imp string) bool { return strings.HasPrefix(imp, prefix) }) {
				t.Errorf("%s may import %s and does not: take the permission away", pkg, prefix)
			}
		}
	}
}

// Two branches that each take the next number are one too many on the day that both
// are there: no database could be migrated.
func TestEachMigrationHasANumberOfItsOwn(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("internal/migrations")
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]string{}
	for _, f := range files {
		number, _, found := strings.Cut(f.Name(), "_")
		if !found || path.Ext(f.Name()) != ".sql" {
			continue
		}
		if other := taken[number]; other != "" {
			t.Errorf("%s and %s have one number", other, f.Name())
		}
		taken[number] = f.Name()
	}
	if len(taken) < 17 {
		t.Errorf("only %d migrations are found", len(taken))
	}
}

// The root is imported by everybody, so it may bring nothing along.
func TestTheRootNeedsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	walkGo(t, func(file, pkg string, imports []string) {
		for _, imp := range imports {
			if pkg == "" && !strings.HasSuffix(file, "_test.go") && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				t.Errorf("%s imports %s", file, imp)
			}
		}
	})
}

func TestEveryPackageSaysOnceWhatItIsFor(t *testing.T) {
	t.Parallel()
	docs := map[string][]string{}
	set := token.NewFileSet()
	walkGo(t, func(file, pkg string, _ []string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		if docs[pkg] == nil {
			docs[pkg] = []string{}
		}
		f, err := parser.ParseFile(set, file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			docs[pkg] = append(docs[pkg], file)
		}
	})
	for pkg, files := range docs {
		if len(files) != 1 {
			t.Errorf("package %q has %d package comments, want one: %v", pkg, len(files), files)
		}
	}
}

// walkGo calls f for every Go file of the module with its package's path below
// the module and its imports. It reads the files itself: a test that asks the
// go command stays "ok (cached)" after a forbidden import is added.
func walkGo(t *testing.T, f func(file, pkg string, imports []string)) {
	t.Helper()
	set := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := path.Base(name)
			if base == "node_modules" || base == "testdata" || base == "out" || base == "bin" || len(base) > 1 && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		pkg := path.Dir(name)
		if pkg == "." {
			pkg = ""
		}
		f(name, pkg, imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
