package plan

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/tariff"
)

const stage = `{"id": "stage", "name": "Stage", "price": {"amount": 4900, "currency": "EUR"}, "period": "month",
	"fee": {"rate": 150, "fixed": {"EUR": 30, "USD": 35}}, "entitlements": {"rooms": 3, "lanes": 2, "automatic": true, "own_look": false, "exports": true}}`

func TestWhatIsWrongWithAPlanIsNamed(t *testing.T) {
	t.Parallel()
	if _, err := Parse([]byte(stage)); err != nil {
		t.Fatal(err)
	}
	for change, fault := range map[[2]string]string{
		{`"stage"`, `"Stage 1"`}:                     "id must",
		{`"stage"`, `"'; drop table plans; --"`}:     "id must",
		{`"Stage"`, `" "`}:                           "name must",
		{`"Stage"`, `"a\u0000b"`}:                    "name must",
		{`4900`, `-1`}:                               "price.amount must",
		{`4900`, `1000000000001`}:                    "price.amount must",
		{`4900`, `9223372036854775808`}:              "price.amount",
		{`4900`, `49.5`}:                             "price.amount",
		{`"currency": "EUR"`, `"currency": "euro"`}:  "price.currency must",
		{`"currency": "EUR"`, `"currency": ""`}:      "price.currency must",
		{`"month"`, `"week"`}:                        "period must",
		{`150`, `10001`}:                             "fee.rate must",
		{`150`, `-1`}:                                "fee.rate must",
		{`"USD": 35`, `"usd": 35`}:                   `fee.fixed: "usd" must`,
		{`"USD": 35`, `"USD": -1`}:                   "fee.fixed.USD must",
		{`"rooms": 3`, `"rooms": -1`}:                "entitlements.rooms must",
		{`"lanes": 2`, `"lanes": 1000001`}:           "entitlements.lanes must",
		{`"lanes": 2`, `"lanes": "many"`}:            "entitlements.lanes",
		{`"automatic": true`, `"automatic": 1`}:      "entitlements.automatic",
		{`"rooms": 3`, `"room": 3`}:                  `unknown field "room"`,
		{`"stage"`, `"free"`}:                        "price.amount must be nothing",
		{`{"id"`, `{"id": "stage"} {"id"`}:           "Something follows",
		{`"exports": true}}`, `"exports": true}} 1`}: "Something follows",
	} {
		text := strings.Replace(stage, change[0], change[1], 1)
		if text == stage {
			t.Errorf("%v changes nothing", change)
		}
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v: %v, want it to name %s", change, err, fault)
		}
	}
}

// FuzzPlan holds that what is read is valid, and read again as it is written.
func FuzzPlan(f *testing.F) {
	f.Add([]byte(stage))
	f.Add([]byte(`{"id": "free", "name": "Free", "period": "year", "entitlements": {"rooms": 0, "own_look": null}}`))
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
		if err != nil {
			t.Fatalf("%s became %s: %v", text, again, err)
		}
		if twice, err := json.Marshal(q); err != nil || string(twice) != string(again) {
			t.Errorf("%s became %s, and that %s: %v", text, again, twice, err)
		}
	})
}

func drawn(t *rapid.T, name string) Entitlements {
	count := rapid.Ptr(rapid.IntRange(0, 3), true)
	yes := rapid.Ptr(rapid.Bool(), true)
	return Entitlements{Rooms: count.Draw(t, name+" rooms"), Lanes: count.Draw(t, name+" lanes"), APIKeys: count.Draw(t, name+" keys"),
		Automatic: yes.Draw(t, name+" automatic"), OwnLook: yes.Draw(t, name+" look"), Exports: yes.Draw(t, name+" exports")}
}

// allows is every question that can be asked, and its answer.
func allows(e Entitlements) (answers []bool) {
	p := Plan{Entitlements: e}
	for n := range 6 {
		answers = append(answers, p.Room(n) == nil, p.Lanes(n) == nil, e.APIKeys == nil || n <= *e.APIKeys)
	}
	return append(answers, p.Automatic() == nil, p.Exports() == nil, e.OwnLook == nil || *e.OwnLook)
}

// One plan covers another exactly if whatever the other allows is allowed by it, too.
func TestWhatCoversTakesNothingAway(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawn(t, "a"), drawn(t, "b")
		want := true
		for i, yes := range allows(b) {
			want = want && (!yes || allows(a)[i])
		}
		if a.Cover(b) != want {
			t.Fatalf("%v covers %v: %v", allows(a), allows(b), !want)
		}
	})
	if e := (Entitlements{}); !e.Cover(Entitlements{}) || (Plan{Entitlements: e}).Room(maxCount) != nil {
		t.Error("a plan that names nothing limits something")
	}
}

func TestPeriodsAreCountedFromTheFirst(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		d, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		period Period
		from   string
		n      int
		want   string
	}{
		{Month, "2027-01-31 10:15", 1, "2027-02-28 10:15"},
		{Month, "2027-01-31 10:15", 2, "2027-03-31 10:15"},
		{Month, "2027-01-31 10:15", 13, "2028-02-29 10:15"},
		{Month, "2027-12-15 00:00", 1, "2028-01-15 00:00"},
		{Year, "2028-02-29 08:00", 1, "2029-02-28 08:00"},
		{Year, "2028-02-29 08:00", 4, "2032-02-29 08:00"},
	} {
		if got := c.period.After(at(c.from), c.n); !got.Equal(at(c.want)) {
			t.Errorf("%d %ss from %s end at %v, want %s", c.n, c.period, c.from, got, c.want)
		}
	}
}

func TestThePlansFeeGoesIntoTheTariff(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(stage))
	if err != nil {
		t.Fatal(err)
	}
	tax := tariff.Tariff{TaxRate: 1900}
	same := tariff.Tariff{FeeRate: 150, FeeFixed: 30, TaxRate: 1900}
	for _, from := range []tariff.Tariff{tax, same} {
		if got, err := p.On(from, "EUR"); err != nil || got != same {
			t.Errorf("%+v became %+v, %v", from, got, err)
		}
	}
	if _, err := p.On(tariff.Tariff{FeeRate: 149, FeeFixed: 30}, "EUR"); !errors.Is(err, ErrFee) {
		t.Errorf("another fee: %v", err)
	}
	if _, err := p.On(tariff.Tariff{FeeFixed: 30}, "USD"); !errors.Is(err, ErrFee) {
		t.Errorf("the fee of another currency: %v", err)
	}
	if _, err := p.On(tax, "JPY"); !errors.Is(err, ErrCurrency) || !strings.Contains(err.Error(), "EUR, USD") {
		t.Errorf("another currency: %v", err)
	}
	p.Fee = nil
	own := tariff.Tariff{FeeRate: 777}
	if got, err := p.On(own, "JPY"); err != nil || got != own {
		t.Errorf("a plan without a fee made %+v of it, %v", got, err)
	}
}
