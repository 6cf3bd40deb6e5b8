package queue

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ropeline/ropeline"
)

// A sale may have several lanes, each a line of its own, or several where it is
// spread. A place's id says of which lane it is, so position, epoch and cursor are
// those of its lane. offer.lua takes places from the lanes by their shares.

// LaneState is a lane's part of a sale.
type LaneState struct {
	Name   string `json:"name"`
	Share  int64  `json:"share"`  // of 100 turns while others wait
	People int64  `json:"people"` // ever offered by it
}

// shape is how the places of a sale are spread over lines: line n is shard
// n mod shards of lane n / shards.
type shape struct {
	lanes  []string // their names, the main one first; nil where it is the only one
	shards int      // of each lane; 0 not known
	net    bool     // a safety net
}

func shapeOf(sale ropeline.Sale) shape {
	sh := shape{shards: max(1, sale.Shards), net: sale.SafetyNet}
	if len(sale.Lanes) > 0 {
		sh.lanes = sale.LaneNames()
	}
	return sh
}

func (sh shape) laneCount() int { return max(1, len(sh.lanes)) }
func (sh shape) lines() int     { return sh.laneCount() * sh.shards }

// laneOf is the number of the lane that a place is of.
func (sh shape) laneOf(id ropeline.PlaceID) int {
	if len(sh.lanes) == 0 {
		return 0
	}
	return max(0, slices.Index(sh.lanes, id.Lane()))
}

// lineOf is the number of the line that a place stands in. It follows from the
// place's id alone, so that whoever has a ticket knows where to ask.
func (sh shape) lineOf(id ropeline.PlaceID) int {
	return sh.laneOf(id)*sh.shards + shardOf(id, sh.shards)
}

// of are a lane's part of things of which each line has one.
func of[T any](sh shape, things []T, lane int) []T {
	return things[lane*sh.shards : (lane+1)*sh.shards]
}

// shape is that of the sale that a state is of.
func (s State) shape() shape {
	sh := shape{shards: max(1, len(s.Lines)) / max(1, len(s.Lanes))}
	for _, l := range s.Lanes {
		sh.lanes = append(sh.lanes, l.Name)
	}
	return sh
}

// sharesText is what the scripts read of a sale's lanes: of each the name, the
// share, and what one turn costs. All costs times shares are the same, so lanes
// that have paid as much have had their shares. ” for a sale with one lane.
func sharesText(sale ropeline.Sale) string {
	if len(sale.Lanes) == 0 {
		return ""
	}
	common := int64(sale.MainShare())
	for _, l := range sale.Lanes {
		common = leastCommon(common, int64(l.Share)) // below 2^28 for shares that make 100
	}
	words := []string{ropeline.MainLane, strconv.Itoa(sale.MainShare()), strconv.FormatInt(common/int64(sale.MainShare()), 10)}
	for _, l := range sale.Lanes {
		words = append(words, l.Name, strconv.Itoa(l.Share), strconv.FormatInt(common/int64(l.Share), 10))
	}
	return strings.Join(words, " ")
}

// documentShares is what the scripts tell of the shares in a sale's document.
func documentShares(sale ropeline.Sale) string {
	if len(sale.Lanes) == 0 {
		return ""
	}
	shares := map[string]int64{}
	for _, l := range sale.Lanes {
		shares[l.Name] = int64(l.Share)
	}
	return Settings{Shares: shares}.values()["shares"]
}

func leastCommon(a, b int64) int64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// readLanes reads what the scripts keep of the lanes, and how many people each
// was given.
func readLanes(text, people string) ([]LaneState, error) {
	words, counts := strings.Fields(text), strings.Fields(people)
	lanes := make([]LaneState, 0, len(words)/3)
	for i := 0; i+2 < len(words); i += 3 {
		lane := LaneState{Name: words[i]}
		var err error
		if lane.Share, err = strconv.ParseInt(words[i+1], 10, 64); err != nil {
			return nil, fmt.Errorf("reading lanes: %w", err)
		}
		if n := i / 3; n < len(counts) {
			if lane.People, err = strconv.ParseInt(counts[n], 10, 64); err != nil {
				return nil, fmt.Errorf("reading lanes: %w", err)
			}
		}
		lanes = append(lanes, lane)
	}
	return slices.Clip(lanes), nil
}

//go:embed lua/visit.lua
var visitSource string
var visitScript = newScript("visit", visitSource)

// visit gives a visitor who has no place this one, and returns the one that they
// have. The line that keeps a visitor is one of the main lane; where the place is
// of it, too, the join itself does this.
func (s *Store) visit(ctx context.Context, home lineID, visitor string, id ropeline.PlaceID) (ropeline.PlaceID, error) {
	reply, err := s.run(ctx, visitScript, home.keys("visitors"), visitor, string(id), "")
	has, _ := reply.(string)
	return ropeline.PlaceID(has), err
}

// home is the line of the main lane that keeps which place a visitor has.
func (sh shape) home(sale ropeline.SaleID, visitor string) lineID {
	return lineID{sale, shardOf(ropeline.PlaceID(visitor), sh.shards)}
}

// turnsText is how many people each lane was given, as readLanes reads it.
func (s State) turnsText() string {
	counts := make([]string, len(s.Lanes))
	for i, l := range s.Lanes {
		counts[i] = strconv.FormatInt(l.People, 10)
	}
	return strings.Join(counts, " ")
}
