package loadtest

import (
	"cmp"
	"fmt"
	"slices"
)

// judgeForeign goes by what a shop saw that knows nothing of us: nobody without a
// session, and never more sessions at once than the cap. A session counts from
// the first to the last time that the shop saw it.
func judgeForeign(e Evidence) finding {
	if e.Abroad == nil {
		return unjudged("there was no foreign shop")
	}
	var f finding
	f.facts = e.Abroad.Requests
	for _, s := range e.Abroad.Strangers {
		f.breach("the shop was reached without a session: %s", s)
	}
	for _, s := range e.Abroad.Turned {
		f.breach("turned away with a good token: %s", s)
	}
	type edge struct {
		at Moment
		by int64
	}
	var edges []edge
	for _, v := range e.Abroad.Visits {
		edges = append(edges, edge{v.First, 1}, edge{v.Last + 1, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	inside, most := int64(0), int64(0)
	for _, x := range edges {
		inside += x.by
		most = max(most, inside)
		if x.by > 0 && e.Cap > 0 && inside > e.Cap {
			f.breach("%d sessions in the shop at %v, the cap is %d", inside, x.at, e.Cap)
		}
	}
	f.seen = fmt.Sprintf("%d sessions, at most %d at once", len(e.Abroad.Visits), most)
	return f
}
