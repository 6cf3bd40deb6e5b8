package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// From a file of seats to a sale that can be published, by commands alone.
func TestAVenueBecomesASale(t *testing.T) {
	t.Parallel()
	dsn, dir := devtest.PostgresDSN(t), t.TempDir()
	example, err := os.ReadFile("../../docs/venue.json")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var venue string
	run := func(args ...string) string {
		t.Helper()
		says := session(t, dir, args...)
		if venue == "" {
			venue = anyID.FindString(says)
		}
		return strings.ReplaceAll(says, venue, "VENUE")
	}
	write("venue.json", string(example))
	write("other.json", strings.Replace(string(example), `"places":200`, `"places":250`, 1))
	write("wrong.json", strings.NewReplacer(`"name":"AA"`, `"name":"A-A"`, `"places":200`, `"places":-1`).Replace(string(example)))
	const has = "Opera House: 2 sections, 3 rows, 13 seats, 1 areas, 213 units\n"

	expect(t, session(t, dir, "venue", "check", "DIR/venue.json"), has+`  Stalls (category Stalls): 10 seats, units 0 to 9
  Circle (category Circle): 3 seats, units 10 to 12
  Floor (category Floor): 200 places without a seat, units 13 to 212
`)
	expect(t, session(t, dir, "venue", "check", "DIR/wrong.json"), `error  section "Circle-Left", row "A-A": the name must not contain "-"
error  area "Floor": places must lie between 1 and 4000000
[1]
`)
	expect(t, run("venue", "import", "--postgres", dsn, "DIR/venue.json"), "venue VENUE, version 1 (new): "+has)
	expect(t, run("venue", "import", "--postgres", dsn, "--venue", venue, "DIR/venue.json"), "venue VENUE, version 1 (as before): "+has)
	expect(t, run("venue", "import", "--postgres", dsn, "--venue", venue, "DIR/other.json"),
		"venue VENUE, version 2 (new): Opera House: 2 sections, 3 rows, 13 seats, 1 areas, 263 units\n")
	expect(t, run("venue", "import", "--postgres", dsn, "--venue", venue, "DIR/wrong.json"), `error  section "Circle-Left", row "A-A": the name must not contain "-"
error  area "Floor": places must lie between 1 and 4000000
[1]
`)
	expect(t, run("venue", "export", "--postgres", dsn, "--version", "1", venue), string(example))
	expect(t, run("venue", "export", "--postgres", dsn, "--version", "3", venue),
		"ropeline: venue-unknown: There is no such venue, or no such version of its seat map.\n[1]\n")

	program := strings.ReplaceAll(exampleProgram(t), "VENUE", venue)
	write("program.json", program)
	write("priceless.json", strings.Replace(program, `, "Floor": 4500`, "", 1))
	expect(t, run("program", "--postgres", dsn, "DIR/priceless.json"), "ropeline: program-invalid: Category \"Floor\" of Opera House has no price.\n[1]\n")
	made := run("program", "--postgres", dsn, "DIR/program.json")
	expect(t, anyID.ReplaceAllString(made, "SHOW"), `performance SHOW at 2027-05-01 18:00 UTC
performance SHOW at 2027-05-02 18:00 UTC
sale gala is made; make it known with: ropeline publish gala
`)
	reserve := func(do string, args ...string) string {
		t.Helper()
		return session(t, dir, append([]string{"reserve", do, "--postgres", dsn, "--performance", anyID.FindString(made)}, args...)...)
	}
	expect(t, reserve("list"), "Camera (blocked): 2 units, until it is released\nSecond batch (batch): 100 units, until 2027-02-01T09:00:00Z\n")
	expect(t, reserve("add", "--kind", "guests", "--seats", "Stalls-B-1", "--seats", "Circle-Left", "--at", "2027-04-30T12:00:00+02:00", "Guest list"),
		"Guest list (guests): 3 units, until 2027-04-30T10:00:00Z\n")
	expect(t, reserve("add", "--kind", "batch", "--area", "Floor", "--places", "151", "Third batch"),
		"ropeline: reserve-invalid: Reserve \"Third batch\": places must lie between 1 and the 150 of \"Floor\" that are in no other reserve.\n[1]\n")
	expect(t, reserve("release", "Camera"), "Camera is on sale within a second\n")
	expect(t, reserve("release", "Camera"), "Camera is on sale within a second\n") // a repeat changes nothing
	expect(t, reserve("release", "Crane"), "ropeline: reserve-unknown: The performance has no such reserve in force.\n[1]\n")
	expect(t, reserve("release", "--at", "2099-01-01T00:00:00Z", "Guest list"), "Guest list will be on sale at 2099-01-01T00:00:00Z\n")
	expect(t, reserve("list"), "Guest list (guests): 3 units, until 2099-01-01T00:00:00Z\nSecond batch (batch): 100 units, until 2027-02-01T09:00:00Z\n")

	expect(t, run("program", "--postgres", dsn, "DIR/program.json"), "ropeline: sale-exists: There is a sale of this name already.\n[1]\n")
	expect(t, run("venue", "list", "--postgres", dsn), "VENUE  Opera House: version 2 of its map, 2 performances\n")
}

// exampleProgram is the one of the documentation.
func exampleProgram(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/venues.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "```json\n")
	text, _, ends := strings.Cut(text, "```")
	if !ok || !ends {
		t.Fatal("docs/venues.md has no program")
	}
	return text
}
