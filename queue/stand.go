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

// Stand is how far a line has come.
type Stand struct {
	Epoch       string `json:"epoch"`
	Seq         int64  `json:"seq"` // rises by one a tick; a gap means a missed message
	Drawn       bool   `json:"drawn"`
	Settling    bool   `json:"settling,omitempty"` // it is being put together again after a loss
	Cursor      int64  `json:"cursor"`             // everybody before this ordinal has been reached
	CursorScore string `json:"cursor_score"`
	Gone        int64  `json:"gone"`       // departed at or behind the cursor
	Departures  int64  `json:"departures"` // how many ever left the line before they were reached
	LateSeq     int64  `json:"late_seq"`   // rises when the late ones change
	Size        int64  `json:"size"`       // places in the line, reached or not, departed or not
	Collected   int64  `json:"collected"`  // places in the lobby
	Comebacks   int64  `json:"comebacks"`  // passed over and here again: before everybody
	Late        int64  `json:"late"`       // put back after a loss, beside the line
	Losses      int64  `json:"losses"`     // how often it was put together again: tickets of before may be of places that it does not know
}

// readStand reads what describe_line in prelude.lua returns.
func readStand(reply any) (Stand, error) {
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	s := Stand{
		Epoch: r.text(), Seq: r.integer(), Drawn: r.integer() == 1, Settling: r.integer() == 1, Cursor: r.integer(), CursorScore: r.text(),
		Gone: r.integer(), LateSeq: r.integer(), Size: r.integer(), Collected: r.integer(), Comebacks: r.integer(), Late: r.integer(), Losses: r.integer(),
		Departures: r.integer(),
	}
	return s, r.failed("stand of a line")
}

//go:embed lua/stand.lua
var standSource string
var standScript = newScript("stand", standSource)

// stand returns a line as it is; whole with the departed bitmap and the scores
// of the late.
func (s *Store) stand(ctx context.Context, sale ropeline.SaleID, whole bool) (Stand, []byte, []int64, error) {
	flag := 0
	if whole {
		flag = 1
	}
	reply, err := s.runOn(ctx, sale, standScript, lineID{sale, 0}.keys("line", "order", "collected", "departed", "comebacks", "late"), flag)
	if err != nil {
		return Stand{}, nil, nil, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 3 {
		return Stand{}, nil, nil, fmt.Errorf("stand: unexpected reply of %d fields", len(fields))
	}
	stand, err := readStand(fields[0])
	if err != nil {
		return Stand{}, nil, nil, err
	}
	raw, _ := fields[1].(string)
	scores, _ := fields[2].([]any)
	r := reader{fields: scores}
	late := make([]int64, len(scores))
	for i := range late {
		late[i] = r.integer()
	}
	return stand, []byte(raw), late, r.failed("stand")
}

//go:embed lua/front.lua
var frontSource string
var frontScript = newScript("front", frontSource)

// candidate is a place that may be offered next.
type candidate struct {
	place   string
	kind    kind
	ordinal int64 // of the main line
	score   int64
}

// kind says where a candidate stands.
type kind string

const (
	inLine   kind = "m"
	comeback kind = "c"
	late     kind = "l"
)

// front returns who stands at the front, in the order in which they are to be
// offered; at most most of the line and of the late together.
func (s *Store) front(ctx context.Context, sale ropeline.SaleID, most int64) (front []candidate, more bool, err error) {
	keys := lineID{sale, 0}.keys("line", "order", "departed", "comebacks", "late", "edges", "reported")
	reply, err := s.runOn(ctx, sale, frontScript, keys, lineID{sale, 0}.presence(), most)
	if err != nil {
		return nil, false, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 4 {
		return nil, false, fmt.Errorf("front: unexpected reply of %d fields", len(fields))
	}
	var r reader
	main := readFront(&r, fields[0], inLine)
	back := readFront(&r, fields[1], comeback)
	beside := readFront(&r, fields[2], late)
	if err := r.failed("front"); err != nil {
		return nil, false, err
	}
	front = alternate(back, mergeByScore(main, beside))
	return front[:min(most, int64(len(front)))], fields[3] == int64(1), nil
}

func readFront(r *reader, reply any, of kind) []candidate {
	r.fields, _ = reply.([]any)
	var front []candidate
	for len(r.fields) > 0 && r.err == nil {
		c := candidate{place: r.text(), kind: of}
		if of == inLine {
			c.ordinal = r.integer()
		}
		c.score = r.integer()
		front = append(front, c)
	}
	return front
}

// mergeByScore merges two fronts that are in their order already.
func mergeByScore(a, b []candidate) []candidate {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y candidate) int { return int(max(-1, min(1, x.score-y.score))) })
	return all
}

