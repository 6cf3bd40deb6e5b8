package odds

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

func stock(conversion, basket float64, tiers ...ropeline.TierStock) ropeline.Stock {
	return ropeline.Stock{Tiers: tiers, Conversion: conversion, Basket: basket}
}

func tier(units, free, held int64) ropeline.TierStock {
	return ropeline.TierStock{Units: units, Free: free, Held: held, Sold: units - free - held}
}

func TestWordsForTheChance(t *testing.T) {
	t.Parallel()
	half := stock(0.5, 2, tier(1000, 500, 0)) // each who comes takes one unit
	for name, c := range map[string]struct {
		stock    ropeline.Stock
		ahead    Ahead
		position int64
		want     Chance
	}{
		"nobody ahead":                       {half, Ahead{}, 0, Good},
		"fewer than there are units":         {half, Ahead{}, 400, Good},
		"as many as there are units":         {half, Ahead{}, 500, Even},
		"more than there are units":          {half, Ahead{}, 600, Slim},
		"those inside count, too":            {half, Ahead{Inside: 200}, 400, Slim},
		"and those who go first":             {half, Ahead{First: 200}, 400, Slim},
		"half of them do not come":           {half, Ahead{Shows: 0.5}, 800, Good},
		"all is held":                        {stock(0.5, 2, tier(10, 0, 1)), Ahead{}, 0, Returns},
		"all is sold, and more is released":  {stock(0.5, 2, ropeline.TierStock{Units: 10, Sold: 5, Later: 5}), Ahead{}, 0, Returns},
		"all is sold":                        {stock(0.5, 2, tier(10, 0, 0)), Ahead{}, 0, SoldOut},
		"nothing is on sale":                 {stock(0.5, 2), Ahead{}, 0, SoldOut},
		"most of what is held gets sold":     {stock(0.5, 2, tier(1000, 1, 500)), Ahead{}, 300, Slim},
		"nothing was measured, near":         {stock(0, 0, tier(1000, 1000, 0)), Ahead{}, 100, Good},
		"nothing was measured, in between":   {stock(0, 0, tier(1000, 1000, 0)), Ahead{}, 500, Unknown},
		"nothing was measured, out of reach": {stock(0, 0, tier(1000, 1000, 0)), Ahead{}, 5000, Slim},
	} {
		if got := New(c.stock, c.ahead, 6, 1).At(c.position).Chance; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Single seats are left, and everybody so far took two: whether those ahead take
// them is not known, so what is neither safe nor hopeless is about even.
func TestTheTailOfASeatedShowIsNotSaidToBeCertain(t *testing.T) {
	t.Parallel()
	pairs, singles := tier(1000, 100, 0), tier(1000, 100, 0)
	pairs.Together, singles.Together = 10, 1
	plenty := tier(1000, 500, 0)
	for name, c := range map[string]struct {
		stock    ropeline.Stock
		position int64
		want     []Chance // of anything, then of each tier
	}{
		"pairs, near":                     {stock(1, 2, pairs), 10, []Chance{Good, Good}},
		"singles, near":                   {stock(1, 2, singles), 10, []Chance{Good, Good}},
		"pairs, behind all buyers":        {stock(1, 2, pairs), 70, []Chance{Slim, Slim}},
		"singles, behind all buyers":      {stock(1, 2, singles), 70, []Chance{Even, Even}},
		"singles, behind all who take":    {stock(1, 2, singles), 150, []Chance{Slim, Slim}},
		"singles, and everybody took one": {stock(1, 1, singles), 150, []Chance{Slim, Slim}},
		"singles beside a tier of plenty": {stock(1, 2, singles, plenty), 250, []Chance{Good, Slim, Good}},
	} {
		got := New(c.stock, Ahead{}, 6, 1).At(c.position)
		if !got.Equal(&Chances{Chance: c.want[0], Tiers: c.want[1:]}) {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}

func TestATierThatIsLikedEndsFirst(t *testing.T) {
	t.Parallel()
	s := stock(1, 1, tier(100, 20, 0), tier(100, 90, 0), tier(50, 0, 0), tier(50, 0, 2))
	for position, want := range map[int64][]Chance{
		0:   {Good, Good, SoldOut, Returns},
		60:  {Slim, Good, SoldOut, Returns},
		500: {Slim, Slim, SoldOut, Returns},
	} {
		got := New(s, Ahead{}, 6, 1).At(position)
		if !got.Equal(&Chances{Chance: got.Chance, Tiers: want}) {
			t.Errorf("after %d: %q, want %q", position, got.Tiers, want)
		}
	}
	if got := New(s, Ahead{}, 6, 1).InLobby(120); got != New(s, Ahead{}, 6, 1).At(60) && !got.Equal(New(s, Ahead{}, 6, 1).At(60)) {
		t.Errorf("in the lobby: %q", got.Tiers)
	}
}

var order = map[Chance]int{Good: 3, Even: 2, Unknown: 2, Slim: 1, Returns: 0, SoldOut: 0}

// Whoever stands further back, or comes with more friends, is never told of a
// better chance, of anything or of any tier, and no tier is better than everything.
func TestTheChanceFallsWithThePositionAndTheSizeOfAParty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anyStock(t)
		ahead := Ahead{Inside: rapid.Int64Range(0, 500).Draw(t, "inside"), First: rapid.Int64Range(0, 50).Draw(t, "first")}
		people := rapid.IntRange(1, ropeline.MaxParty).Draw(t, "people")
		table, larger := New(s, ahead, 6, people), New(s, ahead, 6, people+1)
		before := table.At(0)
		for position := int64(0); position < 1e6; position += 1 + position/9 {
			now, more := table.At(position), larger.At(position)
			if order[now.Chance] > order[before.Chance] || order[more.Chance] > order[now.Chance] {
				t.Fatalf("at %d it is %q, nearer it was %q, with one more %q", position, now.Chance, before.Chance, more.Chance)
			}
			for i, tier := range now.Tiers {
				if order[tier] > order[before.Tiers[i]] || order[tier] > order[now.Chance] || order[more.Tiers[i]] > order[tier] {
					t.Fatalf("at %d tier %d is %q, nearer it was %q, with one more %q; anything is %q", position, i, tier, before.Tiers[i], more.Tiers[i], now.Chance)
				}
			}
			before = now
		}
	})
}

// anyStock is of one or two performances.
func anyStock(t *rapid.T) ropeline.Stock {
	s := stock(rapid.Float64Range(0, 1).Draw(t, "conversion"), rapid.Float64Range(1, 6).Draw(t, "basket"))
	for range rapid.IntRange(1, 5).Draw(t, "tiers") {
		held, free := rapid.Int64Range(0, 300).Draw(t, "held"), rapid.Int64Range(0, 3000).Draw(t, "free")
		s.Tiers = append(s.Tiers, tier(held+free+rapid.Int64Range(0, 3000).Draw(t, "sold"), free, held))
		last := &s.Tiers[len(s.Tiers)-1]
		last.Together = rapid.Int64Range(0, min(free, 10)).Draw(t, "together")
		last.Performance = rapid.SampledFrom([]ropeline.PerformanceID{"a", "b"}).Draw(t, "performance")
	}
	return s
}

// Of one tier that nobody holds anything of, five friends have the chances that one
// has of four units fewer; and whoever is alone is a party of one.
func TestAPartyIsAsOnePersonWithFewerUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		free, people := rapid.Int64Range(1, 3000).Draw(t, "free"), rapid.Int64Range(1, ropeline.MaxParty).Draw(t, "people")
		units := free + rapid.Int64Range(0, 1000).Draw(t, "sold")
		conversion, basket := rapid.Float64Range(0, 1).Draw(t, "conversion"), rapid.Float64Range(1, 6).Draw(t, "basket")
		position, ahead := rapid.Int64Range(0, 3*free).Draw(t, "position"), Ahead{Inside: rapid.Int64Range(0, free).Draw(t, "inside")}
		got := New(stock(conversion, basket, tier(units, free, 0)), ahead, 6, int(people)).At(position)
		want := &Chances{Chance: Slim, Tiers: []Chance{Slim}}
		if free >= people {
			want = New(stock(conversion, basket, tier(units, free-people+1, 0)), ahead, 6, 0).At(position)
		}
		if !got.Equal(want) {
			t.Fatalf("%d friends of %d units: %q, want %q", people, free, got, want)
		}
	})
}

