package abuse

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestThePolicyIsReadFromAFileAndWhatItLeavesOutIsTheDefault(t *testing.T) {
	t.Parallel()
	if err := Default().validate(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "abuse.json")
	if err := os.WriteFile(file, []byte(`{"holds": {"half_life": 60}, "limits": {"card_tickets": 8}, "uncounted": ["192.0.2.0/24"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Holds.HalfLife, want.Limits.CardTickets, want.Uncounted = 60, 8, got.Uncounted
	if !reflect.DeepEqual(got, want) || len(got.Uncounted) != 1 || got.Uncounted[0].String() != "192.0.2.0/24" {
		t.Errorf("read %+v", got)
	}
	if got, err := Load(""); err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("no file: %+v, %v", got, err)
	}
	if _, err := Load(file + "x"); err == nil {
		t.Error("a file that there is not is read")
	}
}

func TestAPolicyThatCannotBeMeantIsRefusedByName(t *testing.T) {
	t.Parallel()
	for text, name := range map[string]string{
		`{"hold": {}}`:                                                 `"hold"`,
		`{"holds": {"half_life": 0}}`:                                  "holds.half_life",
		`{"holds": {"place": {"slow": 0.5}}}`:                          "holds.place.slow",
		`{"holds": {"place": {"first_wait": 0}}}`:                      "holds.place.first_wait",
		`{"holds": {"place": {"first_wait": 20, "longest_wait": 10}}}`: "holds.place.longest_wait",
		`{"holds": {"card": {"slow": 1}}}`:                             "holds.card",
		`{"payments": {"card": {"waits": -1}}}`:                        "payments.card.waits",
		`{"payments": {"card": {"forgive": 0}}}`:                       "payments.card.forgive",
		`{"payments": {"address": {"block": 99999999999}}}`:            "payments.address.block",
		`{"points": {"declined": -1}}`:                                 "points.declined",
		`{"limits": {"card_tickets": -1}}`:                             "limits",
		`{"limits": {"attempts_in": 0}}`:                               "limits.attempts_in",
		`{"keep": -1}`:                                                 "keep",
		`{"uncounted": ["192.0.2.1"]}`:                                 "192.0.2.1",
		`{} {}`:                                                        "more behind",
		`[]`:                                                           "array",
		``:                                                             "EOF",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want it to name %s", text, err, name)
		}
	}
}

// FuzzPolicy holds that what is read is valid, and read again as it is written.
func FuzzPolicy(f *testing.F) {
	text, err := json.Marshal(Default())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"holds": {"place": {"slow": 1e6}}, "uncounted": ["::/0"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Parse(again)
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%s became %s: %v", text, again, err)
		}
	})
}
