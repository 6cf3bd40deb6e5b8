package loadtest

import (
	"cmp"
	"slices"
)

// lot names the place that a fan has, which friends share.
func (h *History) lot() int {
	if h.Party != 0 {
		return -h.Party
	}
	return h.Fan
}

// parties are the histories of those who share a place, one group a place.
func parties(fans []History) [][]History {
	members := slices.DeleteFunc(slices.Clone(fans), func(h History) bool { return h.Party == 0 })
	slices.SortStableFunc(members, func(a, b History) int { return cmp.Compare(a.Party, b.Party) })
	var groups [][]History
	for i, h := range members {
		if i == 0 || h.Party != members[i-1].Party {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], h)
	}
	return groups
}

// judgeParty wants friends to have one turn and one session, and their party to
// be told as large as it is: it is counted so.
func judgeParty(e Evidence) finding {
	var f finding
	for _, members := range parties(e.Fans) {
		var offer, session *History
		for i := range members {
			h := &members[i]
			if h.Offer != 0 {
				f.facts++
				offer = cmp.Or(offer, h)
				if h.Offer != offer.Offer {
					f.breach("fans %d and %d share a place and got offers %d and %d", offer.Fan, h.Fan, offer.Offer, h.Offer)
				}
				if least, most := sizes(members, h.OfferedAt); h.Size < least || h.Size > most {
					f.breach("fan %d was told of %d friends with offer %d, and there were %d to %d", h.Fan, h.Size, h.Offer, least, most)
				}
			}
			for _, s := range h.Sessions {
				f.facts++
				session = cmp.Or(session, h)
				if first := session.Sessions[0].ID; s.ID != first {
					f.breach("fans %d and %d share a place and got sessions %s and %s", session.Fan, h.Fan, first, s.ID)
				}
			}
		}
	}
	return f
}

// sizes are how many members a party had at a moment: at least those who
// had clearly joined and did not leave, at most those who had not clearly left.
func sizes(members []History, at Moment) (least, most int) {
	for _, h := range members {
		if h.Join.Answered < at-partyTold && !h.left() {
			least++
		}
		if h.Leave.Status != 204 || h.Leave.Answered > at-partyTold {
			most++
		}
	}
	return least, most
}

// partyTold is how long it may take until every member is told of another one.
const partyTold = effective
