package terms

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

var opens = time.Date(2026, 12, 1, 18, 0, 0, 0, time.UTC)

func content() Content {
	return Of(ropeline.Sale{
		Title: "The Lanterns", LobbyClosesAt: opens.Add(-time.Minute), OpensAt: opens, EndsAt: opens.Add(time.Hour),
		ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6, PartyMax: 1,
		Lanes: []ropeline.Lane{{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}},
	}, []Performance{{ID: "p1", Title: "The Lanterns", Venue: "Theater", StartsAt: opens, Tiers: []Tier{
		{ID: "a", Name: "Stalls", Kind: "seated", Units: 100, Amount: 7500, Currency: "EUR"},
		{ID: "b", Name: "Balcony", Kind: "seated", Units: 50, Amount: 3500, Currency: "EUR"},
	}}})
}

// seal signs as package admission does.
func seal(t testing.TB, key ed25519.PrivateKey, head string, s Sheet) string {
	t.Helper()
	text, err := Canonical(s)
	if err != nil {
		t.Fatal(err)
	}
	said := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString(text)
	return said + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(said)))
}

const head = `{"alg":"EdDSA","kid":"k1","typ":"ropeline-terms+json"}`

func keyPair() (ed25519.PrivateKey, map[string]ed25519.PublicKey) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	public, _ := key.Public().(ed25519.PublicKey)
	return key, map[string]ed25519.PublicKey{"k1": public}
}

func TestAChangeSaysWhatIsDifferentAndWhatWasBefore(t *testing.T) {
	t.Parallel()
	first := First("lanterns", content(), opens)
	c := content()
	c.UnitsPerHold, c.Hold, c.Lanes[0].Share = 4, 300, 20
	c.Performances[0].Venue = "Arena"
	c.Performances[0].Tiers = []Tier{
		{ID: "a", Name: "Stalls", Kind: "seated", Units: 90, Amount: 8000, Currency: "EUR"},
		{ID: "c", Name: "Standing", Kind: "general", Units: 10, Amount: 2000, Currency: "EUR"},
	}
	second, ok, err := first.Next(c, opens.Add(1500*time.Millisecond), "The hall is larger.")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	hash, err := first.Hash()
	if err != nil || second.Previous != hash || second.Version != 2 || second.Reason != "The hall is larger." || !second.At.Equal(opens.Add(time.Second)) {
		t.Errorf("second version %+v, %v", second, err)
	}
	want := []Change{
		{"venue", "The Lanterns", "Theater", "Arena"},
		{"price", "Stalls", "7500 EUR", "8000 EUR"},
		{"units", "Stalls", "100", "90"},
		{"tier", "Balcony", "3500 EUR", ""},
		{"tier", "Standing", "", "2000 EUR"},
		{"units_per_hold", "", "6", "4"},
		{"hold", "", "600", "300"},
		{"lane_share", "Members", "30", "20"},
	}
	if !reflect.DeepEqual(second.Changes, want) {
		t.Errorf("changes\n%v\nwant\n%v", second.Changes, want)
	}
	if _, ok, err := second.Next(c, opens.Add(time.Hour), "again"); ok || err != nil {
		t.Errorf("what is the same became a new version: %v", err)
	}
}

// A field that is added to the sheet and not compared would change silently.
func TestEveryFieldIsCompared(t *testing.T) {
	t.Parallel()
	var vary func(v reflect.Value, name string)
	base := content()
	try := func(name string, changed Content) {
		if got := changes(base, changed); len(got) == 0 {
			t.Errorf("nobody is told that %s changed", name)
		}
	}
	var c Content
	vary = func(v reflect.Value, name string) {
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(opens.Add(99 * time.Hour)))
		case string:
			v.SetString("another")
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString("another")
			case reflect.Int, reflect.Int64:
				v.SetInt(99)
			default:
				t.Fatalf("%s is of a kind that this test does not know", name)
			}
		}
		try(name, c)
	}
	for _, part := range []func() reflect.Value{
		func() reflect.Value { return reflect.ValueOf(&c).Elem() },
		func() reflect.Value { return reflect.ValueOf(&c.Performances[0]).Elem() },
		func() reflect.Value { return reflect.ValueOf(&c.Performances[0].Tiers[0]).Elem() },
		func() reflect.Value { return reflect.ValueOf(&c.Lanes[0]).Elem() },
	} {
		c = content()
		for i := range part().NumField() {
			c = content()
			if f := part().Field(i); f.Kind() != reflect.Slice {
				vary(f, part().Type().Field(i).Name)
			}
		}
	}
}

