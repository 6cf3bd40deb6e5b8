package queue

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"

	"github.com/ropeline/ropeline"
)

// A lane may be spread over several lines. What that means:
//
// The order is that of the scores, over all lines of the lane; equal scores go by the bytes
// of the id, as in one sorted set. Each line gives scores by its own clock, but
// behind every score that it has been asked to compare with: a place that has
// joined is ranked in all lines of its lane, so whoever joins anywhere after that stands
// behind it, whatever the clocks say. Only two joins that are under way at the
// same time may be ordered by clocks that differ.
//
// A place's ordinal is of its own line. Of the others its rank is known, which
// is as lasting: nobody is inserted before it. Its position is what is left
// before it in all of them.

// lineID names one line of a sale. A sale with several lanes has several, and so
// has a lane too large for one Redis, its shards: they are numbered through, as
// shape says. Each has a hash tag, and so a slot, of its own, apart from that of
// the sale's capacity.
type lineID struct {
	sale   ropeline.SaleID
	number int
}

// key names a key of the line.
func (l lineID) key(name string) string {
	return "ropeline:{" + string(l.sale) + "." + strconv.Itoa(l.number) + "}:" + name
}

// keys names several.
func (l lineID) keys(names ...string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = l.key(name)
	}
	return keys
}

// presence is what the names of the line's presence bitmaps begin with; the
// edge's name follows.
func (l lineID) presence() string { return l.key("presence:") }

// shardOf says in which of so many lines of its lane a place stands.
func shardOf(id ropeline.PlaceID, shards int) int {
	if shards == 1 {
		return 0
	}
	return int(crc32.ChecksumIEEE([]byte(id)) % uint32(shards))
}

// shape returns over which lines a sale is spread, which never changes.
func (s *Store) shape(ctx context.Context, sale ropeline.SaleID) (shape, error) {
	s.mu.Lock()
	sh := s.seen[sale]
	s.mu.Unlock()
	if sh.shards > 0 {
		return sh, nil
	}
	doc, err := s.Sale(ctx, sale)
	if err != nil {
		return shape{}, err
	}
	return shapeOf(doc), nil
}

// lines returns all lines of a sale.
func (s *Store) lines(ctx context.Context, sale ropeline.SaleID) ([]lineID, shape, error) {
	sh, err := s.shape(ctx, sale)
	return linesOf(sale, sh.lines()), sh, err
}

func linesOf(sale ropeline.SaleID, n int) []lineID {
	all := make([]lineID, n)
	for i := range all {
		all[i] = lineID{sale, i}
	}
	return all
}

// lineOf returns the line that a place stands in.
func (s *Store) lineOf(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (lineID, error) {
	sh, err := s.shape(ctx, sale)
	if err != nil {
		return lineID{}, err
	}
	return lineID{sale, sh.lineOf(id)}, nil
}

// onEach does something with each line, with all at once, and waits for it.
func onEach(lines []lineID, do func(l lineID) error) error {
	if len(lines) == 1 {
		return do(lines[0])
	}
	errs := make([]error, len(lines))
	var all sync.WaitGroup
	for i, l := range lines {
		all.Go(func() { errs[i] = do(l) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// byLine sorts things by the line of the place that each belongs to.
func byLine[T any](things []T, sh shape, place func(T) ropeline.PlaceID) [][]T {
	if sh.lines() == 1 {
		return [][]T{things}
	}
	sorted := make([][]T, sh.lines())
	for _, t := range things {
		k := sh.lineOf(place(t))
		sorted[k] = append(sorted[k], t)
	}
	return sorted
}

// epochOf names the stretch in which the ordinals of none of these lines change;
// "" while one of them has none.
func epochOf(epochs []string) string {
	if len(epochs) == 1 {
		return epochs[0]
	}
	for _, e := range epochs {
		if e == "" {
			return ""
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(epochs, " ")))
	return hex.EncodeToString(sum[:8])
}

//go:embed lua/rank.lua
var rankSource string
var rankScript = newScript("rank", rankSource)

// rankAll ranks places that stand in a line, lane by lane.
func (s *Store) rankAll(ctx context.Context, lines []lineID, sh shape, places []*Place) error {
	if sh.shards == 1 {
		return nil
	}
	byLane := make([][]*Place, sh.laneCount())
	for _, p := range places {
		k := sh.laneOf(p.ID)
		byLane[k] = append(byLane[k], p)
	}
	var errs error
	for k, of := range byLane {
		if len(of) > 0 {
			errs = errors.Join(errs, s.ranks(ctx, lines[k*sh.shards:(k+1)*sh.shards], of))
		}
	}
	return errs
}

// ranks sets where places that stand in a line of a lane stand among those of its
// other lines, and the epoch in which that holds.
func (s *Store) ranks(ctx context.Context, lines []lineID, places []*Place) error {
	epochs := make([]string, len(lines))
	ranks := make([][]int64, len(places))
	for i := range ranks {
		ranks[i] = make([]int64, len(lines))
	}
	err := onEach(lines, func(l lineID) error {
		shard := l.number % len(lines)
		var strangers []int
		var args []any
		for i, p := range places {
			if shardOf(p.ID, len(lines)) == shard {
				ranks[i][shard] = p.Ordinal
				continue
			}
			strangers, args = append(strangers, i), append(args, p.Score, string(p.ID))
		}
		reply, err := s.runOn(ctx, l.sale, rankScript, l.keys("line", "order"), args...)
		if err != nil {
			return err
		}
		fields, _ := reply.([]any)
		r := reader{fields: fields}
		epochs[shard] = r.text()
		for _, i := range strangers {
			ranks[i][shard] = r.integer()
		}
		return r.failed("rank")
	})
	epoch := epochOf(epochs)
	for i, p := range places {
		// The place was found in an epoch of its line that may be over by now.
		if err != nil || p.Epoch != epochs[shardOf(p.ID, len(lines))] {
			p.Epoch = ""
			continue
		}
		p.Epoch, p.ranks = epoch, &ranks[i]
	}
	return err
}
