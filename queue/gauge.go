package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
)

//go:embed lua/gauge.lua
var gaugeSource string
var gaugeScript = newScript("gauge", gaugeSource)

// gauge moves the gauge of a sale on if it is due, and keeps it; it goes along
// with a clock that jumped.
func (s *Store) gauge(ctx context.Context, sale ropeline.SaleID, controller string, state State, jumped time.Duration) (Gauge, error) {
	g := state.Gauge.moved(jumped)
	if g.due(state) {
		living, present, idle, err := s.attendance(ctx, sale)
		if err != nil && !errors.Is(err, ErrSettling) {
			return Gauge{}, err
		}
		if living > 0 {
			g.Here, g.Idle = float64(present)/float64(living), idle
		}
		if err == nil {
			g = g.next(state)
		}
	}
	if g == state.Gauge {
		return g, nil
	}
	text, err := json.Marshal(g)
	if err != nil {
		return Gauge{}, fmt.Errorf("writing a gauge: %w", err)
	}
	_, err = s.runOn(ctx, sale, gaugeScript, keysOf(sale, "leader", "state"), controller, text)
	if errors.Is(err, errFenced) { // another one leads by now, and tells
		return state.Gauge, nil
	}
	return g, err
}

// readGauge reads what gauge kept. Nothing is the gauge of a line that has not
// been measured.
func readGauge(text string) (g Gauge, err error) {
	if text == "" {
		return Gauge{}, nil
	}
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return Gauge{}, fmt.Errorf("reading a gauge: %w", err)
	}
	return g, nil
}

//go:embed lua/attendance.lua
var attendanceSource string
var attendanceScript = newScript("attendance", attendanceSource)

// attendanceOf is how many of those next in line are looked at: enough to tell
// a share to 2 %, few enough to cost a microsecond.
const attendanceOf = 4096

// attendance returns how many of those next in line have not left, how many of
// them are here, and in which of several lanes nobody is.
func (s *Store) attendance(ctx context.Context, sale ropeline.SaleID) (living, present int64, idle byLane[bool], err error) {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return 0, 0, idle, err
	}
	counts := make([][]int64, len(lines))
	err = onEach(lines, func(l lineID) error {
		reply, err := s.runOn(ctx, sale, attendanceScript, l.keys("line", "order", "departed", "edges", "reported"), l.presence(), attendanceOf)
		if err != nil {
			return err
		}
		fields, err := integers(reply)
		if err != nil || len(fields) != 2 {
			return errors.Join(err, fmt.Errorf("attendance: unexpected reply of %d fields", len(fields)))
		}
		counts[l.number] = fields
		return nil
	})
	if err != nil {
		return 0, 0, idle, err
	}
	here := make([]int64, sh.laneCount())
	for i, c := range counts {
		living, present = living+c[0], present+c[1]
		here[i/sh.shards] += c[1]
	}
	for lane := range len(sh.lanes) {
		idle[lane] = here[lane] == 0
	}
	return living, present, idle, nil
}