func TestTheCanonicalTextIsOne(t *testing.T) {
	t.Parallel()
	got, err := Canonical(map[string]any{"b": 1, "a": "<é&\u2028\\u2028\"\t\u0001>", "n": int64(9007199254740993), "l": []any{}})
	if want := "{\"a\":\"<é&\u2028\\\\u2028\\\"\\t\\u0001>\",\"b\":1,\"l\":[],\"n\":9007199254740993}"; err != nil || string(got) != want {
		t.Errorf("canonical\n%s\nwant\n%s (%v)", got, want, err)
	}
	first := First("lanterns", content(), opens)
	text, err := Canonical(first)
	if err != nil {
		t.Fatal(err)
	}
	var again Sheet
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("a sheet came back as %+v, %v", again, err)
	}
}

func TestOnlyWhatAKeySignedIsOpened(t *testing.T) {
	t.Parallel()
	key, keys := keyPair()
	sheet := First("lanterns", content(), opens)
	signed := seal(t, key, head, sheet)
	if got, err := Open(signed, keys); err != nil || !reflect.DeepEqual(got, sheet) {
		t.Fatalf("opened %+v, %v", got, err)
	}
	parts := strings.Split(signed, ".")
	changed := sheet
	changed.UnitsPerHold = 99
	forged := strings.Split(seal(t, ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))), head, changed), ".")
	for name, text := range map[string]string{
		"another sheet":     parts[0] + "." + forged[1] + "." + parts[2],
		"another signature": parts[0] + "." + parts[1] + "." + forged[2],
		"another key":       strings.Join(forged, "."),
		"no algorithm":      seal(t, key, strings.Replace(head, "EdDSA", "none", 1), sheet),
		"another type":      seal(t, key, strings.Replace(head, Type, "JWT", 1), sheet),
		"unknown key":       seal(t, key, strings.Replace(head, "k1", "k2", 1), sheet),
		"no signature":      parts[0] + "." + parts[1] + ".",
		"spare text":        signed + "\n",
	} {
		if _, err := Open(text, keys); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if _, err := Open(strings.Join(forged, "."), keys); !errors.Is(err, ErrSignature) {
		t.Errorf("a forgery is refused as %v", err)
	}
}

func FuzzOpenNeverBelievesWhatWasNotSigned(f *testing.F) {
	key, keys := keyPair()
	signed := seal(f, key, head, First("lanterns", content(), opens))
	f.Add(signed)
	f.Add("a.b.c")
	f.Add(strings.Repeat(".", 5))
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Open(text, keys); err == nil && text != signed {
			t.Errorf("opened %q", text)
		}
	})
}

// A safety net has no lobby and draws nothing, and its terms say so.
func TestTermsOfASafetyNet(t *testing.T) {
	t.Parallel()
	opens := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if c := Of(ropeline.Sale{SafetyNet: true, OpensAt: opens}, nil); c.Draw != ByArrival || !c.LobbyClosesAt.Equal(opens) {
		t.Errorf("%+v", c)
	}
	if c := Of(ropeline.Sale{LobbyClosesAt: opens.Add(-time.Minute), OpensAt: opens}, nil); c.Draw != ByLot || c.LobbyClosesAt.Equal(opens) {
		t.Errorf("%+v", c)
	}
}