// alternate lets the comebacks have every other turn while others wait.
func alternate(back, others []candidate) []candidate {
	if len(back) == 0 {
		return others
	}
	all := make([]candidate, 0, len(back)+len(others))
	for len(back) > 0 && len(others) > 0 {
		all = append(all, back[0], others[0])
		back, others = back[1:], others[1:]
	}
	return append(append(all, back...), others...)
}

//go:embed lua/advance.lua
var advanceSource string
var advanceScript = newScript("advance", advanceSource)

// What became of a candidate in offer.lua.
const (
	wasOffered   = 'o'
	stepsAside   = 'a' // a party that did not fit for too long
	staysInFront = '-'
)

// advance moves the line on past those of its front that were offered or step
// aside, and describes it.
func (s *Store) advance(ctx context.Context, sale ropeline.SaleID, front []candidate, fates string) (stand Stand, left []int64, err error) {
	cursor := int64(0)
	var ordinals, aside, beside []any
	byOrdinal := map[int64]string{}
	for i, c := range front {
		fate := fates[i]
		if fate != staysInFront && c.kind == inLine {
			cursor = max(cursor, c.ordinal+1)
		}
		switch {
		case fate == stepsAside:
			aside = append(aside, c.place)
		case fate == wasOffered && c.kind == inLine:
			ordinals = append(ordinals, c.ordinal)
			byOrdinal[c.ordinal] = c.place
		case fate == wasOffered:
			beside = append(beside, c.place)
		}
	}
	args := slices.Concat([]any{cursor, tickMost, len(ordinals), len(aside)}, ordinals, aside, beside)
	keys := lineID{sale, 0}.keys("line", "order", "collected", "departed", "left", "comebacks", "late", "passed")
	reply, err := s.runOn(ctx, sale, advanceScript, keys, args...)
	if err != nil {
		return Stand{}, nil, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 3 {
		return Stand{}, nil, fmt.Errorf("advance: unexpected reply of %d fields", len(fields))
	}
	if stand, err = readStand(fields[0]); err != nil {
		return Stand{}, nil, err
	}
	if left, err = integers(fields[1]); err != nil {
		return Stand{}, nil, err
	}
	withdrawn, err := integers(fields[2])
	if err != nil {
		return Stand{}, nil, err
	}
	for _, ordinal := range withdrawn { // left after the front was read
		if _, err := s.drop(ctx, sale, ropeline.PlaceID(byOrdinal[ordinal])); err != nil {
			return Stand{}, nil, err
		}
	}
	return stand, left, nil
}

func integers(reply any) ([]int64, error) {
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	var all []int64
	for range fields {
		all = append(all, r.integer())
	}
	return all, r.failed("list of integers")
}

//go:embed lua/settle.lua
var settleSource string
var settleScript = newScript("settle", settleSource)

// How long a line takes to settle: the edges hear of it within a second and
// tell what they know in less than another.
const (
	settleLeast = 3 * time.Second
	settleQuiet = 1500 * time.Millisecond
	settleMost  = 2000 // places taken out in one call: 4 ms
)

// settle does one step of putting a line together again.
func (s *Store) settle(ctx context.Context, sale ropeline.SaleID) error {
	keys := lineID{sale, 0}.keys("line", "order", "departed", "left", "quit", "late", "passed", "edges", "reported")
	_, err := s.runOn(ctx, sale, settleScript, keys, newEpoch(), lineID{sale, 0}.presence(),
		settleLeast.Milliseconds(), settleQuiet.Milliseconds(), settleMost)
	return err
}

// scoreOf reads a score; a place in the lobby has none.
func scoreOf(text string) (score int64, ok bool) {
	score, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return score, err == nil
}
