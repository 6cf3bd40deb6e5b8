package queue

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
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

// combined is how far several lines of a sale, or of a lane, have come together.
func combined(stands []Stand) Stand {
	if len(stands) == 1 {
		return stands[0]
	}
	all := Stand{Drawn: true, CursorScore: "0"}
	epochs := make([]string, len(stands))
	reached := int64(0)
	for i, s := range stands {
		epochs[i] = s.Epoch
		all.Drawn, all.Settling = all.Drawn && s.Drawn, all.Settling || s.Settling
		if score, ok := scoreOf(s.CursorScore); ok && score > reached {
			reached, all.CursorScore = score, s.CursorScore
		}
		all.Seq += s.Seq
		all.Cursor += s.Cursor
		all.Gone += s.Gone
		all.Departures += s.Departures
		all.LateSeq += s.LateSeq
		all.Size += s.Size
		all.Collected += s.Collected
		all.Comebacks += s.Comebacks
		all.Late += s.Late
		all.Losses += s.Losses
	}
	all.Epoch = epochOf(epochs)
	return all
}

//go:embed lua/stand.lua
var standSource string
var standScript = newScript("stand", standSource)

// stand returns a line as it is; whole with the departed bitmap and the scores
// of the late.
func (s *Store) stand(ctx context.Context, l lineID, whole bool) (Stand, []byte, []int64, error) {
	reply, err := s.runOn(ctx, l.sale, standScript, l.keys("line", "order", "collected", "departed", "comebacks", "late"), flag(whole))
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
	line    int
	ordinal int64 // of the main line
	score   int64 // unknown for one of the main line that none is merged with
}

// kind says where a candidate stands.
type kind string

const (
	inLine   kind = "m"
	comeback kind = "c"
	late     kind = "l"
)

// front is who stands at the front of one line.
type front struct {
	main, back, beside []candidate // each in its order
	size               int64       // of the line then
	horizon            int64       // nobody from this score on was looked at
}

const unknown = -1

// front reads a line's front; at most most of each kind. The lines of a lane are
// merged by their scores.
func (s *Store) front(ctx context.Context, l lineID, most int64, merged bool) (front, error) {
	keys := l.keys("line", "order", "departed", "comebacks", "late", "edges", "reported")
	reply, err := s.runOn(ctx, l.sale, frontScript, keys, l.presence(), most, flag(merged))
	if err != nil {
		return front{}, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 7 {
		return front{}, fmt.Errorf("front: unexpected reply of %d fields", len(fields))
	}
	r := reader{fields: fields}
	main, rows, scored, back, beside := r.text(), r.text(), r.integer() == 1, r.text(), r.text()
	f := front{horizon: math.MaxInt64, size: r.integer()}
	if score, ok := scoreOf(r.text()); ok {
		f.horizon = score
	}
	var errs [4]error
	f.main, errs[0] = readFront(main, inLine, l.number, scored)
	f.back, errs[1] = readFront(back, comeback, l.number, true)
	f.beside, errs[2] = readFront(beside, late, l.number, true)
	errs[3] = number(f.main, rows)
	return f, cmp.Or(r.failed("front"), errors.Join(errs[:]...))
}

// readFront reads places, each with its score behind it if they are scored.
func readFront(text string, of kind, line int, scored bool) ([]candidate, error) {
	words, each := strings.Fields(text), 1
	if scored {
		each = 2
	}
	all := make([]candidate, len(words)/each)
	for i := range all {
		all[i] = candidate{place: words[i*each], kind: of, line: line, score: unknown}
		if !scored {
			continue
		}
		score, err := strconv.ParseInt(words[i*each+1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("front: %w", err)
		}
		all[i].score = score
	}
	return all, nil
}

// number gives candidates their ordinals, told in unbroken rows: the first of each
// and how many it has.
func number(all []candidate, rows string) error {
	words := strings.Fields(rows)
	n := 0
	for i := 0; i+1 < len(words); i += 2 {
		first, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return fmt.Errorf("front: %w", err)
		}
		size, err := strconv.Atoi(words[i+1])
		if err != nil || size > len(all)-n {
			return fmt.Errorf("front: a row of %q beyond %d places", words[i+1], len(all))
		}
		for k := range size {
			all[n+k].ordinal = first + int64(k)
		}
		n += size
	}
	if n != len(all) {
		return fmt.Errorf("front: %d ordinals for %d places", n, len(all))
	}
	return nil
}

// laneFront is who is to be offered next by a lane, in that order.
type laneFront struct {
	next []candidate
	cut  bool // others stand behind them
	more bool // others were not looked at
}

// mergeFronts returns who is to be offered next of the fronts of all lines of a
// lane; at most most. It stops where one line was not looked at further, for
// whoever stands there might be before the others. It is not ready while one of
// them has no order.
func mergeFronts(fronts []front, most int64) (f laneFront, ready bool) {
	var mains, backs, besides [][]candidate
	horizon := int64(math.MaxInt64)
	for _, f := range fronts {
		mains, backs, besides = append(mains, f.main), append(backs, f.back), append(besides, f.beside)
		horizon = min(horizon, f.horizon)
	}
	if horizon == 0 { // one of them has no order now
		return laneFront{}, false
	}
	others := merge(append(mains, besides...))
	end, _ := slices.BinarySearchFunc(others, horizon, func(c candidate, score int64) int { return cmp.Compare(c.score, score) })
	next := alternate(merge(backs), others[:end])
	n := min(most, int64(len(next)))
	more := horizon < math.MaxInt64
	return laneFront{next[:n], more || n == most, more}, true
}

// merge merges lists that are in the order of the line already.
func merge(lists [][]candidate) []candidate {
	lists = slices.DeleteFunc(lists, func(l []candidate) bool { return len(l) == 0 })
	if len(lists) == 1 {
		return lists[0]
	}
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.place, b.place))
	})
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

