package queue

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// BypassState is how many people a rule of the sale has let past the line.
type BypassState struct {
	Rule   string `json:"rule"`
	People int64  `json:"people"`
}

// bypassFirst is how many people a rule may let in before its share counts: at the
// opening nobody is in yet of whom it could be one.
const bypassFirst = 5

// What somebody may be told who comes by a rule.
var (
	ErrBypassClosed = &ropeline.Error{Kind: ropeline.Unavailable, Code: "bypass-closed", RetryAfter: 10 * time.Second,
		Detail: "Nobody is let in past the line just now. Please try again, or stand in line."}
	ErrBypassFull = &ropeline.Error{Kind: ropeline.Unavailable, Code: "bypass-full", RetryAfter: 5 * time.Second,
		Detail: "As many people are inside as may be. Please try again in a moment."}
	ErrBypassShare = &ropeline.Error{Kind: ropeline.Unavailable, Code: "bypass-share", RetryAfter: 30 * time.Second,
		Detail: "This rule has let in its share of all people. Please try again later, or stand in line."}
)

//go:embed lua/bypass.lua
var bypassSource string
var bypassScript = newScript("bypass", bypassSource)

// Bypassed is what came of a bypass.
type Bypassed struct {
	New                bool  // else the place had its offer before
	ByRule, All, Total int64 // people so far: by this rule, by all of them, and with everybody else
}

// Bypass offers a place at once by a rule of the sale. Repeating it changes nothing.
// It fails with ErrBypassClosed, ErrBypassFull or ErrBypassShare.
func (s *Store) Bypass(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID, rule ropeline.Bypass) (Bypassed, error) {
	keys := keysOf(sale, "state", "limits", "offered", "active", "numbers", "offers", "pace", "events")
	reply, err := s.runOn(ctx, sale, bypassScript, keys, string(id), rule.Name, rule.Share, bypassFirst)
	if err != nil {
		return Bypassed{}, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	what := r.text()
	b := Bypassed{New: what == "new", ByRule: r.integer(), All: r.integer(), Total: r.integer()}
	if err := r.failed("bypass"); err != nil {
		return Bypassed{}, err
	}
	switch what {
	case "new", "known":
		return b, nil
	case "closed":
		return b, ErrBypassClosed
	case "full":
		return b, ErrBypassFull
	case "share":
		return b, ErrBypassShare
	}
	return b, fmt.Errorf("bypass: unexpected answer %q", what)
}

// readBypass reads what the script keeps of the rules.
func readBypass(text string) ([]BypassState, error) {
	words := strings.Fields(text)
	var all []BypassState
	for i := 0; i+1 < len(words); i += 2 {
		n, err := strconv.ParseInt(words[i+1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading bypass counts: %w", err)
		}
		all = append(all, BypassState{Rule: words[i], People: n})
	}
	return all, nil
}

// bypassText is the counts as the script keeps them.
func (s State) bypassText() string {
	var words []string
	for _, b := range s.Bypassed {
		words = append(words, b.Rule, strconv.FormatInt(b.People, 10))
	}
	return strings.Join(words, " ")
}

// BypassedBy is how many people a rule has let in.
func (s State) BypassedBy(rule string) int64 {
	i := slices.IndexFunc(s.Bypassed, func(b BypassState) bool { return b.Rule == rule })
	if i < 0 {
		return 0
	}
	return s.Bypassed[i].People
}
