package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// The part of the model that knows parties.

// party is what the model knows of who shares a place.
type party struct {
	members []string // tags, in the order in which they came
	open    bool     // somebody opened it
	more    []int64  // ms: until when the slots beside the first are counted
	ticket  []string // what the members' tickets remember after a loss
}

func (f *fan) size() int { return max(1, len(f.members)) }

func (f *fan) shared() Party { return Party(strings.Join(f.members, " ")) }

func (f *fan) isMember(tag string) bool {
	if !f.open {
		return tag == holderTag
	}
	return slices.Contains(f.members, tag)
}

// slots is how many of the cap a fan takes.
func (f *fan) slots() int64 {
	switch {
	case f.state == ropeline.PlaceOffered:
		return int64(f.size())
	case f.slot > 0:
		return int64(1 + len(f.more))
	}
	return int64(len(f.more))
}

// fill counts every member's slot until then.
func (f *fan) fill(until int64) {
	f.slot = until
	for i := range f.size() - 1 {
		if i < len(f.more) {
			f.more[i] = until
		} else {
			f.more = append(f.more, until)
		}
	}
}

// queueing is who stands before whom when a party does not fit.
type queueing struct {
	holder *fan // it holds the line
	since  int64
	saver  *fan // slots are saved for it
	saved  int64
}

const holdMost = 10_000 // ms

// cost is what a turn of a lane costs: all shares divide what it is a part of.
func (m *model) cost(lane int) int64 {
	common := int64(1)
	for _, share := range m.shares {
		common = leastCommon(common, share)
	}
	return common / m.shares[lane]
}

// turn is the lane that is next: the one that is least ahead of its share of
// those that have somebody, or may have behind as many as were looked at.
func (m *model) turn(fronts [][]*fan, cut []bool) int {
	least := -1
	for lane, front := range fronts {
		if (len(front) > 0 || cut[lane]) && (least < 0 || m.leads[lane] < m.leads[least]) {
			least = lane
		}
	}
	return least
}

// next says who is offered and who steps aside, of those at the fronts of the
// lanes, of which at most most were looked at.
func (m *model) next(fronts [][]*fan, most, free, people int64) (offered, aside []*fan) {
	q := &m.queueing
	take := func(f *fan) {
		offered = append(offered, f)
		size := int64(f.size())
		free, people = free-size, people-size
		m.bucket -= 60000 * size
		m.leads[f.lane] += size * m.cost(f.lane)
		m.people[f.lane] += size
	}
	cut := make([]bool, len(fronts))
	for lane, front := range fronts {
		cut[lane] = len(front) > 0 && int64(len(front)) == most
	}
	if slices.ContainsFunc(fronts, func(front []*fan) bool { return len(front) > 0 }) {
		var first *fan
		for _, front := range fronts {
			i := slices.IndexFunc(front, func(f *fan) bool { return f.back && f.size() > 1 && int64(f.size()) <= m.mostSlots() })
			if i >= 0 && (first == nil || m.leads[front[i].lane] < m.leads[first.lane]) {
				first = front[i]
			}
		}
		if q.saver != first {
			q.saver, q.saved = first, 0
		}
		if first != nil && int64(first.size()) <= free && m.bucket >= 60000 && people >= 1 {
			take(first)
			fronts[first.lane] = slices.DeleteFunc(slices.Clone(fronts[first.lane]), func(f *fan) bool { return f == first })
			q.saver, q.saved = nil, 0
		}
	}
	for lane := m.turn(fronts, cut); lane >= 0 && len(fronts[lane]) > 0; lane = m.turn(fronts, cut) {
		f := fronts[lane][0]
		size := int64(f.size())
		if m.bucket < 60000 || people < 1 || int64(len(offered)) >= m.most {
			break
		}
		if size <= free-q.saved {
			fronts[lane] = fronts[lane][1:]
			lead := m.leads[lane]
			for i := range m.leads {
				m.leads[i] = max(0, m.leads[i]-lead)
			}
			take(f)
			if q.saver != nil {
				q.saved = min(q.saved+size, int64(q.saver.size()))
			}
			continue
		}
		if size == 1 {
			break
		}
		if f.back {
			fronts[lane] = fronts[lane][1:]
			continue
		}
		if q.holder != f {
			q.holder, q.since = f, m.ms()
		}
		if size <= m.mostSlots() && m.ms()-q.since < holdMost {
			break
		}
		q.holder = nil
		fronts[lane] = fronts[lane][1:]
		aside = append(aside, f)
	}
	return offered, aside
}

