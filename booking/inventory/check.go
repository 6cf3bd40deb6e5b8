package inventory

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/ropeline/ropeline"
)

// The kinds of disagreement between Redis and Postgres.
const (
	NotBuilt         = "not-built"          // the bitmaps were never compared with Postgres
	SoldNotMarked    = "sold-not-marked"    // a valid ticket, but Redis would sell the unit again
	MarkedNotSold    = "marked-not-sold"    // Redis says sold, but there is no valid ticket
	PayingNotTaken   = "paying-not-taken"   // an unpaid ticket, but Redis says free
	TakenByNobody    = "taken-by-nobody"    // neither sold nor in a live hold
	HeldNotTaken     = "held-not-taken"     // in a live hold, but Redis says free
	HeldTwice        = "held-twice"         // in two live holds
	HeldAlthoughOut  = "held-although-sold" // in a live hold and sold
	PastTheEnd       = "past-the-end"       // the performance has no such unit
	WithheldNotTaken = "withheld-not-taken" // withheld by a reserve, but Redis would sell it
	ReserveNotKept   = "reserve-not-kept"   // in a reserve, but Redis does not know
	KeptByNoReserve  = "kept-by-no-reserve" // Redis withholds it, but no reserve does
	ListNotKept      = "list-not-kept"      // the returns list has what comes free of it, but Redis does not know
	ListedByNobody   = "listed-by-nobody"   // Redis keeps it for the returns list, but there is none
	PooledNotTaken   = "pooled-not-taken"   // in the returns list's pool, but Redis would sell it to anybody
	PooledAndOwned   = "pooled-and-owned"   // in that pool, and sold, held or withheld
	PayingForNobody  = "paying-for-nobody"  // in a paying hold without an open attempt: it would never run out
)

// Report compares Redis with Postgres for one performance, unit by unit.
type Report struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Units       int                    `json:"units"`
	Free        int                    `json:"free"`
	Held        int                    `json:"held"`
	Paying      int                    `json:"paying"`
	Sold        int                    `json:"sold"`
	Withheld    int                    `json:"withheld"` // by a reserve, and neither held nor sold
	Pooled      int                    `json:"pooled"`   // came free and kept for the returns list
	Mismatches  []Mismatch             `json:"mismatches"`
}

// Mismatch lists the units that disagree in one way.
type Mismatch struct {
	Kind  string `json:"kind"`
	Units []int  `json:"units"`
}

// OK reports whether Redis and Postgres agree.
func (r Report) OK() bool { return len(r.Mismatches) == 0 }

// rounds and pause: the two stores cannot be read at one instant, so what is in
// between while a sale is being marked, or a reserve is released, is looked at
// again for longer than the Keeper takes to follow.
const (
	rounds = 8
	pause  = 200 * time.Millisecond
)

// Check compares Redis with Postgres. A mismatch counts if it is still there
// after more than a second of looking again.
func (s *Store) Check(ctx context.Context, id ropeline.PerformanceID, records Records) (Report, error) {
	before, err := s.Snapshot(ctx, id)
	if err != nil {
		return Report{}, fmt.Errorf("checking inventory of %s: %w", id, err)
	}
	var report Report
	for round := range rounds {
		r, err := records.Recorded(ctx, id)
		if err != nil {
			return Report{}, fmt.Errorf("checking inventory of %s: %w", id, err)
		}
		snap, err := s.Snapshot(ctx, id)
		if err != nil {
			return Report{}, fmt.Errorf("checking inventory of %s: %w", id, err)
		}
		report = compare(id, r, before, snap)
		if report.OK() || round == rounds-1 {
			break
		}
		select {
		case <-ctx.Done():
			return Report{}, ctx.Err()
		case <-time.After(pause):
		}
	}
	return report, nil
}

