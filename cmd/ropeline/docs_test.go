package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/edge"
)

// pages are the texts that people type commands from.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	texts := map[string]string{}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(text)
	}
	return texts
}

var (
	mentioned = regexp.MustCompile("`(?:bin/)?ropeline ([^`\n]+)`")
	typed     = regexp.MustCompile(`(?m)^(?:bin/)?ropeline (.+)$`)
	word      = regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+`)
)

// Whoever types a command of a page gets no "unknown flag". What stands on a line
// of its own is complete; within a sentence arguments may be left out.
func TestCommandsOfThePagesAreUnderstood(t *testing.T) {
	t.Parallel()
	found := 0
	for page, text := range pages(t) {
		for i, lines := range [][][]string{typed.FindAllStringSubmatch(text, -1), mentioned.FindAllStringSubmatch(text, -1)} {
			for _, line := range lines {
				found++
				if err := understood(t, line[1], i == 0); err != nil {
					t.Errorf("%s: ropeline %s: %v", page, line[1], err)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d commands are found", found)
	}
	for _, wrong := range []string{"ops steer x", "ops set s --auto {} --reason r --why x", "keygen staff", "ops stop s"} {
		if understood(t, wrong, true) == nil {
			t.Errorf("%q is understood", wrong)
		}
	}
}

// The tests that the page on the proof names for each bad input are there.
func TestTheTestsOfThePagesAreThere(t *testing.T) {
	t.Parallel()
	var there strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		there.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(pages(t)["proof.md"], -1)
	for _, name := range named {
		if !strings.Contains(there.String(), "\nfunc "+name[1]+"(") {
			t.Errorf("there is no test %s", name[1])
		}
	}
	if len(named) < 15 {
		t.Errorf("only %d tests are named", len(named))
	}
}

func understood(t *testing.T, line string, whole bool) error {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " > ")
	args := word.FindAllString(strings.NewReplacer("[", "", "]", "").Replace(line), -1)
	for i, arg := range args {
		args[i] = strings.NewReplacer(`"`, "", "'", "", "…", "x", "FILE", "docs_test.go").Replace(arg)
	}
	if args[0] == "ops" {
		args = slices.Insert(args, 1, "--staff-key=k")
	}
	var out bytes.Buffer
	parser, err := kong.New(&commands{}, kong.Name("ropeline"), kong.DefaultEnvars("ROPELINE_IN_NO_TEST"), kong.Writers(&out, &out), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	if err != nil && !whole && (strings.HasPrefix(err.Error(), "expected ") || strings.HasPrefix(err.Error(), "missing flags")) {
		return nil
	}
	return err
}

var (
	route = regexp.MustCompile("(?:(GET|POST|PUT|DELETE|PATCH) )?(/api/v1/[A-Za-z0-9/{}-]*(?:[.][a-z]+)?)")
	named = regexp.MustCompile(`\{[a-z_]+\}|/[A-Z][A-Z0-9-]*|/lanterns`) // of a sale, a session and the like
)

// The addresses of the pages are those of the documents at /openapi.json.
func TestAddressesOfThePagesAreRoutes(t *testing.T) {
	t.Parallel()
	core, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]string{} // the methods of each
	for _, text := range [][]byte{core, edge.OpenAPI(), admission.OpenAPI()} {
		var doc struct {
			Paths map[string]map[string]json.RawMessage `json:"paths"`
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		for path, methods := range doc.Paths {
			for method := range methods {
				routes[plain(path)] += " " + strings.ToUpper(method)
			}
		}
	}
	for page, text := range pages(t) {
		for _, found := range route.FindAllStringSubmatch(text, -1) {
			method, path := found[1], plain(strings.TrimRight(found[2], "/"))
			methods, ok := routes[path]
			for have := range routes { // a page may speak of all below an address
				ok = ok || method == "" && strings.HasPrefix(have, path+"/")
			}
			if !ok || !strings.Contains(methods, method) {
				t.Errorf("%s: there is no route %s", page, found[0])
			}
		}
	}
}

// plain is a path without the names of what is in it.
func plain(path string) string {
	return named.ReplaceAllStringFunc(path, func(s string) string { return strings.Repeat("/", strings.Count(s, "/")) + "{}" })
}