func TestWhatAPartyIsTold(t *testing.T) {
	t.Parallel()
	saturday := func(free, held int64) ropeline.TierStock {
		s := tier(100, free, held)
		s.Performance = "saturday"
		return s
	}
	for name, c := range map[string]struct {
		tiers  []ropeline.TierStock
		people int
		want   []Chance // of anything, then of each tier
	}{
		"one":                     {[]ropeline.TierStock{tier(100, 4, 0)}, 1, []Chance{Good, Good}},
		"four of four":            {[]ropeline.TierStock{tier(100, 4, 0)}, 4, []Chance{Good, Good}},
		"five, and four are left": {[]ropeline.TierStock{tier(100, 4, 0)}, 5, []Chance{Slim, Slim}},
		"five, and one that is held must come back": {[]ropeline.TierStock{tier(100, 4, 1)}, 5, []Chance{Slim, Slim}},
		"five, and one of three must":               {[]ropeline.TierStock{tier(100, 4, 3)}, 5, []Chance{Even, Even}},
		"five of two tiers":                         {[]ropeline.TierStock{tier(100, 4, 0), tier(100, 3, 0)}, 5, []Chance{Good, Slim, Slim}},
		"five of two shows":                         {[]ropeline.TierStock{tier(100, 4, 0), saturday(3, 0)}, 5, []Chance{Slim, Slim, Slim}},
		"five of the show that has five":            {[]ropeline.TierStock{tier(100, 4, 0), saturday(30, 0)}, 5, []Chance{Good, Slim, Good}},
		"one of two shows":                          {[]ropeline.TierStock{tier(100, 1, 0), saturday(0, 2)}, 1, []Chance{Good, Good, Returns}},
		"all is held, which is so for anybody":      {[]ropeline.TierStock{tier(100, 0, 3)}, 5, []Chance{Returns, Returns}},
		"nothing is left, which is so for anybody":  {[]ropeline.TierStock{tier(100, 0, 0)}, 5, []Chance{SoldOut, SoldOut}},
		"nothing is left of the show that had most": {[]ropeline.TierStock{tier(100, 0, 0), saturday(4, 0)}, 5, []Chance{Slim, SoldOut, Slim}},
	} {
		got := New(stock(0.5, 2, c.tiers...), Ahead{}, 6, c.people).At(0)
		if !got.Equal(&Chances{Chance: c.want[0], Tiers: c.want[1:]}) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// Few buy, and then much: by the spread alone there would be an even chance.
	if got := New(stock(0.05, 10, tier(100, 4, 0)), Ahead{Inside: 1}, 10, 5).At(0); got.Chance != Slim {
		t.Errorf("five of four units, and somebody is inside: %q", got)
	}
	// Whoever is alone goes to either show; friends want one that has enough.
	shows := stock(1, 1, tier(100, 50, 0), saturday(50, 0))
	for people, want := range map[int]Chance{1: Good, 2: Even} {
		if got := New(shows, Ahead{}, 6, people).At(92); got.Chance != want {
			t.Errorf("%d behind nearly all buyers of two shows: %q, want %q", people, got, want)
		}
	}
}

// Sales are played with other buyers each, and who was told what is compared with
// who, and whose friends, got something: no word promises more than came of it.
func TestTheWordsAreCalibrated(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 11))
	told, got := map[Chance]int{}, map[Chance]int{}
	for range 4000 {
		units, conversion, most, people := 50+r.Int64N(2000), 0.2+0.8*r.Float64(), 1+r.IntN(6), 1+r.IntN(6)
		buy := func() int64 {
			if r.Float64() > conversion {
				return 0
			}
			return 1 + r.Int64N(int64(most))
		}
		measured := stock(conversion, float64(most+1)/2, tier(units, units, 0))
		position := r.Int64N(1 + int64(2*float64(units)/(measured.Basket*conversion)))
		word := New(measured, Ahead{}, most, people).At(position).Chance
		left := units
		for range position {
			left -= min(left, buy())
		}
		told[word]++
		if left >= int64(people) {
			got[word]++
		}
	}
	share := func(c Chance) float64 { return float64(got[c]) / float64(told[c]) }
	if told[Good] < 500 || told[Even] < 50 || told[Slim] < 500 {
		t.Fatalf("told %v", told)
	}
	if share(Good) < 0.9 || share(Even) < 0.25 || share(Even) > 0.85 || share(Slim) > 0.2 {
		t.Errorf("told %v, got %v", told, got)
	}
}
