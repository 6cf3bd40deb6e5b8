package readiness

import (
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

var now = time.Date(2037, 1, 10, 8, 0, 0, 0, time.UTC)

// ready is a sale that nothing is wrong with.
func ready() Facts {
	return Facts{
		Now: now, Crowd: 30_000,
		Sale: ropeline.Sale{ID: "gala", Version: 3, LobbyClosesAt: now.Add(59 * time.Minute), OpensAt: now.Add(time.Hour), EndsAt: now.Add(9 * time.Hour),
			Cap: 500, Rate: 600, ClaimWindow: 60, UnitsPerHold: 6,
			Lanes: []ropeline.Lane{{Name: "members", Title: "Members", Share: 20, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}}},
		Clocks: map[string]time.Duration{"Postgres": 20 * time.Millisecond, "Redis": -30 * time.Millisecond}, Keys: 1,
		Edges: 2, Sockets: 38_000, Stock: 4000, FirstShow: now.Add(90 * 24 * time.Hour), Terms: 1, Codes: map[string]bool{"members": true}, Published: 3,
	}
}

func TestASaleThatIsReadyIsSaidToBe(t *testing.T) {
	t.Parallel()
	items := Check(ready())
	if Worst(items) != OK || len(items) != 11 {
		t.Errorf("%+v", items)
	}
	for _, i := range items {
		if i.State == OK && (i.Do != "" || i.Reason == "") {
			t.Errorf("%+v: what is well says why, and nothing is to be done", i)
		}
	}
}

// Each thing that can be wrong is found, said with its figures, and nothing else is.
func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		item  string
		state State
		says  string
		with  func(*Facts)
	}{
		"skew":             {"clock", Stop, "Redis and ours are 2100 ms apart", func(f *Facts) { f.Clocks["Redis"] = -2100 * time.Millisecond }},
		"some skew":        {"clock", Warn, "Postgres and ours are 600 ms", func(f *Facts) { f.Clocks["Postgres"] = 600 * time.Millisecond }},
		"no clocks":        {"clock", Stop, "No clock", func(f *Facts) { f.Clocks = nil }},
		"no keys":          {"keys", Stop, "trusts no key", func(f *Facts) { f.Keys = 0 }},
		"open path":        {"paths", Stop, "POST /buy", func(f *Facts) { f.Open = []string{"POST /buy"} }},
		"account closed":   {"payment", Stop, "opera", func(f *Facts) { f.Accounts = []string{"opera"} }},
		"sandbox":          {"payment", Warn, "nobody pays", func(f *Facts) { f.Sandbox = true }},
		"no edge":          {"crowd", Stop, "No edge lives", func(f *Facts) { f.Edges, f.Sockets = 0, 0 }},
		"one edge":         {"crowd", Warn, "1 edge lives", func(f *Facts) { f.Edges = 1 }},
		"too many":         {"crowd", Stop, "You expect 1,000,000", func(f *Facts) { f.Crowd, f.Stock, f.Sale.Rate, f.Sale.Cap = 1_000_000, 90_000, 60_000, 60_000 }},
		"some poll":        {"crowd", Warn, "You expect 50,000", func(f *Facts) { f.Crowd = 50_000 }},
		"crowd not said":   {"crowd", Warn, "2 edges live", func(f *Facts) { f.Crowd = 0 }},
		"no rate":          {"pace", Stop, "rate is 0", func(f *Facts) { f.Sale.Rate = 0 }},
		"no cap":           {"pace", Stop, "Cap is 0", func(f *Facts) { f.Sale.Cap = 0 }},
		"too slow":         {"pace", Stop, "over before", func(f *Facts) { f.Sale.Rate = 50 }},
		"slow":             {"pace", Warn, "5 hours", func(f *Facts) { f.Sale.Rate = 100 }},
		"stock stays":      {"pace", Stop, "too few to buy 4,000 units", func(f *Facts) { f.Sale.Rate = 1 }},
		"cap is the limit": {"pace", Warn, "the cap is 100", func(f *Facts) { f.Sale.Cap = 100 }},
		"over":             {"times", Stop, "has ended", func(f *Facts) { f.Now = f.Sale.EndsAt }},
		"show before":      {"times", Stop, "before the sale opens", func(f *Facts) { f.FirstShow = now.Add(time.Minute) }},
		"show meanwhile":   {"times", Warn, "has begun", func(f *Facts) { f.FirstShow = now.Add(2 * time.Hour) }},
		"open":             {"times", Warn, "is open", func(f *Facts) { f.Now = f.Sale.OpensAt }},
		"drawn":            {"times", Warn, "lobby has closed", func(f *Facts) { f.Now = f.Sale.LobbyClosesAt }},
		"short lobby":      {"times", Warn, "closes in 5 minutes", func(f *Facts) { f.Now = f.Sale.LobbyClosesAt.Add(-5 * time.Minute) }},
		"nothing on sale":  {"stock", Stop, "Nothing", func(f *Facts) { f.Stock = 0 }},
		"hardly a chance":  {"stock", Warn, "most wait for nothing", func(f *Facts) { f.Stock = 1000 }},
		"no terms":         {"terms", Stop, "no terms", func(f *Facts) { f.Terms = 0 }},
		"other terms":      {"terms", Warn, "Version 1", func(f *Facts) { f.Pending = true }},
		"no codes":         {"codes", Stop, "Members", func(f *Facts) { f.Codes = nil }},
		"not published":    {"published", Stop, "does not know", func(f *Facts) { f.Published = 0 }},
		"older published":  {"published", Warn, "version 2", func(f *Facts) { f.Published = 2 }},
	} {
		f := ready()
		c.with(&f)
		items := Check(f)
		if Worst(items) != c.state {
			t.Errorf("%s: the whole is %s, want %s: %+v", name, Worst(items), c.state, items)
		}
		for _, i := range items {
			if i.Name != c.item {
				if i.State != OK {
					t.Errorf("%s: %+v", name, i)
				}
				continue
			}
			if i.State != c.state || !strings.Contains(i.Reason, c.says) {
				t.Errorf("%s: %+v, want %s that says %q", name, i, c.state, c.says)
			}
			if i.State == Stop && i.Do == "" {
				t.Errorf("%s: nothing is said to do about %+v", name, i)
			}
		}
	}
}
