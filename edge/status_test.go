package edge

import (
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

func TestOnlyWhatAFanSeesIsAChange(t *testing.T) {
	t.Parallel()
	position, served := int64(700), int64(610)
	base := wire.Status{
		State: ropeline.PlaceWaiting, Epoch: "e", Position: &position, Served: &served, Wait: &wire.Wait{Low: 300, High: 600},
		Sale: wire.SaleStatus{Phase: ropeline.PhaseOpen, Entrants: 3000, Now: time.Now()},
	}
	for name, c := range map[string]struct {
		change            func(*wire.Status)
		different, urgent bool
	}{
		"nothing":            {func(*wire.Status) {}, false, false},
		"the clock":          {func(s *wire.Status) { s.Sale.Now = s.Sale.Now.Add(time.Second) }, false, false},
		"others were served": {func(s *wire.Status) { n := served + 1; s.Served = &n }, false, false},
		"a copy of the same": {func(s *wire.Status) { p, w := *s.Position, *s.Wait; s.Position, s.Wait = &p, &w }, false, false},
		"a little sooner":    {func(s *wire.Status) { s.Wait = &wire.Wait{Low: 290, High: 580} }, false, false},
		"much sooner":        {func(s *wire.Status) { s.Wait = &wire.Wait{Low: 200, High: 400} }, true, false},
		"why it is longer":   {func(s *wire.Status) { s.Wait = &wire.Wait{Low: 300, High: 600, Longer: wire.LongerLimits} }, true, false},
		"no estimate":        {func(s *wire.Status) { s.Wait = nil }, true, false},
		"the position":       {func(s *wire.Status) { p := position - 1; s.Position = &p }, true, false},
		"the line's length":  {func(s *wire.Status) { s.Sale.Entrants-- }, true, false},
		"who goes first":     {func(s *wire.Status) { s.Sale.Comebacks = 3 }, true, false},
		"a new order":        {func(s *wire.Status) { s.Epoch = "f" }, true, false},
		"the opening moves":  {func(s *wire.Status) { s.Sale.OpensAt = time.Now() }, true, false},
		"a pause":            {func(s *wire.Status) { s.Sale.Paused = true }, true, true},
		"its reason":         {func(s *wire.Status) { s.Sale.Reason = "rain" }, true, true},
		"the phase":          {func(s *wire.Status) { s.Sale.Phase = ropeline.PhaseEnded }, true, true},
		"my turn":            {func(s *wire.Status) { s.State = ropeline.PlaceOffered }, true, true},
		"an offer's end":     {func(s *wire.Status) { s.Offer = &wire.Offer{Number: 1} }, true, true},
		"a session":          {func(s *wire.Status) { s.Session = &wire.Session{ID: "x"} }, true, true},
	} {
		next := base
		c.change(&next)
		if different, urgent := changed(base, next); different != c.different || urgent != c.urgent {
			t.Errorf("%s: different %v, urgent %v; want %v, %v", name, different, urgent, c.different, c.urgent)
		}
	}
	// Who is not in line any more is not told of the line.
	in := base
	in.State = ropeline.PlaceActive
	for name, change := range map[string]func(*wire.Status){
		"the line's length": func(s *wire.Status) { s.Sale.Entrants-- },
		"who goes first":    func(s *wire.Status) { s.Sale.Comebacks = 3 },
	} {
		next := in
		change(&next)
		if different, _ := changed(in, next); different {
			t.Errorf("%s is told to somebody inside", name)
		}
	}
}