// compare is the arithmetic of Check. An attempt is written before its hold is
// paying: one that paid already before the records were read and is not among
// them is not open, so before tells it from one that starts right now.
func compare(id ropeline.PerformanceID, r Recorded, before, snap Snapshot) Report {
	report := Report{Performance: id, Units: r.Units, Mismatches: []Mismatch{}}
	found := map[string][]int{}
	bad := func(kind string, unit int) { found[kind] = append(found[kind], unit) }
	if !snap.Built {
		found[NotBuilt] = []int{}
	}
	sold, unpaid, reserved := setOf(r.Sold), setOf(r.Unpaid), setOf(r.Withheld.Units)
	listed, pooled := setOf(r.Listed.Units), setOf(snap.Pool)
	held, stray := map[int]string{}, strays(r, before)
	for _, h := range snap.Holds {
		if attempt, ok := stray[h.ID]; ok && h.State == "paying" && h.Attempt == attempt {
			found[PayingForNobody] = append(found[PayingForNobody], h.Units...)
		}
		for _, u := range h.Units {
			if held[u] != "" {
				bad(HeldTwice, u)
			}
			held[u] = h.State
		}
	}
	for u := range max(r.Units, 8*len(snap.Taken), 8*len(snap.Sold)) {
		taken, marked, kept := snap.Taken.Has(u), snap.Sold.Has(u), snap.Withheld.Has(u)
		switch {
		case u >= r.Units:
			if taken || marked {
				bad(PastTheEnd, u)
			}
			continue
		case marked:
			report.Sold++
		case held[u] == "paying":
			report.Paying++
		case held[u] != "":
			report.Held++
		case kept && taken:
			report.Withheld++
		case pooled[u]:
			report.Pooled++
		case !taken:
			report.Free++
		}
		if snap.Listed.Has(u) != listed[u] {
			bad(map[bool]string{true: ListNotKept, false: ListedByNobody}[listed[u]], u)
		}
		if kind := misplaced(pooled[u], taken, marked || held[u] != "" || kept); kind != "" {
			bad(kind, u)
		}
		if kind := unkept(taken, kept, reserved[u]); kind != "" {
			bad(kind, u)
		}
		if kind := disagreement(taken, marked, held[u] != "", kept || pooled[u], sold[u], unpaid[u]); kind != "" {
			bad(kind, u)
		}
	}
	for kind, units := range found {
		sort.Ints(units)
		report.Mismatches = append(report.Mismatches, Mismatch{Kind: kind, Units: units})
	}
	sort.Slice(report.Mismatches, func(i, j int) bool { return report.Mismatches[i].Kind < report.Mismatches[j].Kind })
	return report
}

// disagreement judges one unit: what Redis says of it (taken, marked as sold,
// held, kept by a reserve or for the returns list) against what Postgres says (sold, or recorded and unpaid).
func disagreement(taken, marked, held, kept, sold, unpaid bool) string {
	switch {
	case sold && !marked:
		return SoldNotMarked
	case marked && !sold:
		return MarkedNotSold
	case marked && held:
		return HeldAlthoughOut
	case held && !taken:
		return HeldNotTaken
	case unpaid && !taken:
		return PayingNotTaken
	case taken && !marked && !held && !kept:
		return TakenByNobody
	}
	return ""
}

// unkept judges whether Redis keeps a unit off sale exactly if a reserve does.
func unkept(taken, kept, reserved bool) string {
	switch {
	case kept && !taken:
		return WithheldNotTaken
	case kept && !reserved:
		return KeptByNoReserve
	case reserved && !kept:
		return ReserveNotKept
	}
	return ""
}

// misplaced judges whether a unit of the returns list's pool is taken from the open sale,
// and owned by nobody.
func misplaced(pooled, taken, owned bool) string {
	switch {
	case pooled && !taken:
		return PooledNotTaken
	case pooled && owned:
		return PooledAndOwned
	}
	return ""
}

// strays maps each hold that is paying to its attempt, if that is not open.
func strays(r Recorded, snap Snapshot) map[string]string {
	open := make(map[string]bool, len(r.Open))
	for _, a := range r.Open {
		open[a.ID] = true
	}
	found := map[string]string{}
	for _, h := range snap.Holds {
		if h.State == "paying" && !open[h.Attempt] {
			found[h.ID] = h.Attempt
		}
	}
	return found
}

func setOf(units []int) map[int]bool {
	set := make(map[int]bool, len(units))
	for _, u := range units {
		set[u] = true
	}
	return set
}