// advance moves a line on past those of the fronts of all lines of its lane that
// were offered or step aside, and describes it. size is what the line had when
// its front was read.
func (s *Store) advance(ctx context.Context, l lineID, size int64, front []candidate, fates string) (stand Stand, left []int64, err error) {
	var score, last any = "", ""
	var rows, aside, beside []any
	next := int64(-1) // the ordinal that would make the last row longer
	for i, c := range front {
		fate := fates[i]
		if fate != staysInFront && c.kind == inLine {
			score, last = c.score, c.place
			if c.score == unknown {
				score = "?"
			}
		}
		switch {
		case c.line != l.number:
		case fate == stepsAside:
			aside = append(aside, c.place)
		case fate == wasOffered && c.kind == inLine && c.ordinal == next:
			next++
			rows[len(rows)-1] = next - rows[len(rows)-2].(int64)
		case fate == wasOffered && c.kind == inLine:
			next = c.ordinal + 1
			rows = append(rows, c.ordinal, int64(1))
		case fate == wasOffered:
			beside = append(beside, c.place)
		}
	}
	args := slices.Concat([]any{score, last, size, tickMost, len(rows) / 2, len(aside)}, rows, aside, beside)
	keys := l.keys("line", "order", "collected", "departed", "left", "comebacks", "late", "passed")
	reply, err := s.runOn(ctx, l.sale, advanceScript, keys, args...)
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
		i := slices.IndexFunc(front, func(c candidate) bool { return c.line == l.number && c.kind == inLine && c.ordinal == ordinal })
		if _, err := s.drop(ctx, l.sale, ropeline.PlaceID(front[i].place), false); err != nil {
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
func (s *Store) settle(ctx context.Context, l lineID) error {
	keys := l.keys("line", "order", "departed", "left", "quit", "late", "passed", "edges", "reported")
	_, err := s.runOn(ctx, l.sale, settleScript, keys, newEpoch(), l.presence(),
		settleLeast.Milliseconds(), settleQuiet.Milliseconds(), settleMost)
	return err
}

// scoreOf reads a score; a place in the lobby has none.
func scoreOf(text string) (score int64, ok bool) {
	score, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return score, err == nil
}