// joinParty takes a member in.
func (m *model) joinParty(f *fan, tag string) error {
	switch size := int64(len(f.members) + 1); {
	case f.isMember(tag) && f.open:
		return nil
	case f.hadTurn():
		return ErrPartyOffered
	case f.open && len(f.members) == 0, !f.open && tag != holderTag:
		return ErrPartyOver
	case f.open && size > int64(m.sale.PartyMax):
		return ErrPartyFull
	case f.open && m.limits.Cap > 0 && size > m.limits.Cap:
		return ErrPartyLarge
	default:
		f.open, m.anyParty = true, true
		f.members = append(f.members, tag)
		if len(f.members) > 1 {
			m.largest, m.brought = max(m.largest, len(f.members)), m.brought+1
		}
		return nil
	}
}

// leaveAs lets one member go and reports whether the place was given up.
func (m *model) leaveAs(f *fan, tag string) (given bool, err error) {
	if f.open && len(f.members) > 0 && (len(f.members) > 1 || f.members[0] != tag) {
		had := len(f.members)
		f.members = slices.DeleteFunc(f.members, func(each string) bool { return each == tag })
		if !f.hadTurn() {
			m.brought -= int64(had - len(f.members))
		}
		return false, nil
	}
	f.members = nil
	return true, m.leave(f)
}

// anyTag draws a member, or now and then somebody who is none.
func anyTag(t *rapid.T, f *fan) string {
	tags := append([]string{holderTag}, f.members...)
	if f.open {
		tags = append(tags, f.members...)
	}
	return rapid.SampledFrom(tags).Draw(t, "member")
}

func ticketOf(f *fan, tag string) Ticket {
	t := Ticket{Place: f.id, Member: tag}
	if tag == holderTag {
		t.Member = ""
	}
	return t
}

// befriend lets friends into the party of a place, and sometimes tries it when
// that is not possible.
func (s *system) befriend(ctx contextT, t *rapid.T, f *fan) {
	if f.lost || f.state == ropeline.PlaceLeft && !f.open {
		return // whose place is unknown or given up is not asked
	}
	enter := func(tag string) {
		got, err := s.store.JoinParty(ctx, s.sale.ID, ticketOf(f, tag), s.sale.PartyMax)
		same(t, "joining a party", err, s.joinParty(f, tag))
		if err == nil && got != f.shared() {
			t.Fatalf("the party is %q, want %q", got, f.shared())
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "opened first") > 0 {
		enter(holderTag)
	}
	for range rapid.IntRange(1, 3).Draw(t, "friends") {
		s.friends++
		tag := fmt.Sprintf("friend%d", s.friends)
		enter(tag)
		if rapid.IntRange(0, 3).Draw(t, "the answer is lost") == 0 {
			enter(tag)
		}
	}
}

// recall puts back the parties that an edge remembers.
func (s *system) recall(ctx contextT, t *rapid.T, places []Place) {
	if err := s.store.recallParties(ctx, s.sale.ID, parties(places)); err != nil {
		t.Fatal(err)
	}
}

// Random operations of every kind let few parties through: here the line moves
// most of the time.
func TestPartiesGoInAsTheModelSays(t *testing.T) {
	checkAgainstModel(t, []layout{{1, 1}, {2, 2}}, func(s *system, actions map[string]func(*rapid.T)) {
		for _, rare := range []string{"change the mode", "rejoin", "draw", "an edge dies or lives again", "present a ticket", "the server loses all", "the server starts anew", "wait"} {
			delete(actions, rare)
		}
		ctx := s.t.Context()
		if !s.drawn {
			s.openLine(ctx, s.t, actions)
		}
		actions["set limits"] = func(t *rapid.T) {
			to := Limits{Cap: 6 - rapid.Int64Range(0, 4).Draw(t, "less cap"), Rate: rapid.SampledFrom([]int64{60_000, 600, 120}).Draw(t, "rate")}
			s.steer(ctx, t, Settings{Cap: &to.Cap, Rate: &to.Rate}, nil)
		}
		for _, name := range []string{"a moment", "another moment", "some seconds"} {
			most := int64(400_000)
			if name == "some seconds" {
				most = 7_000_000
			}
			actions[name] = func(t *rapid.T) {
				s.now += rapid.Int64Range(100_000, most).Draw(t, "us")
				s.compareTick(ctx, t)
			}
		}
	})
}
