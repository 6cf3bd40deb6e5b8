package api

import (
	"encoding/json"
	"strings"
	"testing"
)

// What json.Unmarshal takes is taken, and what it refuses is refused; a number that does
// not fit is named by its place.
func FuzzUnmarshal(f *testing.F) {
	for _, body := range []string{
		``, `null`, `[1e999]`, `{"units":[1,18446744073709551616]}`, `{"tiers":[{"quantity":2},{"tier":"a","quantity":1e2}]}`,
		`{"a":{"":[[],{},-1e999]}}`, `{"units":1}`, `{"units":[]}{`, `{"quantity":1.5,"quantity":1}`, strings.Repeat("[", 9999) + "1e999" + strings.Repeat("]", 9999),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, fresh := range []func() any{func() any { return new(any) }, func() any { return new(HoldRequest) }} {
			want, err := json.Unmarshal([]byte(body), fresh()), unmarshal([]byte(body), fresh())
			if (want == nil) != (err == nil) {
				t.Fatalf("%q: %v, want %v", body, err, want)
			}
			// "number into" is one where none belongs, which the document of the interface says.
			big := want != nil && strings.HasPrefix(want.Error(), "json: cannot unmarshal number ") && !strings.HasPrefix(want.Error(), "json: cannot unmarshal number into")
			if want != nil && big != strings.HasPrefix(err.Error(), misfit+"body") {
				t.Fatalf("%q: %v says no place, or a wrong one: %v", body, err, want)
			}
		}
	})
}

func TestANumberThatDoesNotFitIsNamed(t *testing.T) {
	t.Parallel()
	for body, place := range map[string]string{
		`1e999`:       `body`,
		`[0,[1e999]]`: `body[1][0]`,
		`{"performance":"x","units":[1,{},[1e999,2]]}`:                               `body.units[2][0]`,
		`{"a":[1,{"b":2}],"tiers":[{"quantity":2},{"tier":"}","quantity": 1e999 }]}`: `body.tiers[1].quantity`,
	} {
		if err := unmarshal([]byte(body), new(any)); err == nil || err.Error() != misfit+place {
			t.Errorf("%s: %v, want it to name %s", body, err, place)
		}
	}
	var h HoldRequest
	if err := unmarshal([]byte(`{"tiers":[{"quantity":2},{"quantity":18446744073709551616}]}`), &h); err == nil || err.Error() != misfit+"body.tiers[1].quantity" {
		t.Errorf("into a struct: %v", err)
	}
}
