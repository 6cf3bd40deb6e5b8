package edge

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/terms"
)

// plainNews is what the page without scripts tells beside the place.
type plainNews struct {
	Chance  string
	Tiers   []plainTier
	Sheet   *terms.Sheet  // the newest, nil of none
	Changed []terms.Sheet // since the place joined
	Link    string        // to the signed sheet
}

type plainTier struct{ Name, Price, Chance string }

// newsOf makes them for the status of a place.
func newsOf(id ropeline.SaleID, v *queue.View, s wire.Status) (plainNews, error) {
	n := plainNews{Link: placePath(id) + "/terms"}
	if s.Odds != nil {
		n.Chance = chanceText(s.Odds.Chance, s.Party)
	}
	newest := s.Sale.Terms
	if newest == 0 || newest > v.Board.Newest() {
		return n, nil
	}
	pinned := cmp.Or(s.Terms, newest)
	for version := max(min(pinned+1, newest), newest-changesShown); version <= newest; version++ {
		sheet, err := terms.Unverified(v.Board.Terms[version-1])
		if err != nil {
			return n, err
		}
		if version > pinned {
			n.Changed = append(n.Changed, sheet)
		}
		n.Sheet = &sheet
	}
	chances := map[string]string{}
	if stock := stockOf(v); stock != nil && s.Odds != nil && len(stock.Tiers) == len(s.Odds.Tiers) {
		for i, t := range stock.Tiers {
			chances[t.Tier] = tierTexts[s.Odds.Tiers[i]]
			if i < len(s.Odds.Together) && s.Odds.Together[i] > 0 {
				chances[t.Tier] += ", " + togetherText(s.Odds.Together[i])
			}
		}
	}
	for _, show := range n.Sheet.Performances {
		for _, t := range show.Tiers {
			n.Tiers = append(n.Tiers, plainTier{t.Name, moneyText(t.Amount, t.Currency), chances[t.ID]})
		}
	}
	return n, nil
}

// changesShown is how many versions back the page tells of.
const changesShown = 5

var chanceTexts = map[wire.Chance]string{
	wire.ChanceGood:    "There is a good chance that you can still buy when it is your turn.",
	wire.ChanceEven:    "There is about an even chance that something is left when it is your turn.",
	wire.ChanceSlim:    "The chance is slim: those ahead of you will probably buy what is left.",
	wire.ChanceReturns: "Nothing is left right now.",
	wire.ChanceSoldOut: "Sold out.",
	"":                 "We say how your chances are as soon as the first have bought.",
}

// Of these a party is told in words of its own.
var partyTexts = map[wire.Chance]string{
	wire.ChanceGood: "There is a good chance of tickets for %s.",
	wire.ChanceEven: "There is about an even chance of tickets for %s.",
	wire.ChanceSlim: "The chance of tickets for %s is slim. For fewer it may be better.",
}

func chanceText(c wire.Chance, p *wire.Party) string {
	text, ok := partyTexts[c]
	switch {
	case !ok || p == nil || p.Size < 2:
		return chanceTexts[c]
	case p.Size == 2:
		return fmt.Sprintf(text, "both of you")
	}
	return fmt.Sprintf(text, fmt.Sprintf("all %d of you", p.Size))
}

var tierTexts = map[wire.Chance]string{
	wire.ChanceGood: "good chance", wire.ChanceEven: "about even", wire.ChanceSlim: "slim chance",
	wire.ChanceReturns: "none left now", wire.ChanceSoldOut: "sold out",
}

func togetherText(seats int64) string {
	if seats == 1 {
		return "single seats only"
	}
	return fmt.Sprintf("at most %d side by side", seats)
}

// moneyText writes 45.00 EUR. Currencies whose minor unit is not a hundredth are
// few, and are written as the sheet has them.
func moneyText(amount int64, currency string) string {
	switch currency {
	case "JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF", "XPF", "PYG", "UGX", "RWF", "DJF", "GNF", "KMF", "VUV", "BIF":
		return fmt.Sprintf("%s %s", thousands(amount), currency)
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return fmt.Sprintf("%s.%03d %s", thousands(amount/1000), amount%1000, currency)
	}
	return fmt.Sprintf("%s.%02d %s", thousands(amount/100), amount%100, currency)
}

var fieldTexts = map[string]string{
	"title": "The title", "lobby_closes_at": "The end of the lobby", "opens_at": "The opening", "ends_at": "The end of the sale",
	"performance": "The performance", "performance_title": "The title of", "venue": "The venue of", "starts_at": "The beginning of",
	"tier": "Tickets for", "tier_name": "The name of", "kind": "The kind of", "price": "The price of", "units": "The number of places of",
	"units_per_hold": "Tickets at once", "units_per_place": "Tickets in all", "hold": "Time to pay", "hold_extensions": "Extensions of that time", "party_max": "Friends who share a place",
	"visitor": "Who gets a place", "claim_window": "Time to come in", "session_max": "Time in the shop", "draw": "How the order is made",
	"beacon": "What goes into the draw", "lane": "The lane", "lane_title": "The name of the lane",
	"lane_share": "Of 100 turns, the lane", "lane_entry": "The way into the lane",
}

// changeText says what is different in words.
func changeText(c terms.Change) string {
	name := strings.TrimSpace(cmp.Or(fieldTexts[c.What], c.What) + " " + c.Of)
	from, to := valueText(c.What, c.From), valueText(c.What, c.To)
	switch {
	case from == "":
		return name + ": new, " + to
	case to == "":
		return name + ": taken away"
	}
	return name + ": " + from + " before, " + to + " now"
}

func valueText(what, value string) string {
	if amount, currency, ok := strings.Cut(value, " "); ok && (what == "price" || what == "tier") {
		if n, err := strconv.ParseInt(amount, 10, 64); err == nil {
			return moneyText(n, currency)
		}
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && (what == "hold" || what == "claim_window" || what == "session_max") {
		return span(time.Duration(n) * time.Second)
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return dayText(at)
	}
	return value
}

func dayText(t time.Time) string { return t.UTC().Format("Monday, 2 January 2006, 15:04 UTC") }
